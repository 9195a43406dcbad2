/* The reader's innermost steps, inline: they run a dozen times an entry. Internal to cbor. */
#ifndef BOURN_CBOR_READ_H
#define BOURN_CBOR_READ_H

#include "base/text.h"
#include "cbor/cbor.h"

/* Major types and simple values of RFC 8949 section 3. */
enum { CBOR_UINT = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5 };
enum { CBOR_FALSE = 0xf4, CBOR_TRUE = 0xf5, CBOR_NULL = 0xf6 };

/* Whatever is not an argument below 24 or in one byte more, or is wrong. */
uint64_t cbor_long_head(struct cbor *c, unsigned major);

/* The argument of the next item, which must be of this major type. Stays put on failure, so that the offset
 * in the error is that of the item. */
static inline uint64_t cbor_head(struct cbor *c, unsigned major)
{
    if (!c->why && c->p < c->end) {
        unsigned v = *c->p - (major << 5);
        if (v < 24) {
            c->p++;
            return v;
        }
        if (v == 24 && c->end - c->p > 1 && c->p[1] >= 24) {
            c->p += 2;
            return c->p[-1];
        }
    }
    return cbor_long_head(c, major);
}

static inline struct slice cbor_string(struct cbor *c, unsigned major)
{
    uint64_t n = cbor_head(c, major);
    if (n > (uint64_t)(c->end - c->p))
        cbor_fail(c, "a string longer than what is left");
    if (c->why)
        return (struct slice){0};
    struct slice s = slice_of(c->p, (size_t)n);
    c->p += n;
    return s;
}

static inline bool cbor_take_null(struct cbor *c)
{
    bool yes = !c->why && c->p < c->end && *c->p == CBOR_NULL;
    c->p += yes;
    return yes;
}

#endif
