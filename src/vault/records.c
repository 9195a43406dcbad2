/* Reading and deleting records. A record row is keyed by subject number, collection number and record id, so
 * that one person's records lie together: listing is a range, erasure is a range. Value: version (8) ||
 * sealed JSON text. */
#include "vault/internal.h"

#include <stdlib.h>

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

static enum bourn_err add_record(struct release *rel, uint64_t id, struct slice value, size_t *room)
{
    if (value.n < 8 + CRYPTO_SEAL_OVERHEAD)
        return err_set(BOURN_E_CORRUPT, "a record row is cut");
    if (rel->records_n == *room) {
        size_t more = *room ? 2 * *room : 4;
        struct release_record *p = realloc(rel->records, more * sizeof *p);
        if (!p)
            return err_set(BOURN_E_MEMORY, "out of memory for an answer");
        rel->records = p;
        *room = more;
    }
    rel->records[rel->records_n++] =
        (struct release_record){id, be_get(value.p, 8), rel->sealed.n, value.n - 8};
    buf_put(&rel->sealed, value.p + 8, value.n - 8);
    return buf_check(&rel->sealed);
}

#define PAGE_BYTES_MAX (8u << 20)

/* Copies the sealed records of one page: from id `from` on, or that one alone. */
static enum bourn_err collect(struct vault *v, const struct subject *s, uint32_t collection, uint64_t from,
                              bool single, struct release *rel)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t prefix[RECORD_KEY_BYTES], key[RECORD_KEY_BYTES];
    struct slice found, value;
    size_t room = 0;
    record_key(prefix, s->number, collection, 0);
    for (uint64_t id = from;;) {
        record_key(key, s->number, collection, id);
        err = store_seek(v->store, STORE_RECORD, slice_of(prefix, 12), slice_of(key, sizeof key), &found,
                         &value);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        if (err)
            return err;
        bourn_assert(found.n == RECORD_KEY_BYTES);
        id = be_get(found.p + 12, 8);
        if (single && id != from)
            return BOURN_OK;
        if (rel->records_n &&
            (rel->records_n == RECORDS_PER_REPLY_MAX || rel->sealed.n + value.n > PAGE_BYTES_MAX)) {
            rel->next = id;
            return BOURN_OK;
        }
        TRY(add_record(rel, id, value, &room));
        if (single)
            return BOURN_OK;
        id++;
    }
out:
    return err;
}

static enum bourn_err release_new(const struct subject *s, struct slice collection, const uint8_t *key,
                                  struct release **out)
{
    struct release *rel = calloc(1, sizeof *rel);
    if (!rel)
        return err_set(BOURN_E_MEMORY, "out of memory for an answer");
    rel->number = s->number;
    memcpy(rel->label, s->person.label, 16);
    if (key)
        memcpy(rel->key, key, sizeof rel->key);
    memcpy(rel->collection_text, collection.p, collection.n);
    rel->collection = slice_of(rel->collection_text, collection.n);
    buf_init(&rel->sealed, PAGE_BYTES_MAX + 2 * RECORD_BYTES_MAX);
    *out = rel;
    return BOURN_OK;
}

static enum bourn_err disclosed(struct vault *v, const struct asked *q, const struct subject *s,
                                struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct release *rel = a->release;
    struct staged_row staged = {.number = s->number, .generation = s->generation};
    struct row_record *records = arena_alloc(&v->arena, (rel->records_n + 1) * sizeof *records);
    struct entry e;
    if (!records)
        return err_set(BOURN_E_MEMORY, "out of memory for an entry");
    for (size_t i = 0; i < rel->records_n; i++)
        records[i] = (struct row_record){.id = rel->records[i].id, .version = rel->records[i].version};
    entry_begin(q, ENTRY_DISCLOSED, &e);
    row_begin(&staged.row, s);
    staged.row.bases = q->out.bases;
    staged.row.bases_n = q->out.bases_n;
    row_set(&staged.row, R_BASES);
    if (rel->records_n) {
        staged.row.records = records;
        staged.row.records_n = rel->records_n;
        row_set(&staged.row, R_RECORDS);
    }
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    v->disclosures++;
    a->wait_signed = crossing(v, q);
    a->deadline_ms = v->now_ms + SIGNED_WAIT_MS_MAX;
    answer_json(a, 200);
    err = BOURN_OK;
out:
    return err;
}

