/* HTTP/1.1 over libmicrohttpd, driven from the caller's own loop: parsed requests out, responses in. One
 * thread. Everything that http itself refuses is problem+json too; only bytes that are no HTTP at all get the
 * library's own 4xx page. */
#ifndef BOURN_HTTP_HTTP_H
#define BOURN_HTTP_HTTP_H

#include "base/buf.h"

enum { HTTP_WANTED_MAX = 12, HTTP_HEADERS_MAX = 8, HTTP_VALUE_BYTES_MAX = 96 };

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
 * buffer to build it in). False: http_answer or http_answer_stream comes later, with this id; *tag is kept
 * and comes back from http_tag. */
typedef bool (*http_handle)(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                            struct http_response *r, struct buf *body);
struct http_hooks {
    void *ctx;
    http_handle handle;
    /* The head of a request is there, its body is not: *upload says whether the body may have any length;
     * then `handle` is not called, `uploaded` is. As with handle, true makes `r` the answer. NULL: no
     * uploads. */
    bool (*head)(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag, bool *upload,
                 struct http_response *r, struct buf *body);
    /* An upload waits: its buffer is full or its end is there (http_upload). Reading stops until
     * http_upload_more. */
    void (*uploaded)(void *ctx, uint64_t id);
    /* The client has taken what there is of a streamed answer: http_append is wanted, at once or later. */
    void (*wanted)(void *ctx, uint64_t id);
    /* The exchange is over: frees what *http_own holds (not called for NULL). */
    void (*forget)(void *ctx, void *own);
};

/* A certificate with its key, for TLS 1.3. Connections that began under an old pair end under it; its key is
 * wiped once the last of them is closed. */
struct http_tls;
enum bourn_err http_tls_new(struct http_tls **out) BOURN_MUST_USE;
void http_tls_free(struct http_tls *t); /* wipes every key; after http_stop */
/* Takes a chain and its key (PEM) for new connections. An error leaves the old pair in use: BOURN_E_FORMAT if
 * one does not read or they do not belong together. */
enum bourn_err http_tls_set(struct http_tls *t, struct slice chain, struct slice key) BOURN_MUST_USE;

/* Serves on `listen_fd` (listening, not blocking; owned from now on). `wanted`: names of the headers that the
 * handler reads, NULL at the end; one of them given twice is refused (of Accept-Encoding and If-None-Match
 * the first counts). `tls`: NULL for plain HTTP, else borrowed, with a pair set. */
enum bourn_err http_start(int listen_fd, const char *const *wanted, const struct http_hooks *hooks,
                          struct http_tls *tls, struct http **out) BOURN_MUST_USE;
void http_stop(struct http *h); /* answers what still waits with a 503, then closes everything */
int http_wait_fd(const struct http *h);
/* One turn: accepts, reads, calls the handler, writes. *wait_ms: how long the loop may sleep (at most 1,000).
 */
enum bourn_err http_run(struct http *h, unsigned *wait_ms) BOURN_MUST_USE;

/* Answers a request that waits. An id whose client is gone, or that was answered, is ignored. */
void http_answer(struct http *h, uint64_t id, const struct http_response *r);
/* The same with an answer that goes on behind its body: chunked. What a client does not take is not asked
 * for; of each answer no more than one piece is kept. */
void http_answer_stream(struct http *h, uint64_t id, const struct http_response *r);
bool http_streams(const struct http *h, uint64_t id); /* it waits for http_append, not for http_answer */
void http_append(struct http *h, uint64_t id, struct slice piece, bool last);
void http_abort(struct http *h,
                uint64_t id); /* cuts a streamed answer, so that its client sees it is not whole */
/* What the caller keeps with a request that is not over: NULL at first. NULL if nobody is there any more. */
void **http_own(struct http *h, uint64_t id);

/* An upload that waits: what was read and not taken yet; *end: nothing follows. */
struct slice http_upload(struct http *h, uint64_t id, bool *end);
void http_upload_took(struct http *h, uint64_t id, size_t n);    /* the first n bytes of it are done with */
void http_upload_more(struct http *h, uint64_t id);              /* reads on */
bool http_tag(const struct http *h, uint64_t id, uint32_t *tag); /* false: nobody waits for this id */
/* Calls fn for each request that waits for over min_ms; fn may http_answer it. */
void http_waiting(struct http *h, uint64_t min_ms,
                  void (*fn)(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms), void *ctx);

/* Accepts no more; answers from now on close their connection. */
void http_drain(struct http *h);
size_t http_busy(const struct http *h); /* requests that are being read, wait, or are being answered */

#endif
