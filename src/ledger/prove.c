/* Proofs from the files alone, beside the thread that writes them: nothing here depends on its memory. Proofs
 * of entries that lie close together share most of their hashes and all of their tiles, so both are kept. */
#include "ledger/ledger.h"
#include "ledger/tiles.h"

#include <stdlib.h>

enum { LEVELS = 8, HEIGHTS = 64 };

struct ledger_prover {
    struct io_dir *cell;
    uint64_t size;
    struct {
        struct io_file *file;
        uint64_t n; /* of the tile that it holds */
    } tile[LEVELS];
    struct {
        bool known;
        uint64_t index;
        struct merkle_hash hash;
    } node[HEIGHTS]; /* the last one of each height */
};

enum bourn_err ledger_prover_new(struct io_dir *cell, uint64_t size, struct ledger_prover **out)
{
    struct ledger_prover *p = *out = calloc(1, sizeof *p);
    if (!p)
        return err_set(BOURN_E_MEMORY, "out of memory for a proof");
    p->cell = cell;
    p->size = size;
    return BOURN_OK;
}

void ledger_prover_free(struct ledger_prover *p)
{
    for (unsigned i = 0; p && i < LEVELS; i++)
        io_close(p->tile[i].file);
    free(p);
}

/* The file of tile n of a level, opened once. */
static enum bourn_err open_tile(struct ledger_prover *p, const struct merkle_tile *t, struct io_file **out)
{
    enum bourn_err err = BOURN_OK;
    if (p->tile[t->level].file && p->tile[t->level].n != t->n) {
        io_close(p->tile[t->level].file);
        p->tile[t->level].file = NULL;
    }
    if (!p->tile[t->level].file)
        err = tiles_open(p->cell, t, &p->tile[t->level].file);
    p->tile[t->level].n = t->n;
    *out = p->tile[t->level].file;
    return err;
}

/* A merkle_read over the tiles of a tree of this size. A complete subtree never changes, so any file that is
 * wide enough tells it. */
static enum bourn_err read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    struct ledger_prover *p = ctx;
    unsigned level = height / 8, count = 1u << height % 8;
    uint64_t first = index << height % 8;
    struct merkle_tile t = {MERKLE_TILE_HASHES, level, first / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH);
    struct merkle_hash hashes[MERKLE_TILE_WIDTH / 2];
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    bourn_assert(level < LEVELS);
    if (p->node[height].known && p->node[height].index == index) {
        *out = p->node[height].hash;
        return BOURN_OK;
    }
    if (t.n >= merkle_tile_full(p->size, level))
        t.width = merkle_tile_partial(p->size, level);
    if (at + count > t.width)
        return err_set(BOURN_E_NOT_FOUND, "a node beyond the tree of %llu entries",
                       (unsigned long long)p->size);
    TRY(open_tile(p, &t, &f));
    TRY(io_read(f, at * sizeof hashes[0], hashes, count * sizeof hashes[0]));
    merkle_root_of(out, hashes, count);
    p->node[height].known = true;
    p->node[height].index = index;
    p->node[height].hash = *out;
out:
    return err == BOURN_E_NOT_FOUND ? BOURN_E_CORRUPT : err;
}

enum bourn_err ledger_prove(struct ledger_prover *p, uint64_t index, struct merkle_hash *proof, size_t *n)
{
    return merkle_prove_inclusion(index, p->size, read_node, p, proof, n);
}

enum bourn_err ledger_prove_consistency(struct io_dir *cell, uint64_t old, uint64_t size,
                                        struct merkle_hash *proof, size_t *n)
{
    struct ledger_prover *p;
    enum bourn_err err = ledger_prover_new(cell, size, &p);
    if (err == BOURN_OK)
        err = merkle_prove_consistency(old, size, read_node, p, proof, n);
    ledger_prover_free(p);
    return err;
}
