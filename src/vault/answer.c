#include "vault/internal.h"

#include "base/json.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct answer *answer_new(struct vault *v, const struct request *r, uint64_t route)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->route = route;
    a->op = r->op <= REQ_OP_MAX ? r->op : 0;
    a->id = r->id;
    a->receipt = REPLY_NO_RECEIPT;
    a->status = 500;
    a->code = "internal"; /* a handler that forgets to answer fails closed */
    buf_init(&a->detail, 2048);
    buf_init(&a->missing, 64 * 1024);
    buf_init_secret(&a->body, REPLY_BYTES_MAX);
    *v->answers_tail = a;
    v->answers_tail = &a->next;
    return a;
}

void answer_withhold(struct answer *a)
{
    release_free(a->release);
    a->release = NULL;
    a->wait_signed = false;
}

void answer_free(struct answer *a)
{
    answer_withhold(a);
    buf_release(&a->detail);
    buf_release(&a->missing);
    buf_release(&a->body);
    free(a);
}

void answer_problem(struct answer *a, uint32_t status, const char *code, const char *detail, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, detail);
    vsnprintf(text, sizeof text, detail, ap);
    va_end(ap);
    a->status = status;
    a->type = REPLY_NONE;
    a->code = code;
    a->etag = 0;
    buf_clear(&a->detail);
    buf_clear(&a->body);
    buf_put_str(&a->detail, text);
}

void answer_json(struct answer *a, uint32_t status)
{
    a->status = status;
    a->code = "";
    a->type = REPLY_JSON;
}

enum bourn_err answer_send(struct vault *v, struct answer *a)
{
    if (a->release && release_open(v, a->release, &a->body) != BOURN_OK) {
        log_error("a stored record does not open: %s; restore it from backup", err_text());
        answer_problem(a, 500, "record_damaged", "a stored record does not open; the operator was told");
    }
    if (a->body.failed)
        answer_problem(a, 500, "limit", "the answer would be larger than %u bytes: ask for less",
                       REPLY_BYTES_MAX);
    metrics_answer(v, a);
    struct reply r = {
        .id = a->id,
        .status = a->status,
        .type = a->type,
        .receipt = a->receipt,
        .etag = a->etag,
        .immutable = a->immutable,
        .next = a->next_cursor,
        .code = slice_str(a->code),
        .detail = buf_slice(&a->detail),
        .missing = buf_slice(&a->missing),
        .body = buf_slice(&a->body),
    };
    v->answer(v->answer_ctx, a->route, &r);
    answer_free(a);
    return BOURN_OK;
}
