/* Forged copies: what leaves in a person's name that they did not ask for, or not so. */
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

static void to_other_cell(struct export_statement *s)
{
    s->origin = slice_str("de.example/ledger");
}
static at other_cell(struct cast *c)
{
    return copy_with(c, &(struct take){.change = to_other_cell});
}

static void to_other_person(struct export_statement *s)
{
    s->label[0] ^= 1;
}
static at other_label(struct cast *c)
{
    return copy_with(c, &(struct take){.change = to_other_person});
}

static void long_ago(struct export_statement *s)
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
    {NULL, NULL, NULL},
};
