/* Writing records: one by one over HTTP and in batches from an import, by the same path. People who are not
 * there yet are enrolled by the write. One `enrolled` and one `stored` entry a request. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

struct item { /* one record to write */
    struct slice id;
    struct json_value json;   /* checked */
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
    uint32_t number = (uint32_t)p->q.collection->index;
    const uint8_t *secret = subject_key_of(s, number);
    struct record_row row;
    struct buf plain;
    *same = false;
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    for (uint64_t id = 0; secret && !*same; id++) {
        err = record_next(p->v, s->number, number, &id, &row);
        if (err == BOURN_E_NOT_FOUND)
            break;
        TRY(err);
        if (row.sealed.n != json.n + CRYPTO_SEAL_OVERHEAD)
            continue;
        TRY(record_open(p->v, s, p->q.collection, id, &row, &plain));
        *same = crypto_equal(plain.p, json.p, json.n);
    }
    err = BOURN_OK;
out:
    buf_release(&plain);
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
    be_put(out->p + 16, (out->n - 18) / 16, 2);
    if (expires) {
        uint8_t at[8 + RECORD_KEY_BYTES];
        be_put(at, expires, 8);
        memcpy(at + 8, key, RECORD_KEY_BYTES);
        TRY(batch_put(v, STORE_EXPIRY, slice_of(at, sizeof at), slice_of(NULL, 0)));
    }
out:
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
    struct record_row old;
    struct buf value;
    bool made;
    buf_init(&value, RECORD_BYTES_MAX + 64 * 1024);
    TRY(subject_collection_key(&one->s, (uint32_t)c->index, &secret, &made));
    one->changed = one->changed || made;
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
    TRY(put_head(p, it, key, &value));
    size_t aad_n =
        record_aad(aad, world_domicile(p->v->world), one->s.person.label, c->name, it->record, it->version);
    size_t n = it->json.raw.n + CRYPTO_SEAL_OVERHEAD;
    uint8_t *sealed = buf_reserve(&value, n);
    TRY(buf_check(&value));
    TRY(crypto_seal(sealed, secret, slice_of(aad, aad_n), it->json.raw));
    crypto_sha256_1(it->digest, slice_of(sealed, n));
    value.n += n;
    TRY(batch_put(p->v, STORE_RECORD, slice_of(key, sizeof key), buf_slice(&value)));
    one->records_n++;
    err = BOURN_OK;
out:
    buf_release(&value);
    return err;
}

/* The `enrolled` entry of everybody who is new and has something to store. */
static enum bourn_err enrol_new(struct plan *p, struct slice *ids)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault *v = p->v;
    size_t n = 0;
    struct staged_row *rows = calloc(p->people_n + 1, sizeof *rows);
    struct entry e = {.kind = ENTRY_ENROLLED, .time = v->now, .party = p->q.party->index};
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
    entry_begin(v, &p->q, ENTRY_STORED, &e);
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

/* PUT and PATCH: the record that is there, at the version asked for; for a patch, what comes out of it. False
 * with the answer made. */
static enum bourn_err change_of(struct plan *p, const struct request *r, struct buf *merged, struct answer *a,
                                bool *go)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct planned *one = &p->people[0];
    struct item *it = &p->items[0];
    uint32_t number = (uint32_t)p->q.collection->index;
    struct record_row row;
    struct json_value old, patch;
    struct buf plain, present;
    *go = false;
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    buf_init_secret(&present, 2 * RECORD_BYTES_MAX);
    err = one->known ? record_get(p->v, one->s.number, number, r->number, &row) : BOURN_E_NOT_FOUND;
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "record_unknown", "the person has no such record in this collection");
        err = BOURN_OK;
        goto out;
    }
    TRY(err);
    if (r->version && r->version != row.version) {
        answer_problem(a, 412, "version_conflict", "the record is at another version: read it again");
        goto out;
    }
    it->record = r->number;
    it->version = row.version + 1;
    *go = true;
    if (r->op == REQ_RECORD_PATCH) {
        TRY(record_open(p->v, &one->s, p->q.collection, r->number, &row, &plain));
        TRY(json_check(buf_slice(&plain), &old));
        TRY(json_check(it->json.raw, &patch));
        record_present(&present, p->q.collection, old, true);
        TRY(buf_check(&present));
        TRY(json_check(buf_slice(&present), &old));
        json_merge(merged, old, patch);
        TRY(buf_check(merged));
        it->json.raw = buf_slice(merged);
    }
