/* RFC 8785: what a text becomes, and which texts have no canonical form here. */
#include "consent/consent.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void gives_the_canonical_form(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" { \"b\" : [ 1 , true , null ] , \"a\" : \"x\" } ", "{\"a\":\"x\",\"b\":[1,true,null]}"},
        {"[]", "[]"},
        {"\"x\"", "\"x\""},
        {"-0", "0"},
        {"9007199254740992", "9007199254740992"},
        {"-9007199254740992", "-9007199254740992"},
        {"{\"peach\":1,\"p\\u00e9ch\\u00e9\":2,\"p\\u00eache\":3,\"sin\":4}", "{\"peach\":1,\"p\xc3\xa9"
                                                                              "ch\xc3\xa9\":2,\"p\xc3\xaa"
                                                                              "che\":3,\"sin\":4}"},
        /* UTF-16 order: a surrogate pair comes before U+FB33, though its code point is greater */
        {"{\"\\ufb33\":1,\"\\ud83d\\ude02\":2,\"\\u20ac\":3,\"\\r\":4,\"1\":5,\"\\u0080\":6,\"\\u00f6\":7}",
         "{\"\\r\":4,\"1\":5,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":3,\"\xf0\x9f\x98\x82\":2,"
         "\"\xef\xac\xb3\":1}"},
        {"\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\\u007f\"",
         "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\x7f\""},
        {"{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}"},
    };
    struct buf once, twice;
    buf_init(&once, 4096);
    buf_init(&twice, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&once);
        buf_clear(&twice);
        assert_int_equal(consent_canonical(slice_str(cases[i][0]), &once), BOURN_OK);
        buf_put_u8(&once, 0);
        assert_string_equal((const char *)once.p, cases[i][1]);
        once.n--;
        assert_int_equal(consent_canonical(buf_slice(&once), &twice), BOURN_OK);
        assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
}

static void refuses_what_has_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "{",
        "{} x",
        "{}{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "1.0",
        "1e2",
        "0.5",
        "9007199254740993",
        "-9007199254740993",
        "123456789012345678901234567890",
        "\"\xff\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "'a'",
        "[1,]",
        "// x\n1",
        "01",
        "NaN",
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (consent_canonical(slice_str(cases[i]), &out) != BOURN_E_FORMAT)
            fail_msg("%s passed", cases[i]);
    assert_int_equal(consent_canonical(slice_of("1\0", 2), &out), BOURN_E_FORMAT);
    assert_int_equal(consent_canonical(slice_of("[1\0]", 4), &out), BOURN_E_FORMAT);
    assert_int_equal(consent_canonical((struct slice){0}, &out), BOURN_E_FORMAT);
    buf_release(&out);
}

static void limits_depth_and_size(void **state)
{
    (void)state;
    struct buf in, out;
    buf_init(&in, 4096);
    buf_init(&out, 60);
    for (unsigned depth = 1; depth < 40; depth++) {
        buf_clear(&in);
        buf_clear(&out);
        for (unsigned i = 0; i < depth; i++)
            buf_put_u8(&in, '[');
        for (unsigned i = 0; i < depth; i++)
            buf_put_u8(&in, ']');
        assert_int_equal(consent_canonical(buf_slice(&in), &out), depth > 32       ? BOURN_E_FORMAT
                                                                  : 2 * depth > 60 ? BOURN_E_LIMIT
                                                                                   : BOURN_OK);
    }
    buf_release(&in);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_canonical_form),
        cmocka_unit_test(refuses_what_has_none),
        cmocka_unit_test(limits_depth_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
