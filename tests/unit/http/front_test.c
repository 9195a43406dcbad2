/* front over real sockets, with a vault that the test plays: what goes right. */
#include "front_test.h"

#include "base/limits.h"
#include "front_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define AUTH "Authorization: Bearer tok\r\nBourn-Purpose: dpv:X\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n"

static void test_round_trip(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    assert_true(ask(&s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", &r));
    assert_int_equal(r.status, 200);
    assert_true(response_has(&r, "{\"status\":\"ok\"}"));
    assert_true(ask(&s, GET("/v1/subjects/B%2F9/records/people?cursor=12"), &r));
    assert_int_equal(r.status, 200);
    assert_true(response_has(&r, "\"op\":\"records\",\"number\":12"));
    assert_true(response_has(&r, "\"token\":\"tok\",\"subject\":\"B/9\""));
    assert_true(response_has(&r, "Bourn-Receipt: 41\r\n"));
    assert_true(response_has(&r, "Cache-Control: no-store\r\n"));
    assert_true(response_has(&r, "Content-Type: application/json\r\n"));
    assert_true(
        ask(&s,
            "PUT /v1/subjects/a/records/people/7 HTTP/1.1\r\nHost: x\r\n" AUTH
            "If-Match: \"3\"\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\":123}",
            &r));
    assert_true(response_has(&r, "\"op\":\"record_put\",\"number\":7,\"version\":3,\"body_bytes\":9"));
    assert_true(ask(&s,
                    "POST /v1/subjects/a/records/people HTTP/1.1\r\nHost: x\r\n" AUTH
                    "Content-Type: application/json\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n",
                    &r));
    assert_true(response_has(&r, "\"op\":\"record_new\",\"number\":0,\"version\":0,\"body_bytes\":7"));
    assert_true(ask(&s, GET("/v1/subjects/deny/records/people"), &r));
    assert_int_equal(r.status, 403);
    assert_true(response_has(&r, "Content-Type: application/problem+json\r\n"));
    assert_true(response_has(&r, "\"missing\":[\"subject_consent\"]"));
    assert_true(ask(&s, GET("/v1/subjects/badtoken/records/people"), &r));
    assert_int_equal(r.status, 401);
    assert_true(response_has(&r, "WWW-Authenticate: Bearer"));
    assert_true(ask(&s, GET("/nowhere"), &r));
    assert_int_equal(r.status, 404);
    assert_true(ask(&s, "PATCH /v1/party HTTP/1.1\r\nHost: x\r\n\r\n", &r));
    assert_int_equal(r.status, 405);
    assert_true(response_has(&r, "Allow: GET, HEAD\r\n"));
    r.head_only = true;
    assert_true(ask(&s, "HEAD /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", &r));
    assert_int_equal(r.status, 200);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

static void test_keep_alive_and_pipelining(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    int fd = client_connect(&s);
    for (int i = 0; i < 200; i++) {
        char request[512], want[64];
        snprintf(request, sizeof request, GET("/v1/subjects/s%d/records/people"), i);
        snprintf(want, sizeof want, "\"subject\":\"s%d\"", i);
        client_send(fd, request, strlen(request));
        assert_true(client_read(fd, &r));
        assert_true(response_has(&r, want));
    }
    /* Ten at once in one packet: answered one by one, in their order, refusals among them. */
    struct buf many;
    buf_init(&many, 1u << 16);
    for (int i = 0; i < 10; i++)
        buf_printf(&many,
                   i % 3 == 2 ? GET("/v1/subjects/deny/records/c%d") : GET("/v1/subjects/p%d/records/c"), i);
    client_send(fd, many.p, many.n);
    for (int i = 0; i < 10; i++) {
        char want[64];
        snprintf(want, sizeof want, "\"subject\":\"p%d\"", i);
        assert_true(client_read(fd, &r));
        assert_int_equal(r.status, i % 3 == 2 ? 403 : 200);
        assert_true(i % 3 == 2 || response_has(&r, want));
    }
    buf_release(&many);
    close(fd);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

static void test_large_answer(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    assert_true(ask(&s, GET("/v1/subjects/big/records/people"), &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.n, BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        if (r.body.p[i] != (uint8_t)(i * 31 >> 3))
            fail_msg("byte %zu differs", i);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

static void test_slow_client(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    int fd = client_connect(&s);
    static const char request[] = GET("/v1/subjects/slow-typist/records/people");
    for (size_t i = 0; i < sizeof request - 1; i++) {
        client_send(fd, request + i, 1);
        if (i % 16 == 0)
            usleep(1000);
    }
    assert_true(client_read(fd, &r));
    assert_true(response_has(&r, "\"subject\":\"slow-typist\""));
    close(fd);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_hang_ups),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_silent_vault),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_import_in_chunks),
        cmocka_unit_test(test_broken_vault),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stop_with_silent_vault),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
