/* The file of key slots, and the keys above it: root key -> epoch key -> subject keys. docs/formats/keys.md
 */
#include "vault/slots.h"

#include "base/buf.h"
#include "crypto/crypto.h"
#include "io/io.h"

#include <stdlib.h>

#define ROOT_PATH "keys/root.key"
#define EPOCH_PATH "keys/epoch.1"
#define SLOTS_PATH "keys/slots.1"
enum {
    EPOCH = 1, /* rotation comes later; the number is in every slot already */
    SLOT_BYTES = 64,
    EPOCH_FILE_BYTES = 64,
    GROW_BYTES = 64 << 10, /* the file grows by so many zeros, so that few syncs have to change its size */
    ORIGIN_BYTES_MAX = 1024,
    RUN_SLOTS = 512,        /* wrapped, side by side, on their way into the file */
    MAP_BYTES_MIN = 1 << 20 /* of the file, mapped to be read */
};
_Static_assert(4 + CRYPTO_KEY_BYTES + CRYPTO_SEAL_OVERHEAD == SLOT_BYTES, "a slot is what the header says");

struct keys {
    uint8_t epoch[CRYPTO_KEY_BYTES]; /* index keys are derived from it */
    uint8_t wrap[CRYPTO_KEY_BYTES];  /* seals the slots */
};

struct slots {
    struct io_file *file;
    struct keys *keys;  /* guarded memory */
    struct buf aad;     /* of a slot: ends in epoch and number, which are set for each use */
    uint64_t bytes;     /* of the file */
    bool failed;        /* a write or sync failed: what is on the disk is not known */
    const uint8_t *map; /* the file, as far as `mapped`; NULL: it is read */
    size_t mapped;
    uint64_t run_first; /* slots that are not in the file yet, from this number on */
    size_t run_n;
    uint8_t run[RUN_SLOTS * SLOT_BYTES];
};

static const uint8_t zeros[GROW_BYTES];

/* word || 0x00 || origin || 0x00 || epoch number (4) */
static enum bourn_err put_aad(struct buf *b, const char *word, const char *origin)
{
    buf_init(b, 64 + ORIGIN_BYTES_MAX);
    buf_put(b, word, strlen(word) + 1);
    buf_put(b, origin, strlen(origin) + 1);
    buf_put_be(b, EPOCH, 4);
    return buf_check(b);
}

static enum bourn_err put_epoch(struct io_dir *cell, const char *origin, const uint8_t *root,
                                const uint8_t *epoch)
{
    uint8_t file[EPOCH_FILE_BYTES], seal_key[CRYPTO_KEY_BYTES];
    struct buf aad;
    enum bourn_err err = BOURN_E_INTERNAL;
    crypto_derive(seal_key, root, "epoch", slice_str("seal"));
    TRY(put_aad(&aad, "bourn epoch v1", origin));
    be_put(file, EPOCH, 4);
    TRY(crypto_seal(file + 4, seal_key, buf_slice(&aad), slice_of(epoch, CRYPTO_KEY_BYTES)));
    TRY(io_write_new(cell, EPOCH_PATH, slice_of(file, sizeof file), true));
out:
    buf_release(&aad);
    crypto_wipe(seal_key, sizeof seal_key);
    return err;
}

enum bourn_err slots_create(struct io_dir *cell, const char *origin)
{
    struct io_file *f = NULL;
    struct io_dir *keys = NULL;
    uint8_t *secret = NULL;
    enum bourn_err err = io_open(cell, ROOT_PATH, IO_READ, &f);
    io_close(f);
    if (err != BOURN_E_NOT_FOUND)
        return err_set(BOURN_E_EXISTS, ROOT_PATH " exists already: the keys of a cell are made once");
    secret = crypto_secret_alloc(2 * CRYPTO_KEY_BYTES);
    if (!secret)
        return err_set(BOURN_E_MEMORY, "no guarded memory for the keys: raise the limit of locked memory");
    TRY(io_dir_at(cell, "keys", true, &keys));
    crypto_random(secret, CRYPTO_KEY_BYTES);
    TRY(io_write_new(cell, ROOT_PATH, slice_of(secret, CRYPTO_KEY_BYTES), true));
    crypto_random(secret + CRYPTO_KEY_BYTES, CRYPTO_KEY_BYTES);
    TRY(put_epoch(cell, origin, secret, secret + CRYPTO_KEY_BYTES));
    TRY(io_write_new(cell, SLOTS_PATH, slice_of(NULL, 0), true));
    TRY(io_dir_sync(cell));
out:
    io_dir_close(keys);
    crypto_secret_free(secret);
    return err;
}

