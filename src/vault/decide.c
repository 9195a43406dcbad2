/* The vault's side of the gate: what it is asked, and what a refusal leaves in the ledger. */
#include "vault/internal.h"

#include "base/log.h"

void decide(struct vault *v, struct asked *q, const struct person *p)
{
    bool known = p && !p->erased;
    q->packs_n = world_packs(v->world, v->next_index, v->now, q->packs, q->policy);
    struct gate_input in = {
        .operation = q->operation,
        .party = q->party,
        .domicile = world_domicile(v->world),
        .collection = q->collection ? q->collection->name : slice_of(NULL, 0),
        .sensitive = q->collection && q->collection->sensitive,
        .purpose = q->purpose,
        .time = v->now,
        .index = v->next_index,
        .bases = known ? p->bases : NULL,
        .bases_n = known ? p->bases_n : 0,
        .packs = q->packs,
        .packs_n = q->packs_n,
    };
    gate_decide(&in, &q->out);
}

bool crossing(const struct vault *v, const struct asked *q)
{
    return !slice_eq(q->party->jurisdiction, world_domicile(v->world));
}

void entry_begin(const struct vault *v, const struct asked *q, uint32_t kind, struct entry *e)
{
    *e = (struct entry){
        .kind = kind, .time = v->now, .party = q->party->index, .destination = q->party->jurisdiction};
    entry_set(e, E_PARTY);
    entry_set(e, E_DESTINATION);
    if (q->purpose.n) {
        e->purpose = q->purpose;
        entry_set(e, E_PURPOSE);
    }
    if (q->collection) {
        e->collection = q->collection->name;
        entry_set(e, E_COLLECTION);
    }
    if (kind == ENTRY_DISCLOSED || kind == ENTRY_REFUSED) {
        e->operation = q->operation;
        entry_set(e, E_OPERATION);
    }
    if (kind != ENTRY_REFUSED) {
        e->policy = q->policy;
        e->policy_n = q->packs_n;
        entry_set(e, E_POLICY);
    }
}

static enum bourn_err refusal_entry(struct vault *v, struct refusal *f, uint64_t count)
{
    uint64_t index;
    const struct gate_party *p = world_party(v->world, f->party);
    if (!p)
        return BOURN_OK;
    struct entry e = {.kind = ENTRY_REFUSED,
                      .time = v->now,
                      .party = f->party,
                      .destination = p->jurisdiction,
                      .operation = f->operation,
                      .count = count,
                      .code = slice_str(gate_code_name(f->code)),
                      .purpose = slice_str(f->purpose),
                      .collection = slice_str(f->collection)};
    entry_set(&e, E_PARTY);
    entry_set(&e, E_DESTINATION);
    entry_set(&e, E_OPERATION);
    entry_set(&e, E_COUNT);
    entry_set(&e, E_CODE);
    if (e.purpose.n)
        entry_set(&e, E_PURPOSE);
    if (e.collection.n)
        entry_set(&e, E_COLLECTION);
    f->count = 0;
    f->second = v->now;
    return batch_entry(v, &e, NULL, 0, &index);
}

static void copy_text(char *to, size_t size, struct slice s)
{
    size_t n = s.n < size ? s.n : 0; /* what is too long never stood in a valid request */
    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
}

/* The first refusal of a kind is an entry at once; those that follow within the same second are one more
 * entry. */
enum bourn_err refused(struct vault *v, const struct asked *q, uint64_t times)
{
    v->refusals_counted += times;
    struct refusal f = {.party = q->party->index, .operation = q->operation, .code = q->out.code};
    /* An undeclared purpose is the client's own text, which could say anything: it stays out of the ledger.
     */
    for (size_t i = 0; i < q->party->purposes_n; i++)
        if (slice_eq(q->party->purposes[i].purpose, q->purpose))
            copy_text(f.purpose, sizeof f.purpose, q->purpose);
    if (q->collection)
        copy_text(f.collection, sizeof f.collection, q->collection->name);
    for (size_t i = 0; i < v->refusals_n; i++) {
        struct refusal *g = &v->refusals[i];
        if (g->party != f.party || g->operation != f.operation || g->code != f.code ||
            strcmp(g->purpose, f.purpose) != 0 || strcmp(g->collection, f.collection) != 0)
            continue;
        g->count += times;
        return g->second == v->now ? BOURN_OK : refusal_entry(v, g, g->count);
    }
    if (v->refusals_n == REFUSALS_MAX) {
        enum bourn_err err = refusals_flush(v, true);
        if (err)
            return err;
    }
    v->refusals[v->refusals_n] = f;
    return refusal_entry(v, &v->refusals[v->refusals_n++], times);
}

/* Writes out what was counted in seconds that have passed (all: also in this one), and forgets idle kinds. */
enum bourn_err refusals_flush(struct vault *v, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->refusals_n; i++) {
        struct refusal *f = &v->refusals[i];
        bool past = all || f->second != v->now;
        if (f->count && past) {
            enum bourn_err err = refusal_entry(v, f, f->count);
            if (err)
                return err;
        } else if (past) {
            continue;
        }
        if (!all)
            v->refusals[kept++] = *f;
    }
    v->refusals_n = kept;
    return BOURN_OK;
}

enum bourn_err refuse(struct vault *v, const struct asked *q, struct answer *a)
{
    const char *code = gate_code_name(q->out.code);
    if (q->out.verdict == GATE_NEEDS_HUMAN)
        answer_problem(a, 403, code, "no rule lets a machine decide this: `missing` names who has to");
    else if (q->out.code == GATE_BASIS_MISSING)
        answer_problem(a, 403, code, "the gate refuses: `missing` names what would satisfy each rule");
    else if (q->out.code == GATE_RIGHT_MISSING)
        answer_problem(a, 403, code, "the party's rights do not include this operation");
    else if (q->out.code == GATE_PURPOSE_UNDECLARED)
        answer_problem(a, 403, code, "the purpose is not one that the party declared");
    else
        answer_problem(a, 403, code, "the gate refuses");
    gate_missing_json(&a->missing, &q->out);
    answer_hold(a, 1); /* the person may have been looked for before the gate was asked */
    return refused(v, q, 1);
}
