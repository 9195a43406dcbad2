/* One exchange: a request from its first line until its answer went out. They lie in a fixed array; the id
 * names the slot and how often it was used, so that an answer for a client that hung up finds nobody. */
#ifndef BOURN_HTTP_INTERNAL_H
#define BOURN_HTTP_INTERNAL_H

#include "base/limits.h"
#include "http/http.h"

#include <microhttpd.h>

enum exchange_state {
    X_FREE,
    X_LINE,
    X_READING,
    X_UPLOAD,   /* reads a body of any length */
    X_WAITING,  /* for http_answer, or of an upload for http_upload_more */
    X_ANSWERED, /* `response` is there */
    X_QUEUED,
    X_WANTS, /* a streamed answer waits for http_append */
};

/* The headers of a request; what they point to is the library's and stays until the request is over. */
struct headers {
    const struct http *h;
    struct slice found[HTTP_WANTED_MAX];
    const char *repeated;          /* the name of one that was given twice */
    struct slice length, encoding; /* Content-Length, Transfer-Encoding */
    unsigned framings;             /* how many of these two there are */
    unsigned hosts;
    bool malformed; /* a name that is no token: "Transfer-Encoding :" */
    size_t bytes;
};

struct exchange {
    uint64_t id; /* uses << 16 | slot */
    enum exchange_state state;
    struct MHD_Connection *connection;
    struct MHD_Response *response; /* X_ANSWERED */
    uint32_t status, tag;
    struct headers headers; /* from X_READING on */
    uint64_t since_ms;
    unsigned asked;       /* times in vain, in X_WAITING */
    struct buf uri, body; /* secret: identifiers, plaintext */
    bool too_large;       /* the body went over its limit; the rest is thrown away */
    size_t thrown_away;
    bool upload, upload_end; /* a body of any length; all of it was read */
    bool suspended;          /* the library does not look at the connection */
    struct buf piece;        /* secret: of a streamed answer, what is on its way out */
    size_t piece_at;         /* bytes of it that went out */
    bool piece_last, broken;
    void *own; /* the caller's */
    struct http *http;
    struct exchange *next_free;
};

struct http {
    struct MHD_Daemon *daemon;
    int listen_fd, wait_fd;
    struct http_hooks hooks;
    struct http_tls *tls;
    struct slice wanted[HTTP_WANTED_MAX]; /* names of headers; zero-terminated */
    size_t wanted_n;
    struct exchange *exchanges, *free;
    size_t busy, waiting; /* exchanges in use; of them those that wait for vault */
    size_t body_bytes;    /* of all exchanges */
    bool draining;
    bool stopping; /* no request is taken any more */
    /* In this turn of the library: how often it brought a request on, and asked in vain for an answer. */
    unsigned moves, waits;
    unsigned idle_turns; /* in a row: it wants to run at once, and nothing came of it */
    struct buf scratch;  /* problems are built here */
};

_Static_assert(CONNECTIONS_MAX < 1 << 16, "a slot number has 16 bits");

/* exchange.c */
void exchange_to(struct exchange *x, enum exchange_state state);
struct exchange *exchange_take(struct http *h);
void exchange_release(struct http *h, struct exchange *x);
/* Copies a response for the library; NULL out of memory. */
struct MHD_Response *exchange_response(struct http *h, const struct http_response *r);
/* The same for an answer whose body is x->piece and what is appended later. */
struct MHD_Response *exchange_stream(struct exchange *x, const struct http_response *r);
struct exchange *exchange_find(const struct http *h, uint64_t id); /* NULL: nobody waits under this id */
void exchange_suspend(struct exchange *x);
void exchange_resume(struct exchange *x);

/* upload.c: the next data of an upload's body; *n 0: its end. */
enum MHD_Result upload_data(struct http *h, struct exchange *x, const char *data, size_t *n);

/* tls.c: the callbacks of the library and of GnuTLS. */
struct http_tls_hold;
struct http_tls_hold *tls_hold(struct http_tls *t); /* a connection began; NULL without memory */
void tls_release(struct http_tls *t, struct http_tls_hold *hold);
struct MHD_OptionItem;
void tls_options(struct http_tls *t, struct MHD_OptionItem out[3]);

/* headers.c: collects the headers of a request. */
void headers_collect(const struct http *h, struct MHD_Connection *c, struct headers *out);

#endif
