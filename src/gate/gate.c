#include "gate/gate.h"

#include "base/limits.h"

/* What an expression came to: its verdict and, where it allows, the bases that it stands on. */
struct found {
    enum gate_verdict verdict;
    bool overflow; /* more bases than fit: the decision is deny */
    struct row_basis bases[GATE_BASES_MAX];
    size_t bases_n;
};

/* One rule being evaluated. */
struct eval {
    const struct gate_input *in;
    const struct gate_rule *rule;
    size_t at; /* next expression, in prefix order */
};

static bool has_item(struct gate_list list, struct slice s)
{
    for (size_t i = 0; i < list.n; i++)
        if (slice_eq(list.v[i], s))
            return true;
    return false;
}

static bool bit_of(uint32_t mask, uint32_t bit)
{
    return bit < 32 && (mask >> bit & 1);
}

/* Keeps `bases` ascending by (grade, index), each once. */
static void add_basis(struct found *f, struct row_basis b)
{
    size_t i = 0;
    while (i < f->bases_n &&
           (f->bases[i].grade < b.grade || (f->bases[i].grade == b.grade && f->bases[i].index < b.index)))
        i++;
    if (i < f->bases_n && f->bases[i].grade == b.grade && f->bases[i].index == b.index)
        return;
    if (f->bases_n == GATE_BASES_MAX) {
        f->overflow = true;
        return;
    }
    memmove(&f->bases[i + 1], &f->bases[i], (f->bases_n - i) * sizeof f->bases[0]);
    f->bases[i] = b;
    f->bases_n++;
}

static void add_all(struct found *f, const struct found *from)
{
    f->overflow |= from->overflow;
    for (size_t i = 0; i < from->bases_n; i++)
        add_basis(f, from->bases[i]);
}

static bool consent_covers(const struct gate_basis *b, const struct gate_input *in)
{
    if (b->index >= in->index || b->withdrawn <= in->index || in->time < b->from || in->time >= b->until)
        return false;
    bool recipient = false;
    for (size_t i = 0; i < b->recipients_n; i++)
        recipient |= b->recipients[i] == in->party->index;
    /* Evidence has no collection, and no consent names the empty one. */
    return recipient && in->collection.n && has_item(b->purposes, in->purpose) &&
           has_item(b->destinations, in->party->jurisdiction) && has_item(b->collections, in->collection);
}

static bool consent_accepted(const struct gate_basis *b, const struct gate_rule *r)
{
    if (b->grade == GRADE_SUBJECT_SIGNED)
        return (!r->grades || bit_of(r->grades, b->grade)) &&
               (!r->vouchers || bit_of(r->vouchers, b->voucher));
    return b->grade == GRADE_OPERATOR_ATTESTED && (!r->grades || bit_of(r->grades, b->grade));
}

static void eval_consent(const struct eval *e, struct found *f)
{
    const struct gate_basis *best = NULL;
    for (size_t i = 0; i < e->in->bases_n; i++) {
        const struct gate_basis *b = &e->in->bases[i];
        if (consent_accepted(b, e->rule) && consent_covers(b, e->in) && (!best || b->index < best->index))
            best = b;
    }
    if (best) {
        f->verdict = GATE_ALLOW;
        add_basis(f, (struct row_basis){best->grade, best->index});
    }
}

static void eval_ground(const struct eval *e, struct found *f)
{
    const struct gate_party *p = e->in->party;
    for (size_t i = 0; i < p->purposes_n; i++) {
        struct slice ground = p->purposes[i].ground;
        if (ground.n && slice_eq(p->purposes[i].purpose, e->in->purpose) &&
            (!e->rule->grounds.n || has_item(e->rule->grounds, ground))) {
            f->verdict = GATE_ALLOW;
            add_basis(f, (struct row_basis){GRADE_GROUND, p->index});
            return;
        }
    }
}

static uint64_t lowest_index(const struct found *f)
{
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < f->bases_n; i++)
        lowest = f->bases[i].index < lowest ? f->bases[i].index : lowest;
    return lowest;
}

static void eval_expr(struct eval *e, unsigned depth, struct found *f);

/* The best child counts. Among children that allow: the one with the lowest entry index, so that every replay
 * picks the same; one without a basis (adequacy, deny_list) only where no other has one; the first of equals.
 */
static void eval_any(struct eval *e, uint32_t children, unsigned depth, struct found *f)
{
    for (uint32_t i = 0; i < children; i++) {
        struct found child;
        eval_expr(e, depth + 1, &child);
        bool better =
            child.verdict > f->verdict || (child.verdict == GATE_ALLOW && f->verdict == GATE_ALLOW &&
                                           lowest_index(&child) < lowest_index(f));
        bool overflow = f->overflow || child.overflow;
        if (better)
            *f = child;
        f->overflow = overflow;
    }
}

static void eval_all(struct eval *e, uint32_t children, unsigned depth, struct found *f)
{
    f->verdict = children ? GATE_ALLOW : GATE_DENY;
    for (uint32_t i = 0; i < children; i++) {
        struct found child;
        eval_expr(e, depth + 1, &child);
        f->verdict = child.verdict < f->verdict ? child.verdict : f->verdict;
        add_all(f, &child);
    }
    if (f->verdict != GATE_ALLOW)
        f->bases_n = 0;
}

