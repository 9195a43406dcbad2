/* GET /metrics for the operator's monitoring: a listener of its own, on loopback, so that no proxy before the
 * public one can pass it on by mistake. */
#include "role/front_internal.h"

#include "api/api.h"

static bool on_request(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                       struct http_response *r, struct buf *body)
{
    struct front *f = ctx;
    const struct request request = {.id = id | METRICS_ID, .op = REQ_METRICS};
    bool known = slice_is(q->path, "/metrics") && !q->query.n;
    *tag = request.op;
    if (known && (slice_is(q->method, "GET") || slice_is(q->method, "HEAD"))) {
        if (front_send(f, &request) == BOURN_OK)
            return false;
        http_problem(r, body, 503, slice_str("overloaded"), slice_str("Too many requests wait."),
                     slice_of(NULL, 0));
    } else if (known) {
        http_problem(r, body, 405, slice_str("method_not_allowed"), slice_str("Use GET."), slice_of(NULL, 0));
        http_header(r, "Allow", "GET, HEAD");
    } else {
        http_problem(r, body, 404, slice_str("route_unknown"), slice_str("There is /metrics alone."),
                     slice_of(NULL, 0));
    }
    return true;
}

enum bourn_err metrics_start(struct front *f, int listener)
{
    static const char *const no_headers[] = {NULL};
    const struct http_hooks hooks = {.ctx = f, .handle = on_request};
    return http_start(listener, no_headers, &hooks, NULL, &f->metrics);
}

void metrics_reply(struct front *f, const struct reply *reply)
{
    struct http_response r;
    api_response(REQ_METRICS, reply, &f->scratch, &r);
    if (reply->status < 400)
        r.type = "text/plain; version=0.0.4; charset=utf-8";
    if (f->metrics)
        http_answer(f->metrics, reply->id & ~METRICS_ID, &r);
}
