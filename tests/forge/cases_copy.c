/* Forged copies and histories: what leaves in a person's name that they did not ask for, or not so. */
#include "forge.h"

#include <string.h>

typedef struct verdict_at at;

/* A person with a key and two records. */
static void two_records(struct cast *c, struct puppet *p)
{
    forge_person(c, p, false);
    act_stored(c, c->app, &p, 1);
}

static at copy_with(struct cast *c, const struct take *t)
{
    struct puppet p;
    two_records(c, &p);
    act_copy(c, &p, t);
    return forge_here(c);
}

static at forged(struct cast *c)
{
    struct puppet p, operator;
    two_records(c, &p);
    act_person(&operator);
    memcpy(operator.public_key, p.public_key, 32);
    act_copy(c, &p, &(struct take){.signer = &operator});
    return forge_here(c);
}

static at other_persons_key(struct cast *c)
{
    struct puppet p, q;
    two_records(c, &p);
    forge_person(c, &q, false);
    act_copy(c, &p, &(struct take){.signer = &q});
    return forge_here(c);
}

static at other_key(struct cast *c)
{
    struct puppet p, q;
    forge_person(c, &q, false);
    two_records(c, &p);
    p.key = q.key;
    act_copy(c, &p, &(struct take){.signer = &q});
    return forge_here(c);
}

static at other_evidence(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    struct forge_row *r = &act_copy(c, &p, &(struct take){0})->rows[0];
    r->keep_commitment = true;
    crypto_random(r->r.evidence, 32);
    return forge_here(c);
}

static void to_other_cell(struct own_statement *s)
{
    s->origin = slice_str("de.example/ledger");
}
static at other_cell(struct cast *c)
{
    return copy_with(c, &(struct take){.change = to_other_cell});
}

static void to_other_person(struct own_statement *s)
{
    s->label[0] ^= 1;
}
static at other_label(struct cast *c)
{
    return copy_with(c, &(struct take){.change = to_other_person});
}

static void long_ago(struct own_statement *s)
{
    s->issued -= 2 * 86400;
}
static at old(struct cast *c)
{
    return copy_with(c, &(struct take){.change = long_ago});
}

/* The row says another time than was signed. */
static at other_time(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_copy(c, &p, &(struct take){.change = long_ago})->rows[0].r.issued = c->l->time;
    return forge_here(c);
}

static at reused(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_copy(c, &p, &(struct take){0});
    act_copy(c, &p, &(struct take){.again = &p.request});
    return forge_here(c);
}

static at leaves_out(struct cast *c)
{
    return copy_with(c, &(struct take){.from = 2});
}

static at skips_a_collection(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_letter(c, &p);
    act_copy(c, &p, &(struct take){.letter = true});
    return forge_here(c);
}

static at twice(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_copy(c, &p, &(struct take){0});
    act_copy(c, &p, &(struct take){.from = 2, .goes_on = true});
    return forge_here(c);
}

/* What is stored after a copy is no part of it, and an old request no way to it. */
static at goes_on_late(struct cast *c)
{
    struct puppet p, *one = &p;
    two_records(c, &p);
    act_copy(c, &p, &(struct take){0});
    c->l->time += 2 * 86400;
    act_stored(c, c->app, &one, 1);
    act_copy(c, &p, &(struct take){.from = 3, .goes_on = true});
    return forge_here(c);
}

static at goes_on_older(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_copy(c, &p, &(struct take){0});
    uint64_t older = p.copy;
    act_copy(c, &p, &(struct take){0});
    act_letter(c, &p);
    p.copy = older;
    act_copy(c, &p, &(struct take){.letter = true, .goes_on = true});
    return forge_here(c);
}

static at goes_on_alone(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    p.copy = p.key;
    act_copy(c, &p, &(struct take){.goes_on = true});
    return forge_here(c);
}

static at after_retention(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_letter(c, &p);
    act_copy(c, &p, &(struct take){0});
    c->l->time += LETTER_S;
    act_copy(c, &p, &(struct take){.letter = true, .goes_on = true});
    return forge_here(c);
}

static at never_stored(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    p.records++;
    act_copy(c, &p, &(struct take){0});
    return forge_here(c);
}

/* --- the person's history */

static at reading_with(struct cast *c, const struct take *t)
{
    struct puppet p;
    two_records(c, &p);
    act_reading(c, &p, t);
    return forge_here(c);
}

static at reading_forged(struct cast *c)
{
    struct puppet p, operator;
    two_records(c, &p);
    act_person(&operator);
    memcpy(operator.public_key, p.public_key, 32);
    act_reading(c, &p, &(struct take){.signer = &operator});
    return forge_here(c);
}

/* A key that the person never had, and that signed. */
static at reading_unenrolled_key(struct cast *c)
{
    struct puppet p, q;
    two_records(c, &p);
    forge_person(c, &q, false);
    p.key = q.key;
    act_reading(c, &p, &(struct take){.signer = &q});
    return forge_here(c);
}

