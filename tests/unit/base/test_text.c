#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void hex_takes_one_form(void **state)
{
    (void)state;
    uint8_t out[4];
    struct buf b;
    buf_init(&b, 8);
    hex_put(&b, slice_of("\x00\xff\x1a", 3));
    assert_true(slice_is(buf_slice(&b), "00ff1a"));
    assert_true(hex_get(slice_str("00ff1a"), out, 3) && out[1] == 0xff && out[2] == 0x1a);
    assert_true(hex_get(slice_str(""), out, 0));
    static const char *const bad[] = {"00FF1A", "00ff1",  "00ff1a0", "00ff1a00",
                                      "",       "00ff1g", "0 ff1a",  "0x00ff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(hex_get(slice_str(bad[i]), out, 3));
    buf_release(&b);
}

static void base64_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int url = 0; url < 2; url++) {
            (url ? base64url_put : base64_put)(&b, slice_str(cases[i][0]));
            assert_true(slice_is(buf_slice(&b), cases[i][1 + url]));
            buf_clear(&b);
            assert_true((url ? base64url_get : base64_get)(slice_str(cases[i][1 + url]), &b));
            assert_true(slice_is(buf_slice(&b), cases[i][0]));
            buf_clear(&b);
        }
    buf_release(&b);
}

static void base64_refuses_other_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg",       "Zg=",  "Zg===", "Z===",    "====", "=",
                                      "Zh==",     "Zm9=", "Zm-v",  "Zm_v",    "Z m9", "Zm9v\n",
                                      "Zg==Zg==", "=Zg=", "Z=g=",  "Zm9v===="};
    static const char *const bad_url[] = {"Zg==", "Zg=",   "Z",     "Zh",    "Zm9",   "Zm+v",
                                          "Zm/v", "Zm9vY", "Zm9v=", " Zm9v", "Zm9v\n"};
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++, buf_clear(&b))
        if (base64_get(slice_str(bad[i]), &b))
            fail_msg("%s passed", bad[i]);
    for (size_t i = 0; i < sizeof bad_url / sizeof bad_url[0]; i++, buf_clear(&b))
        if (base64url_get(slice_str(bad_url[i]), &b))
            fail_msg("%s passed", bad_url[i]);
    assert_false(base64url_get(slice_of("Zm\0v", 4), &b));
    buf_release(&b);
    buf_init(&b, 2);
    assert_false(base64_get(slice_str("Zm9v"), &b)); /* does not fit */
    buf_release(&b);
}

/* Against the definition: a sequence is valid if it is the shortest encoding of a scalar value. */
static void utf8_follows_its_definition(void **state)
{
    (void)state;
    size_t valid = 0;
    for (uint32_t first = 0; first < 256; first++)
        for (uint32_t second = 0; second < 256; second++) {
            uint8_t two[2] = {(uint8_t)first, (uint8_t)second};
            bool ascii = first < 0x80 && second < 0x80,
                 pair = first >= 0xc2 && first <= 0xdf && second >> 6 == 2;
            assert_int_equal(utf8_valid(slice_of(two, 2)), ascii || pair);
            for (uint32_t third = 0x70; third < 256; third += 0x0f) {
                uint8_t three[3] = {(uint8_t)first, (uint8_t)second, (uint8_t)third};
                uint32_t c = (first & 15) << 12 | (second & 63) << 6 | (third & 63);
                bool want = first >> 4 == 14 && second >> 6 == 2 && third >> 6 == 2 && c >= 0x800 &&
                            (c < 0xd800 || c > 0xdfff);
                want = want || (ascii && third < 0x80) || (pair && third < 0x80) ||
                       (first < 0x80 && second >= 0xc2 && second <= 0xdf && third >> 6 == 2);
                assert_int_equal(utf8_valid(slice_of(three, 3)), want);
                uint8_t four[4] = {(uint8_t)first, (uint8_t)second, (uint8_t)third, 0x80};
                c = (first & 7) << 18 | (second & 63) << 12 | (third & 63) << 6;
                if (first >= 0xf0) {
                    want =
                        first <= 0xf7 && second >> 6 == 2 && third >> 6 == 2 && c >= 0x10000 && c <= 0x10ffff;
                    assert_int_equal(utf8_valid(slice_of(four, 4)), want);
                    valid += want;
                }
                assert_false(first >= 0xf0 && utf8_valid(slice_of(four, 3)));
            }
        }
    assert_true(valid > 0);
    assert_true(utf8_valid((struct slice){0}));
}

