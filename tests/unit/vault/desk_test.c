/* Receipts on their way to the worker's thread and back, and the settings of a cell: limits at their edges.
 */
#include "vault/internal.h"

#include "merkle/merkle.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct slice none;

static enum bourn_err sign(void *ctx, uint64_t index, const struct merkle_hash *leaf, struct slice lines,
                           struct buf *note)
{
    unsigned *calls = ctx;
    ++*calls;
    buf_printf(note, "%llu %u", (unsigned long long)index, leaf->b[0]);
    buf_put_slice(note, lines);
    return index == 7   ? err_set(BOURN_E_CORRUPT, "of this entry")
           : index == 8 ? err_set(BOURN_E_CRYPTO, "of all")
                        : buf_check(note);
}

static void each_gets_its_own(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct wish *wish[3];
    struct slice note;
    unsigned calls = 0;
    assert_non_null(d);
    assert_false(desk_waiting(d));
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(desk_put(d, 5 + i, &(struct merkle_hash){{(uint8_t)i}}, none, &wish[i]), BOURN_OK);
    assert_true(desk_waiting(d) && !wish_done(wish[0]));
    assert_int_equal(desk_serve(d, sign, &calls), BOURN_OK); /* what is wrong with one entry ends nothing */
    assert_true(wish_done(wish[0]) && wish_done(wish[1]) && wish_done(wish[2]) && !desk_waiting(d));
    assert_int_equal(wish_note(wish[1], &note), BOURN_OK);
    assert_true(slice_is(note, "6 1"));
    assert_int_equal(wish_note(wish[2], &note), BOURN_E_CORRUPT);
    assert_int_equal(calls, 3);
    for (int i = 0; i < 3; i++)
        wish_drop(wish[i]);
    wish_drop(NULL);
    desk_free(d);
}

/* Whose answer is gone is not signed any more, and is freed all the same. */
static void dropped_ones(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct wish *wish[4];
    struct merkle_hash leaf = {{0}};
    unsigned calls = 0;
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(desk_put(d, i == 3 ? 8 : i, &leaf, none, &wish[i]), BOURN_OK);
    wish_drop(wish[1]);
    assert_int_equal(desk_serve(d, sign, &calls), BOURN_E_CRYPTO);
    assert_int_equal(calls, 3);
    wish_drop(wish[0]);
    wish_drop(wish[2]);
    wish_drop(wish[3]);
    assert_int_equal(desk_put(d, 1, &leaf, none, &wish[0]), BOURN_OK); /* never served */
    wish_drop(wish[0]);
    desk_free(d);
    desk_free(NULL);
}

static void as_many_as_fit(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    static struct wish *wish[RECEIPTS_WAITING_MAX], *more;
    struct merkle_hash leaf = {{0}};
    unsigned calls = 0;
    for (uint64_t i = 0; i < RECEIPTS_WAITING_MAX; i++)
        assert_int_equal(desk_put(d, 100 + i, &leaf, none, &wish[i]), BOURN_OK);
    assert_int_equal(desk_put(d, 0, &leaf, none, &more), BOURN_E_LIMIT);
    assert_int_equal(desk_serve(d, sign, &calls), BOURN_OK);
    assert_int_equal(desk_put(d, 0, &leaf, none, &more), BOURN_OK);
    for (uint64_t i = 0; i < RECEIPTS_WAITING_MAX; i++)
        wish_drop(wish[i]);
    wish_drop(more);
    desk_free(d);
}

static atomic_bool stop;

static void *worker(void *desk)
{
    unsigned calls = 0;
    while (!stop)
        if (desk_serve(desk, sign, &calls) != BOURN_OK)
            return desk;
    return NULL;
}

static void between_two_threads(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct merkle_hash leaf = {{1}};
    pthread_t t;
    void *failed;
    assert_int_equal(pthread_create(&t, NULL, worker, d), 0);
    for (uint64_t i = 0; i < 2000; i++) {
        struct wish *x;
        struct slice note;
        char want[32];
        assert_int_equal(desk_put(d, 10 + i, &leaf, none, &x), BOURN_OK);
        while (!wish_done(x) && i % 2) /* of the others the answer goes before */
            ;
        if (i % 2) {
            snprintf(want, sizeof want, "%llu 1", (unsigned long long)(10 + i));
            assert_int_equal(wish_note(x, &note), BOURN_OK);
            assert_true(slice_is(note, want));
        }
        wish_drop(x);
    }
    stop = true;
    assert_int_equal(pthread_join(t, &failed), 0);
    assert_null(failed);
    desk_free(d);
}

static void settings(void **state)
{
    (void)state;
    struct settings s;
    static const struct {
        const char *text;
        bool closed;
    } good[] = {
        {"version: 1\n", false},
        {"version: 1\nentries: public\n", false},
        {"entries: closed\nversion: 1", true},
        {"# all of it\n\n  version :  1  # of the file\r\n\tentries:closed # to all but auditors\n", true},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(settings_parse(slice_str(good[i].text), &s), BOURN_OK);
        assert_int_equal(s.entries_closed, good[i].closed);
    }
    static const char *const bad[] = {
        "",
        "entries: closed\n",
        "version: 2\n",
        "version: 1\nversion: 1\n",
        "version",
        "version: 1\nentries:\n",
        "version: 1\nentries: Closed\n",
        "version:",
        "version: 1\nentry: closed",
        "version: 1\nentries: closed#\n",
        ": 1\n",
        "version: 1\n- entries: closed\n",
        "version: 1\nentries: closed\nentries: closed\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (settings_parse(slice_str(bad[i]), &s) != BOURN_E_FORMAT)
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_own), cmocka_unit_test(dropped_ones),
        cmocka_unit_test(as_many_as_fit),    cmocka_unit_test(between_two_threads),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
