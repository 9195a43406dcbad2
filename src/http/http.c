#include "http/http_internal.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Room of a connection in the library: our own limit on headers must be reached first, so that the refusal is
 * ours. */
#define CONNECTION_BYTES (REQUEST_HEADERS_BYTES_MAX + (8u << 10))
#define THROW_AWAY_BYTES_MAX (8u * REQUEST_BODY_BYTES_MAX)
enum { IDLE_TURNS_MAX = 64, IDLE_TURN_MS = 10 };
enum { ASKED_MAX = 8 }; /* times, before a connection is suspended */

static enum MHD_Result queue(struct http *h, struct exchange *x, const struct http_response *r)
{
    struct MHD_Response *m = exchange_response(h, r);
    if (!m)
        return MHD_NO; /* closes the connection */
    exchange_to(x, X_QUEUED);
    enum MHD_Result ok = MHD_queue_response(x->connection, r->status, m);
    MHD_destroy_response(m); /* the library holds its own reference */
    return ok;
}

static enum MHD_Result refuse(struct http *h, struct exchange *x, uint32_t status, const char *code,
                              const char *detail)
{
    struct http_response r;
    http_problem(&r, &h->scratch, status, slice_str(code), slice_str(detail), slice_of(NULL, 0));
    http_header(&r, "Connection", "close"); /* what follows on this connection may be the rest of the body */
    return queue(h, x, &r);
}

static struct http_request request_of(const struct exchange *x, const char *method)
{
    struct slice uri = buf_slice(&x->uri);
    const uint8_t *mark = uri.n ? memchr(uri.p, '?', uri.n) : NULL;
    size_t path_n = mark ? (size_t)(mark - uri.p) : uri.n;
    struct http_request q = {.method = slice_str(method),
                             .path = slice_of(uri.p, path_n),
                             .query = mark ? slice_of(mark + 1, uri.n - path_n - 1) : slice_of(NULL, 0),
                             .body = buf_slice(&x->body)};
    memcpy(q.headers, x->headers.found, sizeof q.headers);
    return q;
}

/* The first look, when line and headers are there: what is too large is refused before its body is read. */
static enum MHD_Result begin(struct http *h, struct exchange *x, const char *method)
{
    const struct headers *all = &x->headers;
    uint64_t n = 0;
    exchange_to(x, X_READING);
    headers_collect(h, x->connection, &x->headers);
    if (x->uri.failed || x->uri.n + all->bytes > REQUEST_HEADERS_BYTES_MAX)
        return refuse(h, x, 431, "headers_too_large",
                      "The address and headers of a request may have 16 KiB together.");
    if (all->repeated)
        return refuse(h, x, 400, "header_repeated", "A header was given twice that may stand only once.");
    /* Two opinions about where a body ends are how requests are smuggled past a proxy (RFC 9112 section 6.3).
     */
    if (all->framings > 1 || all->malformed || (all->encoding.p && !slice_is(all->encoding, "chunked")))
        return refuse(h, x, 400, "length_ambiguous",
                      all->malformed
                          ? "A header's name is malformed: another reader could see another header in it."
                          : "A request has one Content-Length or Transfer-Encoding: chunked, not both.");
    struct http_response r = {0};
    struct http_request q = request_of(x, method);
    if (h->hooks.head && h->hooks.head(h->hooks.ctx, x->id, &q, &x->tag, &x->upload, &r, &h->scratch)) {
        http_header(&r, "Connection", "close"); /* as in refuse */
        return queue(h, x, &r);
    }
    if (all->length.p && (!decimal_get(all->length, &n) || (n > REQUEST_BODY_BYTES_MAX && !x->upload)))
        return refuse(h, x, 413, "body_too_large", "The body of a request may have 1 MiB.");
    if (x->upload) {
        exchange_to(x, X_UPLOAD);
        n = n && n < REQUEST_BODY_BYTES_MAX ? n : REQUEST_BODY_BYTES_MAX;
    }
    if (h->body_bytes + n > HTTP_BODIES_BYTES_MAX)
        return refuse(h, x, 503, "overloaded", "Too many large requests at once; try again later.");
    return MHD_YES;
}

