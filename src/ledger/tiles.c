#include "ledger/tiles.h"

#include "base/text.h"

#include <stdio.h>

enum { TRIES = 3, HASH_BYTES = 32, WINDOW_BYTES = 16384 };

static size_t prefix_bytes(enum merkle_tile_kind kind)
{
    return kind == MERKLE_TILE_ENTRIES ? 2 : kind == MERKLE_TILE_ROWS ? 4 : 0;
}

void tiles_partials_path(const struct merkle_tile *t, char path[TILES_PATH_BYTES_MAX])
{
    char number[8];
    struct buf name;
    buf_init(&name, TILES_PATH_BYTES_MAX);
    merkle_tile_name(&name, t->n);
    bourn_assert(!name.failed);
    snprintf(number, sizeof number, "%u", t->level % 64);
    snprintf(path, TILES_PATH_BYTES_MAX, "%s%s/%.*s.p", t->kind == MERKLE_TILE_ROWS ? "" : "ledger/tile/",
             t->kind == MERKLE_TILE_ROWS      ? "rows"
             : t->kind == MERKLE_TILE_ENTRIES ? "entries"
                                              : number,
             SLICE_ARG(buf_slice(&name)));
    buf_release(&name);
}

void tiles_path(const struct merkle_tile *t, char path[TILES_PATH_BYTES_MAX])
{
    tiles_partials_path(t, path);
    size_t n = strlen(path);
    if (t->width == MERKLE_TILE_WIDTH)
        path[n - 2] = '\0';
    else
        snprintf(path + n, TILES_PATH_BYTES_MAX - n, "/%u", t->width);
}

enum bourn_err tiles_write(struct io_dir *cell, const struct merkle_tile *t, struct slice bytes)
{
    char path[TILES_PATH_BYTES_MAX];
    tiles_path(t, path);
    enum bourn_err err = io_write_new(cell, path, bytes, false);
    if (err != BOURN_E_NOT_FOUND)
        return err;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if ((err = io_dir_make_path(cell, path)) != BOURN_OK)
        return err;
    *slash = '/';
    return io_write_new(cell, path, bytes, false);
}

unsigned tiles_width_of(const char *name)
{
    uint64_t width;
    return decimal_get(slice_str(name), &width) && width < MERKLE_TILE_WIDTH ? (unsigned)width : 0;
}

struct narrowest {
    unsigned least, found; /* found 0: none */
};

static enum bourn_err look(void *ctx, const char *name)
{
    struct narrowest *n = ctx;
    unsigned width = tiles_width_of(name);
    if (width > n->least && (!n->found || width < n->found))
        n->found = width;
    return BOURN_OK;
}

/* The narrowest partial on disk that is wider than t. */
static enum bourn_err find_wider(struct io_dir *cell, const struct merkle_tile *t, struct merkle_tile *out)
{
    char path[TILES_PATH_BYTES_MAX];
    struct narrowest n = {.least = t->width};
    struct io_dir *d = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    tiles_partials_path(t, path);
    TRY(io_dir_at(cell, path, false, &d));
    TRY(io_dir_list(d, look, &n));
    *out = *t;
    out->width = n.found;
    if (!n.found)
        err = err_set(BOURN_E_NOT_FOUND, "%s has no file of %u items or more", path, t->width);
out:
    io_dir_close(d);
    return err;
}

static enum bourn_err open_exact(struct io_dir *cell, const struct merkle_tile *t, unsigned width,
                                 struct io_file **out)
{
    struct merkle_tile exact = *t;
    char path[TILES_PATH_BYTES_MAX];
    exact.width = width;
    tiles_path(&exact, path);
    return io_open(cell, path, IO_READ, out);
}

enum bourn_err tiles_open(struct io_dir *cell, const struct merkle_tile *t, struct io_file **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_tile wider;
    /* Between the looks the ledger may have filled the tile and removed its partials; then the next round
     * finds it. A partial that was found and is gone made room for a wider one: at most as often as there are
     * widths. */
    for (unsigned i = 0, misses = 0; i < MERKLE_TILE_WIDTH && misses < TRIES; i++) {
        if ((err = open_exact(cell, t, t->width, out)) != BOURN_E_NOT_FOUND || t->width == MERKLE_TILE_WIDTH)
            return err;
        if ((err = open_exact(cell, t, MERKLE_TILE_WIDTH, out)) != BOURN_E_NOT_FOUND)
            return err;
        if ((err = find_wider(cell, t, &wider)) == BOURN_OK)
            err = open_exact(cell, t, wider.width, out);
        else
            misses++;
        if (err != BOURN_E_NOT_FOUND)
            return err;
    }
    return err;
}

static enum bourn_err too_short(const struct merkle_tile *t)
{
    char path[TILES_PATH_BYTES_MAX];
    tiles_path(t, path);
    return err_set(BOURN_E_CORRUPT, "%s is shorter than it was written; restore it from a copy of the ledger",
                   path);
}

