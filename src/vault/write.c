/* Writing records: one by one over HTTP and in batches from an import, by the same path. People who are not
 * there yet are enrolled by the write. One `enrolled` and one `stored` entry a request. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>

struct item { /* one record to write */
    struct slice id, json;
    size_t row;               /* of the import, from 0 */
    size_t person;            /* position in plan.people */
    uint64_t record, version; /* filled */
    uint8_t digest[32];       /* SHA-256 of the sealed bytes */
    bool skip;
};
struct planned { /* one person of the request, once */
    struct subject s;
    uint8_t key[32]; /* HMAC of the identifier */
    bool known, allowed, changed;
    size_t records_n;
    struct asked *asked;
};
struct plan {
    struct vault *v;
    struct asked q;
    struct item *items;
    size_t items_n;
    struct planned *people;
    size_t people_n;
    uint32_t *table; /* hash table over people: position + 1 */
    size_t table_n;
};

static void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->people_n; i++)
        subject_release(&p->people[i].s);
    free(p->people);
    free(p->items);
    free(p->table);
}

static enum bourn_err plan_init(struct plan *p, struct vault *v, size_t items)
{
    *p = (struct plan){.v = v, .table_n = 16};
    while (p->table_n < 2 * items)
        p->table_n *= 2;
    p->items = calloc(items + 1, sizeof *p->items);
    p->people = calloc(items + 1, sizeof *p->people);
    p->table = calloc(p->table_n, sizeof *p->table);
    if (p->items && p->people && p->table)
        return BOURN_OK;
    plan_release(p);
    return err_set(BOURN_E_MEMORY, "out of memory for a write of %zu records", items);
}

/* Finds the person among those of this request, or loads or (later) enrols them. */
static enum bourn_err plan_person(struct plan *p, struct slice id, size_t *position)
{
    uint8_t key[32];
    subject_id_key(p->v, id, key);
    size_t at = (size_t)be_get(key, 8) & (p->table_n - 1);
    for (; p->table[at]; at = (at + 1) & (p->table_n - 1))
        if (memcmp(p->people[p->table[at] - 1].key, key, 32) == 0) {
            *position = p->table[at] - 1;
            return BOURN_OK;
        }
    struct planned *one = &p->people[p->people_n];
    memcpy(one->key, key, 32);
    enum bourn_err err = subject_find(p->v, id, &one->s);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    one->known = err == BOURN_OK;
    *position = p->people_n++;
    p->table[at] = (uint32_t)p->people_n;
    return BOURN_OK;
}

/* Whether the person has a record equal to this one in the collection. Nothing of it leaves: the writer knows
 * it. */
static enum bourn_err has_equal(struct plan *p, const struct subject *s, struct slice json, bool *same)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    uint32_t number = (uint32_t)p->q.collection->index;
    uint8_t prefix[RECORD_KEY_BYTES], key[RECORD_KEY_BYTES], aad[RECORD_AAD_MAX];
    const uint8_t *secret = NULL;
    struct slice found, value;
    struct buf plain;
    *same = false;
    for (size_t i = 0; i < s->collections_n; i++)
        if (s->collections[i].number == number)
            secret = s->collections[i].key;
    if (!secret)
        return BOURN_OK;
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    record_key(prefix, s->number, number, 0);
    for (uint64_t id = 0; !*same; id++) {
        record_key(key, s->number, number, id);
        err = store_seek(v->store, STORE_RECORD, slice_of(prefix, 12), slice_of(key, sizeof key), &found,
                         &value);
        if (err == BOURN_E_NOT_FOUND)
            break;
        TRY(err);
        id = be_get(found.p + 12, 8);
        if (value.n != 8 + CRYPTO_SEAL_OVERHEAD + json.n)
            continue;
        size_t aad_n = record_aad(aad, world_domicile(v->world), s->person.label, p->q.collection->name, id,
                                  be_get(value.p, 8));
        buf_clear(&plain);
        uint8_t *to = buf_reserve(&plain, json.n);
        TRY(buf_check(&plain));
        TRY(crypto_open(to, secret, slice_of(aad, aad_n), slice_of(value.p + 8, value.n - 8)));
        plain.n = json.n;
        *same = crypto_equal(to, json.p, json.n);
    }
    err = BOURN_OK;
