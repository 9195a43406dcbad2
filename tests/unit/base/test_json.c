/* The scanner against texts that every parser must take, and texts that none may. */
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define T(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
static const struct {
    const char *text;
    size_t n;
} must_accept[] =
    {
        T("{}"),
        T("[]"),
        T("\"\""),
        T("0"),
        T("-0"),
        T("true"),
        T("false"),
        T("null"),
        T(" \t\r\n[ \t\r\n] \t\r\n"),
        T("[1,2,3]"),
        T("[[],[[]],{}]"),
        T("{\"a\":{\"a\":{\"a\":1}}}"),
        T("{\"\":1}"),
        T("{\"a\":1,\"A\":2}"),
        T("-1"),
        T("10"),
        T("1.5"),
        T("0.0"),
        T("-0.1"),
        T("1e1"),
        T("1E1"),
        T("1e+1"),
        T("1e-1"),
        T("0e0"),
        T("1.25E-02"),
        T("123456789012345678901234567890.123456789"),
        T("1e400"),
        T("\" \""),
        T("\"/\""),
        T("\"\\/\""),
        T("\"\\\\\""),
        T("\"\\\"\""),
        T("\"\\b\\f\\n\\r\\t\""),
        T("\"\\u0041\\u00e9\\u20AC\""),
        T("\"\\u0000\""),
        T("\"\\ud83d\\ude00\""),
        T("\"\\uDBFF\\uDFFF\""),
        T("\"\\ud7ff\\ue000\""),
        T("\"\x7f\""),
        T("\"\xc2\x80\""),
        T("\"\xc3\xa9\""),
        T("\"\xe0\xa0\x80\""),
        T("\"\xed\x9f\xbf\""),
        T("\"\xee\x80\x80\""),
        T("\"\xef\xbf\xbf\""),
        T("\"\xf0\x90\x80\x80\""),
        T("\"\xf4\x8f\xbf\xbf\""),
        T("\"\xe2\x80\xa8\""),
        T("\"\xef\xbb\xbf\""),
        T("\"'\""),
        T("\"// no comment\""),
        T("{\"a\":[{\"b\":null},true,\"\\\\\"]}"),
},
  must_refuse[] = {
      T(""),
      T(" "),
      T("{"),
      T("}"),
      T("["),
      T("]"),
      T("\""),
      T("[1"),
      T("[1,"),
      T("[,1]"),
      T("[1,]"),
      T("[1,,2]"),
      T("[1 2]"),
      T("[1;2]"),
      T("[}"),
      T("{]"),
      T("[1}"),
      T("{\"a\"}"),
      T("{\"a\":}"),
      T("{\"a\":1,}"),
      T("{,}"),
      T("{\"a\":1 \"b\":2}"),
      T("{\"a\" 1}"),
      T("{a:1}"),
      T("{'a':1}"),
      T("{1:1}"),
      T("{null:1}"),
      T("{\"a\"::1}"),
      T("{\"a\":1,,\"b\":2}"),
      T("{\"a\":1,\"a\":1}"),
      T("{\"a\":1,\"\\u0061\":1}"),
      T("{\"\\u0061\":1,\"\\u0061\":1}"),
      T("[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]"),
      T("{\"\":1,\"\":2}"),
      T("{}{}"),
      T("1 2"),
      T("[]]"),
      T("{}}"),
      T("nul"),
      T("nulll"),
      T("True"),
      T("TRUE"),
      T("tru"),
      T("NaN"),
      T("Infinity"),
      T("-Infinity"),
      T("undefined"),
      T("'a'"),
      T("+1"),
      T("-"),
      T("--1"),
      T("-a"),
      T("01"),
      T("-01"),
      T("00"),
      T("1."),
      T(".1"),
      T("-.1"),
      T("1.e1"),
      T("1e"),
      T("1e+"),
      T("1e1.5"),
      T("1ee1"),
      T("0x1"),
      T("1_000"),
      T("1,000"),
      T("1a"),
      T("0 1"),
      T("\xef\xbc\x91"),
      T("\"\\x41\""),
      T("\"\\a\""),
      T("\"\\0\""),
      T("\"\\'\""),
      T("\"\\U0041\""),
      T("\"\\\""),
      T("\"\\u\""),
      T("\"\\u00\""),
      T("\"\\u004\""),
      T("\"\\u004g\""),
      T("\"\\u00 4\""),
      T("\"\\ud800\""),
      T("\"\\udc00\""),
      T("\"\\ud800x\""),
      T("\"\\ud800\\n\""),
      T("\"\\ud800\\u0041\""),
      T("\"\\ud800\\ud800\""),
      T("\"\\udc00\\ud800\""),
      T("\"\\ud83d\\ude0\""),
      T("\"\n\""),
      T("\"\t\""),
      T("\"\0\""),
      T("\"\x1f\""),
      T("\"a"),
      T("\"a\\"),
      T("a\""),
      T("\"\"\""),
      T("\"\x80\""),
      T("\"\xbf\""),
      T("\"\xc0\x80\""),
      T("\"\xc1\xbf\""),
      T("\"\xc2\""),
      T("\"\xc2 \""),
      T("\"\xe0\x80\x80\""),
      T("\"\xe0\x9f\xbf\""),
      T("\"\xed\xa0\x80\""),
      T("\"\xed\xbf\xbf\""),
      T("\"\xe2\x82\""),
      T("\"\xf0\x8f\xbf\xbf\""),
      T("\"\xf4\x90\x80\x80\""),
      T("\"\xf5\x80\x80\x80\""),
      T("\"\xff\""),
      T("\"\xfe\xff\""),
      T("\"\xf8\x88\x80\x80\x80\""),
      T("\xef\xbb\xbf{}"),
      T("{}\0"),
      T("\0"),
      T("[\0]"),
      T("[1\x0b]"),
      T("[\x0c]"),
      T("[\xc2\xa0]"),
      T("[\xe2\x81\xa0]"),
      T("//\n1"),
      T("/**/1"),
      T("1//"),
      T("[1]#"),
      T("[\"a\"\"b\"]"),
      T("{\"a\":\"b\":\"c\"}"),
      T("[\"a\":1]"),
      T("\xff\xfe[\0]\0"),
      T("*"),
      T("<null>"),
      T("[<null>]"),
      T("\xc3\xa9"),
      T("[\\n]"),
      T("[1]x"),
      T("\"\" x"),
};

static void takes_what_is_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof must_accept / sizeof must_accept[0]; i++) {
        struct json_value v;
        if (json_check(slice_of(must_accept[i].text, must_accept[i].n), &v) != BOURN_OK)
            fail_msg("%s: %s", must_accept[i].text, err_text());
    }
}

