/* A cell with witnesses at its start: what is signed before a quorum of them has answered (the head again,
 * and nothing else), what lets it go on, and what ends it. The witnesses' answers are made here. */
#include "cell.h"

#include "base/json.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"
#include "merkle/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { WITNESSES = 3 };
static struct cell c;
static char app[128];
static struct merkle_vkey key[WITNESSES];
static uint8_t secret[WITNESSES][64];
static struct buf asked[WITNESSES]; /* the last request to each */

static enum bourn_err post(void *ctx, uint32_t witness, const char *url, struct slice body)
{
    (void)ctx;
    assert_non_null(strstr(url, "http://127.0.0.1:1/"));
    buf_clear(&asked[witness]);
    buf_put_slice(&asked[witness], body);
    return BOURN_OK;
}
static const struct vault_relay relay = {NULL, post};

static void ask(uint32_t op, const char *token, const char *body, uint32_t status)
{
    struct request r = {.op = op, .token = slice_str(token), .body = slice_str(body)};
    cell_ask(&c, &r);
    if (c.status != status)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
}

/* A policy of all three, `quorum` of them. */
static void configure(unsigned quorum)
{
    struct buf policy, body;
    buf_init(&policy, 4096);
    buf_init(&body, 8192);
    for (unsigned i = 0; i < WITNESSES; i++) {
        buf_printf(&policy, "witness w%u ", i);
        merkle_vkey_put(&policy, &key[i]);
        buf_printf(&policy, " http://127.0.0.1:1/%u\n", i);
    }
    buf_printf(&policy, "group all %u w0 w1 w2\nquorum all\n", quorum);
    buf_put_str(&body, "{\"witness_policy\":");
    json_put_string(&body, buf_slice(&policy));
    buf_put_str(&body, "}");
    buf_put_u8(&body, 0);
    ask(REQ_ADMIN_CONFIG, "", (char *)body.p, 200);
    buf_release(&policy);
    buf_release(&body);
}

static void restart(void)
{
    unsigned ms;
    cell_close(&c);
    cell_open(&c);
    assert_int_equal(vault_tick(c.vault, &ms), BOURN_OK); /* asks all of them */
}

static void wait_signed(uint64_t size)
{
    unsigned ms;
    for (int i = 0; i < 3000 && c.head_size < size; i++) {
        usleep(1000);
        assert_int_equal(vault_tick(c.vault, &ms), BOURN_OK);
    }
    assert_true(c.head_size >= size);
}

static int setup(void **state)
{
    (void)state;
    cell_make(&c);
    for (unsigned i = 0; i < WITNESSES; i++) {
        char name[16];
        uint8_t public_key[32];
        snprintf(name, sizeof name, "w%u.example", i);
        crypto_sign_keypair(public_key, secret[i]);
        merkle_vkey_init(&key[i], name, MERKLE_KEY_COSIGNATURE, public_key);
        buf_init(&asked[i], 1 << 18);
    }
    c.relay = &relay;
    ask(REQ_ADMIN_PARTY, "",
        "{\"name\":\"clinic\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"enrol\","
        "\"erase\"]}",
        201);
    cell_member(&c, "token", app, sizeof app);
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"a\"]}", 201);
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"b\"]}", 201);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cell_close(&c);
    cell_remove(&c);
    for (unsigned i = 0; i < WITNESSES; i++)
        buf_release(&asked[i]);
    return 0;
}

/* The witness's good answer to what it was asked, at a time that is `late` s from now. */
static enum bourn_err cosigns(unsigned i, int late)
{
    struct merkle_submission s;
    struct buf line;
    buf_init(&line, 4096);
    assert_int_equal(merkle_submission_get(buf_slice(&asked[i]), &s), BOURN_OK);
    const uint8_t *end = memmem(s.note.p, s.note.n, "\n\n", 2);
    assert_non_null(end);
    merkle_cosign(&line, slice_of(s.note.p, (size_t)(end - s.note.p) + 1), &key[i], secret[i],
                  (uint64_t)(time(NULL) + late));
    enum bourn_err err = vault_posted(c.vault, i, 200, buf_slice(&line));
    buf_release(&line);
    return err;
}

static enum bourn_err says(unsigned i, uint32_t status, const char *body)
{
    return vault_posted(c.vault, i, status, slice_str(body));
}

static void erases(const char *subject)
{
    struct request r = {.op = REQ_ERASE, .token = slice_str(app), .subject = slice_str(subject)};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
}