/* Reads the root key, refusing one that others might have read or that is not one. */
static enum bourn_err read_root(struct io_dir *cell, uint8_t *root)
{
    struct io_file *f = NULL;
    unsigned mode = 0;
    uint64_t bytes = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_open(cell, ROOT_PATH, IO_READ, &f));
    TRY(io_permissions(f, &mode));
    TRY(io_size(f, &bytes));
    if (mode != 0600)
        err = err_set(BOURN_E_DENIED,
                      ROOT_PATH
                      " has mode %04o: nobody but its owner may read it; chmod 600, and find out who could",
                      mode);
    else if (bytes != CRYPTO_KEY_BYTES)
        err = err_set(BOURN_E_CORRUPT,
                      ROOT_PATH " has %llu bytes instead of %d: restore it from the backup of the keys",
                      (unsigned long long)bytes, CRYPTO_KEY_BYTES);
    else
        err = io_read(f, 0, root, CRYPTO_KEY_BYTES);
out:
    io_close(f);
    return err;
}

static enum bourn_err open_epoch(struct io_dir *cell, const char *origin, struct keys *keys)
{
    struct buf file, aad;
    uint8_t *root = crypto_secret_alloc(2 * CRYPTO_KEY_BYTES);
    enum bourn_err err = BOURN_E_INTERNAL;
    buf_init(&file, EPOCH_FILE_BYTES);
    TRY(put_aad(&aad, "bourn epoch v1", origin));
    if (!root) {
        err = err_set(BOURN_E_MEMORY, "no guarded memory for the keys: raise the limit of locked memory");
        goto out;
    }
    TRY(read_root(cell, root));
    TRY(io_read_all(cell, EPOCH_PATH, &file));
    crypto_derive(root + CRYPTO_KEY_BYTES, root, "epoch", slice_str("seal"));
    if (file.n != EPOCH_FILE_BYTES || be_get(file.p, 4) != EPOCH ||
        crypto_open(keys->epoch, root + CRYPTO_KEY_BYTES, buf_slice(&aad),
                    slice_of(file.p + 4, EPOCH_FILE_BYTES - 4)) != BOURN_OK) {
        err = err_set(BOURN_E_CORRUPT,
                      EPOCH_PATH " does not open under " ROOT_PATH
                                 " for this origin: restore the files of keys/ that belong together");
        goto out;
    }
    crypto_derive(keys->wrap, keys->epoch, "slot", slice_str("wrap"));
    err = BOURN_OK;
out:
    crypto_secret_free(root);
    buf_release(&aad);
    buf_release(&file);
    return err;
}

enum bourn_err slots_open(struct io_dir *cell, const char *origin, struct slots **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slots *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(BOURN_E_MEMORY, "out of memory opening the key slots");
    TRY(put_aad(&s->aad, "bourn slot v1", origin));
    buf_put_be(&s->aad, 0, 8);
    TRY(buf_check(&s->aad));
    s->keys = crypto_secret_alloc(sizeof *s->keys);
    if (!s->keys) {
        err = err_set(BOURN_E_MEMORY, "no guarded memory for the keys: raise the limit of locked memory");
        goto out;
    }
    TRY(open_epoch(cell, origin, s->keys));
    TRY(io_open(cell, SLOTS_PATH, IO_WRITE, &s->file));
    TRY(io_size(s->file, &s->bytes));
    *out = s;
out:
    if (err)
        slots_close(s);
    return err;
}

