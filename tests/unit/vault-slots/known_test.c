/* The table of people who were looked up lately: what it says is what was put, or nothing. */
#include "vault/known.h"

#include "base/buf.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of number n; `bucket` and what is kept of it stand in its first 8 bytes. */
static const uint8_t *hash_of(uint32_t bucket, uint32_t some)
{
    static uint8_t hash[32];
    be_put(hash, bucket, 4);
    be_put(hash + 4, some, 4);
    return hash;
}

static int setup(void **state)
{
    struct known *k = NULL;
    assert_int_equal(known_new(&k), BOURN_OK);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    known_free(*state);
    return 0;
}

static void test_put_get(void **state)
{
    struct known *k = *state;
    uintptr_t near = 0;
    assert_int_equal(known_get(k, hash_of(7, 9), &near), KNOWN_NONE);
    known_put(k, hash_of(7, 9), 0, 111); /* number 0 is somebody */
    known_put(k, hash_of(7, 10), 5, 222);
    assert_int_equal(known_get(k, hash_of(7, 9), &near), 0);
    assert_int_equal(near, 111);
    assert_int_equal(known_get(k, hash_of(7, 10), &near), 5);
    assert_int_equal(near, 222);
    assert_int_equal(known_get(k, hash_of(8, 9), &near), KNOWN_NONE);
    known_put(k, hash_of(7, 9), 6, 333); /* enrolled again: another number */
    assert_int_equal(known_get(k, hash_of(7, 9), &near), 6);
    assert_int_equal(near, 333);
    known_put(k, hash_of(1, 1), UINT32_MAX, 1); /* does not fit: the store is asked */
    assert_int_equal(known_get(k, hash_of(1, 1), &near), KNOWN_NONE);
}

/* As even as a keyed hash (splitmix64). */
static uint64_t mix(uint64_t v)
{
    v = (v + 1) * 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

/* A bucket keeps the newest; whoever is put again is there once. */
static void test_full_bucket(void **state)
{
    struct known *k = *state;
    uintptr_t near;
    for (unsigned round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 100; i++) {
            known_put(k, hash_of(3, i), i, i);
            assert_int_equal(known_get(k, hash_of(3, i), &near), i);
        }
    unsigned kept = 0;
    for (uint32_t i = 0; i < 100; i++)
        kept += known_get(k, hash_of(3, i), &near) == i;
    assert_int_equal(kept, 4);
    assert_int_equal(known_get(k, hash_of(3, 96), &near), 96);
    for (unsigned i = 0; i < 10; i++)
        known_put(k, hash_of(3, 97), 97, i); /* takes no more room */
    assert_int_equal(known_get(k, hash_of(3, 96), &near), 96);
}

static void test_spread(void **state)
{
    struct known *k = *state;
    uintptr_t near;
    unsigned kept = 0;
    enum { MANY = KNOWN_PEOPLE_MAX / 2 };
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t h = mix(i);
        known_put(k, hash_of((uint32_t)(h >> 32), (uint32_t)h), i, 0);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t h = mix(i), got;
        got = known_get(k, hash_of((uint32_t)(h >> 32), (uint32_t)h), &near);
        assert_true(got == i || got == KNOWN_NONE);
        kept += got == i;
    }
    assert_true(kept > MANY * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spread, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
