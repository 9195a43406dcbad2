/* Inference: the narrowest type that changes no value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "infer.h"

static uint32_t of(const char *const *values, bool json)
{
    struct infer f;
    infer_init(&f);
    for (; *values; values++) {
        struct json_value v;
        if (!json) {
            infer_text(&f, slice_str(*values));
            continue;
        }
        assert_int_equal(json_check(slice_str(*values), &v), BOURN_OK);
        infer_json(&f, v);
    }
    return infer_type(&f);
}
#define CSV(...) of((const char *const[]){__VA_ARGS__, NULL}, false)
#define NDJSON(...) of((const char *const[]){__VA_ARGS__, NULL}, true)

static void test_csv(void **state)
{
    (void)state;
    assert_int_equal(CSV(""), FIELD_TEXT);
    assert_int_equal(CSV("", "12", "-3", "0"), FIELD_INTEGER);
    assert_int_equal(CSV("12", "007"), FIELD_TEXT);
    assert_int_equal(CSV("+1"), FIELD_TEXT);
    assert_int_equal(CSV("-0"), FIELD_TEXT);
    assert_int_equal(CSV(" 1"), FIELD_TEXT);
    assert_int_equal(CSV("-"), FIELD_TEXT);
    assert_int_equal(CSV("999999999999999999"), FIELD_INTEGER);
    assert_int_equal(CSV("1000000000000000000"), FIELD_TEXT);
    assert_int_equal(CSV("1", "2.50"), FIELD_DECIMAL);
    assert_int_equal(CSV("1."), FIELD_TEXT);
    assert_int_equal(CSV(".5"), FIELD_TEXT);
    assert_int_equal(CSV("1e5"), FIELD_TEXT);
    assert_int_equal(CSV("00.5"), FIELD_TEXT);
    assert_int_equal(CSV("true", "", "false"), FIELD_BOOLEAN);
    assert_int_equal(CSV("true", "1"), FIELD_TEXT);
    assert_int_equal(CSV("True"), FIELD_TEXT);
    assert_int_equal(CSV("1745-04-02", "2024-02-29"), FIELD_DATE);
    assert_int_equal(CSV("2023-02-29"), FIELD_TEXT);
    assert_int_equal(CSV("2023-13-01"), FIELD_TEXT);
    assert_int_equal(CSV("0000-01-01"), FIELD_TEXT);
    assert_int_equal(CSV("1745-04-02", "x"), FIELD_TEXT);
    assert_int_equal(CSV("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.25+08:00"), FIELD_DATETIME);
    assert_int_equal(CSV("2026-01-02T24:04:05Z"), FIELD_TEXT);
    assert_int_equal(CSV("2026-01-02T03:04:05"), FIELD_TEXT);
    assert_int_equal(CSV("2026-01-02T03:04:05Z", "2026-01-02"), FIELD_TEXT);
    assert_int_equal(CSV("{}"), FIELD_TEXT);
}

static void test_ndjson(void **state)
{
    (void)state;
    assert_int_equal(NDJSON("null"), FIELD_TEXT);
    assert_int_equal(NDJSON("1", "null", "-2", "\"\""), FIELD_INTEGER);
    assert_int_equal(NDJSON("1", "2.5"), FIELD_DECIMAL);
    assert_int_equal(NDJSON("1e5"), FIELD_JSON);
    assert_int_equal(NDJSON("true"), FIELD_BOOLEAN);
    assert_int_equal(NDJSON("\"12\""), FIELD_TEXT);
    assert_int_equal(NDJSON("\"1745-04-02\""), FIELD_DATE);
    assert_int_equal(NDJSON("\"a\"", "1"), FIELD_JSON);
    assert_int_equal(NDJSON("[1]"), FIELD_JSON);
    assert_int_equal(NDJSON("{\"a\":1}", "\"x\""), FIELD_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_csv), cmocka_unit_test(test_ndjson)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
