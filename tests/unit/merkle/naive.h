/* RFC 6962 section 2.1 word for word: recursive, slow, and written without a look at src/merkle. */
#ifndef BOURN_TESTS_NAIVE_H
#define BOURN_TESTS_NAIVE_H

#include <stdio.h>

#include "crypto/crypto.h"
#include "merkle/merkle.h"

static inline void naive_entry(struct merkle_hash *out, uint64_t i)
{
    char text[32];
    int n = snprintf(text + 1, sizeof text - 1, "event %llu", (unsigned long long)i);
    text[0] = 0;
    crypto_sha256_1(out->b, slice_of(text, (size_t)n + 1));
}

static inline size_t naive_k(size_t n)
{
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

/* MTH(D[n]) over leaf hashes. */
static inline void naive_root(struct merkle_hash *out, const struct merkle_hash *d, size_t n)
{
    if (n == 0) {
        crypto_sha256_1(out->b, slice_of(NULL, 0));
    } else if (n == 1) {
        *out = d[0];
    } else {
        struct merkle_hash l, r;
        size_t k = naive_k(n);
        naive_root(&l, d, k);
        naive_root(&r, d + k, n - k);
        const struct slice parts[] = {slice_of("\x01", 1), slice_of(l.b, 32), slice_of(r.b, 32)};
        crypto_sha256(out->b, parts, 3);
    }
}

/* PATH(m, D[n]) */
static inline size_t naive_path(struct merkle_hash *out, size_t m, const struct merkle_hash *d, size_t n)
{
    if (n <= 1)
        return 0;
    size_t k = naive_k(n), len;
    if (m < k) {
        len = naive_path(out, m, d, k);
        naive_root(&out[len], d + k, n - k);
    } else {
        len = naive_path(out, m - k, d + k, n - k);
        naive_root(&out[len], d, k);
    }
    return len + 1;
}

/* SUBPROOF(m, D[n], b) */
static inline size_t naive_subproof(struct merkle_hash *out, size_t m, const struct merkle_hash *d, size_t n,
                                    bool b)
{
    if (m == n) {
        if (!b)
            naive_root(&out[0], d, n);
        return b ? 0 : 1;
    }
    size_t k = naive_k(n), len;
    if (m <= k) {
        len = naive_subproof(out, m, d, k, b);
        naive_root(&out[len], d + k, n - k);
    } else {
        len = naive_subproof(out, m - k, d + k, n - k, false);
        naive_root(&out[len], d, k);
    }
    return len + 1;
}

#endif
