#include "base/clock.h"
#include "ledger/internal.h"

#include <stdlib.h>

struct merkle_tile ledger_open_tile(const struct ledger *l, unsigned level)
{
    uint64_t count = l->size >> 8 * level;
    return (struct merkle_tile){.kind = MERKLE_TILE_HASHES,
                                .level = level,
                                .n = (count - l->width[level]) / MERKLE_TILE_WIDTH,
                                .width = l->width[level]};
}

struct merkle_tile ledger_open_bundle(const struct ledger *l, enum merkle_tile_kind kind)
{
    return (struct merkle_tile){.kind = kind, .n = (l->size - l->open) / MERKLE_TILE_WIDTH, .width = l->open};
}

enum bourn_err ledger_open(struct io_dir *cell, uint64_t size, struct ledger **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(BOURN_E_MEMORY, "no memory for the ledger");
    l->cell = cell;
    l->size = size;
    buf_init(&l->bundle, TILES_BUNDLE_BYTES_MAX);
    buf_init(&l->group, TILES_ROWS_BYTES_MAX);
    TRY(io_dir_make_path(cell, "ledger/tile/entries"));
    TRY(io_dir_make_path(cell, "rows"));
    TRY(ledger_load(l));
    /* A partial that had to be cut out of a wider file is written before that file may be removed: the
     * journal no longer holds what lies below the mark. */
    TRY(ledger_flush(l));
    TRY(ledger_tidy(l));
    *out = l;
    l = NULL;
out:
    ledger_close(l);
    return err;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    buf_release(&l->bundle);
    buf_release(&l->group);
    partials_release(&l->partials);
    free(l);
}

uint64_t ledger_size(const struct ledger *l)
{
    return l->size;
}

/* Writes the tiles and bundles that are full and starts new ones. Nothing changes in memory if a write fails,
 * so it can be tried again. */
static enum bourn_err seal(struct ledger *l)
{
    struct merkle_tile entries = ledger_open_bundle(l, MERKLE_TILE_ENTRIES);
    struct merkle_tile rows = ledger_open_bundle(l, MERKLE_TILE_ROWS);
    enum bourn_err err = BOURN_OK;
    if (l->open < MERKLE_TILE_WIDTH)
        return BOURN_OK;
    TRY(tiles_write(l->cell, &entries, buf_slice(&l->bundle)));
    TRY(tiles_write(l->cell, &rows, buf_slice(&l->group)));
    for (unsigned i = 0; i < LEDGER_LEVELS; i++) {
        struct merkle_tile t = ledger_open_tile(l, i);
        if (t.width == MERKLE_TILE_WIDTH)
            TRY(tiles_write(l->cell, &t, slice_of(l->tile[i], sizeof l->tile[i])));
    }
    partials_supersede(&l->partials, &entries);
    partials_supersede(&l->partials, &rows);
    for (unsigned i = 0; i < LEDGER_LEVELS; i++) {
        struct merkle_tile t = ledger_open_tile(l, i);
        if (t.width < MERKLE_TILE_WIDTH)
            continue;
        partials_supersede(&l->partials, &t);
        l->width[i] = l->written[i] = 0;
    }
    buf_clear(&l->bundle);
    buf_clear(&l->group);
    l->open = l->open_written = 0;
out:
    return err;
}

static void push(struct ledger *l, unsigned level, const struct merkle_hash *hash)
{
    struct merkle_hash above;
    bourn_assert(level < LEDGER_LEVELS && l->width[level] < MERKLE_TILE_WIDTH);
    l->tile[level][l->width[level]++] = *hash;
    if (l->width[level] < MERKLE_TILE_WIDTH || level + 1 == LEDGER_LEVELS)
        return;
    merkle_root_of(&above, l->tile[level], MERKLE_TILE_WIDTH);
    push(l, level + 1, &above);
}

static enum bourn_err put_back(struct buf *b, size_t n)
{
    enum bourn_err err = buf_check(b);
    b->failed = false;
    b->n = n;
    return err;
}

enum bourn_err ledger_append(struct ledger *l, struct slice entry, struct slice rows)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash leaf;
    if (l->failed)
        return err_set(l->failed, "the ledger's disk failed before; restart bourn once the disk is sound");
    if (entry.n > ENTRY_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "an entry has at most %d bytes, this one %zu", ENTRY_BYTES_MAX,
                       entry.n);
    if (rows.n > ROWS_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "the rows of an entry have at most %u bytes, these %zu", ROWS_BYTES_MAX,
                       rows.n);
    TRY(seal(l));
    size_t bundle_n = l->bundle.n, group_n = l->group.n;
    buf_put_be(&l->bundle, entry.n, 2);
    buf_put_slice(&l->bundle, entry);
    buf_put_be(&l->group, rows.n, 4);
    buf_put_slice(&l->group, rows);
    if (l->bundle.failed || l->group.failed) {
        err = put_back(&l->bundle, bundle_n);
        enum bourn_err rows_err = put_back(&l->group, group_n);
        return err ? err : rows_err;
    }
    merkle_leaf(&leaf, entry);
    push(l, 0, &leaf);
    l->open++;
    l->size++;
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err write_partial(struct ledger *l, const struct merkle_tile *t, struct slice bytes)
{
    enum bourn_err err = partials_add(&l->partials, t);
    return err ? err : tiles_write(l->cell, t, bytes);
}

