/* People by their identifiers: looked up, entered without records yet, given one more name. */
#include "vault/plan.h"

#include "base/json.h"
#include "base/text.h"
#include "cbor/cbor.h"

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
    TRY(plan_init(&p, v, 1, 0));
    p.q = (struct asked){.party = party, .operation = OP_WRITE};
    err = plan_person(&p, ids[0], &position);
    if (err == BOURN_OK) {
        p.people[0].allowed = true;
        a->receipt = v->next_index;
        err = plan_enrol(&p, ids);
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
