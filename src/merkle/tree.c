#include "crypto/crypto.h"
#include "merkle/merkle.h"

void merkle_leaf(struct merkle_hash *out, struct slice data)
{
    crypto_sha256_prefixed(out->b, 0x00, data);
}

enum { AT_ONCE = 128 }; /* half a tile */

void merkle_leaves(const struct slice *data, struct merkle_hash *const *out, size_t n)
{
    uint8_t *to[AT_ONCE];
    for (size_t at = 0, now; at < n; at += now) {
        now = n - at < AT_ONCE ? n - at : AT_ONCE;
        for (size_t i = 0; i < now; i++)
            to[i] = out[at + i]->b;
        crypto_sha256_prefixed_all(to, 0x00, data + at, now);
    }
}

void merkle_node(struct merkle_hash *out, const struct merkle_hash *left, const struct merkle_hash *right)
{
    crypto_sha256_pair(out->b, 0x01, left->b, right->b);
}

void merkle_empty(struct merkle_hash *out)
{
    crypto_sha256(out->b, NULL, 0);
}

void merkle_nodes(struct merkle_hash *out, const struct merkle_hash *in, size_t n)
{
    crypto_sha256_pairs((uint8_t *)out, 0x01, (const uint8_t *)in, n);
}

void merkle_root_of(struct merkle_hash *out, const struct merkle_hash *leaves, size_t n)
{
    struct merkle_hash level[AT_ONCE];
    if (n >= 2 && n <= 2 * AT_ONCE && !(n & (n - 1))) { /* a whole tile, or a whole part of one */
        merkle_nodes(level, leaves, n / 2);
        while (n /= 2, n > 1)
            merkle_nodes(level, level, n / 2);
        *out = level[0];
        return;
    }
    struct merkle_edge e;
    merkle_edge_init(&e);
    for (size_t i = 0; i < n; i++)
        merkle_edge_append(&e, &leaves[i]);
    merkle_edge_root(&e, out);
}

void merkle_edge_init(struct merkle_edge *e)
{
    e->size = 0;
}

void merkle_edge_append(struct merkle_edge *e, const struct merkle_hash *leaf)
{
    struct merkle_hash hash = *leaf;
    unsigned h = 0;
    bourn_assert(e->size < (uint64_t)1 << 63);
    for (; e->size >> h & 1; h++)
        merkle_node(&hash, &e->node[h], &hash);
    e->node[h] = hash;
    e->size++;
}

void merkle_edge_root(const struct merkle_edge *e, struct merkle_hash *out)
{
    if (e->size == 0) {
        merkle_empty(out);
        return;
    }
    uint64_t left = e->size;
    *out = e->node[__builtin_ctzll(left)];
    while (left &= left - 1)
        merkle_node(out, &e->node[__builtin_ctzll(left)], out);
}
