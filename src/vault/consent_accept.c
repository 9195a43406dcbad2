/* Accepting a consent that a person signed: every field is held against the world, so that the entry's row
 * says exactly what the person read. */
#include "vault/internal.h"

#include "base/json.h"
#include "consent/consent.h"

/* What a statement says, as ledger indices; false with the answer made. Every field is compared with the
 * world, so that the row says exactly what the person signed. */
struct accepted {
    uint64_t recipients[CONSENT_LIST_MAX], notice;
    struct slice purposes[CONSENT_LIST_MAX];
    const struct person_key *key;
    uint8_t used[32];
};

static bool accept_recipients(struct vault *v, const struct consent_statement *st, struct accepted *x,
                              struct answer *a)
{
    for (size_t i = 0; i < st->recipients_n; i++) {
        const struct consent_recipient *w = &st->recipients[i];
        const struct gate_party *p = world_party_named(v->world, w->name);
        if (!p || memcmp(p->hash, w->party_hash, 32) != 0 || !slice_eq(p->legal_name, w->legal_name) ||
            !slice_eq(p->jurisdiction, w->country) || !slice_eq(p->contact, w->contact)) {
            answer_problem(
                a, 422, "recipient_changed",
                "/statement: a recipient is not (or no longer) the party that was named: ask anew");
            return false;
        }
        size_t k = i;
        for (; k > 0 && x->recipients[k - 1] > p->index; k--)
            x->recipients[k] = x->recipients[k - 1];
        x->recipients[k] = p->index;
        bool listed = false;
        for (size_t d = 0; d < st->destinations_n; d++)
            listed = listed || slice_eq(st->destinations[d], p->jurisdiction);
        if (!listed) {
            answer_problem(a, 422, "destination_mismatch",
                           "/statement: a recipient's country is not among the destinations");
            return false;
        }
    }
    for (size_t d = 0; d < st->destinations_n; d++) {
        bool used = false;
        for (size_t i = 0; i < st->recipients_n; i++)
            used = used || slice_eq(st->recipients[i].country, st->destinations[d]);
        if (!used) {
            answer_problem(a, 422, "destination_mismatch", "/statement: a destination that no recipient has");
            return false;
        }
    }
    return true;
}

static bool accept_world(struct vault *v, const struct subject *s, const struct consent_statement *st,
                         struct accepted *x, struct answer *a)
{
    struct slice contact, controller = world_controller(v->world, &contact);
    if (!slice_eq(st->origin, world_origin(v->world)) || !slice_eq(st->domicile, world_domicile(v->world)) ||
        !slice_eq(st->controller, controller) || !slice_eq(st->controller_contact, contact)) {
        answer_problem(a, 422, "statement_foreign", "/statement: made for another cell");
        return false;
    }
    if (memcmp(st->label, s->person.label, 16) != 0) {
        answer_problem(a, 422, "statement_other_person", "/statement: made for another person");
        return false;
    }
    if (st->issued > v->now || v->now - st->issued > STATEMENT_AGE_S_MAX || st->expires <= v->now ||
        st->expires > st->issued + CONSENT_YEARS_MAX * 366ull * 86400) {
        answer_problem(a, 422, "statement_expired",
                       "/statement: issued too long ago, in the future, or expired");
        return false;
    }
    if (!accept_recipients(v, st, x, a))
        return false;
    for (size_t i = 0; i < st->collections_n; i++)
        if (!world_collection(v->world, st->collections[i], v->now)) {
            answer_problem(a, 422, "collection_unknown",
                           "/statement: a collection that the cell does not have");
            return false;
        }
    const struct world_notice *n = world_notice_named(v->world, st->notice_name, st->notice_language);
    if (!n || n->version != st->notice_version || memcmp(n->hash, st->notice_hash, 32) != 0) {
        answer_problem(a, 422, "notice_changed", "/statement: the notice is not the present one: ask anew");
        return false;
    }
    x->notice = n->index;
    for (size_t i = 0; i < st->purposes_n; i++) {
        struct buf words;
        buf_init(&words, 512);
        consent_purpose_words(&words, st->purposes[i].term);
        bool same = slice_eq(buf_slice(&words), st->purposes[i].description);
        buf_release(&words);
        if (!same) {
            answer_problem(a, 422, "purpose_words",
                           "/statement: a purpose is not described in the cell's words");
            return false;
        }
        x->purposes[i] = st->purposes[i].term;
    }
    sort_slices(x->purposes, st->purposes_n);
    return true;
}

static bool accept_signature(const struct subject *s, const struct signed_statement *ss, struct accepted *x,
                             struct answer *a)
{
    x->key = NULL;
    if (!ss->signature.n)
        return true;
    x->key = subject_key_live(s, ss->public_key);
    if (!x->key) {
        answer_problem(a, 403, "key_unknown", "the signing key is not enrolled for this person");
        return false;
    }
    if (consent_verify(ss->canonical, ss->signature, ss->public_key) != BOURN_OK) {
        answer_problem(a, 403, "signature_invalid", "the signature is not of this key over this statement");
        return false;
    }
    return true;
}

