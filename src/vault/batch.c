/* The open batch, and its frame in the journal.
 *
 * Frame payload (docs/formats/journal.md): first entry's index (8), number of entries (4), then four
 * sections, each a 4-byte length and its bytes: entries and rows; heads; store operations; numbers of erased
 * people. All big-endian. Replay applies, it never decides. */
#include "vault/internal.h"

#include "base/log.h"
#include "ledger/ledger.h"

#include <stdlib.h>

void row_begin(struct row *row, const struct subject *s)
{
    *row = (struct row){.prev = s->person.head};
    row_set(row, R_LABEL);
    row_set(row, R_PREV);
    row_set(row, R_SALT);
    memcpy(row->label, s->person.label, 16);
    crypto_random(row->salt, sizeof row->salt);
}

static int by_label(const void *a, const void *b)
{
    return memcmp(((const struct staged_row *)a)->row.label, ((const struct staged_row *)b)->row.label, 16);
}

static enum bourn_err put_rows(struct vault *v, struct entry *e, struct staged_row *rows, size_t n,
                               struct buf *out)
{
    /* Heads in the order given, so that new people's numbers ascend; rows by label. */
    for (size_t i = 0; i < n; i++) {
        buf_put_be(&v->heads, rows[i].number, 8);
        buf_put_be(&v->heads, v->next_index, 8);
        buf_put_be(&v->heads, rows[i].generation, 4);
    }
    if (n)
        qsort(rows, n, sizeof *rows, by_label);
    for (size_t i = 1; i < n; i++)
        bourn_assert(by_label(&rows[i - 1], &rows[i]) != 0); /* each person once: the callers see to it */
    for (size_t i = 0; i < n; i++) {
        size_t at = out->n;
        buf_put_be(out, 0, 4);
        row_encode(out, e->kind, &rows[i].row);
        if (buf_check(out) != BOURN_OK)
            return BOURN_E_LIMIT;
        be_put(out->p + at, out->n - at - 4, 4);
    }
    entry_set(e, E_COUNT);
    entry_set(e, E_ROOT);
    return ledger_rows_root(buf_slice(out), e->root, &e->count);
}

enum bourn_err batch_entry(struct vault *v, struct entry *e, struct staged_row *rows, size_t rows_n,
                           uint64_t *index)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf *bytes = &v->entry_bytes, *row_bytes = &v->row_bytes;
    const char *clause = "";
    buf_clear(bytes);
    buf_clear(row_bytes);
    bourn_assert(e->time == v->now); /* whoever changed a person's state with this entry saw the same time */
    v->last_time = v->now;
    crypto_random(e->salt, sizeof e->salt);
    entry_set(e, E_KIND);
    entry_set(e, E_TIME);
    entry_set(e, E_SALT);
    if (entry_kind_has_rows(e->kind))
        TRY(put_rows(v, e, rows, rows_n, row_bytes));
    entry_encode(bytes, e);
    TRY(buf_check(bytes));
    TRY(world_apply(v->world, v->next_index, e, buf_slice(bytes), &clause));
    if (entry_kind_of_world(e->kind)) {
        uint8_t key[8];
        be_put(key, v->next_index, 8);
        TRY(batch_put(v, STORE_WORLD, slice_of(key, 8), buf_slice(bytes)));
    }
    for (size_t i = 0; i < rows_n; i++)
        TRY(prev_set(v->prev, rows[i].number, v->next_index, rows[i].generation));
    buf_put_be(&v->entries, bytes->n, 2);
    buf_put_slice(&v->entries, buf_slice(bytes));
    buf_put_be(&v->entries, row_bytes->n, 4);
    buf_put_slice(&v->entries, buf_slice(row_bytes));
    TRY(buf_check(&v->entries));
    TRY(buf_check(&v->heads));
    *index = v->next_index++;
    v->entries_n++;
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err batch_head(struct vault *v, const struct subject *s)
{
    buf_put_be(&v->heads, s->number, 8);
    buf_put_be(&v->heads, s->person.head, 8);
    buf_put_be(&v->heads, s->generation, 4);
    enum bourn_err err = buf_check(&v->heads);
    return err ? err : prev_set(v->prev, s->number, s->person.head, s->generation);
}

static void put_op(struct vault *v, enum store_space space, bool put, struct slice key, struct slice value)
{
    buf_put_u8(&v->ops, (uint8_t)space);
    buf_put_u8(&v->ops, put);
    buf_put_be(&v->ops, key.n, 2);
    buf_put_slice(&v->ops, key);
    buf_put_be(&v->ops, value.n, 4);
    buf_put_slice(&v->ops, value);
}

enum bourn_err batch_put(struct vault *v, enum store_space space, struct slice key, struct slice value)
{
    put_op(v, space, true, key, value);
    return store_put(v->store, space, key, value);
}

