/* The words for what the gate says: stable, they stand in entries, answers and packs. */
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
