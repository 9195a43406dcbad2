/* Names of tiles: the vectors of C2SP tlog-tiles, a strict reader, and the widths of every level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "merkle/merkle.h"

static void expect_name(uint64_t n, const char *want)
{
    struct buf b;
    struct merkle_tile t;
    char path[64];
    buf_init(&b, 64);
    merkle_tile_name(&b, n);
    assert_int_equal(buf_check(&b), BOURN_OK);
    assert_true(slice_is(buf_slice(&b), want));
    buf_release(&b);
    snprintf(path, sizeof path, "63/%s.p/255", want);
    assert_true(merkle_tile_parse(slice_str(path), &t));
    assert_true(t.kind == MERKLE_TILE_HASHES && t.level == 63 && t.n == n && t.width == 255);
    snprintf(path, sizeof path, "entries/%s", want);
    assert_true(merkle_tile_parse(slice_str(path), &t));
    assert_true(t.kind == MERKLE_TILE_ENTRIES && t.n == n && t.width == 256);
    snprintf(path, sizeof path, "rows/%s.p/1", want);
    assert_true(merkle_tile_parse(slice_str(path), &t));
    assert_true(t.kind == MERKLE_TILE_ROWS && t.n == n && t.width == 1);
}

static void names(void **state)
{
    (void)state;
    expect_name(0, "000");
    expect_name(7, "007");
    expect_name(273, "273");
    expect_name(999, "999");
    expect_name(1000, "x001/000");
    expect_name(1234067, "x001/x234/067");
    expect_name(UINT64_MAX, "x018/x446/x744/x073/x709/x551/615");
}

static void refused_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0",
        "0/",
        "/000",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000",
        "0/x000/001",
        "0/001/002",
        "0/x001/x002",
        "0/x001/2",
        "0/x001/",
        "64/000",
        "00/000",
        "01/000",
        "-1/000",
        "+1/000",
        "0/000.p",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/1/",
        "0/000.p/-1",
        "0/000.p/1 ",
        "0/000.p/1.p/2",
        "0/000/.p/1",
        "0/.p/1",
        "0/000.P/1",
        "0/X001/000",
        "0/x1/000",
        "0/ 00",
        "0/0x1",
        "entries",
        "entries/",
        "Entries/000",
        "data/000",
        "../000",
        "0/../000",
        "0/000/..",
        "./0/000",
        "0//000",
        "0/000/",
        "0/000\n",
        "0/x018/x446/x744/x073/x709/x551/616",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
        "entries/000.p/1000",
        "row/000",
        "0/000.p/99999999999999999999999",
        "99999999999999999999999/000",
        "checkpoint",
    };
    struct merkle_tile t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (merkle_tile_parse(slice_str(bad[i]), &t))
            fail_msg("accepted %s", bad[i]);
    assert_false(merkle_tile_parse(slice_of("0/000\0", 6), &t));
    assert_false(merkle_tile_parse(slice_of("0/0\0"
                                            "0",
                                            5),
                                   &t));
    assert_false(merkle_tile_parse(slice_of(NULL, 0), &t));
}

static void widths(void **state)
{
    (void)state;
    const struct {
        uint64_t size;
        unsigned level;
        uint64_t full;
        unsigned partial;
    } cases[] = {
        {0, 0, 0, 0},
        {1, 0, 0, 1},
        {255, 0, 0, 255},
        {256, 0, 1, 0},
        {256, 1, 0, 1},
        {257, 0, 1, 1},
        {257, 1, 0, 1},
        {65535, 0, 255, 255},
        {65535, 1, 0, 255},
        {65536, 1, 1, 0},
        {65536, 2, 0, 1},
        {65537, 0, 256, 1},
        {70000, 0, 273, 112},
        {70000, 1, 1, 17},
        {70000, 2, 0, 1},
        {70000, 3, 0, 0},
        {70000, 8, 0, 0},
        {70000, 63, 0, 0},
        {(uint64_t)255 << 56, 7, 0, 255},
        {(uint64_t)255 << 56, 6, 255, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(merkle_tile_full(cases[i].size, cases[i].level), cases[i].full);
        assert_int_equal(merkle_tile_partial(cases[i].size, cases[i].level), cases[i].partial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(refused_paths),
        cmocka_unit_test(widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
