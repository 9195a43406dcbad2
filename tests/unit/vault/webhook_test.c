/* Webhooks with a relay that the test plays: one event at a time, in order, answers that are late or of
 * somebody else, and how many there may be. */
#include "cell.h"

#include "base/limits.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct cell c;
static char clinic[128];
static struct {
    unsigned n; /* posts so far */
    uint32_t place;
    char url[WEBHOOK_URL_BYTES_MAX + 1];
    struct merkle_receipt said;
    char lines[4096];
} posted;

static enum bourn_err post(void *ctx, uint32_t place, const char *url, struct slice body)
{
    struct merkle_vkey key;
    uint8_t public_key[32], secret[64];
    struct slice lines;
    (void)ctx;
    crypto_sign_from_seed(public_key, secret, c.secret); /* a secret key begins with its seed */
    merkle_vkey_init(&key, "cn.example/ledger", 0x01, public_key);
    assert_int_equal(merkle_event_open(body, &key, &posted.said, &lines), BOURN_OK);
    snprintf(posted.lines, sizeof posted.lines, "%.*s", SLICE_ARG(lines));
    snprintf(posted.url, sizeof posted.url, "%s", url);
    posted.place = place;
    posted.n++;
    return BOURN_OK;
}

static void serve(void)
{
    const struct vault_relay relay = {NULL, post};
    struct buf urls;
    buf_init(&urls, 1 << 16);
    vault_use_relay(c.vault, &relay);
    vault_relay_urls(c.vault, &urls);
    buf_release(&urls);
}

static void restart(void)
{
    cell_close(&c);
    cell_open(&c);
    serve();
}

static void turn(void)
{
    unsigned ms;
    usleep(1000);
    assert_int_equal(vault_published(c.vault), BOURN_OK);
    assert_int_equal(vault_tick(c.vault, &ms), BOURN_OK);
}

/* Waits for the post that makes it `n` in all. */
static void until(unsigned n)
{
    for (int i = 0; i < 10000 && posted.n < n; i++)
        turn();
    assert_int_equal(posted.n, n);
}

static void none_more(void)
{
    unsigned n = posted.n;
    for (int i = 0; i < 1200; i++)
        turn();
    assert_int_equal(posted.n, n);
}

static void party(const char *name, char token[128])
{
    char json[512];
    snprintf(
        json, sizeof json,
        "{\"name\":\"%s\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"enrol\"]}",
        name);
    struct request r = {.op = REQ_ADMIN_PARTY, .body = slice_str(json)};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    cell_member(&c, "token", token, 128);
}

static uint32_t webhook(const char *name, const char *url)
{
    struct request r = {.op = REQ_ADMIN_WEBHOOK, .path = slice_str(name), .body = slice_str(url)};
    cell_ask(&c, &r);
    return c.status;
}

static uint64_t reads(const char *subject)
{
    struct request r = {.op = REQ_RECORDS,
                        .token = slice_str(clinic),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str(subject),
                        .collection = slice_str("people")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    return c.receipt;
}

static void answered(uint32_t status)
{
    assert_int_equal(vault_posted(c.vault, posted.place, status, slice_of(NULL, 0)), BOURN_OK);
}

static int setup(void **state)
{
    (void)state;
    cell_make(&c);
    memset(&posted, 0, sizeof posted);
    struct request r = {
        .op = REQ_ADMIN_COLLECTION,
        .body = slice_str("{\"name\":\"people\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"}]}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    party("clinic", clinic);
    r = (struct request){.op = REQ_IMPORT,
                         .token = slice_str(clinic),
                         .purpose = slice_str("dpv:ServiceProvision"),
                         .collection = slice_str("people"),
                         .path = slice_str("id"),
                         .body = slice_str("{\"id\":\"a\"}\n{\"id\":\"b\"}\n")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cell_close(&c);
    cell_remove(&c);
    return 0;
}

static void one_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(webhook("clinic", "https://clinic.example/a"), 200);
    restart();
    uint64_t one = reads("a"), two = reads("b");
    until(1);
    assert_true(posted.place >= COSIGNATURES_MAX && posted.said.index == one);
    assert_string_equal(posted.url, "https://clinic.example/a");
    assert_non_null(strstr(posted.lines, "\npeople 1\n~"));
    none_more(); /* its answer is out */
    answered(500);
    until(2);
    assert_true(posted.said.index == one);
    answered(204);
    until(3);
    assert_true(posted.said.index == two);
    restart(); /* what the party did not answer to comes again */
    until(4);
    assert_true(posted.said.index == two);
    answered(200);
    none_more();
    restart();
    none_more();
}

