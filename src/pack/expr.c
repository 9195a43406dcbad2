/* `require`: a tree of any_of and all_of over words, compiled into prefix order. */
#include "base/limits.h"
#include "base/text.h"
#include "pack/compile.h"

enum { CHILDREN_MAX = 16, EXPR_ITEMS_MAX = 128 }; /* as gate_pack_decode */

struct builder {
    struct arena *a;
    struct gate_expr v[EXPR_ITEMS_MAX];
    size_t n;
};

static uint32_t op_named(struct slice word)
{
    for (uint32_t op = EXPR_ANY_OF; op <= EXPR_COUNTER_BELOW; op++)
        if (slice_is(word, gate_expr_name(op)))
            return op;
    return 0;
}

static enum bourn_err build(struct builder *b, const struct node *n, unsigned depth);

static enum bourn_err build_children(struct builder *b, struct gate_expr *x, const struct node *list,
                                     unsigned depth)
{
    size_t children = tree_count(list);
    if (list->type != NODE_LIST || children == 0 || children > CHILDREN_MAX)
        return tree_error(list, "%.*s takes a list of 1 to %d expressions", SLICE_ARG(list->key),
                          CHILDREN_MAX);
    x->children = (uint32_t)children;
    for (const struct node *c = list->first; c; c = c->next) {
        enum bourn_err err = build(b, c, depth + 1);
        if (err != BOURN_OK)
            return err;
    }
    return BOURN_OK;
}

/* `word: value` */
static enum bourn_err build_map(struct builder *b, struct gate_expr *x, const struct node *n, unsigned depth)
{
    const struct node *value = n->first;
    if (!value || value->next)
        return tree_error(n,
                          "an expression has exactly one word, for example any_of; put two below an all_of");
    x->op = op_named(value->key);
    switch (x->op) {
    case EXPR_ANY_OF:
    case EXPR_ALL_OF:
        return build_children(b, x, value, depth);
    case EXPR_ADEQUACY:
    case EXPR_DENY_LIST:
        return compile_list(value, b->a, country_valid, A_COUNTRY, &x->list);
    case EXPR_NEEDS_HUMAN:
        return tree_text(value, name_valid, "the name of who decides", &x->decider);
    case EXPR_COUNTER_BELOW:
        return tree_error(value,
                          "counter_below cannot be used yet: the ledger keeps no counters, and a gate never "
                          "guesses; write needs_human with who decides");
    case 0: {
        const struct node key = {.text = value->key};
        return tree_error(
            n,
            "%.*s is no expression; use any_of, all_of, subject_consent, authority_approval, ground, "
            "adequacy, deny_list or needs_human",
            SLICE_ARG(tree_shown(&key)));
    }
    default:
        return tree_error(n, "%.*s takes no value: write the word alone", SLICE_ARG(value->key));
    }
}

static enum bourn_err build(struct builder *b, const struct node *n, unsigned depth)
{
    if (depth > EXPR_DEPTH_MAX)
        return tree_error(n, "expressions are nested deeper than %d", EXPR_DEPTH_MAX);
    if (b->n == EXPR_ITEMS_MAX)
        return tree_error(n, "more than %d expressions in one rule", EXPR_ITEMS_MAX);
    struct gate_expr *x = &b->v[b->n++];
    *x = (struct gate_expr){0};
    if (n->type == NODE_MAP)
        return build_map(b, x, n, depth);
    x->op = n->type == NODE_SCALAR ? op_named(n->text) : 0;
    if (x->op == EXPR_SUBJECT_CONSENT || x->op == EXPR_AUTHORITY_APPROVAL || x->op == EXPR_GROUND)
        return BOURN_OK;
    if (x->op)
        return tree_error(n, "%.*s needs a value: write it as a map", SLICE_ARG(n->text));
    return tree_error(
        n,
        "%.*s is no expression; use any_of, all_of, subject_consent, authority_approval, ground, "
        "adequacy, deny_list or needs_human",
        SLICE_ARG(tree_shown(n)));
}

enum bourn_err compile_require(const struct node *n, struct arena *a, struct gate_rule *rule)
{
    struct builder b = {.a = a};
    enum bourn_err err = build(&b, n, 1);
    if (err != BOURN_OK)
        return err;
    struct gate_expr *kept = arena_alloc(a, b.n * sizeof *kept);
    if (!kept)
        return err_set(BOURN_E_MEMORY, "pack: out of memory");
    memcpy(kept, b.v, b.n * sizeof *kept);
    rule->expr = kept;
    rule->expr_n = b.n;
    return BOURN_OK;
}
