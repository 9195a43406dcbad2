/* What opening a cell refuses, and what it takes. */
#include "cell.h"

#include "vault/internal.h"
#include "vault/known.h"
#include "vault/prev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

static void no_answer(void *ctx, uint64_t route, const struct reply *r)
{
    (void)ctx;
    (void)route;
    (void)r;
}

static enum bourn_err reopen(void)
{
    int lock;
    ok(vault_lock(cell.path, &lock));
    return vault_open(cell.path, lock, no_answer, NULL, &cell.vault);
}

/* Writes the row as it will be stored when the cell is closed; n 0: takes it out. */
static void set_format(const char *bytes, size_t n)
{
    const struct slice key = slice_str("format");
    ok(n ? store_put(cell.vault->store, STORE_META, key, slice_of(bytes, n))
         : store_del(cell.vault->store, STORE_META, key));
    cell_close(&cell);
}

static void test_format_of_the_store(void **state)
{
    (void)state;
    struct slice value;
    cell_close(&cell);
    cell_open(&cell);
    ok(store_get(cell.vault->store, STORE_META, slice_str("format"), &value));
    assert_memory_equal(value.p, "\0\0\0\1", 4);
    set_format("", 0); /* a cell from before there was the row */
    cell_open(&cell);
    cell_close(&cell);
    cell_open(&cell);
    ok(store_get(cell.vault->store, STORE_META, slice_str("format"), &value));
    static const struct {
        const char *bytes;
        size_t n;
    } others[] = {{"\0\0\0\2", 4}, {"\0\0\0\0", 4}, {"\0\0\0\1\0", 5}, {"\1", 1}};
    cell_close(&cell);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cell_make(&cell);
        cell_close(&cell);
        cell_open(&cell);
        set_format(others[i].bytes, others[i].n);
        assert_int_equal(reopen(), BOURN_E_UNAVAILABLE);
        assert_non_null(strstr(err_text(), "a format that this version does not know"));
    }
}

/* A batch that is rolled back takes its new people with it, also from what was found out about the next
 * requests. */
static void test_expected_of_a_batch_that_is_rolled_back(void **state)
{
    (void)state;
    struct request party = {
        .op = REQ_ADMIN_PARTY,
        .body = slice_str("{\"name\":\"p\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{"
                          "\"purpose\":\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],"
                          "\"rights\":[\"read\",\"write\",\"enrol\"]}")};
    struct request collection = {.op = REQ_ADMIN_COLLECTION,
                                 .body =
                                     slice_str("{\"name\":\"notes\",\"fields\":[{\"name\":\"note\",\"type\":"
                                               "\"text\"}]}")};
    char token[128];
    cell_ask(&cell, &party);
    cell_member(&cell, "token", token, sizeof token);
    cell_ask(&cell, &collection);
    assert_int_equal(cell.status, 201);
    struct request write = {.op = REQ_RECORD_NEW,
                            .token = slice_str(token),
                            .purpose = slice_str("dpv:ServiceProvision"),
                            .subject = slice_str("fresh"),
                            .collection = slice_str("notes"),
                            .body = slice_str("{\"note\":\"n\"}")};
    struct request read = write;
    read.op = REQ_RECORDS;
    read.body = slice_of(NULL, 0);
    read.subject = slice_str("somebody else");
    cell_ask(&cell, &read); /* the cell serves */
    read.subject = slice_str("fresh");
    ok(vault_handle(cell.vault, &write, 0));
    ok(vault_handle(cell.vault, &read, 0)); /* now it is known where they are */
    vault_expect(cell.vault, &read, 1);
    assert_int_equal(cell.vault->expected.n, 1);
    assert_true(cell.vault->expected.of[0].ref.guess != KNOWN_NONE);
    cell.vault->spoiled = true;
    ok(vault_commit(cell.vault)); /* rolls it back */
    cell_ask(&cell, &read);
    assert_int_equal(cell.status, 404);
    /* The check stands where the guess is used, too: what is in hand may be older than that. */
    struct subject_ref old = {.guess = prev_count(cell.vault->prev)};
    struct subject s;
    assert_int_equal(subject_find_ref(cell.vault, slice_str("fresh"), &old, &s), BOURN_E_NOT_FOUND);
}

/* Nothing is looked up for who will be told nothing of people: the time of a 401 says nothing. */
static void test_expected_only_where_it_will_be_asked(void **state)
{
    (void)state;
    struct request r = {.op = REQ_RECORDS,
                        .token = slice_str("bourn_wrong"),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str("a"),
                        .collection = slice_str("notes")};
    vault_expect(cell.vault, &r, 1);
    assert_int_equal(cell.vault->expected.n, 0);
}

/* What was written is in the store soon after the last request. */
static void test_store_commits_when_idle(void **state)
{
    (void)state;
    unsigned ms;
    struct request r = {.op = REQ_ADMIN_NOTICE,
                        .body = slice_str("{\"name\":\"n\",\"language\":\"en\",\"text\":\"t\"}")};
    ok(vault_tick(cell.vault, &ms));
    for (int i = 0; i < 3; i++) {
        cell_ask(&cell, &r);
        assert_int_equal(cell.status, 201);
        ok(vault_tick(cell.vault, &ms));
    }
    uint64_t mark = cell.vault->sequence;
    usleep((STORE_COMMIT_IDLE_MS + 5) * 1000);
    ok(vault_tick(cell.vault, &ms));
    assert_int_equal(store_changed_rows(cell.vault->store), 0);
    assert_int_equal(cell.vault->store_mark, mark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_format_of_the_store, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_expected_of_a_batch_that_is_rolled_back, cell_setup,
                                        cell_teardown),
        cmocka_unit_test_setup_teardown(test_expected_only_where_it_will_be_asked, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_store_commits_when_idle, cell_setup, cell_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
