/* Forged statements: what a person never signed, or not so. */
#include "forge.h"

#include <string.h>

typedef struct verdict_at at;

static at consent_with(struct cast *c, const struct ask *a)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, a);
    return forge_here(c);
}

static at reposted(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    act_withdrawn(c, &p);
    act_consent(c, &p, &(struct ask){.again = &p.statement});
    return forge_here(c);
}

static void to_other_cell(struct cast *c, struct consent_statement *s)
{
    (void)c;
    s->origin = slice_str("de.example/ledger");
}
static at other_cell(struct cast *c)
{
    return consent_with(c, &(struct ask){.change = to_other_cell});
}

/* The statement was signed for the first party of that name; the row says the second. */
static at earlier_party(struct cast *c)
{
    struct puppet p;
    struct consent_statement s;
    forge_person(c, &p, true);
    act_withdrawn(c, &p);
    s = p.statement;
    crypto_random(s.nonce, 16); /* signed afresh, so that the repetition is not what convicts */
    act_party_end(c->l, c->lab);
    uint64_t second = act_party(c->l, s.recipients[0].name, "app", "US", RIGHT_READ, LAB_PURPOSE, NULL, NULL);
    act_consent(c, &p, &(struct ask){.again = &s, .row_recipient = second});
    return forge_here(c);
}

static at ended_recipient(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_party_end(c->l, c->lab);
    act_consent(c, &p, &(struct ask){0});
    return forge_here(c);
}

static at forged_signature(struct cast *c)
{
    struct puppet p, operator;
    forge_person(c, &p, false);
    act_person(&operator);
    memcpy(operator.public_key, p.public_key, 32);
    act_consent(c, &p, &(struct ask){.signer = &operator});
    return forge_here(c);
}

static at other_persons_key(struct cast *c)
{
    struct puppet p, q;
    forge_person(c, &p, false);
    forge_person(c, &q, false);
    act_consent(c, &p, &(struct ask){.signer = &q});
    return forge_here(c);
}

static at unenrolled_key(struct cast *c)
{
    struct puppet p, *one = &p;
    act_person(&p);
    act_enrolled(c, &one, 1);
    p.key = c->app;
    act_consent(c, &p, &(struct ask){0});
    return forge_here(c);
}

static at unsigned_consent(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    struct evidence *e = &act_consent(c, &p, &(struct ask){0})->rows[0].evidence;
    e->signature = e->public_key = slice_of(NULL, 0);
    return forge_here(c);
}

/* The identity as public key and R, zero as S: what a careless verifier accepts for every message. */
static at small_order_key(struct cast *c)
{
    static uint8_t one[32] = {1}, signature[64] = {1};
    struct puppet p, *who = &p;
    act_person(&p);
    act_enrolled(c, &who, 1);
    memcpy(p.public_key, one, 32);
    struct evidence *e = &act_key(c, &p, p.secret)->rows[0].evidence;
    e->public_key = slice_of(one, 32);
    e->signature = slice_of(signature, 64);
    return forge_here(c);
}

static at no_possession(struct cast *c)
{
    struct puppet p, operator, * who = & p;
    act_person(&p);
    act_person(&operator);
    act_enrolled(c, &who, 1);
    act_key(c, &p, operator.secret);
    return forge_here(c);
}

static at vouched_by_nobody(struct cast *c)
{
    struct puppet p, *who = &p;
    act_person(&p);
    act_enrolled(c, &who, 1);
    act_key(c, &p, p.secret)->rows[0].r.voucher_ref = c->lab;
    return forge_here(c);
}

static at vouched_by_key(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    uint64_t first = p.key;
    struct row *r = &act_key(c, &p, p.secret)->rows[0].r;
    r->voucher = VOUCHER_KEY;
    r->voucher_ref = first;
    return forge_here(c);
}

static at key_code_reused(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    struct forge_entry *f = &c->l->v[p.key];
    struct evidence first = f->rows[0].evidence;
    f = act_key(c, &p, p.secret);
    f->rows[0].evidence = first;
    return forge_here(c);
}

static at longer_than_signed(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){0})->rows[0].r.expires += 86400;
    return forge_here(c);
}

static at more_purposes(struct cast *c)
{
    static struct slice two[2];
    struct puppet p;
    forge_person(c, &p, false);
    struct row *r = &act_consent(c, &p, &(struct ask){0})->rows[0].r;
    two[0] = slice_str(LAB_PURPOSE);
    two[1] = slice_str(LAB_PURPOSE_2);
    r->purposes = two;
    r->purposes_n = 2;
    return forge_here(c);
}

