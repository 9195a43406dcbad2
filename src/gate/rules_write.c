/* Compiled packs: struct gate_pack to the canonical CBOR of docs/formats/pack.cddl. */
#include "gate/rules_internal.h"

static void put_list(struct buf *out, struct gate_list list)
{
    cbor_put_array(out, list.n);
    for (size_t i = 0; i < list.n; i++)
        cbor_put_text(out, list.v[i]);
}

static void put_expr(struct buf *out, const struct gate_rule *r, size_t *at)
{
    const struct gate_expr *x = &r->expr[(*at)++];
    bool tree = x->op == EXPR_ANY_OF || x->op == EXPR_ALL_OF;
    cbor_put_array(out, 1 + (tree ? x->children : x->op == EXPR_NEEDS_HUMAN ? 1 : x->list.n));
    cbor_put_uint(out, x->op);
    for (uint32_t i = 0; tree && i < x->children; i++) {
        bourn_assert(*at < r->expr_n);
        put_expr(out, r, at);
    }
    for (size_t i = 0; !tree && i < x->list.n; i++)
        cbor_put_text(out, x->list.v[i]);
    if (x->op == EXPR_NEEDS_HUMAN)
        cbor_put_text(out, x->decider);
}

static void put_condition(struct buf *out, bool has, uint64_t key, struct gate_list list)
{
    if (!has)
        return;
    cbor_put_uint(out, key);
    put_list(out, list);
}

static void put_number(struct buf *out, bool has, uint64_t key, uint64_t value)
{
    if (!has)
        return;
    cbor_put_uint(out, key);
    cbor_put_uint(out, value);
}

static void put_flag(struct buf *out, bool has, uint64_t key, bool value)
{
    if (!has)
        return;
    cbor_put_uint(out, key);
    cbor_put_bool(out, value);
}

static void put_rule(struct buf *out, const struct gate_rule *r)
{
    uint64_t keys = 4; /* id, clause, require, reviewed */
    for (uint32_t bit = WHEN_CROSSING; bit <= WHEN_OPERATIONS; bit <<= 1)
        keys += r->when_has & bit ? 1 : 0;
    keys += (uint64_t)(r->grades != 0) + (r->vouchers != 0) + (r->grounds.n != 0);
    cbor_put_map(out, keys);
    cbor_put_uint(out, U_ID);
    cbor_put_text(out, r->id);
    cbor_put_uint(out, U_CLAUSE);
    cbor_put_text(out, r->clause);
    put_flag(out, r->when_has & WHEN_CROSSING, U_CROSSING, r->crossing);
    put_flag(out, r->when_has & WHEN_SENSITIVE, U_SENSITIVE, r->sensitive);
    put_condition(out, r->when_has & WHEN_COLLECTIONS, U_COLLECTIONS, r->collections);
    put_condition(out, r->when_has & WHEN_DOMICILES, U_DOMICILES, r->domiciles);
    put_condition(out, r->when_has & WHEN_DESTINATIONS, U_DESTINATIONS, r->destinations);
    put_condition(out, r->when_has & WHEN_PURPOSES, U_PURPOSES, r->purposes);
    put_number(out, r->when_has & WHEN_OPERATIONS, U_OPERATIONS, r->operations);
    cbor_put_uint(out, U_REQUIRE);
    size_t at = 0;
    bourn_assert(r->expr_n > 0);
    put_expr(out, r, &at);
    bourn_assert(at == r->expr_n);
    put_number(out, r->grades != 0, U_GRADES, r->grades);
    put_number(out, r->vouchers != 0, U_VOUCHERS, r->vouchers);
    put_condition(out, r->grounds.n != 0, U_GROUNDS, r->grounds);
    put_flag(out, true, U_REVIEWED, r->reviewed);
}

void gate_pack_encode(struct buf *out, const struct gate_pack *p)
{
    cbor_put_map(out, 3u + (p->effective_from != 0) + (p->effective_to != UINT64_MAX) + (p->market.n != 0));
    cbor_put_uint(out, P_NAME);
    cbor_put_text(out, p->name);
    put_number(out, true, P_VERSION, p->version);
    put_number(out, p->effective_from != 0, P_FROM, p->effective_from);
    put_number(out, p->effective_to != UINT64_MAX, P_TO, p->effective_to);
    put_condition(out, p->market.n != 0, P_MARKET, p->market);
    cbor_put_uint(out, P_RULES);
    cbor_put_array(out, p->rules_n);
    for (size_t i = 0; i < p->rules_n; i++)
        put_rule(out, &p->rules[i]);
}
