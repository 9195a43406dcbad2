/* Buffers, arenas and the sentence of an error at their limits. */
#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_buffer_stops_at_its_cap(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 300; cap++) {
        struct buf b;
        buf_init(&b, cap);
        for (size_t i = 0; i < cap; i++)
            buf_put_u8(&b, (uint8_t)i);
        assert_int_equal(buf_check(&b), BOURN_OK);
        assert_int_equal(b.n, cap);
        assert_true(b.size <= (cap > 64 ? cap : 64));
        for (size_t i = 0; i < cap; i++)
            assert_int_equal(b.p[i], (uint8_t)i);
        buf_put_u8(&b, 0);
        assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
        assert_int_equal(b.n, cap);
        buf_put_str(&b, ""); /* failed stays failed, even for what would fit */
        assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
        buf_clear(&b);
        assert_int_equal(buf_check(&b), BOURN_OK);
        uint8_t block[300] = {0};
        buf_put(&b, block, cap);
        assert_int_equal(buf_check(&b), BOURN_OK);
        buf_release(&b);
        buf_release(&b);
        buf_put(&b, block, cap + 1); /* at once over the cap: nothing is put */
        assert_true(b.n == 0 && buf_check(&b) == BOURN_E_LIMIT);
        buf_release(&b);
    }
}

static void a_buffer_survives_absurd_sizes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_str(&b, "abc");
    assert_null(buf_reserve(&b, SIZE_MAX - 1));
    assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
    buf_release(&b);
    buf_init(&b, 0);
    buf_put(&b, NULL, 0);
    assert_int_equal(buf_check(&b), BOURN_OK);
    buf_put_u8(&b, 1);
    assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
    buf_release(&b);
}

static void a_cleared_buffer_keeps_so_much(void **state)
{
    (void)state;
    struct buf b;
    uint8_t block[4097] = {1};
    buf_init_secret(&b, sizeof block);
    buf_put(&b, block, 4096);
    size_t size = b.size;
    buf_clear_keep(&b, size); /* not more than that */
    assert_true(b.p && b.size == size && b.n == 0 && b.p[0] == 0);
    buf_put(&b, block, 4096);
    buf_clear_keep(&b, size - 1);
    assert_true(!b.p && b.size == 0 && b.n == 0);
    buf_put(&b, block, sizeof block); /* usable again, with the same cap */
    assert_int_equal(buf_check(&b), BOURN_OK);
    buf_put_u8(&b, 0);
    assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
    buf_release(&b);
}

static void printf_fits_exactly(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    buf_printf(&b, "%s", "");
    assert_int_equal(buf_check(&b), BOURN_OK);
    buf_printf(&b, "%s-%d", "abc", 42);
    assert_true(slice_is(buf_slice(&b), "abc-42"));
    buf_printf(&b, "%s", "");
    assert_true(slice_is(buf_slice(&b), "abc-42") && buf_check(&b) == BOURN_OK);
    buf_release(&b);
    buf_init(&b, 6);
    buf_printf(&b, "%s-%d", "abc", 42); /* six bytes under a cap of six */
    assert_int_equal(buf_check(&b), BOURN_OK);
    assert_true(slice_is(buf_slice(&b), "abc-42"));
    buf_release(&b);
    buf_init(&b, 5);
    buf_printf(&b, "%s-%d", "abc", 42);
    assert_int_equal(buf_check(&b), BOURN_E_LIMIT);
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

static void secrets_are_zeroed_when_cleared(void **state)
{
    (void)state;
    struct buf b;
    buf_init_secret(&b, 1000);
    buf_put_str(&b, "a secret");
    const uint8_t *p = b.p;
    buf_clear(&b);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(p[i], 0);
    for (int i = 0; i < 500; i++) /* grows over several blocks */
        buf_put_u8(&b, (uint8_t)i);
    for (int i = 0; i < 500; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    buf_release(&b);
    assert_true(b.wipe && b.cap == 1000);
}

static void big_endian_goes_there_and_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (unsigned bytes = 1; bytes <= 8; bytes++) {
        uint64_t v = 0x0102030405060708u & (UINT64_MAX >> (64 - 8 * bytes));
        buf_put_be(&b, v, bytes);
        assert_int_equal(b.n, bytes);
        assert_int_equal(b.p[bytes - 1], 8);
        assert_true(be_get(b.p, bytes) == v);
        buf_clear(&b);
    }
    buf_release(&b);
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        uint8_t *last = NULL;
        for (size_t n = 1; n < 700; n++) {
            uint8_t *p = arena_alloc(&a, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xaa, n);
            if (last)
                assert_int_equal(last[n - 2], 0xaa); /* the one before is untouched */
            last = p;
        }
        arena_reset(&a);
        assert_int_equal(a.total, 0);
    }
    arena_release(&a);
    arena_release(&a);
}

