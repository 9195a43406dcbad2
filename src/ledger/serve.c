/* Reading the files beside the thread that writes them. Nothing here depends on its memory. */
#include "cbor/entry.h"
#include "ledger/ledger.h"
#include "ledger/tiles.h"

enum bourn_err ledger_read(struct io_dir *cell, uint64_t index, uint64_t flushed_size, struct buf *entry,
                           struct buf *rows)
{
    struct io_file *f = NULL, *g = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    if (index >= flushed_size)
        return err_set(BOURN_E_NOT_FOUND, "entry %llu is not in the ledger's files yet",
                       (unsigned long long)index);
    struct merkle_tile t = {MERKLE_TILE_ENTRIES, 0, index / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    if (t.n == flushed_size / MERKLE_TILE_WIDTH)
        t.width = (unsigned)(flushed_size % MERKLE_TILE_WIDTH);
    unsigned at = (unsigned)(index % MERKLE_TILE_WIDTH);
    TRY(tiles_open(cell, &t, &f));
    TRY(tiles_item(f, &t, at, entry));
    t.kind = MERKLE_TILE_ROWS;
    TRY(tiles_open(cell, &t, &g));
    TRY(tiles_item(g, &t, at, rows));
out:
    io_close(f);
    io_close(g);
    return err == BOURN_E_NOT_FOUND ? err_set(BOURN_E_CORRUPT, "the bundle or rows of entry %llu are missing",
                                              (unsigned long long)index)
                                    : err;
}

enum bourn_err ledger_bundle(struct io_dir *cell, uint64_t n, uint64_t flushed_size, struct buf *out)
{
    struct merkle_tile t = {MERKLE_TILE_ENTRIES, 0, n, MERKLE_TILE_WIDTH};
    if (n == flushed_size / MERKLE_TILE_WIDTH)
        t.width = (unsigned)(flushed_size % MERKLE_TILE_WIDTH);
    if (n > flushed_size / MERKLE_TILE_WIDTH || !t.width)
        return err_set(BOURN_E_NOT_FOUND, "bundle %llu is not in the ledger's files yet",
                       (unsigned long long)n);
    enum bourn_err err = tiles_read(cell, &t, out);
    return err == BOURN_E_NOT_FOUND
               ? err_set(BOURN_E_CORRUPT, "bundle %llu is missing", (unsigned long long)n)
               : err;
}

static enum bourn_err no_such_path(void)
{
    return err_set(BOURN_E_NOT_FOUND, "the ledger has no such path");
}

static enum bourn_err parse(struct slice path, bool rows, struct merkle_tile *t)
{
    static const char prefix[] = "tile/";
    size_t n = strlen(prefix);
    if (path.n < n || memcmp(path.p, prefix, n) != 0 ||
        !merkle_tile_parse(slice_of(path.p + n, path.n - n), t) || (t->kind == MERKLE_TILE_ROWS) != rows)
        return no_such_path();
    return BOURN_OK;
}

static enum bourn_err read_tile(struct io_dir *cell, struct slice path, bool rows, struct buf *out)
{
    struct merkle_tile t;
    enum bourn_err err = parse(path, rows, &t);
    return err ? err : tiles_read(cell, &t, out);
}

enum bourn_err ledger_file(struct io_dir *cell, struct slice path, struct buf *out)
{
    if (slice_is(path, "checkpoint"))
        return io_read_all(cell, "ledger/checkpoint", out);
    return read_tile(cell, path, false, out);
}

enum bourn_err ledger_rows_file(struct io_dir *cell, struct slice path, struct buf *out)
{
    return read_tile(cell, path, true, out);
}

enum bourn_err ledger_rows_part(struct io_dir *cell, struct slice path, uint64_t from, size_t most,
                                struct buf *out, uint64_t *total)
{
    struct merkle_tile t;
    enum bourn_err err = parse(path, true, &t);
    return err ? err : tiles_part(cell, &t, from, most, out, total);
}

enum bourn_err ledger_rows_root(struct slice rows, uint8_t root[32], uint64_t *count)
{
    struct merkle_edge e;
    struct merkle_hash leaf;
    struct slice row;
    size_t at = 0;
    merkle_edge_init(&e);
    while (rows_next(rows, &at, &row)) {
        merkle_leaf(&leaf, row);
        merkle_edge_append(&e, &leaf);
    }
    if (at != rows.n)
        return err_set(BOURN_E_FORMAT, "row %llu of an entry is cut off", (unsigned long long)e.size);
    merkle_edge_root(&e, &leaf);
    memcpy(root, leaf.b, 32);
    *count = e.size;
    return BOURN_OK;
}
