#include "log_reader.h"

#include "base/limits.h"
#include "base/text.h"
#include "cbor/entry.h"

#include <stdio.h>

#define BUNDLE_BYTES_MAX (MERKLE_TILE_WIDTH * (ENTRY_BYTES_MAX + 2))
enum { TILE_BYTES = MERKLE_TILE_WIDTH * sizeof(struct merkle_hash) };

void log_reader_init(struct log_reader *r, struct log_source *source, const struct merkle_vkey *key)
{
    *r = (struct log_reader){.source = source, .key = key};
    merkle_edge_init(&r->edge);
    buf_init(&r->note, 65536);
    buf_init(&r->bundle, BUNDLE_BYTES_MAX);
    buf_init(&r->tile, TILE_BYTES);
}

void log_reader_release(struct log_reader *r)
{
    buf_release(&r->note);
    buf_release(&r->bundle);
    buf_release(&r->tile);
}

static bool next_line(struct slice *s, struct slice *line)
{
    const uint8_t *end = s->n ? memchr(s->p, '\n', s->n) : NULL;
    if (!end)
        return false;
    *line = slice_of(s->p, (size_t)(end - s->p));
    *s = slice_of(end + 1, s->n - line->n - 1);
    return true;
}

/* The three lines of a checkpoint whose signature nobody checks. */
static enum bourn_err read_unsigned(struct slice note, struct merkle_checkpoint *out)
{
    struct slice size, root;
    bool ok = next_line(&note, &out->origin) && next_line(&note, &size) && next_line(&note, &root) &&
              out->origin.n > 0 && out->origin.n <= MERKLE_ORIGIN_BYTES_MAX &&
              decimal_get(size, &out->size) && out->size >> 63 == 0 && merkle_hash_get(root, &out->root);
    return ok ? BOURN_OK : err_set(BOURN_E_CORRUPT, "the checkpoint is malformed");
}

static enum bourn_err read_checkpoint(struct log_reader *r, struct merkle_checkpoint *c)
{
    buf_clear(&r->note);
    enum bourn_err err = log_source_checkpoint(r->source, &r->note);
    if (err == BOURN_OK)
        err = r->key ? merkle_checkpoint_open(buf_slice(&r->note), r->key, c)
                     : read_unsigned(buf_slice(&r->note), c);
    if (err != BOURN_OK)
        return err;
    if (r->origin[0] && !slice_is(c->origin, r->origin))
        return err_set(BOURN_E_CORRUPT, "the log has another origin than before");
    if (c->size < r->size)
        return err_set(BOURN_E_CORRUPT, "the log went back, from %llu entries to %llu",
                       (unsigned long long)r->size, (unsigned long long)c->size);
    if (r->size && c->size == r->size && memcmp(c->root.b, r->root.b, sizeof c->root.b) != 0)
        return err_set(BOURN_E_CORRUPT, "the log shows another root for the same %llu entries: it was forked",
                       (unsigned long long)c->size);
    snprintf(r->origin, sizeof r->origin, "%.*s", SLICE_ARG(c->origin));
    return BOURN_OK;
}

static enum bourn_err fetch(struct log_reader *r, enum merkle_tile_kind kind, uint64_t n, unsigned width,
                            struct buf *out)
{
    struct merkle_tile t = {.kind = kind, .n = n, .width = width};
    buf_clear(out);
    enum bourn_err err = log_source_tile(r->source, &t, out);
    if (err == BOURN_E_NOT_FOUND)
        err = err_set(BOURN_E_CORRUPT, "%s %llu is not there, though the checkpoint needs it",
                      kind == MERKLE_TILE_ENTRIES ? "entry bundle" : "hash tile", (unsigned long long)n);
    return err;
}

/* Bundle n of a log of `size` entries: what of it was not read yet. */
static enum bourn_err read_bundle(struct log_reader *r, uint64_t n, uint64_t size, log_reader_take take,
                                  void *ctx)
{
    uint64_t first = n * MERKLE_TILE_WIDTH, left = size - first;
    unsigned width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
    struct slice entry;
    size_t at = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(fetch(r, MERKLE_TILE_ENTRIES, n, width, &r->bundle));
    TRY(fetch(r, MERKLE_TILE_HASHES, n, width, &r->tile));
    if (r->tile.n != width * sizeof(struct merkle_hash) && r->tile.n != TILE_BYTES)
        TRY(err_set(BOURN_E_CORRUPT, "hash tile %llu has %zu bytes", (unsigned long long)n, r->tile.n));
    for (uint64_t i = first; i < first + width; i++) {
        struct merkle_hash leaf;
        if (!bundle_next(buf_slice(&r->bundle), &at, &entry))
            TRY(err_set(BOURN_E_CORRUPT, "entry bundle %llu ends before entry %llu", (unsigned long long)n,
                        (unsigned long long)i));
        if (i < r->edge.size)
            continue;
        merkle_leaf(&leaf, entry);
        if (memcmp(leaf.b, r->tile.p + (i - first) * sizeof leaf, sizeof leaf) != 0)
            TRY(err_set(BOURN_E_CORRUPT, "entry %llu is not the one that its hash tile names",
                        (unsigned long long)i));
        TRY(take(ctx, i, entry));
        merkle_edge_append(&r->edge, &leaf);
    }
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err log_reader_run(struct log_reader *r, log_reader_take take, void *ctx)
{
    struct merkle_checkpoint c;
    struct merkle_hash root;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(read_checkpoint(r, &c));
    /* An attempt that broke off may have read entries of a newer checkpoint than this one. */
    if (c.size < r->edge.size)
        return BOURN_OK;
    while (r->edge.size < c.size)
        TRY(read_bundle(r, r->edge.size / MERKLE_TILE_WIDTH, c.size, take, ctx));
    merkle_edge_root(&r->edge, &root);
    if (memcmp(root.b, c.root.b, sizeof root.b) != 0)
        TRY(err_set(
            BOURN_E_CORRUPT,
            r->size ? "the log of %llu entries does not extend what was read before: it was altered or forked"
                    : "the entries do not give the root of the checkpoint of %llu entries",
            (unsigned long long)c.size));
    r->size = c.size;
    r->root = c.root;
    err = BOURN_OK;
out:
    return err;
}
