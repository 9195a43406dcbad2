/* Compiled packs: the canonical CBOR of docs/formats/pack.cddl to struct gate_pack.
 *
 * The reader trusts nothing: each list strictly ascending and of the right form, each mask within its words,
 * the tree of an expression complete and at most EXPR_DEPTH_MAX deep. So one pack has one encoding, and the
 * pin names it. */
#include "gate/rules_internal.h"

/* The reader: `c` carries the first failure, as everywhere with struct cbor. */
struct reader {
    struct cbor c;
    struct arena *arena;
    bool memory; /* the arena is full */
};

static void *take(struct reader *r, size_t count, size_t size)
{
    void *p = arena_alloc(r->arena, count * size);
    if (!p) {
        r->memory = true;
        cbor_fail(&r->c, "out of memory");
    }
    return p;
}

static struct slice get_text(struct reader *r, bool (*valid)(struct slice), const char *why)
{
    struct slice s = cbor_text(&r->c);
    if (!r->c.why && !valid(s))
        cbor_fail(&r->c, why);
    return s;
}

/* n strings, strictly ascending. */
static struct gate_list get_items(struct reader *r, uint64_t n, bool (*valid)(struct slice))
{
    struct slice *v = n && !r->c.why ? take(r, n, sizeof *v) : NULL;
    if (!r->c.why && n == 0)
        cbor_fail(&r->c, "an empty list");
    for (uint64_t i = 0; i < n && !r->c.why; i++) {
        v[i] = get_text(r, valid, "an item of a list that is no name, country or term");
        if (!r->c.why && i && slice_cmp(v[i - 1], v[i]) >= 0)
            cbor_fail(&r->c, "a list that is not ascending");
    }
    return r->c.why ? (struct gate_list){0} : (struct gate_list){v, n};
}

static struct gate_list get_list(struct reader *r, bool (*valid)(struct slice))
{
    return get_items(r, cbor_array(&r->c, LIST_MAX), valid);
}

static uint32_t get_mask(struct reader *r, uint32_t allowed)
{
    uint64_t v = cbor_uint(&r->c);
    if (!r->c.why && (v == 0 || (v & ~(uint64_t)allowed)))
        cbor_fail(&r->c, "a mask with unknown bits, or none");
    return r->c.why ? 0 : (uint32_t)v;
}

static void get_expr(struct reader *r, struct gate_expr *v, size_t *n, unsigned depth)
{
    uint64_t items = cbor_array(&r->c, 1 + LIST_MAX);
    uint64_t op = cbor_uint(&r->c);
    if (!r->c.why && (items == 0 || depth > EXPR_DEPTH_MAX || *n == EXPR_ITEMS_MAX))
        cbor_fail(&r->c, "an expression that is empty, too deep or too long");
    if (r->c.why)
        return;
    struct gate_expr *x = &v[(*n)++];
    *x = (struct gate_expr){.op = op <= EXPR_NEEDS_HUMAN ? (uint32_t)op : 0};
    uint64_t rest = items - 1;
    switch (x->op) {
    case EXPR_ANY_OF:
    case EXPR_ALL_OF:
        if (rest == 0 || rest > CHILDREN_MAX)
            cbor_fail(&r->c, "any_of or all_of with no child, or too many");
        x->children = (uint32_t)rest;
        for (uint64_t i = 0; i < rest && !r->c.why; i++)
            get_expr(r, v, n, depth + 1);
        break;
    case EXPR_SUBJECT_CONSENT:
    case EXPR_AUTHORITY_APPROVAL:
    case EXPR_GROUND:
        if (rest)
            cbor_fail(&r->c, "an expression with items that it does not take");
        break;
    case EXPR_ADEQUACY:
    case EXPR_DENY_LIST:
        x->list = get_items(r, rest, country_valid);
        break;
    case EXPR_NEEDS_HUMAN:
        if (rest != 1)
            cbor_fail(&r->c, "needs_human takes one decider");
        x->decider = get_text(r, name_valid, "a decider that is no name");
        break;
    default:
        cbor_fail(&r->c, "an expression that this format does not know");
    }
}

static void get_require(struct reader *r, struct gate_rule *u)
{
    struct gate_expr v[EXPR_ITEMS_MAX];
    size_t n = 0;
    get_expr(r, v, &n, 1);
    struct gate_expr *kept = r->c.why ? NULL : take(r, n, sizeof *kept);
    if (!kept)
        return;
    memcpy(kept, v, n * sizeof *kept);
    u->expr = kept;
    u->expr_n = n;
}

static void get_when_list(struct reader *r, struct gate_rule *u, uint32_t bit, struct gate_list *list,
                          bool (*valid)(struct slice))
{
    u->when_has |= bit;
    *list = get_list(r, valid);
}

