#include "base/text.h"

#include <stdio.h>

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_put(struct buf *b, struct slice in)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.n; i++) {
        buf_put_u8(b, (uint8_t)digits[in.p[i] >> 4]);
        buf_put_u8(b, (uint8_t)digits[in.p[i] & 15]);
    }
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_get(struct slice in, uint8_t *out, size_t out_len)
{
    if (in.n != 2 * out_len)
        return false;
    for (size_t i = 0; i < out_len; i++) {
        int hi = hex_digit(in.p[2 * i]), lo = hex_digit(in.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static void put64(struct buf *b, struct slice in, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t v = (uint32_t)in.p[i] << 16;
        v |= left > 1 ? (uint32_t)in.p[i + 1] << 8 : 0;
        v |= left > 2 ? in.p[i + 2] : 0;
        buf_put_u8(b, (uint8_t)alphabet[v >> 18]);
        buf_put_u8(b, (uint8_t)alphabet[v >> 12 & 63]);
        if (left > 1 || pad)
            buf_put_u8(b, (uint8_t)(left > 1 ? alphabet[v >> 6 & 63] : '='));
        if (left > 2 || pad)
            buf_put_u8(b, (uint8_t)(left > 2 ? alphabet[v & 63] : '='));
    }
}

void base64_put(struct buf *b, struct slice in)
{
    put64(b, in, b64, true);
}
void base64url_put(struct buf *b, struct slice in)
{
    put64(b, in, b64url, false);
}

static bool get64(struct slice in, struct buf *out, const char *alphabet, bool pad)
{
    if (pad) {
        if (in.n % 4)
            return false;
        for (int i = 0; i < 2 && in.n && in.p[in.n - 1] == '='; i++)
            in.n--;
    }
    if (in.n % 4 == 1)
        return false;
    uint32_t v = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < in.n; i++) {
        const char *at = in.p[i] ? strchr(alphabet, in.p[i]) : NULL;
        if (!at)
            return false;
        v = (v << 6 | (uint32_t)(at - alphabet)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_put_u8(out, (uint8_t)(v >> bits));
        }
    }
    return (v & ((1u << bits) - 1)) == 0 && !out->failed;
}

bool base64_get(struct slice in, struct buf *out)
{
    size_t pads = 0;
    while (pads < in.n && in.p[in.n - 1 - pads] == '=')
        pads++;
    return pads <= 2 && in.n % 4 == 0 && get64(in, out, b64, true);
}
bool base64url_get(struct slice in, struct buf *out)
{
    return get64(in, out, b64url, false);
}

bool utf8_valid(struct slice in)
{
    const uint8_t *p = in.p, *end = in.n ? in.p + in.n : in.p; /* NULL + 0 is undefined */
    for (uint64_t eight; end - p >= 8; p += 8) {               /* most text is ASCII */
        memcpy(&eight, p, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80)
            continue;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || end - p < more)
            return false;
        uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (p[0] < lo || p[0] > hi)
            return false;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        p += more;
    }
    return true;
}

bool decimal_get(struct slice in, uint64_t *out)
{
    uint64_t v = 0;
    if (in.n == 0 || in.n > 20 || (in.n > 1 && in.p[0] == '0'))
        return false;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] < '0' || in.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(in.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (the civil-date algorithm). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void time_put(struct buf *b, uint64_t seconds)
{
    int64_t z = (int64_t)(seconds / 86400) + 719468;
    int64_t era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    unsigned d = (unsigned)(doy - (153 * mp + 2) / 5 + 1), m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    int64_t y = yoe + era * 400 + (m <= 2);
    unsigned s = (unsigned)(seconds % 86400);
    buf_printf(b, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)y, m, d, s / 3600, s / 60 % 60, s % 60);
}

static bool digits(const uint8_t *p, unsigned n, unsigned *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(p[i] - '0');
    }
    return true;
}

static bool civil_get(const uint8_t *p, unsigned *y, unsigned *m, unsigned *d)
{
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!digits(p, 4, y) || p[4] != '-' || !digits(p + 5, 2, m) || p[7] != '-' || !digits(p + 8, 2, d))
        return false;
    bool leap = (*y % 4 == 0 && *y % 100 != 0) || *y % 400 == 0;
    return *y >= 1 && *m >= 1 && *m <= 12 && *d >= 1 &&
           *d <= month_days[*m - 1] + (unsigned)(*m == 2 && leap);
}

