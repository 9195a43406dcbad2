/* POST /v1/import: NDJSON of any length, cut at line ends into batches of vault's size. One batch is under
 * way at a time, and nothing is read beyond one buffer meanwhile; a client that goes away leaves whole
 * batches. */
#include "role/front_internal.h"

#include "api/api.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

bool upload_head(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag, bool *upload,
                 struct http_response *r, struct buf *body)
{
    struct front *f = ctx;
    struct request request = {.id = id};
    if (!api_upload(q))
        return false;
    if (!api_request(q, &f->scratch, &request, r))
        return true;
    *tag = request.op;
    request.number = 1;
    request.body = slice_str("\n"); /* each batch takes this place */
    struct kept *k = kept_new(f, id, &request);
    if (!k) {
        http_problem(r, body, 503, slice_str("overloaded"), slice_str("Too many requests; try again later."),
                     slice_of(NULL, 0));
        return true;
    }
    k->upload = *upload = true;
    k->line = 1;
    return false;
}

/* The whole lines that make the next batch. */
static size_t cut(struct slice data, size_t *lines)
{
    size_t n = 0;
    *lines = 0;
    while (*lines < IMPORT_BATCH_ROWS_MAX && n < data.n) {
        const uint8_t *stop = memchr(data.p + n, '\n', data.n - n);
        size_t to = stop ? (size_t)(stop - data.p) + 1 : 0;
        if (!stop || to > IMPORT_CUT_BYTES_MAX)
            break;
        n = to;
        ++*lines;
    }
    return n;
}

static void finish(struct front *f, uint64_t id, struct kept *k)
{
    struct http_response r = {.status = 200, .type = "application/json"};
    http_header(&r, "Cache-Control", "no-store");
    buf_clear(&f->page);
    buf_printf(&f->page, "{\"stored\":%llu,\"skipped\":%llu,\"rejected\":[", (unsigned long long)k->stored,
               (unsigned long long)k->skipped);
    buf_put_slice(&f->page, buf_slice(&k->rejected));
    buf_printf(&f->page, "],\"rejected_count\":%llu}\n", (unsigned long long)k->rejected_n);
    r.body = buf_slice(&f->page);
    http_answer(f->http, id, &r);
    buf_release(&f->page);
}

static void send_batch(struct front *f, uint64_t id, struct kept *k, struct slice data)
{
    struct request r;
    bourn_assert(request_decode(buf_slice(&k->request), REQ_FROM_FRONT, &r) == BOURN_OK);
    buf_clear(&f->page);
    buf_put_slice(&f->page, data);
    if (data.p[data.n - 1] != '\n') /* the last line of a file may lack its end */
        buf_put_u8(&f->page, '\n');
    r.id = id;
    r.number = k->line;
    r.body = buf_slice(&f->page);
    k->sent_bytes = data.n;
    enum bourn_err err = front_send(f, &r);
    buf_clear(&f->page);
    if (err)
        front_refuse(f, id, 503, "overloaded", "Too many requests wait; try again later.");
}

void upload_go_on(void *ctx, uint64_t id)
{
    struct front *f = ctx;
    struct kept *k = kept_of(f, id);
    bool end;
    bourn_assert(k && k->upload);
    struct slice data = http_upload(f->http, id, &end);
    size_t lines, n = cut(data, &lines);
    bool full = data.n >= REQUEST_BODY_BYTES_MAX;
    if (!end && !full && lines < IMPORT_BATCH_ROWS_MAX) {
        http_upload_more(f->http, id);
    } else if (n) {
        k->sent_lines = lines;
        send_batch(f, id, k, slice_of(data.p, n));
    } else if (data.n == 0) {
        finish(f, id, k);
    } else if (end && data.n < IMPORT_CUT_BYTES_MAX) {
        k->sent_lines = 1;
        send_batch(f, id, k, data);
    } else {
        front_refuse(f, id, 413, "line_too_long", "A line of an import may have 256 KiB.");
    }
}

/* {"row":0,"reason":"…"}, the row counted in its batch: the line counts in the whole upload. */
static bool list_rejected(struct kept *k, struct json_value list)
{
    struct json_member m;
    struct json_value row, reason;
    size_t at = 0;
    uint64_t n;
    while (json_next(list, &at, &m)) {
        if (!json_find(m.value, "row", &row) || !json_find(m.value, "reason", &reason) ||
            !decimal_get(row.raw, &n) || reason.type != JSON_STRING)
            return false;
        if (k->rejected_n++ >= IMPORT_REJECTS_LISTED_MAX || k->rejected.failed)
            continue;
        size_t before = k->rejected.n;
        buf_printf(&k->rejected, "%s{\"line\":%llu,\"reason\":", before ? "," : "",
                   (unsigned long long)(k->line + n));
        buf_put_slice(&k->rejected, reason.raw);
        buf_put_u8(&k->rejected, '}');
        if (k->rejected.failed)
            k->rejected.n = before; /* no room: it is counted */
    }
    return true;
}

static bool count(struct json_value report, const char *name, uint64_t *sum)
{
    struct json_value v;
    uint64_t n;
    if (!json_find(report, name, &v) || !decimal_get(v.raw, &n))
        return false;
    *sum += n;
    return true;
}

void upload_reply(struct front *f, const struct reply *reply)
{
    struct kept *k = kept_of(f, reply->id);
    struct json_value report, rejected;
    if (!k)
        return;
    if (reply->status >= 400) {
        struct http_response r;
        api_response(REQ_IMPORT, reply, &f->scratch, &r);
        upload_refuse(f, reply->id, &r, &f->scratch);
        return;
    }
    if (json_check(reply->body, &report) != BOURN_OK || !count(report, "stored", &k->stored) ||
        !count(report, "skipped", &k->skipped) || !json_find(report, "rejected", &rejected) ||
        rejected.type != JSON_ARRAY || !list_rejected(k, rejected)) {
        f->ring_err = err_set(BOURN_E_FORMAT, "vault's report on an import cannot be read");
        return;
    }
    k->line += k->sent_lines;
    http_upload_took(f->http, reply->id, k->sent_bytes);
    upload_go_on(f, reply->id);
}

/* The problem, with what was done before it: `body` holds the problem and is written on. */
void upload_refuse(struct front *f, uint64_t id, struct http_response *problem, struct buf *body)
{
    struct kept *k = kept_of(f, id);
    static const char end[] = "}\n";
    if (k && body->n > sizeof end - 1) {
        body->n -= sizeof end - 1;
        buf_printf(body, ",\"line\":%llu,\"stored\":%llu,\"skipped\":%llu}\n", (unsigned long long)k->line,
                   (unsigned long long)k->stored, (unsigned long long)k->skipped);
        problem->body = buf_slice(body);
    }
    http_answer(f->http, id, problem);
}