static at reading_other_persons_key(struct cast *c)
{
    struct puppet p, q;
    two_records(c, &p);
    forge_person(c, &q, false);
    act_reading(c, &p, &(struct take){.signer = &q});
    return forge_here(c);
}

static at reading_other_evidence(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    struct forge_row *r = &act_reading(c, &p, &(struct take){0})->rows[0];
    r->keep_commitment = true;
    crypto_random(r->r.evidence, 32);
    return forge_here(c);
}

static at reading_other_cell(struct cast *c)
{
    return reading_with(c, &(struct take){.change = to_other_cell});
}

static at reading_other_label(struct cast *c)
{
    return reading_with(c, &(struct take){.change = to_other_person});
}

static void an_hour_ago(struct own_statement *s)
{
    s->issued -= 3600;
}
static at reading_old(struct cast *c)
{
    return reading_with(c, &(struct take){.change = an_hour_ago});
}

static at reading_other_time(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_reading(c, &p, &(struct take){.change = an_hour_ago})->rows[0].r.issued = c->l->time;
    return forge_here(c);
}

static at reading_reused(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    act_reading(c, &p, &(struct take){0});
    act_reading(c, &p, &(struct take){.again = &p.request});
    return forge_here(c);
}

/* The records leave, and the entry says that it was the history alone. */
static at reading_with_records(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    struct forge_row *r = &act_reading(c, &p, &(struct take){0})->rows[0];
    static const struct row_record first[] = {{.id = 1, .version = 1}};
    r->r.records = first;
    r->r.records_n = 1;
    row_set(&r->r, R_RECORDS);
    return forge_here(c);
}

/* The request was for the history, and a copy leaves on it. */
static at copy_for_history(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    struct forge_entry *f = act_reading(c, &p, &(struct take){0});
    f->e.operation = 0;
    f->e.has &= ~((uint64_t)1 << E_OPERATION);
    f->e.collection = c->collection;
    entry_set(&f->e, E_COLLECTION);
    static const struct row_record both[] = {{.id = 1, .version = 1}, {.id = 2, .version = 1}};
    f->rows[0].r.records = both;
    f->rows[0].r.records_n = 2;
    row_set(&f->rows[0].r, R_RECORDS);
    return forge_here(c);
}

/* A reading on a basis that is no person's. */
static at reading_by_ground(struct cast *c)
{
    struct puppet p;
    two_records(c, &p);
    struct forge_row *r = &act_reading(c, &p, &(struct take){0})->rows[0];
    static const struct row_basis ground[] = {{GRADE_GROUND, 5}};
    r->r.bases = ground;
    r->r.bases_n = 1;
    return forge_here(c);
}

const struct forge_case forge_cases_copy[] = {
    {"copy-forged", forged, "the operator asks for a copy in the person's name"},
    {"copy-other-persons-key", other_persons_key, "a copy that another person's key asked for"},
    {"copy-other-key", other_key, "a copy under a key that is another person's"},
    {"copy-other-evidence", other_evidence, "evidence of a copy that the row does not commit to"},
    {"copy-other-cell", other_cell, "a copy that was asked for at another cell"},
    {"copy-other-label", other_label, "a copy that was asked for under another label"},
    {"copy-old", old, "a copy on a request of two days ago"},
    {"copy-other-time", other_time, "a copy on an old request that the row calls new"},
    {"copy-reused", reused, "two copies on one request"},
    {"copy-leaves-out", leaves_out, "a copy that leaves a record out"},
    {"copy-skips-collection", skips_a_collection, "a copy that leaves a collection out"},
    {"copy-twice", twice, "a record that leaves twice on one request"},
    {"copy-goes-on-late", goes_on_late, "a copy that goes on two days later"},
    {"copy-goes-on-older", goes_on_older, "a copy that goes on where a newer one was begun"},
    {"copy-goes-on-alone", goes_on_alone, "a page of a copy that nobody asked for"},
    {"copy-after-retention", after_retention, "a copy of a record whose retention is over"},
    {"copy-never-stored", never_stored, "a copy of a record that was never stored"},
    {"copy-for-history", copy_for_history, "a copy on a request for the history"},
    {"history-forged", reading_forged, "the operator reads the history in the person's name"},
    {"history-unenrolled-key", reading_unenrolled_key, "a history by a key that the person never had"},
    {"history-other-persons-key", reading_other_persons_key, "a history that another person's key asked for"},
    {"history-other-evidence", reading_other_evidence,
     "evidence of a history that the row does not commit to"},
    {"history-other-cell", reading_other_cell, "a history that was asked for at another cell"},
    {"history-other-label", reading_other_label, "a history that was asked for under another label"},
    {"history-old", reading_old, "a history on a request of an hour ago"},
    {"history-other-time", reading_other_time, "a history on an old request that the row calls new"},
    {"history-reused", reading_reused, "two histories on one request"},
    {"history-with-records", reading_with_records, "a history with which records leave"},
    {"history-by-ground", reading_by_ground, "a history on a party's ground"},
    {NULL, NULL, NULL},
};
