#include "cbor/cbor.h"

#include "cbor/read.h"

enum { SKIP_DEPTH_MAX = 16 };

static void put_head(struct buf *b, unsigned major, uint64_t v)
{
    uint8_t head[9];
    unsigned more = v < 24 ? 0 : v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffff ? 4 : 8;
    unsigned info = more == 0 ? (unsigned)v : more == 1 ? 24 : more == 2 ? 25 : more == 4 ? 26 : 27;
    head[0] = (uint8_t)(major << 5 | info);
    be_put(head + 1, v, more);
    buf_put(b, head, 1 + more);
}

void cbor_put_uint(struct buf *b, uint64_t v)
{
    put_head(b, CBOR_UINT, v);
}

void cbor_put_bytes(struct buf *b, struct slice s)
{
    put_head(b, CBOR_BYTES, s.n);
    buf_put_slice(b, s);
}

void cbor_put_text(struct buf *b, struct slice s)
{
    put_head(b, CBOR_TEXT, s.n);
    buf_put_slice(b, s);
}

void cbor_put_array(struct buf *b, uint64_t n)
{
    put_head(b, CBOR_ARRAY, n);
}
void cbor_put_map(struct buf *b, uint64_t n)
{
    put_head(b, CBOR_MAP, n);
}
void cbor_put_null(struct buf *b)
{
    buf_put_u8(b, CBOR_NULL);
}
void cbor_put_bool(struct buf *b, bool v)
{
    buf_put_u8(b, v ? CBOR_TRUE : CBOR_FALSE);
}

void cbor_init(struct cbor *c, struct slice in)
{
    static const uint8_t nothing[1];
    const uint8_t *p = in.p ? in.p : nothing;
    *c = (struct cbor){.start = p, .p = p, .end = p + in.n};
}

void cbor_fail(struct cbor *c, const char *why)
{
    if (!c->why)
        c->why = why;
}

static const char *wrong_type(unsigned major)
{
    switch (major) {
    case CBOR_UINT:
        return "an unsigned integer was expected";
    case CBOR_BYTES:
        return "a byte string was expected";
    case CBOR_TEXT:
        return "a text string was expected";
    case CBOR_ARRAY:
        return "an array was expected";
    default:
        return "a map was expected";
    }
}

uint64_t cbor_long_head(struct cbor *c, unsigned major)
{
    if (c->why)
        return 0;
    if (c->p == c->end) {
        cbor_fail(c, "the bytes end too early");
        return 0;
    }
    uint8_t first = *c->p, info = first & 31;
    if (first >> 5 != major) {
        cbor_fail(c, wrong_type(major));
        return 0;
    }
    if (info < 24) {
        c->p++;
        return info;
    }
    if (info > 27) {
        cbor_fail(c, "a length that is indefinite or reserved");
        return 0;
    }
    unsigned more = 1u << (info - 24);
    if ((size_t)(c->end - c->p) < 1 + more) {
        cbor_fail(c, "the bytes end too early");
        return 0;
    }
    uint64_t v = be_get(c->p + 1, more);
    if (v < 24 || (more > 1 && v >> (4 * more) == 0)) {
        cbor_fail(c, "a number that is not in its shortest form");
        return 0;
    }
    c->p += 1 + more;
    return v;
}

uint64_t cbor_uint(struct cbor *c)
{
    return cbor_head(c, CBOR_UINT);
}

struct slice cbor_bytes(struct cbor *c)
{
    return cbor_string(c, CBOR_BYTES);
}

struct slice cbor_text(struct cbor *c)
{
    struct slice s = cbor_string(c, CBOR_TEXT);
    if (utf8_valid(s))
        return s;
    cbor_fail(c, "text that is not UTF-8");
    return (struct slice){0};
}

/* Each element takes at least `least` bytes: a count that cannot fit is refused before anything is allocated.
 */
static uint64_t count(struct cbor *c, unsigned major, uint64_t most, uint64_t least)
{
    uint64_t n = cbor_head(c, major);
    if (n > most)
        cbor_fail(c, "too many elements");
    else if (n > (uint64_t)(c->end - c->p) / least)
        cbor_fail(c, "more elements than what is left");
    return c->why ? 0 : n;
}

uint64_t cbor_array(struct cbor *c, uint64_t most)
{
    return count(c, CBOR_ARRAY, most, 1);
}
uint64_t cbor_map(struct cbor *c, uint64_t most)
{
    return count(c, CBOR_MAP, most, 2);
}

bool cbor_bool(struct cbor *c)
{
    bool good = !c->why && c->p < c->end && (*c->p == CBOR_FALSE || *c->p == CBOR_TRUE);
    if (!good) {
        cbor_fail(c, "true or false was expected");
        return false;
    }
    return *c->p++ == CBOR_TRUE;
}

bool cbor_null(struct cbor *c)
{
    return cbor_take_null(c);
}

static void skip(struct cbor *c, int depth)
{
    if (c->why)
        return;
    if (depth > SKIP_DEPTH_MAX) {
        cbor_fail(c, "nested too deeply");
        return;
    }
    uint64_t n, last = 0;
    switch (c->p < c->end ? *c->p >> 5 : CBOR_UINT) {
    case CBOR_UINT:
        cbor_uint(c);
        break;
    case CBOR_BYTES:
        cbor_bytes(c);
        break;
    case CBOR_TEXT:
        cbor_text(c);
        break;
    case CBOR_ARRAY:
        for (n = cbor_array(c, UINT64_MAX); n > 0 && !c->why; n--)
            skip(c, depth + 1);
        break;
    case CBOR_MAP:
        n = cbor_map(c, UINT64_MAX);
        for (uint64_t i = 0; i < n && !c->why; i++) {
            uint64_t key = cbor_uint(c);
            if (i > 0 && key <= last)
                cbor_fail(c, "map keys that do not ascend");
            last = key;
            skip(c, depth + 1);
        }
        break;
    case 7:
        if (!cbor_null(c))
            cbor_bool(c);
        break;
    default:
        cbor_fail(c, "a negative number or a tag");
    }
}

struct slice cbor_skip(struct cbor *c)
{
    const uint8_t *from = c->p;
    skip(c, 0);
    return c->why ? (struct slice){0} : slice_of(from, (size_t)(c->p - from));
}

enum bourn_err cbor_done(const struct cbor *c)
{
    const char *why = c->why ? c->why : c->p < c->end ? "bytes after the end" : NULL;
    if (why)
        return err_set(BOURN_E_FORMAT, "CBOR: %s at byte %zu", why, (size_t)(c->p - c->start));
    return BOURN_OK;
}