enum bourn_err batch_del(struct vault *v, enum store_space space, struct slice key)
{
    put_op(v, space, false, key, slice_of(NULL, 0));
    return store_del(v->store, space, key);
}

enum bourn_err batch_stray(struct vault *v, enum store_space space, struct slice key)
{
    uint8_t copy[STORE_KEY_BYTES_MAX]; /* the pointer dies with the delete */
    bourn_assert(key.n <= sizeof copy);
    memcpy(copy, key.p, key.n);
    log_warning("the store held a row that bourn never writes: it is taken out; run `bourn scrub`");
    return batch_del(v, space, slice_of(copy, key.n));
}

void batch_clear(struct vault *v)
{
    buf_clear(&v->entries);
    buf_clear(&v->heads);
    buf_clear(&v->ops);
    buf_clear(&v->erased);
    v->batch_first = v->next_index;
    v->entries_n = 0;
    v->requests_n = 0;
    v->new_slots = v->reserved = v->spoiled = false;
    arena_reset(&v->arena);
}

/* --- replay
 * --------------------------------------------------------------------------------------------------- */

static bool section(struct slice *in, struct slice *out)
{
    if (in->n < 4)
        return false;
    size_t n = (size_t)be_get(in->p, 4);
    if (n > in->n - 4)
        return false;
    *out = slice_of(in->p + 4, n);
    *in = slice_of(in->p + 4 + n, in->n - 4 - n);
    return true;
}

static enum bourn_err apply_entries(struct vault *v, struct slice in, uint64_t first)
{
    enum bourn_err err = BOURN_OK;
    const char *clause = "";
    while (in.n >= 2) {
        size_t n = (size_t)be_get(in.p, 2);
        if (in.n < 2 + n + 4)
            return BOURN_E_CORRUPT;
        struct slice bytes = slice_of(in.p + 2, n);
        size_t rows = (size_t)be_get(in.p + 2 + n, 4);
        if (in.n - 2 - n - 4 < rows)
            return BOURN_E_CORRUPT;
        in = slice_of(in.p + 2 + n + 4 + rows, in.n - 2 - n - 4 - rows);
        struct entry e;
        TRY(entry_decode(bytes, &v->arena, &e));
        TRY(world_apply(v->world, first++, &e, bytes, &clause));
        v->last_time = e.time;
        v->disclosures += e.kind == ENTRY_DISCLOSED;
    }
    v->next_index = first;
    err = in.n ? BOURN_E_CORRUPT : BOURN_OK;
out:
    arena_reset(&v->arena);
    return err;
}

static enum bourn_err apply_ops(struct vault *v, struct slice in)
{
    enum bourn_err err = BOURN_OK;
    while (in.n) {
        if (in.n < 8)
            return BOURN_E_CORRUPT;
        uint8_t space = in.p[0], put = in.p[1];
        size_t key_n = (size_t)be_get(in.p + 2, 2);
        if (space >= STORE_SPACES || in.n - 8 < key_n)
            return BOURN_E_CORRUPT;
        struct slice key = slice_of(in.p + 4, key_n);
        size_t value_n = (size_t)be_get(in.p + 4 + key_n, 4);
        if (in.n - 8 - key_n < value_n)
            return BOURN_E_CORRUPT;
        struct slice value = slice_of(in.p + 8 + key_n, value_n);
        TRY(put ? store_put(v->store, space, key, value) : store_del(v->store, space, key));
        in = slice_of(value.p + value_n, in.n - 8 - key_n - value_n);
    }
out:
    return err;
}

enum bourn_err frame_apply(struct vault *v, struct slice in, const struct frame_marks *m)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice entries, heads, ops, erased;
    if (in.n < 12)
        goto corrupt;
    uint64_t first = be_get(in.p, 8);
    in = slice_of(in.p + 12, in.n - 12);
    if (!section(&in, &entries) || !section(&in, &heads) || !section(&in, &ops) || !section(&in, &erased) ||
        in.n || heads.n % 20 || erased.n % 8)
        goto corrupt;
    if (m->store) {
        if (entries.n)
            TRY(apply_entries(v, entries, first));
        TRY(apply_ops(v, ops));
    }
    for (size_t i = 0; m->prev && i < heads.n; i += 20)
        TRY(prev_set(v->prev, be_get(heads.p + i, 8), be_get(heads.p + i + 8, 8),
                     (uint32_t)be_get(heads.p + i + 16, 4)));
    if (m->backlog)
        buf_put_slice(m->backlog, entries);
    for (size_t i = 0; i < erased.n; i += 8)
        TRY(slots_zero(v->slots, be_get(erased.p + i, 8)));
    err = BOURN_OK;
out:
    return err;
corrupt:
    return err_set(BOURN_E_CORRUPT, "a journal frame is malformed though its checksum is good");
}
