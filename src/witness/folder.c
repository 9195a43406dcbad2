/* A witness's folder: made, read, locked. */
#include "witness/internal.h"

#include "base/text.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEED_BYTES = 32, LOGS_BYTES_MAX = WITNESS_LOGS_MAX * 512 };
#define KEY_FILE "witness.key"
#define VKEY_FILE "witness.vkey"
#define LOGS_FILE "logs"

void witness_state_name(const char *origin, char out[WITNESS_STATE_NAME_BYTES])
{
    uint8_t hash[32];
    char text[65];
    crypto_sha256_1(hash, slice_str(origin));
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    snprintf(out, WITNESS_STATE_NAME_BYTES, "state/%s", text);
}

/* --- making one */

static enum bourn_err make_key(const char *name, uint8_t seed[SEED_BYTES], struct buf *vkey)
{
    uint8_t secret[CRYPTO_SIGN_SECRET_BYTES], public_key[32];
    struct merkle_vkey key;
    crypto_random(seed, SEED_BYTES);
    crypto_sign_from_seed(public_key, secret, seed);
    crypto_wipe(secret, sizeof secret);
    if (strlen(name) <= MERKLE_ORIGIN_BYTES_MAX) {
        merkle_vkey_init(&key, name, MERKLE_KEY_COSIGNATURE, public_key);
        merkle_vkey_put(vkey, &key);
        buf_put_str(vkey, "\n");
        if (merkle_vkey_get(buf_slice(vkey), &key) == BOURN_OK)
            return BOURN_OK;
    }
    return err_set(BOURN_E_USAGE,
                   "the name of a witness is printable ASCII without space and plus, of 1 to %d bytes",
                   MERKLE_ORIGIN_BYTES_MAX);
}

enum bourn_err witness_create(const char *path, const char *name, struct buf *vkey)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct io_dir *d = NULL, *state = NULL;
    uint8_t seed[SEED_BYTES];
    TRY(make_key(name, seed, vkey));
    if ((rmdir(path) != 0 && errno != ENOENT) || mkdir(path, 0700) != 0)
        TRY(err_set(BOURN_E_EXISTS, "%s exists and is not an empty folder, or cannot be made: %s", path,
                    strerror(errno)));
    TRY(io_dir_open(path, &d));
    TRY(io_dir_at(d, "state", true, &state));
    TRY(io_write_new(d, LOGS_FILE, slice_of(NULL, 0), true));
    TRY(io_write_new(d, KEY_FILE, slice_of(seed, sizeof seed), true));
    TRY(io_write_new(d, VKEY_FILE, buf_slice(vkey), true)); /* syncs the folder too */
out:
    crypto_wipe(seed, sizeof seed);
    io_dir_close(state);
    io_dir_close(d);
    return err;
}

/* --- the logs */

/* Reads every key; `add` (may be NULL) sees each. */
static enum bourn_err each_log(struct slice text,
                               enum bourn_err (*add)(void *ctx, const struct merkle_vkey *k), void *ctx)
{
    unsigned line = 0;
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct slice s = slice_of(text.p, end ? (size_t)(end - text.p) : text.n);
        struct merkle_vkey k;
        line++;
        text = end ? slice_of(end + 1, text.n - s.n - 1) : slice_of(NULL, 0);
        if (!s.n || s.p[0] == '#')
            continue;
        if (merkle_vkey_get(s, &k) != BOURN_OK || k.type != MERKLE_KEY_LOG)
            return err_set(BOURN_E_FORMAT, "line %u of the file logs is not the vkey of a log", line);
        enum bourn_err err = add(ctx, &k);
        if (err)
            return err;
    }
    return BOURN_OK;
}

static enum bourn_err is_it(void *ctx, const struct merkle_vkey *k)
{
    const struct merkle_vkey *wanted = ctx;
    return memcmp(k->key, wanted->key, sizeof k->key) == 0 && strcmp(k->name, wanted->name) == 0
               ? BOURN_E_EXISTS
               : BOURN_OK;
}

enum bourn_err witness_trust(const char *path, struct slice vkey)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct io_dir *d = NULL;
    struct merkle_vkey k;
    struct buf text;
    buf_init(&text, LOGS_BYTES_MAX);
    TRY(merkle_vkey_get(vkey, &k));
    if (k.type != MERKLE_KEY_LOG)
        TRY(err_set(BOURN_E_FORMAT, "that is not the key of a log (type 1)"));
    TRY(io_dir_open(path, &d));
    TRY(io_read_all(d, LOGS_FILE, &text));
    err = each_log(buf_slice(&text), is_it, &k);
    if (err == BOURN_E_EXISTS) {
        err = BOURN_OK;
        goto out;
    }
    TRY(err);
    if (text.n && text.p[text.n - 1] != '\n')
        buf_put_str(&text, "\n");
    merkle_vkey_put(&text, &k);
    buf_put_str(&text, "\n");
    TRY(buf_check(&text));
    TRY(io_write_new(d, LOGS_FILE, buf_slice(&text), true));
out:
    io_dir_close(d);
    buf_release(&text);
    return err;
}

static enum bourn_err take_log(void *ctx, const struct merkle_vkey *k)
{
    struct witness *w = ctx;
    if (w->trusted_n == WITNESS_LOGS_MAX)
        return err_set(BOURN_E_LIMIT, "a witness trusts at most %d keys of logs", WITNESS_LOGS_MAX);
    w->trusted[w->trusted_n++] = *k;
    return BOURN_OK;
}