static at more_collections(struct cast *c)
{
    static struct slice two[2];
    struct puppet p;
    forge_person(c, &p, false);
    struct row *r = &act_consent(c, &p, &(struct ask){0})->rows[0].r;
    two[0] = c->collection;
    two[1] = c->other_collection;
    r->collections = two;
    r->collections_n = 2;
    return forge_here(c);
}

static at other_row_recipient(struct cast *c)
{
    return consent_with(c, &(struct ask){.row_recipient = c->other_lab});
}

static void to_elsewhere(struct cast *c, struct consent_statement *s)
{
    (void)c;
    s->destinations[0] = slice_str("DE");
}
static at other_destination(struct cast *c)
{
    return consent_with(c, &(struct ask){.change = to_elsewhere});
}

static void other_notice_hash(struct cast *c, struct consent_statement *s)
{
    (void)c;
    s->notice_hash[0] ^= 1;
}
static at other_notice(struct cast *c)
{
    return consent_with(c, &(struct ask){.change = other_notice_hash});
}

static void nicer_name(struct cast *c, struct consent_statement *s)
{
    (void)c;
    s->recipients[0].legal_name = slice_str("The Red Cross");
}
static at other_legal_name(struct cast *c)
{
    return consent_with(c, &(struct ask){.change = nicer_name});
}

static void nicer_words(struct cast *c, struct consent_statement *s)
{
    (void)c;
    s->purposes[0].description = slice_str("treating you");
}
static at other_words(struct cast *c)
{
    return consent_with(c, &(struct ask){.change = nicer_words});
}

static at other_evidence(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    struct forge_row *r = &act_consent(c, &p, &(struct ask){0})->rows[0];
    r->keep_commitment = true;
    crypto_random(r->r.evidence, 32);
    return forge_here(c);
}

static at consent_without_right(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){0})->e.party = c->shop;
    return forge_here(c);
}

static at withdrawn_twice(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    act_withdrawn(c, &p);
    act_withdrawn(c, &p);
    return forge_here(c);
}

static at evidence_withheld(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){0})->rows[0].withheld = true;
    uint64_t convicted = forge_last(c->l);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_at(convicted);
}

static at evidence_called_erased(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    struct forge_row *r = &act_consent(c, &p, &(struct ask){0})->rows[0];
    crypto_random(r->r.evidence, 32);
    r->open = false;
    r->status = EVIDENCE_ERASED;
    return forge_here(c);
}

const struct forge_case forge_cases_statements[] = {
    {"reposted", reposted, "a withdrawn statement is posted again"},
    {"other-cell", other_cell, "a statement that was signed for another cell"},
    {"earlier-party", earlier_party, "a statement that names an earlier party of the same name"},
    {"ended-recipient", ended_recipient, "a consent for a party that has ended"},
    {"forged-signature", forged_signature, "the operator signs in the person's name"},
    {"other-persons-key", other_persons_key, "a signature by another person's key"},
    {"unenrolled-key", unenrolled_key, "a signature by a key that is nobody's"},
    {"unsigned", unsigned_consent, "a signed consent without a signature"},
    {"small-order-key", small_order_key, "a key under which anything verifies"},
    {"no-possession", no_possession, "a key without proof of possession"},
    {"vouched-by-nobody", vouched_by_nobody, "a key vouched for by a party without the right to enrol"},
    {"vouched-by-key", vouched_by_key, "a key that an earlier key is said to vouch for"},
    {"code-reused", key_code_reused, "one proof of possession for two keys"},
    {"longer-than-signed", longer_than_signed, "a consent that runs longer than was signed"},
    {"more-purposes", more_purposes, "a consent for more purposes than were signed"},
    {"more-collections", more_collections, "a consent for more collections than were signed"},
    {"other-row-recipient", other_row_recipient, "a consent for another recipient than was signed"},
    {"other-destination", other_destination, "a consent for a country where its recipient is not"},
    {"other-notice", other_notice, "a consent to another text than the notice"},
    {"other-legal-name", other_legal_name, "the person read another name for the recipient"},
    {"other-words", other_words, "the person read other words for the purpose"},
    {"other-evidence", other_evidence, "evidence that the row does not commit to"},
    {"consent-without-right", consent_without_right, "a consent recorded by a party without that right"},
    {"withdrawn-twice", withdrawn_twice, "a withdrawal of what is withdrawn"},
    {"evidence-withheld", evidence_withheld, "evidence withheld for a living person"},
    {"evidence-called-erased", evidence_called_erased, "evidence of a living person called erased"},
    {NULL, NULL, NULL},
};
