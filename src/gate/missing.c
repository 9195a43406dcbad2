/* `missing` of problem+json: what would satisfy each unsatisfied rule. */
#include "base/json.h"
#include "gate/gate.h"

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
    buf_printf(out, "\"%s\":[", gate_expr_name(x->op));
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
