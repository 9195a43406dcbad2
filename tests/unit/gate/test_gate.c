/* Edges of the gate that the oracle's product does not reach, the codec of compiled packs, and `missing`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gate/gate.h"

#define S(text) slice_of(text, sizeof(text) - 1)

static const struct gate_expr consent_only[] = {{.op = EXPR_SUBJECT_CONSENT}};
static const struct entry_purpose declared[] = {{{(const uint8_t *)"p", 1}, {(const uint8_t *)"g", 1}}};

/* A question that a single consent answers; tests change what they are about. */
struct fixture {
    struct slice purpose, country, collection;
    uint64_t recipient;
    struct gate_party party;
    struct gate_basis bases[20];
    struct gate_rule rules[80];
    struct gate_pack pack;
    const struct gate_pack *packs[1];
    struct gate_input in;
    struct gate_output out;
};

static struct fixture *fixture(void)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.purpose = S("p");
    f.country = S("CN");
    f.collection = S("people");
    f.recipient = 2;
    f.party = (struct gate_party){.index = 2,
                                  .jurisdiction = f.country,
                                  .rights = RIGHT_READ,
                                  .purposes = declared,
                                  .purposes_n = 1,
                                  .ended = UINT64_MAX};
    for (size_t i = 0; i < 20; i++)
        f.bases[i] = (struct gate_basis){.index = 10 + i,
                                         .grade = GRADE_SUBJECT_SIGNED,
                                         .voucher = VOUCHER_APP,
                                         .until = 100,
                                         .withdrawn = UINT64_MAX,
                                         .purposes = {&f.purpose, 1},
                                         .destinations = {&f.country, 1},
                                         .collections = {&f.collection, 1},
                                         .recipients = &f.recipient,
                                         .recipients_n = 1};
    for (size_t i = 0; i < 80; i++)
        f.rules[i] = (struct gate_rule){.id = S("r"), .clause = S("C3"), .expr = consent_only, .expr_n = 1};
    f.pack = (struct gate_pack){
        .name = S("pack"), .version = 1, .effective_to = UINT64_MAX, .rules = f.rules, .rules_n = 1};
    f.packs[0] = &f.pack;
    f.in = (struct gate_input){.operation = OP_READ,
                               .party = &f.party,
                               .domicile = f.country,
                               .collection = f.collection,
                               .purpose = f.purpose,
                               .time = 50,
                               .index = 90,
                               .bases = f.bases,
                               .bases_n = 1,
                               .packs = f.packs,
                               .packs_n = 1};
    return &f;
}

static void decide(struct fixture *f, enum gate_verdict verdict, enum gate_code code)
{
    memset(&f->out, 0xff, sizeof f->out);
    gate_decide(&f->in, &f->out);
    assert_int_equal(f->out.verdict, verdict);
    assert_int_equal(f->out.code, code);
    if (verdict != GATE_ALLOW)
        assert_int_equal(f->out.bases_n, 0);
}

static void more_rules_than_results_fit_is_deny(void **state)
{
    (void)state;
    struct fixture *f = fixture();
    f->pack.rules_n = GATE_RESULTS_MAX;
    decide(f, GATE_ALLOW, GATE_OK);
    assert_int_equal(f->out.bases_n, 1);
    f->pack.rules_n = GATE_RESULTS_MAX + 1;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
}

/* Rules that each pick another consent: the rule's collections narrow nothing here, so vouchers do. */
static void bases_are_a_sorted_set_and_too_many_are_deny(void **state)
{
    (void)state;
    struct fixture *f = fixture();
    f->in.bases_n = GATE_BASES_MAX + 1;
    for (uint32_t i = 0; i <= GATE_BASES_MAX; i++) {
        f->bases[i].voucher = i + 1;
        f->rules[i].vouchers = 1u << (GATE_BASES_MAX - i);
    }
    f->pack.rules_n = GATE_BASES_MAX;
    decide(f, GATE_ALLOW, GATE_OK);
    assert_int_equal(f->out.bases_n, GATE_BASES_MAX);
    for (size_t i = 0; i < GATE_BASES_MAX; i++)
        assert_int_equal(f->out.bases[i].index, 10 + i);
    f->rules[GATE_BASES_MAX].vouchers = 1u << (GATE_BASES_MAX + 1);
    f->pack.rules_n = GATE_BASES_MAX + 1;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
}

