/* The gate once more, with the input that the entries give; and in words why a row's basis does not carry it.
 */
#include "verify/internal.h"

#include <stdio.h>

static bool pinned(const struct replay *v, const uint8_t pin[32])
{
    for (size_t i = 0; i < v->o->pins_n; i++)
        if (memcmp(v->o->pins[i], pin, 32) == 0)
            return true;
    return false;
}

static bool policy_pinned(const struct replay *v, uint64_t index)
{
    const struct world_policy *p;
    for (size_t i = 0; (p = world_policy_at(v->world, i)); i++)
        if (p->index == index)
            return pinned(v, p->pin);
    return false;
}

void decide_packs(struct replay *v)
{
    struct verify_report *r = v->rep;
    const struct world_policy *p;
    for (size_t i = 0; (p = world_policy_at(v->world, i)) && r->packs_n < VERIFY_PACKS_MAX; i++) {
        struct verify_pack *to = &r->pack[r->packs_n++];
        *to = (struct verify_pack){.index = p->index, .version = p->pack->version, .rules = p->pack->rules_n};
        snprintf(to->name, sizeof to->name, "%.*s", SLICE_ARG(p->pack->name));
        memcpy(to->pin, p->pin, 32);
        to->pinned = pinned(v, p->pin);
        for (size_t j = 0; j < p->pack->rules_n; j++)
            to->unreviewed += !p->pack->rules[j].reviewed;
    }
}

static bool has_purpose(const struct gate_party *p, struct slice purpose)
{
    for (size_t i = 0; i < p->purposes_n; i++)
        if (slice_eq(p->purposes[i].purpose, purpose))
            return true;
    return false;
}

static void check_collection(struct replay *v)
{
    const struct entry *e = v->entry;
    const struct world_collection *c = world_collection(v->world, e->collection, e->time);
    if (!c) {
        finding(v, CLAUSE_K1, "collection %.*s is not declared", SLICE_ARG(e->collection));
        return;
    }
    for (size_t i = 0; i < e->fields_n; i++) {
        bool declared = false;
        for (size_t j = 0; j < c->fields_n; j++)
            declared |= slice_eq(c->fields[j].name, e->fields[i]);
        if (!declared)
            finding(v, CLAUSE_K1, "field %.*s is not declared in the schema in force (version %llu)",
                    SLICE_ARG(e->fields[i]), (unsigned long long)c->version);
    }
}

void decide_entry(struct replay *v)
{
    const struct entry *e = v->entry;
    uint64_t policy[PACKS_MAX];
    v->packs_n = world_packs(v->world, v->index, e->time, v->packs, policy);
    bool same = v->packs_n == e->policy_n &&
                (!e->policy_n || !memcmp(policy, e->policy, e->policy_n * sizeof *policy));
    if (!same)
        finding(v, CLAUSE_S3, "it names other policies than the %zu that were in force", v->packs_n);
    for (size_t i = 0; i < v->packs_n; i++)
        if (!policy_pinned(v, policy[i])) {
            uint32_t by_gate = BIT(CLAUSE_C1) | BIT(CLAUSE_C2) | BIT(CLAUSE_C3) | BIT(CLAUSE_C4) |
                               BIT(CLAUSE_S2) | BIT(CLAUSE_S3);
            clauses_count(v, clauses_of(e->kind, LAYER_ROWS) & by_gate, COUNT_UNPINNED);
            break;
        }
    const struct gate_party *p = world_party(v->world, e->party);
    if (p && !slice_eq(p->jurisdiction, e->destination))
        finding(v, CLAUSE_S2, "its destination is %.*s, but party %llu is in %.*s", SLICE_ARG(e->destination),
                (unsigned long long)p->index, SLICE_ARG(p->jurisdiction));
    if (p && !has_purpose(p, e->purpose))
        finding(v, CLAUSE_K2, "party %llu did not declare its purpose", (unsigned long long)p->index);
    bool evidence = e->kind == ENTRY_DISCLOSED && e->operation == OP_EVIDENCE;
    /* A disclosure as `write` would pass by the right to read, and one as `self` by every basis: what a
     * person signed for is an `exported` entry. */
    if (e->kind == ENTRY_DISCLOSED && !evidence && e->operation != OP_READ && e->operation != OP_SEARCH)
        finding(v, CLAUSE_C2, "operation %u cannot disclose", e->operation);
    if (entry_has(e, E_COLLECTION) == evidence)
        finding(v, CLAUSE_K1, evidence ? "evidence of a collection" : "no collection is named");
    else if (!evidence)
        check_collection(v);
}

static bool listed(struct gate_list l, struct slice s)
{
    for (size_t i = 0; i < l.n; i++)
        if (slice_eq(l.v[i], s))
            return true;
    return false;
}

/* Why this consent does not carry the entry; NULL if it looks fit (then a rule's grades or vouchers refuse
 * it). */
static const char *why_unfit(const struct replay *v, const struct gate_basis *b, uint32_t grade)
{
    const struct entry *e = v->entry;
    bool recipient = false;
    for (size_t i = 0; b && i < b->recipients_n; i++)
        recipient |= b->recipients[i] == e->party;
    return !b                                         ? "is no consent of this person"
           : b->withdrawn <= v->index                 ? "was withdrawn"
           : e->time < b->from || e->time >= b->until ? "is outside its time"
           : !recipient                               ? "is for another recipient"
           : !listed(b->purposes, e->purpose)         ? "is for another purpose"
           : !listed(b->destinations, e->destination) ? "is for another destination"
           : !listed(b->collections, e->collection)   ? "is for another collection"
           : b->grade != grade                        ? "has another grade"
                                                      : NULL;
}