/* What was kept of one origin. Only a text with this witness's own good signature counts. */
static enum bourn_err read_state(struct witness *w, struct witness_log *log)
{
    char name[WITNESS_STATE_NAME_BYTES];
    struct merkle_checkpoint cp;
    uint64_t time;
    merkle_empty(&log->root);
    witness_state_name(log->origin, name);
    buf_clear(&w->scratch);
    enum bourn_err err = io_read_all(w->dir, name, &w->scratch);
    if (err == BOURN_E_NOT_FOUND)
        return BOURN_OK;
    if (err)
        return err;
    struct slice note = buf_slice(&w->scratch);
    if (merkle_checkpoint_read(note, &cp) != BOURN_OK || !slice_is(cp.origin, log->origin) ||
        merkle_cosignature_check(note, &w->key, &time) != BOURN_OK)
        return err_set(
            BOURN_E_CORRUPT,
            "%s does not hold a checkpoint of %s that this witness signed: bring back what it held; "
            "signing without it could sign a fork",
            name, log->origin);
    log->kept = true;
    log->size = cp.size;
    log->root = cp.root;
    w->last_time = time > w->last_time ? time : w->last_time;
    return BOURN_OK;
}

static enum bourn_err read_logs(struct witness *w)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf text;
    buf_init(&text, LOGS_BYTES_MAX);
    w->trusted = calloc(WITNESS_LOGS_MAX, sizeof *w->trusted);
    w->logs = calloc(WITNESS_LOGS_MAX, sizeof *w->logs);
    if (!w->trusted || !w->logs)
        TRY(err_set(BOURN_E_MEMORY, "out of memory for the logs of a witness"));
    TRY(io_read_all(w->dir, LOGS_FILE, &text));
    TRY(each_log(buf_slice(&text), take_log, w));
    for (size_t i = 0; i < w->trusted_n; i++) {
        size_t j = 0;
        while (j < w->logs_n && strcmp(w->logs[j].origin, w->trusted[i].name) != 0)
            j++;
        if (j < w->logs_n)
            continue; /* one more key of the same log */
        w->logs[j].origin = w->trusted[i].name;
        TRY(read_state(w, &w->logs[w->logs_n++]));
    }
    err = BOURN_OK;
out:
    buf_release(&text);
    return err;
}

/* --- opening one */

static enum bourn_err read_key(struct witness *w)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t seed[SEED_BYTES], public_key[32];
    struct io_file *f = NULL;
    uint64_t bytes;
    unsigned mode;
    struct buf text;
    buf_init(&text, 1024);
    TRY(io_open(w->dir, KEY_FILE, IO_READ, &f));
    TRY(io_size(f, &bytes));
    TRY(io_permissions(f, &mode));
    if (bytes != SEED_BYTES)
        TRY(err_set(BOURN_E_CORRUPT, "%s has not %d bytes", KEY_FILE, SEED_BYTES));
    if (mode & 077)
        TRY(err_set(BOURN_E_DENIED, "%s can be read by others: chmod 600 it, and think of a new key",
                    KEY_FILE));
    TRY(io_read(f, 0, seed, sizeof seed));
    w->secret = crypto_secret_alloc(CRYPTO_SIGN_SECRET_BYTES);
    if (!w->secret)
        TRY(err_set(BOURN_E_MEMORY, "no locked memory for the witness's key"));
    crypto_sign_from_seed(public_key, w->secret, seed);
    TRY(io_read_all(w->dir, VKEY_FILE, &text));
    TRY(merkle_vkey_get(buf_slice(&text), &w->key));
    if (w->key.type != MERKLE_KEY_COSIGNATURE || memcmp(w->key.key, public_key, sizeof public_key) != 0)
        TRY(err_set(BOURN_E_CORRUPT, "%s and %s do not belong together", VKEY_FILE, KEY_FILE));
out:
    crypto_wipe(seed, sizeof seed);
    io_close(f);
    buf_release(&text);
    return err;
}

static enum bourn_err take_lock(struct witness *w, const char *path)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/lock", path);
    w->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->lock_fd < 0)
        return err_sys(BOURN_E_IO, "open %s", name);
    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return BOURN_OK;
    return errno == EWOULDBLOCK ? err_set(BOURN_E_UNAVAILABLE, "%s: another process is this witness", path)
                                : err_sys(BOURN_E_IO, "lock %s", name);
}

enum bourn_err witness_open(const char *path, struct witness **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct witness *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return err_set(BOURN_E_MEMORY, "out of memory for a witness");
    w->lock_fd = -1;
    buf_init(&w->scratch, 2 * WITNESS_CHECKPOINT_BYTES_MAX);
    TRY(io_dir_open(path, &w->dir));
    TRY(take_lock(w, path));
    TRY(read_key(w));
    TRY(read_logs(w));
out:
    if (err)
        witness_close(w);
    else
        *out = w;
    return err;
}

void witness_close(struct witness *w)
{
    if (!w)
        return;
    crypto_secret_free(w->secret);
    io_dir_close(w->dir);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    free(w->trusted);
    free(w->logs);
    buf_release(&w->scratch);
    free(w);
}

size_t witness_logs(const struct witness *w)
{
    return w->logs_n;
}
