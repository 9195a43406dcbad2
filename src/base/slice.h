/* A borrowed run of bytes: pointer and length, never owned, not terminated. */
#ifndef BOURN_BASE_SLICE_H
#define BOURN_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p; /* may be NULL when n is 0 */
    size_t n;         /* bytes */
};

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const uint8_t *)p, n};
}
static inline struct slice slice_str(const char *s)
{
    return slice_of(s, strlen(s));
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool slice_is(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}
/* Lexicographic by bytes, a proper prefix first: <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}
/* For printf: "%.*s", SLICE_ARG(s). Only for bytes known to be printable. */
#define SLICE_ARG(s) (int)(s).n, (const char *)(s).p

#endif