out:
    buf_release(&plain);
    return err;
}

/* Seals one record under its person's collection key and puts its row. */
static enum bourn_err put_record(struct plan *p, struct item *it)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct planned *one = &p->people[it->person];
    const struct world_collection *c = p->q.collection;
    const uint8_t *secret;
    uint8_t key[RECORD_KEY_BYTES], aad[RECORD_AAD_MAX];
    bool made;
    TRY(subject_collection_key(&one->s, (uint32_t)c->index, &secret, &made));
    one->changed = one->changed || made;
    if (!it->record) {
        it->record = one->s.next_record++;
        it->version = 1;
        one->changed = true;
    }
    size_t aad_n =
        record_aad(aad, world_domicile(p->v->world), one->s.person.label, c->name, it->record, it->version);
    size_t n = 8 + it->json.n + CRYPTO_SEAL_OVERHEAD;
    uint8_t *value = arena_alloc(&p->v->arena, n);
    if (!value)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    be_put(value, it->version, 8);
    TRY(crypto_seal(value + 8, secret, slice_of(aad, aad_n), it->json));
    crypto_sha256_1(it->digest, slice_of(value + 8, n - 8));
    record_key(key, one->s.number, (uint32_t)c->index, it->record);
    TRY(batch_put(p->v, STORE_RECORD, slice_of(key, sizeof key), slice_of(value, n)));
    one->records_n++;
    err = BOURN_OK;
out:
    return err;
}

/* The `enrolled` entry of everybody who is new and has something to store. */
static enum bourn_err enrol_new(struct plan *p, struct slice *ids)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    size_t n = 0;
    struct staged_row *rows = calloc(p->people_n + 1, sizeof *rows);
    struct entry e = {.kind = ENTRY_ENROLLED, .party = p->q.party->index};
    uint64_t index, first = prev_count(v->prev);
    const char *clause;
    if (!rows)
        return err_set(BOURN_E_MEMORY, "out of memory for an entry");
    for (size_t i = 0; i < p->people_n; i++) {
        struct planned *one = &p->people[i];
        if (one->known || !one->allowed)
            continue;
        TRY(subject_new(v, ids[i], first + n, &one->s));
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

/* The `stored` entry over all records of the request, one row a person. */
static enum bourn_err stored_entry(struct plan *p, uint64_t *index)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    const char *clause;
    struct staged_row *rows = calloc(p->people_n + 1, sizeof *rows);
    size_t *row_of = calloc(p->people_n + 1, sizeof *row_of), n = 0;
    struct row_record **fill = calloc(p->people_n + 1, sizeof *fill);
    struct entry e;
    if (!rows || !row_of || !fill) {
        err = err_set(BOURN_E_MEMORY, "out of memory for an entry");
        goto out;
    }
    p->q.packs_n = world_packs(v->world, v->next_index, v->now, p->q.packs, p->q.policy);
    entry_begin(&p->q, ENTRY_STORED, &e);
    for (size_t i = 0; i < p->people_n; i++) {
        struct planned *one = &p->people[i];
        if (!one->records_n)
            continue;
        fill[i] = arena_alloc(&v->arena, one->records_n * sizeof **fill);
        if (!fill[i]) {
            err = err_set(BOURN_E_LIMIT, "the batch is full");
            goto out;
        }
        struct row *row = &rows[n].row;
        row_begin(row, &one->s);
        row->stored = fill[i];
        row->stored_n = one->records_n;
        row->bases = one->asked->out.bases;
        row->bases_n = one->asked->out.bases_n;
        row_set(row, R_STORED);
        row_set(row, R_BASES);
        rows[n].number = one->s.number;
        one->s.generation += one->changed;
        rows[n].generation = one->s.generation;
        row_of[i] = n++;
    }
    for (size_t i = 0; i < p->items_n; i++) {
        const struct item *it = &p->items[i];
        if (it->skip)
            continue;
        struct row_record *to = fill[it->person]++;
        *to = (struct row_record){.id = it->record, .version = it->version};
        struct slice parts[] = {slice_of(rows[row_of[it->person]].row.salt, 16), slice_of(it->digest, 32)};
        crypto_sha256(to->commit, parts, 2);
    }
    for (size_t i = 0; i < p->people_n; i++)
        if (p->people[i].records_n) {
            TRY(person_apply(&p->people[i].s.person, v->next_index, &e, &rows[row_of[i]].row, &clause));
            if (p->people[i].changed)
                TRY(subject_save(v, &p->people[i].s));
        }
    TRY(batch_entry(v, &e, rows, n, index));
    err = BOURN_OK;
out:
    free(rows);
    free(row_of);
    free(fill);
    return err;
}