static void broken_trees_are_deny(void **state)
{
    (void)state;
    struct fixture *f = fixture();
    struct gate_expr missing_child[] = {{.op = EXPR_ANY_OF, .children = 2}, {.op = EXPR_SUBJECT_CONSENT}};
    f->rules[0].expr = missing_child;
    f->rules[0].expr_n = 2;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    f->rules[0].expr_n = 0;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    struct gate_expr empty[] = {{.op = EXPR_ALL_OF}};
    f->rules[0].expr = empty;
    f->rules[0].expr_n = 1;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    struct gate_expr deep[EXPR_DEPTH_MAX + 1];
    for (size_t i = 0; i < EXPR_DEPTH_MAX; i++)
        deep[i] = (struct gate_expr){.op = EXPR_ALL_OF, .children = 1};
    deep[EXPR_DEPTH_MAX] = consent_only[0];
    f->rules[0].expr = deep;
    f->rules[0].expr_n = EXPR_DEPTH_MAX + 1;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    f->rules[0].expr = deep + 1;
    f->rules[0].expr_n = EXPR_DEPTH_MAX;
    decide(f, GATE_ALLOW, GATE_OK);
    struct gate_expr counter[] = {{.op = EXPR_COUNTER_BELOW}};
    f->rules[0].expr = counter;
    f->rules[0].expr_n = 1;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
}

static void without_a_party_only_the_person_acts(void **state)
{
    (void)state;
    struct fixture *f = fixture();
    f->in.party = NULL;
    decide(f, GATE_DENY, GATE_RIGHT_MISSING);
    f->in.operation = OP_SELF;
    f->in.bases_n = f->in.packs_n = 0;
    decide(f, GATE_ALLOW, GATE_OK);
    assert_int_equal(f->out.bases[0].grade, GRADE_SELF);
    assert_int_equal(f->out.results_n, 0);
}

/* An expression that uses every form, in a rule that uses every field. */
static const struct slice countries[] = {{(const uint8_t *)"CN", 2}, {(const uint8_t *)"DE", 2}};
static const struct slice words[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}};
static const struct gate_expr full_expr[] = {
    {.op = EXPR_ANY_OF, .children = 4},
    {.op = EXPR_ALL_OF, .children = 3},
    {.op = EXPR_GROUND},
    {.op = EXPR_ADEQUACY, .list = {countries, 2}},
    {.op = EXPR_DENY_LIST, .list = {countries, 1}},
    {.op = EXPR_SUBJECT_CONSENT},
    {.op = EXPR_AUTHORITY_APPROVAL},
    {.op = EXPR_NEEDS_HUMAN, .decider = {(const uint8_t *)"board", 5}},
};
static const struct gate_rule full_rules[] = {
    {.id = {(const uint8_t *)"one", 3},
     .clause = {(const uint8_t *)"S3", 2},
     .when_has = 127,
     .crossing = true,
     .collections = {words, 2},
     .domiciles = {countries, 1},
     .destinations = {countries, 2},
     .purposes = {words, 1},
     .operations = 1u << OP_READ | 1u << OP_EVIDENCE,
     .expr = full_expr,
     .expr_n = 8,
     .grades = 1u << GRADE_SUBJECT_SIGNED,
     .vouchers = 1u << VOUCHER_KEY | 1u << VOUCHER_REGISTRAR,
     .grounds = {words, 2},
     .reviewed = true},
    {.id = {(const uint8_t *)"two", 3},
     .clause = {(const uint8_t *)"C3", 2},
     .expr = full_expr + 5,
     .expr_n = 1},
};
static const struct gate_pack full_pack = {.name = {(const uint8_t *)"full", 4},
                                           .version = 7,
                                           .effective_from = 5,
                                           .effective_to = 9,
                                           .market = {countries, 2},
                                           .rules = full_rules,
                                           .rules_n = 2};

