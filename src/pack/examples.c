/* The examples of a pack: each is one question to the gate and the answer that its author expects. */
#include "base/limits.h"
#include "base/text.h"
#include "pack/compile.h"
#include "pack/pack.h"

enum { BASIS_INDEX = 8, PARTY_INDEX = 5, DECIDED_AT = 10, WITHDRAWN_AT = 9, WORDS_MAX = 32 };

/* One example, as the gate takes it. */
struct question {
    struct gate_party party;
    struct entry_purpose purpose;
    struct gate_basis basis;
    uint64_t recipient;
    struct gate_input in;
};

static bool any_valid(struct slice s)
{
    return s.n > 0;
}

static const struct node *get(const struct node *ex, const char *key)
{
    return tree_get(ex, key);
}

static enum bourn_err get_or(const struct node *ex, const char *key, bool (*valid)(struct slice),
                             const char *what, const char *otherwise, struct slice *out)
{
    const struct node *c = get(ex, key);
    *out = otherwise ? slice_str(otherwise) : (struct slice){0};
    if (c)
        return tree_text(c, valid, what, out);
    return otherwise ? BOURN_OK : tree_error(ex, "an example needs \"%s\"", key);
}

/* basis, voucher, state: a consent for exactly what is asked, or none. */
static enum bourn_err get_basis(const struct node *ex, struct question *q)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct node *basis = get(ex, "basis"), *voucher = get(ex, "voucher"), *state = get(ex, "state");
    struct gate_basis *b = &q->basis;
    *b = (struct gate_basis){
        .index = BASIS_INDEX,
        .voucher = VOUCHER_APP,
        .from = q->in.time,
        .until = q->in.time + 1,
        .withdrawn = UINT64_MAX,
        .purposes = {&q->in.purpose, 1},
        .destinations = {&q->party.jurisdiction, 1},
        .collections = {&q->in.collection, 1},
        .recipients = &q->recipient,
        .recipients_n = 1,
    };
    bool none = !basis || (basis->type == NODE_SCALAR && slice_is(basis->text, "none"));
    if (none && (voucher || state))
        return tree_error(voucher ? voucher : state,
                          "voucher and state are of a basis, and this example has none");
    if (none)
        return BOURN_OK;
    TRY(compile_word(basis, gate_grade_name, 1u << GRADE_SUBJECT_SIGNED | 1u << GRADE_OPERATOR_ATTESTED,
                     &b->grade));
    if (voucher)
        TRY(compile_word(voucher, gate_voucher_name, 0x1e, &b->voucher));
    if (state && slice_is(state->text, "withdrawn"))
        b->withdrawn = WITHDRAWN_AT;
    else if (state && slice_is(state->text, "expired"))
        b->until = q->in.time;
    else if (state && !slice_is(state->text, "live"))
        return tree_error(state, "state is live, expired or withdrawn");
    q->in.bases = b;
    q->in.bases_n = 1;
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err get_question(const struct node *ex, const struct gate_pack *p, struct question *q)
{
    static const char *const known[] = {"domicile",  "destination", "operation", "purpose", "collection",
                                        "sensitive", "at",          "ground",    "basis",   "voucher",
                                        "state",     "verdict",     "code",      "missing", "uses",
                                        "note",      NULL};
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct node *c;
    *q = (struct question){.recipient = PARTY_INDEX};
    q->in = (struct gate_input){.operation = OP_READ, .party = &q->party, .index = DECIDED_AT};
    TRY(tree_check_keys(ex, "an example", known));
    TRY(get_or(ex, "domicile", country_valid, A_COUNTRY, NULL, &q->in.domicile));
    TRY(get_or(ex, "destination", country_valid, A_COUNTRY, NULL, &q->party.jurisdiction));
    TRY(get_or(ex, "purpose", term_valid, A_TERM, "dpv:ServiceProvision", &q->in.purpose));
    TRY(get_or(ex, "collection", name_valid, A_NAME, "people", &q->in.collection));
    TRY(get_or(ex, "ground", term_valid, A_TERM, "", &q->purpose.ground));
    if ((c = get(ex, "operation")))
        TRY(compile_word(c, gate_operation_name, 0x7e, &q->in.operation));
    if (q->in.operation == OP_EVIDENCE)
        q->in.collection = (struct slice){0};
    if ((c = get(ex, "sensitive")))
        TRY(tree_bool(c, &q->in.sensitive));
    q->in.time = p->effective_from;
    if ((c = get(ex, "at")))
        TRY(tree_time(c, &q->in.time));
    q->party.index = PARTY_INDEX;
    q->party.rights = RIGHT_ALL;
    q->party.ended = UINT64_MAX;
    q->purpose.purpose = q->in.purpose;
    q->party.purposes = &q->purpose;
    q->party.purposes_n = 1;
    TRY(get_basis(ex, q));
out:
    return err;
}