static bool date_get(const uint8_t *p, uint64_t *seconds)
{
    unsigned y, m, d;
    if (!civil_get(p, &y, &m, &d) || y < 1970)
        return false;
    *seconds = (uint64_t)days_from_civil(y, m, d) * 86400;
    return true;
}

bool time_get(struct slice in, uint64_t *seconds)
{
    unsigned h, m, s;
    if (in.n != 20 || !date_get(in.p, seconds) || in.p[10] != 'T' || in.p[13] != ':' || in.p[16] != ':' ||
        in.p[19] != 'Z' || !digits(in.p + 11, 2, &h) || !digits(in.p + 14, 2, &m) ||
        !digits(in.p + 17, 2, &s) || h > 23 || m > 59 || s > 59)
        return false;
    *seconds += h * 3600u + m * 60u + s;
    return true;
}

bool time_or_date_get(struct slice in, uint64_t *seconds)
{
    return in.n == 10 ? date_get(in.p, seconds) : time_get(in, seconds);
}

static size_t digits_at(struct slice in, size_t i)
{
    size_t n = 0;
    while (i + n < in.n && in.p[i + n] >= '0' && in.p[i + n] <= '9')
        n++;
    return n;
}

/* Length of the integer that in begins with; 0 if none. */
static size_t integer_prefix(struct slice in)
{
    size_t sign = in.n && in.p[0] == '-';
    size_t n = digits_at(in, sign);
    return n == 0 || (n > 1 && in.p[sign] == '0') ? 0 : sign + n;
}

bool text_is_integer(struct slice in)
{
    return in.n && integer_prefix(in) == in.n;
}

bool text_is_decimal(struct slice in)
{
    size_t i = integer_prefix(in), n;
    if (i == 0)
        return false;
    if (i < in.n && in.p[i] == '.') {
        n = digits_at(in, i + 1);
        if (n == 0)
            return false;
        i += 1 + n;
    }
    if (i < in.n && (in.p[i] == 'e' || in.p[i] == 'E')) {
        i++;
        if (i < in.n && (in.p[i] == '+' || in.p[i] == '-'))
            i++;
        n = digits_at(in, i);
        if (n == 0)
            return false;
        i += n;
    }
    return i == in.n;
}

bool text_is_boolean(struct slice in)
{
    return slice_is(in, "true") || slice_is(in, "false");
}

bool text_is_date(struct slice in)
{
    unsigned y, m, d;
    return in.n == 10 && civil_get(in.p, &y, &m, &d);
}

bool text_is_datetime(struct slice in)
{
    unsigned y, m, d, h, min, s;
    if (in.n < 20 || !civil_get(in.p, &y, &m, &d) || (in.p[10] != 'T' && in.p[10] != 't') ||
        in.p[13] != ':' || in.p[16] != ':' || !digits(in.p + 11, 2, &h) || !digits(in.p + 14, 2, &min) ||
        !digits(in.p + 17, 2, &s) || h > 23 || min > 59 || s > 60)
        return false;
    size_t i = 19;
    if (in.p[i] == '.') {
        size_t n = digits_at(in, i + 1);
        if (n == 0)
            return false;
        i += 1 + n;
    }
    if (i + 1 == in.n && (in.p[i] == 'Z' || in.p[i] == 'z'))
        return true;
    return i + 6 == in.n && (in.p[i] == '+' || in.p[i] == '-') && in.p[i + 3] == ':' &&
           digits(in.p + i + 1, 2, &h) && digits(in.p + i + 4, 2, &min) && h <= 23 && min <= 59;
}

bool country_valid(struct slice in)
{
    return in.n == 2 && in.p[0] >= 'A' && in.p[0] <= 'Z' && in.p[1] >= 'A' && in.p[1] <= 'Z';
}

static bool alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_valid(struct slice in)
{
    if (in.n == 0 || in.n > 64 || !alnum(in.p[0]))
        return false;
    for (size_t i = 1; i < in.n; i++)
        if (!alnum(in.p[i]) && in.p[i] != '_' && in.p[i] != '-' && in.p[i] != '.')
            return false;
    return true;
}

bool term_valid(struct slice in)
{
    if (in.n == 0 || in.n > 128)
        return false;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] <= ' ' || in.p[i] > '~' || in.p[i] == '"' || in.p[i] == '\\' || in.p[i] == ',')
            return false;
    return true;
}
