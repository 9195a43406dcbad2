/* Bodies of any length: read into a bounded buffer, which the caller empties piece by piece. While it is at
 * work nothing is read, so that a client is slowed down to the pace at which its rows become durable. */
#include "http/http_internal.h"

#include "base/clock.h"

enum MHD_Result upload_data(struct http *h, struct exchange *x, const char *data, size_t *n)
{
    size_t room = x->body.cap - x->body.n, take = *n < room ? *n : room;
    x->upload_end = *n == 0;
    if (h->body_bytes + take > 2 * HTTP_BODIES_BYTES_MAX)
        return MHD_NO;
    buf_put(&x->body, data, take);
    if (x->body.failed)
        return MHD_NO;
    h->body_bytes += take;
    *n -= take;
    if (!x->upload_end && x->body.n < x->body.cap)
        return MHD_YES;
    exchange_to(x, X_WAITING);
    x->since_ms = clock_mono_ms();
    h->hooks.uploaded(h->hooks.ctx, x->id);
    if (x->state == X_WAITING)
        exchange_suspend(x);
    else if (x->state == X_ANSWERED)
        *n = 0; /* refused at once: what is left over would lie in the library until more came, perhaps for
                   ever */
    return MHD_YES;
}

struct slice http_upload(struct http *h, uint64_t id, bool *end)
{
    struct exchange *x = exchange_find(h, id);
    *end = x && x->upload_end;
    return x && x->upload ? buf_slice(&x->body) : slice_of(NULL, 0);
}

void http_upload_took(struct http *h, uint64_t id, size_t n)
{
    struct exchange *x = exchange_find(h, id);
    if (!x || !x->upload)
        return;
    bourn_assert(n <= x->body.n);
    memmove(x->body.p, x->body.p + n, x->body.n - n);
    explicit_bzero(x->body.p + x->body.n - n, n);
    x->body.n -= n;
    h->body_bytes -= n;
    x->since_ms = clock_mono_ms(); /* the time that an answer may take begins anew with each piece */
}

void http_upload_more(struct http *h, uint64_t id)
{
    struct exchange *x = exchange_find(h, id);
    if (!x || x->state != X_WAITING || !x->upload)
        return;
    bourn_assert(!x->upload_end && x->body.n < x->body.cap);
    exchange_to(x, X_UPLOAD);
    exchange_resume(x);
}