static void explain(const struct replay *v, const struct row *r, const struct subject *s, char *out,
                    size_t cap)
{
    out[0] = '\0';
    for (size_t i = 0; i < r->bases_n; i++) {
        const struct row_basis *b = &r->bases[i];
        unsigned long long index = b->index;
        if (b->grade == GRADE_GROUND) {
            if (b->index != v->entry->party)
                snprintf(out, cap, "; ground %llu is of another party", index);
            continue;
        }
        const char *why = why_unfit(v, person_consent(&s->person, b->index), b->grade);
        snprintf(out, cap, "; basis %llu %s", index,
                 why ? why : "is of a kind that the rule does not accept");
        return;
    }
    if (!r->bases_n)
        snprintf(out, cap, "; it names no basis");
}

/* The clause that a denial violates: the first unsatisfied rule's, else by the code. */
static enum verify_clause clause_denied(const struct gate_output *g, char *rule, size_t cap)
{
    rule[0] = '\0';
    for (size_t i = 0; i < g->results_n; i++) {
        const struct gate_result *x = &g->results[i];
        if (x->verdict == GATE_ALLOW)
            continue;
        snprintf(rule, cap, " (rule %.*s/%.*s)", SLICE_ARG(x->pack->name), SLICE_ARG(x->rule->id));
        return clause_named((const char *)x->rule->clause.p, x->rule->clause.n, CLAUSE_C3);
    }
    return g->code == GATE_RIGHT_MISSING || g->code == GATE_PARTY_ENDED ? CLAUSE_C2
           : g->code == GATE_PURPOSE_UNDECLARED                         ? CLAUSE_C4
                                                                        : CLAUSE_C3;
}

static void count_grades(struct replay *v, const struct row *r, const struct subject *s)
{
    struct verify_report *rep = v->rep;
    rep->disclosures++;
    rep->transfers += !slice_eq(v->entry->destination, world_domicile(v->world));
    for (size_t i = 0; i < r->bases_n; i++) {
        uint32_t grade = r->bases[i].grade;
        const struct gate_basis *b = person_consent(&s->person, r->bases[i].index);
        if (grade < sizeof rep->by_grade / sizeof rep->by_grade[0])
            rep->by_grade[grade]++;
        if (grade == GRADE_SUBJECT_SIGNED && b &&
            b->voucher < sizeof rep->by_voucher / sizeof rep->by_voucher[0])
            rep->by_voucher[b->voucher]++;
    }
}

void decide_row(struct replay *v, const struct row *r, struct subject *s)
{
    const struct entry *e = v->entry;
    const struct world_collection *c =
        entry_has(e, E_COLLECTION) ? world_collection(v->world, e->collection, e->time) : NULL;
    struct gate_input in = {
        .operation = e->kind == ENTRY_STORED     ? OP_WRITE
                     : e->kind == ENTRY_DELETED  ? OP_DELETE
                     : e->kind == ENTRY_EXPORTED ? OP_SELF
                                                 : e->operation,
        .party = world_party(v->world, e->party),
        .domicile = world_domicile(v->world),
        .collection = c ? c->name : slice_of(NULL, 0),
        .sensitive = c && c->sensitive,
        .purpose = e->purpose,
        .time = e->time,
        .index = v->index,
        .bases = s->person.erased ? NULL : s->person.bases,
        .bases_n = s->person.erased ? 0 : s->person.bases_n,
        .packs = v->packs,
        .packs_n = v->packs_n,
    };
    struct gate_output g;
    gate_decide(&in, &g);
    char rule[140], why[100];
    if (e->kind == ENTRY_DISCLOSED)
        count_grades(v, r, s);
    if (g.verdict != GATE_ALLOW) {
        enum verify_clause clause = clause_denied(&g, rule, sizeof rule);
        explain(v, r, s, why, sizeof why);
        finding(v, clause, "the gate refuses it: %s%s%s", gate_code_name(g.code), rule, why);
        return;
    }
    bool same = g.bases_n == r->bases_n;
    for (size_t i = 0; same && i < g.bases_n; i++)
        same = g.bases[i].grade == r->bases[i].grade && g.bases[i].index == r->bases[i].index;
    if (!same) {
        explain(v, r, s, why, sizeof why);
        finding(v, CLAUSE_C3, "its row names other bases than the gate's%s", why);
    }
}

bool decide_evidence(struct replay *v, uint64_t party, struct slice purpose)
{
    uint64_t policy[PACKS_MAX], time = world_time(v->world);
    struct gate_input in = {
        .operation = OP_EVIDENCE,
        .party = world_party(v->world, party),
        .domicile = world_domicile(v->world),
        .purpose = purpose,
        .time = time,
        .index = v->size,
        .packs = v->packs,
        .packs_n = world_packs(v->world, v->size, time, v->packs, policy),
    };
    struct gate_output g;
    gate_decide(&in, &g);
    return g.verdict == GATE_ALLOW;
}
