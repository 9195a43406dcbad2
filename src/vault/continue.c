/* A cell that goes on under a new log, out of an old backup: the entries that the backup has stay as they
 * are, under their indices; a `continued` entry names the old log and how far it is known to have gone;
 * behind it stands what that log withdrew and erased since. New log key, new root key; the old folder is not
 * changed. docs/formats/ledger.md says why it is done so. */
#include "base/clock.h"
#include "ledger/ledger.h"
#include "vault/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct continuation {
    const struct vault_continuation *c;
    const char *partial;
    struct merkle_vkey old_key, key;
    struct old_log old;
    uint64_t here; /* entries of the old log that the cell has, and their root */
    struct merkle_hash root;
    uint64_t known; /* that it is known to have had */
    struct merkle_hash known_root;
};

/* --- copying
 * -------------------------------------------------------------------------------------------------------- */

static enum bourn_err copy_file(int from, int to, const char *name, mode_t mode)
{
    static char bytes[1 << 16];
    enum bourn_err err = BOURN_OK;
    int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = in < 0 ? -1 : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    ssize_t n = 1;
    while (out >= 0 && n > 0) {
        n = read(in, bytes, sizeof bytes);
        if (n > 0 && write(out, bytes, (size_t)n) != n)
            n = -1;
    }
    if (out < 0 || n < 0 || fchmod(out, mode & 0777) != 0)
        err = err_sys(errno == ENOSPC ? BOURN_E_FULL : BOURN_E_IO, "copy %s", name);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

/* What belongs to a running service or to the old log's signer stays behind. */
static bool left_behind(const char *name, unsigned depth)
{
    static const char *const top[] = {"admin.sock", "lock", "address"};
    for (size_t i = 0; i < sizeof top / sizeof *top; i++)
        if (depth == 0 && strcmp(name, top[i]) == 0)
            return true;
    return depth == 1 && (strcmp(name, "head") == 0 || strcmp(name, "log.key") == 0 ||
                          strcmp(name, "checkpoint") == 0 || strcmp(name, "seen") == 0);
}

struct copying {
    int from, to;
    unsigned depth;
};

static enum bourn_err copy_folder(int from, int to, unsigned depth);

static enum bourn_err copy_one(void *ctx, const char *name)
{
    struct copying *c = ctx;
    struct stat st;
    if (left_behind(name, c->depth))
        return BOURN_OK;
    if (fstatat(c->from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_sys(BOURN_E_IO, "look at %s", name);
    if (S_ISREG(st.st_mode))
        return copy_file(c->from, c->to, name, st.st_mode);
    if (!S_ISDIR(st.st_mode))
        return BOURN_OK;
    enum bourn_err err = BOURN_OK;
    int from = openat(c->from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int to = from >= 0 && mkdirat(c->to, name, 0700) == 0
                 ? openat(c->to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                 : -1;
    err = to < 0 ? err_sys(BOURN_E_IO, "copy the folder %s", name) : copy_folder(from, to, c->depth + 1);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return err;
}

static enum bourn_err copy_folder(int from, int to, unsigned depth)
{
    struct copying c = {from, to, depth};
    char path[64];
    struct io_dir *d = NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", from);
    enum bourn_err err = io_dir_open(path, &d);
    if (err == BOURN_OK)
        err = io_dir_list(d, copy_one, &c);
    io_dir_close(d);
    return err;
}

static enum bourn_err copy_cell(const char *old, const char *partial)
{
    int from = open(old, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum bourn_err err = from < 0 || to < 0 ? err_sys(BOURN_E_IO, "open %s", from < 0 ? old : partial)
                                            : copy_folder(from, to, 0);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return err;
}

/* --- how far the old log is known to have gone
 * ------------------------------------------------------------------------ */

static void know(struct continuation *x, uint64_t size, const uint8_t root[32])
{
    if (size <= x->known)
        return;
    x->known = size;
    memcpy(x->known_root.b, root, 32);
}

/* Heads in the old folder: the signer's, the published one, one that was given. */
static enum bourn_err known_heads(struct continuation *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct io_dir *cell = NULL;
    struct io_file *f = NULL;
    struct ledger_head head;
    uint64_t size, generation;
    uint8_t root[32];
    TRY(io_dir_open(x->c->old, &cell));
    err = io_open(cell, "signer/head", IO_READ, &f);
    if (err == BOURN_OK) {
        TRY(ledger_head_read(f, &head, &generation));
        know(x, head.size, head.root);
    } else if (err != BOURN_E_NOT_FOUND) {
        goto out;
    }
    TRY(restored_checkpoint(cell, RESTORED_PUBLISHED, &x->old_key, &size, root));
    know(x, size, root);
    TRY(restored_checkpoint(cell, RESTORED_SEEN, &x->old_key, &size, root));
    know(x, size, root);
out:
    io_close(f);
    io_dir_close(cell);
    return err;
}

/* A folder `old` in the new cell that leads to the copies: that is how the ledger's functions find them. */
static enum bourn_err link_copies(struct continuation *x)
{
    char at[PATH_MAX], to[PATH_MAX], whole[PATH_MAX];
    const char *ledger = x->c->ledger, *rows = x->c->rows;
    snprintf(at, sizeof at, "%s/old", x->partial);
    if (mkdir(at, 0700) != 0)
        return err_sys(BOURN_E_IO, "make %s", at);
    for (unsigned i = 0; i < 2; i++) {
        const char *name = i ? "rows" : "ledger", *given = i ? rows : ledger;
        if (ledger && !given)
            continue; /* a copy of the ledger without rows */
        int n =
            snprintf(to, sizeof to, "%s%s%s", given ? given : x->c->old, given ? "" : "/", given ? "" : name);
        int m = snprintf(at, sizeof at, "%s/old/%s", x->partial, name);
        if (n < 0 || (size_t)n >= sizeof to || m < 0 || (size_t)m >= sizeof at)
            return err_set(BOURN_E_USAGE, "the path of the copy is too long");
        if (!realpath(to, whole))
            return err_sys(BOURN_E_USAGE, "cannot open %s", to);
        if (symlink(whole, at) != 0)
            return err_sys(BOURN_E_IO, "link %s", at);
    }
    snprintf(at, sizeof at, "%s/old", x->partial);
    return io_dir_open(at, &x->old.dir);
}

static enum bourn_err read_copy(struct continuation *x)
{
    enum bourn_err err = link_copies(x);
    if (err)
        return err;
    err = old_log_read(&x->old, x->here, &x->root);
    if (err && !x->c->ledger && x->known == x->here)
        return BOURN_OK; /* nobody gave a copy, and nothing says that there was more */
    if (err == BOURN_OK && x->old.size < x->here)
        x->old.lost_n = 0;
    if (err == BOURN_OK)
        know(x, x->old.size, x->old.root.b);
    if (err && x->c->lost && !x->c->ledger) {
        x->old.size = x->old.lost_n = 0; /* what stands there is no copy: nothing of it is used */
        err = BOURN_OK;
    }
    if (err || x->c->lost || x->known <= x->here || x->old.size >= x->known)
        return err;
    return err_set(
        BOURN_E_CONFLICT,
        "the old log had %llu entries; the backup has %llu and the copy of the ledger %llu. Give a "
        "newer copy (--ledger, --rows): who withdrew and who was erased stands there. If nobody has "
        "one, say --lost: the log says then that something is missing",
        (unsigned long long)x->known, (unsigned long long)x->here, (unsigned long long)x->old.size);
}

/* --- another name
 * ---------------------------------------------------------------------------------------------------- */

static enum bourn_err read_key(struct io_dir *cell, struct merkle_vkey *out)
{
    struct buf text;
    buf_init(&text, 1024);
    enum bourn_err err = io_read_all(cell, "ledger.vkey", &text);
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&text), out);
    buf_release(&text);
    return err;
}

static enum bourn_err rename_log(struct continuation *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct io_dir *cell = NULL;
    struct buf text;
    uint8_t seed[32], secret[64], public_key[32];
    buf_init(&text, 1024);
    crypto_random(seed, sizeof seed);
    crypto_sign_from_seed(public_key, secret, seed);
    merkle_vkey_init(&x->key, x->c->origin, 0x01, public_key);
    merkle_vkey_put(&text, &x->key);
    buf_put_str(&text, "\n");
    TRY(buf_check(&text));
    TRY(io_dir_open(x->partial, &cell));
    TRY(slots_rename(cell, x->old_key.name, x->c->origin));
    TRY(io_write_new(cell, "signer/log.key", slice_of(seed, sizeof seed), true));
    TRY(io_write_new(cell, "signer/head", slice_of(NULL, 0),
                     true)); /* vault's sandbox lets this file be read */
    TRY(io_write_new(cell, "ledger.vkey", buf_slice(&text), true));
out:
    crypto_wipe(seed, sizeof seed);
    crypto_wipe(secret, sizeof secret);
    io_dir_close(cell);
    buf_release(&text);
    return err;
}

/* --- the steps
 * ------------------------------------------------------------------------------------------------------- */

static void no_answer(void *ctx, uint64_t route, const struct reply *r)
{
    (void)ctx;
    (void)route;
    (void)r;
}

static enum bourn_err open_partial(struct continuation *x, struct vault **v)
{
    int lock = -1;
    enum bourn_err err = vault_lock(x->partial, &lock);
    return err ? err : vault_open(x->partial, lock, no_answer, NULL, v);
}

/* The copy recovers under its old name; then it is known what it has. */
static enum bourn_err recover_old(struct continuation *x)
{
    struct vault *v = NULL;
    enum bourn_err err = open_partial(x, &v);
    if (err)
        return err;
    x->here = v->next_index;
    worker_root(v->worker, &x->root);
    vault_close(v);
    know(x, x->here, x->root.b);
    return BOURN_OK;
}

static enum bourn_err put_continued(struct continuation *x, struct vault *v)
{
    struct slice keys[] = {slice_of(x->key.key, 32)};
    uint64_t index, wall = clock_wall_s();
    v->now = wall > v->last_time ? wall : v->last_time;
    struct entry e = {.kind = ENTRY_CONTINUED,
                      .time = v->now,
                      .origin = slice_str(x->c->origin),
                      .keys = keys,
                      .keys_n = 1,
                      .continues = slice_str(x->old_key.name),
                      .known = x->known};
    static const enum entry_key has[] = {E_ORIGIN, E_KEYS, E_CONTINUES, E_KNOWN, E_HASH};
    memcpy(e.hash, x->known_root.b, 32);
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        entry_set(&e, has[i]);
    enum bourn_err err = batch_entry(v, &e, NULL, 0, &index);
    return err ? err : vault_commit(v);
}

static enum bourn_err go_on(struct continuation *x, struct vault_continued *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = NULL;
    char at[PATH_MAX];
    struct io_dir *cell = NULL;
    TRY(copy_cell(x->c->old, x->partial));
    TRY(io_dir_open(x->c->old, &cell));
    TRY(read_key(cell, &x->old_key));
    if (strcmp(x->old_key.name, x->c->origin) == 0)
        TRY(err_set(BOURN_E_USAGE, "--origin: a new name is wanted: under the old one, two histories would "
                                   "stand side by side"));
    x->old.key = x->old_key;
    TRY(recover_old(x));
    TRY(known_heads(x));
    TRY(read_copy(x));
    TRY(rename_log(x));
    TRY(open_partial(x, &v));
    TRY(put_continued(x, v));
    TRY(carry_over(v, &x->old, x->here, out));
    out->entries = x->here;
    out->known = x->known;
out:
    if (v && err == BOURN_OK)
        vault_close(v);
    io_dir_close(cell);
    old_log_release(&x->old);
    if (err == BOURN_OK) { /* the links to the copies go, and all is on the disk before it has its name */
        snprintf(at, sizeof at, "%s/old/ledger", x->partial);
        unlink(at);
        snprintf(at, sizeof at, "%s/old/rows", x->partial);
        unlink(at);
        snprintf(at, sizeof at, "%s/old", x->partial);
        if (rmdir(at) != 0)
            return err_sys(BOURN_E_IO, "remove %s", at);
        err = io_dir_open(x->partial, &cell);
        if (err == BOURN_OK)
            err = io_dir_syncfs(cell);
        io_dir_close(cell);
    }
    return err;
}

enum bourn_err vault_continue(const char *path, const struct vault_continuation *c,
                              struct vault_continued *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    char partial[4096];
    struct continuation x = {.c = c, .partial = partial};
    struct stat st;
    int lock = -1;
    size_t n = strlen(path);
    *out = (struct vault_continued){0};
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (snprintf(partial, sizeof partial, "%.*s.partial-XXXXXX", (int)n, path) >= (int)sizeof partial)
        return err_set(BOURN_E_USAGE, "the path is too long");
    if (lstat(path, &st) == 0)
        return err_set(BOURN_E_EXISTS, "%s exists: choose another name, nothing was changed", path);
    TRY(vault_lock(c->old, &lock));
    if (!mkdtemp(partial))
        TRY(err_sys(BOURN_E_IO, "make the folder %s", partial));
    err = go_on(&x, out);
    if (err == BOURN_OK)
        err = create_publish(partial, path, n);
    if (err)
        create_discard(partial);
out:
    if (lock >= 0)
        close(lock);
    return err;
}
