/* YAML to compiled rules. Each word is checked where it stands, so that an error names line, column and what
 * to write; gate_pack_decode then reads the result back, so that nothing is published that a replay would
 * refuse. */
#include "pack/compile.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "pack/pack.h"

enum { LIST_MAX = 256 };

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

enum bourn_err compile_list(const struct node *n, struct arena *a, bool (*valid)(struct slice),
                            const char *what, struct gate_list *out)
{
    size_t count = tree_count(n), i = 0;
    if (n->type != NODE_LIST || count == 0 || count > LIST_MAX)
        return tree_error(n, "write a list of 1 to %d items, each %s", LIST_MAX, what);
    struct slice *v = arena_alloc(a, count * sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "pack: out of memory");
    for (const struct node *c = n->first; c; c = c->next) {
        enum bourn_err err = tree_text(c, valid, what, &v[i]);
        if (err != BOURN_OK)
            return err;
        for (size_t j = 0; j < i; j++)
            if (slice_eq(v[j], v[i]))
                return tree_error(c, "%.*s stands twice in this list; keep one", SLICE_ARG(tree_shown(c)));
        i++;
    }
    qsort(v, count, sizeof *v, by_bytes);
    *out = (struct gate_list){v, count};
    return BOURN_OK;
}

enum bourn_err compile_word(const struct node *n, const char *(*name)(uint32_t), uint32_t codes,
                            uint32_t *out)
{
    char words[200] = "";
    for (uint32_t code = 1; code < 32; code++) {
        if ((codes >> code & 1) == 0)
            continue;
        if (n->type == NODE_SCALAR && slice_is(n->text, name(code))) {
            *out = code;
            return BOURN_OK;
        }
        if (words[0])
            strncat(words, ", ", sizeof words - strlen(words) - 1);
        strncat(words, name(code), sizeof words - strlen(words) - 1);
    }
    return tree_error(n, "\"%.*s\" is none of: %s", SLICE_ARG(tree_shown(n)), words);
}

/* A list of words as a mask of their codes. */
static enum bourn_err get_mask(const struct node *n, const char *(*name)(uint32_t), uint32_t codes,
                               uint32_t *out)
{
    if (n->type != NODE_LIST || !n->first)
        return tree_error(n, "write a list of words that is not empty");
    for (const struct node *c = n->first; c; c = c->next) {
        uint32_t code;
        enum bourn_err err = compile_word(c, name, codes, &code);
        if (err != BOURN_OK)
            return err;
        if (*out >> code & 1)
            return tree_error(c, "%s stands twice in this list; keep one", name(code));
        *out |= 1u << code;
    }
    return BOURN_OK;
}

static enum bourn_err get_when(const struct node *n, struct arena *a, struct gate_rule *r)
{
    static const char *const known[] = {"crossing", "sensitive",    "collections", "domiciles",
                                        "purposes", "destinations", "operations",  NULL};
    const uint32_t operations =
        1u << OP_READ | 1u << OP_SEARCH | 1u << OP_WRITE | 1u << OP_DELETE | 1u << OP_EVIDENCE;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(tree_check_keys(n, "when", known));
    for (const struct node *c = n->first; c; c = c->next) {
        uint32_t bit;
        if (slice_is(c->key, "crossing")) {
            bit = WHEN_CROSSING;
            TRY(tree_bool(c, &r->crossing));
        } else if (slice_is(c->key, "sensitive")) {
            bit = WHEN_SENSITIVE;
            TRY(tree_bool(c, &r->sensitive));
        } else if (slice_is(c->key, "collections")) {
            bit = WHEN_COLLECTIONS;
            TRY(compile_list(c, a, name_valid, A_NAME, &r->collections));
        } else if (slice_is(c->key, "domiciles")) {
            bit = WHEN_DOMICILES;
            TRY(compile_list(c, a, country_valid, A_COUNTRY, &r->domiciles));
        } else if (slice_is(c->key, "destinations")) {
            bit = WHEN_DESTINATIONS;
            TRY(compile_list(c, a, country_valid, A_COUNTRY, &r->destinations));
        } else if (slice_is(c->key, "purposes")) {
            bit = WHEN_PURPOSES;
            TRY(compile_list(c, a, term_valid, A_TERM, &r->purposes));
        } else {
            bit = WHEN_OPERATIONS;
            TRY(get_mask(c, gate_operation_name, operations, &r->operations));
        }
        r->when_has |= bit;
    }
    err = BOURN_OK;
out:
    return err;
}

