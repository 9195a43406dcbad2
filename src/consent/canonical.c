/* Canonical JSON (RFC 8785) of what bourn signs: names sorted by UTF-16 code units, numbers integers only, so
 * that no two implementations can differ about floating point. */
#include "base/limits.h"
#include "consent/consent.h"
#include "consent/jsonc.h"
#include "crypto/crypto.h"

#include <stdlib.h>

#define INTEGER_MAX ((json_int_t)1 << 53)

json_t *jsonc_load(struct slice text)
{
    /* Seeded here, because jansson would otherwise open /dev/urandom, which a confined role cannot. */
    static _Thread_local bool seeded;
    size_t seed = 0;
    while (!seeded && seed == 0)
        crypto_random(&seed, sizeof seed);
    if (!seeded)
        json_object_seed(seed);
    seeded = true;

    json_error_t e = {.position = 0};
    json_t *v = NULL;
    if (text.n && !memchr(text.p, 0, text.n)) /* jansson overlooks a NUL behind a number */
        v = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!v) /* e.text may quote the input, so it stays out of the message */
        (void)err_set(BOURN_E_FORMAT, "JSON: malformed, or a name twice, at byte %d", e.position);
    return v;
}

/* The next code point, mapped so that plain comparison gives the order of UTF-16 code units: surrogate pairs
 * (D800..DFFF) sort before U+E000..U+FFFF. The text is valid UTF-8. */
static uint32_t next_rank(const uint8_t **p)
{
    const uint8_t *s = *p;
    unsigned more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? *s : *s & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3f);
    *p += 1 + more;
    return c >= 0xe000 && c <= 0xffff ? c + 0x110000 : c;
}

static int compare_names(const void *a, const void *b)
{
    const uint8_t *p, *q;
    memcpy(&p, a, sizeof p);
    memcpy(&q, b, sizeof q);
    while (*p && *q) {
        uint32_t x = next_rank(&p), y = next_rank(&q);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (*p != 0) - (*q != 0);
}

static enum bourn_err put(const json_t *v, struct buf *out, int depth);

static enum bourn_err put_object(const json_t *v, struct buf *out, int depth)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    size_t n = json_object_size(v), i = 0;
    const char **names = calloc(n + 1, sizeof *names);
    if (!names)
        return err_set(BOURN_E_MEMORY, "JSON: out of memory");
    json_t *object = (json_t *)(uintptr_t)v; /* iterating takes no const, and changes nothing */
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
        names[i++] = json_object_iter_key(at);
    qsort(names, n, sizeof *names, compare_names);
    buf_put_u8(out, '{');
    for (i = 0; i < n; i++) {
        if (i)
            buf_put_u8(out, ',');
        line_put_json(out, slice_str(names[i]));
        buf_put_u8(out, ':');
        TRY(put(json_object_get(v, names[i]), out, depth + 1));
    }
    buf_put_u8(out, '}');
    err = BOURN_OK;
out:
    free(names);
    return err;
}

static enum bourn_err put(const json_t *v, struct buf *out, int depth)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    json_int_t n;
    if (depth >= JSON_DEPTH_MAX && (json_is_object(v) || json_is_array(v)))
        return err_set(BOURN_E_FORMAT, "JSON: nested over %d levels", JSON_DEPTH_MAX);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return put_object(v, out, depth);
    case JSON_ARRAY:
        buf_put_u8(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i)
                buf_put_u8(out, ',');
            TRY(put(json_array_get(v, i), out, depth + 1));
        }
        buf_put_u8(out, ']');
        break;
    case JSON_STRING:
        line_put_json(out, jsonc_string(v));
        break;
    case JSON_INTEGER:
        n = json_integer_value(v);
        if (n > INTEGER_MAX || n < -INTEGER_MAX)
            return err_set(BOURN_E_FORMAT, "JSON: an integer over 2^53 has no canonical form here");
        buf_printf(out, "%" JSON_INTEGER_FORMAT, n);
        break;
    case JSON_REAL:
        return err_set(BOURN_E_FORMAT,
                       "JSON: a number with a fraction or an exponent has no canonical form here");
    case JSON_TRUE:
        buf_put_str(out, "true");
        break;
    case JSON_FALSE:
        buf_put_str(out, "false");
        break;
    case JSON_NULL:
        buf_put_str(out, "null");
        break;
    }
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err jsonc_canonical(const json_t *v, struct buf *out)
{
    enum bourn_err err = put(v, out, 0);
    return err == BOURN_OK ? buf_check(out) : err;
}

enum bourn_err consent_canonical(struct slice json, struct buf *out)
{
    json_t *v = jsonc_load(json);
    enum bourn_err err = v ? jsonc_canonical(v, out) : BOURN_E_FORMAT;
    json_decref(v);
    return err;
}
