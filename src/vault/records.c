/* Reading and deleting records. A record row is keyed by subject number, collection number and record id, so
 * that one person's records lie together: listing is a range, erasure is a range. */
#include "vault/internal.h"

#include "base/text.h"

#include <stdlib.h>

#define ROW_HEAD_BYTES 18

void record_key(uint8_t out[RECORD_KEY_BYTES], uint64_t subject, uint32_t collection, uint64_t id)
{
    be_put(out, subject, 8);
    be_put(out + 8, collection, 4);
    be_put(out + 12, id, 8);
}

size_t record_aad(uint8_t out[RECORD_AAD_MAX], struct slice domicile, const uint8_t label[16],
                  struct slice collection, uint64_t id, uint64_t version)
{
    size_t n = 0;
    bourn_assert(domicile.n == 2 && collection.n <= 64);
    memcpy(out, domicile.p, 2);
    n += 2;
    memcpy(out + n, label, 16);
    n += 16;
    be_put(out + n, id, 8);
    be_put(out + n + 8, version, 8);
    n += 16;
    memcpy(out + n, collection.p, collection.n);
    return n + collection.n;
}

bool record_row_get(struct slice value, struct record_row *out)
{
    if (value.n < ROW_HEAD_BYTES)
        return false;
    size_t blinds = 16 * (size_t)be_get(value.p + 16, 2);
    if (blinds > 16 * FIELDS_PER_COLLECTION_MAX || value.n - ROW_HEAD_BYTES < blinds + CRYPTO_SEAL_OVERHEAD)
        return false;
    out->version = be_get(value.p, 8);
    out->expires = be_get(value.p + 8, 8);
    out->blinds = slice_of(value.p + ROW_HEAD_BYTES, blinds);
    out->sealed = slice_of(value.p + ROW_HEAD_BYTES + blinds, value.n - ROW_HEAD_BYTES - blinds);
    return true;
}

enum bourn_err record_get(struct vault *v, uint64_t subject, uint32_t collection, uint64_t id,
                          struct record_row *out)
{
    uint8_t key[RECORD_KEY_BYTES];
    struct slice value;
    record_key(key, subject, collection, id);
    enum bourn_err err = store_get(v->store, STORE_PERSON, slice_of(key, sizeof key), &value);
    if (err == BOURN_OK && !record_row_get(value, out))
        err = err_set(BOURN_E_CORRUPT, "a record row is malformed");
    if (err == BOURN_OK && out->expires && out->expires <= v->now)
        err = BOURN_E_NOT_FOUND; /* its time is over, though the sweep has not come by */
    return err;
}

enum bourn_err record_next(struct vault *v, uint64_t subject, uint32_t collection, uint64_t *id,
                           struct record_row *out)
{
    uint8_t prefix[RECORD_KEY_BYTES], key[RECORD_KEY_BYTES];
    struct slice found, value;
    record_key(prefix, subject, collection, 0);
    for (;; ++*id) {
        record_key(key, subject, collection, *id);
        enum bourn_err err = store_seek(v->store, STORE_PERSON, slice_of(prefix, 12),
                                        slice_of(key, sizeof key), &found, &value);
        if (err)
            return err;
        bourn_assert(found.n == RECORD_KEY_BYTES);
        *id = be_get(found.p + 12, 8);
        if (!record_row_get(value, out))
            return err_set(BOURN_E_CORRUPT, "a record row is malformed");
        if (!out->expires || out->expires > v->now)
            return BOURN_OK;
    }
}

uint64_t records_count(const struct vault *v)
{
    uint64_t rows = store_count(v->store, STORE_PERSON), states = prev_living(v->prev);
    return rows > states ? rows - states : 0;
}

enum bourn_err record_open(struct vault *v, const struct subject *s, const struct world_collection *c,
                           uint64_t id, const struct record_row *row, struct buf *out)
{
    uint8_t aad[RECORD_AAD_MAX];
    const uint8_t *key = subject_key_of(s, (uint32_t)c->index);
    size_t aad_n = record_aad(aad, world_domicile(v->world), s->person.label, c->name, id, row->version);
    size_t n = row->sealed.n - CRYPTO_SEAL_OVERHEAD;
    buf_clear(out);
    uint8_t *to = buf_reserve(out, n);
    enum bourn_err err = buf_check(out);
    if (err == BOURN_OK)
        err = key ? crypto_open(to, key, slice_of(aad, aad_n), row->sealed)
                  : err_set(BOURN_E_CORRUPT, "a record without a key");
    out->n += err ? 0 : n;
    return err;
}