out:
    buf_release(&present);
    buf_release(&plain);
    return err;
}

/* REQ_RECORD_NEW, REQ_RECORD_PUT and REQ_RECORD_PATCH. */
enum bourn_err handle_record_write(struct vault *v, const struct request *r, const struct gate_party *party,
                                   struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct plan p;
    struct json_value json;
    struct slice id = r->subject;
    struct buf why, merged;
    const char *code;
    buf_init(&why, 1024);
    buf_init_secret(&merged, 2 * RECORD_BYTES_MAX + REQUEST_BODY_BYTES_MAX);
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
        if (!one->known)
            subject_decoy(v);
        err = refuse(v, one->asked, a);
        goto done;
    }
    if (!one->known && subject_id_opaque(id)) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        goto done;
    }
    if (json_check(r->body, &json) != BOURN_OK) {
        answer_problem(a, 400, "json_malformed", "%s", err_text());
        goto done;
    }
    p.items[0].id = id;
    p.items[0].json = json;
    p.items_n = 1;
    if (r->op != REQ_RECORD_NEW) {
        bool go;
        err = change_of(&p, r, &merged, a, &go);
        if (err || !go)
            goto done;
        if (json_check(p.items[0].json.raw, &json) != BOURN_OK) { /* a merge can nest deeper than its parts */
            answer_problem(a, 400, "json_malformed", "%s", err_text());
            goto done;
        }
        p.items[0].json = json;
    }
    if (json.raw.n > RECORD_BYTES_MAX) {
        answer_problem(a, 413, "record_too_large", "a record has at most %u bytes", RECORD_BYTES_MAX);
        goto done;
    }
    if (!schema_check(p.q.collection, json, &why, &code)) {
        answer_problem(a, 422, code, "%.*s", SLICE_ARG(buf_slice(&why)));
        goto done;
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
    buf_release(&merged);
    return err;
}

/* --- import
 * ----------------------------------------------------------------------------------------------------- */

struct import {
    struct plan plan;
    struct slice *ids; /* by position in plan.people */
    size_t stored, skipped, rejected;
    bool refused;       /* some, by the gate */
    struct buf *report; /* the "rejected" array's elements */
};

static void reject(struct import *im, size_t row, struct slice why)
{
    while (why.n && !utf8_valid(why)) /* a pointer to a long name may have been cut within a character */
        why.n--;
    buf_printf(im->report, "%s{\"row\":%zu,\"reason\":", im->rejected++ ? "," : "", row);
    json_put_string(im->report, why);
    buf_put_str(im->report, "}");
}

/* The member that `path` names: one with the whole name, or else one within the object that the part before a
 * dot names ("id.bioguide"). The scanner refused deeper records than the names can have parts. */
static bool find_path(struct json_value object, struct slice path, struct json_value *out)
{
    char name[65];
    if (path.n >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(path));
    if (json_find(object, name, out))
        return true;
    for (size_t i = 1; i + 1 < path.n; i++) {
        struct json_value inner;
        if (path.p[i] != '.')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)i, (const char *)path.p);
        if (json_find(object, name, &inner) &&
            find_path(inner, slice_of(path.p + i + 1, path.n - i - 1), out))
            return true;
    }
    return false;
}

