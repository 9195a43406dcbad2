/* Proofs from the files alone, beside the thread that writes them: for sizes that were flushed. */
#include "ledger/ledger.h"
#include "ledger/tiles.h"

struct reading {
    struct io_dir *cell;
    uint64_t size;
};

static enum bourn_err read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    const struct reading *r = ctx;
    struct merkle_hash hashes[MERKLE_TILE_WIDTH / 2];
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    unsigned level = height / 8, count = 1u << height % 8;
    uint64_t first = index << height % 8;
    struct merkle_tile t = {MERKLE_TILE_HASHES, level, first / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    if (t.n == merkle_tile_full(r->size, level))
        t.width = merkle_tile_partial(r->size, level);
    unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH);
    TRY(tiles_open(r->cell, &t, &f));
    TRY(io_read(f, at * sizeof hashes[0], hashes, count * sizeof hashes[0]));
    merkle_root_of(out, hashes, count);
out:
    io_close(f);
    return err == BOURN_E_NOT_FOUND ? BOURN_E_CORRUPT : err;
}

enum bourn_err ledger_prove_consistency(struct io_dir *cell, uint64_t old, uint64_t size,
                                        struct merkle_hash *proof, size_t *n)
{
    struct reading r = {cell, size};
    return merkle_prove_consistency(old, size, read_node, &r, proof, n);
}