static bool requires(const struct gate_rule *r, uint32_t op)
{
    for (size_t i = 0; i < r->expr_n; i++)
        if (r->expr[i].op == op)
            return true;
    return false;
}

/* After `require`: to narrow what a rule does not ask for is a slip. */
static enum bourn_err get_accept(const struct node *n, struct arena *a, struct gate_rule *r)
{
    static const char *const known[] = {"subject_consent", "ground", NULL};
    static const char *const consent_known[] = {"grades", "vouchers", NULL};
    const uint32_t grades = 1u << GRADE_SUBJECT_SIGNED | 1u << GRADE_OPERATOR_ATTESTED;
    const uint32_t vouchers =
        1u << VOUCHER_KEY | 1u << VOUCHER_REGISTRAR | 1u << VOUCHER_APP | 1u << VOUCHER_OPERATOR;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(tree_check_keys(n, "accept", known));
    const struct node *consent = tree_get(n, "subject_consent"), *ground = tree_get(n, "ground"), *c;
    if (consent && !requires(r, EXPR_SUBJECT_CONSENT))
        return tree_error(consent, "this rule does not ask for subject_consent: drop it here, or require it");
    if (ground && !requires(r, EXPR_GROUND))
        return tree_error(ground, "this rule does not ask for ground: drop it here, or require it");
    if (consent) {
        TRY(tree_check_keys(consent, "accept.subject_consent", consent_known));
        if ((c = tree_get(consent, "grades")))
            TRY(get_mask(c, gate_grade_name, grades, &r->grades));
        if ((c = tree_get(consent, "vouchers")))
            TRY(get_mask(c, gate_voucher_name, vouchers, &r->vouchers));
        if (r->vouchers && r->grades && !(r->grades >> GRADE_SUBJECT_SIGNED & 1))
            return tree_error(c, "vouchers are of subject-signed consents, which grades leaves out");
    }
    if (ground)
        TRY(compile_list(ground, a, term_valid, A_TERM, &r->grounds));
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err need(const struct node *map, const char *what, const char *key, const struct node **out)
{
    *out = tree_get(map, key);
    return *out ? BOURN_OK : tree_error(map, "%s needs \"%s\"", what, key);
}

static bool clause_valid(struct slice s)
{
    static const char *const clauses[] = {"P0", "K1", "K2", "K3", "K4", "K5", "C1", "C2",
                                          "C3", "C4", "H1", "H2", "H3", "T1", "T2", "T3",
                                          "T4", "S1", "S2", "S3", "V1", "V2", "V3"};
    for (size_t i = 0; i < sizeof clauses / sizeof clauses[0]; i++)
        if (slice_is(s, clauses[i]))
            return true;
    return false;
}
static bool text_valid(struct slice s)
{
    return s.n > 0;
}
static bool confidence_valid(struct slice s)
{
    return slice_is(s, "sourced") || slice_is(s, "unconfirmed") || slice_is(s, "inferred");
}

/* Where the rule comes from: every one says so, or it is no rule. */
static enum bourn_err get_provenance(const struct node *n, struct gate_rule *r)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct node *c;
    struct slice text;
    TRY(need(n, "a rule", "source", &c));
    TRY(tree_text(c, text_valid, "a text that names where the rule is written", &text));
    TRY(need(n, "a rule", "confidence", &c));
    TRY(tree_text(c, confidence_valid, "sourced, unconfirmed or inferred", &text));
    TRY(need(n, "a rule", "reviewed_by", &c));
    r->reviewed = !tree_is_null(c);
    if (r->reviewed)
        TRY(tree_text(c, text_valid, "null or who reviewed the rule", &text));
out:
    return err;
}

