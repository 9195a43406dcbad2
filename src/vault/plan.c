/* Planning a write: see plan.h. A record's row is sealed first and put behind its person's state, so that in
 * the store the two lie side by side and an import appends. */
#include "vault/plan.h"

#include <stdlib.h>

enum { KEYS_BYTES = 2 * CRYPTO_KEY_BYTES, ROW_AROUND_BYTES = 128 };

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->people_n; i++)
        subject_release(&p->people[i].s);
    free(p->people);
    free(p->items);
    free(p->table);
    buf_release(&p->values);
    buf_release(&p->keys);
}

enum bourn_err plan_init(struct plan *p, struct vault *v, size_t items, size_t bytes)
{
    *p = (struct plan){.v = v, .table_n = 16};
    buf_init(&p->values, 4 * IMPORT_BATCH_BYTES_MAX);
    buf_init_secret(&p->keys, items * KEYS_BYTES);
    while (p->table_n < 2 * items)
        p->table_n *= 2;
    p->items = calloc(items + 1, sizeof *p->items);
    p->people = calloc(items + 1, sizeof *p->people);
    p->table = calloc(p->table_n, sizeof *p->table);
    if (p->items && p->people && p->table && buf_reserve(&p->values, bytes + items * ROW_AROUND_BYTES))
        return BOURN_OK;
    plan_release(p);
    return err_set(BOURN_E_MEMORY, "out of memory for a write of %zu records", items);
}

bool plan_collection(struct plan *p, const struct request *r, struct answer *a)
{
    p->q.collection = world_collection(p->v->world, r->collection, p->v->now);
    if (!p->q.collection)
        answer_problem(a, 404, "collection_unknown", "the cell has no such collection");
    return p->q.collection != NULL;
}

enum bourn_err plan_person(struct plan *p, struct slice id, size_t *position)
{
    struct subject_ref ref;
    subject_look(p->v, id, &ref);
    size_t at = (size_t)be_get(ref.key, 8) & (p->table_n - 1);
    for (; p->table[at]; at = (at + 1) & (p->table_n - 1))
        if (memcmp(p->people[p->table[at] - 1].key, ref.key, 32) == 0) {
            *position = p->table[at] - 1;
            return BOURN_OK;
        }
    struct planned *one = &p->people[p->people_n];
    memcpy(one->key, ref.key, 32);
    subject_guess(p->v, &ref);
    enum bourn_err err = subject_find_ref(p->v, id, &ref, &one->s);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    one->known = err == BOURN_OK;
    *position = p->people_n++;
    p->table[at] = (uint32_t)p->people_n;
    return BOURN_OK;
}

enum bourn_err plan_decide(struct plan *p)
{
    struct asked *common = NULL;
    for (size_t i = 0; i < p->people_n; i++) {
        struct planned *one = &p->people[i];
        bool plain = !one->known || one->s.person.bases_n == 0;
        if (plain && common) {
            one->asked = common;
        } else {
            one->asked = arena_alloc(&p->v->arena, sizeof *one->asked);
            if (!one->asked)
                return err_set(BOURN_E_LIMIT, "the batch is full");
            *one->asked = p->q;
            decide(p->v, one->asked, one->known ? &one->s.person : NULL);
            common = plain ? one->asked : common;
        }
        one->allowed = one->asked->out.verdict == GATE_ALLOW;
    }
    return BOURN_OK;
}

/* Keys of `people` new people, of each for itself and for the collection: asked of the kernel at once. */
static enum bourn_err draw_keys(struct plan *p, size_t people)
{
    uint8_t *to = buf_reserve(&p->keys, people * KEYS_BYTES);
    if (!to)
        return err_set(BOURN_E_MEMORY, "out of memory for keys");
    crypto_random(to, people * KEYS_BYTES);
    p->keys.n += people * KEYS_BYTES;
    return BOURN_OK;
}

