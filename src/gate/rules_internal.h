/* Field numbers of a compiled pack and its limits, for the writer and the reader (docs/formats/pack.cddl). */
#ifndef BOURN_GATE_RULES_INTERNAL_H
#define BOURN_GATE_RULES_INTERNAL_H

#include "base/limits.h"
#include "base/text.h"
#include "gate/gate.h"

enum pack_key { P_NAME = 1, P_VERSION, P_FROM, P_TO, P_MARKET, P_RULES };
enum rule_key {
    U_ID = 1,
    U_CLAUSE,
    U_CROSSING,
    U_SENSITIVE,
    U_COLLECTIONS,
    U_DOMICILES,
    U_DESTINATIONS,
    U_PURPOSES,
    U_OPERATIONS,
    U_REQUIRE,
    U_GRADES,
    U_VOUCHERS,
    U_GROUNDS,
    U_REVIEWED,
};
#define NUMBER_MAX (((uint64_t)1 << 53) - 1) /* so that a reader in JavaScript loses nothing */

enum {
    LIST_MAX = 256,       /* items of one list */
    CHILDREN_MAX = 16,    /* of one any_of or all_of */
    EXPR_ITEMS_MAX = 128, /* of one rule */
    OPERATIONS_MASK = 1 << OP_READ | 1 << OP_SEARCH | 1 << OP_WRITE | 1 << OP_DELETE | 1 << OP_EVIDENCE,
    GRADES_MASK = 1 << GRADE_SUBJECT_SIGNED | 1 << GRADE_OPERATOR_ATTESTED,
    VOUCHERS_MASK = 1 << VOUCHER_KEY | 1 << VOUCHER_REGISTRAR | 1 << VOUCHER_APP | 1 << VOUCHER_OPERATOR,
};

#endif