static enum bourn_err get_rule(const struct node *n, struct arena *a, struct gate_rule *r)
{
    static const char *const known[] = {"id",     "clause",     "when",        "require", "accept",
                                        "source", "confidence", "reviewed_by", NULL};
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct node *c;
    TRY(tree_check_keys(n, "a rule", known));
    TRY(need(n, "a rule", "id", &c));
    TRY(tree_text(c, name_valid, A_NAME, &r->id));
    TRY(need(n, "a rule", "clause", &c));
    TRY(tree_text(c, clause_valid,
                  "a clause of the pledge (K1 to K5, C1 to C4, H1 to H3, S1 to S3, V1 to V3 ...)",
                  &r->clause));
    if ((c = tree_get(n, "when")))
        TRY(get_when(c, a, r));
    TRY(need(n, "a rule", "require", &c));
    TRY(compile_require(c, a, r));
    if ((c = tree_get(n, "accept")))
        TRY(get_accept(c, a, r));
    TRY(get_provenance(n, r));
out:
    return err;
}

static enum bourn_err get_rules(const struct node *n, struct arena *a, struct gate_pack *p)
{
    size_t count = tree_count(n);
    if (n->type != NODE_LIST || count == 0 || count > RULES_PER_PACK_MAX)
        return tree_error(n, "write a list of 1 to %d rules", RULES_PER_PACK_MAX);
    struct gate_rule *v = arena_alloc(a, count * sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "pack: out of memory");
    for (const struct node *c = n->first; c; c = c->next) {
        enum bourn_err err = get_rule(c, a, &v[p->rules_n]);
        if (err != BOURN_OK)
            return err;
        for (size_t i = 0; i < p->rules_n; i++)
            if (slice_eq(v[i].id, v[p->rules_n].id))
                return tree_error(c, "two rules have the id %.*s; name them apart", SLICE_ARG(v[i].id));
        p->rules_n++;
    }
    p->rules = v;
    return BOURN_OK;
}

enum bourn_err compile_pack(const struct node *root, struct arena *a, struct gate_pack *out)
{
    static const char *const known[] = {
        "pack", "version", "title", "effective_from", "effective_to", "market", "rules", "examples", NULL};
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct node *c;
    struct slice text;
    *out = (struct gate_pack){.effective_to = UINT64_MAX};
    TRY(tree_check_keys(root, "a pack", known));
    TRY(need(root, "a pack", "pack", &c));
    TRY(tree_text(c, name_valid, A_NAME, &out->name));
    TRY(need(root, "a pack", "version", &c));
    TRY(tree_number(c, &out->version));
    if ((c = tree_get(root, "title")))
        TRY(tree_text(c, text_valid, "a title", &text));
    if ((c = tree_get(root, "effective_from")))
        TRY(tree_time(c, &out->effective_from));
    if ((c = tree_get(root, "effective_to"))) {
        TRY(tree_time(c, &out->effective_to));
        if (out->effective_to <= out->effective_from)
            return tree_error(c, "effective_to must be later than effective_from");
    }
    if ((c = tree_get(root, "market")))
        TRY(compile_list(c, a, country_valid, A_COUNTRY, &out->market));
    TRY(need(root, "a pack", "rules", &c));
    TRY(get_rules(c, a, out));
out:
    return err;
}

enum bourn_err pack_compile(struct slice yaml, struct buf *rules)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct arena a;
    struct node *root;
    struct gate_pack p, back;
    struct buf out;
    if (yaml.n > PACK_YAML_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "a pack has at most %u bytes, this one has %zu", PACK_YAML_BYTES_MAX,
                       yaml.n);
    arena_init(&a, (size_t)8 << 20);
    buf_init(&out, ENTRY_BYTES_MAX - 4096 - yaml.n); /* YAML and rules stand in one entry */
    TRY(tree_parse(yaml, &a, &root));
    TRY(compile_pack(root, &a, &p));
    gate_pack_encode(&out, &p);
    if (out.failed) {
        err = err_set(BOURN_E_LIMIT, "the pack and its compiled rules do not fit one ledger entry; split it");
        goto out;
    }
    TRY(gate_pack_decode(buf_slice(&out), &a, &back));
    buf_put_slice(rules, buf_slice(&out));
    TRY(buf_check(rules));
out:
    buf_release(&out);
    arena_release(&a);
    return err;
}