static void compiled_packs_come_back_the_same(void **state)
{
    (void)state;
    struct buf one, two;
    struct arena a;
    struct gate_pack p;
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    arena_init(&a, 1 << 20);
    gate_pack_encode(&one, &full_pack);
    assert_int_equal(gate_pack_decode(buf_slice(&one), &a, &p), BOURN_OK);
    assert_int_equal(p.rules_n, 2);
    assert_int_equal(p.rules[0].expr_n, 8);
    assert_int_equal(p.rules[0].when_has, 127);
    assert_true(p.rules[0].crossing && !p.rules[0].sensitive && p.rules[0].reviewed && !p.rules[1].reviewed);
    assert_true(slice_is(p.rules[0].expr[7].decider, "board"));
    gate_pack_encode(&two, &p);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_release(&one);
    buf_release(&two);
    arena_release(&a);
}

/* Whatever the bytes, the reader either refuses them or gives a pack whose encoding is these bytes. */
static void compiled_packs_have_one_form(void **state)
{
    (void)state;
    struct buf good, again;
    struct arena a;
    struct gate_pack p;
    size_t accepted = 0;
    buf_init(&good, 4096);
    buf_init(&again, 4096);
    arena_init(&a, 1 << 20);
    gate_pack_encode(&good, &full_pack);
    for (size_t n = 0; n < good.n; n++) {
        assert_int_not_equal(gate_pack_decode(slice_of(good.p, n), &a, &p), BOURN_OK);
        arena_reset(&a);
    }
    for (size_t i = 0; i < good.n; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t kept = good.p[i];
            good.p[i] = (uint8_t)v;
            if (gate_pack_decode(buf_slice(&good), &a, &p) == BOURN_OK) {
                accepted++;
                buf_clear(&again);
                gate_pack_encode(&again, &p);
                assert_true(slice_eq(buf_slice(&good), buf_slice(&again)));
            }
            good.p[i] = kept;
            arena_reset(&a);
        }
    assert_true(accepted > good.n); /* each byte as it was, and other letters in names */
    buf_put_u8(&good, 0);
    assert_int_equal(gate_pack_decode(buf_slice(&good), &a, &p), BOURN_E_FORMAT);
    buf_release(&good);
    buf_release(&again);
    arena_release(&a);
}

static enum bourn_err decode_with(const struct gate_rule *r, size_t n, uint64_t version)
{
    struct gate_rule rules[RULES_PER_PACK_MAX + 1];
    char ids[RULES_PER_PACK_MAX + 1][4];
    struct buf b;
    struct arena a;
    struct gate_pack p = {
        .name = S("x"), .version = version, .effective_to = UINT64_MAX, .rules = rules, .rules_n = n};
    for (size_t i = 0; i < n; i++) {
        rules[i] = *r;
        ids[i][0] = 'r';
        ids[i][1] = (char)('0' + i / 10);
        ids[i][2] = (char)('0' + i % 10);
        if (n > 2)
            rules[i].id = slice_of(ids[i], 3);
    }
    buf_init(&b, 1 << 20);
    arena_init(&a, 1 << 20);
    gate_pack_encode(&b, &p);
    enum bourn_err err = gate_pack_decode(buf_slice(&b), &a, &p);
    buf_release(&b);
    arena_release(&a);
    return err;
}

