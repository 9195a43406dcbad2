#include "base/json.h"

#include "base/limits.h"
#include "base/text.h"

struct scan {
    const uint8_t *p, *end, *start;
    const char *why;
    bool unique; /* look for duplicate names; json_next walks what was looked through before */
};

static bool fail(struct scan *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return false;
}

static void space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(struct scan *s, uint8_t c)
{
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }
    return false;
}

static bool literal(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s, "unknown literal");
    s->p += n;
    return true;
}

static bool digit_run(struct scan *s)
{
    const uint8_t *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

static bool number(struct scan *s)
{
    take(s, '-');
    if (take(s, '0')) {
        if (s->p < s->end && *s->p >= '0' && *s->p <= '9')
            return fail(s, "number with a leading zero");
    } else if (!digit_run(s)) {
        return fail(s, "malformed number");
    }
    if (take(s, '.') && !digit_run(s))
        return fail(s, "malformed number");
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        if (!digit_run(s))
            return fail(s, "malformed number");
    }
    return true;
}

static bool hex4(const uint8_t *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return false;
        *out = *out << 4 | d;
    }
    return true;
}

/* The code point of an escape \uXXXX[\uXXXX] at p (after the backslash and u); 0xffffffff if malformed. */
static uint32_t escape_u(const uint8_t *p, const uint8_t *end, const uint8_t **after)
{
    uint32_t hi, lo;
    if (end - p < 4 || !hex4(p, &hi))
        return UINT32_MAX;
    *after = p + 4;
    if (hi < 0xd800 || hi > 0xdfff)
        return hi;
    if (hi > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u' || !hex4(p + 6, &lo) || lo < 0xdc00 ||
        lo > 0xdfff)
        return UINT32_MAX;
    *after = p + 10;
    return 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

/* The first byte that is not plain text of a string: a quote, a backslash, a control character or one of
 * several bytes. Eight at a time; of the bytes that seem to be one, the lowest is. */
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t hit =
            (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w) | w) & high;
        if (hit)
            return p + __builtin_ctzll(hit) / 8;
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "skip_plain counts from the lowest byte");

static bool string(struct scan *s)
{
    if (!take(s, '"'))
        return fail(s, "a string was expected");
    const uint8_t *from = s->p;
    bool wide = false;
    while ((s->p = skip_plain(s->p, s->end)) < s->end && *s->p != '"') {
        uint8_t c = *s->p++;
        if (c < 0x20)
            return fail(s, "control character in a string");
        wide = wide || c >= 0x80;
        if (c != '\\')
            continue;
        if (s->p == s->end)
            return fail(s, "string without an end");
        c = *s->p++;
        if (c == 'u') {
            if (escape_u(s->p, s->end, &s->p) == UINT32_MAX)
                return fail(s, "malformed \\u escape or lone surrogate");
        } else if (!strchr("\"\\/bfnrt", c) || c == 0) {
            return fail(s, "unknown escape");
        }
    }
    if (s->p == s->end)
        return fail(s, "string without an end");
    if (wide && !utf8_valid(slice_of(from, (size_t)(s->p - from))))
        return fail(s, "string is not UTF-8");
    s->p++;
    return true;
}

static bool value(struct scan *s, int depth);

/* The names of one object. Their hashes are compared, not the names, which may hold escapes: an object of
 * many names would otherwise cost a server more than it costs whoever sends it. */
struct names {
    size_t n;
    uint64_t hash[JSON_MEMBERS_MAX];
    struct slice raw[JSON_MEMBERS_MAX];
};

static uint64_t name_hash(struct slice raw)
{
    struct buf decoded;
    buf_init_secret(&decoded, raw.n);
    bool plain = !memchr(raw.p, '\\', raw.n);
    if (!plain)
        json_string_decode(raw, &decoded);
    struct slice name = plain ? slice_of(raw.p + 1, raw.n - 2) : buf_slice(&decoded);
    uint64_t h = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ name.p[i]) * 0x100000001b3;
    buf_release(&decoded);
    return h;
}

static bool same_name(struct slice a, struct slice b);

static bool add_name(struct scan *s, struct names *names, struct slice raw)
{
    const char *why = names->n == JSON_MEMBERS_MAX ? "too many members in one object" : NULL;
    uint64_t h = name_hash(raw);
    for (size_t i = 0; i < names->n && !why; i++)
        if (names->hash[i] == h && same_name(names->raw[i], raw))
            why = "duplicate name";
    if (why) {
        s->p = raw.p;
        return fail(s, why);
    }
    names->hash[names->n] = h;
    names->raw[names->n++] = raw;
    return true;
}

static bool member_name(struct scan *s, struct names *names)
{
    const uint8_t *from = s->p;
    if (!string(s) || (names && !add_name(s, names, slice_of(from, (size_t)(s->p - from)))))
        return false;
    space(s);
    if (!take(s, ':'))
        return fail(s, "':' was expected");
    space(s);
    return true;
}

static bool members(struct scan *s, int depth, bool object, struct names *names)
{
    uint8_t close = object ? '}' : ']';
    for (;;) {
        space(s);
        if ((object && !member_name(s, names)) || !value(s, depth + 1))
            return false;
        space(s);
        if (take(s, close))
            return true;
        if (!take(s, ','))
            return fail(s, object ? "',' or '}' was expected" : "',' or ']' was expected");
    }
}

static bool unique_members(struct scan *s, int depth)
{
    struct names names; /* 12 KB a level of objects, at most JSON_DEPTH_MAX levels */
    names.n = 0;
    return members(s, depth, true, &names);
}

