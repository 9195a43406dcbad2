/* Equality search by blind index, and disclosure about many people. Both are disclosures like any other: the
 * gate decides for each person, and one entry holds a row for each of whom something leaves; a search that
 * finds nobody is an entry too.
 *
 * A blind row's key is mac (16) || subject number (8) || collection number (4) || record id (8); mac is
 * HMAC-SHA256 cut to 16 bytes, under the epoch's key for blind rows, over collection number, field name and
 * the value's bytes. */
#include "vault/internal.h"

#include "base/text.h"

#include <stdlib.h>

#define BLIND_KEY_BYTES (16 + RECORD_KEY_BYTES)
#define WHERE_MAX 8
enum { ROWS_TABLE = 2048, AHEAD = 64, NEAR = 2 };
_Static_assert(ROWS_TABLE > 2 * PAGE_PEOPLE_MAX, "the table of rows stays sparse");

/* The bytes of a value that an index compares: decoded text of strings, the literal of others. */
static void value_text(struct json_value value, struct buf *out)
{
    if (value.type == JSON_STRING)
        json_string_decode(value.raw, out);
    else
        buf_put_slice(out, value.raw);
}

static void blind_mac(const struct vault *v, uint32_t collection, struct slice field, struct slice text,
                      uint8_t out[16])
{
    uint8_t number[4], mac[32];
    be_put(number, collection, 4);
    struct slice parts[] = {slice_of(number, 4), field, slice_of("", 1), text};
    crypto_mac(&v->blind_mac, mac, parts, 4);
    memcpy(out, mac, 16);
}

static bool indexed(struct json_value value)
{
    return value.type != JSON_NULL && value.type < JSON_ARRAY;
}

enum bourn_err blind_values(struct vault *v, const struct world_collection *c, struct json_value record,
                            struct buf *macs)
{
    struct buf text;
    uint8_t mac[16];
    buf_init_secret(&text, RECORD_BYTES_MAX);
    for (size_t i = 0; i < c->fields_n; i++) {
        struct json_value value;
        char name[65] = "";
        if (!(c->fields[i].flags & FIELD_SEARCHABLE))
            continue;
        memcpy(name, c->fields[i].name.p, c->fields[i].name.n);
        if (!json_find(record, name, &value) || !indexed(value))
            continue;
        buf_clear(&text);
        value_text(value, &text);
        if (!text.n)
            continue;
        blind_mac(v, (uint32_t)c->index, c->fields[i].name, buf_slice(&text), mac);
        buf_put(macs, mac, 16);
    }
    buf_release(&text);
    return buf_check(macs);
}

enum bourn_err blind_put(struct vault *v, const struct world_collection *c, struct json_value record,
                         const uint8_t key[RECORD_KEY_BYTES], struct buf *macs)
{
    uint8_t row[BLIND_KEY_BYTES];
    size_t before = macs->n;
    enum bourn_err err = blind_values(v, c, record, macs);
    memcpy(row + 16, key, RECORD_KEY_BYTES);
    for (size_t at = before; at < macs->n && err == BOURN_OK; at += 16) {
        memcpy(row, macs->p + at, 16);
        err = batch_put(v, STORE_BLIND, slice_of(row, sizeof row), slice_of(NULL, 0));
    }
    return err;
}

enum bourn_err blind_drop(struct vault *v, struct slice blinds, const uint8_t key[RECORD_KEY_BYTES])
{
    uint8_t row[BLIND_KEY_BYTES], macs[16 * FIELDS_PER_COLLECTION_MAX];
    if (blinds.n > sizeof macs)
        return err_set(BOURN_E_CORRUPT, "a record row is malformed");
    if (blinds.n)
        memcpy(macs, blinds.p, blinds.n); /* the pointer dies with the first delete */
    memcpy(row + 16, key, RECORD_KEY_BYTES);
    for (size_t i = 0; i < blinds.n; i += 16) {
        memcpy(row, macs + i, 16);
        enum bourn_err err = batch_del(v, STORE_BLIND, slice_of(row, sizeof row));
        if (err)
            return err;
    }
    return BOURN_OK;
}

/* --- what is asked
 * ------------------------------------------------------------------------------------------------ */