enum bourn_err slots_rename(struct io_dir *cell, const char *from, const char *to)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slots *old = NULL, *new = NULL;
    uint8_t *secret = crypto_secret_alloc(2 * CRYPTO_KEY_BYTES);
    if (!secret)
        return err_set(BOURN_E_MEMORY, "no guarded memory for the keys: raise the limit of locked memory");
    TRY(slots_open(cell, from, &old));
    crypto_random(secret, CRYPTO_KEY_BYTES);
    TRY(io_write_new(cell, ROOT_PATH, slice_of(secret, CRYPTO_KEY_BYTES), true));
    TRY(put_epoch(cell, to, secret, old->keys->epoch));
    TRY(slots_open(cell, to, &new));
    for (uint64_t i = 0; i < old->bytes / SLOT_BYTES; i++) {
        err = slots_get(old, i, secret + CRYPTO_KEY_BYTES);
        if (err == BOURN_OK)
            err = slots_put(new, i, secret + CRYPTO_KEY_BYTES);
        if (err && err != BOURN_E_NOT_FOUND)
            goto out;
    }
    err = slots_sync(new);
out:
    slots_close(old);
    slots_close(new);
    crypto_secret_free(secret);
    return err;
}

void slots_close(struct slots *s)
{
    if (!s)
        return;
    io_unmap(s->map, s->mapped);
    io_close(s->file);
    crypto_secret_free(s->keys);
    buf_release(&s->aad);
    free(s);
}

void slots_derive(const struct slots *s, const char *use, uint8_t out[32])
{
    crypto_derive(out, s->keys->epoch, use, slice_str("index"));
}

static struct slice slot_aad(struct slots *s, uint64_t number)
{
    be_put(s->aad.p + s->aad.n - 8, number, 8);
    return buf_slice(&s->aad);
}

static enum bourn_err usable(const struct slots *s)
{
    return s->failed ? err_set(BOURN_E_IO, SLOTS_PATH " could not be written before: start again") : BOURN_OK;
}

/* Writes within the file or right behind its end; an error is final. */
static enum bourn_err put_bytes(struct slots *s, uint64_t offset, const uint8_t *p, size_t n)
{
    enum bourn_err err = usable(s);
    if (err)
        return err;
    err = io_write(s->file, offset, p, n);
    /* Only a file that could not grow is as it was before, and may grow another time. */
    s->failed = err != BOURN_OK && !(err == BOURN_E_FULL && offset == s->bytes);
    if (!err && offset + n > s->bytes)
        s->bytes = offset + n;
    return err;
}

/* Brings what is on its way into the file: before anything else looks at the file or changes it. */
static enum bourn_err put_run(struct slots *s)
{
    size_t n = s->run_n;
    s->run_n = 0;
    return n ? put_bytes(s, s->run_first * SLOT_BYTES, s->run, n * SLOT_BYTES) : BOURN_OK;
}

enum bourn_err slots_put(struct slots *s, uint64_t number, const uint8_t key[32])
{
    enum bourn_err err = BOURN_OK;
    bourn_assert(number < UINT64_MAX / SLOT_BYTES - GROW_BYTES);
    TRY(usable(s));
    while (s->bytes < (number + 1) * SLOT_BYTES)
        TRY(put_bytes(s, s->bytes, zeros, (size_t)(GROW_BYTES - s->bytes % GROW_BYTES)));
    if (s->run_n == RUN_SLOTS || (s->run_n && number != s->run_first + s->run_n))
        TRY(put_run(s));
    uint8_t *slot = s->run + s->run_n * SLOT_BYTES;
    be_put(slot, EPOCH, 4);
    TRY(crypto_seal(slot + 4, s->keys->wrap, slot_aad(s, number), slice_of(key, CRYPTO_KEY_BYTES)));
    if (!s->run_n)
        s->run_first = number;
    s->run_n++;
out:
    return err;
}

/* A slot within the file: where it is mapped, or read into `room`. */
static enum bourn_err get_slot(struct slots *s, uint64_t number, uint8_t room[SLOT_BYTES],
                               const uint8_t **slot)
{
    if (s->map && (number + 1) * SLOT_BYTES > s->mapped) {
        io_unmap(s->map, s->mapped);
        s->map = NULL;
    }
    if (!s->map) {
        s->mapped = MAP_BYTES_MIN;
        while (s->mapped < s->bytes)
            s->mapped *= 2;
        s->map = io_map(s->file, s->mapped);
    }
    *slot = s->map ? s->map + number * SLOT_BYTES : room;
    return s->map ? BOURN_OK : io_read(s->file, number * SLOT_BYTES, room, SLOT_BYTES);
}

