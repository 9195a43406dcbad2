/* A tree that is all in memory: each complete subtree is hashed once, however many proofs are made. */
#include "merkle/merkle.h"

#include <stdlib.h>

enum bourn_err merkle_leaves_init(struct merkle_leaves *l, size_t n)
{
    l->n = n;
    l->node = calloc(2 * n + 1, sizeof *l->node); /* n + n/2 + n/4 + … */
    return l->node ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory for a tree of %zu leaves", n);
}

void merkle_leaves_release(struct merkle_leaves *l)
{
    free(l->node);
    *l = (struct merkle_leaves){0};
}

void merkle_leaves_grow(struct merkle_leaves *l)
{
    struct merkle_hash *below = l->node;
    for (size_t n = l->n; n > 1; n /= 2) {
        struct merkle_hash *here = below + n;
        merkle_nodes(here, below, n / 2);
        below = here;
    }
}

static enum bourn_err read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    const struct merkle_leaves *l = ctx;
    const struct merkle_hash *level = l->node;
    for (unsigned h = 0; h < height; h++)
        level += l->n >> h;
    bourn_assert(index < l->n >> height);
    *out = level[index];
    return BOURN_OK;
}

enum bourn_err merkle_leaves_prove(struct merkle_leaves *l, size_t index, struct merkle_hash *proof,
                                   size_t *n)
{
    return merkle_prove_inclusion(index, l->n, read_node, l, proof, n);
}