static void compiled_packs_keep_their_limits(void **state)
{
    (void)state;
    struct gate_rule r = {.id = S("r"), .clause = S("C3"), .expr = consent_only, .expr_n = 1};
    assert_int_equal(decode_with(&r, 1, 1), BOURN_OK);
    assert_int_equal(decode_with(&r, 1, 0), BOURN_E_FORMAT);
    assert_int_equal(decode_with(&r, 0, 1), BOURN_E_FORMAT);
    assert_int_equal(decode_with(&r, 2, 1), BOURN_E_FORMAT); /* one id twice */
    assert_int_equal(decode_with(&r, RULES_PER_PACK_MAX, 1), BOURN_OK);
    assert_int_equal(decode_with(&r, RULES_PER_PACK_MAX + 1, 1), BOURN_E_FORMAT);
    struct gate_expr deep[EXPR_DEPTH_MAX + 1];
    for (size_t i = 0; i < EXPR_DEPTH_MAX; i++)
        deep[i] = (struct gate_expr){.op = EXPR_ALL_OF, .children = 1};
    deep[EXPR_DEPTH_MAX] = consent_only[0];
    r.expr = deep;
    r.expr_n = EXPR_DEPTH_MAX + 1;
    assert_int_equal(decode_with(&r, 1, 1), BOURN_E_FORMAT);
    r.expr = deep + 1;
    r.expr_n = EXPR_DEPTH_MAX;
    assert_int_equal(decode_with(&r, 1, 1), BOURN_OK);
    struct gate_expr one[] = {{.op = EXPR_COUNTER_BELOW}};
    r.expr = one;
    r.expr_n = 1;
    assert_int_equal(decode_with(&r, 1, 1), BOURN_E_FORMAT);
    one[0] = (struct gate_expr){.op = EXPR_ADEQUACY};
    assert_int_equal(decode_with(&r, 1, 1), BOURN_E_FORMAT); /* an empty list */
    r.expr = consent_only;
    r.grades = 1u << GRADE_AUTHORITY_SIGNED;
    assert_int_equal(decode_with(&r, 1, 1), BOURN_E_FORMAT);
    r.grades = 0;
    r.when_has = WHEN_OPERATIONS;
    r.operations = 1u << OP_SELF;
    assert_int_equal(decode_with(&r, 1, 1), BOURN_E_FORMAT); /* no rule is run for the person themselves */
}

static void missing_says_what_would_satisfy(void **state)
{
    (void)state;
    static const struct gate_expr crossing[] = {
        {.op = EXPR_ANY_OF, .children = 2}, {.op = EXPR_SUBJECT_CONSENT}, {.op = EXPR_AUTHORITY_APPROVAL}};
    struct fixture *f = fixture();
    struct buf b;
    buf_init(&b, 4096);
    f->in.bases_n = 0;
    f->pack.name = S("pledge-2015");
    f->rules[0] = (struct gate_rule){.id = S("S3-crossing"),
                                     .clause = S("S3"),
                                     .expr = crossing,
                                     .expr_n = 3,
                                     .grades = 1u << GRADE_SUBJECT_SIGNED};
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    gate_missing_json(&b, &f->out);
    assert_true(slice_is(buf_slice(&b),
                         "[{\"rule\":\"pledge-2015/S3-crossing\",\"clause\":\"S3\",\"any_of\":["
                         "\"subject_consent\",\"authority_approval\"],\"grades\":[\"subject-signed\"]}]"));
    buf_clear(&b);
    f->rules[0] = full_rules[0];
    f->rules[0].when_has = 0;
    f->rules[0].grounds = (struct gate_list){words, 1};
    f->rules[1] = full_rules[1];
    f->pack.rules_n = 2;
    decide(f, GATE_DENY, GATE_BASIS_MISSING);
    gate_missing_json(&b, &f->out);
    assert_true(
        slice_is(buf_slice(&b),
                 "[{\"rule\":\"pledge-2015/"
                 "one\",\"clause\":\"S3\",\"any_of\":[{\"all_of\":[\"ground\",{\"adequacy\":[\"CN\","
                 "\"DE\"]},{\"deny_list\":[\"CN\"]}]},\"subject_consent\",\"authority_approval\",{\"needs_"
                 "human\":\"board\"}],"
                 "\"grades\":[\"subject-signed\"],\"vouchers\":[\"key\",\"registrar\"],\"grounds\":[\"a\"]},"
                 "{\"rule\":\"pledge-2015/two\",\"clause\":\"C3\",\"all_of\":[\"subject_consent\"]}]"));
    buf_clear(&b);
    f->party.rights = 0;
    decide(f, GATE_DENY, GATE_RIGHT_MISSING);
    gate_missing_json(&b, &f->out);
    assert_true(slice_is(buf_slice(&b), "[]"));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_rules_than_results_fit_is_deny),
        cmocka_unit_test(bases_are_a_sorted_set_and_too_many_are_deny),
        cmocka_unit_test(broken_trees_are_deny),
        cmocka_unit_test(without_a_party_only_the_person_acts),
        cmocka_unit_test(compiled_packs_come_back_the_same),
        cmocka_unit_test(compiled_packs_have_one_form),
        cmocka_unit_test(compiled_packs_keep_their_limits),
        cmocka_unit_test(missing_says_what_would_satisfy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
