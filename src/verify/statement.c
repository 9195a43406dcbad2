/* Evidence against its row: the commitment, every field of the signed statement, the signature, and that a
 * statement is used once. */
#include "consent/consent.h"
#include "verify/piece.h"

static bool in_list(const struct slice *v, size_t n, struct slice s)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(v[i], s))
            return true;
    return false;
}

/* Both hold the same items; either has each once, as their readers check. */
static bool same_set(const struct slice *a, size_t a_n, const struct slice *b, size_t b_n)
{
    bool same = a_n == b_n;
    for (size_t i = 0; same && i < a_n; i++)
        same = in_list(b, b_n, a[i]) && !in_list(a, i, a[i]);
    return same;
}

static void check_recipients(struct replay *v, const struct row *r, const struct consent_statement *c)
{
    if (c->recipients_n != r->recipients_n)
        finding(v, CLAUSE_C2, "the statement names %zu recipients, the row %zu", c->recipients_n,
                r->recipients_n);
    for (size_t i = 0; i < r->recipients_n; i++) {
        const struct gate_party *p = world_party(v->world, r->recipients[i]);
        const struct consent_recipient *at = NULL;
        for (size_t j = 0; p && j < c->recipients_n && !at; j++)
            if (memcmp(c->recipients[j].party_hash, p->hash, 32) == 0)
                at = &c->recipients[j];
        if (!at)
            finding(v, CLAUSE_C2, "the statement does not name recipient %llu by the hash of its entry",
                    (unsigned long long)r->recipients[i]);
        else if (!slice_eq(at->name, p->name) || !slice_eq(at->legal_name, p->legal_name) ||
                 !slice_eq(at->country, p->jurisdiction) || !slice_eq(at->contact, p->contact))
            finding(v, CLAUSE_K5, "the statement describes recipient %llu otherwise than its entry",
                    (unsigned long long)p->index);
    }
}

/* The reader of the statement has held the words against the term, so the terms are enough. */
static void check_purposes(struct replay *v, const struct row *r, const struct consent_statement *c)
{
    struct slice terms[CONSENT_ITEMS_MAX];
    for (size_t i = 0; i < c->purposes_n; i++)
        terms[i] = c->purposes[i].term;
    if (!same_set(terms, c->purposes_n, r->purposes, r->purposes_n))
        finding(v, CLAUSE_C4, "the purposes differ from those of the statement");
}

static void check_fields(struct replay *v, const struct row *r, const struct consent_statement *c)
{
    struct slice contact, controller = world_controller(v->world, &contact);
    if (!slice_eq(c->origin, world_origin(v->world)))
        finding(v, CLAUSE_C3, "the statement was made for another cell");
    if (memcmp(c->label, r->label, 16) != 0)
        finding(v, CLAUSE_C3, "the statement is another person's");
    if (!slice_eq(c->domicile, world_domicile(v->world)) || !slice_eq(c->controller, controller) ||
        !slice_eq(c->controller_contact, contact))
        finding(v, CLAUSE_K5, "the statement describes the cell otherwise than genesis");
    if (c->issued != r->issued || c->expires != r->expires)
        finding(v, CLAUSE_C3, "issue or expiry differ from those of the statement");
    check_purposes(v, r, c);
    check_recipients(v, r, c);
    if (!same_set(c->destinations, c->destinations_n, r->destinations, r->destinations_n))
        finding(v, CLAUSE_S3, "the destinations differ from those of the statement");
    if (!same_set(c->collections, c->collections_n, r->collections, r->collections_n))
        finding(v, CLAUSE_C1, "the collections differ from those of the statement");
    const struct world_notice *n = world_notice(v->world, r->notice);
    if (!n || !slice_eq(n->name, c->notice_name) || !slice_eq(n->language, c->notice_language) ||
        n->version != c->notice_version || memcmp(n->hash, c->notice_hash, 32) != 0)
        finding(v, CLAUSE_K5, "the notice differs from that of the statement");
}