struct finding {
    struct asked q;
    struct answer *a;
    struct release *rel;
    struct slice fields[FIELDS_PER_COLLECTION_MAX];
    size_t fields_n;
    uint8_t where[WHERE_MAX][16]; /* blind values that a record must all have */
    size_t where_n;
    struct staged_row *rows;
    size_t rows_n, refused;       /* refused: named, and nothing is disclosed of them … */
    size_t denied;                /* … or of these by the gate */
    bool listed;                  /* people are named, not looked for */
    uint16_t rows_of[ROWS_TABLE]; /* hash table over rows by their people's numbers: position + 1 */
    size_t looked;                /* people looked at for this page, disclosed or not */
    bool plain;                   /* q.out is what the gate says of people without bases, see decide_person */
    bool each;                    /* the gate leaves it to the bases of each person */
    bool over;                    /* somebody has more matching records than one page takes */
};

/* The gate is pure, and of a person it sees the bases alone; index and time are one for the whole page. So
 * one decision is that of everybody who has no bases, and of those who are unknown. */
static void decide_person(struct vault *v, struct finding *f, const struct person *p)
{
    bool plain = !p || p->bases_n == 0;
    if (!plain || !f->plain)
        decide(v, &f->q, p);
    f->plain = plain;
}

static const struct entry_field *searchable(const struct world_collection *c, struct slice raw_name)
{
    for (size_t i = 0; i < c->fields_n; i++)
        if (c->fields[i].flags & FIELD_SEARCHABLE && json_string_is(raw_name, c->fields[i].name))
            return &c->fields[i];
    return NULL;
}

static bool ask_where(struct vault *v, struct json_value where, struct finding *f)
{
    struct json_member m;
    struct buf text;
    size_t at = 0;
    bool good = where.type == JSON_OBJECT;
    buf_init_secret(&text, RECORD_BYTES_MAX);
    while (good && json_next(where, &at, &m)) {
        const struct entry_field *field = searchable(f->q.collection, m.name);
        good = field && f->where_n < WHERE_MAX && indexed(m.value);
        if (!good)
            break;
        buf_clear(&text);
        value_text(m.value, &text);
        blind_mac(v, (uint32_t)f->q.collection->index, field->name, buf_slice(&text), f->where[f->where_n++]);
    }
    buf_release(&text);
    good = good && f->where_n > 0;
    if (!good)
        answer_problem(f->a, 422, "where_malformed",
                       "/where: an object of 1 to %d searchable fields of the collection, each with a value",
                       WHERE_MAX);
    return good;
}

/* A member that is an array of field names, joined by commas for fields_ask. */
static bool ask_fields(struct vault *v, struct json_value body, struct finding *f)
{
    struct json_value list;
    struct json_member m;
    struct buf joined;
    size_t at = 0;
    if (!json_find(body, "fields", &list))
        return true;
    buf_init(&joined, 32 * 1024);
    while (list.type == JSON_ARRAY && json_next(list, &at, &m)) {
        if (joined.n)
            buf_put_str(&joined, ",");
        value_text(m.value, &joined);
    }
    struct slice text = arena_copy(&v->arena, buf_slice(&joined));
    buf_release(&joined);
    return fields_ask(&f->q, text, f->fields, &f->fields_n, f->a);
}

/* Refuses what no person's basis could make good: a missing right, an undeclared purpose, no rule. That comes
 * before anything else that the body asks for, so that such a party is told nothing but that. */
static enum bourn_err ask(struct vault *v, struct json_value body, struct finding *f, bool *go)
{
    struct json_value value;
    struct buf name;
    buf_init(&name, 256);
    if (json_find(body, "collection", &value) && value.type == JSON_STRING && value.raw.n < 256)
        json_string_decode(value.raw, &name);
    bool found = collection_ask(v, buf_slice(&name), &f->q, f->a);
    buf_release(&name);
    decide_person(v, f, NULL);
    f->each = f->q.out.code == GATE_BASIS_MISSING;
    *go = f->q.out.verdict == GATE_ALLOW || f->each;
    /* What the rules say can depend on the collection: of none that is known, the 404 says enough. */
    bool ruled = f->q.out.code == GATE_NO_RULE || f->q.out.code == GATE_NEEDS_DECISION;
    if (!*go && (found || !ruled))
        return refuse(v, &f->q, f->a);
    *go = found && ask_fields(v, body, f);
    return BOURN_OK;
}

