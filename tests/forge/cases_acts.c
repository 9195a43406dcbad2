/* Forged acts: what the ledger says was allowed, and was not. */
#include "forge.h"

typedef struct verdict_at at; /* the tables below stay readable */

static at no_basis(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    forge_lab_reads(c, &p, 0, 0);
    return forge_here(c);
}

static at withdrawn(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    act_withdrawn(c, &p);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at expired(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){.life_s = 10});
    c->l->time += 10;
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at other_person(struct cast *c)
{
    struct puppet p, q;
    forge_person(c, &p, false);
    forge_person(c, &q, true);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, q.consent);
    return forge_here(c);
}

static at other_purpose(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    act_disclosed(c, c->lab, LAB_PURPOSE_2, c->collection, &one, 1, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at undeclared_purpose(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    act_disclosed(c, c->lab, HOME_PURPOSE, c->collection, &one, 1, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at other_recipient(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    act_disclosed(c, c->other_lab, LAB_PURPOSE, c->collection, &one, 1, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at hidden_destination(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    forge_lab_reads(c, &p, GRADE_GROUND, c->lab)->e.destination = world_domicile(c->l->world);
    return forge_here(c);
}

static at other_collection(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    struct forge_entry *f =
        act_disclosed(c, c->lab, LAB_PURPOSE, c->other_collection, &one, 1, GRADE_SUBJECT_SIGNED, p.consent);
    f->rows[0].r.records_n = 0;
    return forge_here(c);
}

static at attested_crossing(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){.attested = true});
    forge_lab_reads(c, &p, GRADE_OPERATOR_ATTESTED, p.consent);
    return forge_here(c);
}

static at attested_as_signed(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_consent(c, &p, &(struct ask){.attested = true});
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at no_right(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent)->e.operation = OP_SEARCH;
    return forge_here(c);
}

static at ended_party(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    act_party_end(c->l, c->lab);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at no_party(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent)->e.party = c->notice;
    return forge_here(c);
}

static at as_self(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    forge_lab_reads(c, &p, GRADE_SELF, 0)->e.operation = OP_SELF;
    return forge_here(c);
}

static at as_write(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app)->e.operation =
        OP_WRITE;
    return forge_here(c);
}

static at as_evidence(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    struct forge_entry *f = act_evidence(c, &one, 1);
    static const struct row_record record = {.id = 1, .version = 1};
    f->rows[0].r.records = &record;
    f->rows[0].r.records_n = 1;
    row_set(&f->rows[0].r, R_RECORDS);
    return forge_here(c);
}

static at wrong_bases(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at after_erasure(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_erased(c, &p);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    return forge_here(c);
}

/* The consent dies with the person: behind the erasure the gate knows of none. */
static at consent_after_erasure(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    act_erased(c, &p);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent);
    return forge_here(c);
}

static at erased_without_right(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_erased(c, &p)->e.party = c->lab;
    return forge_here(c);
}

static at never_stored(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    p.records = 7;
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    return forge_here(c);
}

static at deleted_record(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_deleted(c, &p, 1);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    return forge_here(c);
}

/* The second version is stored, and the first one comes back. */
static at stored_twice(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    p.records = 0;
    act_stored(c, c->app, &one, 1);
    return forge_here(c);
}

static at stored_without_basis(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_stored(c, c->shop, &one, 1);
    return forge_here(c);
}

static at never_enrolled(struct cast *c)
{
    struct puppet p, *one = &p;
    act_person(&p);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    return forge_here(c);
}

/* A pack that lets everything pass, for the one entry that it is needed for. */
static at policy_swapped(struct cast *c)
{
    struct puppet p;
    struct slice abroad = world_party(c->l->world, c->lab)->jurisdiction;
    struct gate_expr lax = {.op = EXPR_ADEQUACY, .list = {&abroad, 1}};
    struct gate_rule rule = {.id = slice_str("all"), .clause = slice_str("S3"), .expr = &lax, .expr_n = 1};
    struct gate_pack pack = {.name = slice_str("pledge-2015"), .version = 99, .effective_to = UINT64_MAX};
    struct entry e = {
        .kind = ENTRY_POLICY, .name = pack.name, .version = 99, .yaml = slice_str("pack: pledge-2015\n")};
    struct buf b;
    pack.rules = &rule;
    pack.rules_n = 1;
    buf_init(&b, 65536);
    gate_pack_encode(&b, &pack);
    e.rules = arena_copy(&c->l->arena, buf_slice(&b));
    buf_release(&b);
    entry_set(&e, E_NAME);
    entry_set(&e, E_VERSION);
    entry_set(&e, E_YAML);
    entry_set(&e, E_RULES);
    forge_person(c, &p, false);
    forge_add(c->l, &e, NULL, 0);
    uint64_t *policy = arena_alloc(&c->l->arena, sizeof *policy);
    *policy = forge_last(c->l);
    struct forge_entry *f = forge_lab_reads(c, &p, 0, 0);
    f->e.policy = policy;
    f->e.policy_n = 1;
    uint64_t convicted = forge_last(c->l);
    act_refused(c, c->app);
    return forge_at(convicted);
}

static at no_policy(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    forge_lab_reads(c, &p, GRADE_SUBJECT_SIGNED, p.consent)->e.policy_n = 0;
    return forge_here(c);
}

static at schema_swapped(struct cast *c)
{
    struct puppet p, *one = &p;
    static const struct slice field = {(const uint8_t *)"diagnosis", 9};
    forge_person(c, &p, false);
    act_collection(c->l, c->collection, 2, "diagnosis", 0);
    struct forge_entry *f =
        act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    f->e.fields = &field;
    f->e.fields_n = 1;
    entry_set(&f->e, E_FIELDS);
    return forge_here(c);
}

static at expired_early(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_letter(c, &p);
    c->l->time += LETTER_S - 1;
    act_expired(c, c->letters, &p, p.letters);
    return forge_here(c);
}

/* A collection whose records live for ever: deleting one is somebody's act, with a party and a basis. */
static at expired_without_end(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    c->l->time += 365 * 86400;
    act_expired(c, c->collection, &p, p.records);
    return forge_here(c);
}

static at expired_twice(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_letter(c, &p);
    c->l->time += LETTER_S;
    act_expired(c, c->letters, &p, p.letters);
    act_expired(c, c->letters, &p, p.letters);
    return forge_here(c);
}

static at read_after_retention(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_letter(c, &p);
    c->l->time += LETTER_S - 1;
    act_letter_read(c, &p); /* its last second */
    c->l->time += 1;
    act_letter_read(c, &p);
    return forge_here(c);
}

static at read_after_expiry(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_letter(c, &p);
    c->l->time += LETTER_S;
    act_expired(c, c->letters, &p, p.letters);
    act_letter_read(c, &p);
    return forge_here(c);
}

/* A longer retention counts only once it is in force. */
static at retention_swapped(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, false);
    act_collection(c->l, c->letters, 2, NULL, 365 * 86400);
    act_letter(c, &p);
    c->l->time += LETTER_S;
    act_letter_read(c, &p);
    return forge_here(c);
}

static at undeclared_collection(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_disclosed(c, c->app, HOME_PURPOSE, slice_str("shadow"), &one, 1, GRADE_GROUND, c->app);
    return forge_here(c);
}

const struct forge_case forge_cases_acts[] = {
    {"no-basis", no_basis, "a transfer without a basis"},
    {"withdrawn-basis", withdrawn, "a transfer on a consent that was withdrawn"},
    {"expired-basis", expired, "a transfer on a consent that has expired"},
    {"other-persons-basis", other_person, "a transfer on another person's consent"},
    {"other-purpose", other_purpose, "a transfer for another purpose than the consent's"},
    {"undeclared-purpose", undeclared_purpose, "a purpose that the party never declared"},
    {"other-recipient", other_recipient, "a transfer to another recipient than the consent's"},
    {"hidden-destination", hidden_destination, "a transfer that says it stayed at home"},
    {"other-collection", other_collection, "a transfer of another collection than the consent's"},
    {"attested-crossing", attested_crossing, "an attested consent carries a transfer"},
    {"attested-as-signed", attested_as_signed, "an attested consent that a disclosure calls signed"},
    {"no-right", no_right, "a party searches that may only read"},
    {"ended-party", ended_party, "a party reads after its end"},
    {"no-party", no_party, "an act of a party that does not exist"},
    {"as-self", as_self, "a transfer that calls itself the person's own access"},
    {"as-write", as_write, "a disclosure under the right to write"},
    {"as-evidence", as_evidence, "records disclosed as evidence"},
    {"wrong-bases", wrong_bases, "a row names another basis than the gate uses"},
    {"after-erasure", after_erasure, "a disclosure after the erasure"},
    {"consent-after-erasure", consent_after_erasure, "a transfer on the consent of an erased person"},
    {"erased-without-right", erased_without_right, "an erasure by a party without that right"},
    {"never-stored", never_stored, "a disclosed record was never stored"},
    {"deleted-record", deleted_record, "a disclosed record had been deleted"},
    {"stored-twice", stored_twice, "a record goes back to its first version"},
    {"stored-without-basis", stored_without_basis, "a write without a basis"},
    {"never-enrolled", never_enrolled, "a disclosure about somebody who never enrolled"},
    {"policy-swapped", policy_swapped, "a lax pack in force for one entry"},
    {"no-policy", no_policy, "a decision under no pack at all"},
    {"schema-swapped", schema_swapped, "a field of a schema that is not in force yet"},
    {"expired-early", expired_early, "a record expires a second before its retention is over"},
    {"expired-without-end", expired_without_end, "a record expires that has no retention"},
    {"expired-twice", expired_twice, "a record expires again"},
    {"read-after-retention", read_after_retention, "a record is disclosed when its retention is over"},
    {"read-after-expiry", read_after_expiry, "a record is disclosed that had expired"},
    {"retention-swapped", retention_swapped, "a longer retention that is not in force yet"},
    {"undeclared-collection", undeclared_collection, "a collection that was never declared"},
    {NULL, NULL, NULL},
};
