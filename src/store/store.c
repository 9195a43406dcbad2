#include "store/backend.h"

static enum bourn_err check(const struct store *s, enum store_space space, struct slice key, size_t most)
{
    bourn_assert((unsigned)space < STORE_SPACES);
    if (s->failed)
        return err_set(BOURN_E_IO, "the store stopped after a failed commit; start again");
    if (key.n == 0 || key.n > most)
        return err_set(BOURN_E_LIMIT, "a key of the store has %zu bytes; allowed are 1 to %zu", key.n, most);
    return BOURN_OK;
}

void store_close(struct store *s)
{
    if (s)
        s->backend->close(s);
}

enum bourn_err store_get(struct store *s, enum store_space space, struct slice key, struct slice *value)
{
    enum bourn_err err = check(s, space, key, STORE_KEY_BYTES_MAX);
    return err ? err : s->backend->get(s, space, key, value);
}

enum bourn_err store_put(struct store *s, enum store_space space, struct slice key, struct slice value)
{
    enum bourn_err err = check(s, space, key, STORE_KEY_BYTES_MAX);
    if (err)
        return err;
    s->changed_rows++;
    return s->backend->put(s, space, key, value);
}

enum bourn_err store_del(struct store *s, enum store_space space, struct slice key)
{
    enum bourn_err err = check(s, space, key, STORE_KEY_BYTES_MAX);
    if (err)
        return err;
    s->changed_rows++;
    return s->backend->del(s, space, key);
}

enum bourn_err store_seek(struct store *s, enum store_space space, struct slice prefix, struct slice from,
                          struct slice *key, struct slice *value)
{
    if (slice_cmp(from, prefix) < 0)
        from = prefix;
    /* One byte more than a key has: a key and the zero byte that asks for the one behind it. */
    enum bourn_err err = from.n ? check(s, space, from, STORE_KEY_BYTES_MAX + 1)
                                : check(s, space, slice_str("first"), STORE_KEY_BYTES_MAX);
    if (err || (err = s->backend->seek(s, space, from, key, value)) != BOURN_OK)
        return err;
    bool ours = key->n >= prefix.n && slice_eq(slice_of(key->p, prefix.n), prefix);
    return ours ? BOURN_OK : store_absent();
}

uint64_t store_count(struct store *s, enum store_space space)
{
    bourn_assert((unsigned)space < STORE_SPACES);
    return s->failed ? 0 : s->backend->count(s, space);
}

static enum bourn_err finish(struct store *s, enum bourn_err (*how)(struct store *))
{
    if (s->failed)
        return err_set(BOURN_E_IO, "the store stopped after a failed commit; start again");
    enum bourn_err err = how(s);
    s->failed = err != BOURN_OK;
    s->changed_rows = 0;
    return err;
}

enum bourn_err store_commit(struct store *s)
{
    return finish(s, s->backend->commit);
}
/* Also after a failed commit: LMDB wrote no meta page then, so what is durable is what the last commit left,
 * and every page of the next one is written anew. */
enum bourn_err store_abort(struct store *s)
{
    s->failed = false;
    return finish(s, s->backend->abort);
}
uint64_t store_changed_rows(const struct store *s)
{
    return s->changed_rows;
}