static enum MHD_Result take_body(struct http *h, struct exchange *x, const char *data, size_t *n)
{
    if (!x->too_large) {
        buf_put(&x->body, data, *n);
        x->too_large = x->body.failed;
        h->body_bytes += x->body.failed ? 0 : *n;
    }
    if (x->too_large)
        x->thrown_away += *n;
    *n = 0;
    return x->thrown_away > THROW_AWAY_BYTES_MAX || h->body_bytes > 2 * HTTP_BODIES_BYTES_MAX ? MHD_NO
                                                                                              : MHD_YES;
}

static void forget_body(struct http *h, struct exchange *x)
{
    h->body_bytes -= x->body.n;
    buf_release(&x->body);
}

static enum MHD_Result dispatch(struct http *h, struct exchange *x, const char *method)
{
    if (x->too_large)
        return refuse(h, x, 413, "body_too_large", "The body of a request may have 1 MiB.");
    struct http_request q = request_of(x, method);
    struct http_response r = {0};
    exchange_to(x, X_WAITING);
    x->since_ms = clock_mono_ms();
    bool now = h->hooks.handle(h->hooks.ctx, x->id, &q, &x->tag, &r, &h->scratch);
    forget_body(h, x);
    return now ? queue(h, x, &r) : MHD_YES;
}

/* The library asks in each of its turns for the answer of who is not suspended. Most answers are there within
 * a few: to take the connection out of epoll and to put it back costs more than to be asked. */
static enum MHD_Result ask_again(struct exchange *x)
{
    if (!x->suspended && ++x->asked == ASKED_MAX) /* of an upload it asks once more with the data left over */
        exchange_suspend(x);
    return MHD_YES;
}

static enum MHD_Result send_answer(struct exchange *x)
{
    struct MHD_Response *m = x->response;
    x->response = NULL;
    exchange_to(x, X_QUEUED);
    enum MHD_Result ok = MHD_queue_response(x->connection, x->status, m);
    MHD_destroy_response(m);
    return ok;
}

static enum MHD_Result go_on(struct http *h, struct exchange *x, const char *method, const char *data,
                             size_t *data_n)
{
    /* Whatever would be suspended now would never go on, and the library does not stop over it: close. */
    if (h->stopping && (x->state == X_LINE || x->state == X_READING || x->state == X_UPLOAD))
        return MHD_NO;
    switch (x->state) {
    case X_LINE:
        return begin(h, x, method);
    case X_READING:
        return *data_n ? take_body(h, x, data, data_n) : dispatch(h, x, method);
    case X_UPLOAD: {
        enum MHD_Result ok = upload_data(h, x, data, data_n);
        return ok == MHD_YES && x->state == X_ANSWERED && x->upload_end ? send_answer(x) : ok;
    }
    case X_ANSWERED:
        if (*data_n) { /* an upload refused half-way: the library takes an answer only behind the last byte */
            *data_n = 0;
            return MHD_YES;
        }
        return send_answer(x);
    case X_QUEUED: /* a body that comes behind an early refusal */
        *data_n = 0;
        return MHD_YES;
    case X_WAITING:
        return ask_again(x);
    case X_WANTS:
    case X_FREE:
        break;
    }
    return MHD_NO;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_n, void **request_ctx)
{
    struct http *h = ctx;
    struct exchange *x = *request_ctx;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    enum exchange_state before = x->state;
    x->connection = c;
    enum MHD_Result ok = go_on(h, x, method, data, data_n);
    if (x->state == X_WAITING)
        h->waits++;
    else if (before != X_LINE || x->state != X_READING)
        h->moves++; /* not for the first look: the last one follows in the same turn, or a body has to come */
    return ok;
}

/* The first line of a request: keeps the address as it was sent. */
static void *on_line(void *ctx, const char *uri, struct MHD_Connection *c)
{
    (void)c;
    struct exchange *x = exchange_take(ctx);
    if (x)
        buf_put_str(&x->uri, uri);
    return x;
}