static void get_rule_field(struct reader *r, struct gate_rule *u, uint64_t key)
{
    switch (key) {
    case U_ID:
        u->id = get_text(r, name_valid, "a rule id that is no name");
        break;
    case U_CLAUSE:
        u->clause = get_text(r, name_valid, "a clause that is no name");
        break;
    case U_CROSSING:
        u->when_has |= WHEN_CROSSING;
        u->crossing = cbor_bool(&r->c);
        break;
    case U_SENSITIVE:
        u->when_has |= WHEN_SENSITIVE;
        u->sensitive = cbor_bool(&r->c);
        break;
    case U_COLLECTIONS:
        get_when_list(r, u, WHEN_COLLECTIONS, &u->collections, name_valid);
        break;
    case U_DOMICILES:
        get_when_list(r, u, WHEN_DOMICILES, &u->domiciles, country_valid);
        break;
    case U_DESTINATIONS:
        get_when_list(r, u, WHEN_DESTINATIONS, &u->destinations, country_valid);
        break;
    case U_PURPOSES:
        get_when_list(r, u, WHEN_PURPOSES, &u->purposes, term_valid);
        break;
    case U_OPERATIONS:
        u->when_has |= WHEN_OPERATIONS;
        u->operations = get_mask(r, OPERATIONS_MASK);
        break;
    case U_REQUIRE:
        get_require(r, u);
        break;
    case U_GRADES:
        u->grades = get_mask(r, GRADES_MASK);
        break;
    case U_VOUCHERS:
        u->vouchers = get_mask(r, VOUCHERS_MASK);
        break;
    case U_GROUNDS:
        u->grounds = get_list(r, term_valid);
        break;
    case U_REVIEWED:
        u->reviewed = cbor_bool(&r->c);
        break;
    default:
        cbor_fail(&r->c, "an unknown field");
    }
}

/* Walks a map with ascending keys; returns the bits of the keys that were there. */
#define EACH_KEY(r, most, key, seen)                                                                         \
    for (uint64_t left_ = cbor_map(&(r)->c, most), key = 0, last_ = 0;                                       \
         left_-- > 0 && !(r)->c.why && (key = cbor_uint(&(r)->c), next_key(r, &last_, key, &(seen)));)

static bool next_key(struct reader *r, uint64_t *last, uint64_t key, uint64_t *seen)
{
    if (!r->c.why && (key <= *last || key > 63))
        cbor_fail(&r->c, "keys that are not ascending");
    if (r->c.why)
        return false;
    *last = key;
    *seen |= (uint64_t)1 << key;
    return true;
}

#define BIT(key) ((uint64_t)1 << (key))

static void get_rules(struct reader *r, struct gate_pack *p)
{
    uint64_t n = cbor_array(&r->c, RULES_PER_PACK_MAX);
    if (!r->c.why && n == 0)
        cbor_fail(&r->c, "a pack without rules");
    struct gate_rule *v = r->c.why ? NULL : take(r, n, sizeof *v);
    for (uint64_t i = 0; i < n && !r->c.why; i++) {
        uint64_t seen = 0, required = BIT(U_ID) | BIT(U_CLAUSE) | BIT(U_REQUIRE) | BIT(U_REVIEWED);
        EACH_KEY(r, U_REVIEWED, key, seen)
        get_rule_field(r, &v[i], key);
        if (!r->c.why && (seen & required) != required)
            cbor_fail(&r->c, "a rule without id, clause, require or reviewed");
        for (uint64_t j = 0; j < i && !r->c.why; j++)
            if (slice_eq(v[j].id, v[i].id))
                cbor_fail(&r->c, "two rules of one id");
    }
    p->rules = v;
    p->rules_n = n;
}

enum bourn_err gate_pack_decode(struct slice rules, struct arena *a, struct gate_pack *out)
{
    struct reader r = {.arena = a};
    struct gate_pack p = {.effective_to = UINT64_MAX};
    uint64_t seen = 0, required = BIT(P_NAME) | BIT(P_VERSION) | BIT(P_RULES);
    cbor_init(&r.c, rules);
    EACH_KEY(&r, P_RULES, key, seen)
    {
        if (key == P_NAME)
            p.name = get_text(&r, name_valid, "a pack name that is no name");
        else if (key == P_VERSION)
            p.version = cbor_uint(&r.c);
        else if (key == P_FROM)
            p.effective_from = cbor_uint(&r.c);
        else if (key == P_TO)
            p.effective_to = cbor_uint(&r.c);
        else if (key == P_MARKET)
            p.market = get_list(&r, country_valid);
        else if (key == P_RULES)
            get_rules(&r, &p);
        else
            cbor_fail(&r.c, "an unknown field");
    }
    if (!r.c.why && (seen & required) != required)
        cbor_fail(&r.c, "a pack without name, version or rules");
    if (!r.c.why &&
        (p.version == 0 || p.version > NUMBER_MAX || p.effective_from >= p.effective_to ||
         (seen & BIT(P_FROM) && p.effective_from == 0) || (seen & BIT(P_TO) && p.effective_to > NUMBER_MAX)))
        cbor_fail(&r.c, "a version of 0, or times that exclude each other");
    enum bourn_err err = cbor_done(&r.c);
    if (r.memory)
        return err_set(BOURN_E_MEMORY, "compiled pack: out of memory");
    if (err == BOURN_OK)
        *out = p;
    return err;
}