enum bourn_err plan_enrol(struct plan *p, const struct slice *ids)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    size_t n = 0, people = 0;
    struct staged_row *rows = calloc(p->people_n + 1, sizeof *rows);
    struct entry e = {.kind = ENTRY_ENROLLED, .time = v->now, .party = p->q.party->index};
    uint64_t index, first = prev_count(v->prev);
    const char *clause;
    if (!rows)
        return err_set(BOURN_E_MEMORY, "out of memory for an entry");
    for (size_t i = 0; i < p->people_n; i++)
        people += !p->people[i].known && p->people[i].allowed;
    if (people)
        TRY(draw_keys(p, people));
    for (size_t i = 0; i < p->people_n; i++) {
        struct planned *one = &p->people[i];
        if (one->known || !one->allowed)
            continue;
        TRY(subject_new(v, ids[i], one->key, first + n, p->keys.p + n * KEYS_BYTES, &one->s));
        one->changed = true;
        rows[n].number = one->s.number;
        row_begin(&rows[n].row, &one->s);
        rows[n].row.prev = UINT64_MAX;
        rows[n].row.domicile = world_domicile(v->world);
        crypto_derive(rows[n].row.key_commit, one->s.key, "commitment", slice_of(rows[n].row.label, 16));
        row_set(&rows[n].row, R_DOMICILE);
        row_set(&rows[n].row, R_KEY_COMMIT);
        TRY(prev_set(v->prev, one->s.number, PREV_NONE, 0));
        TRY(person_apply(&one->s.person, v->next_index, &e, &rows[n].row, &clause));
        n++;
    }
    entry_set(&e, E_PARTY);
    err = n ? batch_entry(v, &e, rows, n, &index) : BOURN_OK;
out:
    free(rows);
    return err;
}

/* Head of the record's row: version, expiry, blind values; with the rows that point at it. */
static enum bourn_err put_head(struct plan *p, struct item *it, const uint8_t key[RECORD_KEY_BYTES],
                               struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    const struct world_collection *c = p->q.collection;
    uint64_t expires = c->retention ? v->now + c->retention : 0;
    buf_put_be(out, it->version, 8);
    buf_put_be(out, expires, 8);
    buf_put_be(out, 0, 2);
    TRY(blind_put(v, c, it->json, key, out));
    be_put(out->p + it->at + 16, (out->n - it->at - 18) / 16, 2);
    if (expires) {
        uint8_t at[8 + RECORD_KEY_BYTES];
        be_put(at, expires, 8);
        memcpy(at + 8, key, RECORD_KEY_BYTES);
        TRY(batch_put(v, STORE_EXPIRY, slice_of(at, sizeof at), slice_of(NULL, 0)));
    }
out:
    return err;
}

/* The key of the person's records in the collection; of somebody new it was drawn with theirs. */
static enum bourn_err secret_of(struct plan *p, struct planned *one, const uint8_t **secret)
{
    bool made;
    const uint8_t *fresh = NULL;
    if (!one->known && p->keys_used < p->keys.n && one->s.collections_n == 0) {
        fresh = p->keys.p + p->keys_used + CRYPTO_KEY_BYTES;
        p->keys_used += KEYS_BYTES;
    }
    enum bourn_err err =
        subject_collection_key(&one->s, (uint32_t)p->q.collection->index, fresh, secret, &made);
    one->changed = one->changed || made;
    return err;
}

