/* The compiler of packs: each mistake is refused where it stands, and each word does what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gate/gate.h"
#include "pack/pack.h"

#define HEAD "pack: p\nversion: 1\n"
#define PROVENANCE "    source: s\n    confidence: inferred\n    reviewed_by: null\n"
#define RULE(require) HEAD "rules:\n  - id: r\n    clause: C3\n    require: " require "\n" PROVENANCE

static enum bourn_err compile(const char *yaml)
{
    struct buf rules;
    buf_init(&rules, ENTRY_BYTES_MAX);
    enum bourn_err err = pack_compile(slice_str(yaml), &rules);
    if (err != BOURN_OK)
        assert_int_equal(rules.n, 0);
    buf_release(&rules);
    return err;
}

static void mistakes_are_named_where_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"", "the file is empty"},
        {"- a\n", "line 1, column 1: a pack must be a map"},
        {"pack: [\n", "line 2, column 1: "},
        {"pack: p\npack: q\n", "line 2, column 1: the key pack stands twice, first in line 1"},
        {HEAD "rulez: []\n", "line 3, column 1: rulez is no word of a pack; it takes: pack, version"},
        {"version: 1\n", "line 1, column 1: a pack needs \"pack\""},
        {"pack: p\n", "line 1, column 1: a pack needs \"version\""},
        {"pack: p\nversion: 0\n", "line 2, column 10: write a whole number from 1"},
        {"pack: p\nversion: \"1\"\n", "line 2, column 10: write a whole number from 1"},
        {"pack: p/q\nversion: 1\n", "line 1, column 7: \"p/q\" stands where a name"},
        {HEAD, "a pack needs \"rules\""},
        {HEAD "rules: []\n", "line 3, column 8: write a list of 1 to 64 rules"},
        {HEAD "market: [CN, CN]\n", "line 3, column 14: CN stands twice"},
        {HEAD "market: [China]\n", "line 3, column 10: \"China\" stands where a country"},
        {HEAD "market: &a [CN]\n", "an anchor or a tag"},
        {HEAD "market: !x CN\n", "a tag (!name)"},
        {HEAD "market: *a\n", "an alias"},
        {HEAD "effective_from: soon\n", "line 3, column 17: write a day"},
        {HEAD "effective_from: 2026-01-02\neffective_to: 2026-01-02\n",
         "line 4, column 15: effective_to must be later"},
        {RULE("consent"), "line 6, column 14: consent is no expression; use any_of"},
        {RULE("{ some_of: [ground] }"), "some_of is no expression"},
        {RULE("{ any_of: [] }"), "takes a list of 1 to 16 expressions"},
        {RULE("{ any_of: ground }"), "takes a list of 1 to 16 expressions"},
        {RULE("{ any_of: [ground], all_of: [ground] }"), "exactly one word"},
        {RULE("{ ground: [dpv:Contract] }"), "ground takes no value"},
        {RULE("adequacy"), "adequacy needs a value"},
        {RULE("{ adequacy: [] }"), "write a list of 1 to 256 items"},
        {RULE("{ counter_below: 100000 }"), "counter_below cannot be used yet"},
        {RULE("{ needs_human: [a] }"), "the name of who decides"},
        {RULE("{all_of: [{all_of: [{all_of: [{all_of: [{all_of: [{all_of: [{all_of: [{all_of: "
              "[ground]}]}]}]}]}]}]}]}"),
         "nested deeper than 8"},
        {RULE("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), "nested too deeply"},
        {RULE("ground\n    accept: { subject_consent: {} }"), "does not ask for subject_consent"},
        {RULE("ground\n    accept: { ground: [a b] }"), "\"a b\" stands where a term"},
        {RULE("subject_consent\n    accept: { ground: [x] }"), "does not ask for ground"},
        {RULE("subject_consent\n    accept: { subject_consent: { grades: [authority-signed] } }"),
         "\"authority-signed\" is none of: subject-signed, operator-attested"},
        {RULE("subject_consent\n    accept: { subject_consent: { grades: [operator-attested], vouchers: "
              "[app] } }"),
         "vouchers are of subject-signed consents"},
        {RULE("ground\n    when: { crossing: yes }"), "write true or false"},
        {RULE("ground\n    when: { operations: [self] }"), "\"self\" is none of: read, search, write"},
        {RULE("ground\n    when: { operations: [read, read] }"), "read stands twice"},
        {RULE("ground\n    when: { collections: [] }"), "write a list of 1 to 256 items"},
        {RULE("ground\n    when: { where: [CN] }"), "where is no word of when"},
        {RULE("ground") "    note: x\n", "note is no word of a rule"},
        {RULE("ground") "  - id: r\n    clause: C3\n    require: ground\n" PROVENANCE,
         "line 10, column 5: two rules"},
        {HEAD "rules:\n  - id: r\n    clause: Z9\n", "line 5, column 13: \"Z9\" stands where a clause"},
        {HEAD "rules:\n  - id: r\n    clause: C3\n    require: ground\n", "a rule needs \"source\""},
        {HEAD "rules:\n  - id: r\n    clause: C3\n    require: ground\n    source: s\n    confidence: sure\n",
         "\"sure\" stands where sourced, unconfirmed or inferred"},
        {HEAD
         "rules:\n  - id: r\n    clause: C3\n    require: ground\n    source: s\n    confidence: sourced\n",
         "a rule needs \"reviewed_by\""},
        {RULE("ground") "--- \npack: q\n", "a second document"},
        {"pack: \"\xff\"\n", "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(compile(cases[i].yaml), BOURN_E_FORMAT);
        if (!strstr(err_text(), cases[i].says) || strncmp(err_text(), "line ", 5) != 0)
            fail_msg("case %zu says \"%s\", not \"%s\"", i, err_text(), cases[i].says);
    }
    assert_int_equal(compile(RULE("ground")), BOURN_OK);
}

static void packs_have_a_length(void **state)
{
    (void)state;
    static char yaml[PACK_YAML_BYTES_MAX + 2];
    size_t n = strlen(RULE("ground"));
    memcpy(yaml, RULE("ground"), n);
    memset(yaml + n, '#', sizeof yaml - 1 - n);
    assert_int_equal(compile(yaml), BOURN_E_LIMIT);
    yaml[PACK_YAML_BYTES_MAX] = '\0';
    assert_int_equal(compile(yaml), BOURN_OK);
}

static void order_of_lists_does_not_matter(void **state)
{
    (void)state;
    struct buf one, two;
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    assert_int_equal(
        pack_compile(slice_str(RULE("{ adequacy: [US, CN] }\n    when: { operations: [write, read] }")),
                     &one),
        BOURN_OK);
    assert_int_equal(
        pack_compile(slice_str(RULE("{ adequacy: [CN, US] }\n    when: { operations: [read, write] }")),
                     &two),
        BOURN_OK);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_release(&one);
    buf_release(&two);
}

static void every_word_is_compiled(void **state)
{
    (void)state;
    static const char yaml[] =
        "pack: words\nversion: 4\ntitle: t\neffective_from: 1970-01-02\neffective_to: 1970-01-03T00:00:01Z\n"
        "market: [DE, FR]\nrules:\n  - id: one\n    clause: S2\n"
        "    when: { crossing: false, sensitive: true, collections: [b, a], domiciles: [DE], destinations: "
        "[FR],\n"
        "            purposes: [dpv:X], operations: [evidence] }\n"
        "    require: { all_of: [{ deny_list: [US] }, { any_of: [subject_consent, ground, "
        "authority_approval] },\n"
        "                        { needs_human: board }] }\n"
        "    accept: { subject_consent: { grades: [operator-attested, subject-signed], vouchers: [registrar] "
        "},\n"
        "              ground: [dpv:Contract] }\n"
        "    source: s\n    confidence: unconfirmed\n    reviewed_by: counsel\n";
    struct buf rules;
    struct arena a;
    struct gate_pack p;
    buf_init(&rules, 4096);
    arena_init(&a, 1 << 20);
    assert_int_equal(pack_compile(slice_str(yaml), &rules), BOURN_OK);
    assert_int_equal(gate_pack_decode(buf_slice(&rules), &a, &p), BOURN_OK);
    const struct gate_rule *r = p.rules;
    assert_true(slice_is(p.name, "words") && p.version == 4 && p.effective_from == 86400 &&
                p.effective_to == 2 * 86400 + 1 && p.market.n == 2 && p.rules_n == 1);
    assert_true(slice_is(r->id, "one") && slice_is(r->clause, "S2") && r->reviewed && r->when_has == 127);
    assert_true(!r->crossing && r->sensitive && slice_is(r->collections.v[0], "a") &&
                slice_is(r->domiciles.v[0], "DE") && slice_is(r->destinations.v[0], "FR") &&
                slice_is(r->purposes.v[0], "dpv:X"));
    assert_int_equal(r->operations, 1u << OP_EVIDENCE);
    assert_int_equal(r->grades, 1u << GRADE_SUBJECT_SIGNED | 1u << GRADE_OPERATOR_ATTESTED);
    assert_int_equal(r->vouchers, 1u << VOUCHER_REGISTRAR);
    assert_true(r->grounds.n == 1 && slice_is(r->grounds.v[0], "dpv:Contract"));
    static const uint32_t ops[] = {EXPR_ALL_OF,          EXPR_DENY_LIST, EXPR_ANY_OF,
                                   EXPR_SUBJECT_CONSENT, EXPR_GROUND,    EXPR_AUTHORITY_APPROVAL,
                                   EXPR_NEEDS_HUMAN};
    assert_int_equal(r->expr_n, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(r->expr[i].op, ops[i]);
    buf_release(&rules);
    arena_release(&a);
}

#define EXAMPLE(text)                                                                                        \
    RULE("{ any_of: [ground, { all_of: [subject_consent, { adequacy: [CN] }] }] }")                          \
    "examples:\n  - { domicile: CN, destination: CN, ground: g, verdict: allow }\n  - " text "\n"

static void an_example_that_differs_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {EXAMPLE("{ domicile: CN, destination: CN, verdict: allow }"),
         "line 12, column 5: this example says allow, and the gate says deny (basis_missing)"},
        {EXAMPLE("{ domicile: CN, destination: CN, verdict: deny, code: no_rule }"),
         "the gate says deny (basis_missing)"},
        {EXAMPLE("{ domicile: CN, destination: US, basis: subject-signed, verdict: allow }"),
         "the gate says deny"},
        {EXAMPLE("{ domicile: CN, destination: CN, verdict: deny, missing: [ground] }"),
         "the gate's missing is [ground, subject_consent, adequacy]"},
        {EXAMPLE("{ domicile: CN, destination: CN, basis: subject-signed, verdict: allow, uses: [ground] }"),
         "the gate's uses is [subject-signed]"},
        {EXAMPLE("{ domicile: CN, destination: CN, basis: subject-signed, state: expired, verdict: allow }"),
         "deny"},
        {EXAMPLE(
             "{ domicile: CN, destination: CN, operation: evidence, basis: subject-signed, verdict: allow }"),
         "deny"},
    };
    size_t n;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(pack_check_examples(slice_str(cases[i].yaml), &n), BOURN_E_CONFLICT);
        assert_int_equal(n, 1);
        if (!strstr(err_text(), cases[i].says))
            fail_msg("case %zu says \"%s\", not \"%s\"", i, err_text(), cases[i].says);
    }
    assert_int_equal(pack_check_examples(slice_str(EXAMPLE("{ domicile: CN }")), &n), BOURN_E_FORMAT);
    assert_int_equal(pack_check_examples(slice_str(EXAMPLE("{ domicile: CN, destination: CN }")), &n),
                     BOURN_E_FORMAT);
    assert_int_equal(pack_check_examples(slice_str(EXAMPLE("{ domicil: CN }")), &n), BOURN_E_FORMAT);
    assert_int_equal(
        pack_check_examples(
            slice_str(EXAMPLE("{ domicile: CN, destination: CN, state: live, verdict: deny }")), &n),
        BOURN_E_FORMAT);
    assert_int_equal(
        pack_check_examples(slice_str(EXAMPLE("{ domicile: CN, destination: CN, basis: operator-attested,"
                                              " verdict: allow, uses: [operator-attested] }")),
                            &n),
        BOURN_OK);
    assert_int_equal(n, 2);
}

/* Text cut anywhere, or with a byte changed, is compiled or refused, and never harms (run under sanitizers).
 */
static void damaged_text_does_no_harm(void **state)
{
    (void)state;
    char yaml[] = EXAMPLE("{ domicile: CN, destination: CN, basis: subject-signed, verdict: allow }");
    static const char marks[] = "[]{}:,#&*!|>'\"%@`-\t\n \xff";
    size_t length = sizeof yaml - 1, refused = 0, n;
    for (size_t i = 0; i < length; i++) {
        refused += pack_check_examples(slice_of(yaml, i), &n) != BOURN_OK;
        for (size_t j = 0; j < sizeof marks - 1; j++) {
            char kept = yaml[i];
            yaml[i] = marks[j];
            refused += pack_check_examples(slice_of(yaml, length), &n) != BOURN_OK;
            yaml[i] = kept;
        }
    }
    assert_true(refused > length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named_where_they_stand), cmocka_unit_test(packs_have_a_length),
        cmocka_unit_test(order_of_lists_does_not_matter),      cmocka_unit_test(every_word_is_compiled),
        cmocka_unit_test(an_example_that_differs_is_named),    cmocka_unit_test(damaged_text_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
