#include "peer.h"

#include <jansson.h>
#include <stdlib.h>

enum jansson_verdict jansson_parse(struct slice text, struct buf *out)
{
    if (memchr(text.p, 0, text.n)) /* never JSON, but jansson overlooks it behind a number */
        return JANSSON_REFUSES;
    json_error_t e;
    json_t *v = json_loadb((const char *)text.p, text.n,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!v)
        return json_error_code(&e) == json_error_numeric_overflow ||
                       json_error_code(&e) == json_error_null_byte_in_key
                   ? JANSSON_CANNOT
                   : JANSSON_REFUSES;
    char *s = json_dumps(v, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (s)
        buf_put_str(out, s);
    free(s);
    json_decref(v);
    return JANSSON_TAKES;
}
