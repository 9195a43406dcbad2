/* front with clients and vaults that misbehave: it refuses, or ends, but never crashes, leaks or hangs. */
#include "front_test.h"

#include "base/clock.h"
#include "base/limits.h"
#include "front_harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define AUTH "Authorization: Bearer tok\r\nBourn-Purpose: dpv:X\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n"
#define POST                                                                                                 \
    "POST /v1/subjects/a/records/people HTTP/1.1\r\nHost: x\r\n" AUTH "Content-Type: application/json\r\n"

static void alive(struct stage *s)
{
    struct response r = {0};
    assert_true(ask(s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", &r));
    assert_int_equal(r.status, 200);
    response_release(&r);
}

static void is_problem(const struct response *r, unsigned status, const char *code)
{
    char want[64];
    snprintf(want, sizeof want, "\"code\":\"%s\"", code);
    assert_int_equal(r->status, status);
    assert_true(response_has(r, "Content-Type: application/problem+json\r\n"));
    assert_true(response_has(r, want));
}

static void post_of(struct buf *b, size_t n, bool chunked)
{
    static char xs[REQUEST_BODY_BYTES_MAX + 1];
    memset(xs, 'x', sizeof xs);
    buf_init(b, 4u << 20);
    if (!chunked) {
        buf_printf(b, POST "Content-Length: %zu\r\n\r\n", n);
        buf_put(b, xs, n);
        return;
    }
    buf_put_str(b, POST "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < n;) {
        size_t piece = n - at < 60000 ? n - at : 60000;
        buf_printf(b, "%zx\r\n", piece);
        buf_put(b, xs + at, piece);
        buf_put_str(b, "\r\n");
        at += piece;
    }
    buf_put_str(b, "0\r\n\r\n");
}

static void header_of(struct buf *b, size_t n)
{
    buf_init(b, 4u << 20);
    buf_put_str(b, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (size_t i = 0; i < n; i++)
        buf_put_u8(b, 'h');
    buf_put_str(b, "\r\n\r\n");
}

static bool ask_buf(struct stage *s, struct buf *b, struct response *r)
{
    int fd = client_connect(s);
    client_send(fd, b->p, b->n);
    bool ok = client_read(fd, r);
    close(fd);
    buf_release(b);
    return ok;
}

void test_too_large(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    struct buf b;
    for (int chunked = 0; chunked < 2; chunked++) {
        post_of(&b, REQUEST_BODY_BYTES_MAX, chunked);
        assert_true(ask_buf(&s, &b, &r));
        assert_int_equal(r.status, 200);
        assert_true(response_has(&r, "\"body_bytes\":1048576"));
        assert_true(response_has(&r, "\"token\":\"tok\"")); /* headers outlive the body */
        post_of(&b, REQUEST_BODY_BYTES_MAX + 1, chunked);
        assert_true(ask_buf(&s, &b, &r));
        is_problem(&r, 413, "body_too_large");
    }
    header_of(&b, REQUEST_HEADERS_BYTES_MAX - 100);
    assert_true(ask_buf(&s, &b, &r));
    assert_int_equal(r.status, 200);
    header_of(&b, REQUEST_HEADERS_BYTES_MAX);
    assert_true(ask_buf(&s, &b, &r));
    is_problem(&r, 431, "headers_too_large");
    header_of(&b, 200000); /* over the library's room too: its own refusal, or the connection is cut */
    if (ask_buf(&s, &b, &r))
        assert_in_range(r.status, 400, 499);
    assert_true(ask(
        &s, "GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        &r));
    is_problem(&r, 400, "header_repeated");
    /* A body that never ends. */
    int fd = client_connect(&s);
    client_send(fd, POST "Transfer-Encoding: chunked\r\n\r\n",
                strlen(POST "Transfer-Encoding: chunked\r\n\r\n"));
    static char chunk[4 + 65536 + 2 + 2];
    memset(chunk, 'y', sizeof chunk);
    memcpy(chunk, "10000\r\n", 7);
    for (int i = 0; i < 400; i++) {
        client_send(fd, "10000\r\n", 7);
        client_send(fd, chunk + 7, 65536 - 7);
        client_send(fd, "yyyyyyy\r\n", 9);
    }
    close(fd);
    alive(&s);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

void test_hang_ups(void **state)
{
    (void)state;
    struct stage s = stage_open();
    /* While vault thinks; some by a reset. */
    for (int i = 0; i < 300; i++) {
        int fd = client_connect(&s);
        static const char request[] = GET("/v1/subjects/later/records/people");
        client_send(fd, request, sizeof request - 1);
        if (i % 2) {
            struct linger l = {1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        }
        if (i % 3 == 0)
            usleep(500);
        close(fd);
    }
    /* In the middle of line, headers, body. */
    static const char whole[] = POST "Content-Length: 100\r\n\r\n{\"a\"";
    for (size_t n = 1; n < sizeof whole; n += 3) {
        int fd = client_connect(&s);
        client_send(fd, whole, n);
        close(fd);
    }
    /* In the middle of a large answer. */
    for (int i = 0; i < 3; i++) {
        int fd = client_connect(&s);
        static const char request[] = GET("/v1/subjects/big/records/people");
        char room[5000];
        client_send(fd, request, sizeof request - 1);
        assert_true(recv(fd, room, sizeof room, 0) > 0);
        close(fd);
    }
    alive(&s);
    usleep(700000); /* the late answers find nobody */
    alive(&s);
    assert_int_equal(stage_close(&s), 0);
}

void test_garbage(void **state)
{
    (void)state;
    struct stage s = stage_open();
    srand(3);
    static const char *const starts[] = {"", "GET / HTTP/1.1\r\n", "GET /v1/subjects/",
                                         "POST /v1/enrolments HTTP/1.1\r\n",
                                         "Transfer-Encoding: chunked\r\n\r\n"};
    for (int i = 0; i < 400; i++) {
        char noise[600];
        size_t n = (size_t)rand() % sizeof noise;
        for (size_t k = 0; k < n; k++)
            noise[k] = (char)(rand() % 5   ? rand() % 96 + 32
                              : rand() % 3 ? "\r\n"[rand() % 2]
                                           : rand() % 256 - 128);
        int fd = client_connect(&s);
        const char *start = starts[(size_t)rand() % 5];
        client_send(fd, start, strlen(start));
        client_send(fd, noise, n);
        client_send(fd, "\r\n\r\n", rand() % 2 ? 4 : 0);
        close(fd);
    }
    alive(&s);
    assert_int_equal(stage_close(&s), 0);
}

void test_smuggling(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    static const char *const framings[] = {
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 5\r\nContent-Length: 50\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
    };
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        int fd = client_connect(&s);
        char request[1024];
        snprintf(request, sizeof request, POST "%s\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                 framings[i]);
        client_send(fd, request, strlen(request));
        assert_true(client_read(fd, &r));
        assert_in_range(r.status, 400, 499);
        assert_false(client_read(fd, &r)); /* one answer, and the connection is closed */
        close(fd);
    }
    alive(&s);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

void test_many_connections(void **state)
{
    (void)state;
    struct stage s = stage_open();
    enum { MANY = 400 };
    static int fds[MANY];
    struct response r = {0};
    for (int i = 0; i < MANY; i++)
        fds[i] = client_connect(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            char request[512];
            snprintf(request, sizeof request, GET("/v1/subjects/c%d/records/people"), i);
            client_send(fds[i], request, strlen(request));
        }
        for (int i = 0; i < MANY; i++) {
            char want[64];
            snprintf(want, sizeof want, "\"subject\":\"c%d\"", i); /* each gets its own answer */
            assert_true(client_read(fds[i], &r));
            assert_true(response_has(&r, want));
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

void test_silent_vault(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    kill(s.vault, SIGSTOP);
    uint64_t start = clock_mono_ms();
    assert_true(ask(&s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", &r));
    is_problem(&r, 503, "vault_silent");
    assert_in_range(clock_mono_ms() - start, HEALTH_WAIT_MS_MAX - 100, HEALTH_WAIT_MS_MAX + 3000);
    kill(s.vault, SIGCONT);
    alive(&s); /* and the late answer to the first found nobody */
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

/* Chunks that end just where the buffer is full: the library asks once more, though the connection is
 * suspended already. */
void test_import_in_chunks(void **state)
{
    (void)state;
    enum { LINES = 12 * 256 };
    static char chunk[6 + 4096 + 2];
    struct stage s = stage_open();
    struct response r = {0};
    int fd = client_connect(&s);
    static const char head[] = "POST /v1/import?collection=people&subject=id HTTP/1.1\r\nHost: x\r\n" AUTH
                               "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + 6 + 4095, "\n\r\n", 3);
    client_send(fd, head, sizeof head - 1);
    for (int i = 0; i < LINES; i++)
        client_send(fd, chunk, sizeof chunk);
    client_send(fd, "0\r\n\r\n", 5);
    assert_true(client_read(fd, &r));
    assert_int_equal(r.status, 200);
    assert_true(response_has(&r, "\"stored\":3072,"));
    close(fd);
    alive(&s);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

static uint64_t cpu_ms(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &t), 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Who waits for long costs nothing, holds up nobody, and is forgotten when it hangs up. */
void test_waiting(void **state)
{
    (void)state;
    enum { MANY = 100 };
    static const char never[] = GET("/v1/subjects/never/records/people"),
                      later[] = GET("/v1/subjects/later/records/people");
    static int fds[MANY];
    struct stage s = stage_open();
    struct response r = {0};
    struct buf b;
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_connect(&s);
        client_send(fds[i], i % 2 ? never : later, sizeof never - 1);
    }
    header_of(&b, REQUEST_HEADERS_BYTES_MAX - 100); /* read in several turns, none of which calls us */
    assert_true(ask_buf(&s, &b, &r));
    assert_int_equal(r.status, 200);
    for (int i = 0; i < MANY; i += 2) {
        assert_true(client_read(fds[i], &r));
        assert_true(response_has(&r, "\"subject\":\"later\""));
    }
    uint64_t before = cpu_ms(s.front);
    usleep(1000000);
    assert_in_range(cpu_ms(s.front) - before, 0, 200); /* a loop would take all of the second */
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    usleep(100000);
    alive(&s);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}

void test_broken_vault(void **state)
{
    (void)state;
    static const char *const requests[] = {GET("/v1/subjects/type/records/people"),
                                           GET("/v1/subjects/noise/records/people")};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct stage s = stage_open();
        struct response r = {0};
        ask(&s, requests[i], &r);
        assert_int_not_equal(r.status, 200);
        assert_int_equal(stage_wait_front(&s), 70);
        response_release(&r);
    }
}

void test_drain(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    int idle = client_connect(&s), fd = client_connect(&s);
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                      later[] = GET("/v1/subjects/later/records/people");
    client_send(idle, health,
                sizeof health - 1); /* an idle keep-alive connection does not hold the stop up */
    assert_true(client_read(idle, &r));
    client_send(fd, later, sizeof later - 1);
    usleep(100000);
    uint64_t start = clock_mono_ms();
    assert_int_equal(write(s.control, "q", 1), 1);
    assert_true(client_read(fd, &r)); /* in flight: answered */
    assert_int_equal(r.status, 200);
    assert_true(response_has(&r, "Connection: close\r\n"));
    assert_int_equal(stage_wait_front(&s), 0);
    assert_in_range(clock_mono_ms() - start, 200, 5000);
    close(fd);
    close(idle);
    response_release(&r);
}

void test_stop_with_silent_vault(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct response r = {0};
    int fd = client_connect(&s);
    static const char never[] = GET("/v1/subjects/never/records/people");
    client_send(fd, never, sizeof never - 1);
    usleep(100000);
    uint64_t start = clock_mono_ms();
    assert_int_equal(write(s.control, "q", 1), 1);
    assert_int_equal(stage_wait_front(&s), 0);
    assert_in_range(clock_mono_ms() - start, DRAIN_MS_MAX - 1000, DRAIN_MS_MAX + 3000);
    if (client_read(fd, &r))
        assert_int_equal(r.status, 503);
    close(fd);
    response_release(&r);
}

#define ROWS(path, version)                                                                                  \
    "GET /ledger/tile/rows/" path " HTTP/" version "\r\nHost: x\r\nAuthorization: Bearer tok\r\n"            \
    "Connection: close\r\n\r\n"

static size_t letters(const struct buf *b, char c)
{
    const uint8_t *body = memmem(b->p, b->n, "\r\n\r\n", 4);
    size_t n = 0;
    for (const uint8_t *p = body; p && p < b->p + b->n; p++)
        n += *p == c;
    return n;
}

static bool ends_with(const struct buf *b, const char *text)
{
    size_t n = strlen(text);
    return b->n >= n && memcmp(b->p + b->n - n, text, n) == 0;
}

/* A file of rows in three pieces comes whole; one whose second piece is refused is cut, without the last
 * chunk that would make it look whole. */
void test_pieces(void **state)
{
    (void)state;
    struct stage s = stage_open();
    struct buf got;
    buf_init(&got, 4 * PIECE_BYTES);
    ask_raw(&s, ROWS("three", "1.1"), &got);
    assert_non_null(memmem(got.p, got.n, "Transfer-Encoding: chunked", 26));
    assert_true(letters(&got, 'g') == 0 && ends_with(&got, "\r\n0\r\n\r\n"));
    buf_clear(&got);
    ask_raw(&s, ROWS("three", "1.0"), &got); /* no chunks there: the end of the connection is the end */
    for (char c = 'a'; c <= 'c'; c++)
        assert_int_equal(letters(&got, c), PIECE_BYTES);
    buf_clear(&got);
    ask_raw(&s, ROWS("broken", "1.1"), &got);
    assert_memory_equal(got.p, "HTTP/1.1 200", 12);
    assert_true(letters(&got, 'a') >= PIECE_BYTES && !ends_with(&got, "\r\n0\r\n\r\n"));
    buf_release(&got);
    struct response r = {.head_only = true};
    assert_true(
        ask(&s, "HEAD /ledger/tile/rows/three HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n", &r));
    assert_int_equal(r.status, 200);
    response_release(&r);
    assert_int_equal(stage_close(&s), 0);
}
