/* The limits of scrub, at their edges, and its sessions. What it finds on real cells:
 * tests/e2e/test_scrub.py. */
#include "cell.h"

#include "vault/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

static void ask(uint64_t session, uint64_t from)
{
    struct request r = {.id = 1, .op = REQ_ADMIN_SCRUB, .version = session, .number = from};
    cell_ask(&cell, &r);
}

static uint64_t number_behind(const char *words)
{
    const char *at = strstr(cell.body, words);
    assert_non_null(at);
    return strtoull(at + strlen(words), NULL, 10);
}

static size_t times(const char *words)
{
    size_t n = 0;
    for (const char *at = cell.body; (at = strstr(at, words)); at++)
        n++;
    return n;
}

/* A whole run: how often the words stood in its answers, and the most rows of a slice. */
static size_t run(uint64_t session, const char *words, uint64_t *rows_most)
{
    size_t n = 0;
    uint64_t from = 0;
    *rows_most = 0;
    do {
        ask(session, from);
        assert_int_equal(cell.status, 200);
        uint64_t rows = number_behind("\"slice\":{\"rows\":");
        *rows_most = rows > *rows_most ? rows : *rows_most;
        n += times(words);
        from = cell.next;
        usleep((useconds_t)number_behind("\"pause_ms\":") * 1000);
    } while (from);
    return n;
}

static void stray(uint64_t number, uint64_t id, struct slice value)
{
    uint8_t key[RECORD_KEY_BYTES];
    record_key(key, number, 3, id);
    ok(store_put(cell.vault->store, STORE_PERSON, slice_of(key, sizeof key), value));
}

static void test_a_slice_has_at_most_so_many_rows(void **state)
{
    (void)state;
    uint8_t value[64] = {0};
    uint64_t most;
    for (uint64_t id = 1; id <= 2 * SCRUB_SLICE_ROWS + 7; id++) {
        be_put(value + 40, id, 8);
        stray(9, id, slice_of(value, sizeof value));
    }
    assert_int_equal(run(1, "\"damage\":\"added\"", &most), 2 * SCRUB_SLICE_ROWS + 7);
    assert_true(most > 10 && most <= SCRUB_SLICE_ROWS);
    struct scrub spent = {.rows = SCRUB_SLICE_ROWS - 1, .until_ns = UINT64_MAX};
    assert_false(scrub_spent(&spent));
    spent.rows++;
    assert_true(scrub_spent(&spent));
    spent = (struct scrub){.until_ns = 1};
    assert_true(scrub_spent(&spent));
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    ask(1, 0);
    assert_int_equal(cell.status, 200);
    uint64_t from = cell.next;
    ask(2, 0);
    assert_int_equal(cell.status, 503);
    assert_string_equal(cell.code, "scrub_running");
    ask(2, (uint64_t)0xff << 56); /* only its own may stop it */
    assert_int_equal(cell.status, 400);
    cell.vault->scrub->used_ms -= SCRUB_IDLE_MS - 1000; /* asked for a while ago, but not long enough */
    ask(2, 0);
    assert_int_equal(cell.status, 503);
    cell.vault->scrub->used_ms -= 1000;
    ask(2, 0);
    assert_int_equal(cell.status, 200);
    ask(1, from); /* and the first one has lost its turn */
    assert_int_equal(cell.status, 503);
    ask(2, (uint64_t)0xff << 56);
    assert_int_equal(cell.status, 200);
    assert_null(cell.vault->scrub);
    ask(1, (uint64_t)SCRUB_PHASE_END << 56);
    assert_int_equal(cell.status, 400);
    ask(1, ((uint64_t)SCRUB_PHASE_STRAYS << 56)); /* the last place to go on from */
    assert_int_equal(cell.status, 200);
    ask(1, (uint64_t)0xff << 56);
}

static void test_it_rests_for_as_long_as_it_must(void **state)
{
    (void)state;
    ask(5, 0);
    uint64_t from = cell.next;
    cell.vault->scrub->rest_until_ns = UINT64_MAX;
    ask(5, from);
    assert_int_equal(cell.status, 200);
    assert_int_equal(number_behind("\"slice\":{\"rows\":"), 0);
    assert_int_equal(cell.next, from);
    ask(5, (uint64_t)0xff << 56);
}

/* A misplaced record is recognised as long as not more than so many ends are open. */
static void test_open_ends(void **state)
{
    (void)state;
    struct scrub *s;
    struct slice parts[2];
    ask(6, 0);
    s = cell.vault->scrub;
    assert_non_null(s);
    buf_clear(&s->amended_json);
    s->open_ends_n = 0;
    for (uint64_t i = 1; i <= SCRUB_MATCH_MAX + 1; i++) {
        struct scrub_found lost = {.damage = SCRUB_DELETED, .entry = i, .collection = "", .has_commit = true};
        be_put(lost.salt, i, 8);
        parts[0] = slice_of(lost.salt, 16);
        parts[1] = slice_of((const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
        crypto_sha256(lost.commit, parts, 2);
        buf_clear(&s->found_json);
        scrub_say(s, &lost);
    }
    assert_int_equal(s->open_ends_n, SCRUB_MATCH_MAX);
    struct scrub_found found = {
        .damage = SCRUB_ADDED, .entry = SCRUB_NO_ENTRY, .collection = "", .has_digest = true};
    memcpy(found.digest, parts[1].p, 32);
    found.key[0] = 1;
    scrub_say(s, &found);
    buf_put_u8(&s->amended_json, 0);
    snprintf(cell.body, sizeof cell.body, "%s", (const char *)s->amended_json.p);
    assert_int_equal(times("moved_to_another_person"), 1); /* one is it, and it is told once */
    assert_int_equal(times("null"), 1);
    ask(6, (uint64_t)0xff << 56);
}

static void test_records_of_one_person(void **state)
{
    (void)state;
    struct scrub *s;
    struct row_record record = {.version = 1};
    struct row row = {.records = &record, .records_n = 1};
    struct entry e = {.kind = ENTRY_DELETED, .collection = slice_str("people"), .time = 2000000000};
    static const char schema[] = "{\"name\":\"people\",\"fields\":[{\"name\":\"n\",\"type\":\"text\"}]}";
    struct request r = {.id = 1, .op = REQ_ADMIN_COLLECTION, .body = slice_str(schema)};
    cell_ask(&cell, &r);
    assert_int_equal(cell.status, 201);
    ask(7, 0);
    s = cell.vault->scrub;
    s->person = (struct scrub_person){.open = true, .stateless = true, .round = 1};
    record.id = SCRUB_RECORDS_PER_PERSON_MAX - 1;
    ok(scrub_gone(cell.vault, s, &e, 4, &row));
    assert_int_equal(s->person.gone, 1);
    record.id++;
    assert_int_equal(scrub_gone(cell.vault, s, &e, 4, &row), BOURN_E_LIMIT);
    assert_non_null(strstr(err_text(), "more records than scrub keeps track of"));
    scrub_person_release(&s->person);
    ask(7, (uint64_t)0xff << 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_slice_has_at_most_so_many_rows, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_it_rests_for_as_long_as_it_must, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_open_ends, cell_setup, cell_teardown),
        cmocka_unit_test_setup_teardown(test_records_of_one_person, cell_setup, cell_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
