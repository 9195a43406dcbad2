#include "cbor/entry.h"
#include "ledger/internal.h"

#include <stdio.h>

static enum bourn_err corrupt(const struct merkle_tile *t, const char *why)
{
    char path[TILES_PATH_BYTES_MAX];
    tiles_path(t, path);
    return err_set(BOURN_E_CORRUPT, "%s %s; restore the ledger from a copy", path, why);
}

static enum bourn_err read_or_corrupt(struct ledger *l, const struct merkle_tile *t, struct buf *out)
{
    enum bourn_err err = tiles_read(l->cell, t, out);
    return err == BOURN_E_NOT_FOUND ? corrupt(t, "is missing, and no wider file holds its bytes") : err;
}

static bool is_on_disk(struct ledger *l, const struct merkle_tile *t)
{
    char path[TILES_PATH_BYTES_MAX];
    struct io_file *f = NULL;
    tiles_path(t, path);
    bool found = io_open(l->cell, path, IO_READ, &f) == BOURN_OK;
    io_close(f);
    return found;
}

static enum bourn_err load_tile(struct ledger *l, unsigned level)
{
    struct buf b;
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_tile t = {MERKLE_TILE_HASHES, level, merkle_tile_full(l->size, level),
                            merkle_tile_partial(l->size, level)};
    if (t.width == 0)
        return BOURN_OK;
    buf_init(&b, sizeof l->tile[level]);
    TRY(read_or_corrupt(l, &t, &b));
    memcpy(l->tile[level], b.p, b.n);
    l->width[level] = t.width;
    l->written[level] = is_on_disk(l, &t) ? t.width : 0;
out:
    buf_release(&b);
    return err;
}

static enum bourn_err load_bundle(struct ledger *l)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_tile entries = {MERKLE_TILE_ENTRIES, 0, merkle_tile_full(l->size, 0),
                                  merkle_tile_partial(l->size, 0)};
    struct merkle_tile rows = entries;
    rows.kind = MERKLE_TILE_ROWS;
    if (entries.width == 0)
        return BOURN_OK;
    TRY(read_or_corrupt(l, &entries, &l->bundle));
    TRY(read_or_corrupt(l, &rows, &l->group));
    l->open = entries.width;
    l->open_written = is_on_disk(l, &entries) && is_on_disk(l, &rows) ? l->open : 0;
out:
    return err;
}

/* The last bundle, full or not: its rows are there, and its entries have the hashes of the tile. */
static enum bourn_err check_bundle(struct ledger *l)
{
    struct buf b;
    struct slice entry;
    size_t at = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t first = (l->size - 1) / MERKLE_TILE_WIDTH * MERKLE_TILE_WIDTH;
    struct merkle_tile t = {MERKLE_TILE_ENTRIES, 0, first / MERKLE_TILE_WIDTH, (unsigned)(l->size - first)};
    struct merkle_tile rows = t;
    struct io_file *f = NULL;
    buf_init(&b, TILES_BUNDLE_BYTES_MAX);
    rows.kind = MERKLE_TILE_ROWS;
    if (tiles_open(l->cell, &rows, &f) != BOURN_OK)
        TRY(corrupt(&rows, "is missing"));
    TRY(read_or_corrupt(l, &t, &b));
    for (uint64_t i = first; i < l->size; i++) {
        struct merkle_hash leaf, node;
        if (!bundle_next(buf_slice(&b), &at, &entry))
            TRY(corrupt(&t, "is shorter than it was written"));
        merkle_leaf(&leaf, entry);
        TRY(ledger_read_node(l, 0, i, &node));
        if (memcmp(leaf.b, node.b, sizeof leaf.b) != 0)
            TRY(corrupt(&t, "does not fit its tile of hashes"));
    }
out:
    io_close(f);
    buf_release(&b);
    return err;
}

/* The last full tile of each level hashes to what stands for it one level above. */
static enum bourn_err check_tiles(struct ledger *l)
{
    struct buf b;
    enum bourn_err err = BOURN_OK;
    buf_init(&b, sizeof l->tile[0]);
    for (unsigned level = 0; level < LEDGER_LEVELS && merkle_tile_full(l->size, level) > 0; level++) {
        struct merkle_hash root, above;
        uint64_t last = merkle_tile_full(l->size, level) - 1;
        struct merkle_tile t = {MERKLE_TILE_HASHES, level, last, MERKLE_TILE_WIDTH};
        buf_clear(&b);
        TRY(read_or_corrupt(l, &t, &b));
        merkle_root_of(&root, (const struct merkle_hash *)b.p, MERKLE_TILE_WIDTH);
        TRY(ledger_read_node(l, 8 * (level + 1), last, &above));
        if (memcmp(root.b, above.b, sizeof root.b) != 0)
            TRY(corrupt(&t, "does not fit the tile above it"));
    }
out:
    buf_release(&b);
    return err;
}

enum bourn_err ledger_load(struct ledger *l)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    if (l->size >> 63)
        return err_set(BOURN_E_CORRUPT, "the mark of the ledger's files is not a size");
    for (unsigned level = 0; level < LEDGER_LEVELS; level++)
        TRY(load_tile(l, level));
    TRY(load_bundle(l));
    if (l->size > 0)
        TRY(check_bundle(l));
    TRY(check_tiles(l));
    l->flushed = l->size;
out:
    return err;
}