static void eval_expr(struct eval *e, unsigned depth, struct found *f)
{
    *f = (struct found){.verdict = GATE_DENY};
    if (e->at >= e->rule->expr_n || depth > EXPR_DEPTH_MAX) {
        e->at = e->rule->expr_n;
        f->overflow = true; /* not a tree that gate_pack_decode lets through */
        return;
    }
    const struct gate_expr *x = &e->rule->expr[e->at++];
    struct slice destination = e->in->party->jurisdiction;
    switch (x->op) {
    case EXPR_ANY_OF:
        eval_any(e, x->children, depth, f);
        break;
    case EXPR_ALL_OF:
        eval_all(e, x->children, depth, f);
        break;
    case EXPR_SUBJECT_CONSENT:
        eval_consent(e, f);
        break;
    case EXPR_GROUND:
        eval_ground(e, f);
        break;
    case EXPR_ADEQUACY:
        f->verdict = has_item(x->list, destination) ? GATE_ALLOW : GATE_DENY;
        break;
    case EXPR_DENY_LIST:
        f->verdict = has_item(x->list, destination) ? GATE_DENY : GATE_ALLOW;
        break;
    case EXPR_NEEDS_HUMAN: /* only an approval by x->decider will answer it; there are no approvals yet */
        f->verdict = GATE_NEEDS_HUMAN;
        break;
    case EXPR_AUTHORITY_APPROVAL: /* approvals are no entries yet: never satisfied */
    default:
        break;
    }
}

/* Computed for each pack by itself, so that no pack's market loosens another's rule. */
static bool is_crossing(const struct gate_input *in, const struct gate_pack *p)
{
    struct slice destination = in->party->jurisdiction;
    if (slice_eq(destination, in->domicile))
        return false;
    return !(has_item(p->market, in->domicile) && has_item(p->market, destination));
}

static bool rule_matches(const struct gate_input *in, const struct gate_pack *p, const struct gate_rule *r)
{
    uint32_t has = r->when_has;
    return !((has & WHEN_CROSSING && r->crossing != is_crossing(in, p)) ||
             (has & WHEN_SENSITIVE && r->sensitive != in->sensitive) ||
             (has & WHEN_COLLECTIONS && !has_item(r->collections, in->collection)) ||
             (has & WHEN_DOMICILES && !has_item(r->domiciles, in->domicile)) ||
             (has & WHEN_DESTINATIONS && !has_item(r->destinations, in->party->jurisdiction)) ||
             (has & WHEN_PURPOSES && !has_item(r->purposes, in->purpose)) ||
             (has & WHEN_OPERATIONS && !bit_of(r->operations, in->operation)));
}

uint32_t gate_operation_right(uint32_t operation)
{
    switch (operation) {
    case OP_READ:
        return RIGHT_READ;
    case OP_SEARCH:
        return RIGHT_SEARCH;
    case OP_WRITE:
    case OP_DELETE:
        return RIGHT_WRITE;
    case OP_EVIDENCE:
        return RIGHT_AUDIT;
    case OP_SELF:
        return 0;
    default:
        return UINT32_MAX; /* more than any party can hold */
    }
}

/* Rights, life and purpose of the party: GATE_OK or why not. */
static enum gate_code check_party(const struct gate_input *in)
{
    uint32_t right = gate_operation_right(in->operation);
    if (!in->party)
        return in->operation == OP_SELF ? GATE_OK : GATE_RIGHT_MISSING;
    if ((in->party->rights & right) != right)
        return GATE_RIGHT_MISSING;
    if (in->party->ended <= in->index)
        return GATE_PARTY_ENDED;
    if (in->operation == OP_SELF)
        return GATE_OK;
    for (size_t i = 0; i < in->party->purposes_n; i++)
        if (in->purpose.n && slice_eq(in->party->purposes[i].purpose, in->purpose))
            return GATE_OK;
    return GATE_PURPOSE_UNDECLARED;
}

/* Runs the rules that match; false if there are more results than fit. */
static bool run_rules(const struct gate_input *in, struct gate_output *out, struct found *all)
{
    for (size_t i = 0; i < in->packs_n; i++) {
        const struct gate_pack *p = in->packs[i];
        if (in->time < p->effective_from || in->time >= p->effective_to)
            continue;
        for (size_t j = 0; j < p->rules_n; j++) {
            const struct gate_rule *r = &p->rules[j];
            if (!rule_matches(in, p, r))
                continue;
            if (out->results_n == GATE_RESULTS_MAX)
                return false;
            struct eval e = {.in = in, .rule = r};
            struct found f;
            eval_expr(&e, 1, &f);
            if (f.overflow)
                f.verdict = GATE_DENY;
            out->results[out->results_n++] = (struct gate_result){p, r, f.verdict};
            all->verdict = f.verdict < all->verdict ? f.verdict : all->verdict;
            add_all(all, &f);
        }
    }
    return !all->overflow;
}

void gate_decide(const struct gate_input *in, struct gate_output *out)
{
    *out = (struct gate_output){.verdict = GATE_DENY, .code = GATE_BASIS_MISSING};
    enum gate_code code = check_party(in);
    if (code != GATE_OK) {
        out->code = code;
        return;
    }
    if (in->operation == OP_SELF) {
        out->verdict = GATE_ALLOW;
        out->code = GATE_OK;
        out->bases[out->bases_n++] = (struct row_basis){GRADE_SELF, 0};
        return;
    }
    struct found all = {.verdict = GATE_ALLOW};
    if (!run_rules(in, out, &all))
        return;
    if (!out->results_n) {
        out->code = GATE_NO_RULE;
        return;
    }
    out->verdict = all.verdict;
    if (all.verdict == GATE_NEEDS_HUMAN)
        out->code = GATE_NEEDS_DECISION;
    if (all.verdict != GATE_ALLOW)
        return;
    out->code = GATE_OK;
    memcpy(out->bases, all.bases, sizeof out->bases);
    out->bases_n = all.bases_n;
}