static void check_signature(struct replay *v, const struct row *r, struct subject *s,
                            const struct evidence *e)
{
    if (r->grade != GRADE_SUBJECT_SIGNED) {
        if (e->signature.n || e->public_key.n)
            finding(v, CLAUSE_S3, "an attested consent with a signature");
        return;
    }
    const struct person_key *k = person_key(&s->person, r->key);
    if (!k || k->ended <= v->index)
        finding(v, CLAUSE_S3, "key %llu is no living key of this person", (unsigned long long)r->key);
    else if (k->known && !slice_eq(e->public_key, slice_of(k->public_key, 32)))
        finding(v, CLAUSE_S3, "it was signed by another key than key %llu", (unsigned long long)r->key);
    crew_check_signature(v, CLAUSE_S3, "the signature is not good", e);
}

static enum bourn_err check_consent(struct replay *v, const struct row *r, struct subject *s,
                                    const struct evidence *e)
{
    struct consent_statement c;
    check_signature(v, r, s, e);
    enum bourn_err err = consent_statement_get(e->statement, &v->row_arena, &c);
    if (err == BOURN_E_MEMORY)
        return err;
    if (err != BOURN_OK) {
        finding(v, CLAUSE_C3, "the statement is malformed: %s", err_text());
        return BOURN_OK;
    }
    check_fields(v, r, &c);
    bool fresh;
    err = subject_use(s, c.nonce, &fresh);
    if (err == BOURN_OK && !fresh)
        finding(v, CLAUSE_H1, "the statement was used before: one is accepted once for ever");
    return err;
}

static enum bourn_err check_key(struct replay *v, const struct row *r, struct subject *s,
                                const struct evidence *e)
{
    struct key_statement k;
    enum bourn_err err = key_statement_get(e->statement, &v->row_arena, &k);
    if (err == BOURN_E_MEMORY)
        return err;
    if (err != BOURN_OK) {
        finding(v, CLAUSE_C2, "the proof of possession is malformed: %s", err_text());
        return BOURN_OK;
    }
    crew_check_signature(v, CLAUSE_C2, "no proof of possession of the key", e);
    if (!slice_eq(e->public_key, slice_of(k.public_key, 32)))
        finding(v, CLAUSE_C2, "the proof of possession is of another key");
    if (!slice_eq(k.origin, world_origin(v->world)))
        finding(v, CLAUSE_C2, "the proof of possession was made for another cell");
    if (memcmp(k.label, r->label, 16) != 0)
        finding(v, CLAUSE_C2, "the proof of possession is another person's");
    uint64_t t = v->entry->time;
    if ((t > k.time ? t - k.time : k.time - t) > KEY_STATEMENT_SKEW_S_MAX + CLOCK_BACK_S_MAX)
        finding(v, CLAUSE_C2, "the proof of possession is of another time");
    for (size_t i = 0; i < s->person.keys_n; i++)
        if (s->person.keys[i].index == v->index) {
            memcpy(s->person.keys[i].public_key, k.public_key, 32);
            s->person.keys[i].known = true;
        }
    bool fresh;
    err = subject_use(s, k.code_hash, &fresh);
    if (err == BOURN_OK && !fresh)
        finding(v, CLAUSE_C2, "the enrolment code was used before");
    return err;
}

/* A copy of all records, or the history. */
static enum bourn_err check_own(struct replay *v, const struct row *r, struct subject *s,
                                const struct evidence *e)
{
    struct own_statement x;
    const struct person_key *k = person_key(&s->person, r->key);
    enum bourn_err err = (e->kind == EVIDENCE_HISTORY ? history_statement_get : export_statement_get)(
        e->statement, &v->row_arena, &x);
    if (err == BOURN_E_MEMORY)
        return err;
    if (err != BOURN_OK) {
        finding(v, CLAUSE_C3, "the request is malformed: %s", err_text());
        return BOURN_OK;
    }
    if (k && k->known && !slice_eq(e->public_key, slice_of(k->public_key, 32)))
        finding(v, CLAUSE_C2, "it was asked for by another key than key %llu", (unsigned long long)r->key);
    crew_check_signature(v, CLAUSE_C2, "the person did not ask for this", e);
    if (!slice_eq(x.origin, world_origin(v->world)))
        finding(v, CLAUSE_C3, "it was asked for at another cell");
    if (memcmp(x.label, r->label, 16) != 0)
        finding(v, CLAUSE_C3, "it was asked for by another person");
    if (x.issued != r->issued)
        finding(v, CLAUSE_C3, "the time of the request differs from that of the statement");
    bool fresh;
    err = subject_use(s, x.nonce, &fresh);
    if (err == BOURN_OK && !fresh)
        finding(v, CLAUSE_C3, "the statement was used before: one is accepted once for ever");
    return err;
}

