#include "consent/line.h"

#include "consent/consent.h"

#include "base/json.h"
#include "base/text.h"

void line_put_json(struct buf *out, struct slice s)
{
    json_put_string(out, s);
}

bool line_ok(struct slice s)
{
    if (!utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t *p = s.p + i;
        if (p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0))
            return false; /* C0, DEL, C1 */
        if (p[0] == 0xd8 && p[1] == 0x9c)
            return false; /* U+061C */
        if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
            return false; /* U+200E, U+200F, U+2028..202E */
        if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
            return false; /* U+2066..2069 */
    }
    return true;
}

bool consent_line_ok(struct slice text)
{
    return line_ok(text);
}
