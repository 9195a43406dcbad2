/* Answers that are longer than one reply: each page is a request of its own, which vault decides and logs by
 * itself; nothing of the page before counts. The next one is asked for when the client has taken this one. */
#include "role/front_internal.h"

#include "api/api.h"
#include "base/limits.h"

#include <stdlib.h>

struct kept *kept_new(struct front *f, uint64_t id, const struct request *r)
{
    void **own = http_own(f->http, id);
    struct kept *k = own && !*own ? calloc(1, sizeof *k) : NULL;
    if (!k)
        return NULL;
    buf_init_secret(&k->request, IPC_MESSAGE_BYTES_MAX);
    buf_init_secret(&k->rejected, IMPORT_REJECTS_LISTED_MAX * 1024u);
    request_encode(&k->request, r);
    if (buf_check(&k->request) != BOURN_OK) {
        kept_free(f, k);
        return NULL;
    }
    *own = k;
    return k;
}

struct kept *kept_of(struct front *f, uint64_t id)
{
    void **own = http_own(f->http, id);
    return own ? *own : NULL;
}

void kept_free(void *ctx, void *kept)
{
    struct kept *k = kept;
    (void)ctx;
    buf_release(&k->request);
    buf_release(&k->rejected);
    free(k);
}

/* The page as the client gets it: one of a bulk disclosure ends with the receipt of its entry. A person's own
 * copy is the file that imports elsewhere, so nothing but records stands in it. */
static struct slice page(struct front *f, uint32_t op, const struct reply *reply)
{
    if (op != REQ_DISCLOSE)
        return reply->body;
    buf_clear(&f->page);
    buf_put_slice(&f->page, reply->body);
    if (reply->receipt != REPLY_NO_RECEIPT)
        buf_printf(&f->page, "{\"receipt\":%llu}\n", (unsigned long long)reply->receipt);
    return buf_slice(&f->page);
}

static void forget_page(struct front *f)
{
    buf_clear(&f->page);
    if (f->page.size > STREAM_TAIL_BYTES_MAX)
        buf_release(&f->page);
}

void stream_first(struct front *f, uint32_t op, const struct reply *reply)
{
    struct http_response r;
    struct kept *k = kept_of(f, reply->id);
    api_response(op, reply, &f->scratch, &r);
    if (reply->status < 400)
        r.body = page(f, op, reply);
    if (reply->status < 400 && reply->next && k) {
        k->next = reply->next;
        http_answer_stream(f->http, reply->id, &r);
    } else {
        http_answer(f->http, reply->id, &r);
    }
    forget_page(f);
}

void stream_wanted(void *ctx, uint64_t id)
{
    struct front *f = ctx;
    struct kept *k = kept_of(f, id);
    struct request r;
    bourn_assert(k && k->next);
    bourn_assert(request_decode(buf_slice(&k->request), REQ_FROM_FRONT, &r) == BOURN_OK);
    r.id = id;
    r.number = k->next;
    enum bourn_err err = front_send(f, &r);
    if (err)
        front_refuse(f, id, 503, "overloaded", "Too many requests wait; try again later.");
}

void stream_next(struct front *f, uint32_t op, const struct reply *reply)
{
    struct kept *k = kept_of(f, reply->id);
    if (!k)
        return;
    if (reply->status >= 400) {
        struct http_response r;
        api_response(op, reply, &f->scratch, &r);
        stream_refuse(f, reply->id, &r);
        return;
    }
    k->next = reply->next;
    http_append(f->http, reply->id, page(f, op, reply), reply->next == 0);
    forget_page(f);
}

/* Status and headers are long gone. Lines can say what went wrong; of octets only a cut says it. */
void stream_refuse(struct front *f, uint64_t id, const struct http_response *problem)
{
    uint32_t op;
    if (!http_tag(f->http, id, &op))
        return;
    if (op != REQ_DISCLOSE && op != REQ_EXPORT) {
        http_abort(f->http, id);
        return;
    }
    struct slice json = problem->body;
    if (json.n && json.p[json.n - 1] == '\n')
        json.n--;
    buf_clear(&f->page);
    buf_put_str(&f->page, "{\"error\":");
    buf_put_slice(&f->page, json);
    buf_put_str(&f->page, "}\n");
    http_append(f->http, id, buf_slice(&f->page), true);
    forget_page(f);
}
