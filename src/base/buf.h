/* A growing byte buffer with a hard cap that is set when it is made. Going over the cap, or out of memory,
 * makes the buffer `failed`: later puts do nothing, and buf_check() says so. So a writer can put freely and
 * check once at the end. */
#ifndef BOURN_BASE_BUF_H
#define BOURN_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

#include <endian.h>

struct buf {
    uint8_t *p;
    size_t n;    /* bytes used */
    size_t size; /* bytes allocated, at most cap */
    size_t cap;  /* hard limit, bytes */
    bool failed; /* a put did not fit */
    bool wipe;   /* contents are secret: zeroed before memory is given back or moved */
};

void buf_init(struct buf *b, size_t cap);
/* The same for secrets: memory is zeroed whenever it is released or moved. */
void buf_init_secret(struct buf *b, size_t cap);
void buf_release(struct buf *b); /* idempotent; the buffer can be used again with the same cap */
void buf_clear(struct buf *b);   /* length 0, memory kept; zeroes secrets; forgets a failure */
/* The same, but more memory than `keep` bytes is given back: for one of many that are seldom large. */
void buf_clear_keep(struct buf *b, size_t keep);

/* Room for n more bytes at b->p + b->n, or NULL (and failed). Does not change b->n. */
uint8_t *buf_reserve(struct buf *b, size_t n);
/* Most puts are of a few bytes into memory that is there. */
static inline void buf_put(struct buf *b, const void *p, size_t n)
{
    if (!n)
        return;
    uint8_t *to = !b->failed && b->size - b->n >= n ? b->p + b->n : buf_reserve(b, n);
    if (to) {
        memcpy(to, p, n);
        b->n += n;
    }
}
static inline void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.n);
}
static inline void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}
static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}
void buf_put_decimal(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p, b->n);
}
/* BOURN_OK, or BOURN_E_LIMIT / BOURN_E_MEMORY if any put failed. */
enum bourn_err buf_check(const struct buf *b) BOURN_MUST_USE;

/* Big-endian, 0..8 bytes; the caller has checked the length. Four and eight of them are one load or store
 * where the compiler sees the number. */
static inline uint64_t be_get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    uint32_t word;
    if (__builtin_constant_p(bytes) && bytes == 8)
        return be64toh(*(uint64_t *)memcpy(&v, p, 8));
    if (__builtin_constant_p(bytes) && bytes == 4)
        return be32toh(*(uint32_t *)memcpy(&word, p, 4));
    while (bytes--)
        v = v << 8 | *p++;
    return v;
}
static inline void be_put(uint8_t *p, uint64_t v, unsigned bytes)
{
    uint64_t whole = htobe64(v);
    if (__builtin_constant_p(bytes) && bytes == 8) {
        memcpy(p, &whole, 8);
        return;
    }
    for (unsigned i = bytes; i-- > 0; v >>= 8)
        p[i] = (uint8_t)v;
}
static inline void buf_put_be(struct buf *b, uint64_t v, unsigned bytes)
{
    uint8_t tmp[8];
    be_put(tmp, v, bytes);
    buf_put(b, tmp, bytes);
}

#endif