static void on_end(void *ctx, struct MHD_Connection *c, void **request_ctx,
                   enum MHD_RequestTerminationCode why)
{
    (void)c;
    (void)why;
    struct http *h = ctx;
    if (*request_ctx)
        exchange_release(h, *request_ctx);
    *request_ctx = NULL;
    h->moves++; /* the next request may be there already */
}

/* Each TLS connection counts on the certificate that was the newest when it began. */
static void on_connection(void *ctx, struct MHD_Connection *c, void **connection_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = ctx;
    (void)c;
    if (h->tls && what == MHD_CONNECTION_NOTIFY_STARTED) {
        *connection_ctx = tls_hold(h->tls);
    } else if (h->tls && *connection_ctx) {
        tls_release(h->tls, *connection_ctx);
        *connection_ctx = NULL;
    }
}

/* Leaves escapes alone: what is a separator and what is data is decided where the route is known. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *c, char *s)
{
    (void)ctx;
    (void)c;
    return strlen(s);
}

static struct MHD_Daemon *start_daemon(struct http *h)
{
#if MHD_VERSION >= 0x00097701
    enum MHD_OPTION strict = MHD_OPTION_CLIENT_DISCIPLINE_LVL;
#else
    enum MHD_OPTION strict = MHD_OPTION_STRICT_FOR_CLIENT;
#endif
    struct MHD_OptionItem tls[3];
    tls_options(h->tls, tls);
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (h->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_IP_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, h, MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        strict, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

enum bourn_err http_start(int listen_fd, const char *const *wanted, const struct http_hooks *hooks,
                          struct http_tls *tls, struct http **out)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(BOURN_E_MEMORY, "out of memory for the HTTP server");
    *h = (struct http){.listen_fd = listen_fd, .hooks = *hooks, .tls = tls};
    tzset(); /* the Date header's gmtime reads /etc/localtime once: now, while files may still be opened */
    buf_init(&h->scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    for (; wanted[h->wanted_n]; h->wanted_n++) {
        bourn_assert(h->wanted_n < HTTP_WANTED_MAX);
        h->wanted[h->wanted_n] = slice_str(wanted[h->wanted_n]);
    }
    h->exchanges = calloc(CONNECTIONS_MAX, sizeof *h->exchanges);
    for (size_t i = CONNECTIONS_MAX; h->exchanges && i-- > 0;) {
        struct exchange *x = &h->exchanges[i];
        x->id = i;
        x->http = h;
        buf_init_secret(&x->uri, REQUEST_HEADERS_BYTES_MAX);
        buf_init_secret(&x->body, REQUEST_BODY_BYTES_MAX);
        buf_init_secret(&x->piece, REPLY_BYTES_MAX + STREAM_TAIL_BYTES_MAX);
        x->next_free = h->free;
        h->free = x;
    }
    h->daemon = h->exchanges ? start_daemon(h) : NULL;
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        http_stop(h);
        return err_set(BOURN_E_UNAVAILABLE, "cannot start the HTTP server");
    }
    h->wait_fd = info->epoll_fd;
    *out = h;
    return BOURN_OK;
}

int http_wait_fd(const struct http *h)
{
    return h->wait_fd;
}

size_t http_busy(const struct http *h)
{
    return h->busy;
}

enum bourn_err http_run(struct http *h, unsigned *wait_ms)
{
    unsigned long long ms = 1000;
    h->moves = h->waits = 0;
    if (MHD_run(h->daemon) != MHD_YES)
        return err_set(BOURN_E_UNAVAILABLE, "the HTTP server cannot go on");
    *wait_ms = MHD_get_timeout(h->daemon, &ms) == MHD_YES && ms < 1000 ? (unsigned)ms : 1000;
    /* The library asks to be run at once for as long as a connection waits for its answer without being
     * suspended, or its room is full of something that can neither be finished nor refused, such as a chunk's
     * extension without end. Turns that bring nothing get slower until the one is suspended and the other's
     * time is over, at once if nobody does anything but wait; anything that arrives wakes the loop by itself.
     */
    h->idle_turns = *wait_ms == 0 && !h->moves ? h->idle_turns + 1 : 0;
    bool all_wait = h->waits && h->waiting == h->busy;
    if (h->idle_turns > (all_wait ? 0 : IDLE_TURNS_MAX))
        *wait_ms = IDLE_TURN_MS;
    return BOURN_OK;
}