/* Asks again what is due, without waiting for the pause after a failure. */
static void ticks(void)
{
    unsigned ms;
    usleep(2 * WITNESS_RETRY_MS_MIN * 1000);
    assert_int_equal(vault_tick(c.vault, &ms), BOURN_OK);
}

static void test_nothing_to_ask(void **state)
{
    (void)state;
    assert_true(vault_asked(c.vault));
    restart();
    assert_true(vault_asked(c.vault)); /* no policy */
    configure(2);
    assert_true(vault_asked(c.vault)); /* it has been serving: this is no start */
    uint64_t before = c.head_size;
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"c\"]}", 201);
    wait_signed(before + 1);
}

static void test_a_quorum_lets_it_go(void **state)
{
    (void)state;
    configure(2);
    restart();
    uint64_t head = c.head_size;
    assert_false(vault_asked(c.vault));
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"c\"]}", 503);
    assert_string_equal(c.code, "witness_lag");
    erases("a");
    restart(); /* what was taken is in the journal, and no start signs it */
    usleep(1500000);
    ticks();
    assert_int_equal(c.head_size, head);
    assert_int_equal(cosigns(0, 0), BOURN_OK);
    assert_int_equal(cosigns(1, -3600), BOURN_OK); /* an old one says nothing about now */
    assert_false(vault_asked(c.vault));
    ticks();
    assert_int_equal(c.head_size, head);
    assert_int_equal(cosigns(1, 0), BOURN_OK);
    assert_true(vault_asked(c.vault));
    wait_signed(head + 1);
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"c\"]}", 201);
}

static void test_one_lies(void **state)
{
    (void)state;
    configure(2);
    restart();
    uint64_t head = c.head_size;
    assert_int_equal(says(0, 409, "9007199254740991\n"), BOURN_OK);
    assert_false(vault_asked(c.vault));
    assert_int_equal(cosigns(1, 0), BOURN_OK);
    assert_false(vault_asked(c.vault));
    assert_int_equal(c.head_size, head);
    assert_int_equal(cosigns(2, 0), BOURN_OK);
    assert_true(vault_asked(c.vault));
    ticks(); /* and from then on nobody's word ends it */
    assert_int_equal(says(0, 409, "9007199254740991\n"), BOURN_OK);
    assert_int_equal(says(1, 422, ""), BOURN_OK);
}

static void test_a_quorum_has_seen_more(void **state)
{
    (void)state;
    char size[32];
    configure(2);
    restart();
    uint64_t head = c.head_size;
    snprintf(size, sizeof size, "%llu\n", (unsigned long long)head + 100);
    assert_int_equal(says(0, 409, size), BOURN_OK);
    assert_int_equal(says(1, 409, "0\n"), BOURN_OK); /* the size that was sent: says nothing */
    assert_int_equal(says(2, 409, size), BOURN_E_CORRUPT);
    assert_non_null(strstr(err_text(), "an old backup was put back"));
    assert_int_equal(c.head_size, head);
    restart(); /* nothing of it is remembered; and another root at the same size is another history, too */
    assert_int_equal(says(0, 422, ""), BOURN_OK);
    assert_int_equal(says(1, 409, size), BOURN_E_CORRUPT);
    assert_non_null(strstr(err_text(), "seen another history"));
    assert_int_equal(c.head_size, head);
}

/* Who took back what they said counts with neither side until they cosign. */
static void test_a_word_that_is_taken_back(void **state)
{
    (void)state;
    configure(2);
    restart();
    assert_int_equal(says(0, 409, "1000000\n"), BOURN_OK);
    ticks();
    assert_int_equal(says(0, 0, ""), BOURN_OK);
    assert_int_equal(says(1, 409, "1000000\n"), BOURN_OK);
    assert_false(vault_asked(c.vault));
}

static void test_the_operator_takes_the_policy_away(void **state)
{
    (void)state;
    configure(3);
    restart();
    uint64_t head = c.head_size;
    erases("a");
    ask(REQ_ADMIN_CONFIG, "", "{\"witness_policy\":\"\"}", 200);
    wait_signed(head + 2);
    assert_true(vault_asked(c.vault));
    ask(REQ_SUBJECT_NEW, app, "{\"identifiers\":[\"c\"]}", 201);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_ask),
        TEST(test_a_quorum_lets_it_go),
        TEST(test_one_lies),
        TEST(test_a_quorum_has_seen_more),
        TEST(test_a_word_that_is_taken_back),
        TEST(test_the_operator_takes_the_policy_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
