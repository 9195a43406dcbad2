/* Proofs from the files alone, beside the thread that writes them: nothing here depends on its memory. */
#include "ledger/ledger.h"
#include "ledger/tiles.h"

struct tree {
    struct io_dir *cell;
    uint64_t size;
};

/* A merkle_read over the tiles of a tree of this size. A complete subtree never changes, so any file that is
 * wide enough tells it. */
static enum bourn_err read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    const struct tree *tree = ctx;
    unsigned level = height / 8, count = 1u << height % 8;
    uint64_t first = index << height % 8;
    struct merkle_tile t = {MERKLE_TILE_HASHES, level, first / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH);
    struct merkle_hash hashes[MERKLE_TILE_WIDTH / 2];
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    if (t.n >= merkle_tile_full(tree->size, level))
        t.width = merkle_tile_partial(tree->size, level);
    if (at + count > t.width)
        return err_set(BOURN_E_NOT_FOUND, "a node beyond the tree of %llu entries",
                       (unsigned long long)tree->size);
    TRY(tiles_open(tree->cell, &t, &f));
    TRY(io_read(f, at * sizeof hashes[0], hashes, count * sizeof hashes[0]));
    merkle_root_of(out, hashes, count);
out:
    io_close(f);
    return err == BOURN_E_NOT_FOUND ? BOURN_E_CORRUPT : err;
}

enum bourn_err ledger_prove(struct io_dir *cell, uint64_t index, uint64_t size, struct merkle_hash *proof,
                            size_t *n)
{
    struct tree tree = {cell, size};
    return merkle_prove_inclusion(index, size, read_node, &tree, proof, n);
}