static bool container(struct scan *s, int depth, bool object)
{
    if (depth >= JSON_DEPTH_MAX)
        return fail(s, "nested too deeply");
    s->p++;
    space(s);
    if (take(s, object ? '}' : ']'))
        return true;
    return object && s->unique ? unique_members(s, depth) : members(s, depth, object, NULL);
}

static bool value(struct scan *s, int depth)
{
    if (s->p == s->end)
        return fail(s, "a value was expected");
    switch (*s->p) {
    case '{':
        return container(s, depth, true);
    case '[':
        return container(s, depth, false);
    case '"':
        return string(s);
    case 't':
        return literal(s, "true");
    case 'f':
        return literal(s, "false");
    case 'n':
        return literal(s, "null");
    default:
        return number(s);
    }
}

static enum json_type type_of(uint8_t c)
{
    return c == '{'               ? JSON_OBJECT
           : c == '['             ? JSON_ARRAY
           : c == '"'             ? JSON_STRING
           : c == 't' || c == 'f' ? JSON_BOOL
           : c == 'n'             ? JSON_NULL
                                  : JSON_NUMBER;
}

enum bourn_err json_check(struct slice text, struct json_value *out)
{
    struct scan s = {.p = text.p, .end = text.p + text.n, .start = text.p, .unique = true};
    space(&s);
    const uint8_t *from = s.p;
    if (value(&s, 0)) {
        *out = (struct json_value){type_of(*from), slice_of(from, (size_t)(s.p - from))};
        space(&s);
        if (s.p < s.end)
            fail(&s, "bytes after the value");
    }
    if (s.why)
        return err_set(BOURN_E_FORMAT, "JSON: %s at byte %zu", s.why, (size_t)(s.p - s.start));
    return BOURN_OK;
}

bool json_next(struct json_value c, size_t *at, struct json_member *out)
{
    struct scan s = {.p = c.raw.p + (*at ? *at : 1), .end = c.raw.p + c.raw.n, .start = c.raw.p};
    *out = (struct json_member){0};
    space(&s);
    if (*at)
        take(&s, ',');
    space(&s);
    if (s.p >= s.end - 1)
        return false;
    if (c.type == JSON_OBJECT) {
        const uint8_t *from = s.p;
        if (!string(&s))
            return false;
        out->name = slice_of(from, (size_t)(s.p - from));
        space(&s);
        take(&s, ':');
        space(&s);
    }
    const uint8_t *from = s.p;
    if (!value(&s, 1))
        return false;
    out->value = (struct json_value){type_of(*from), slice_of(from, (size_t)(s.p - from))};
    *at = (size_t)(s.p - s.start);
    return true;
}

static void put_utf8(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_put_u8(b, (uint8_t)c);
    } else if (c < 0x800) {
        buf_put_u8(b, (uint8_t)(0xc0 | c >> 6));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_put_u8(b, (uint8_t)(0xe0 | c >> 12));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
    } else {
        buf_put_u8(b, (uint8_t)(0xf0 | c >> 18));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 12 & 63)));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
    }
}

void json_string_decode(struct slice raw, struct buf *out)
{
    const uint8_t *p = raw.p + 1, *end = raw.p + raw.n - 1;
    while (p < end) {
        const uint8_t *stop = memchr(p, '\\', (size_t)(end - p));
        buf_put(out, p, (size_t)((stop ? stop : end) - p));
        if (!stop)
            return;
        p = stop + 2;
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *at = strchr(from, stop[1]);
        if (stop[1] == 'u')
            put_utf8(out, escape_u(p, end, &p));
        else
            buf_put_u8(out, at ? (uint8_t)to[at - from] : stop[1]);
    }
}

bool json_string_is(struct slice raw, struct slice s)
{
    if (!memchr(raw.p, '\\', raw.n))
        return slice_eq(slice_of(raw.p + 1, raw.n - 2), s);
    struct buf b;
    buf_init_secret(&b, raw.n);
    json_string_decode(raw, &b);
    bool same = slice_eq(buf_slice(&b), s);
    buf_release(&b);
    return same;
}

bool json_find(struct json_value object, const char *name, struct json_value *out)
{
    size_t at = 0;
    struct json_member m;
    while (object.type == JSON_OBJECT && json_next(object, &at, &m))
        if (json_string_is(m.name, slice_str(name))) {
            *out = m.value;
            return true;
        }
    return false;
}

static bool same_name(struct slice a, struct slice b)
{
    if (slice_eq(a, b))
        return true;
    if (!memchr(a.p, '\\', a.n) && !memchr(b.p, '\\', b.n))
        return false;
    struct buf decoded;
    buf_init_secret(&decoded, b.n);
    json_string_decode(b, &decoded);
    bool same = json_string_is(a, buf_slice(&decoded));
    buf_release(&decoded);
    return same;
}

void json_put_string(struct buf *b, struct slice s)
{
    const uint8_t *p = s.p, *end = s.n ? s.p + s.n : s.p;
    buf_put_u8(b, '"');
    while (p < end) {
        const uint8_t *stop = skip_plain(p, end);
        while (stop < end && *stop >= 0x80)
            stop = skip_plain(stop + 1, end);
        buf_put(b, p, (size_t)(stop - p));
        p = stop;
        if (p == end)
            break;
        uint8_t c = *p++;
        static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
        const char *at = c ? strchr(from, c) : NULL;
        if (at) {
            buf_put_u8(b, '\\');
            buf_put_u8(b, (uint8_t)to[at - from]);
        } else {
            buf_printf(b, "\\u%04x", c);
        }
    }
    buf_put_u8(b, '"');
}