/* One gate output serves all people without bases; the others get their own. */
static enum bourn_err decide_people(struct plan *p)
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

static bool collection_for_write(struct vault *v, const struct request *r, struct plan *p, struct answer *a)
{
    p->q.collection = world_collection(v->world, r->collection, v->now);
    if (!p->q.collection)
        answer_problem(a, 404, "collection_unknown", "the cell has no such collection");
    return p->q.collection != NULL;
}

/* REQ_RECORD_NEW and REQ_RECORD_PUT. */
enum bourn_err handle_record_write(struct vault *v, const struct request *r, const struct gate_party *party,
                                   struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct plan p;
    struct json_value json;
    struct slice id = r->subject;
    struct buf why;
    const char *code;
    buf_init(&why, 1024);
    TRY(plan_init(&p, v, 1));
    p.q = (struct asked){.party = party, .operation = OP_WRITE, .purpose = r->purpose};
    if (!collection_for_write(v, r, &p, a)) {
        err = BOURN_OK;
        goto done;
    }
    err = plan_person(&p, id, &p.items[0].person);
    if (err == BOURN_OK)
        err = decide_people(&p);
    if (err)
        goto done;
    struct planned *one = &p.people[0];
    if (!one->allowed) {
        err = refuse(v, one->asked, a);
        goto done;
    }
    if (json_check(r->body, &json) != BOURN_OK) {
        answer_problem(a, 400, "json_malformed", "%s", err_text());
        goto done;
    }
    if (json.raw.n > RECORD_BYTES_MAX) {
        answer_problem(a, 413, "record_too_large", "a record has at most %u bytes", RECORD_BYTES_MAX);
        goto done;
    }
    if (!schema_check(p.q.collection, json, &why, &code)) {
        answer_problem(a, 422, code, "%.*s", SLICE_ARG(buf_slice(&why)));
        goto done;
    }
    p.items[0].id = id;
    p.items[0].json = json.raw;
    p.items_n = 1;
    if (r->op == REQ_RECORD_PUT) {
        uint8_t key[RECORD_KEY_BYTES];
        struct slice value;
        record_key(key, one->s.number, (uint32_t)p.q.collection->index, r->number);
        err = one->known ? store_get(v->store, STORE_RECORD, slice_of(key, sizeof key), &value)
                         : BOURN_E_NOT_FOUND;
        if (err == BOURN_E_NOT_FOUND) {
            answer_problem(a, 404, "record_unknown", "the person has no such record in this collection");
            err = BOURN_OK;
            goto done;
        }
        if (err)
            goto done;
        p.items[0].record = r->number;
        p.items[0].version = be_get(value.p, 8) + 1;
        if (r->version && r->version != p.items[0].version - 1) {
            answer_problem(a, 412, "version_conflict", "the record is at another version: read it again");
            goto done;
        }
    }
    err = enrol_new(&p, &id);
    if (err == BOURN_OK)
        err = put_record(&p, &p.items[0]);
    if (err == BOURN_OK)
        err = stored_entry(&p, &a->receipt);
    if (err)
        goto done;
    answer_json(a, r->op == REQ_RECORD_NEW ? 201 : 200);
    a->etag = p.items[0].version;
    buf_printf(&a->body, "{\"id\":%llu,\"version\":%llu}", (unsigned long long)p.items[0].record,
               (unsigned long long)p.items[0].version);
done:
    plan_release(&p);
out:
    buf_release(&why);
    return err;
}

