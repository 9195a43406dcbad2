#include "vault/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPARE_MAX = 256, SPARE_BYTES_MAX = 16 << 10 };

struct answer *answer_new(struct vault *v, const struct request *r, uint64_t route)
{
    struct answer_pool *pool = &v->spare_answers;
    struct answer *a = pool->first;
    if (a) {
        pool->first = a->next;
        pool->n--;
        *a = (struct answer){.pool = pool, .detail = a->detail, .missing = a->missing, .body = a->body};
    } else {
        a = calloc(1, sizeof *a);
        if (!a)
            return NULL;
        a->pool = pool;
        buf_init(&a->detail, 2048);
        buf_init(&a->missing, 64 * 1024);
        buf_init_secret(&a->body, REPLY_BYTES_MAX);
    }
    a->route = route;
    a->op = r->op <= REQ_OP_MAX ? r->op : 0;
    a->id = r->id;
    a->receipt = REPLY_NO_RECEIPT;
    a->status = 500;
    a->code = "internal"; /* a handler that forgets to answer fails closed */
    *v->answers_tail = a;
    v->answers_tail = &a->next;
    return a;
}

void answer_withhold(struct answer *a)
{
    release_free(a->release);
    a->release = NULL;
    a->wait_signed = a->wait_cosigned = false;
    wish_drop(a->wish);
    a->wish = NULL;
    a->later = NULL;
}

void answer_wait(struct vault *v, struct answer *a, size_t rows, bool transfer)
{
    enum release_level level = rows ? witnesses_release(v, transfer) : RELEASE_DURABLE;
    a->wait_signed = level >= RELEASE_SIGNED;
    a->wait_cosigned = level >= RELEASE_COSIGNED;
    a->deadline_ms = v->now_ms + SIGNED_WAIT_MS_MAX;
}

static void destroy(struct answer *a)
{
    buf_release(&a->detail);
    buf_release(&a->missing);
    buf_release(&a->body);
    free(a);
}

void answer_free(struct answer *a)
{
    struct answer_pool *pool = a->pool;
    answer_withhold(a);
    if (pool->n == SPARE_MAX || a->body.size > SPARE_BYTES_MAX || a->missing.size > SPARE_BYTES_MAX) {
        destroy(a);
        return;
    }
    buf_clear(&a->detail);
    buf_clear(&a->missing);
    buf_clear(&a->body);
    a->next = pool->first;
    pool->first = a;
    pool->n++;
}

void answer_pool_free(struct answer_pool *pool)
{
    struct answer *next;
    for (struct answer *a = pool->first; a; a = next) {
        next = a->next;
        destroy(a);
    }
    *pool = (struct answer_pool){0};
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

bool body_object(const struct request *r, struct json_value *body, struct answer *a)
{
    bool json = json_check(r->body, body) == BOURN_OK;
    if (json && body->type == JSON_OBJECT)
        return true;
    answer_problem(a, 400, "json_malformed", "a JSON object is needed: %s",
                   json ? "the body is another value" : err_text());
    return false;
}

static enum bourn_err send_now(struct vault *v, struct answer *a)
{
    enum bourn_err err = a->release ? release_open(v, a->release, &a->body) : BOURN_OK;
    if (err == BOURN_E_NOT_FOUND && a->op == REQ_EXPORT) {
        answer_problem(a, 403, "signature_invalid", EXPORT_REFUSED);
    } else if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
    } else if (err) {
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

enum bourn_err answer_complete(struct vault *v, struct answer *a, bool *ready)
{
    enum bourn_err err = a->later(v, a, ready);
    if (!err || err == BOURN_E_IO || err == BOURN_E_INTERNAL)
        return err;
    log_error("%s", err_text());
    answer_withhold(a);
    answer_problem(a, 500, "record_damaged",
                   "what the ledger's files hold does not check; the operator was told");
    *ready = true;
    return BOURN_OK;
}

/* --- answers whose time would tell
 * --------------------------------------------------------------------------------
 * Work for somebody unknown, erased or known differs by some microseconds, however alike it is made. So what
 * leaves does not leave when the work is done, but a multiple of HOLD_US after its turn began: the first one
 * that is still to come. Not at ticks of a common clock: a client could ask just before one, and learn of the
 * work which side of the tick it ended on. */

void answer_hold(struct answer *a, size_t names)
{
    a->hold_ns = HOLD_US * 1000ull * ((names + HOLD_NAMES - 1) / HOLD_NAMES);
}

static size_t held_size(const struct answer *a)
{
    return a->body.n + a->missing.n + (a->release ? a->release->sealed.n + a->release->names.n : 0);
}

/* Nearly always at the end: only a longer hold makes a later one due before an earlier one. */
static void hold(struct vault *v, struct answer *a)
{
    struct answer **at = v->held && v->held_last->due_ns <= a->due_ns ? &v->held_last->next : &v->held;
    while (*at && (*at)->due_ns <= a->due_ns)
        at = &(*at)->next;
    a->next = *at;
    *at = a;
    if (!a->next)
        v->held_last = a;
    v->held_n++;
    v->held_bytes += held_size(a);
}

enum bourn_err answer_pass(struct vault *v, struct answer *a)
{
    if (!a->hold_ns)
        return send_now(v, a);
    uint64_t took = clock_ns(CLOCK_MONOTONIC) - a->taken_ns;
    a->due_ns = a->taken_ns + a->hold_ns * (took / a->hold_ns + 1);
    hold(v, a);
    return BOURN_OK;
}

uint64_t vault_held_until_ns(const struct vault *v)
{
    return v->held ? v->held->due_ns : UINT64_MAX;
}

enum bourn_err vault_release_held(struct vault *v)
{
    enum bourn_err err = BOURN_OK;
    uint64_t now = v->held ? clock_ns(CLOCK_MONOTONIC) : 0;
    while (err == BOURN_OK && v->held && v->held->due_ns <= now) {
        struct answer *a = v->held;
        v->held = a->next;
        v->held_n--;
        v->held_bytes -= held_size(a);
        err = send_now(v, a);
    }
    return err;
}
