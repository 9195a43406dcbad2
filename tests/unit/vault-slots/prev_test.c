/* The flat state of subjects and its snapshot. */
#include "vault/prev.h"

#include "../io/sim.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

static struct io_dir *cell;

static int setup(void **state)
{
    struct prev *p = NULL;
    sim_begin(9, 64 << 20);
    ok(io_dir_open("/", &cell));
    ok(prev_new(&p));
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    prev_free(*state);
    io_dir_close(cell);
    sim_end();
    return 0;
}

static uint64_t head_of(uint64_t n)
{
    return n % 11 ? n * n + 5 : PREV_NONE;
}
static uint32_t generation_of(uint64_t n)
{
    return n % 7 ? (uint32_t)n + 3 : PREV_ERASED;
}

static void fill(struct prev *p, uint64_t count)
{
    for (uint64_t n = prev_count(p); n < count; n++)
        ok(prev_set(p, n, head_of(n), generation_of(n)));
}

static void check(const struct prev *p, uint64_t count)
{
    assert_int_equal(prev_count(p), count);
    for (uint64_t n = 0; n < count; n++) {
        assert_int_equal(prev_head(p, n), head_of(n));
        assert_int_equal(prev_generation(p, n), generation_of(n));
    }
}

static void test_set_and_grow(void **state)
{
    struct prev *p = *state;
    assert_int_equal(prev_count(p), 0);
    fill(p, 300000); /* several growths */
    check(p, 300000);
    ok(prev_set(p, 17, 1, 2));
    assert_int_equal(prev_head(p, 17), 1);
    assert_int_equal(prev_generation(p, 17), 2);
    assert_int_equal(prev_head(p, 18), head_of(18));
    assert_int_equal(prev_count(p), 300000);
}

static void test_save_and_load(void **state)
{
    struct prev *p = *state, *q = NULL;
    static const uint64_t counts[] = {0, 1, 2, 1000, 65535, 65536, 65537, 200000};
    uint64_t mark = 99;
    ok(prev_new(&q));
    fill(q, 5);
    ok(prev_load(q, cell, &mark)); /* absent */
    assert_int_equal(mark, 0);
    assert_int_equal(prev_count(q), 0);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fill(p, counts[i]);
        ok(prev_save(p, cell, 1000 + i));
        ok(prev_load(q, cell, &mark));
        assert_int_equal(mark, 1000 + i);
        check(q, counts[i]);
        fill(q, counts[i] + 3); /* and it grows on from there */
        check(q, counts[i] + 3);
    }
    prev_free(q);
}

static void test_golden(void **state)
{
    struct prev *p = *state;
    struct buf b;
    ok(prev_set(p, 0, 0x0102030405060708u, 9));
    ok(prev_set(p, 1, PREV_NONE, PREV_ERASED));
    ok(prev_save(p, cell, 77));
    buf_init(&b, 1000);
    ok(io_read_all(cell, "state/prev", &b));
    static const uint8_t want[] = {
        0x62, 0x6f, 0x75, 0x72, 0x6e, 0x70, 0x72, 0x76, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4d, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x02, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x09, 0xff, 0xff, 0xff, 0xff, 0x49, 0x63, 0x65, 0x3d,
        0xe0, 0x0a, 0x61, 0xfb, 0x02, 0x5c, 0x35, 0x10, 0xff, 0x1e, 0x4e, 0xef, 0x43, 0x6c, 0xd3,
        0x77, 0xa4, 0xbf, 0x35, 0x4b, 0x5c, 0x62, 0x6d, 0x85, 0x5a, 0x68, 0x42, 0x4e};
    assert_int_equal(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    buf_release(&b);
}

static void test_damage(void **state)
{
    struct prev *p = *state;
    uint64_t mark;
    fill(p, 20);
    ok(prev_save(p, cell, 5));
    for (uint64_t at = 0; at < 32 + 20 * 12 + 32; at++) {
        assert_true(sim_flip("state/prev", at, 0x40));
        assert_int_equal(prev_load(p, cell, &mark), BOURN_E_CORRUPT);
        assert_int_equal(prev_count(p), 0);
        assert_int_equal(mark, 0);
        assert_true(sim_flip("state/prev", at, 0x40));
    }
    assert_false(sim_flip("state/prev", 32 + 20 * 12 + 32, 1)); /* that was all of it */
    ok(prev_load(p, cell, &mark));
    check(p, 20);
    struct io_file *f = NULL;
    static const uint64_t lengths[] = {0, 8, 31, 32, 63, 64, 303};
    for (size_t i = sizeof lengths / sizeof *lengths; i-- > 0;) {
        ok(io_open(cell, "state/prev", IO_WRITE, &f));
        ok(io_truncate(f, lengths[i]));
        io_close(f);
        assert_int_equal(prev_load(p, cell, &mark), BOURN_E_CORRUPT);
    }
}

/* Whenever the power goes, the old snapshot or the new one is there, and whole. */
static void test_power_cut(void **state)
{
    (void)state;
    unsigned older = 0, newer = 0;
    for (uint64_t at = 1; at < 14; at++) {
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct prev *p = NULL;
            uint64_t mark = 0;
            io_dir_close(cell);
            sim_end();
            sim_begin(seed * 100 + at, 64 << 20);
            ok(io_dir_open("/", &cell));
            ok(io_dir_make_path(cell, "state"));
            ok(io_dir_sync(cell));
            ok(prev_new(&p));
            fill(p, 1000);
            ok(prev_save(p, cell, 1));
            fill(p, 3000);
            sim_fault(SIM_POWER_CUT, sim_stats.calls + at);
            enum bourn_err err = prev_save(p, cell, 2);
            assert_true(err == BOURN_OK || sim_fault_happened());
            io_dir_close(cell);
            sim_reboot();
            ok(io_dir_open("/", &cell));
            ok(prev_load(p, cell, &mark));
            check(p, mark == 2 ? 3000 : 1000);
            assert_true(mark == 2 || (mark == 1 && err != BOURN_OK));
            older += mark == 1;
            newer += mark == 2;
            prev_free(p);
        }
    }
    assert_true(older > 50 && newer > 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_set_and_grow), TEST(test_save_and_load), TEST(test_golden),
        TEST(test_damage),       TEST(test_power_cut),
    };
    return crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
