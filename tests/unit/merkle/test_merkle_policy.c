/* Witness policies: what C2SP tlog-policy allows and forbids, and quorums against a count of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "merkle/policy.h"

enum { KEYS = 40 };
static char witness[KEYS][400], log_key[KEYS][400]; /* vkeys */
static struct merkle_policy *policy;

static int make_keys(void **state)
{
    (void)state;
    policy = malloc(sizeof *policy);
    for (unsigned i = 0; policy && i < KEYS; i++) {
        uint8_t seed[32] = {(uint8_t)i, 1}, pk[32], secret[64];
        struct merkle_vkey key;
        char name[32];
        struct buf b;
        buf_init(&b, 400);
        crypto_sign_from_seed(pk, secret, seed);
        snprintf(name, sizeof name, "w%u.example", i);
        for (uint8_t type = 1; type <= 4; type += 3) {
            buf_clear(&b);
            merkle_vkey_init(&key, name, type, pk);
            merkle_vkey_put(&b, &key);
            snprintf(type == 1 ? log_key[i] : witness[i], 400, "%.*s", SLICE_ARG(buf_slice(&b)));
        }
        buf_release(&b);
    }
    return policy ? (int)crypto_init() : -1;
}

static int drop(void **state)
{
    (void)state;
    free(policy);
    return 0;
}

