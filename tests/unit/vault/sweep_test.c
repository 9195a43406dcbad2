/* What the vault tidies by itself, looked at in its store. */
#include "cell.h"

#include "base/text.h"
#include "vault/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

enum { CODES = 3 * SWEEP_CODES_PER_TICK };

/* The key of code i: spread as hashes are, so that the live and the expired ones lie in between each other.
 */
static struct slice code_key(uint8_t out[32], uint64_t i)
{
    uint8_t number[8];
    be_put(number, i, 8);
    crypto_sha256_1(out, slice_of(number, 8));
    return slice_of(out, 32);
}

static void test_expired_codes_go(void **state)
{
    (void)state;
    unsigned ms;
    uint8_t key[32], row[24] = {0};
    struct slice found;
    ok(vault_tick(cell.vault, &ms));
    for (uint64_t i = 0; i < CODES; i++) {
        be_put(row + 16, cell.vault->now + (i % 3 ? 0 : 3600), 8); /* two of three are over */
        ok(batch_put(cell.vault, STORE_CODE, code_key(key, i), slice_of(row, sizeof row)));
    }
    ok(vault_commit(cell.vault));
    for (uint64_t before = CODES; before > CODES / 3;) {
        uint64_t left = CODES;
        for (int tick = 0; tick < 5 && left >= before; tick++) {
            ok(vault_tick(cell.vault, &ms));
            left = store_count(cell.vault->store, STORE_CODE);
            assert_true(before - left <= SWEEP_CODES_PER_TICK);
        }
        assert_true(left < before);
        before = left;
    }
    for (int tick = 0; tick < 5; tick++)
        ok(vault_tick(cell.vault, &ms));
    assert_int_equal(store_count(cell.vault->store, STORE_CODE), CODES / 3);
    for (uint64_t i = 0; i < CODES; i++)
        assert_int_equal(store_get(cell.vault->store, STORE_CODE, code_key(key, i), &found),
                         i % 3 ? BOURN_E_NOT_FOUND : BOURN_OK);
    /* and they stay gone */
    cell_close(&cell);
    cell_open(&cell);
    assert_int_equal(store_count(cell.vault->store, STORE_CODE), CODES / 3);
}

/* Takes requests as one party would, without a tick between them. */
static void ask(uint32_t op, const char *token, const char *subject, const char *body)
{
    struct request r = {.op = op,
                        .token = slice_str(token),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str(subject),
                        .collection = slice_str("people"),
                        .path = slice_str("id"),
                        .body = slice_str(body)};
    cell.answered = false;
    ok(vault_handle(cell.vault, &r, 1));
    ok(vault_commit(cell.vault));
    assert_true(cell.answered);
    assert_true(cell.status < 300);
}

/* A page looks at a bounded number of people, those included who are erased and whose rows still point at
 * them. */
static void test_erased_people_count_on_a_page(void **state)
{
    (void)state;
    char token[128], id[16];
    struct buf rows;
    ask(REQ_ADMIN_COLLECTION, "", "",
        "{\"name\":\"people\",\"fields\":[{\"name\":\"id\"},{\"name\":\"city\",\"searchable\":true}]}");
    ask(REQ_ADMIN_PARTY, "", "",
        "{\"name\":\"desk\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"erase\","
        "\"search\"]}");
    cell_member(&cell, "token", token, sizeof token);
    buf_init(&rows, 1 << 20);
    for (int i = 0; i <= PAGE_LOOKED_MAX; i++) {
        buf_printf(&rows, "{\"id\":\"p%d\",\"city\":\"Oz\"}\n", i);
        if (i % IMPORT_BATCH_ROWS_MAX == 0 || i == PAGE_LOOKED_MAX) {
            buf_put_u8(&rows, 0);
            ask(REQ_IMPORT, token, "", (const char *)rows.p);
            buf_clear(&rows);
        }
    }
    buf_release(&rows);
    for (int i = 0; i < PAGE_LOOKED_MAX; i++) {
        snprintf(id, sizeof id, "p%d", i);
        ask(REQ_ERASE, token, id, "");
    }
    ask(REQ_SEARCH, token, "", "{\"collection\":\"people\",\"where\":{\"city\":\"Oz\"}}");
    assert_non_null(strstr(cell.body, "{\"records\":[],\"next\":"));
    assert_null(strstr(cell.body, "null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expired_codes_go),
        cmocka_unit_test(test_erased_people_count_on_a_page),
    };
    return cmocka_run_group_tests(tests, cell_setup, cell_teardown);
}