static void answers_of_nothing(void **state)
{
    (void)state;
    assert_int_equal(webhook("clinic", "https://clinic.example/a"), 200);
    restart();
    assert_int_not_equal(vault_posted(c.vault, COSIGNATURES_MAX, 200, slice_of(NULL, 0)), BOURN_OK);
    assert_int_not_equal(vault_posted(c.vault, UINT32_MAX, 200, slice_of(NULL, 0)), BOURN_OK);
    reads("a");
    until(1);
    assert_int_not_equal(vault_posted(c.vault, posted.place + 1, 200, slice_of(NULL, 0)), BOURN_OK);
    answered(200);
    assert_int_not_equal(vault_posted(c.vault, posted.place, 200, slice_of(NULL, 0)), BOURN_OK);
}

static void late_answers(void **state)
{
    (void)state;
    char other[128];
    party("other", other);
    assert_int_equal(webhook("clinic", "https://clinic.example/a"), 200);
    restart();
    uint64_t one = reads("a");
    until(1);
    uint32_t place = posted.place;
    /* Another URL at the same host: what is out is of the one before, and comes again. */
    assert_int_equal(webhook("clinic", "https://clinic.example/b"), 200);
    answered(200);
    until(2);
    assert_string_equal(posted.url, "https://clinic.example/b");
    assert_true(posted.said.index == one && posted.place == place);
    /* Off, and another party on, while an answer is out: it is nobody's. */
    assert_int_equal(webhook("clinic", ""), 200);
    assert_int_equal(webhook("clinic", ""), 404);
    assert_int_equal(webhook("other", "https://clinic.example/c"), 200);
    struct request r = {.op = REQ_RECORD_NEW,
                        .token = slice_str(other),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str("b"),
                        .collection = slice_str("people"),
                        .body = slice_str("{\"id\":\"b\"}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    uint64_t two = reads("b");
    until(3);
    assert_true(posted.place != place && posted.said.index == two);
    assert_int_equal(vault_posted(c.vault, place, 200, slice_of(NULL, 0)), BOURN_OK);
    answered(200);
    /* A host that the relay was not started for waits for that. */
    assert_int_equal(webhook("other", "https://other.example/c"), 200);
    two = reads("b");
    none_more();
    restart();
    until(4);
    assert_string_equal(posted.url, "https://other.example/c");
    assert_true(posted.said.index == two);
}

static void at_the_limits(void **state)
{
    (void)state;
    char name[32], token[128], url[WEBHOOK_URL_BYTES_MAX + 1];
    for (int i = 0; i <= WEBHOOKS_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        party(name, token);
        assert_int_equal(webhook(name, "https://p.example/"), i < WEBHOOKS_MAX ? 200 : 409);
    }
    assert_string_equal(c.code, "webhooks_full");
    assert_int_equal(webhook("p0", "http://p.example/"), 422);
    assert_int_equal(webhook("nobody", "https://p.example/"), 404);
    restart();
    assert_int_equal(webhook(name, "https://p.example/"), 409);
    struct request r = {.op = REQ_ADMIN_PARTY_END, .path = slice_str("p3")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    memset(url, 'x', WEBHOOK_URL_BYTES_MAX);
    memcpy(url, "https://p.example/", 18);
    url[WEBHOOK_URL_BYTES_MAX] = '\0';
    assert_int_equal(webhook(name, url), 200);
    restart();
    assert_int_equal(webhook("clinic", url), 409);
    assert_int_equal(webhook(name, ""), 200);
    assert_int_equal(webhook("clinic", url), 200);
    reads("a");
    restart();
    reads("a");
    until(1);
    assert_string_equal(posted.url, url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(late_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(at_the_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
