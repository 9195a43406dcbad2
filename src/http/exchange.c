#include "http/http_internal.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    KEEP_BYTES = 16u << 10, /* larger buffers are given back between requests */
    /* A TLS record. Of streams only for clients of HTTP/1.0: chunks go through the connection's room. */
    STREAM_BLOCK_BYTES = 16u << 10
};

static bool waits(enum exchange_state state)
{
    return state == X_WAITING || state == X_WANTS;
}

void exchange_to(struct exchange *x, enum exchange_state state)
{
    x->http->waiting += waits(state);
    x->http->waiting -= waits(x->state);
    x->state = state;
}

struct exchange *exchange_take(struct http *h)
{
    struct exchange *x = h->free;
    if (!x)
        return NULL;
    h->free = x->next_free;
    h->busy++;
    x->id += 1u << 16;
    exchange_to(x, X_LINE);
    x->since_ms = clock_mono_ms();
    x->too_large = false;
    x->thrown_away = 0;
    x->tag = x->asked = 0;
    x->upload = x->upload_end = x->suspended = x->piece_last = x->broken = false;
    x->piece_at = 0;
    return x;
}

void exchange_release(struct http *h, struct exchange *x)
{
    h->body_bytes -= x->body.n;
    buf_clear_keep(&x->uri, KEEP_BYTES);
    buf_clear_keep(&x->body, KEEP_BYTES);
    buf_release(&x->piece);
    if (x->own)
        h->hooks.forget(h->hooks.ctx, x->own);
    x->own = NULL;
    if (x->response)
        MHD_destroy_response(x->response);
    x->response = NULL;
    x->connection = NULL;
    exchange_to(x, X_FREE);
    x->next_free = h->free;
    h->free = x;
    h->busy--;
}

/* A body on its way out. */
struct outgoing {
    struct http *http;
    size_t n;
    uint8_t bytes[];
};

static void wipe_outgoing(void *p)
{
    struct outgoing *o = p;
    explicit_bzero(o->bytes, o->n);
    free(o);
}

static struct MHD_Response *with_headers(const struct http *h, const struct http_response *r,
                                         struct MHD_Response *m)
{
    enum MHD_Result ok = MHD_YES;
    if (r->type)
        ok &= MHD_add_response_header(m, "Content-Type", r->type);
    for (size_t i = 0; i < r->headers_n; i++)
        ok &= MHD_add_response_header(m, r->headers[i].name, r->headers[i].value);
    ok &= MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    if (h->draining)
        ok &= MHD_add_response_header(m, "Connection", "close");
    if (ok == MHD_YES)
        return m;
    MHD_destroy_response(m);
    return NULL;
}

static ssize_t read_outgoing(void *ctx, uint64_t at, char *to, size_t room)
{
    struct outgoing *o = ctx;
    size_t left = o->n - (size_t)at, n = left < room ? left : room;
    o->http->moves++;
    memcpy(to, o->bytes + at, n);
    return (ssize_t)n;
}

struct MHD_Response *exchange_response(struct http *h, const struct http_response *r)
{
    struct outgoing *o = malloc(sizeof *o + r->body.n);
    if (!o)
        return NULL;
    o->http = h;
    o->n = r->body.n;
    if (o->n)
        memcpy(o->bytes, r->body.p, o->n);
    /* Under TLS a turn sends one record; whoever does not read along cannot tell it from a turn in vain. */
    struct MHD_Response *m =
        h->tls && o->n > STREAM_BLOCK_BYTES
            ? MHD_create_response_from_callback(o->n, STREAM_BLOCK_BYTES, read_outgoing, o, wipe_outgoing)
            : MHD_create_response_from_buffer_with_free_callback_cls(o->n, o->bytes, wipe_outgoing, o);
    if (m)
        return with_headers(h, r, m);
    wipe_outgoing(o);
    return NULL;
}

/* What the library takes next of a streamed answer. */
static ssize_t read_stream(void *ctx, uint64_t at, char *to, size_t room)
{
    struct exchange *x = ctx;
    (void)at;
    x->http->moves++;
    while (x->piece_at == x->piece.n) {
        buf_release(&x->piece);
        x->piece_at = 0;
        if (x->piece_last || x->http->stopping) /* who is suspended when the library stops is lost to it */
            return x->broken || !x->piece_last ? MHD_CONTENT_READER_END_WITH_ERROR
                                               : MHD_CONTENT_READER_END_OF_STREAM;
        exchange_to(x, X_WANTS);
        x->since_ms = clock_mono_ms();
        x->http->hooks.wanted(x->http->hooks.ctx, x->id);
        if (x->state == X_WANTS) {
            exchange_suspend(x);
            return 0;
        }
    }
    size_t left = x->piece.n - x->piece_at, n = left < room ? left : room;
    memcpy(to, x->piece.p + x->piece_at, n);
    x->piece_at += n;
    return (ssize_t)n;
}

struct MHD_Response *exchange_stream(struct exchange *x, const struct http_response *r)
{
    struct MHD_Response *m =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, x, NULL);
    return m ? with_headers(x->http, r, m) : NULL;
}

struct exchange *exchange_find(const struct http *h, uint64_t id)
{
    size_t slot = id & 0xffff;
    struct exchange *x = slot < CONNECTIONS_MAX ? &h->exchanges[slot] : NULL;
    return x && x->id == id && waits(x->state) ? x : NULL;
}

void exchange_suspend(struct exchange *x)
{
    x->suspended = true;
    MHD_suspend_connection(x->connection);
}

void exchange_resume(struct exchange *x)
{
    if (x->suspended)
        MHD_resume_connection(x->connection);
    x->suspended = false;
}