/* REQ_RECORDS and REQ_RECORD. Unknown, erased and forbidden people are told apart by no answer. */
enum bourn_err handle_records(struct vault *v, const struct request *r, const struct gate_party *p,
                              struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct subject s = {0};
    struct asked q = {.party = p, .operation = OP_READ, .purpose = r->purpose};
    q.collection = world_collection(v->world, r->collection, v->now);
    if (!q.collection) {
        answer_problem(a, 404, "collection_unknown", "the cell has no such collection");
        return BOURN_OK;
    }
    bool known = false;
    err = subject_find(v, r->subject, &s);
    if (err == BOURN_OK)
        known = true;
    else if (err != BOURN_E_NOT_FOUND)
        goto out;
    decide(v, &q, known ? &s.person : NULL);
    if (q.out.verdict != GATE_ALLOW) {
        err = refuse(v, &q, a);
        goto out;
    }
    err = BOURN_OK;
    if (!known) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        goto out;
    }
    uint32_t number = (uint32_t)q.collection->index;
    const uint8_t *key = NULL;
    for (size_t i = 0; i < s.collections_n; i++)
        if (s.collections[i].number == number)
            key = s.collections[i].key;
    bool single = r->op == REQ_RECORD;
    struct release *rel = NULL;
    TRY(release_new(&s, q.collection->name, key, &rel));
    a->release = rel;
    rel->single = single;
    if (key)
        TRY(collect(v, &s, number, r->number, single, rel));
    if (single && rel->records_n == 0) {
        free(rel);
        a->release = NULL;
        answer_problem(a, 404, "record_unknown", "the person has no such record in this collection");
        goto out;
    }
    a->etag = single ? rel->records[0].version : 0;
    err = disclosed(v, &q, &s, a);
out:
    if (known)
        subject_release(&s);
    return err;
}

enum bourn_err handle_record_delete(struct vault *v, const struct request *r, const struct gate_party *p,
                                    struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct subject s = {0};
    struct slice value;
    uint8_t key[RECORD_KEY_BYTES];
    struct asked q = {.party = p, .operation = OP_DELETE, .purpose = r->purpose};
    q.collection = world_collection(v->world, r->collection, v->now);
    if (!q.collection) {
        answer_problem(a, 404, "collection_unknown", "the cell has no such collection");
        return BOURN_OK;
    }
    err = subject_find(v, r->subject, &s);
    bool known = err == BOURN_OK;
    if (err && err != BOURN_E_NOT_FOUND)
        goto out;
    decide(v, &q, known ? &s.person : NULL);
    if (q.out.verdict != GATE_ALLOW) {
        err = refuse(v, &q, a);
        goto out;
    }
    err = BOURN_OK;
    if (known) {
        record_key(key, s.number, (uint32_t)q.collection->index, r->number);
        err = store_get(v->store, STORE_RECORD, slice_of(key, sizeof key), &value);
    }
    if (!known || err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "record_unknown", "there is no such record");
        err = BOURN_OK;
        goto out;
    }
    if (err)
        goto out;
    struct row_record record = {.id = r->number, .version = be_get(value.p, 8)};
    if (r->version && r->version != record.version) {
        answer_problem(a, 412, "version_conflict", "the record is at another version: read it again");
        goto out;
    }
    struct entry e;
    struct staged_row staged = {.number = s.number, .generation = s.generation};
    entry_begin(&q, ENTRY_DELETED, &e);
    row_begin(&staged.row, &s);
    staged.row.bases = q.out.bases;
    staged.row.bases_n = q.out.bases_n;
    staged.row.records = &record;
    staged.row.records_n = 1;
    row_set(&staged.row, R_BASES);
    row_set(&staged.row, R_RECORDS);
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    TRY(batch_del(v, STORE_RECORD, slice_of(key, sizeof key)));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"deleted\":%llu}", (unsigned long long)record.id);
    err = BOURN_OK;
out:
    if (known)
        subject_release(&s);
    return err;
}
