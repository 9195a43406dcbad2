/* HTTP/1.1 over libmicrohttpd, driven from the caller's own loop: parsed requests out, responses in. One
 * thread. Everything that http itself refuses is problem+json too; only bytes that are no HTTP at all get the
 * library's own 4xx page. */
#ifndef BOURN_HTTP_HTTP_H
#define BOURN_HTTP_HTTP_H

#include "base/buf.h"

enum { HTTP_WANTED_MAX = 8, HTTP_HEADERS_MAX = 8, HTTP_VALUE_BYTES_MAX = 96 };

struct http_request {
    struct slice method;      /* "GET" */
    struct slice path, query; /* as sent, escapes untouched; path starts with "/"; query without "?" */
    struct slice headers[HTTP_WANTED_MAX]; /* those asked for at http_start, in that order; p NULL: absent */
    struct slice body;
};
struct http_header {
    const char *name;
    char value[HTTP_VALUE_BYTES_MAX];
};
struct http_response {
    uint32_t status;
    const char *type; /* of the body; NULL without one */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t headers_n;
    struct slice body; /* borrowed: copied by who sends it, and that copy is wiped once it went out */
};

/* Adds a header; the value must fit. */
void http_header(struct http_response *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes r a problem (RFC 9457): type "/problems/<code>", title, status, detail, code, missing; not to be
 * stored. `body` is cleared and holds the JSON, which r borrows. detail and missing (a JSON array) may be
 * empty. */
void http_problem(struct http_response *r, struct buf *body, uint32_t status, struct slice code,
                  struct slice detail, struct slice missing);
const char *http_status_title(uint32_t status); /* "Forbidden" */

struct http;
/* Called with each whole request; its slices are valid during the call. True: `r` is the answer (`body` is a
 * buffer to build it in). False: http_answer comes later, with this id; *tag is kept and comes back from
 * http_tag. */
typedef bool (*http_handle)(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                            struct http_response *r, struct buf *body);

/* Serves on `listen_fd` (listening, not blocking; owned from now on). `wanted`: names of the headers that the
 * handler reads, NULL at the end; one of them given twice is refused. */
enum bourn_err http_start(int listen_fd, const char *const *wanted, http_handle handle, void *ctx,
                          struct http **out) BOURN_MUST_USE;
void http_stop(struct http *h); /* answers what still waits with a 503, then closes everything */
int http_wait_fd(const struct http *h);
/* One turn: accepts, reads, calls the handler, writes. *wait_ms: how long the loop may sleep (at most 1,000).
 */
enum bourn_err http_run(struct http *h, unsigned *wait_ms) BOURN_MUST_USE;

/* Answers a request that waits. An id whose client is gone, or that was answered, is ignored. */
void http_answer(struct http *h, uint64_t id, const struct http_response *r);
bool http_tag(const struct http *h, uint64_t id, uint32_t *tag); /* false: nobody waits for this id */
/* Calls fn for each request that waits for over min_ms; fn may http_answer it. */
void http_waiting(struct http *h, uint64_t min_ms,
                  void (*fn)(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms), void *ctx);

/* Accepts no more; answers from now on close their connection. */
void http_drain(struct http *h);
size_t http_busy(const struct http *h); /* requests that are being read, wait, or are being answered */

#endif