/* The bytes that the first `items` items take, or false where bytes end before. */
static bool prefix_length(const struct merkle_tile *t, struct slice bytes, unsigned items, size_t *out)
{
    size_t at = 0, prefix = prefix_bytes(t->kind);
    for (unsigned i = 0; i < items; i++) {
        if (bytes.n - at < prefix)
            return false;
        size_t n = prefix ? (size_t)be_get(bytes.p + at, (unsigned)prefix) : HASH_BYTES;
        at += prefix;
        if (bytes.n - at < n)
            return false;
        at += n;
    }
    *out = at;
    return true;
}

enum bourn_err tiles_read(struct io_dir *cell, const struct merkle_tile *t, struct buf *out)
{
    struct io_file *f = NULL;
    uint64_t size = 0;
    size_t n = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(tiles_open(cell, t, &f));
    TRY(io_size(f, &size));
    uint8_t *to = size && size <= out->cap ? buf_reserve(out, (size_t)size) : NULL;
    if (size && !to)
        TRY(err_set(BOURN_E_LIMIT, "a ledger file of %llu bytes is too large to be read in one piece",
                    (unsigned long long)size));
    if (size)
        TRY(io_read(f, 0, to, (size_t)size));
    if (!prefix_length(t, slice_of(to, (size_t)size), t->width, &n))
        TRY(too_short(t));
    out->n += n;
out:
    io_close(f);
    return err;
}

/* Length prefixes are read through a window: one call for many of them. */
struct window {
    struct io_file *f;
    uint64_t size, start;
    size_t n;
    uint8_t bytes[WINDOW_BYTES];
};

/* The big-endian number of `bytes` bytes at offset; BOURN_E_CORRUPT beyond the end. */
static enum bourn_err number_at(struct window *w, uint64_t offset, size_t bytes, uint64_t *out)
{
    if (offset < w->start || offset + bytes > w->start + w->n) {
        uint64_t left = offset < w->size ? w->size - offset : 0;
        w->start = offset;
        w->n = left < sizeof w->bytes ? (size_t)left : sizeof w->bytes;
        if (left < bytes)
            return BOURN_E_CORRUPT;
        enum bourn_err err = io_read(w->f, offset, w->bytes, w->n);
        if (err)
            return err;
    }
    *out = be_get(w->bytes + (offset - w->start), (unsigned)bytes);
    return BOURN_OK;
}

enum bourn_err tiles_item(struct io_file *f, const struct merkle_tile *t, unsigned at, struct buf *out)
{
    struct window w;
    size_t prefix = prefix_bytes(t->kind);
    uint64_t offset = (uint64_t)at * HASH_BYTES, n = HASH_BYTES;
    enum bourn_err err = BOURN_E_INTERNAL;
    w.f = f;
    w.start = w.n = 0;
    TRY(io_size(f, &w.size));
    if (prefix) { /* items of many lengths: walk from the front */
        offset = n = 0;
        for (unsigned i = 0; i <= at; i++) {
            offset += n;
            TRY(number_at(&w, offset, prefix, &n));
            offset += prefix;
        }
    }
    uint8_t *to = n ? buf_reserve(out, (size_t)n) : NULL;
    if (n && !to)
        TRY(err_set(BOURN_E_LIMIT, "an entry or its rows, %llu bytes, do not fit", (unsigned long long)n));
    if (n)
        TRY(io_read(f, offset, to, (size_t)n));
    out->n += (size_t)n;
    err = BOURN_OK;
out:
    return err == BOURN_E_CORRUPT ? too_short(t) : err;
}

enum bourn_err tiles_part(struct io_dir *cell, const struct merkle_tile *t, uint64_t from, size_t most,
                          struct buf *out, uint64_t *total)
{
    struct window w;
    struct io_file *f = NULL;
    size_t prefix = prefix_bytes(t->kind);
    uint64_t end = (uint64_t)t->width * HASH_BYTES, n = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(tiles_open(cell, t, &f));
    w.f = f;
    w.start = w.n = 0;
    TRY(io_size(f, &w.size));
    if (prefix) { /* a wider file may stand in for t: t ends where its last item does */
        end = 0;
        for (unsigned i = 0; i < t->width; i++) {
            TRY(number_at(&w, end, prefix, &n));
            end += prefix + n;
        }
    }
    if (end > w.size)
        TRY(BOURN_E_CORRUPT);
    *total = end;
    n = from < end ? end - from : 0;
    n = n < most ? n : most;
    uint8_t *to = n ? buf_reserve(out, (size_t)n) : NULL;
    if (n && !to)
        TRY(buf_check(out));
    if (n)
        TRY(io_read(f, from, to, (size_t)n));
    out->n += (size_t)n;
    err = BOURN_OK;
out:
    io_close(f);
    return err == BOURN_E_CORRUPT ? too_short(t) : err;
}
