/* What crypto_init promises: no dumps, and no file opened by any later call, in no thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

static void dumps_are_off(void **state)
{
    (void)state;
    struct rlimit core;
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
#ifndef UNDER_SANITIZER
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
}

static void secret_memory(void **state)
{
    (void)state;
    for (size_t n = 1; n < 70; n++) {
        uint8_t *p = crypto_secret_alloc(n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0x5a, n);
        crypto_secret_free(p);
    }
    crypto_secret_free(NULL);
    assert_null(crypto_secret_alloc(SIZE_MAX));
}

static void comparing(void **state)
{
    (void)state;
    uint8_t a[33] = {0}, b[33] = {0};
    assert_true(crypto_equal(a, b, sizeof a));
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(crypto_equal(a, b, sizeof a));
        b[bit / 8] = 0;
    }
    crypto_random(a, sizeof a);
    assert_false(crypto_equal(a, b, sizeof a));
    crypto_wipe(a, sizeof a);
    assert_true(crypto_equal(a, b, sizeof a));
}

/* Returns arg if anything failed. */
static void *everything(void *arg)
{
    uint8_t key[32], sealed[8 + CRYPTO_SEAL_OVERHEAD], out[32], pk[32], secret[64], sig[64];
    struct slice text = slice_str("contents");
    crypto_random(key, sizeof key);
    crypto_sign_keypair(pk, secret);
    crypto_sign(sig, text, secret);
    crypto_derive(out, key, "test", text);
    void *guarded = crypto_secret_alloc(32);
    crypto_secret_free(guarded);
    bool ok = guarded && crypto_seal(sealed, key, text, text) == BOURN_OK &&
              crypto_open(out, key, text, slice_of(sealed, sizeof sealed)) == BOURN_OK &&
              crypto_verify(sig, text, pk) && crypto_public_key_ok(pk);
    return ok ? NULL : arg;
}

static void no_file_is_opened(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fd = open("/dev/null", O_RDONLY);
    pthread_t t;
    void *here = everything(&t), *there = &t;
    int made = pthread_create(&t, NULL, everything, &before);
    int joined = made == 0 ? pthread_join(t, &there) : -1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(fd, -1); /* the limit really did forbid it */
    assert_null(here);
    assert_int_equal(joined, 0);
    assert_null(there);
}

enum { RANDOM_BYTES = 24, RANDOM_COUNT = 1500 };

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, RANDOM_BYTES);
}

/* Parent and child of a fork share no random bytes, wherever the fork falls. */
static void random_bytes_never_repeat(void **state)
{
    (void)state;
    static uint8_t got[4 * RANDOM_COUNT][RANDOM_BYTES];
    int pipes[2];
    size_t n = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < (size_t)round * 7 + 1; i++)
            crypto_random(got[n++], RANDOM_BYTES);
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (size_t i = 0; i < RANDOM_COUNT / 2; i++) {
                uint8_t mine[RANDOM_BYTES];
                crypto_random(mine, sizeof mine);
                if (write(pipes[1], mine, sizeof mine) != (ssize_t)sizeof mine)
                    _exit(1);
            }
            _exit(0);
        }
        close(pipes[1]);
        for (size_t i = 0; i < RANDOM_COUNT / 2; i++) {
            crypto_random(got[n++], RANDOM_BYTES);
            assert_int_equal(read(pipes[0], got[n++], RANDOM_BYTES), RANDOM_BYTES);
        }
        close(pipes[0]);
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    qsort(got, n, RANDOM_BYTES, by_bytes);
    for (size_t i = 1; i < n; i++)
        assert_memory_not_equal(got[i - 1], got[i], RANDOM_BYTES);
}

/* Every length is filled to its end and no further, across the pool's edge too. */
static void random_lengths(void **state)
{
    (void)state;
    uint8_t bytes[5000];
    const size_t lengths[] = {1, 7, 31, 32, 33, 64, 2048, 4096};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        size_t n = lengths[k], last_zero = 0, first_zero = 0, rounds = 4000;
        for (size_t i = 0; i < rounds; i++) {
            memset(bytes, 0, n + 1);
            crypto_random(bytes, n);
            first_zero += bytes[0] == 0;
            last_zero += bytes[n - 1] == 0;
            assert_int_equal(bytes[n], 0);
        }
        assert_true(first_zero < rounds / 50 && last_zero < rounds / 50); /* 1 in 256 are */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_opened), /* first: nothing is warmed up yet */
        cmocka_unit_test(dumps_are_off),     cmocka_unit_test(secret_memory),
        cmocka_unit_test(comparing),         cmocka_unit_test(random_bytes_never_repeat),
        cmocka_unit_test(random_lengths),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
