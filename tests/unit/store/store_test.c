/* One suite over both backends; each against the other with random operations; LMDB over reopen. */
#include "store/store.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

static char folder[64];

static void remove_folder(void)
{
    char path[96];
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/bourn-store.XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static int setup_memory(void **state)
{
    struct store *s = NULL;
    ok(store_open_memory(&s));
    *state = s;
    return 0;
}

static int setup_lmdb(void **state)
{
    struct store *s = NULL;
    make_folder();
    ok(store_open_lmdb(folder, &s));
    *state = s;
    return 0;
}

static int teardown_memory(void **state)
{
    store_close(*state);
    return 0;
}

static int teardown_lmdb(void **state)
{
    store_close(*state);
    remove_folder();
    return 0;
}

static struct slice s_(const char *s)
{
    return slice_str(s);
}

static void holds(struct store *s, enum store_space space, const char *key, const char *want)
{
    struct slice v = {0};
    enum bourn_err err = store_get(s, space, s_(key), &v);
    if (!want) {
        assert_int_equal(err, BOURN_E_NOT_FOUND);
        return;
    }
    ok(err);
    assert_true(slice_is(v, want));
}

static void test_put_get_del(void **state)
{
    struct store *s = *state;
    holds(s, STORE_META, "a", NULL);
    ok(store_put(s, STORE_META, s_("a"), s_("one")));
    ok(store_put(s, STORE_META, s_("b"), s_("")));
    holds(s, STORE_META, "a", "one");
    holds(s, STORE_META, "b", "");
    holds(s, STORE_WORLD, "a", NULL); /* spaces are apart */
    ok(store_put(s, STORE_META, s_("a"), s_("two, and longer than before")));
    holds(s, STORE_META, "a", "two, and longer than before");
    assert_int_equal(store_count(s, STORE_META), 2);
    assert_int_equal(store_count(s, STORE_WORLD), 0);
    ok(store_del(s, STORE_META, s_("a")));
    ok(store_del(s, STORE_META, s_("a"))); /* absent is fine */
    holds(s, STORE_META, "a", NULL);
    assert_int_equal(store_count(s, STORE_META), 1);
    assert_int_equal(store_changed_rows(s), 5);
    ok(store_commit(s));
    assert_int_equal(store_changed_rows(s), 0);
    holds(s, STORE_META, "b", "");
}

static void test_key_limits(void **state)
{
    struct store *s = *state;
    uint8_t key[STORE_KEY_BYTES_MAX + 2] = {1};
    struct slice v, k;
    ok(store_put(s, STORE_ID, slice_of(key, STORE_KEY_BYTES_MAX), s_("x")));
    ok(store_get(s, STORE_ID, slice_of(key, STORE_KEY_BYTES_MAX), &v));
    assert_int_equal(store_put(s, STORE_ID, slice_of(key, STORE_KEY_BYTES_MAX + 1), s_("x")), BOURN_E_LIMIT);
    assert_int_equal(store_get(s, STORE_ID, slice_of(key, STORE_KEY_BYTES_MAX + 1), &v), BOURN_E_LIMIT);
    assert_int_equal(store_del(s, STORE_ID, slice_of(key, STORE_KEY_BYTES_MAX + 1)), BOURN_E_LIMIT);
    assert_int_equal(store_put(s, STORE_ID, s_(""), s_("x")), BOURN_E_LIMIT);
    /* The key and a zero byte, to go on behind the longest key. */
    assert_int_equal(store_seek(s, STORE_ID, s_(""), slice_of(key, STORE_KEY_BYTES_MAX + 1), &k, &v),
                     BOURN_E_NOT_FOUND);
    assert_int_equal(store_changed_rows(s), 1);
}

static void test_seek(void **state)
{
    struct store *s = *state;
    static const char *const keys[] = {"a", "ab", "abc", "b", "ba"};
    struct slice k, v;
    assert_int_equal(store_seek(s, STORE_PERSON, s_(""), s_(""), &k, &v), BOURN_E_NOT_FOUND);
    for (size_t i = 5; i-- > 0;)
        ok(store_put(s, STORE_PERSON, s_(keys[i]), s_(keys[i])));
    ok(store_put(s, STORE_EVIDENCE, s_("aa"), s_("other space")));
    uint8_t from[8];
    size_t n = 0, found = 0;
    while (store_seek(s, STORE_PERSON, s_(""), slice_of(from, n), &k, &v) == BOURN_OK) {
        assert_true(slice_is(k, keys[found]) && slice_eq(k, v));
        memcpy(from, k.p, k.n);
        from[k.n] = 0;
        n = k.n + 1;
        found++;
    }
    assert_int_equal(found, 5);
    ok(store_seek(s, STORE_PERSON, s_("b"), s_(""), &k, &v)); /* from before the prefix */
    assert_true(slice_is(k, "b"));
    ok(store_seek(s, STORE_PERSON, s_("a"), s_("aba"), &k, &v));
    assert_true(slice_is(k, "abc"));
    assert_int_equal(store_seek(s, STORE_PERSON, s_("a"), s_("abd"), &k, &v), BOURN_E_NOT_FOUND);
    assert_int_equal(store_seek(s, STORE_PERSON, s_("c"), s_("c"), &k, &v), BOURN_E_NOT_FOUND);
    ok(store_del(s, STORE_PERSON, s_("ab"))); /* a seek behind a change sees the change */
    ok(store_seek(s, STORE_PERSON, s_("ab"), s_("ab"), &k, &v));
    assert_true(slice_is(k, "abc"));
}

static void test_abort(void **state)
{
    struct store *s = *state;
    ok(store_put(s, STORE_META, s_("kept"), s_("1")));
    ok(store_put(s, STORE_META, s_("gone"), s_("1")));
    ok(store_commit(s));
    ok(store_put(s, STORE_META, s_("kept"), s_("2")));
    ok(store_put(s, STORE_META, s_("kept"), s_("3")));
    ok(store_del(s, STORE_META, s_("gone")));
    ok(store_put(s, STORE_META, s_("new"), s_("1")));
    ok(store_del(s, STORE_META, s_("new")));
    ok(store_put(s, STORE_META, s_("new"), s_("2")));
    ok(store_abort(s));
    assert_int_equal(store_changed_rows(s), 0);
    holds(s, STORE_META, "kept", "1");
    holds(s, STORE_META, "gone", "1");
    holds(s, STORE_META, "new", NULL);
    assert_int_equal(store_count(s, STORE_META), 2);
    ok(store_put(s, STORE_META, s_("new"), s_("after"))); /* and it goes on */
    ok(store_commit(s));
    ok(store_abort(s));
    holds(s, STORE_META, "new", "after");
}

static void test_large_values(void **state)
{
    struct store *s = *state;
    size_t n = 300000;
    uint8_t *p = malloc(n);
    assert_non_null(p);
    memset(p, 'x', n);
    for (size_t i = 0; i < 20; i++) {
        uint8_t key = (uint8_t)i;
        p[i] = 'y';
        ok(store_put(s, STORE_NOTICE, slice_of(&key, 1), slice_of(p, n - i)));
    }
    ok(store_commit(s));
    uint8_t key = 19;
    struct slice v;
    ok(store_get(s, STORE_NOTICE, slice_of(&key, 1), &v));
    assert_true(slice_eq(v, slice_of(p, n - 19)));
    free(p);
}

static uint64_t dice = 88172645463325252u;
static uint64_t roll(uint64_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % below;
}

static void compare_all(struct store *a, struct store *b)
{
    for (enum store_space space = 0; space < STORE_SPACES; space++) {
        uint8_t from[STORE_KEY_BYTES_MAX + 1];
        size_t n = 0;
        assert_int_equal(store_count(a, space), store_count(b, space));
        for (;;) {
            struct slice ka, va, kb, vb;
            enum bourn_err ea = store_seek(a, space, s_(""), slice_of(from, n), &ka, &va);
            enum bourn_err eb = store_seek(b, space, s_(""), slice_of(from, n), &kb, &vb);
            assert_int_equal(ea, eb);
            if (ea)
                break;
            assert_true(slice_eq(ka, kb) && slice_eq(va, vb));
            memcpy(from, ka.p, ka.n);
            from[ka.n] = 0;
            n = ka.n + 1;
        }
    }
}

static void random_step(struct store *a, struct store *b)
{
    uint8_t key[STORE_KEY_BYTES_MAX], value[700];
    enum store_space space = (enum store_space)roll(STORE_SPACES);
    size_t kn = 1 + (size_t)(roll(20) ? roll(3) : roll(STORE_KEY_BYTES_MAX)), vn = (size_t)roll(sizeof value);
    for (size_t i = 0; i < kn; i++)
        key[i] = (uint8_t)(roll(8) ? roll(4) : roll(256));
    if ((space == STORE_ID || space == STORE_LABEL) &&
        roll(3)) { /* a hash of a number, of few, to a number */
        uint8_t which = (uint8_t)roll(60);
        kn = space == STORE_ID ? 32 : 16;
        vn = roll(10) ? 8 : vn;
        for (size_t i = 0; i < kn; i++)
            key[i] = (uint8_t)(which * (2 * i + 1));
    }
    memset(value, (int)roll(256), sizeof value);
    struct slice k = slice_of(key, kn), v = slice_of(value, vn), ka, va, kb, vb;
    enum bourn_err err;
    switch (roll(8)) {
    case 0:
    case 1:
    case 2:
        ok(store_put(a, space, k, v));
        ok(store_put(b, space, k, v));
        break;
    case 3:
    case 4:
        ok(store_del(a, space, k));
        ok(store_del(b, space, k));
        break;
    case 5:
        err = store_get(a, space, k, &va);
        assert_int_equal(err, store_get(b, space, k, &vb));
        assert_true(err || slice_eq(va, vb));
        break;
    default: {
        struct slice prefix = slice_of(key, (size_t)roll(kn + 1));
        struct slice from = roll(2) ? k : slice_of(value, (size_t)roll(5));
        err = store_seek(a, space, prefix, from, &ka, &va);
        assert_int_equal(err, store_seek(b, space, prefix, from, &kb, &vb));
        assert_true(err || (slice_eq(ka, kb) && slice_eq(va, vb)));
        break;
    }
    }
}

static void test_differential(void **state)
{
    (void)state;
    struct store *a = NULL, *b = NULL;
    make_folder();
    ok(store_open_memory(&a));
    ok(store_open_lmdb(folder, &b));
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 1500; i++)
            random_step(a, b);
        assert_int_equal(store_changed_rows(a), store_changed_rows(b));
        if (roll(3)) {
            ok(store_commit(a));
            ok(store_commit(b));
        } else if (roll(2)) {
            ok(store_abort(a));
            ok(store_abort(b));
        } else { /* closing drops what was not committed */
            ok(store_abort(a));
            store_close(b);
            ok(store_open_lmdb(folder, &b));
        }
        compare_all(a, b);
    }
    store_close(a);
    store_close(b);
    remove_folder();
}

