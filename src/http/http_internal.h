/* One exchange: a request from its first line until its answer went out. They lie in a fixed array; the id
 * names the slot and how often it was used, so that an answer for a client that hung up finds nobody. */
#ifndef BOURN_HTTP_INTERNAL_H
#define BOURN_HTTP_INTERNAL_H

#include "base/limits.h"
#include "http/http.h"

#include <microhttpd.h>

enum exchange_state { X_FREE, X_LINE, X_READING, X_WAITING, X_ANSWERED, X_QUEUED };

struct exchange {
    uint64_t id; /* uses << 16 | slot */
    enum exchange_state state;
    struct MHD_Connection *connection;
    struct MHD_Response *response; /* X_ANSWERED */
    uint32_t status, tag;
    uint64_t since_ms;
    struct buf uri, body; /* secret: identifiers, plaintext */
    bool too_large;       /* the body went over its limit; the rest is thrown away */
    size_t thrown_away;
    struct exchange *next_free;
};

struct http {
    struct MHD_Daemon *daemon;
    int listen_fd, wait_fd;
    http_handle handle;
    void *ctx;
    const char *wanted[HTTP_WANTED_MAX];
    size_t wanted_n;
    struct exchange *exchanges, *free;
    size_t busy;
    size_t body_bytes; /* of all exchanges */
    bool draining;
    struct buf scratch; /* problems are built here */
};

_Static_assert(CONNECTIONS_MAX < 1 << 16, "a slot number has 16 bits");

/* exchange.c */
struct exchange *exchange_take(struct http *h);
void exchange_release(struct http *h, struct exchange *x);
/* Copies a response for the library; NULL out of memory. */
struct MHD_Response *exchange_response(const struct http *h, const struct http_response *r);

/* headers.c: collects the headers of a request. */
struct headers {
    const struct http *h;
    struct slice found[HTTP_WANTED_MAX];
    const char *repeated;          /* the name of one that was given twice */
    struct slice length, encoding; /* Content-Length, Transfer-Encoding */
    unsigned framings;             /* how many of these two there are */
    size_t bytes;
};
void headers_collect(const struct http *h, struct MHD_Connection *c, struct headers *out);

#endif
