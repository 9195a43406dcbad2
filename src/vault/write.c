/* Writing records one by one over HTTP: new, put, patched. People who are not there yet are enrolled by the
 * write. */
#include "vault/plan.h"

#include "base/json.h"

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
    TRY(plan_init(&p, v, 1, r->body.n));
    p.q = (struct asked){.party = party, .operation = OP_WRITE, .purpose = r->purpose};
    if (!plan_collection(&p, r, a)) {
        err = BOURN_OK;
        goto done;
    }
    err = plan_person(&p, id, &p.items[0].person);
    if (err == BOURN_OK)
        err = plan_decide(&p);
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
    err = plan_enrol(&p, &id);
    if (err == BOURN_OK)
        err = plan_seal(&p, &p.items[0]);
    if (err == BOURN_OK)
        err = plan_store(&p, &a->receipt);
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