static struct slice hash_of(uint8_t out[32], uint64_t number)
{
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)((number + 1) * 0x9e3779b97f4a7c15u >> (8 * (i % 8))) ^ (uint8_t)(i * number);
    return slice_of(out, 32);
}

/* More rows of hashed keys than are held back at once: found before and after they are put into the tree. */
static void test_many_hashes(void **state)
{
    enum { MANY = 150000 };
    struct store *s = *state;
    uint8_t key[32], number[8] = {0};
    struct slice v, k;
    for (uint64_t i = 0; i < MANY; i++) {
        memcpy(number, &i, sizeof i);
        ok(store_put(s, STORE_ID, hash_of(key, i), slice_of(number, 8)));
        if (i % 7 == 0) {
            ok(store_get(s, STORE_ID, hash_of(key, i / 2), &v));
            assert_true(v.n == 8);
        }
    }
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < MANY; i++) {
            ok(store_get(s, STORE_ID, hash_of(key, i), &v));
            assert_memory_equal(v.p, &i, sizeof i);
        }
        assert_int_equal(store_get(s, STORE_ID, hash_of(key, MANY), &v), BOURN_E_NOT_FOUND);
        ok(store_commit(s));
    }
    assert_int_equal(store_count(s, STORE_ID), MANY);
    ok(store_put(s, STORE_ID, hash_of(key, 5), s_("replaced"))); /* held back, over one in the tree */
    ok(store_get(s, STORE_ID, hash_of(key, 5), &v));
    assert_true(slice_is(v, "replaced"));
    ok(store_seek(s, STORE_ID, hash_of(key, 5), hash_of(key, 5), &k, &v));
    assert_true(slice_is(v, "replaced"));
    assert_int_equal(store_count(s, STORE_ID), MANY);
    ok(store_put(s, STORE_ID, hash_of(key, MANY), slice_of(number, 8)));
    ok(store_del(s, STORE_ID, hash_of(key, MANY)));
    ok(store_put(s, STORE_ID, hash_of(key, MANY + 1), slice_of(number, 8)));
    ok(store_abort(s));
    assert_int_equal(store_get(s, STORE_ID, hash_of(key, MANY + 1), &v), BOURN_E_NOT_FOUND);
    assert_int_equal(store_count(s, STORE_ID), MANY);
}