bool http_tag(const struct http *h, uint64_t id, uint32_t *tag)
{
    struct exchange *x = exchange_find(h, id);
    if (x)
        *tag = x->tag;
    return x != NULL;
}

static void answered(struct exchange *x, struct MHD_Response *m, uint32_t status)
{
    x->response = m;
    x->status = status;
    exchange_to(x, m ? X_ANSWERED : X_FREE); /* out of memory: on_request closes the connection */
    exchange_resume(x);
}

void http_answer(struct http *h, uint64_t id, const struct http_response *r)
{
    struct exchange *x = exchange_find(h, id);
    if (x && x->state == X_WAITING)
        answered(x, exchange_response(h, r), r->status);
}

void http_answer_stream(struct http *h, uint64_t id, const struct http_response *r)
{
    struct exchange *x = exchange_find(h, id);
    if (!x || x->state != X_WAITING)
        return;
    buf_put_slice(&x->piece, r->body);
    answered(x, x->piece.failed ? NULL : exchange_stream(x, r), r->status);
}

bool http_streams(const struct http *h, uint64_t id)
{
    struct exchange *x = exchange_find(h, id);
    return x && x->state == X_WANTS;
}

void http_append(struct http *h, uint64_t id, struct slice piece, bool last)
{
    struct exchange *x = exchange_find(h, id);
    if (!x || x->state != X_WANTS)
        return;
    buf_put_slice(&x->piece, piece);
    x->broken = x->piece.failed;
    x->piece_last = last || x->broken;
    exchange_to(x, X_QUEUED);
    exchange_resume(x);
}

void http_abort(struct http *h, uint64_t id)
{
    struct exchange *x = exchange_find(h, id);
    if (!x || x->state != X_WANTS)
        return;
    x->broken = x->piece_last = true;
    exchange_to(x, X_QUEUED);
    exchange_resume(x);
}

void **http_own(struct http *h, uint64_t id)
{
    struct exchange *x = id % (1u << 16) < CONNECTIONS_MAX ? &h->exchanges[id % (1u << 16)] : NULL;
    return x && x->id == id && x->state != X_FREE ? &x->own : NULL;
}

void http_waiting(struct http *h, uint64_t min_ms,
                  void (*fn)(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms), void *ctx)
{
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct exchange *x = &h->exchanges[i];
        if (exchange_find(h, x->id) && now - x->since_ms >= min_ms)
            fn(ctx, x->id, x->tag, now - x->since_ms);
    }
}

void http_drain(struct http *h)
{
    if (h->draining)
        return;
    h->draining = true;
    MHD_quiesce_daemon(h->daemon);
    close(h->listen_fd);
    h->listen_fd = -1;
}

static void give_up(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms)
{
    (void)tag;
    (void)waited_ms;
    struct http *h = ctx;
    struct http_response r;
    if (http_streams(h, id)) {
        http_abort(h, id);
        return;
    }
    http_problem(&r, &h->scratch, 503, slice_str("stopping"), slice_str("The service stops."),
                 slice_of(NULL, 0));
    http_answer(h, id, &r);
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    if (h->daemon) {
        http_drain(h);
        h->stopping = true;
        /* The library must see every suspended connection go on before it stops. */
        for (int i = 0; i < 3; i++) {
            http_waiting(h, 0, give_up, h);
            MHD_run(h->daemon);
        }
        MHD_stop_daemon(h->daemon);
    }
    if (h->listen_fd >= 0)
        close(h->listen_fd);
    for (size_t i = 0; h->exchanges && i < CONNECTIONS_MAX; i++) {
        buf_release(&h->exchanges[i].uri);
        buf_release(&h->exchanges[i].body);
    }
    free(h->exchanges);
    buf_release(&h->scratch);
    free(h);
}