void slots_prefetch(const struct slots *s, uint64_t number)
{
    if (s->map && (number + 1) * SLOT_BYTES <= s->mapped)
        __builtin_prefetch(s->map + number * SLOT_BYTES);
}

enum bourn_err slots_get(struct slots *s, uint64_t number, uint8_t key[32])
{
    uint8_t room[SLOT_BYTES];
    const uint8_t *slot = room;
    enum bourn_err err = BOURN_OK;
    crypto_wipe(key, CRYPTO_KEY_BYTES);
    TRY(put_run(s));
    if (number >= s->bytes / SLOT_BYTES)
        return err_set(BOURN_E_NOT_FOUND, "no key in this slot");
    TRY(get_slot(s, number, room, &slot));
    if (memcmp(slot, zeros, SLOT_BYTES) == 0)
        return err_set(BOURN_E_NOT_FOUND, "no key in this slot");
    if (be_get(slot, 4) != EPOCH ||
        crypto_open(key, s->keys->wrap, slot_aad(s, number), slice_of(slot + 4, SLOT_BYTES - 4)) != BOURN_OK)
        err = err_set(BOURN_E_CORRUPT,
                      "slot %llu of " SLOTS_PATH
                      " does not open: the file was altered or is that of another cell",
                      (unsigned long long)number);
out:
    return err;
}

enum bourn_err slots_zero(struct slots *s, uint64_t number)
{
    enum bourn_err err = put_run(s);
    if (err || number >= s->bytes / SLOT_BYTES)
        return err;
    return put_bytes(s, number * SLOT_BYTES, zeros, SLOT_BYTES);
}

enum bourn_err slots_zero_from(struct slots *s, uint64_t count)
{
    enum bourn_err err = put_run(s);
    if (err || count >= s->bytes / SLOT_BYTES + 1)
        return err;
    for (uint64_t at = count * SLOT_BYTES; at < s->bytes;) {
        uint64_t n = s->bytes - at < GROW_BYTES ? s->bytes - at : GROW_BYTES;
        TRY(put_bytes(s, at, zeros, (size_t)n));
        at += n;
    }
out:
    return err;
}

enum bourn_err slots_reconcile(struct slots *s, uint64_t count,
                               bool (*erased)(const void *ctx, uint64_t number), const void *ctx)
{
    enum { SLOTS_A_READ = 1024 };
    uint8_t slots[SLOTS_A_READ * SLOT_BYTES];
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(put_run(s));
    for (uint64_t first = 0; first < count; first += SLOTS_A_READ) {
        uint64_t there = s->bytes / SLOT_BYTES,
                 n = count - first < SLOTS_A_READ ? count - first : SLOTS_A_READ;
        uint64_t read = there <= first ? 0 : there - first < n ? there - first : n;
        memset(slots, 0, sizeof slots);
        if (read)
            TRY(io_read(s->file, first * SLOT_BYTES, slots, (size_t)read * SLOT_BYTES));
        for (uint64_t i = 0; i < n; i++) {
            bool empty = memcmp(slots + i * SLOT_BYTES, zeros, SLOT_BYTES) == 0;
            if (erased(ctx, first + i) && !empty)
                TRY(slots_zero(s, first + i));
            else if (!erased(ctx, first + i) && empty)
                return err_set(
                    BOURN_E_CORRUPT,
                    "person %llu has no key in " SLOTS_PATH
                    ": the file was cut or is an old one; restore the newest from the backup of the keys",
                    (unsigned long long)(first + i));
        }
    }
out:
    return err;
}

enum bourn_err slots_sync(struct slots *s)
{
    enum bourn_err err = usable(s);
    if (!err)
        err = put_run(s);
    if (err)
        return err == BOURN_E_FULL ? BOURN_E_IO : err; /* the file was long enough: its state is unknown */
    err = io_datasync(s->file);
    s->failed = err != BOURN_OK;
    return err;
}