/* --- import
 * ----------------------------------------------------------------------------------------------------- */

struct import {
    struct plan plan;
    struct slice *ids; /* by position in plan.people */
    size_t stored, skipped, rejected;
    struct buf *report; /* the "rejected" array's elements */
};

static void reject(struct import *im, size_t row, const char *why)
{
    buf_printf(im->report, "%s{\"row\":%zu,\"reason\":", im->rejected++ ? "," : "", row);
    json_put_string(im->report, slice_str(why));
    buf_put_str(im->report, "}");
}

/* Decodes the subject's identifier out of a record; false with a reason. */
static bool subject_id_of(struct vault *v, struct json_value record, const char *field, struct slice *id)
{
    struct json_value value;
    struct buf text;
    if (!json_find(record, field, &value) || (value.type != JSON_STRING && value.type != JSON_NUMBER))
        return false;
    if (value.type == JSON_NUMBER) {
        *id = value.raw;
        return id->n <= SUBJECT_ID_BYTES_MAX;
    }
    if (value.raw.n - 2 > 6 * SUBJECT_ID_BYTES_MAX)
        return false;
    uint8_t *room = arena_alloc(&v->arena, value.raw.n);
    if (!room)
        return false;
    buf_init_secret(&text, value.raw.n);
    json_string_decode(value.raw, &text);
    memcpy(room, text.p ? text.p : room, text.n);
    *id = slice_of(room, text.n);
    buf_release(&text);
    return id->n > 0 && id->n <= SUBJECT_ID_BYTES_MAX;
}

static enum bourn_err import_row(struct import *im, const char *field, size_t row, struct slice line)
{
    struct plan *p = &im->plan;
    struct json_value json;
    struct buf why;
    const char *code;
    struct item *it = &p->items[p->items_n];
    size_t before = p->people_n;
    *it = (struct item){.row = row};
    if (json_check(line, &json) != BOURN_OK) {
        reject(im, row, err_text());
        return BOURN_OK;
    }
    if (json.raw.n > RECORD_BYTES_MAX) {
        reject(im, row, "the record is too large");
        return BOURN_OK;
    }
    buf_init(&why, 1024);
    bool good = schema_check(p->q.collection, json, &why, &code);
    buf_put_u8(&why, 0);
    if (!good)
        reject(im, row, (const char *)why.p);
    buf_release(&why);
    if (!good)
        return BOURN_OK;
    if (!subject_id_of(p->v, json, field, &it->id)) {
        reject(im, row, "the subject's field is missing, empty or too long");
        return BOURN_OK;
    }
    it->json = json.raw;
    enum bourn_err err = plan_person(p, it->id, &it->person);
    if (err)
        return err;
    if (p->people_n > before)
        im->ids[it->person] = it->id;
    p->items_n++;
    return BOURN_OK;
}