/* --- what is found
 * -------------------------------------------------------------------------------------------------- */

static void label_name(const struct subject *s, struct buf *out)
{
    buf_put_str(out, "~");
    hex_put(out, slice_of(s->person.label, 16));
}

static bool matches(const struct finding *f, const struct record_row *row)
{
    for (size_t i = 0; i < f->where_n; i++) {
        bool has = false;
        for (size_t k = 0; k < row->blinds.n; k += 16)
            has = has || memcmp(row->blinds.p + k, f->where[i], 16) == 0;
        if (!has)
            return false;
    }
    return true;
}

/* Where a person's row stands in the table, or is to be put. */
static uint16_t *row_of(struct finding *f, uint64_t number)
{
    size_t at = (size_t)(number * 0x9e3779b97f4a7c15u >> 32) % ROWS_TABLE;
    while (f->rows_of[at] && f->rows[f->rows_of[at] - 1].number != number)
        at = (at + 1) % ROWS_TABLE;
    return &f->rows_of[at];
}

/* Adds a person's matching records to the page, and the row. Nothing if the gate refuses or nothing matches.
 */
static enum bourn_err add_person(struct vault *v, struct finding *f, const struct subject *s,
                                 struct slice name, bool *added)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint32_t number = (uint32_t)f->q.collection->index;
    const uint8_t *key = subject_key_of(s, number);
    size_t before = f->rel->n;
    struct record_row row;
    *added = false;
    uint16_t *row_at = row_of(f, s->number);
    if (*row_at)
        return BOURN_OK; /* named twice: a person has one row in an entry, and is disclosed once */
    decide_person(v, f, &s->person);
    if (f->q.out.verdict != GATE_ALLOW) {
        f->denied++;
        return BOURN_OK;
    }
    for (uint64_t id = 0; key && id < s->next_record; id++) {
        err = record_next(v, s->number, number, &id, &row);
        if (err == BOURN_E_NOT_FOUND)
            break;
        TRY(err);
        if (!matches(f, &row))
            continue;
        if (f->rel->n - before == RECORDS_PER_REPLY_MAX) {
            f->over = true;
            return BOURN_OK;
        }
        TRY(release_add(f->rel, s, key, id, &row, name));
    }
    *added = f->rel->n > before;
    err = BOURN_OK;
    if (*added) {
        TRY(disclosed_row(v, &f->q, s, f->rel, before, &f->rows[f->rows_n]));
        *row_at = (uint16_t)++f->rows_n;
    }
out:
    return err;
}

static bool page_full(const struct finding *f)
{
    return f->looked >= PAGE_LOOKED_MAX || f->over || f->rows_n == PAGE_PEOPLE_MAX ||
           f->rel->n >= 2 * RECORDS_PER_REPLY_MAX || f->rel->sealed.n > RELEASE_BYTES_MAX / 2;
}

