/* Proofs walk down from the root, where each step leaves one side behind: its root is one hash of the proof.
 * A side is the range of leaves [lo, hi), and is read as the complete subtrees that it is made of. */
#include "merkle/merkle.h"

#include "base/text.h"

static enum bourn_err range_root(uint64_t lo, uint64_t hi, merkle_read read, void *ctx,
                                 struct merkle_hash *out)
{
    struct merkle_hash part[64];
    size_t n = 0;
    uint64_t width = hi - lo;
    for (unsigned h = 64; h-- > 0;) {
        if (!(width >> h & 1))
            continue;
        enum bourn_err err = read(ctx, h, lo >> h, &part[n++]);
        if (err)
            return err;
        lo += (uint64_t)1 << h;
    }
    *out = part[--n];
    while (n > 0)
        merkle_node(out, &part[--n], out);
    return BOURN_OK;
}

/* The left side of n > 1 leaves: the greatest power of two below n. */
static uint64_t left_of(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static void reverse(struct merkle_hash *p, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct merkle_hash t = p[i];
        p[i] = p[n - 1 - i];
        p[n - 1 - i] = t;
    }
}

static enum bourn_err check_size(uint64_t size)
{
    return size >> 63 ? err_set(BOURN_E_LIMIT, "a tree has fewer than 2^63 leaves") : BOURN_OK;
}

enum bourn_err merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_read read, void *ctx,
                                      struct merkle_hash *proof, size_t *n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t lo = 0, hi = size;
    *n = 0;
    TRY(check_size(size));
    if (index >= size)
        return err_set(BOURN_E_NOT_FOUND, "entry %llu is not in the tree of %llu", (unsigned long long)index,
                       (unsigned long long)size);
    while (hi - lo > 1) {
        uint64_t mid = lo + left_of(hi - lo);
        bool left = index < mid;
        TRY(range_root(left ? mid : lo, left ? hi : mid, read, ctx, &proof[(*n)++]));
        *(left ? &hi : &lo) = mid;
    }
    reverse(proof, *n);
out:
    return err;
}

enum bourn_err merkle_prove_consistency(uint64_t old, uint64_t size, merkle_read read, void *ctx,
                                        struct merkle_hash *proof, size_t *n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t lo = 0, hi = size;
    *n = 0;
    TRY(check_size(size));
    if (old > size)
        return err_set(BOURN_E_NOT_FOUND, "no tree of %llu leaves extends one of %llu",
                       (unsigned long long)size, (unsigned long long)old);
    if (old == 0 || old == size)
        return BOURN_OK;
    while (old != hi) {
        uint64_t mid = lo + left_of(hi - lo);
        bool left = old <= mid;
        TRY(range_root(left ? mid : lo, left ? hi : mid, read, ctx, &proof[(*n)++]));
        *(left ? &hi : &lo) = mid;
    }
    if (lo != 0) /* what the verifier cannot take from the old root itself */
        TRY(range_root(lo, hi, read, ctx, &proof[(*n)++]));
    reverse(proof, *n);
out:
    return err;
}

enum bourn_err merkle_root_at(uint64_t size, merkle_read read, void *ctx, struct merkle_hash *out)
{
    enum bourn_err err = check_size(size);
    if (err)
        return err;
    if (size > 0)
        return range_root(0, size, read, ctx, out);
    merkle_empty(out);
    return BOURN_OK;
}

static bool same(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a->b, b->b, 32) == 0;
}

/* RFC 9162 section 2.1.3.2: fn is the node's place in its level, sn the place of the last node there. */
bool merkle_verify_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                             const struct merkle_hash *proof, size_t n, const struct merkle_hash *root)
{
    if (index >= size || size >> 63)
        return false;
    struct merkle_hash hash = *leaf;
    uint64_t fn = index, sn = size - 1;
    for (size_t i = 0; i < n; i++, fn >>= 1, sn >>= 1) {
        if (sn == 0)
            return false;
        if (!(fn & 1) && fn != sn) {
            merkle_node(&hash, &hash, &proof[i]);
            continue;
        }
        merkle_node(&hash, &proof[i], &hash);
        for (; !(fn & 1) && fn != 0; fn >>= 1, sn >>= 1) /* levels where the edge has no sibling */
            ;
    }
    return sn == 0 && same(&hash, root);
}

/* RFC 9162 section 2.1.4.2: both roots are rebuilt from the same hashes. */
bool merkle_verify_consistency(uint64_t old, const struct merkle_hash *old_root, uint64_t size,
                               const struct merkle_hash *root, const struct merkle_hash *proof, size_t n)
{
    struct merkle_hash empty;
    merkle_empty(&empty);
    if (old > size || size >> 63)
        return false;
    if (old == size)
        return n == 0 && same(old_root, root) && (old > 0 || same(root, &empty));
    if (old == 0)
        return n == 0 && same(old_root, &empty);
    uint64_t fn = old - 1, sn = size - 1;
    for (; fn & 1; fn >>= 1, sn >>= 1)
        ;
    size_t i = 0;
    struct merkle_hash a = *old_root; /* the old tree is one complete subtree, or its first part is sent */
    if (fn != 0) {
        if (n == 0)
            return false;
        a = proof[i++];
    }
    struct merkle_hash b = a;
    for (; i < n; i++, fn >>= 1, sn >>= 1) {
        if (sn == 0)
            return false;
        if (!(fn & 1) && fn != sn) {
            merkle_node(&b, &b, &proof[i]);
            continue;
        }
        merkle_node(&a, &proof[i], &a);
        merkle_node(&b, &proof[i], &b);
        for (; !(fn & 1) && fn != 0; fn >>= 1, sn >>= 1)
            ;
    }
    return sn == 0 && same(&a, old_root) && same(&b, root);
}

bool merkle_hash_get(struct slice base64, struct merkle_hash *out)
{
    struct buf b;
    buf_init(&b, sizeof out->b);
    bool good = base64_get(base64, &b) && b.n == sizeof out->b;
    if (good)
        memcpy(out->b, b.p, b.n);
    buf_release(&b);
    return good;
}

bool merkle_proof_get(struct json_value object, const char *name, struct merkle_hash proof[MERKLE_PROOF_MAX],
                      size_t *n)
{
    struct json_value list;
    struct json_member m;
    struct buf text;
    size_t at = 0;
    bool good = json_find(object, name, &list) && list.type == JSON_ARRAY;
    buf_init(&text, 64);
    for (*n = 0; good && json_next(list, &at, &m); ++*n) {
        buf_clear(&text);
        good = *n < MERKLE_PROOF_MAX && m.value.type == JSON_STRING;
        if (good)
            json_string_decode(m.value.raw, &text);
        good = good && !text.failed && merkle_hash_get(buf_slice(&text), &proof[*n]);
    }
    buf_release(&text);
    return good;
}
