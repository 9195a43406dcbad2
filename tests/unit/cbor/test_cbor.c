/* The primitives: every head at its edges, and every form that deterministic CBOR does not have. */
#include "base/text.h"
#include "cbor/cbor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct bytes {
    uint8_t v[64];
    size_t n;
};

static struct bytes unhex(const char *hex)
{
    struct bytes b = {.n = strlen(hex) / 2};
    assert_true(hex_get(slice_str(hex), b.v, b.n));
    return b;
}

static void assert_buf(struct buf *b, const char *hex)
{
    struct bytes want = unhex(hex);
    assert_int_equal(buf_check(b), BOURN_OK);
    assert_int_equal(b->n, want.n);
    assert_memory_equal(b->p, want.v, want.n);
    buf_clear(b);
}

static void writes_the_shortest_heads(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *hex;
    } cases[] = {
        {0, "00"},
        {23, "17"},
        {24, "1818"},
        {255, "18ff"},
        {256, "190100"},
        {65535, "19ffff"},
        {65536, "1a00010000"},
        {UINT32_MAX, "1affffffff"},
        {(uint64_t)UINT32_MAX + 1, "1b0000000100000000"},
        {UINT64_MAX, "1bffffffffffffffff"},
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cbor_put_uint(&b, cases[i].v);
        struct cbor c;
        cbor_init(&c, buf_slice(&b));
        assert_true(cbor_uint(&c) == cases[i].v);
        assert_int_equal(cbor_done(&c), BOURN_OK);
        assert_buf(&b, cases[i].hex);
    }
    buf_release(&b);
}

static void writes_and_reads_every_type(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    cbor_put_array(&b, 4);
    cbor_put_map(&b, 1);
    cbor_put_uint(&b, 7);
    cbor_put_bytes(&b, slice_str("ab"));
    cbor_put_text(&b, slice_str("\xc3\xbc"));
    cbor_put_null(&b);
    cbor_put_bool(&b, true);
    struct bytes want = unhex("84a10742616262c3bcf6f5");
    assert_memory_equal(b.p, want.v, want.n);
    struct cbor c;
    cbor_init(&c, buf_slice(&b));
    assert_int_equal(cbor_array(&c, 4), 4);
    assert_int_equal(cbor_map(&c, 1), 1);
    assert_int_equal(cbor_uint(&c), 7);
    assert_true(slice_is(cbor_bytes(&c), "ab"));
    assert_false(cbor_null(&c)); /* consumes nothing */
    assert_true(slice_is(cbor_text(&c), "\xc3\xbc"));
    assert_true(cbor_null(&c));
    assert_true(cbor_bool(&c));
    assert_int_equal(cbor_done(&c), BOURN_OK);

    cbor_init(&c, buf_slice(&b)); /* the whole is one item for skip */
    assert_int_equal(cbor_skip(&c).n, b.n);
    assert_int_equal(cbor_done(&c), BOURN_OK);
    buf_release(&b);
}

static void refuses_other_forms(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "1817",               /* 23 in two bytes */
        "1900ff",             /* 255 in three */
        "1a0000ffff",         /* 65535 in five */
        "1b00000000ffffffff", /* 2^32-1 in nine */
        "5801aa",             /* a short string with a long head */
        "1c",                 /* reserved */
        "1f",                 /* indefinite */
        "5f41aaff",           /* indefinite bytes */
        "7f6161ff",           /* indefinite text */
        "9f00ff",             /* indefinite array */
        "bf0000ff",           /* indefinite map */
        "20",                 /* -1 */
        "c000",               /* a tag */
        "f7",                 /* undefined */
        "e0",                 /* an unassigned simple value */
        "f8ff",               /* a simple value in two bytes */
        "f90000",             /* floats */
        "fa00000000",
        "fb0000000000000000",
        "ff",       /* break */
        "61ff",     /* not UTF-8 */
        "63eda080", /* a surrogate */
        "62c080",   /* overlong */
        "18",       /* cut */
        "1901",
        "41",
        "5b7fffffffffffffff",
        "81",
        "9b0000000100000000",
        "a100",
        "bbffffffffffffffff",
        "a201000100", /* a key twice */
        "a202000100", /* keys that descend */
        "a1616100",   /* a text key */
        "",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes in = unhex(cases[i]);
        struct cbor c;
        cbor_init(&c, slice_of(in.v, in.n));
        assert_int_equal(cbor_skip(&c).n, 0);
        assert_int_equal(cbor_done(&c), BOURN_E_FORMAT);
    }
}

static void stays_failed(void **state)
{
    (void)state;
    struct bytes in = unhex("0102f4");
    struct cbor c;
    cbor_init(&c, slice_of(in.v, in.n));
    assert_int_equal(cbor_uint(&c), 1);
    assert_int_equal(cbor_text(&c).n, 0); /* fails at byte 1 */
    assert_int_equal(cbor_uint(&c), 0);
    assert_int_equal(cbor_array(&c, 9), 0);
    assert_false(cbor_bool(&c));
    cbor_fail(&c, "something later");
    assert_int_equal(cbor_done(&c), BOURN_E_FORMAT);
    assert_string_equal(err_text(), "CBOR: a text string was expected at byte 1");
}

static void counts_what_is_left(void **state)
{
    (void)state;
    struct bytes in = unhex("8200");
    struct cbor c;
    cbor_init(&c, slice_of(in.v, in.n)); /* two elements cannot be in one byte */
    assert_int_equal(cbor_array(&c, 2), 0);
    assert_int_equal(cbor_done(&c), BOURN_E_FORMAT);
    in = unhex("820000");
    cbor_init(&c, slice_of(in.v, in.n));
    assert_int_equal(cbor_array(&c, 1), 0); /* over the caller's limit */
    assert_int_equal(cbor_done(&c), BOURN_E_FORMAT);
    cbor_init(&c, slice_of(in.v, in.n));
    assert_int_equal(cbor_array(&c, 2), 2);
    assert_int_equal(cbor_done(&c), BOURN_E_FORMAT); /* two bytes after what was read */
    assert_non_null(strstr(err_text(), "bytes after the end at byte 1"));
}

static void limits_depth(void **state)
{
    (void)state;
    uint8_t nested[32];
    memset(nested, 0x81, sizeof nested);
    for (size_t depth = 1; depth < sizeof nested; depth++) {
        struct cbor c;
        nested[depth] = 0;
        cbor_init(&c, slice_of(nested, depth + 1));
        cbor_skip(&c);
        assert_int_equal(cbor_done(&c), depth <= 16 ? BOURN_OK : BOURN_E_FORMAT);
        nested[depth] = 0x81;
    }
}

static void reads_an_empty_slice(void **state)
{
    (void)state;
    struct cbor c;
    cbor_init(&c, (struct slice){0});
    assert_int_equal(cbor_done(&c), BOURN_OK);
    assert_false(cbor_null(&c));
    assert_int_equal(cbor_uint(&c), 0);
    assert_int_equal(cbor_done(&c), BOURN_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_shortest_heads), cmocka_unit_test(writes_and_reads_every_type),
        cmocka_unit_test(refuses_other_forms),       cmocka_unit_test(stays_failed),
        cmocka_unit_test(counts_what_is_left),       cmocka_unit_test(limits_depth),
        cmocka_unit_test(reads_an_empty_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