static const struct {
    uint32_t evidence;        /* enum evidence_kind; 0: the kind of entry has none */
    enum verify_clause doubt; /* what evidence that is not the row's violates */
    enum bourn_err (*check)(struct replay *v, const struct row *r, struct subject *s,
                            const struct evidence *e);
} kinds[ENTRY_KIND_MAX + 1] = {
    [ENTRY_KEY] = {EVIDENCE_KEY, CLAUSE_C2, check_key},
    [ENTRY_CONSENT] = {EVIDENCE_CONSENT, CLAUSE_S3, check_consent},
    [ENTRY_EXPORTED] = {EVIDENCE_EXPORT, CLAUSE_C2, check_own},
};

static enum bourn_err check_opened(struct replay *v, const struct row *r, struct subject *s,
                                   const struct opened *o)
{
    uint8_t mac[32];
    struct evidence e;
    uint32_t kind = v->entry->kind;
    v->rep->evidence_opened++;
    clauses_count(v, clauses_of(kind, LAYER_EVIDENCE), COUNT_EXAMINED);
    crypto_hmac(mac, slice_of(o->salt, 32), (struct slice[]){slice_str(EVIDENCE_DOMAIN), o->evidence}, 2);
    if (memcmp(mac, r->evidence, 32) != 0)
        finding(v, kinds[kind].doubt, "the evidence is not what the row commits to");
    uint32_t wanted =
        kind == ENTRY_EXPORTED && entry_has(v->entry, E_OPERATION) ? EVIDENCE_HISTORY : kinds[kind].evidence;
    if (evidence_decode(o->evidence, &e) != BOURN_OK || e.kind != wanted) {
        finding(v, kinds[kind].doubt, "the evidence is malformed");
        return BOURN_OK;
    }
    return kinds[kind].check(v, r, s, &e);
}

const uint32_t closed_kind[CLOSED_KINDS] = {ENTRY_KEY, ENTRY_CONSENT, ENTRY_EXPORTED};

static void note_first(uint64_t *n, uint64_t *at, uint64_t index)
{
    if ((*n)++ == 0)
        *at = index;
}

enum bourn_err statement_check(struct replay *v, const struct row *r, struct subject *s)
{
    uint32_t clauses = clauses_of(v->entry->kind, LAYER_EVIDENCE);
    struct opened o;
    bool found;
    if (!v->rep->evidence_given) {
        clauses_count(v, clauses, COUNT_NOT_EXAMINED);
        return BOURN_OK;
    }
    enum bourn_err err = evidence_find(&v->evidence, &v->source, v->index, v->size, r->label, &o, &found);
    if (err != BOURN_OK)
        return err;
    if (found && o.status == EVIDENCE_OPENED)
        return check_opened(v, r, s, &o);
    /* Whether this is right is known at the end: the person may be erased further on. */
    struct signer *g;
    err = subject_signer(s, &g);
    if (err != BOURN_OK)
        return err;
    for (unsigned k = 0; k < CLOSED_KINDS; k++)
        g->closed[k] += closed_kind[k] == v->entry->kind;
    if (found && o.status == EVIDENCE_REFUSED)
        note_first(&g->refused, &g->refused_at, v->index);
    else
        note_first(&g->missing, &g->missing_at, v->index);
    g->claimed_erased |= found && o.status == EVIDENCE_ERASED;
    return BOURN_OK;
}