enum bourn_err plan_seal(struct plan *p, struct item *it)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct planned *one = &p->people[it->person];
    const struct world_collection *c = p->q.collection;
    const uint8_t *secret;
    uint8_t key[RECORD_KEY_BYTES], aad[RECORD_AAD_MAX];
    struct record_row old;
    TRY(secret_of(p, one, &secret));
    if (it->record) {
        record_key(key, one->s.number, (uint32_t)c->index, it->record);
        TRY(record_get(p->v, one->s.number, (uint32_t)c->index, it->record, &old));
        TRY(record_unindex(p->v, &old, key));
    } else {
        it->record = one->s.next_record++;
        it->version = 1;
        one->changed = true;
        record_key(key, one->s.number, (uint32_t)c->index, it->record);
    }
    it->at = p->values.n;
    TRY(put_head(p, it, key, &p->values));
    size_t aad_n =
        record_aad(aad, world_domicile(p->v->world), one->s.person.label, c->name, it->record, it->version);
    size_t n = it->json.raw.n + CRYPTO_SEAL_OVERHEAD;
    uint8_t *sealed = buf_reserve(&p->values, n);
    TRY(buf_check(&p->values));
    TRY(crypto_seal(sealed, secret, slice_of(aad, aad_n), it->json.raw));
    crypto_sha256_1(it->digest, slice_of(sealed, n));
    p->values.n += n;
    it->len = p->values.n - it->at;
    size_t position = (size_t)(it - p->items) + 1;
    *(one->last ? &p->items[one->last - 1].next : &one->first) = position;
    one->last = position;
    one->records_n++;
    err = BOURN_OK;
out:
    return err;
}

/* The person's row of the entry, with the commitments to their records. */
static enum bourn_err stored_row(struct plan *p, struct planned *one, struct staged_row *out)
{
    struct row_record *records = arena_alloc(&p->v->arena, one->records_n * sizeof *records);
    if (!records)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    one->s.generation += one->changed;
    *out = (struct staged_row){.number = one->s.number, .generation = one->s.generation};
    row_begin(&out->row, &one->s);
    out->row.stored = records;
    out->row.stored_n = one->records_n;
    out->row.bases = one->asked->out.bases;
    out->row.bases_n = one->asked->out.bases_n;
    row_set(&out->row, R_STORED);
    row_set(&out->row, R_BASES);
    for (size_t at = one->first; at; at = p->items[at - 1].next, records++) {
        const struct item *it = &p->items[at - 1];
        *records = (struct row_record){.id = it->record, .version = it->version};
        struct slice parts[] = {slice_of(out->row.salt, 16), slice_of(it->digest, 32)};
        crypto_sha256(records->commit, parts, 2);
    }
    return BOURN_OK;
}

/* The person's state, if it changed, and behind it their records. */
static enum bourn_err put_person(struct plan *p, struct planned *one)
{
    uint8_t key[RECORD_KEY_BYTES];
    enum bourn_err err = one->changed ? subject_save(p->v, &one->s) : BOURN_OK;
    for (size_t at = one->first; at && !err; at = p->items[at - 1].next) {
        const struct item *it = &p->items[at - 1];
        record_key(key, one->s.number, (uint32_t)p->q.collection->index, it->record);
        err =
            batch_put(p->v, STORE_PERSON, slice_of(key, sizeof key), slice_of(p->values.p + it->at, it->len));
    }
    return err;
}

enum bourn_err plan_store(struct plan *p, uint64_t *index)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    const char *clause;
    struct staged_row *rows = calloc(p->people_n + 1, sizeof *rows);
    size_t n = 0;
    struct entry e;
    if (!rows)
        return err_set(BOURN_E_MEMORY, "out of memory for an entry");
    p->q.packs_n = world_packs(v->world, v->next_index, v->now, p->q.packs, p->q.policy);
    entry_begin(v, &p->q, ENTRY_STORED, &e);
    for (size_t i = 0; i < p->people_n; i++) {
        struct planned *one = &p->people[i];
        if (!one->records_n)
            continue;
        TRY(stored_row(p, one, &rows[n]));
        TRY(person_apply(&one->s.person, v->next_index, &e, &rows[n++].row, &clause));
        TRY(put_person(p, one));
    }
    TRY(batch_entry(v, &e, rows, n, index));
    err = BOURN_OK;
out:
    free(rows);
    return err;
}