const uint8_t *subject_key_of(const struct subject *s, uint32_t collection)
{
    for (size_t i = 0; i < s->collections_n; i++)
        if (s->collections[i].number == collection)
            return s->collections[i].key;
    return NULL;
}

enum bourn_err release_person(struct vault *v, const struct subject *s, uint32_t collection, uint64_t from,
                              struct slice name, struct release *rel)
{
    const uint8_t *key = subject_key_of(s, collection);
    struct record_row row;
    size_t before = rel->n;
    for (uint64_t id = from; key && id < s->next_record; id++) { /* nothing lies behind that */
        enum bourn_err err = record_next(v, s->number, collection, &id, &row);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        if (rel->n - before == RECORDS_PER_REPLY_MAX || rel->sealed.n + row.sealed.n > RELEASE_BYTES_MAX) {
            rel->next = id;
            return BOURN_OK;
        }
        err = release_add(rel, s, key, id, &row, name);
        if (err)
            return err;
    }
    return BOURN_OK;
}

bool fields_ask(struct asked *q, struct slice list, struct slice *out, size_t *n, struct answer *a)
{
    *n = 0;
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct slice one = slice_of(list.p, comma ? (size_t)(comma - list.p) : list.n);
        list = comma ? slice_of(comma + 1, list.n - one.n - 1) : slice_of(NULL, 0);
        bool declared = false, twice = false;
        for (size_t i = 0; i < q->collection->fields_n; i++)
            declared = declared || slice_eq(q->collection->fields[i].name, one);
        for (size_t i = 0; i < *n; i++)
            twice = twice || slice_eq(out[i], one);
        if (!declared || twice || *n == FIELDS_PER_COLLECTION_MAX) {
            answer_problem(a, 422, "field_undeclared",
                           "fields: each is a field that the collection declares, named once");
            return false;
        }
        out[(*n)++] = one;
    }
    return true;
}

enum bourn_err disclosed_entry(struct vault *v, const struct asked *q, const struct slice *fields,
                               size_t fields_n, struct staged_row *rows, size_t rows_n, struct answer *a)
{
    struct entry e;
    entry_begin(v, q, ENTRY_DISCLOSED, &e);
    if (fields_n) {
        e.fields = fields;
        e.fields_n = fields_n;
        entry_set(&e, E_FIELDS);
    }
    for (size_t i = 0; a->release && i < fields_n; i++)
        release_field(a->release, fields[i]);
    enum bourn_err err = batch_entry(v, &e, rows, rows_n, &a->receipt);
    v->disclosures += err == BOURN_OK;
    answer_wait(v, a, rows_n, crossing(v, q));
    return err;
}

enum bourn_err disclosed_row(struct vault *v, const struct asked *q, const struct subject *s,
                             const struct release *rel, size_t from, struct staged_row *out)
{
    size_t n = rel ? rel->n - from : 0;
    struct row_record *records = arena_alloc(&v->arena, (n + 1) * sizeof *records);
    struct row_basis *bases = arena_alloc(&v->arena, sizeof q->out.bases);
    if (!records || !bases)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    for (size_t i = 0; i < n; i++)
        records[i] =
            (struct row_record){.id = rel->records[from + i].id, .version = rel->records[from + i].version};
    memcpy(bases, q->out.bases, sizeof q->out.bases);
    *out = (struct staged_row){.number = s->number, .generation = s->generation};
    row_begin(&out->row, s);
    out->row.bases = bases;
    out->row.bases_n = q->out.bases_n;
    row_set(&out->row, R_BASES);
    if (n) {
        out->row.records = records;
        out->row.records_n = n;
        row_set(&out->row, R_RECORDS);
    }
    return BOURN_OK;
}

bool collection_ask(struct vault *v, struct slice name, struct asked *q, struct answer *a)
{
    q->collection = world_collection(v->world, name, v->now);
    if (!q->collection)
        answer_problem(a, 404, "collection_unknown", "the cell has no such collection");
    return q->collection != NULL;
}