/* Decodes the subject's identifier out of a record; false with a reason. */
static bool subject_id_of(struct vault *v, struct json_value record, const char *field, struct slice *id)
{
    struct json_value value;
    struct buf text;
    if (!find_path(record, slice_str(field), &value) ||
        (value.type != JSON_STRING && value.type != JSON_NUMBER))
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
        reject(im, row, slice_str(err_text()));
        return BOURN_OK;
    }
    if (json.raw.n > RECORD_BYTES_MAX) {
        reject(im, row, slice_str("the record is too large"));
        return BOURN_OK;
    }
    buf_init(&why, 1024);
    bool good = schema_check(p->q.collection, json, &why, &code);
    if (!good)
        reject(im, row, buf_slice(&why));
    buf_release(&why);
    if (!good)
        return BOURN_OK;
    if (!subject_id_of(p->v, json, field, &it->id)) {
        reject(im, row, slice_str("the subject's field is missing, empty or too long"));
        return BOURN_OK;
    }
    if (subject_id_opaque(it->id)) {
        reject(im, row, slice_str("an identifier of a person does not begin with ~"));
        return BOURN_OK;
    }
    it->json = json;
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
                   slice_str("the gate refuses this write: the party lacks a basis, a right or the purpose"));
            it->skip = im->refused = true;
            continue;
        }
        if (one->known)
            TRY(has_equal(p, &one->s, it->json.raw, &it->skip));
        for (size_t k = last[it->person]; k && !it->skip; k = before[k])
            it->skip = slice_eq(p->items[k - 1].json.raw, it->json.raw);
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
    for (const uint8_t *at = r->body.p, *stop = at + r->body.n; at < stop && lines <= IMPORT_BATCH_ROWS_MAX;
         lines++) {
        at = memchr(at, '\n', (size_t)(stop - at));
        if (!at)
            break;
        at++;
    }
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
    if (im.refused)
        answer_hold(a, im.plan.people_n);
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

/* --- people without records
 * ---------------------------------------------------------------------------------- */

static bool identifier_of(struct vault *v, struct json_value value, struct slice *id)
{
    struct buf text;
    if (value.type != JSON_STRING || value.raw.n - 2 > 6 * SUBJECT_ID_BYTES_MAX)
        return false;
    buf_init_secret(&text, value.raw.n);
    json_string_decode(value.raw, &text);
    *id = arena_copy(&v->arena, buf_slice(&text));
    buf_release(&text);
    return id->p && id->n > 0 && id->n <= SUBJECT_ID_BYTES_MAX && !subject_id_opaque(*id);
}

/* POST /v1/subjects/lookup {"identifier"}: the opaque id, a keyed hash: it tells nothing about whether it is
 * known. */
enum bourn_err handle_lookup(struct vault *v, const struct request *r, const struct gate_party *p,
                             struct answer *a)
{
    struct json_value body, value;
    struct slice id;
    uint8_t key[32];
    (void)p;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    if (!json_find(body, "identifier", &value) || !identifier_of(v, value, &id)) {
        answer_problem(a, 422, "identifier_malformed", "/identifier: 1 to %d bytes, not beginning with ~",
                       SUBJECT_ID_BYTES_MAX);
        return BOURN_OK;
    }
    subject_id_key(v, id, key);
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"id\":\"~");
    hex_put(&a->body, slice_of(key, 32));
    buf_put_str(&a->body, "\"}");
    return BOURN_OK;
}

static enum bourn_err add_identifier(struct vault *v, struct subject *s, struct slice id)
{
    uint8_t key[32], number[8];
    subject_id_key(v, id, key);
    be_put(number, s->number, 8);
    cbor_put_text(&s->ids, id);
    s->ids_n++;
    enum bourn_err err = buf_check(&s->ids);
    return err ? err : batch_put(v, STORE_ID, slice_of(key, 32), slice_of(number, 8));
}

static enum bourn_err identifier_free(struct vault *v, struct slice id, bool *is_free)
{
    uint8_t key[32];
    struct slice value;
    subject_id_key(v, id, key);
    enum bourn_err err = store_get(v->store, STORE_ID, slice_of(key, 32), &value);
    *is_free = err == BOURN_E_NOT_FOUND;
    return *is_free ? BOURN_OK : err;
}