/* People whose number (8) stands behind the prefix of a key of `space`, by that number from the cursor on. */
static enum bourn_err find_range(struct vault *v, struct finding *f, enum store_space space,
                                 struct slice prefix, uint64_t from)
{
    uint8_t key[24];
    struct slice found, value;
    bourn_assert(prefix.n + 8 <= sizeof key);
    memcpy(key, prefix.p, prefix.n);
    for (uint64_t number = from;; number++) {
        struct subject s;
        struct buf name;
        bool added;
        be_put(key + prefix.n, number, 8);
        enum bourn_err err = store_seek(v->store, space, prefix, slice_of(key, prefix.n + 8), &found, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        number = be_get(found.p + prefix.n, 8);
        if (page_full(f)) {
            f->rel->next = number + 1; /* cursors are one more than the number, so that 0 is none */
            return BOURN_OK;
        }
        f->looked++;
        err = subject_load(v, number, &s);
        if (err == BOURN_E_NOT_FOUND)
            continue; /* erased, not swept yet */
        if (err)
            return err;
        buf_init(&name, 64);
        label_name(&s, &name);
        err = add_person(v, f, &s, buf_slice(&name), &added);
        buf_release(&name);
        subject_release(&s);
        if (err)
            return err;
    }
}

/* People who have a record with the first blind value. */
static enum bourn_err find_where(struct vault *v, struct finding *f, uint64_t from)
{
    return find_range(v, f, STORE_BLIND, slice_of(f->where[0], 16), from);
}

/* Everybody who ever consented to this party: the gate says whose consent is live. */
static enum bourn_err find_consented(struct vault *v, struct finding *f, uint64_t from)
{
    uint8_t party[8];
    be_put(party, f->q.party->index, 8);
    return find_range(v, f, STORE_CONSENTED, slice_of(party, 8), from);
}

static bool list_ok(struct json_value list)
{
    struct json_member m;
    size_t at = 0;
    while (json_next(list, &at, &m))
        if (m.value.type != JSON_STRING || m.value.raw.n <= 2 || m.value.raw.n - 2 > 6 * SUBJECT_ID_BYTES_MAX)
            return false;
    return true;
}

/* The next few people of a list: what is read of them is on its way into the processor's caches while those
 * before them are looked up. */
struct ahead {
    struct buf text;   /* identifiers, decoded */
    size_t end[AHEAD]; /* of each in text */
    struct subject_ref ref[AHEAD];
    size_t n, next;
};

static struct slice ahead_id(const struct ahead *a, size_t i)
{
    size_t from = i ? a->end[i - 1] : 0;
    return slice_of(a->text.p + from, a->end[i] - from);
}

static bool look_ahead(struct vault *v, struct ahead *a, struct json_value list, size_t *at)
{
    struct json_member m;
    buf_clear(&a->text);
    a->n = a->next = 0;
    while (a->n < AHEAD && json_next(list, at, &m)) {
        value_text(m.value, &a->text);
        a->end[a->n++] = a->text.n;
    }
    for (size_t i = 0; i < a->n; i++)
        subject_look(v, ahead_id(a, i), &a->ref[i]);
    for (size_t i = 0; i < a->n; i++)
        subject_guess(v, &a->ref[i]);
    for (size_t i = 0; i < a->n && i < NEAR; i++)
        subject_near(v, &a->ref[i]);
    return a->n > 0;
}

/* Discloses of the next of them, or says that nothing is: who is not disclosed is named so, whatever the
 * reason. */
static enum bourn_err add_listed(struct vault *v, struct finding *f, struct ahead *a)
{
    struct subject s;
    bool added = false;
    size_t i = a->next++;
    struct slice id = ahead_id(a, i);
    f->looked++; /* whoever it is: the page is held by that */
    if (i + NEAR < a->n)
        subject_near(v, &a->ref[i + NEAR]);
    enum bourn_err err = subject_find_ref(v, id, &a->ref[i], &s);
    if (err == BOURN_OK) {
        err = add_person(v, f, &s, id, &added);
        subject_release(&s);
    } else if (err == BOURN_E_NOT_FOUND) {
        subject_decoy(v);
        decide_person(v, f, NULL); /* the same work as for somebody without a basis */
        f->denied++;
        err = BOURN_OK;
    }
    if (err || added)
        return err;
    f->refused++;
    return release_add_none(f->rel, id);
}

/* The people named in a list, from position `from` on. */
static enum bourn_err find_listed(struct vault *v, struct finding *f, struct json_value list, uint64_t from)
{
    struct json_member m;
    struct ahead a = {.n = 0};
    size_t at = 0;
    uint64_t position = 0;
    enum bourn_err err = BOURN_OK;
    buf_init_secret(&a.text, AHEAD * 6 * SUBJECT_ID_BYTES_MAX);
    while (position < from && json_next(list, &at, &m))
        position++;
    for (; err == BOURN_OK && (a.next < a.n || look_ahead(v, &a, list, &at)); position++) {
        if (page_full(f)) {
            f->rel->next = position;
            break;
        }
        err = add_listed(v, f, &a);
    }
    buf_release(&a.text);
    return err;
}

static enum bourn_err finish(struct vault *v, struct finding *f, bool lines)
{
    struct answer *a = f->a;
    if (f->over) {
        answer_withhold(a);
        answer_problem(a, 422, "records_limit",
                       "somebody has more than %d matching records: nothing was disclosed; list that "
                       "person's records by "
                       "cursor",
                       RECORDS_PER_REPLY_MAX);
        return BOURN_OK;
    }
    decide_person(v, f, NULL); /* the packs in force, at the entry's own index */
    a->next_cursor = lines ? f->rel->next : 0;
    enum bourn_err err = disclosed_entry(v, &f->q, f->fields, f->fields_n, f->rows, f->rows_n, a);
    if (err)
        return err;
    a->status = 200;
    a->code = "";
    a->type = lines ? REPLY_NDJSON : REPLY_JSON;
    return f->each && f->listed && f->denied ? refused(v, &f->q, f->denied) : BOURN_OK;
}

static enum bourn_err finding_begin(struct vault *v, struct finding *f, enum release_form form)
{
    f->rows = arena_alloc(&v->arena, PAGE_PEOPLE_MAX * sizeof *f->rows);
    if (!f->rows)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    enum bourn_err err = release_new(v, form, f->q.collection, &f->a->release);
    f->rel = f->a->release;
    return err;
}

/* Who was found and kept back is in no answer, so it is held whether or not somebody was. */
static void hold_found(struct finding *f)
{
    if (f->each)
        answer_hold(f->a, 1);
}

/* POST /v1/search {"collection","where":{field:value,…},"fields":[…]}; r->number: cursor. */
enum bourn_err handle_search(struct vault *v, const struct request *r, const struct gate_party *p,
                             struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body, where = {.type = JSON_NULL};
    bool go;
    struct finding *f = arena_alloc(&v->arena, sizeof *f);
    if (!f)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    f->q = (struct asked){.party = p, .operation = OP_SEARCH, .purpose = r->purpose};
    f->a = a;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    TRY(ask(v, body, f, &go));
    json_find(body, "where", &where);
    if (!go || !ask_where(v, where, f))
        return BOURN_OK;
    TRY(finding_begin(v, f, RELEASE_FOUND));
    TRY(find_where(v, f, r->number ? r->number - 1 : 0));
    hold_found(f);
    TRY(finish(v, f, false));
out:
    return err;
}

/* POST /v1/disclose {"collection","fields":[…], and one of "subjects":[…], "consented":true, "where":{…}}:
 * one page of NDJSON; a->next_cursor asks for the next, which is a disclosure of its own. */
enum bourn_err handle_disclose(struct vault *v, const struct request *r, const struct gate_party *p,
                               struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body, value, flag, list = {.type = JSON_NULL};
    bool go;
    struct finding *f = arena_alloc(&v->arena, sizeof *f);
    if (!f)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    f->q = (struct asked){.party = p, .operation = OP_READ, .purpose = r->purpose};
    f->a = a;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    bool subjects = json_find(body, "subjects", &list) && list.type == JSON_ARRAY;
    bool where = json_find(body, "where", &value);
    bool consented = json_find(body, "consented", &flag) && slice_is(flag.raw, "true");
    if (where)
        f->q.operation = OP_SEARCH;
    TRY(ask(v, body, f, &go));
    if (!go)
        return BOURN_OK;
    if (subjects + where + consented != 1 || (subjects && !list_ok(list))) {
        answer_problem(
            a, 422, "selection_malformed",
            "exactly one of /subjects (a list of strings), /consented (true) and /where is needed");
        return BOURN_OK;
    }
    if (where && !ask_where(v, value, f))
        return BOURN_OK;
    TRY(finding_begin(v, f, RELEASE_LINES));
    if (where) {
        TRY(find_where(v, f, r->number ? r->number - 1 : 0));
        hold_found(f);
    } else if (consented) {
        TRY(find_consented(v, f, r->number ? r->number - 1 : 0));
    } else {
        f->listed = true;
        TRY(find_listed(v, f, list, r->number));
        if (f->refused) /* the answer names them, so that to hold it tells nothing more */
            answer_hold(a, f->looked);
    }
    TRY(finish(v, f, true));
out:
    return err;
}