static enum bourn_err get(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static enum bourn_err get(const char *fmt, ...)
{
    char text[20000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return merkle_policy_get(slice_str(text), policy);
}

#define ABC "witness a %s https://a.example\nwitness b %s\nwitness c %s\n"
#define ABC_KEYS witness[0], witness[1], witness[2]

static void good_ones(void **state)
{
    (void)state;
    assert_int_equal(get("quorum none\n"), BOURN_OK);
    assert_int_equal(policy->quorum, MERKLE_POLICY_NONE);
    assert_int_equal(
        get("\n \t\n# x\n\t # y\nlog %s\nquorum none\nwitness late %s\n", log_key[0], witness[0]), BOURN_OK);
    assert_int_equal(policy->logs_n, 1);
    assert_int_equal(policy->witnesses_n, 1);
    assert_int_equal(get(" \twitness\t \ta  %s \t https://a.example/x \t\nquorum\ta\n", witness[3]),
                     BOURN_OK);
    assert_string_equal(policy->witness[0].name, "a");
    assert_string_equal(policy->witness[0].url, "https://a.example/x");
    assert_string_equal(policy->witness[0].key.name, "w3.example");
    /* octets over 0x7f are opaque, and upper case is another letter */
    assert_int_equal(get("witness K\xff %s\nwitness k\xff %s\nquorum K\xff\n", witness[0], witness[1]),
                     BOURN_OK);
    assert_int_equal(get("log %s https://log.example\nlog %s\nquorum none\n", log_key[0], log_key[1]),
                     BOURN_OK);
    assert_string_equal(policy->log[0].url, "https://log.example");
    assert_int_equal(get(ABC "group g 2 a b c\nquorum g\n", ABC_KEYS), BOURN_OK);
    assert_int_equal(policy->group[0].k, 2);
    assert_int_equal(get(ABC "group g any a b\ngroup h all c g\nquorum h\n", ABC_KEYS), BOURN_OK);
    assert_int_equal(policy->group[0].k, 1);
    assert_int_equal(policy->group[1].k, 2);
}

static void refused(enum bourn_err err, const char *why)
{
    assert_int_equal(err, BOURN_E_FORMAT);
    if (!strstr(err_text(), why))
        fail_msg("%s does not say %s", err_text(), why);
    assert_int_equal(policy->witnesses_n, 0);
    assert_false(merkle_policy_met(policy, UINT64_MAX));
}

static void bad_ones(void **state)
{
    (void)state;
    refused(get("%s", ""), "no line");
    refused(get("witness a %s\n", witness[0]), "no line");
    refused(get("quorum none"), "does not end");
    refused(get("quorum none\r\n"), "control");
    refused(get("quorum none \x7f\n"), "control");
    refused(get("quorum none\nquorum none\n"), "already");
    refused(get("quorum\n"), "quorum NAME");
    refused(get("quorum a\n"), "not defined");
    refused(get("quorum none none\n"), "quorum NAME");
    refused(get("Quorum none\n"), "begins with");
    refused(get("quorum none # x\n"), "quorum NAME");
    refused(get("witness a\nquorum none\n"), "NAME VKEY");
    refused(get("witness a %s u v\nquorum none\n", witness[0]), "behind the URL");
    refused(get("witness none %s\nquorum none\n", witness[0]), "taken");
    refused(get("witness a %s\nwitness a %s\nquorum a\n", witness[0], witness[1]), "above");
    refused(get("witness a %s\nwitness b %s\nquorum a\n", witness[0], witness[0]), "another witness");
    refused(get("witness a %s\nquorum a\n", log_key[0]), "not one of a witness");
    refused(get("log %s\nquorum none\n", witness[0]), "not one of a log");
    refused(get("log %s\nlog %s\nquorum none\n", log_key[0], log_key[0]), "another log");
    refused(get("log\nquorum none\n"), "log VKEY");
    refused(get("witness a nonsense\nquorum a\n"), "line 1");
    refused(get("# x\n\nwitness a w+00000000+AAAA\nquorum a\n"), "line 3");
    refused(get(ABC "group g 2\nquorum g\n", ABC_KEYS), "a group is");
    refused(get(ABC "group g 0 a b\nquorum g\n", ABC_KEYS), "how many");
    refused(get(ABC "group g 3 a b\nquorum g\n", ABC_KEYS), "how many");
    refused(get(ABC "group g 02 a b\nquorum g\n", ABC_KEYS), "how many");
    refused(get(ABC "group g some a b\nquorum g\n", ABC_KEYS), "how many");
    refused(get(ABC "group g any a a\nquorum g\n", ABC_KEYS), "once");
    refused(get(ABC "group g any a\ngroup h any a\nquorum g\n", ABC_KEYS), "once");
    refused(get(ABC "group g any g\nquorum g\n", ABC_KEYS), "not defined");
    refused(get(ABC "group g any h\ngroup h any a\nquorum g\n", ABC_KEYS), "not defined");
    refused(get(ABC "group g any none\nquorum g\n", ABC_KEYS), "none");
    refused(get(ABC "group a any b\nquorum a\n", ABC_KEYS), "above");
    refused(get(ABC "group none any b\nquorum none\n", ABC_KEYS), "taken");
}

static void at_the_limits(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 2 * POLICY_BYTES_MAX);
    for (int over = 0; over < 2; over++) {
        buf_clear(&b);
        for (int i = 0; i < COSIGNATURES_MAX + over; i++)
            buf_printf(&b, "witness w%d %s\n", i, witness[i]);
        buf_put_str(&b, "quorum w0\n");
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
        buf_clear(&b);
        for (int i = 0; i < POLICY_LOGS_MAX + over; i++)
            buf_printf(&b, "log %s\n", log_key[i]);
        buf_put_str(&b, "quorum none\n");
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
        buf_clear(&b);
        buf_printf(&b, "witness w %s\ngroup g0 all w\n", witness[0]);
        for (int i = 1; i < POLICY_GROUPS_MAX + over; i++)
            buf_printf(&b, "group g%d all g%d\n", i, i - 1);
        buf_printf(&b, "quorum g%d\n", POLICY_GROUPS_MAX - 1);
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
        buf_clear(&b);
        buf_put_str(&b, "quorum none\n#");
        while (b.n < POLICY_BYTES_MAX - 1 + (size_t)over)
            buf_put_str(&b, "x");
        buf_put_str(&b, "\n");
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
        buf_clear(&b);
        buf_put_str(&b, "witness ");
        for (int i = 0; i < MERKLE_POLICY_NAME_BYTES_MAX + over; i++)
            buf_put_str(&b, "n");
        buf_printf(&b, " %s\nquorum none\n", witness[0]);
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
        buf_clear(&b);
        buf_printf(&b, "witness w %s ", witness[0]);
        for (int i = 0; i < WITNESS_URL_BYTES_MAX + over; i++)
            buf_put_str(&b, "u");
        buf_put_str(&b, "\nquorum w\n");
        assert_int_equal(merkle_policy_get(buf_slice(&b), policy), over ? BOURN_E_LIMIT : BOURN_OK);
    }
    buf_release(&b);
}

/* The example of the specification: two of three, any of three, and both. */
static void quorums(void **state)
{
    (void)state;
    assert_int_equal(
        get("witness x1 %s\nwitness x2 %s\nwitness x3 %s\ngroup X 2 x1 x2 x3\nwitness y1 %s\nwitness y2 "
            "%s\nwitness y3 %s\ngroup Y any y1 y2 y3\ngroup XY all X Y\nquorum XY\n",
            witness[0], witness[1], witness[2], witness[3], witness[4], witness[5]),
        BOURN_OK);
    for (unsigned mask = 0; mask < 64; mask++)
        assert_int_equal(merkle_policy_met(policy, mask),
                         __builtin_popcount(mask & 7) >= 2 && (mask >> 3) != 0);
    assert_int_equal(get(ABC "group g 3 a b c\nquorum b\n", ABC_KEYS), BOURN_OK);
    for (unsigned mask = 0; mask < 8; mask++)
        assert_int_equal(merkle_policy_met(policy, mask), mask >> 1 & 1);
    assert_int_equal(get(ABC "group g 3 a b c\nquorum none\n", ABC_KEYS), BOURN_OK);
    assert_false(merkle_policy_met(policy, 7)); /* nobody's word is wanted: nothing is proven by it */
}

static void the_form_of_an_entry(void **state)
{
    (void)state;
    struct buf b, again;
    buf_init(&b, POLICY_BYTES_MAX);
    buf_init(&again, POLICY_BYTES_MAX);
    assert_int_equal(
        get("# x\nlog %s\n  " ABC "\tgroup g all a b\ngroup h any c g\nquorum h\n", log_key[0], ABC_KEYS),
        BOURN_OK);
    merkle_policy_put(&b, policy);
    assert_int_equal(merkle_policy_get(buf_slice(&b), policy), BOURN_OK);
    assert_int_equal(policy->logs_n, 0);
    merkle_policy_put(&again, policy);
    assert_true(slice_eq(buf_slice(&b), buf_slice(&again)));
    assert_non_null(memmem(b.p, b.n, "group g 2 a b\ngroup h 1 c g\nquorum h\n", 37));
    buf_release(&b);
    buf_release(&again);
}

static void urls(void **state)
{
    (void)state;
    static const char *const good[] = {"https://w.example",       "https://w.example:8443/a/b",
                                       "http://127.0.0.1",        "http://127.0.0.1:1/x/",
                                       "http://localhost:80",     "http://[::1]:9/",
                                       "https://[2001:db8::1]/x", "https://w.example/"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///x",
                                      "http://w.example",
                                      "http://127.0.0.1.w.example",
                                      "http://127.0.0.1@w.example",
                                      "https://a@w.example",
                                      "https://w.example/?x",
                                      "https://w.example/#x",
                                      "http://[::1",
                                      "http://localhost.w.example/",
                                      "ftp://127.0.0.1/",
                                      "HTTPS://w.example",
                                      "file:///etc/passwd",
                                      "https://w.ex\xc3\xa4mple/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!merkle_policy_url_ok(good[i]))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (merkle_policy_url_ok(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(bad_ones),
        cmocka_unit_test(at_the_limits),
        cmocka_unit_test(quorums),
        cmocka_unit_test(the_form_of_an_entry),
        cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, make_keys, drop);
}
