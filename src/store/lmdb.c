/* LMDB behind store.h: a named database for each space, and one write transaction that is always open.
 * Default sync: with NOSYNC a power cut leaves wrong rows behind, and the journal could not tell. */
#include "base/limits.h"
#include "io/io.h"
#include "store/backend.h"
#include "store/later.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#define MAP_BYTES_LEAST (1ull << 30)

struct store_lmdb {
    struct store base;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi[STORE_SPACES];
    struct later later[STORE_SPACES];  /* of the spaces that are_hashes */
    MDB_cursor *cursors[STORE_SPACES]; /* made at the first look; a write transaction frees them at its end */
};

static struct store_lmdb *self(struct store *s)
{
    return (struct store_lmdb *)s;
}

static enum bourn_err lmdb_failed(const char *what, int rc)
{
    if (rc == ENOSPC || rc == EDQUOT)
        return err_set(BOURN_E_FULL,
                       "cannot %s in store/: no space left on the volume; free space, then start again",
                       what);
    if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
        return err_set(BOURN_E_FULL, "cannot %s in store/: %s", what, mdb_strerror(rc));
    if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return err_set(BOURN_E_CORRUPT,
                       "cannot %s in store/: %s; its files are damaged: restore the cell from a backup", what,
                       mdb_strerror(rc));
    return err_set(rc == ENOMEM ? BOURN_E_MEMORY : BOURN_E_IO, "cannot %s in store/: %s", what,
                   mdb_strerror(rc));
}

static MDB_val val(struct slice s)
{
    return (MDB_val){.mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p};
}

static enum bourn_err begin(struct store_lmdb *l)
{
    memset(l->cursors, 0, sizeof l->cursors);
    int rc = mdb_txn_begin(l->env, NULL, 0, &l->txn);
    if (rc)
        l->txn = NULL;
    return rc ? lmdb_failed("begin a transaction", rc) : BOURN_OK;
}

static void lmdb_close(struct store *s)
{
    struct store_lmdb *l = self(s);
    for (unsigned i = 0; i < STORE_SPACES; i++)
        later_release(&l->later[i]);
    if (l->txn)
        mdb_txn_abort(l->txn);
    if (l->env)
        mdb_env_close(l->env);
    free(l);
}

static int cursor_of(struct store_lmdb *l, enum store_space space)
{
    return l->cursors[space] ? 0 : mdb_cursor_open(l->txn, l->dbi[space], &l->cursors[space]);
}

static bool are_hashes(enum store_space space)
{
    return space == STORE_ID || space == STORE_LABEL;
}

/* Puts what was held back into the tree. */
static enum bourn_err settle(struct store_lmdb *l, enum store_space space)
{
    struct later *held = &l->later[space];
    int rc = held->n ? cursor_of(l, space) : 0;
    later_sort(held);
    for (uint32_t i = 0; i < held->n && !rc; i++) {
        struct later_row *r = &held->rows[i];
        MDB_val k = {r->key_n, r->key}, v = {sizeof r->value, r->value};
        rc = mdb_cursor_put(l->cursors[space], &k, &v, 0);
    }
    later_clear(held); /* after an error the transaction is good for nothing but an abort */
    return rc ? lmdb_failed("write a row", rc) : BOURN_OK;
}

/* With the space's cursor: what is looked for next often lies on the same page, and then LMDB walks no tree.
 */
static enum bourn_err lmdb_get(struct store *s, enum store_space space, struct slice key, struct slice *value)
{
    struct store_lmdb *l = self(s);
    const struct later_row *held = later_find(&l->later[space], key);
    if (held) {
        *value = slice_of(held->value, sizeof held->value);
        return BOURN_OK;
    }
    MDB_val k = val(key), v;
    int rc = cursor_of(l, space);
    if (!rc)
        rc = mdb_cursor_get(l->cursors[space], &k, &v, MDB_SET);
    if (rc)
        return rc == MDB_NOTFOUND ? store_absent() : lmdb_failed("read a row", rc);
    *value = slice_of(v.mv_data, v.mv_size);
    return BOURN_OK;
}

static enum bourn_err lmdb_put(struct store *s, enum store_space space, struct slice key, struct slice value)
{
    struct store_lmdb *l = self(s);
    enum bourn_err err = BOURN_OK;
    if (are_hashes(space) && later_fits(key, value)) {
        if (l->later[space].n == LATER_ROWS_MAX)
            err = settle(l, space);
        return err ? err : later_put(&l->later[space], key, value);
    }
    err = settle(l, space); /* one of them may have this key */
    MDB_val k = val(key), v = val(value);
    int rc = err ? 0 : mdb_put(l->txn, l->dbi[space], &k, &v, 0);
    return rc ? lmdb_failed("write a row", rc) : err;
}

static enum bourn_err lmdb_del(struct store *s, enum store_space space, struct slice key)
{
    struct store_lmdb *l = self(s);
    enum bourn_err err = settle(l, space);
    MDB_val k = val(key);
    int rc = err ? 0 : mdb_del(l->txn, l->dbi[space], &k, NULL);
    return rc && rc != MDB_NOTFOUND ? lmdb_failed("delete a row", rc) : err;
}

