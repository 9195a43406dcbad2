/* Making the open batch durable, and answering it: one frame in the journal, one sync. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"

/* Any failure from here on leaves the durable state unknown or unfit: the caller exits, recovery sorts it
 * out. */
static enum bourn_err append_frame(struct vault *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t head[16], lengths[3][4];
    be_put(head, v->batch_first, 8);
    be_put(head + 8, v->entries_n, 4);
    be_put(head + 12, v->entries.n, 4);
    be_put(lengths[0], v->heads.n, 4);
    be_put(lengths[1], v->ops.n, 4);
    be_put(lengths[2], v->erased.n, 4);
    struct slice parts[] = {
        slice_of(head, 16),      buf_slice(&v->entries), slice_of(lengths[0], 4), buf_slice(&v->heads),
        slice_of(lengths[1], 4), buf_slice(&v->ops),     slice_of(lengths[2], 4), buf_slice(&v->erased),
    };
    TRY(buf_check(&v->ops));
    TRY(buf_check(&v->erased));
    if (v->new_slots)
        TRY(slots_sync(v->slots));
    TRY(journal_append(v->journal, parts, 8, v->reserved, &v->sequence));
    v->bytes_since_prev += 64;
    for (size_t i = 0; i < 8; i++)
        v->bytes_since_prev += parts[i].n;
    for (size_t i = 0; i < v->erased.n; i += 8)
        TRY(slots_zero(v->slots, be_get(v->erased.p + i, 8)));
    if (v->erased.n)
        TRY(slots_sync(v->slots));
    err = BOURN_OK;
out:
    return err;
}

/* Rolls the batch back to the durable truth. Requests that had been answered well are refused; those that had
 * a problem keep their answer. */
static enum bourn_err refuse_batch(struct vault *v, uint32_t status, const char *code, const char *detail)
{
    enum bourn_err err = vault_rewind(v);
    struct answer *next;
    v->metrics.refused_batches++;
    for (struct answer *a = v->answers; a && err == BOURN_OK; a = next) {
        next = a->next;
        a->receipt = REPLY_NO_RECEIPT;
        answer_withhold(a);
        if (a->status < 400)
            answer_problem(a, status, code, "%s", detail);
        err = answer_pass(v, a);
        v->answers = next;
    }
    if (err == BOURN_OK) {
        v->answers_tail = &v->answers;
        batch_clear(v);
    }
    return err;
}

/* Hands the answers out: what may leave once durable now or when its time comes, the others when a checkpoint
 * covers their entry. */
static enum bourn_err answer_durable(struct vault *v, bool *urgent)
{
    struct answer *next;
    for (struct answer *a = v->answers; a; a = next) {
        next = a->next;
        a->next = NULL;
        bool ready = !a->wait_signed && !a->later;
        if (a->later) {
            enum bourn_err err = answer_complete(v, a, &ready);
            if (err)
                return err;
        }
        if (!ready) {
            a->next = v->waiting;
            v->waiting = a;
            *urgent = *urgent || a->wait_signed;
            continue;
        }
        enum bourn_err err = answer_pass(v, a);
        if (err)
            return err;
    }
    v->answers = NULL;
    v->answers_tail = &v->answers;
    return BOURN_OK;
}

/* A batch that took in all that comes would leave the clients' side idle while it is decided, and this one
 * while they are answered. What is lost to a sync for each batch stays a third of the time at most. */
static void set_batch_time(struct vault *v, uint64_t commit_ns)
{
    const uint64_t least = BATCH_US_MIN * 1000ull, most = BATCH_US_MAX * 1000ull;
    v->batch_ns = 2 * commit_ns < least ? least : 2 * commit_ns > most ? most : 2 * commit_ns;
}

enum bourn_err vault_commit(struct vault *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    bool urgent = false;
    if (v->spoiled)
        return refuse_batch(v, 503, "try_again",
                            "another request of the same batch failed: nothing was changed");
    for (struct answer *a = v->answers; a; a = a->next)
        urgent = urgent || a->wait_signed;
    if (v->entries_n || v->ops.n) {
        uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
        err = append_frame(v);
        uint64_t took_ns = clock_ns(CLOCK_MONOTONIC) - begun_ns;
        metrics_commit(v, took_ns / 1000);
        set_batch_time(v, took_ns);
        if (err == BOURN_E_FULL) {
            log_error("%s; disclosures stop until there is space", err_text());
            v->full_until_ms = v->now_ms + 1000;
            return refuse_batch(
                v, 503, "storage_full",
                "the cell's volume has no room for the journal: nothing was changed or released; "
                "free space there");
        }
        if (err)
            goto out;
        if (v->entries_n) {
            worker_push(v->worker, buf_slice(&v->entries), v->batch_first, v->sequence, urgent);
            scrub_committed(v);
        }
    }
    TRY(answer_durable(v, &urgent));
    batch_clear(v);
    err = BOURN_OK;
out:
    return err;
}

bool vault_batch_full(const struct vault *v)
{
    return v->spoiled || (v->requests_n && v->asked_ns - v->taken_ns >= v->batch_ns) ||
           v->requests_n >= BATCH_REQUESTS_MAX || v->held_n >= HELD_ANSWERS_MAX ||
           v->held_bytes >= HELD_BYTES_MAX || v->entries.n + v->ops.n + v->heads.n > BATCH_BYTES_MAX / 4;
}