static void refuses_what_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof must_refuse / sizeof must_refuse[0]; i++) {
        struct json_value v;
        if (json_check(slice_of(must_refuse[i].text, must_refuse[i].n), &v) != BOURN_E_FORMAT)
            fail_msg("number %zu passed: %s", i, must_refuse[i].text);
    }
}

static void says_where(void **state)
{
    (void)state;
    struct json_value v;
    assert_int_equal(json_check(slice_str("{\"a\":tru}"), &v), BOURN_E_FORMAT);
    assert_string_equal(err_text(), "JSON: unknown literal at byte 5");
    assert_int_equal(json_check(slice_str("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}"), &v), BOURN_E_FORMAT);
    assert_string_equal(err_text(), "JSON: duplicate name at byte 18");
    assert_int_equal(json_check((struct slice){0}, &v), BOURN_E_FORMAT);
}

static void nested(struct buf *b, unsigned depth, const char *open, const char *close)
{
    buf_clear(b);
    for (unsigned i = 0; i < depth; i++)
        buf_put_str(b, open);
    buf_put_u8(b, '0');
    for (unsigned i = 0; i < depth; i++)
        buf_put_str(b, close);
}

static void limits_depth_at_the_edge(void **state)
{
    (void)state;
    struct buf b;
    struct json_value v;
    buf_init(&b, 1 << 20);
    static const char *const pairs[][2] = {{"[", "]"}, {"{\"a\":", "}"}, {"[1,{\"a\":2,\"b\":", "}]"}};
    for (size_t i = 0; i < 3; i++) {
        unsigned per = i == 2 ? 2 : 1;
        nested(&b, JSON_DEPTH_MAX / per, pairs[i][0], pairs[i][1]);
        assert_int_equal(json_check(buf_slice(&b), &v), BOURN_OK);
        nested(&b, JSON_DEPTH_MAX / per + 1, pairs[i][0], pairs[i][1]);
        assert_int_equal(json_check(buf_slice(&b), &v), BOURN_E_FORMAT);
        assert_non_null(strstr(err_text(), "nested too deeply"));
        nested(&b, 10000, pairs[i][0], pairs[i][1]); /* the stack survives */
        assert_int_equal(json_check(buf_slice(&b), &v), BOURN_E_FORMAT);
    }
    buf_release(&b);
}

