/* The gate: one pure decision, used by the vault before every access and by the verifier for every entry. No
 * I/O, no clock, no allocation, nothing but the input. */
#ifndef BOURN_GATE_GATE_H
#define BOURN_GATE_GATE_H

#include "cbor/entry.h"

struct gate_list {
    const struct slice *v;
    size_t n;
};

struct gate_party {
    uint64_t index; /* of its entry: a party is what its entry says, so an earlier one of the same name is
                       another */
    struct slice name, legal_name, contact, jurisdiction, kind;
    uint32_t rights;
    const struct entry_purpose *purposes;
    size_t purposes_n;
    uint64_t ended;   /* index of the entry that ended it; UINT64_MAX while it lives */
    uint8_t hash[32]; /* SHA-256 of its entry's bytes, named in statements */
};

/* A consent or an approval of one person. */
struct gate_basis {
    uint64_t index;
    uint32_t grade, voucher;
    uint64_t from, until; /* time window [from, until) in POSIX seconds */
    uint64_t withdrawn;   /* index of the withdrawal; UINT64_MAX while live */
    struct gate_list purposes, destinations, collections;
    const uint64_t *recipients;
    size_t recipients_n;
};

/* Expressions of a rule, compiled. any_of and all_of hold their children as the items that follow. */
enum gate_expr_op {
    EXPR_ANY_OF = 1,
    EXPR_ALL_OF = 2,
    EXPR_SUBJECT_CONSENT = 3,
    EXPR_AUTHORITY_APPROVAL = 4,
    EXPR_GROUND = 5,
    EXPR_ADEQUACY = 6,      /* destination is one of the list */
    EXPR_DENY_LIST = 7,     /* destination is none of the list */
    EXPR_NEEDS_HUMAN = 8,   /* undecidable by a machine: needs the named decider's approval */
    EXPR_COUNTER_BELOW = 9, /* reserved: the compiler refuses it until counters are entries */
};
struct gate_expr {
    uint32_t op;
    uint32_t children;     /* any_of, all_of: number of direct children */
    struct gate_list list; /* adequacy, deny_list: countries */
    struct slice decider;  /* needs_human */
};
struct gate_rule {
    struct slice id, clause;
    /* when: a condition that is not given matches everything */
    uint32_t when_has; /* bits of enum gate_when */
    bool crossing, sensitive;
    struct gate_list collections, domiciles, destinations, purposes;
    uint32_t operations;          /* bit per enum operation */
    const struct gate_expr *expr; /* prefix order */
    size_t expr_n;
    /* accept: 0 or empty accepts all */
    uint32_t grades;   /* bit per enum grade, for subject_consent; 0: subject-signed and operator-attested */
    uint32_t vouchers; /* bit per enum voucher, of subject-signed consents; 0: any */
    struct gate_list grounds;
    bool reviewed;
};
enum gate_when {
    WHEN_CROSSING = 1,
    WHEN_SENSITIVE = 2,
    WHEN_COLLECTIONS = 4,
    WHEN_DOMICILES = 8,
    WHEN_DESTINATIONS = 16,
    WHEN_PURPOSES = 32,
    WHEN_OPERATIONS = 64,
};
struct gate_pack {
    uint64_t index; /* of its policy entry */
    struct slice name;
    uint64_t version, effective_from, effective_to; /* POSIX seconds; 0 and UINT64_MAX: open */
    struct gate_list market;                        /* more countries of the domicile's market */
    const struct gate_rule *rules;
    size_t rules_n;
};

/* Decodes compiled rules (canonical CBOR, docs/formats/pack.cddl). Slices borrow from `rules`, arrays from
 * `a`. */
enum bourn_err gate_pack_decode(struct slice rules, struct arena *a, struct gate_pack *out) BOURN_MUST_USE;
void gate_pack_encode(struct buf *out, const struct gate_pack *p);

struct gate_input {
    uint32_t operation; /* enum operation */
    const struct gate_party *party;
    struct slice domicile;   /* of the subject; of the cell where the subject is unknown */
    struct slice collection; /* empty for evidence */
    bool sensitive;          /* of the collection */
    struct slice purpose;
    uint64_t time, index;           /* of the entry that the decision will stand in */
    const struct gate_basis *bases; /* of the person, ascending by index; none for unknown or erased */
    size_t bases_n;
    const struct gate_pack *const *packs; /* in force at `time` */
    size_t packs_n;
};

enum gate_verdict { GATE_DENY = 0, GATE_NEEDS_HUMAN = 1, GATE_ALLOW = 2 };
enum gate_code { /* stable words: gate_code_name */
                 GATE_OK = 0,
                 GATE_RIGHT_MISSING,
                 GATE_PARTY_ENDED,
                 GATE_PURPOSE_UNDECLARED,
                 GATE_NO_RULE,
                 GATE_BASIS_MISSING,
                 GATE_NEEDS_DECISION,
};
#define GATE_BASES_MAX 8
#define GATE_RESULTS_MAX 64
struct gate_result { /* one line a rule, for explain and `missing` */
    const struct gate_pack *pack;
    const struct gate_rule *rule;
    enum gate_verdict verdict;
};
struct gate_output {
    enum gate_verdict verdict;
    enum gate_code code;
    struct row_basis bases[GATE_BASES_MAX]; /* used, ascending by (grade, index), each once */
    size_t bases_n;
    struct gate_result results[GATE_RESULTS_MAX];
    size_t results_n;
};
/* Decides. `out` starts as deny, so a forgotten path fails closed; more rules or bases than fit: deny. */
void gate_decide(const struct gate_input *in, struct gate_output *out);
const char *gate_code_name(enum gate_code code); /* "basis_missing" */
/* The words of packs and reports: "any_of", "subject-signed", "registrar", "read"; NULL if unknown. */
const char *gate_expr_name(uint32_t op);
const char *gate_grade_name(uint32_t grade);
const char *gate_voucher_name(uint32_t voucher);
const char *gate_operation_name(uint32_t operation);
uint32_t gate_operation_right(uint32_t operation);
/* JSON array for problem+json `missing`: one object an unsatisfied rule, {"rule":"pack/id","clause":…,
 * "any_of":[…]} (or "all_of"), with accepted grades where the rule narrows them. */
void gate_missing_json(struct buf *out, const struct gate_output *g);

#endif
