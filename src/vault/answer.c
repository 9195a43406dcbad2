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
    struct release *rel = a->release;
    a->release = NULL;
    a->wait_signed = false;
    if (!rel)
        return;
    buf_release(&rel->sealed);
    free(rel->records);
    crypto_wipe(rel, sizeof *rel);
    free(rel);
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

/* Writes the released records as JSON. The plaintext is made here, after the entry is durable, and nowhere
 * else. */
static enum bourn_err open_records(struct vault *v, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct release *rel = a->release;
    if (!rel->single)
        buf_put_str(&a->body, "{\"records\":[");
    for (size_t i = 0; i < rel->records_n; i++) {
        const struct release_record *rec = &rel->records[i];
        buf_printf(&a->body, "%s{\"id\":%llu,\"version\":%llu,\"data\":", i ? "," : "",
                   (unsigned long long)rec->id, (unsigned long long)rec->version);
        uint8_t aad[RECORD_AAD_MAX];
        size_t aad_n =
            record_aad(aad, world_domicile(v->world), rel->label, rel->collection, rec->id, rec->version);
        uint8_t *to = buf_reserve(&a->body, rec->len - CRYPTO_SEAL_OVERHEAD);
        TRY(buf_check(&a->body));
        TRY(crypto_open(to, rel->key, slice_of(aad, aad_n), slice_of(rel->sealed.p + rec->at, rec->len)));
        a->body.n += rec->len - CRYPTO_SEAL_OVERHEAD;
        buf_put_str(&a->body, "}");
    }
    if (!rel->single && rel->next)
        buf_printf(&a->body, "],\"next\":%llu}", (unsigned long long)rel->next);
    else if (!rel->single)
        buf_put_str(&a->body, "],\"next\":null}");
    err = buf_check(&a->body);
out:
    return err;
}

enum bourn_err answer_send(struct vault *v, struct answer *a)
{
    if (a->release) {
        /* The key may have been destroyed while the answer waited for its signature. */
        if (prev_generation(v->prev, a->release->number) == PREV_ERASED) {
            answer_problem(a, 404, "not_found", "there is nothing to disclose");
        } else if (open_records(v, a) != BOURN_OK) {
            log_error("a stored record does not open: %s; run `bourn scrub`, and restore from backup",
                      err_text());
            answer_problem(a, 500, "record_damaged", "a stored record does not open; the operator was told");
        }
    }
    if (a->body.failed)
        answer_problem(a, 500, "limit", "the answer would be larger than %u bytes: ask for less",
                       REPLY_BYTES_MAX);
    struct reply r = {
        .id = a->id,
        .status = a->status,
        .type = a->type,
        .receipt = a->receipt,
        .etag = a->etag,
        .immutable = a->immutable,
        .code = slice_str(a->code),
        .detail = buf_slice(&a->detail),
        .missing = buf_slice(&a->missing),
        .body = buf_slice(&a->body),
    };
    v->answer(v->answer_ctx, a->route, &r);
    answer_free(a);
    return BOURN_OK;
}