static enum bourn_err lmdb_seek(struct store *s, enum store_space space, struct slice from, struct slice *key,
                                struct slice *value)
{
    struct store_lmdb *l = self(s);
    MDB_val k = val(from), v;
    enum bourn_err err = settle(l, space);
    if (err)
        return err;
    int rc = cursor_of(l, space);
    if (!rc)
        rc = mdb_cursor_get(l->cursors[space], &k, &v, from.n ? MDB_SET_RANGE : MDB_FIRST);
    if (rc)
        return rc == MDB_NOTFOUND ? store_absent() : lmdb_failed("look for a row", rc);
    *key = slice_of(k.mv_data, k.mv_size);
    *value = slice_of(v.mv_data, v.mv_size);
    return BOURN_OK;
}

static uint64_t lmdb_count(struct store *s, enum store_space space)
{
    struct store_lmdb *l = self(s);
    MDB_stat st;
    if (settle(l, space) != BOURN_OK)
        return 0;
    return mdb_stat(l->txn, l->dbi[space], &st) == 0 ? st.ms_entries : 0;
}

static enum bourn_err lmdb_commit(struct store *s)
{
    struct store_lmdb *l = self(s);
    for (enum store_space i = 0; i < STORE_SPACES; i++) {
        enum bourn_err err = settle(l, i);
        if (err)
            return err;
    }
    int rc = mdb_txn_commit(l->txn);
    l->txn = NULL; /* freed in either case */
    return rc ? lmdb_failed("commit", rc) : begin(l);
}

static enum bourn_err lmdb_abort(struct store *s)
{
    struct store_lmdb *l = self(s);
    if (l->txn) /* none after a failed commit */
        mdb_txn_abort(l->txn);
    l->txn = NULL;
    for (unsigned i = 0; i < STORE_SPACES; i++)
        later_clear(&l->later[i]);
    return begin(l);
}

static const struct store_backend lmdb_backend = {
    .close = lmdb_close,
    .get = lmdb_get,
    .put = lmdb_put,
    .del = lmdb_del,
    .seek = lmdb_seek,
    .count = lmdb_count,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
};

static int open_env(struct store_lmdb *l, const char *dir, size_t map_bytes)
{
    int rc = mdb_env_create(&l->env);
    if (rc) {
        l->env = NULL;
        return rc;
    }
    if ((rc = mdb_env_set_mapsize(l->env, map_bytes)) == 0 &&
        (rc = mdb_env_set_maxdbs(l->env, STORE_SPACES)) == 0)
        rc = mdb_env_open(l->env, dir, MDB_NOTLS, 0600);
    if (rc) {
        mdb_env_close(l->env);
        l->env = NULL;
    }
    return rc;
}

static enum bourn_err open_spaces(struct store_lmdb *l)
{
    static const char *const names[STORE_SPACES] = {
        [STORE_META] = "meta",       [STORE_WORLD] = "world",         [STORE_ID] = "id",
        [STORE_LABEL] = "label",     [STORE_PERSON] = "person",       [STORE_EVIDENCE] = "evidence",
        [STORE_TOKEN] = "token",     [STORE_CODE] = "code",           [STORE_USED] = "used",
        [STORE_NOTICE] = "notice",   [STORE_SWEEP] = "sweep",         [STORE_BLIND] = "blind",
        [STORE_EXPIRY] = "expiry",   [STORE_CONSENTED] = "consented", [STORE_IDEMPOTENT] = "idempotent",
        [STORE_WEBHOOK] = "webhook",
    };
    enum bourn_err err = begin(l);
    for (unsigned i = 0; !err && i < STORE_SPACES; i++) {
        int rc = mdb_dbi_open(l->txn, names[i], MDB_CREATE, &l->dbi[i]);
        err = rc ? lmdb_failed("open a space", rc) : BOURN_OK;
    }
    return err ? err : lmdb_commit(&l->base);
}

/* The names of LMDB's files must be as durable as what is committed into them. */
static enum bourn_err sync_folder(const char *dir)
{
    struct io_dir *d = NULL;
    enum bourn_err err = io_dir_open(dir, &d);
    if (!err)
        err = io_dir_sync(d);
    io_dir_close(d);
    return err;
}

enum bourn_err store_open_lmdb(const char *dir, struct store **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct store_lmdb *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(BOURN_E_MEMORY, "out of memory opening the store");
    l->base.backend = &lmdb_backend;
    uint64_t map_bytes = STORE_MAP_BYTES;
    int rc;
    while ((rc = open_env(l, dir, (size_t)map_bytes)) == ENOMEM && map_bytes > MAP_BYTES_LEAST)
        map_bytes /= 2;
    if (rc) {
        err = lmdb_failed("open the database", rc);
        goto out;
    }
    TRY(open_spaces(l));
    TRY(sync_folder(dir));
    *out = &l->base;
out:
    if (err)
        lmdb_close(&l->base);
    return err;
}
