/* Words for what the gate says: stable codes, and `missing` of problem+json. */
#include "base/json.h"
#include "gate/gate.h"

const char *gate_code_name(enum gate_code code)
{
    static const char *const names[] = {
        [GATE_OK] = "ok",
        [GATE_RIGHT_MISSING] = "right_missing",
        [GATE_PARTY_ENDED] = "party_ended",
        [GATE_PURPOSE_UNDECLARED] = "purpose_undeclared",
        [GATE_NO_RULE] = "no_rule",
        [GATE_BASIS_MISSING] = "basis_missing",
        [GATE_NEEDS_DECISION] = "needs_decision",
    };
    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "basis_missing";
}

static const char *const op_names[] = {
    [EXPR_ANY_OF] = "any_of",
    [EXPR_ALL_OF] = "all_of",
    [EXPR_SUBJECT_CONSENT] = "subject_consent",
    [EXPR_AUTHORITY_APPROVAL] = "authority_approval",
    [EXPR_GROUND] = "ground",
    [EXPR_ADEQUACY] = "adequacy",
    [EXPR_DENY_LIST] = "deny_list",
    [EXPR_NEEDS_HUMAN] = "needs_human",
    [EXPR_COUNTER_BELOW] = "counter_below",
};
static const char *const grade_names[] = {
    [GRADE_SUBJECT_SIGNED] = "subject-signed",
    [GRADE_AUTHORITY_SIGNED] = "authority-signed",
    [GRADE_OPERATOR_ATTESTED] = "operator-attested",
    [GRADE_GROUND] = "ground",
    [GRADE_SELF] = "self",
};
static const char *const voucher_names[] = {
    [VOUCHER_NONE] = "none", [VOUCHER_KEY] = "key",           [VOUCHER_REGISTRAR] = "registrar",
    [VOUCHER_APP] = "app",   [VOUCHER_OPERATOR] = "operator",
};
static const char *const operation_names[] = {
    [OP_READ] = "read",     [OP_SEARCH] = "search",     [OP_WRITE] = "write",
    [OP_DELETE] = "delete", [OP_EVIDENCE] = "evidence", [OP_SELF] = "self",
};

#define NAME_OF(table, code) ((code) < sizeof(table) / sizeof(table)[0] ? (table)[code] : NULL)

const char *gate_expr_name(uint32_t op)
{
    return NAME_OF(op_names, op);
}
const char *gate_grade_name(uint32_t grade)
{
    return NAME_OF(grade_names, grade);
}
const char *gate_voucher_name(uint32_t voucher)
{
    return NAME_OF(voucher_names, voucher);
}
const char *gate_operation_name(uint32_t operation)
{
    return NAME_OF(operation_names, operation);
}

static void put_list(struct buf *out, const char *name, struct gate_list list)
{
    buf_printf(out, "\"%s\":[", name);
    for (size_t i = 0; i < list.n; i++) {
        if (i)
            buf_put_u8(out, ',');
        json_put_string(out, list.v[i]);
    }
    buf_put_u8(out, ']');
}

static void put_mask(struct buf *out, const char *name, uint32_t mask, const char *(*word)(uint32_t))
{
    const char *comma = "";
    buf_printf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < 32; i++) {
        if ((mask >> i & 1) == 0 || !word(i))
            continue;
        buf_printf(out, "%s\"%s\"", comma, word(i));
        comma = ",";
    }
    buf_put_u8(out, ']');
}

static void put_item(struct buf *out, const struct gate_rule *r, size_t *at);

/* `"any_of":[…]` of an expression that has children, and moves *at behind them. */
static void put_children(struct buf *out, const struct gate_rule *r, size_t *at)
{
    const struct gate_expr *x = &r->expr[(*at)++];
    buf_printf(out, "\"%s\":[", op_names[x->op]);
    for (uint32_t i = 0; i < x->children && *at < r->expr_n; i++) {
        if (i)
            buf_put_u8(out, ',');
        put_item(out, r, at);
    }
    buf_put_u8(out, ']');
}

static void put_item(struct buf *out, const struct gate_rule *r, size_t *at)
{
    const struct gate_expr *x = &r->expr[*at];
    const char *name = gate_expr_name(x->op);
    if (x->op == EXPR_ANY_OF || x->op == EXPR_ALL_OF) {
        buf_put_u8(out, '{');
        put_children(out, r, at);
        buf_put_u8(out, '}');
        return;
    }
    ++*at;
    if (x->op == EXPR_ADEQUACY || x->op == EXPR_DENY_LIST) {
        buf_put_u8(out, '{');
        put_list(out, name, x->list);
        buf_put_u8(out, '}');
    } else if (x->op == EXPR_NEEDS_HUMAN) {
        buf_put_str(out, "{\"needs_human\":");
        json_put_string(out, x->decider);
        buf_put_u8(out, '}');
    } else {
        buf_printf(out, "\"%s\"", name ? name : "unknown");
    }
}

static bool uses(const struct gate_rule *r, uint32_t op)
{
    for (size_t i = 0; i < r->expr_n; i++)
        if (r->expr[i].op == op)
            return true;
    return false;
}

static void put_rule(struct buf *out, const struct gate_pack *p, const struct gate_rule *r)
{
    buf_put_str(out, "{\"rule\":\"");
    buf_put_slice(out, p->name); /* names: no character of them needs escaping */
    buf_put_u8(out, '/');
    buf_put_slice(out, r->id);
    buf_put_str(out, "\",\"clause\":");
    json_put_string(out, r->clause);
    buf_put_u8(out, ',');
    size_t at = 0;
    if (r->expr_n && (r->expr[0].op == EXPR_ANY_OF || r->expr[0].op == EXPR_ALL_OF)) {
        put_children(out, r, &at);
    } else {
        buf_put_str(out, "\"all_of\":[");
        if (r->expr_n)
            put_item(out, r, &at);
        buf_put_u8(out, ']');
    }
    if (r->grades && uses(r, EXPR_SUBJECT_CONSENT))
        put_mask(out, "grades", r->grades, gate_grade_name);
    if (r->vouchers && uses(r, EXPR_SUBJECT_CONSENT))
        put_mask(out, "vouchers", r->vouchers, gate_voucher_name);
    if (r->grounds.n && uses(r, EXPR_GROUND)) {
        buf_put_u8(out, ',');
        put_list(out, "grounds", r->grounds);
    }
    buf_put_u8(out, '}');
}

void gate_missing_json(struct buf *out, const struct gate_output *g)
{
    bool first = true;
    buf_put_u8(out, '[');
    for (size_t i = 0; i < g->results_n; i++) {
        if (g->results[i].verdict == GATE_ALLOW)
            continue;
        if (!first)
            buf_put_u8(out, ',');
        first = false;
        put_rule(out, g->results[i].pack, g->results[i].rule);
    }
    buf_put_u8(out, ']');
}