static void decimal_takes_one_form(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(decimal_get(slice_str("0"), &v) && v == 0);
    assert_true(decimal_get(slice_str("18446744073709551615"), &v) && v == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "00",
                                      "01",
                                      "+1",
                                      "-1",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "1a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "100000000000000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(decimal_get(slice_str(bad[i]), &v));
}

static void assert_time(uint64_t seconds, const char *text)
{
    struct buf b;
    uint64_t back;
    buf_init(&b, 64);
    time_put(&b, seconds);
    if (!slice_is(buf_slice(&b), text))
        fail_msg("%s became %.*s", text, SLICE_ARG(buf_slice(&b)));
    assert_true(time_get(buf_slice(&b), &back) && back == seconds);
    buf_release(&b);
}

static void times_go_there_and_back(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00Z");
    assert_time(86399, "1970-01-01T23:59:59Z");
    assert_time(951782400, "2000-02-29T00:00:00Z");
    assert_time(951868800, "2000-03-01T00:00:00Z");
    assert_time(1795255200, "2026-11-21T10:00:00Z");
    assert_time(2147483648, "2038-01-19T03:14:08Z");
    assert_time(4107542399, "2100-02-28T23:59:59Z");
    assert_time(4107542400, "2100-03-01T00:00:00Z");
    assert_time(253402300799, "9999-12-31T23:59:59Z");
    struct buf b;
    buf_init(&b, 64);
    for (uint64_t day = 0; day < 2932896; day += 13) { /* every thirteenth day of eight thousand years */
        uint64_t back;
        time_put(&b, day * 86400 + day % 86400);
        assert_true(time_get(buf_slice(&b), &back) && back == day * 86400 + day % 86400);
        buf_clear(&b);
    }
    buf_release(&b);
}

static void times_take_one_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T10:00:00",
        "2026-11-21T10:00:00z",
        "2026-11-21t10:00:00Z",
        "2026-11-21 10:00:00Z",
        "2026-11-21T10:00:00.0Z",
        "2026-11-21T10:00:00+00:00",
        "2026-11-21T24:00:00Z",
        "2026-11-21T10:60:00Z",
        "2026-11-21T10:00:60Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-1-01T00:00:00Z ",
        "+026-01-01T00:00:00Z",
        "2026-01-01T 0:00:00Z",
    };
    uint64_t t;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (time_get(slice_str(bad[i]), &t))
            fail_msg("%s passed", bad[i]);
    assert_true(time_or_date_get(slice_str("2031-01-01"), &t) && t == 1924992000);
    assert_true(time_or_date_get(slice_str("2031-01-01T00:00:01Z"), &t) && t == 1924992001);
    assert_false(time_or_date_get(slice_str("2031-02-30"), &t));
    assert_false(time_or_date_get(slice_str("2031-1-001"), &t));
    assert_false(time_or_date_get(slice_str("2031-01-1"), &t));
}

static void names_terms_and_countries(void **state)
{
    (void)state;
    char long_name[130];
    memset(long_name, 'a', sizeof long_name);
    assert_true(country_valid(slice_str("CN")));
    static const char *const not_country[] = {"", "C", "CHN", "cn", "Cn", "C1", "\xc3\x89"};
    for (size_t i = 0; i < sizeof not_country / sizeof not_country[0]; i++)
        assert_false(country_valid(slice_str(not_country[i])));
    static const char *const name[] = {"a", "0", "bioguide_id", "Name", "a.b-c_d"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
        assert_true(name_valid(slice_str(name[i])));
    static const char *const not_name[] = {"",    "_a",  "-a",       ".a",  "..",
                                           "a b", "a/b", "\xc3\xa9", "a\n", "a:b"};
    for (size_t i = 0; i < sizeof not_name / sizeof not_name[0]; i++)
        assert_false(name_valid(slice_str(not_name[i])));
    assert_false(name_valid(slice_of("a\0b", 3)));
    assert_true(name_valid(slice_of(long_name, 64)));
    assert_false(name_valid(slice_of(long_name, 65)));
    assert_true(term_valid(slice_str("dpv:ServiceProvision")) && term_valid(slice_str("!~")));
    static const char *const not_term[] = {"", "a b", "a\"", "a\\", "a,b", "a\x7f", "\xc3\xa9", "a\t"};
    for (size_t i = 0; i < sizeof not_term / sizeof not_term[0]; i++)
        assert_false(term_valid(slice_str(not_term[i])));
    assert_true(term_valid(slice_of(long_name, 128)));
    assert_false(term_valid(slice_of(long_name, 129)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_takes_one_form),         cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(base64_refuses_other_forms), cmocka_unit_test(utf8_follows_its_definition),
        cmocka_unit_test(decimal_takes_one_form),     cmocka_unit_test(times_go_there_and_back),
        cmocka_unit_test(times_take_one_form),        cmocka_unit_test(names_terms_and_countries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
