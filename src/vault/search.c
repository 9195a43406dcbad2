/* Equality search by blind index, and disclosure about many people. Both are disclosures like any other: the
 * gate decides for each person, and one entry holds a row for each of whom something leaves; a search that
 * finds nobody is an entry too. */
#include "vault/finding.h"

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
        good = field && f->where_n < WHERE_MAX && blind_indexed(m.value);
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
    finding_decide(v, f, NULL);
    f->each = f->q.out.code == GATE_BASIS_MISSING;
    *go = f->q.out.verdict == GATE_ALLOW || f->each;
    /* What the rules say can depend on the collection: of none that is known, the 404 says enough. */
    bool ruled = f->q.out.code == GATE_NO_RULE || f->q.out.code == GATE_NEEDS_DECISION;
    if (!*go && (found || !ruled))
        return refuse(v, &f->q, f->a);
    *go = found && ask_fields(v, body, f);
    return BOURN_OK;
}

/* People who have a record with the first blind value. */
static enum bourn_err find_where(struct vault *v, struct finding *f, uint64_t from)
{
    return finding_range(v, f, STORE_BLIND, slice_of(f->where[0], 16), from);
}

/* Everybody who ever consented to this party: the gate says whose consent is live. */
static enum bourn_err find_consented(struct vault *v, struct finding *f, uint64_t from)
{
    uint8_t party[8];
    be_put(party, f->q.party->index, 8);
    return finding_range(v, f, STORE_CONSENTED, slice_of(party, 8), from);
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
    TRY(finding_end(v, f, false));
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
        TRY(finding_listed(v, f, list, r->number));
        if (f->refused) /* the answer names them, so that to hold it tells nothing more */
            answer_hold(a, f->looked);
    }
    TRY(finding_end(v, f, true));
out:
    return err;
}