/* A value inside a value: what json_check took whole, json_next must walk at any level. */
static void walks_down_to_the_deepest_level(void **state)
{
    (void)state;
    struct buf b;
    struct json_value v;
    struct json_member m;
    buf_init(&b, 1 << 20);
    nested(&b, JSON_DEPTH_MAX, "[", "]");
    assert_int_equal(json_check(buf_slice(&b), &v), BOURN_OK);
    for (unsigned depth = 0; depth < JSON_DEPTH_MAX; depth++) {
        size_t at = 0;
        assert_int_equal(v.type, JSON_ARRAY);
        assert_true(json_next(v, &at, &m));
        assert_false(json_next(v, &at, &(struct json_member){0}));
        v = m.value;
    }
    assert_int_equal(v.type, JSON_NUMBER);
    buf_release(&b);
}

static void limits_members_at_the_edge(void **state)
{
    (void)state;
    struct buf b;
    struct json_value v;
    buf_init(&b, 1 << 20);
    for (unsigned over = 0; over < 2; over++) {
        buf_clear(&b);
        for (unsigned i = 0; i < JSON_MEMBERS_MAX + over; i++)
            buf_printf(&b, "%c\"m%u\":%u", i ? ',' : '{', i, i);
        buf_put_u8(&b, '}');
        assert_int_equal(json_check(buf_slice(&b), &v), over ? BOURN_E_FORMAT : BOURN_OK);
        if (over)
            assert_non_null(strstr(err_text(), "too many members"));
    }
    buf_clear(&b);
    for (unsigned i = 0; i <= JSON_MEMBERS_MAX; i++) /* arrays have no such limit */
        buf_put_str(&b, i ? ",1" : "[1");
    buf_put_u8(&b, ']');
    assert_int_equal(json_check(buf_slice(&b), &v), BOURN_OK);
    buf_release(&b);
}

static void walks_members_and_elements(void **state)
{
    (void)state;
    struct json_value v, found;
    struct json_member m;
    size_t at = 0;
    assert_int_equal(
        json_check(slice_str(" { \"a\" : [ 1 , \"x,]\" , { } ] , \"b\\u0062\" : -1.5e3,\"\":null } "), &v),
        BOURN_OK);
    assert_int_equal(v.type, JSON_OBJECT);
    assert_true(json_next(v, &at, &m) && slice_is(m.name, "\"a\"") && m.value.type == JSON_ARRAY);
    assert_true(slice_is(m.value.raw, "[ 1 , \"x,]\" , { } ]"));
    struct json_value array = m.value;
    size_t in = 0;
    assert_true(json_next(array, &in, &m) && slice_is(m.value.raw, "1") && m.name.n == 0);
    assert_true(json_next(array, &in, &m) && slice_is(m.value.raw, "\"x,]\"") && m.value.type == JSON_STRING);
    assert_true(json_next(array, &in, &m) && slice_is(m.value.raw, "{ }") && m.value.type == JSON_OBJECT);
    assert_false(json_next(array, &in, &m));
    assert_false(json_next(array, &in, &m)); /* stays at the end */
    assert_true(json_next(v, &at, &m) && json_string_is(m.name, slice_str("bb")) &&
                slice_is(m.value.raw, "-1.5e3"));
    assert_true(json_next(v, &at, &m) && m.value.type == JSON_NULL);
    assert_false(json_next(v, &at, &m));
    assert_true(json_find(v, "bb", &found) && slice_is(found.raw, "-1.5e3"));
    assert_true(json_find(v, "", &found) && found.type == JSON_NULL);
    assert_false(json_find(v, "b", &found));
    assert_false(json_find(array, "a", &found));

    static const char *const empty[] = {"{}", "{ }", "[]", "[ \n ]"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(json_check(slice_str(empty[i]), &v), BOURN_OK);
        at = 0;
        assert_false(json_next(v, &at, &m));
    }
}