/* Writes the partials that the present size needs and the disk lacks; *wrote says whether there were any. */
static enum bourn_err write_partials(struct ledger *l, bool *wrote)
{
    enum bourn_err err = BOURN_OK;
    if (l->open_written != l->open) {
        struct merkle_tile entries = ledger_open_bundle(l, MERKLE_TILE_ENTRIES);
        struct merkle_tile rows = ledger_open_bundle(l, MERKLE_TILE_ROWS);
        *wrote = true;
        TRY(write_partial(l, &entries, buf_slice(&l->bundle)));
        TRY(write_partial(l, &rows, buf_slice(&l->group)));
        partials_supersede(&l->partials, &rows);
        l->open_written = l->open;
    }
    for (unsigned i = 0; i < LEDGER_LEVELS; i++) {
        struct merkle_tile t = ledger_open_tile(l, i);
        if (l->written[i] == t.width)
            continue;
        *wrote = true;
        TRY(write_partial(l, &t, slice_of(l->tile[i], t.width * sizeof l->tile[i][0])));
        l->written[i] = t.width;
    }
out:
    return err;
}

enum bourn_err ledger_flush(struct ledger *l)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    if (l->failed)
        return err_set(l->failed, "the ledger's disk failed before; restart bourn once the disk is sound");
    bool wrote = l->size != l->flushed;
    TRY(seal(l));
    TRY(write_partials(l, &wrote));
    if (wrote && (err = io_dir_syncfs(l->cell)) != BOURN_OK)
        l->failed = err; /* never tried again: the kernel may have dropped what it could not write */
    if (!err)
        l->flushed = l->size;
out:
    return err;
}

enum bourn_err ledger_read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    const struct ledger *l = ctx;
    unsigned level = height / 8, count = 1u << height % 8;
    uint64_t first = index << height % 8;
    struct merkle_tile t = {MERKLE_TILE_HASHES, level, first / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH);
    struct merkle_tile open = level < LEDGER_LEVELS ? ledger_open_tile(l, level) : (struct merkle_tile){0};
    if (level < LEDGER_LEVELS && t.n == open.n && at + count <= open.width) {
        merkle_root_of(out, l->tile[level] + at, count);
        return BOURN_OK;
    }
    struct merkle_hash hashes[MERKLE_TILE_WIDTH / 2];
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(tiles_open(l->cell, &t, &f));
    TRY(io_read(f, at * sizeof hashes[0], hashes, count * sizeof hashes[0]));
    merkle_root_of(out, hashes, count);
out:
    io_close(f);
    return err == BOURN_E_NOT_FOUND ? BOURN_E_CORRUPT : err;
}

void ledger_root(const struct ledger *l, struct merkle_hash *root)
{
    /* Every node that the present root is made of is in memory. */
    bourn_assert(merkle_root_at(l->size, ledger_read_node, (void *)l, root) == BOURN_OK);
}

enum bourn_err ledger_root_at(struct ledger *l, uint64_t size, struct merkle_hash *root)
{
    if (size > l->size)
        return err_set(BOURN_E_NOT_FOUND, "the ledger has fewer than %llu entries", (unsigned long long)size);
    return merkle_root_at(size, ledger_read_node, l, root);
}

enum bourn_err ledger_consistency(struct ledger *l, uint64_t old, struct merkle_hash *proof, size_t *n)
{
    return merkle_prove_consistency(old, l->size, ledger_read_node, l, proof, n);
}

enum bourn_err ledger_inclusion(struct ledger *l, uint64_t index, struct merkle_hash *proof, size_t *n)
{
    return merkle_prove_inclusion(index, l->size, ledger_read_node, l, proof, n);
}

enum bourn_err ledger_inclusion_at(struct ledger *l, uint64_t index, uint64_t size, struct merkle_hash *proof,
                                   size_t *n)
{
    if (size > l->size)
        return err_set(BOURN_E_NOT_FOUND, "the ledger has fewer than %llu entries", (unsigned long long)size);
    return merkle_prove_inclusion(index, size, ledger_read_node, l, proof, n);
}

enum bourn_err ledger_publish(struct ledger *l, struct slice note)
{
    enum bourn_err err = io_write_new(l->cell, "ledger/checkpoint", note, true);
    if (!err)
        partials_publish(&l->partials, l->cell, clock_mono_ms());
    return err;
}

enum bourn_err ledger_republish(struct ledger *l, struct slice note)
{
    return io_write_new(l->cell, "ledger/checkpoint", note, true);
}
