/* bourn log: the entries of a ledger in lines that a person reads, from its files. It checks nothing: that is
 * bourn-verify's work. */
#include "base/limits.h"
#include "base/text.h"
#include "cbor/entry.h"
#include "cli.h"
#include "io/io.h"
#include "log_line.h"
#include "merkle/merkle.h"

#include <stdio.h>
#include <stdlib.h>

const char help_log[] =
    "bourn log CELL|FOLDER [--from INDEX] [--json]\n"
    "  Shows the entries of a cell's ledger, or of a copy of its public folder, up to its last checkpoint:\n"
    "  index, time, kind, and what the entry says. Nothing in them is about a person. Nothing is checked\n"
    "  here: use bourn-verify.\n"
    "  --from  the first entry to show\n"
    "  --json  one object a line\n"
    "  Exit: 0 done, 1 not readable, 64 usage.\n";

#define BUNDLE_BYTES_MAX (256 * (ENTRY_BYTES_MAX + 2))
#define CHECKPOINT_BYTES_MAX 65536

struct log {
    struct io_dir *dir;
    struct log_parties parties;
    bool json;
    struct arena arena;
    struct buf bundle, line, path;
};

/* Bundle n of a log of `size` entries: the partial one of that size, or the full one if there is more by now.
 */
static enum bourn_err read_bundle(struct log *l, uint64_t n, uint64_t size)
{
    uint64_t width = size - n * MERKLE_TILE_WIDTH;
    for (int partial = width < MERKLE_TILE_WIDTH; partial >= 0; partial--) {
        buf_clear(&l->path);
        buf_clear(&l->bundle);
        buf_put_str(&l->path, "tile/entries/");
        merkle_tile_name(&l->path, n);
        if (partial)
            buf_printf(&l->path, ".p/%llu", (unsigned long long)width);
        buf_put_u8(&l->path, 0);
        enum bourn_err err = buf_check(&l->path);
        if (err == BOURN_OK)
            err = io_read_all(l->dir, (char *)l->path.p, &l->bundle);
        if (err == BOURN_OK || err != BOURN_E_NOT_FOUND || !partial)
            return err;
    }
    return BOURN_E_INTERNAL;
}

static enum bourn_err show_bundle(struct log *l, uint64_t first, uint64_t from, uint64_t size)
{
    enum bourn_err err = BOURN_OK;
    size_t at = 0;
    struct slice bytes;
    for (uint64_t i = first; i < size && i < first + MERKLE_TILE_WIDTH; i++) {
        struct entry e;
        if (!bundle_next(buf_slice(&l->bundle), &at, &bytes))
            return err_set(BOURN_E_CORRUPT, "the file of entry %llu ends before it", (unsigned long long)i);
        arena_reset(&l->arena);
        err = entry_decode(bytes, &l->arena, &e);
        if (err != BOURN_OK && err != BOURN_E_UNAVAILABLE)
            return err_set(BOURN_E_CORRUPT, "entry %llu does not decode: bourn-verify says more",
                           (unsigned long long)i);
        TRY(log_parties_keep(&l->parties, i, &e));
        if (i < from)
            continue;
        buf_clear(&l->line);
        if (l->json)
            log_line_json(&l->line, &l->parties, i, &e);
        else
            log_line_text(&l->line, &l->parties, i, &e);
        TRY(buf_check(&l->line));
        if (fwrite(l->line.p, 1, l->line.n, stdout) != l->line.n)
            return err_sys(BOURN_E_IO, "cannot write to standard output");
    }
out:
    return err;
}

/* The folder with `checkpoint`: FOLDER itself, or its ledger/. */
static enum bourn_err open_log(struct log *l, const char *path, uint64_t *size)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf note;
    struct io_dir *below = NULL;
    buf_init(&note, CHECKPOINT_BYTES_MAX);
    TRY(io_dir_open(path, &l->dir));
    if (io_dir_at(l->dir, "ledger", false, &below) == BOURN_OK) {
        io_dir_close(l->dir);
        l->dir = below;
    }
    err = io_read_all(l->dir, "checkpoint", &note);
    if (err == BOURN_E_NOT_FOUND)
        err = err_set(
            err, "%s is neither a cell nor a ledger's folder, or has no checkpoint yet: serve it once", path);
    if (err != BOURN_OK)
        goto out;
    const uint8_t *first = memchr(note.p, '\n', note.n);
    const uint8_t *from = first ? first + 1 : note.p + note.n;
    const uint8_t *second = memchr(from, '\n', (size_t)(note.p + note.n - from));
    if (!second || !decimal_get(slice_of(from, (size_t)(second - from)), size))
        err = err_set(BOURN_E_CORRUPT, "%s: the checkpoint is malformed", path);
out:
    buf_release(&note);
    return err;
}

static enum bourn_err show(struct log *l, const char *path, uint64_t from)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t size;
    TRY(open_log(l, path, &size));
    for (uint64_t n = 0; n * MERKLE_TILE_WIDTH < size; n++) {
        TRY(read_bundle(l, n, size));
        TRY(show_bundle(l, n * MERKLE_TILE_WIDTH, from, size));
    }
    err = fflush(stdout) == 0 ? BOURN_OK : err_sys(BOURN_E_IO, "cannot write to standard output");
out:
    return err;
}

int cmd_log(int argc, char **argv)
{
    static const struct opt options[] = {{"json", false}, {"from", true}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *path = NULL;
    struct log l = {.json = false};
    uint64_t from = 0;
    int option;
    while ((option = opt_next(&o, options, 2, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0)
            l.json = true;
        else if (option == 1 && !decimal_get(slice_str(value), &from))
            return cli_fail(CLI_USAGE, "--from: an index is wanted");
        else if (option == OPT_OPERAND && path)
            return cli_fail(CLI_USAGE, "usage:\n%s", help_log);
        else if (option == OPT_OPERAND)
            path = value;
    }
    if (!path)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_log);
    arena_init(&l.arena, 16u << 20);
    buf_init(&l.bundle, BUNDLE_BYTES_MAX);
    buf_init(&l.line, 1u << 20);
    buf_init(&l.path, 256);
    enum bourn_err err = show(&l, path, from);
    if (l.dir)
        io_dir_close(l.dir);
    free(l.parties.p);
    arena_release(&l.arena);
    buf_release(&l.bundle);
    buf_release(&l.line);
    buf_release(&l.path);
    return err != BOURN_OK ? cli_err(err) : CLI_DONE;
}
