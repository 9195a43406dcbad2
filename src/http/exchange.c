#include "http/http_internal.h"

#include "base/clock.h"

#include <stdlib.h>

enum { KEEP_BYTES = 16u << 10 }; /* larger buffers are given back between requests */

struct exchange *exchange_take(struct http *h)
{
    struct exchange *x = h->free;
    if (!x)
        return NULL;
    h->free = x->next_free;
    h->busy++;
    x->id += 1u << 16;
    x->state = X_LINE;
    x->since_ms = clock_mono_ms();
    x->too_large = false;
    x->thrown_away = 0;
    x->tag = 0;
    return x;
}

static void shrink(struct buf *b)
{
    buf_clear(b);
    if (b->size > KEEP_BYTES)
        buf_release(b);
}

void exchange_release(struct http *h, struct exchange *x)
{
    h->body_bytes -= x->body.n;
    shrink(&x->uri);
    shrink(&x->body);
    if (x->response)
        MHD_destroy_response(x->response);
    x->response = NULL;
    x->connection = NULL;
    x->state = X_FREE;
    x->next_free = h->free;
    h->free = x;
    h->busy--;
}

/* A body on its way out. */
struct outgoing {
    size_t n;
    uint8_t bytes[];
};

static void wipe_outgoing(void *p)
{
    struct outgoing *o = p;
    explicit_bzero(o->bytes, o->n);
    free(o);
}

struct MHD_Response *exchange_response(const struct http *h, const struct http_response *r)
{
    struct outgoing *o = malloc(sizeof *o + r->body.n);
    if (!o)
        return NULL;
    o->n = r->body.n;
    if (o->n)
        memcpy(o->bytes, r->body.p, o->n);
    struct MHD_Response *m =
        MHD_create_response_from_buffer_with_free_callback_cls(o->n, o->bytes, wipe_outgoing, o);
    if (!m) {
        wipe_outgoing(o);
        return NULL;
    }
    enum MHD_Result ok = MHD_YES;
    if (r->type)
        ok &= MHD_add_response_header(m, "Content-Type", r->type);
    for (size_t i = 0; i < r->headers_n; i++)
        ok &= MHD_add_response_header(m, r->headers[i].name, r->headers[i].value);
    ok &= MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    if (h->draining)
        ok &= MHD_add_response_header(m, "Connection", "close");
    if (ok != MHD_YES) {
        MHD_destroy_response(m);
        return NULL;
    }
    return m;
}