/* A row equal to an earlier row of the same person in this batch, or to a stored one, is skipped. */
static enum bourn_err import_skip_equal(struct import *im)
{
    struct plan *p = &im->plan;
    size_t *last = calloc(p->people_n + 1, sizeof *last), *before = calloc(p->items_n + 1, sizeof *before);
    enum bourn_err err = BOURN_E_INTERNAL;
    if (!last || !before) {
        err = err_set(BOURN_E_MEMORY, "out of memory for an import");
        goto out;
    }
    for (size_t i = 0; i < p->items_n; i++) {
        struct item *it = &p->items[i];
        struct planned *one = &p->people[it->person];
        if (!one->allowed) {
            reject(im, it->row,
                   "the gate refuses this write: the party lacks a basis, a right or the purpose");
            it->skip = true;
            continue;
        }
        if (one->known)
            TRY(has_equal(p, &one->s, it->json, &it->skip));
        for (size_t k = last[it->person]; k && !it->skip; k = before[k])
            it->skip = slice_eq(p->items[k - 1].json, it->json);
        im->skipped += it->skip;
        before[i + 1] = last[it->person];
        last[it->person] = i + 1;
    }
    err = BOURN_OK;
out:
    free(last);
    free(before);
    return err;
}

static enum bourn_err import_store(struct import *im, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct plan *p = &im->plan;
    for (size_t i = 0; i < p->people_n; i++) /* nobody is enrolled for rows that are refused or skipped */
        p->people[i].allowed = false;
    for (size_t i = 0; i < p->items_n; i++)
        if (!p->items[i].skip) {
            p->people[p->items[i].person].allowed = true;
            im->stored++;
        }
    if (!im->stored)
        return BOURN_OK;
    TRY(enrol_new(p, im->ids));
    for (size_t i = 0; i < p->items_n; i++)
        if (!p->items[i].skip)
            TRY(put_record(p, &p->items[i]));
    err = stored_entry(p, &a->receipt);
out:
    return err;
}

enum bourn_err handle_import(struct vault *v, const struct request *r, const struct gate_party *party,
                             struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct import im = {0};
    struct buf report;
    char field[65] = "";
    size_t lines = 0, row = 0;
    for (size_t i = 0; i < r->body.n; i++)
        lines += r->body.p[i] == '\n';
    if (lines == 0 || lines > IMPORT_BATCH_ROWS_MAX || r->body.p[r->body.n - 1] != '\n' ||
        !name_valid(r->path)) {
        answer_problem(a, 400, "batch_malformed",
                       "a batch is 1 to %u lines, each ended, and names the subject's field",
                       IMPORT_BATCH_ROWS_MAX);
        return BOURN_OK;
    }
    memcpy(field, r->path.p, r->path.n);
    buf_init(&report, REPLY_BYTES_MAX / 2);
    TRY(plan_init(&im.plan, v, lines));
    im.report = &report;
    im.plan.q = (struct asked){.party = party, .operation = OP_WRITE, .purpose = r->purpose};
    im.ids = calloc(lines + 1, sizeof *im.ids);
    if (!im.ids) {
        err = err_set(BOURN_E_MEMORY, "out of memory for an import");
        goto done;
    }
    if (!collection_for_write(v, r, &im.plan, a)) {
        err = BOURN_OK;
        goto done;
    }
    /* A party that may write for nobody is told so once, not row by row. */
    struct asked probe = im.plan.q;
    decide(v, &probe, NULL);
    if (probe.out.verdict != GATE_ALLOW && probe.out.code != GATE_BASIS_MISSING) {
        err = refuse(v, &probe, a);
        goto done;
    }
    const uint8_t *p = r->body.p, *end = p + r->body.n;
    while (p < end) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        err = import_row(&im, field, row++, slice_of(p, (size_t)(stop - p)));
        if (err)
            goto done;
        p = stop + 1;
    }
    err = decide_people(&im.plan);
    if (err == BOURN_OK)
        err = import_skip_equal(&im);
    if (err == BOURN_OK)
        err = import_store(&im, a);
    if (err)
        goto done;
    answer_json(a, 200);
    buf_printf(&a->body, "{\"stored\":%zu,\"skipped\":%zu,\"rejected\":[", im.stored, im.skipped);
    buf_put_slice(&a->body, buf_slice(&report));
    buf_put_str(&a->body, "]}");
    err = buf_check(&report);
done:
    plan_release(&im.plan);
    free(im.ids);
out:
    buf_release(&report);
    return err;
}