static void decodes_and_writes_strings(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *text, *written;
        size_t n;
    } cases[] = {
        {"\"\"", "", "\"\"", 0},
        {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", 10},
        {"\"\\b\\f\\n\\r\\t\\/\\\\\\\"\"", "\b\f\n\r\t/\\\"", "\"\\b\\f\\n\\r\\t/\\\\\\\"\"", 8},
        {"\"\\u0000\\u001F\\u007f\"", "\0\x1f\x7f", "\"\\u0000\\u001f\x7f\"", 3},
        {"\"\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"",
         "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
         "\"\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", 16},
        {"\"a\\\\u0041\"", "a\\u0041", "\"a\\\\u0041\"", 7},
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value v;
        struct slice text = slice_of(cases[i].text, cases[i].n);
        assert_int_equal(json_check(slice_str(cases[i].raw), &v), BOURN_OK);
        json_string_decode(v.raw, &b);
        assert_true(slice_eq(buf_slice(&b), text));
        assert_true(json_string_is(v.raw, text));
        assert_false(json_string_is(v.raw, slice_str("other")));
        buf_clear(&b);
        json_put_string(&b, text);
        assert_true(slice_is(buf_slice(&b), cases[i].written));
        assert_int_equal(json_check(buf_slice(&b), &v), BOURN_OK);
        assert_true(json_string_is(v.raw, text));
        buf_clear(&b);
    }
    buf_release(&b);
}

/* What is special in a string is seen at every place of strings of every length, whatever stands around it,
 * and comes back as it was when it is written. */
static void sees_special_bytes_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool good;
    } parts[] = {
        {"\\n", true},  {"\\\"", true},  {"\\u00e9", true}, {"\xc3\xa9", true}, {"\xf0\x9f\x98\x80", true},
        {"\x7f", true}, {"!#[]", true},  {"\x1f", false},   {"\x01", false},    {"\"", false},
        {"\\x", false}, {"\x80", false}, {"\xc3", false},   {"\xff", false},    {"\\ud800", false},
    };
    struct buf text, out, again;
    struct json_value v;
    buf_init(&text, 256);
    buf_init(&out, 256);
    buf_init(&again, 256);
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        for (size_t n = 0; n < 35; n++)
            for (size_t at = 0; at <= n; at++) {
                buf_clear(&text);
                buf_put_u8(&text, '"');
                for (size_t i = 0; i <= n; i++) {
                    if (i == at)
                        buf_put_str(&text, parts[k].bytes);
                    if (i < n)
                        buf_put_u8(&text, (uint8_t)("a ~\x7f!#]Z"[i % 8]));
                }
                buf_put_u8(&text, '"');
                assert_int_equal(json_check(buf_slice(&text), &v), parts[k].good ? BOURN_OK : BOURN_E_FORMAT);
                if (!parts[k].good)
                    continue;
                buf_clear(&out);
                buf_clear(&again);
                json_string_decode(v.raw, &out);
                json_put_string(&again, buf_slice(&out));
                assert_true(json_string_is(buf_slice(&again), buf_slice(&out)));
                assert_int_equal(json_check(buf_slice(&again), &v), BOURN_OK);
            }
    buf_release(&text);
    buf_release(&out);
    buf_release(&again);
}

/* A megabyte of names with escapes once took five seconds to look through for duplicates. */
static void many_names_cost_little(void **state)
{
    (void)state;
    struct buf b;
    struct json_value v;
    buf_init(&b, 2 << 20);
    while (b.n < 1000000) {
        buf_put_u8(&b, b.n ? ',' : '[');
        for (unsigned i = 0; i < JSON_MEMBERS_MAX; i++)
            buf_printf(&b, "%s\"\\n%x\":1", i ? "," : "{", i);
        buf_put_u8(&b, '}');
    }
    buf_put_u8(&b, ']');
    clock_t from = clock();
    assert_int_equal(json_check(buf_slice(&b), &v), BOURN_OK);
    assert_true(clock() - from < 2 * CLOCKS_PER_SEC);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_json),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(says_where),
        cmocka_unit_test(limits_depth_at_the_edge),
        cmocka_unit_test(walks_down_to_the_deepest_level),
        cmocka_unit_test(limits_members_at_the_edge),
        cmocka_unit_test(walks_members_and_elements),
        cmocka_unit_test(decodes_and_writes_strings),
        cmocka_unit_test(sees_special_bytes_everywhere),
        cmocka_unit_test(many_names_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