static enum bourn_err read_of(struct vault *v, const struct request *r, struct asked *q,
                              const struct subject *s, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint32_t number = (uint32_t)q->collection->index;
    struct slice fields[FIELDS_PER_COLLECTION_MAX];
    struct staged_row staged;
    size_t fields_n;
    bool single = r->op == REQ_RECORD;
    if (!fields_ask(q, r->fields, fields, &fields_n, a))
        return BOURN_OK;
    TRY(release_new(v, single ? RELEASE_ONE : RELEASE_LIST, q->collection, &a->release));
    if (single) {
        const uint8_t *key = subject_key_of(s, number);
        struct record_row row;
        err = key ? record_get(v, s->number, number, r->number, &row) : BOURN_E_NOT_FOUND;
        if (err == BOURN_E_NOT_FOUND) {
            answer_withhold(a);
            answer_problem(a, 404, "record_unknown", "the person has no such record in this collection");
            return BOURN_OK;
        }
        TRY(err);
        TRY(release_add(a->release, s, key, r->number, &row, slice_of(NULL, 0)));
        a->etag = row.version;
    } else {
        TRY(release_person(v, s, number, r->number, slice_of(NULL, 0), a->release));
    }
    TRY(disclosed_row(v, q, s, a->release, 0, &staged));
    TRY(disclosed_entry(v, q, fields, fields_n, &staged, 1, a));
    answer_json(a, 200);
out:
    return err;
}

static void expiry_key(uint8_t out[8 + RECORD_KEY_BYTES], uint64_t second,
                       const uint8_t key[RECORD_KEY_BYTES])
{
    be_put(out, second, 8);
    memcpy(out + 8, key, RECORD_KEY_BYTES);
}

enum bourn_err record_unindex(struct vault *v, const struct record_row *row,
                              const uint8_t key[RECORD_KEY_BYTES])
{
    uint8_t at[8 + RECORD_KEY_BYTES];
    uint64_t expires = row->expires;
    enum bourn_err err = blind_drop(v, row->blinds, key);
    expiry_key(at, expires, key);
    return err || !expires ? err : batch_del(v, STORE_EXPIRY, slice_of(at, sizeof at));
}

enum bourn_err record_drop(struct vault *v, const uint8_t key[RECORD_KEY_BYTES])
{
    struct slice value;
    struct record_row row;
    enum bourn_err err = store_get(v->store, STORE_PERSON, slice_of(key, RECORD_KEY_BYTES), &value);
    if (err)
        return err;
    if (record_row_get(value, &row)) /* of a malformed one nobody knows what points at it: scrub finds that */
        err = record_unindex(v, &row, key);
    return err ? err : batch_del(v, STORE_PERSON, slice_of(key, RECORD_KEY_BYTES));
}

static enum bourn_err delete_of(struct vault *v, const struct request *r, const struct asked *q,
                                const struct subject *s, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct record_row row;
    struct staged_row staged;
    struct entry e;
    uint8_t key[RECORD_KEY_BYTES];
    uint32_t number = (uint32_t)q->collection->index;
    err = record_get(v, s->number, number, r->number, &row);
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "record_unknown", "there is no such record");
        return BOURN_OK;
    }
    TRY(err);
    struct row_record record = {.id = r->number, .version = row.version};
    if (r->version && r->version != row.version) {
        answer_problem(a, 412, "version_conflict", "the record is at another version: read it again");
        return BOURN_OK;
    }
    entry_begin(v, q, ENTRY_DELETED, &e);
    TRY(disclosed_row(v, q, s, NULL, 0, &staged));
    staged.row.records = &record;
    staged.row.records_n = 1;
    row_set(&staged.row, R_RECORDS);
    record_key(key, s->number, number, r->number);
    TRY(record_drop(v, key));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"deleted\":%llu}", (unsigned long long)record.id);
out:
    return err;
}

/* REQ_RECORDS, REQ_RECORD and REQ_RECORD_DELETE. Unknown, erased and forbidden people are told apart by no
 * answer. */
enum bourn_err handle_records(struct vault *v, const struct request *r, const struct gate_party *p,
                              struct answer *a)
{
    struct subject s = {0};
    bool reads = r->op != REQ_RECORD_DELETE;
    struct asked q = {.party = p, .operation = reads ? OP_READ : OP_DELETE, .purpose = r->purpose};
    if (!collection_ask(v, r->collection, &q, a))
        return BOURN_OK;
    enum bourn_err err = subject_find_alike(v, r->subject, &s);
    bool known = err == BOURN_OK;
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    decide(v, &q, known ? &s.person : NULL);
    err = BOURN_OK;
    if (q.out.verdict != GATE_ALLOW)
        err = refuse(v, &q, a);
    else if (known)
        err = reads ? read_of(v, r, &q, &s, a) : delete_of(v, r, &q, &s, a);
    else if (reads)
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
    else
        answer_problem(a, 404, "record_unknown", "there is no such record");
    if (known)
        subject_release(&s);
    return err;
}