static const char *verdict_name(uint32_t v)
{
    return v == GATE_ALLOW ? "allow" : v == GATE_NEEDS_HUMAN ? "needs_human" : "deny";
}

struct words {
    struct slice v[WORDS_MAX];
    size_t n;
};

static void add_word(struct words *w, const char *word)
{
    for (size_t i = 0; i < w->n; i++)
        if (slice_is(w->v[i], word))
            return;
    if (w->n < WORDS_MAX)
        w->v[w->n++] = slice_str(word);
}

/* The list of the example holds the same words, in any order. */
static enum bourn_err check_words(const struct node *list, const char *what, const struct words *w)
{
    if (list->type != NODE_LIST)
        return tree_error(list, "%s is a list of words", what);
    bool same = tree_count(list) == w->n;
    for (const struct node *c = list->first; c; c = c->next) {
        size_t i = 0;
        while (i < w->n && !(c->type == NODE_SCALAR && slice_eq(c->text, w->v[i])))
            i++;
        same &= i < w->n;
    }
    if (same)
        return BOURN_OK;
    struct buf b;
    buf_init(&b, 300);
    for (size_t i = 0; i < w->n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", SLICE_ARG(w->v[i]));
    (void)tree_error(list, "the gate's %s is [%.*s]; correct the example or the rule", what,
                     SLICE_ARG(buf_slice(&b)));
    buf_release(&b);
    return BOURN_E_CONFLICT;
}

static void missing_words(const struct gate_output *g, struct words *w)
{
    for (size_t i = 0; i < g->results_n; i++) {
        const struct gate_rule *r = g->results[i].rule;
        for (size_t j = 0; g->results[i].verdict != GATE_ALLOW && j < r->expr_n; j++)
            if (r->expr[j].op != EXPR_ANY_OF && r->expr[j].op != EXPR_ALL_OF)
                add_word(w, gate_expr_name(r->expr[j].op));
    }
}

static enum bourn_err check_answer(const struct node *ex, const struct gate_output *g)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice verdict, code;
    struct words missing = {0}, uses = {0};
    const struct node *c;
    TRY(get_or(ex, "verdict", any_valid, "allow, deny or needs_human", NULL, &verdict));
    TRY(get_or(ex, "code", name_valid, "a code of the gate", gate_code_name(g->code), &code));
    if (!slice_is(verdict, verdict_name(g->verdict)) || !slice_is(code, gate_code_name(g->code))) {
        (void)tree_error(
            ex, "this example says %.*s, and the gate says %s (%s); correct the example or the rule",
            SLICE_ARG(tree_shown(get(ex, "verdict"))), verdict_name(g->verdict), gate_code_name(g->code));
        return BOURN_E_CONFLICT;
    }
    missing_words(g, &missing);
    for (size_t i = 0; i < g->bases_n; i++)
        add_word(&uses, gate_grade_name(g->bases[i].grade));
    if ((c = get(ex, "missing")))
        TRY(check_words(c, "missing", &missing));
    if ((c = get(ex, "uses")))
        TRY(check_words(c, "uses", &uses));
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err pack_check_examples(struct slice yaml, size_t *n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct arena a;
    struct node *root;
    struct buf rules;
    struct gate_pack p;
    *n = 0;
    arena_init(&a, (size_t)16 << 20);
    buf_init(&rules, ENTRY_BYTES_MAX);
    TRY(pack_compile(yaml, &rules));
    TRY(gate_pack_decode(buf_slice(&rules), &a, &p)); /* what is checked is what a replay will run */
    TRY(tree_parse(yaml, &a, &root));
    const struct node *examples = tree_get(root, "examples");
    if (examples && examples->type != NODE_LIST) {
        err = tree_error(examples, "examples is a list");
        goto out;
    }
    const struct gate_pack *packs[] = {&p};
    for (const struct node *ex = examples ? examples->first : NULL; ex; ex = ex->next) {
        struct question q;
        struct gate_output g;
        TRY(get_question(ex, &p, &q));
        q.in.packs = packs;
        q.in.packs_n = 1;
        gate_decide(&q.in, &g);
        TRY(check_answer(ex, &g));
        ++*n;
    }
out:
    buf_release(&rules);
    arena_release(&a);
    return err;
}
