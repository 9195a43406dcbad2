/* The public files in front, with vault and HTTP played by the test: what is kept, what never is, and the
 * bounds of gzip. */
#include "api/headers.h"
#include "base/limits.h"
#include "role/front_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct front f;
static struct kept kept;
static unsigned sent; /* requests to vault */
static struct http_response answer;
static struct buf answered;
static uint8_t big[GZIP_FILE_BYTES_MAX + 1];

struct kept *kept_new(struct front *front, uint64_t id, const struct request *r)
{
    (void)front;
    (void)id;
    buf_release(&kept.request);
    buf_init_secret(&kept.request, IPC_MESSAGE_BYTES_MAX);
    request_encode(&kept.request, r);
    return &kept;
}

struct kept *kept_of(struct front *front, uint64_t id)
{
    (void)front;
    return id ? &kept : NULL; /* 0: the client has gone */
}

enum bourn_err front_send(struct front *front, const struct request *r)
{
    (void)front;
    (void)r;
    sent++;
    return BOURN_OK;
}

static void keep_answer(const struct http_response *r)
{
    answer = *r;
    buf_clear(&answered);
    buf_put_slice(&answered, r->body);
    answer.body = buf_slice(&answered);
}

void http_answer(struct http *h, uint64_t id, const struct http_response *r)
{
    (void)h;
    (void)id;
    keep_answer(r);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < answer.headers_n; i++)
        if (strcmp(answer.headers[i].name, name) == 0)
            return answer.headers[i].value;
    return "";
}

/* A request by its path; vault's reply has `n` bytes. True: vault was asked. */
static bool get(const char *path, const char *token, bool gzip, uint32_t status, uint32_t immutable, size_t n)
{
    struct http_request q = {.method = slice_str("GET")};
    struct request r = {.id = 1, .op = REQ_LEDGER_FILE, .path = slice_str(path), .token = slice_str(token)};
    struct reply reply = {.id = 1,
                          .status = status,
                          .immutable = immutable,
                          .type = REPLY_OCTETS,
                          .receipt = REPLY_NO_RECEIPT,
                          .code = slice_str(status < 400 ? "" : "not_found"),
                          .body = slice_of(big, n)};
    struct http_response now;
    unsigned before = sent;
    if (gzip)
        q.headers[H_ACCEPT_ENCODING] = slice_str("gzip");
    if (file_request(&f, 1, &q, &r, &now, &f.scratch))
        keep_answer(&now);
    else
        file_reply(&f, &reply);
    return sent != before;
}

static int start(void **state)
{
    (void)state;
    sent = 0;
    buf_init(&f.scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    buf_init(&answered, sizeof big);
    return files_new(&f.files) == BOURN_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    files_free(f.files);
    buf_release(&f.scratch);
    buf_release(&kept.request);
    buf_release(&answered);
    return 0;
}

static void full_ones_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get("tile/0/000", "", false, 200, 1, 8192), i == 0);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answered.n, 8192);
        assert_string_equal(header("Cache-Control"), "public, max-age=31536000, immutable");
        assert_int_equal(get("tile/entries/000", "", i == 2, 200, 1, 8192), i == 0);
    }
    assert_string_equal(header("Content-Encoding"), "gzip");
}

static void others_never(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(get("checkpoint", "", false, 200, 0, 200));
        assert_string_equal(answer.type, "text/plain; charset=utf-8");
        assert_string_equal(header("Cache-Control"), "public, max-age=1");
        assert_true(get("tile/0/001.p/7", "", false, 200, 1, 224));
        assert_true(get("tile/0/002", "", false, 404, 0, 0)); /* it may be there later */
        assert_int_equal(answer.status, 404);
        assert_string_equal(header("Cache-Control"), "no-store");
        assert_true(get("tile/entries/003", "", false, 200, 0, 100)); /* vault does not call it immutable */
        assert_string_equal(header("Cache-Control"), "no-store");
        assert_true(get("tile/entries/004", "tok", false, 200, 1,
                        100)); /* who sent a token may see more than others */
    }
    assert_true(get("tile/entries/004", "", false, 404, 0, 0));
    struct reply late = {
        .id = 0, .status = 200, .type = REPLY_OCTETS, .receipt = REPLY_NO_RECEIPT, .immutable = 1};
    file_reply(&f, &late); /* for a client that has gone: nothing happens */
    assert_int_equal(answer.status, 404);
}

static void bounds_of_gzip(void **state)
{
    (void)state;
    files_turn(f.files);
    assert_true(get("tile/entries/000", "", true, 200, 1, GZIP_FILE_BYTES_MAX));
    assert_string_equal(header("Content-Encoding"), "gzip");
    assert_true(answered.n < GZIP_FILE_BYTES_MAX / 10);
    files_turn(f.files);
    assert_true(get("tile/entries/001", "", true, 200, 1, GZIP_FILE_BYTES_MAX + 1)); /* too large */
    assert_string_equal(header("Content-Encoding"), "");
    assert_int_equal(answered.n, GZIP_FILE_BYTES_MAX + 1);
    assert_string_equal(header("Vary"), "Accept-Encoding");
    /* What one turn may compress is used up; the next turn has its own. What is kept compressed costs
     * nothing. */
    files_turn(f.files);
    assert_true(get("tile/entries/002", "", true, 200, 1, GZIP_TURN_BYTES_MAX - 1000));
    assert_string_equal(header("Content-Encoding"), "gzip");
    assert_true(get("tile/entries/003", "", true, 200, 1, 1000));
    assert_string_equal(header("Content-Encoding"), "gzip");
    assert_true(get("tile/entries/004", "", true, 200, 1, 1000));
    assert_string_equal(header("Content-Encoding"), "");
    assert_false(get("tile/entries/003", "", true, 200, 1, 1000));
    assert_string_equal(header("Content-Encoding"), "gzip");
    assert_false(get("tile/entries/004", "", true, 200, 1, 1000));
    assert_string_equal(header("Content-Encoding"), "");
    files_turn(f.files);
    assert_false(get("tile/entries/004", "", true, 200, 1, 1000));
    assert_string_equal(header("Content-Encoding"), "gzip");
    /* Hashes are never compressed; nor is what would not get smaller. */
    assert_true(get("tile/0/005", "", true, 200, 1, 8192));
    assert_string_equal(header("Content-Encoding"), "");
    assert_true(get("tile/entries/005.p/1", "", true, 200, 1, 3));
    assert_string_equal(header("Content-Encoding"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_ones_are_kept, start, stop),
        cmocka_unit_test_setup_teardown(others_never, start, stop),
        cmocka_unit_test_setup_teardown(bounds_of_gzip, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