static enum bourn_err stage_consent(struct vault *v, const struct gate_party *p, struct subject *s,
                                    const struct consent_statement *st, const struct signed_statement *ss,
                                    const struct accepted *x, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *clause = "";
    struct entry e = {.kind = ENTRY_CONSENT, .time = v->now, .party = p->index};
    struct staged_row staged = {.number = s->number, .generation = ++s->generation};
    struct row *row = &staged.row;
    struct evidence ev = {1, ss->canonical, ss->signature, ss->public_key};
    uint8_t index_be[8];
    entry_set(&e, E_PARTY);
    row_begin(row, s);
    row->purposes = x->purposes;
    row->purposes_n = st->purposes_n;
    row->recipients = x->recipients;
    row->recipients_n = st->recipients_n;
    row->destinations = st->destinations;
    row->destinations_n = st->destinations_n;
    row->collections = st->collections;
    row->collections_n = st->collections_n;
    row->issued = st->issued;
    row->expires = st->expires;
    row->notice = x->notice;
    row->grade = x->key ? GRADE_SUBJECT_SIGNED : GRADE_OPERATOR_ATTESTED;
    static const enum row_key always[] = {R_PURPOSES, R_RECIPIENTS, R_DESTINATIONS, R_COLLECTIONS, R_ISSUED,
                                          R_EXPIRES,  R_NOTICE,     R_GRADE,        R_EVIDENCE};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        row_set(row, always[i]);
    if (x->key) {
        row->key = x->key->index;
        row_set(row, R_KEY);
    }
    if (row_check(ENTRY_CONSENT, row) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
        return BOURN_OK;
    }
    TRY(person_apply(&s->person, v->next_index, &e, row, &clause));
    TRY(subject_put_evidence(v, s, v->next_index, &ev, row->evidence));
    be_put(index_be, v->next_index, 8);
    TRY(batch_put(v, STORE_USED, slice_of(x->used, 32), slice_of(index_be, 8)));
    for (size_t i = 0; i < row->recipients_n; i++) {
        uint8_t consented[16];
        be_put(consented, row->recipients[i], 8);
        be_put(consented + 8, s->number, 8);
        TRY(batch_put(v, STORE_CONSENTED, slice_of(consented, sizeof consented), slice_of(NULL, 0)));
    }
    TRY(subject_save(v, s));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_json(a, 201);
    buf_printf(&a->body, "{\"id\":%llu,\"grade\":\"%s\"}", (unsigned long long)a->receipt,
               x->key ? "subject-signed" : "operator-attested");
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err consent_for(struct vault *v, const struct request *r, const struct gate_party *p,
                                  struct subject *s, struct answer *a)
{
    struct signed_statement ss;
    struct consent_statement *st = arena_alloc(&v->arena, sizeof *st);
    struct accepted x;
    struct json_value body;
    struct slice value;
    size_t live = 0;
    if (!st)
        return err_set(BOURN_E_MEMORY, "out of memory for a statement");
    if (!body_object(r, &body, a))
        return BOURN_OK;
    if (signed_statement_get(r->body, &v->arena, &ss) != BOURN_OK ||
        consent_statement_get(ss.canonical, &v->arena, st) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
        return BOURN_OK;
    }
    if (!accept_world(v, s, st, &x, a) || !accept_signature(s, &ss, &x, a))
        return BOURN_OK;
    struct slice parts[] = {slice_str("bourn statement used\n"), slice_of(st->nonce, 16)};
    crypto_sha256(x.used, parts, 2);
    enum bourn_err err = store_get(v->store, STORE_USED, slice_of(x.used, 32), &value);
    if (err == BOURN_OK) {
        answer_problem(a, 409, "statement_used",
                       "this statement was accepted before: a statement counts once");
        return BOURN_OK;
    }
    if (err != BOURN_E_NOT_FOUND)
        return err;
    for (size_t i = 0; i < s->person.bases_n; i++)
        live += s->person.bases[i].withdrawn == UINT64_MAX && s->person.bases[i].until > v->now;
    if (live >= CONSENTS_PER_SUBJECT_MAX) {
        answer_problem(a, 409, "consents_limit", "a person has at most %d live consents: withdraw one first",
                       CONSENTS_PER_SUBJECT_MAX);
        return BOURN_OK;
    }
    return stage_consent(v, p, s, st, &ss, &x, a);
}

enum bourn_err handle_consent(struct vault *v, const struct request *r, const struct gate_party *p,
                              struct answer *a)
{
    struct subject s;
    bool found;
    enum bourn_err err = find_or_404(v, r, &s, a, &found);
    if (err || !found)
        return err;
    err = consent_for(v, r, p, &s, a);
    subject_release(&s);
    return err;
}
