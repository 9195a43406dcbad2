/* Options of the commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli.h"

#include <stdio.h>

static const struct opt table[] = {{"kind", true}, {"json", false}};

/* Writes what is read as "0=app -2=cell 1 …". */
static void expect(char **words, const char *want)
{
    struct opts o = {.argv = words};
    char got[512] = "";
    const char *value;
    int option;
    size_t at = 0;
    while (words[o.argc])
        o.argc++;
    do {
        option = opt_next(&o, table, 2, &value);
        at += (size_t)snprintf(got + at, sizeof got - at, "%d", option);
        if (option == 0 || option == OPT_OPERAND)
            at += (size_t)snprintf(got + at, sizeof got - at, "=%s", value);
        at += (size_t)snprintf(got + at, sizeof got - at, " ");
    } while (option != OPT_END && option != OPT_BAD);
    assert_string_equal(got, want);
}
#define EXPECT(want, ...) expect((char *[]){__VA_ARGS__, NULL}, want)

static void test_opts(void **state)
{
    (void)state;
    EXPECT("-2=cell 0=app 1 -2=x -1 ", "cell", "--kind", "app", "--json", "x");
    EXPECT("0=app -2=cell -1 ", "--kind=app", "cell");
    EXPECT("0= -1 ", "--kind=");
    EXPECT("0=--json -1 ", "--kind", "--json");
    EXPECT("-2=- -1 ", "-");
    EXPECT("1 -2=--json -2=-x -1 ", "--json", "--", "--json", "-x");
    EXPECT("-3 ", "--kin", "app");
    EXPECT("-3 ", "--kinds", "app");
    EXPECT("-3 ", "--kind");
    EXPECT("-3 ", "--json=1");
    EXPECT("-3 ", "-j");
}

static void test_show(void **state)
{
    (void)state;
    struct json_value v;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(
        json_check(
            slice_str("{\"a\":1,\"b\":[\"x\",\"y\"],\"c\":[{\"n\":\"p\\u001b[2J\",\"m\":[]}],\"d\":null}"),
            &v),
        BOURN_OK);
    cli_show(&b, v);
    assert_true(slice_is(buf_slice(&b), "a: 1\nb: x, y\nc:\n  -\n    n: p?[2J\n    m: none\nd: -\n") ||
                slice_is(buf_slice(&b), "a: 1\nb: x, y\nc:\n  - \n    n: p?[2J\n    m: none\nd: -\n"));
    buf_release(&b);
}

static void test_printable(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    cli_printable(&b, slice_str("a\x1b[1m\n\xc2\x9b\xc3\xa4\x7f"));
    assert_true(slice_is(buf_slice(&b), "a?[1m??\xc3\xa4?"));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opts), cmocka_unit_test(test_show),
                                       cmocka_unit_test(test_printable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