#define IDENTIFIERS_MAX 16

/* POST /v1/subjects {"identifiers":[…]}: a person enters, without records yet. */
enum bourn_err handle_subject_new(struct vault *v, const struct request *r, const struct gate_party *party,
                                  struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body, list;
    struct json_member m;
    struct slice ids[IDENTIFIERS_MAX];
    struct plan p;
    size_t at = 0, n = 0, position;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    bool good = json_find(body, "identifiers", &list) && list.type == JSON_ARRAY;
    while (good && json_next(list, &at, &m)) {
        good = n < IDENTIFIERS_MAX && identifier_of(v, m.value, &ids[n]);
        for (size_t i = 0; good && i < n; i++)
            good = !slice_eq(ids[i], ids[n]);
        n += good;
    }
    if (!good || n == 0) {
        answer_problem(a, 422, "identifier_malformed",
                       "/identifiers: 1 to %d different ones of at most %d bytes, not beginning with ~",
                       IDENTIFIERS_MAX, SUBJECT_ID_BYTES_MAX);
        return BOURN_OK;
    }
    for (size_t i = 0; i < n; i++) {
        bool is_free;
        TRY(identifier_free(v, ids[i], &is_free));
        if (!is_free) {
            answer_problem(a, 409, "identifier_taken", "/identifiers/%zu: belongs to somebody already", i);
            return BOURN_OK;
        }
    }
    TRY(plan_init(&p, v, 1));
    p.q = (struct asked){.party = party, .operation = OP_WRITE};
    err = plan_person(&p, ids[0], &position);
    if (err == BOURN_OK) {
        p.people[0].allowed = true;
        a->receipt = v->next_index;
        err = enrol_new(&p, ids);
    }
    for (size_t i = 1; err == BOURN_OK && i < n; i++)
        err = add_identifier(v, &p.people[0].s, ids[i]);
    if (err == BOURN_OK)
        err = subject_save(v, &p.people[0].s);
    if (err == BOURN_OK) {
        answer_json(a, 201);
        buf_put_str(&a->body, "{\"id\":\"~");
        hex_put(&a->body, slice_of(p.people[0].s.person.label, 16));
        buf_put_str(&a->body, "\"}");
    }
    plan_release(&p);
out:
    return err;
}

/* POST /v1/subjects/{s}/identifiers {"identifier"}: one more name for the same person. */
enum bourn_err handle_identifier(struct vault *v, const struct request *r, const struct gate_party *p,
                                 struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body, value;
    struct subject s;
    struct slice id;
    bool is_free;
    if (!slice_eq(p->jurisdiction, world_domicile(v->world))) {
        answer_problem(a, 403, "crossing_refused", "people are named by parties of the domicile alone");
        return BOURN_OK;
    }
    if (!body_object(r, &body, a))
        return BOURN_OK;
    if (!json_find(body, "identifier", &value) || !identifier_of(v, value, &id)) {
        answer_problem(a, 422, "identifier_malformed", "/identifier: 1 to %d bytes, not beginning with ~",
                       SUBJECT_ID_BYTES_MAX);
        return BOURN_OK;
    }
    err = subject_find(v, r->subject, &s);
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        return BOURN_OK;
    }
    if (err)
        return err;
    TRY(identifier_free(v, id, &is_free));
    if (!is_free) {
        answer_problem(a, 409, "identifier_taken", "this identifier belongs to somebody already");
    } else if (s.ids_n >= IDENTIFIERS_MAX) {
        answer_problem(a, 409, "identifiers_limit", "a person has at most %d identifiers", IDENTIFIERS_MAX);
    } else {
        s.generation++;
        TRY(add_identifier(v, &s, id));
        TRY(subject_save(v, &s));
        TRY(batch_head(v, &s));
        answer_json(a, 201);
        buf_printf(&a->body, "{\"identifiers\":%zu}", s.ids_n);
    }
    err = BOURN_OK;
out:
    subject_release(&s);
    return err;
}
