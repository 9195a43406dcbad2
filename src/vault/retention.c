/* Records whose retention is over: not disclosed from that second on, deleted by a sweep, each in an
 * `expired` entry. What fell due while the cell was down is deleted at the next start; a clock that jumps
 * back deletes nothing early, because the cell's time never goes back. */
#include "vault/internal.h"

#include "base/log.h"

#include <stdlib.h>

#define EXPIRED_PER_ENTRY_MAX 400

struct due {
    uint8_t key[RECORD_KEY_BYTES];
    uint64_t version;
};

static uint32_t collection_of(const struct due *d)
{
    return (uint32_t)be_get(d->key + 8, 4);
}

static int by_person(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_KEY_BYTES);
}

static const struct world_collection *collection_numbered(const struct vault *v, uint32_t number)
{
    const struct world_collection *c;
    for (size_t i = 0; (c = world_collection_at(v->world, i)); i++)
        if (c->index == number)
            return c;
    return NULL;
}

/* What does not open stays, and holds up nobody: the others' turn comes, and its own again after a while. */
static void pass_over(struct vault *v, const uint8_t at[DUE_BYTES], const char *why)
{
    log_error("a record of person %llu is over its time and cannot be deleted: %s",
              (unsigned long long)be_get(at + 8, 8), why);
    memcpy(v->due_next, at, DUE_BYTES);
    v->due_next[DUE_BYTES] = 0;
    v->due_next_n = DUE_BYTES + 1;
}

/* BOURN_OK with *there: whether a record stands at this time under this key, of somebody alive.
 * BOURN_E_CORRUPT: it, or its person's state, is damaged. */
static enum bourn_err look_due(struct vault *v, const uint8_t at[DUE_BYTES], struct record_row *row,
                               bool *there)
{
    struct slice value;
    struct subject s;
    *there = false;
    uint64_t number = be_get(at + 8, 8);
    if (number >= prev_count(v->prev) || prev_generation(v->prev, number) == PREV_ERASED)
        return BOURN_OK;
    enum bourn_err err = store_get(v->store, STORE_PERSON, slice_of(at + 8, RECORD_KEY_BYTES), &value);
    if (err)
        return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
    if (!record_row_get(value, row))
        return err_set(BOURN_E_CORRUPT, "its row is malformed; run `bourn scrub`");
    if (row->expires != be_get(at, 8))
        return BOURN_OK;
    if (!collection_numbered(v, (uint32_t)be_get(at + 16, 4)))
        return err_set(BOURN_E_CORRUPT, "its collection is not there; run `bourn scrub`");
    err = subject_load(v, number, &s);
    if (err)
        return err;
    subject_release(&s);
    *there = true;
    return BOURN_OK;
}

/* Takes due records off the expiry index: what is still there of living people goes to `out`; the rest just
 * goes. */
static enum bourn_err take_due(struct vault *v, struct due *out, size_t *n)
{
    *n = 0;
    if (v->now_ms >= v->due_again_ms) {
        v->due_next_n = 0;
        v->due_again_ms = v->now_ms + DUE_AGAIN_MS;
    }
    for (size_t looked = 0; looked < EXPIRED_PER_ENTRY_MAX; looked++) {
        uint8_t at[DUE_BYTES];
        struct slice key, value;
        struct record_row row;
        bool there;
        enum bourn_err err = store_seek(v->store, STORE_EXPIRY, slice_of(NULL, 0),
                                        slice_of(v->due_next, v->due_next_n), &key, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        if (key.n != sizeof at) {
            err = batch_stray(v, STORE_EXPIRY, key);
            if (err)
                return err;
            continue;
        }
        if (be_get(key.p, 8) > v->now)
            return BOURN_OK;
        memcpy(at, key.p, sizeof at);
        err = look_due(v, at, &row, &there);
        if (err == BOURN_E_CORRUPT) {
            pass_over(v, at, err_text());
            continue;
        }
        if (err)
            return err;
        if (there) {
            out[*n].version = row.version;
            memcpy(out[(*n)++].key, at + 8, RECORD_KEY_BYTES);
            err = record_drop(v, at + 8);
        } else {
            err = batch_del(v, STORE_EXPIRY, slice_of(at, sizeof at));
        }
        if (err)
            return err;
    }
    return BOURN_OK;
}

static enum bourn_err row_of(struct vault *v, const struct due *d, size_t n, struct staged_row *out)
{
    struct subject s;
    struct row_record *records = arena_alloc(&v->arena, n * sizeof *records);
    if (!records)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    enum bourn_err err = subject_load(v, be_get(d->key, 8), &s);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++)
        records[i] = (struct row_record){.id = be_get(d[i].key + 12, 8), .version = d[i].version};
    *out = (struct staged_row){.number = s.number, .generation = s.generation};
    row_begin(&out->row, &s);
    out->row.records = records;
    out->row.records_n = n;
    row_set(&out->row, R_RECORDS);
    subject_release(&s);
    return BOURN_OK;
}

/* One entry over the due records of one collection. */
static enum bourn_err expired_entry(struct vault *v, const struct due *d, size_t n, uint32_t collection)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t index;
    size_t rows_n = 0;
    const struct world_collection *c = collection_numbered(v, collection);
    struct staged_row *rows = calloc(n + 1, sizeof *rows);
    struct entry e = {.kind = ENTRY_EXPIRED, .time = v->now, .cause = slice_str("retention")};
    if (!rows || !c) {
        err = err_set(rows ? BOURN_E_CORRUPT : BOURN_E_MEMORY, "an expired record's collection is not there");
        goto out;
    }
    e.collection = c->name;
    entry_set(&e, E_COLLECTION);
    entry_set(&e, E_CAUSE);
    for (size_t i = 0; i < n;) {
        size_t k = i + 1;
        while (k < n && memcmp(d[k].key, d[i].key, 8) == 0)
            k++;
        TRY(row_of(v, d + i, k - i, &rows[rows_n++]));
        i = k;
    }
    err = batch_entry(v, &e, rows, rows_n, &index);
out:
    free(rows);
    return err;
}

enum bourn_err expire(struct vault *v)
{
    struct due due[EXPIRED_PER_ENTRY_MAX], some[EXPIRED_PER_ENTRY_MAX];
    size_t n;
    enum bourn_err err = take_due(v, due, &n);
    while (err == BOURN_OK && n) { /* one collection after the other */
        uint32_t collection = collection_of(&due[0]);
        size_t some_n = 0, rest = 0;
        for (size_t i = 0; i < n; i++)
            if (collection_of(&due[i]) == collection)
                some[some_n++] = due[i];
            else
                due[rest++] = due[i];
        n = rest;
        qsort(some, some_n, sizeof *some, by_person);
        err = expired_entry(v, some, some_n, collection);
    }
    return err;
}
