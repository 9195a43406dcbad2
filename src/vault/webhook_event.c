/* What a party is told of an entry, and how its people are known: those whom it enrolled or wrote records of.
 * A webhook goes through the ledger from its party's own entry on, so this is a function of the entries below
 * its mark. An entry and its rows are all that is read: what is told holds labels, and nothing of a record.
 */
#include "vault/webhook_internal.h"

#include "gate/event.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

enum { LABEL_BYTES = 16 };

static bool known_key(uint8_t out[8 + LABEL_BYTES], uint64_t party, struct slice row)
{
    be_put(out, party, 8);
    return row_label(row, out + 8);
}

/* Nothing that was signed says what the files hold: the rows are held against the entry, which is held
 * against the tree before an event of it is signed. */
static enum bourn_err rows_hold(const struct entry *e, struct slice group)
{
    uint8_t root[32];
    uint64_t count;
    enum bourn_err err = ledger_rows_root(group, root, &count);
    if (!err && count == e->count && (!count || memcmp(root, e->root, 32) == 0))
        return BOURN_OK;
    return err_set(BOURN_E_CORRUPT, "the rows of an entry are not those that were signed: run `bourn scrub`");
}

static enum bourn_err is_known(struct vault *v, const uint8_t key[8 + LABEL_BYTES], bool *known)
{
    struct slice value;
    enum bourn_err err = store_get(v->store, STORE_WEBHOOK, slice_of(key, 8 + LABEL_BYTES), &value);
    *known = err == BOURN_OK;
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

/* The people of these rows become the party's, or nobody's: they were erased. */
static enum bourn_err learn(struct vault *v, const struct webhook *h, bool theirs)
{
    enum bourn_err err = BOURN_OK;
    uint8_t key[8 + LABEL_BYTES];
    struct slice row;
    size_t at = 0;
    bool known;
    while (rows_next(buf_slice(&v->webhooks->group), &at, &row)) {
        if (!known_key(key, h->party, row))
            return err_set(BOURN_E_CORRUPT, "a row of an entry is malformed");
        TRY(is_known(v, key, &known));
        if (known && !theirs)
            TRY(store_del(v->store, STORE_WEBHOOK, slice_of(key, sizeof key)));
        else if (!known && theirs)
            TRY(store_put(v->store, STORE_WEBHOOK, slice_of(key, sizeof key), slice_of(NULL, 0)));
    }
out:
    return err;
}

static enum bourn_err tell(struct vault *v, const struct webhook *h, const struct entry *e)
{
    enum bourn_err err = BOURN_OK;
    struct buf *lines = &v->webhooks->lines, people;
    uint8_t key[8 + LABEL_BYTES];
    struct slice row;
    uint64_t n = 0;
    size_t at = 0;
    bool known;
    buf_init(&people, EVENT_LINES_BYTES_MAX);
    while (rows_next(buf_slice(&v->webhooks->group), &at, &row)) {
        if (!known_key(key, h->party, row)) {
            err = err_set(BOURN_E_CORRUPT, "a row of an entry is malformed");
            goto out;
        }
        TRY(is_known(v, key, &known));
        if (!known)
            continue;
        n++;
        event_label_put(&people, key + 8);
    }
    if (n) {
        event_head_put(lines, h->party, e, n);
        buf_put_slice(lines, buf_slice(&people));
        lines->failed |= people.failed;
    }
    err = buf_check(lines);
out:
    buf_release(&people);
    return err;
}

static bool theirs(const struct webhook *h, const struct entry *e)
{
    return (e->kind == ENTRY_ENROLLED || e->kind == ENTRY_STORED) && e->party == h->party;
}

/* Also by the log before this one. */
static bool erases(const struct entry *e)
{
    return e->kind == ENTRY_ERASED || (e->kind == ENTRY_CARRIED && entry_has(e, E_ASKED_BY));
}

/* Entries are read by the bundle: most are looked at one after the other, and few concern a party. */
static enum bourn_err entry_at(struct vault *v, uint64_t index, uint64_t flushed, struct slice *out)
{
    struct webhooks *w = v->webhooks;
    bool there = w->bundle_next == index && w->bundle_at < w->bundle.n;
    if (!there) {
        buf_clear(&w->bundle);
        w->bundle_at = 0;
        w->bundle_next = index - index % MERKLE_TILE_WIDTH;
        enum bourn_err err = ledger_bundle(v->cell, index / MERKLE_TILE_WIDTH, flushed, &w->bundle);
        if (err)
            return err;
    }
    do {
        if (!bundle_next(buf_slice(&w->bundle), &w->bundle_at, out)) {
            buf_clear(&w->bundle);
            return err_set(BOURN_E_CORRUPT, "the bundle of entry %llu is cut", (unsigned long long)index);
        }
    } while (w->bundle_next++ < index);
    return BOURN_OK;
}

enum bourn_err webhook_look(struct vault *v, const struct webhook *h, uint64_t flushed)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct webhooks *w = v->webhooks;
    struct slice bytes;
    struct entry e;
    buf_clear(&w->bytes);
    buf_clear(&w->group);
    buf_clear(&w->lines);
    arena_reset(&w->arena);
    TRY(entry_at(v, h->mark, flushed, &bytes));
    TRY(entry_decode(bytes, &w->arena, &e));
    bool told = e.kind == ENTRY_DISCLOSED && h->mark > h->since;
    if (!told && !theirs(h, &e) && !erases(&e))
        return BOURN_OK;
    TRY(ledger_read(v->cell, h->mark, flushed, &w->bytes, &w->group));
    TRY(rows_hold(&e, buf_slice(&w->group)));
    err = told ? tell(v, h, &e) : learn(v, h, theirs(h, &e));
out:
    return err;
}

/* --- the mark */

static struct slice mark_key(uint8_t out[9], uint64_t party)
{
    be_put(out, party, 8);
    out[8] = 'm';
    return slice_of(out, 9);
}

enum bourn_err webhook_mark_read(struct vault *v, struct webhook *h)
{
    uint8_t key[9];
    struct slice value;
    enum bourn_err err = store_get(v->store, STORE_WEBHOOK, mark_key(key, h->party), &value);
    if (err == BOURN_OK && value.n != 8)
        return err_set(BOURN_E_CORRUPT, "the mark of a webhook is malformed");
    h->mark = err == BOURN_OK ? be_get(value.p, 8) : h->party;
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

enum bourn_err webhook_mark_write(struct vault *v, const struct webhook *h)
{
    uint8_t key[9], value[8];
    be_put(value, h->mark, 8);
    return store_put(v->store, STORE_WEBHOOK, mark_key(key, h->party), slice_of(value, sizeof value));
}