/* A process that dies without closing: what it committed is there, the rest is not. */
static void test_killed(void **state)
{
    (void)state;
    struct store *s = NULL;
    make_folder();
    pid_t pid = fork();
    if (pid == 0) {
        if (store_open_lmdb(folder, &s) || store_put(s, STORE_META, s_("applied"), s_("7")) ||
            store_commit(s) || store_put(s, STORE_META, s_("applied"), s_("8")) ||
            store_put(s, STORE_META, s_("more"), s_("8")))
            _exit(1);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    ok(store_open_lmdb(folder, &s));
    holds(s, STORE_META, "applied", "7");
    holds(s, STORE_META, "more", NULL);
    store_close(s);
    remove_folder();
}

static void test_modes_and_absence(void **state)
{
    (void)state;
    struct store *s = NULL;
    struct stat st;
    char path[96];
    assert_int_not_equal(store_open_lmdb("/tmp/bourn-absent-folder", &s), BOURN_OK);
    assert_null(s);
    make_folder();
    ok(store_open_lmdb(folder, &s));
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(s);
    remove_folder();
}

/* No space: a limit on the size of a file stands in for a full disk. */
static void test_write_fails(void **state)
{
    (void)state;
    make_folder();
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = NULL;
        static uint8_t big[1 << 20];
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
        if (store_open_lmdb(folder, &s) || store_put(s, STORE_META, s_("a"), s_("1")) || store_commit(s))
            _exit(1);
        if (setrlimit(RLIMIT_FSIZE, &limit) || store_put(s, STORE_META, s_("b"), slice_of(big, sizeof big)))
            _exit(2);
        if (store_commit(s) != BOURN_E_IO)
            _exit(3);
        struct slice v; /* and from then on it refuses everything */
        _exit(store_get(s, STORE_META, s_("a"), &v) == BOURN_E_IO && store_commit(s) == BOURN_E_IO ? 0 : 4);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct store *s = NULL;
    ok(store_open_lmdb(folder, &s));
    holds(s, STORE_META, "a", "1");
    holds(s, STORE_META, "b", NULL);
    store_close(s);
    remove_folder();
}

/* A process with little address space gets a smaller map. (The sanitizers need terabytes for themselves.) */
static void test_small_address_space(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    make_folder();
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = NULL;
        struct rlimit limit = {.rlim_cur = 8ull << 30, .rlim_max = 8ull << 30};
        if (setrlimit(RLIMIT_AS, &limit) || store_open_lmdb(folder, &s) ||
            store_put(s, STORE_META, s_("a"), s_("1")) || store_commit(s))
            _exit(1);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    remove_folder();
}

/* A borrowed value is dead after the next change: debug builds show it. */
static void test_poison(void **state)
{
    (void)state;
#if !defined BOURN_DEBUG || defined __SANITIZE_ADDRESS__
    skip(); /* the address sanitizer would, rightly, end this test */
#else
    struct store *s = NULL;
    struct slice v, w;
    ok(store_open_memory(&s));
    ok(store_put(s, STORE_META, s_("a"), s_("a value of some length")));
    ok(store_get(s, STORE_META, s_("a"), &v));
    ok(store_get(s, STORE_META, s_("a"), &w)); /* reads do not end a loan */
    assert_true(slice_eq(v, w) && v.p != w.p);
    store_close(s);
#endif
}

#define BOTH(test)                                                                                           \
    {#test " (memory)", test, setup_memory, teardown_memory, NULL},                                          \
    {                                                                                                        \
#test " (lmdb)", test, setup_lmdb, teardown_lmdb, NULL                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_put_get_del),
        BOTH(test_key_limits),
        BOTH(test_seek),
        BOTH(test_abort),
        BOTH(test_large_values),
        BOTH(test_many_hashes),
        cmocka_unit_test(test_differential),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_modes_and_absence),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_small_address_space),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