/* Small blocks stay for the next round, up to a limit; large ones do not. */
static void an_arena_keeps_some_of_its_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 16 << 20);
    for (int round = 0; round < 3; round++) {
        uint8_t *large = arena_alloc(&a, 300000);
        assert_non_null(large);
        memset(large, 0xaa, 300000);
        for (size_t n = 0; n < 3u << 20; n += 20000) {
            uint8_t *p = arena_alloc(&a, 20000);
            assert_non_null(p);
            assert_int_equal(p[0] | p[10000] | p[19999], 0);
            memset(p, 0xaa, 20000);
        }
        assert_int_equal(large[299999], 0xaa);
        arena_reset(&a);
        assert_int_equal(a.kept, ARENA_KEPT_BYTES_MAX);
    }
    for (size_t n = 0; n < 1u << 19; n += 20000)
        assert_non_null(arena_alloc(&a, 20000));
    assert_true(a.kept <= ARENA_KEPT_BYTES_MAX / 2);
    arena_release(&a);
}

static void an_arena_stops_at_its_cap(void **state)
{
    (void)state;
    struct arena a;
    for (size_t cap = 0; cap < 100; cap++) {
        arena_init(&a, cap);
        assert_null(arena_alloc(&a, cap + 1));
        if (cap)
            assert_non_null(arena_alloc(&a, cap));
        assert_null(arena_alloc(&a, 1));
        arena_reset(&a);
        if (cap)
            assert_non_null(arena_alloc(&a, 1));
        arena_release(&a);
    }
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    assert_null(arena_alloc(&a, SIZE_MAX - 31));
    assert_non_null(arena_alloc(&a, 200000)); /* larger than a block */
    arena_release(&a);
}

static void an_arena_copies_with_an_end(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 16);
    struct slice s = arena_copy(&a, slice_str("fifteen bytes.."));
    assert_true(slice_is(s, "fifteen bytes..") && s.p[15] == 0);
    s = arena_copy(&a, slice_str(""));
    assert_true(s.p == NULL && s.n == 0); /* full: the end does not fit */
    arena_reset(&a);
    s = arena_copy(&a, (struct slice){0});
    assert_true(s.p != NULL && s.n == 0 && s.p[0] == 0);
    arena_release(&a);
}

static void a_sentence_may_hold_the_one_before(void **state)
{
    (void)state;
    char much[2000];
    assert_int_equal(err_set(BOURN_E_FORMAT, "no name"), BOURN_E_FORMAT);
    assert_int_equal(err_set(BOURN_E_LIMIT, "line %d: %s", 3, err_text()), BOURN_E_LIMIT);
    assert_string_equal(err_text(), "line 3: no name");
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    assert_int_equal(err_set(BOURN_E_FORMAT, "%s", much), BOURN_E_FORMAT);
    assert_in_range(strlen(err_text()), 100, sizeof much - 2);
    assert_memory_equal(err_text(), much, strlen(err_text()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_stops_at_its_cap),
        cmocka_unit_test(a_buffer_survives_absurd_sizes),
        cmocka_unit_test(a_cleared_buffer_keeps_so_much),
        cmocka_unit_test(printf_fits_exactly),
        cmocka_unit_test(secrets_are_zeroed_when_cleared),
        cmocka_unit_test(big_endian_goes_there_and_back),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(an_arena_keeps_some_of_its_memory),
        cmocka_unit_test(an_arena_stops_at_its_cap),
        cmocka_unit_test(an_arena_copies_with_an_end),
        cmocka_unit_test(a_sentence_may_hold_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
