#include "log_copy.h"

#include "base/limits.h"
#include "cbor/entry.h"
#include "io/io.h"
#include "log_source.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void log_copy_remove(struct log_copy *c)
{
    if (c->folder[0])
        nftw(c->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    c->folder[0] = '\0';
}

/* The first `width` entries of a bundle, which may be the full one where the partial is gone. */
static enum bourn_err cut(struct buf *bundle, unsigned width, uint64_t n)
{
    struct slice entry;
    size_t at = 0;
    for (unsigned i = 0; i < width; i++)
        if (!bundle_next(buf_slice(bundle), &at, &entry))
            return err_set(BOURN_E_FORMAT, "the log's bundle %llu is cut off", (unsigned long long)n);
    bundle->n = at;
    return BOURN_OK;
}

static enum bourn_err put_bundle(struct io_dir *to, const struct merkle_tile *t, struct slice bytes)
{
    struct buf path;
    buf_init(&path, 256);
    buf_put_str(&path, "tile/entries/");
    merkle_tile_name(&path, t->n);
    if (t->width < MERKLE_TILE_WIDTH)
        buf_printf(&path, ".p/%u", t->width);
    buf_put_u8(&path, 0);
    enum bourn_err err = buf_check(&path);
    char *slash = err ? NULL : strrchr((char *)path.p, '/');
    if (slash) {
        *slash = '\0';
        err = io_dir_make_path(to, (char *)path.p);
        *slash = '/';
    }
    if (err == BOURN_OK)
        err = io_write_new(to, (char *)path.p, bytes, false);
    buf_release(&path);
    return err;
}

static enum bourn_err fetch(struct log_source *from, const struct merkle_vkey *key, struct io_dir *to)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_checkpoint cp;
    struct buf note, bundle;
    buf_init(&note, 64u << 10);
    buf_init(&bundle, (size_t)MERKLE_TILE_WIDTH * (2 + ENTRY_BYTES_MAX));
    TRY(log_source_checkpoint(from, &note));
    TRY(merkle_checkpoint_open(buf_slice(&note), key, &cp));
    for (uint64_t at = 0; at < cp.size; at += MERKLE_TILE_WIDTH) {
        uint64_t left = cp.size - at;
        struct merkle_tile t = {MERKLE_TILE_ENTRIES, 0, at / MERKLE_TILE_WIDTH,
                                left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH};
        buf_clear(&bundle);
        TRY(log_source_tile(from, &t, &bundle));
        TRY(cut(&bundle, t.width, t.n));
        TRY(put_bundle(to, &t, buf_slice(&bundle)));
    }
    err = io_write_new(to, "checkpoint", buf_slice(&note), false);
out:
    buf_release(&note);
    buf_release(&bundle);
    return err;
}

enum bourn_err log_copy_make(const char *url, const struct merkle_vkey *key, const char *beside,
                             struct log_copy *out)
{
    struct log_source *from = NULL;
    struct io_dir *to = NULL;
    enum bourn_err err = log_source_open(url, NULL, &from);
    int name = (int)strnlen(beside, sizeof out->folder);
    while (name > 1 && beside[name - 1] == '/')
        name--;
    int n = snprintf(out->folder, sizeof out->folder, "%.*s.copy.XXXXXX", name, beside);
    if (err == BOURN_OK && (n < 0 || (size_t)n >= sizeof out->folder || !mkdtemp(out->folder))) {
        out->folder[0] = '\0';
        err = err_sys(BOURN_E_IO, "cannot make a folder beside %s for the copy of the log", beside);
    }
    if (err == BOURN_OK)
        err = io_dir_open(out->folder, &to);
    if (err == BOURN_OK)
        err = fetch(from, key, to);
    io_dir_close(to);
    log_source_close(from);
    if (err)
        log_copy_remove(out);
    return err;
}
