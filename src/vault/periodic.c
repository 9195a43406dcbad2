/* What comes round: answers that waited for a checkpoint, the store's commit, the snapshot of prev, segments
 * of the journal that nobody needs any more. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#define PREV_SAVE_TIMES 16 /* the journal of so many times a snapshot's bytes */

/* A snapshot of few people costs little, and lets the journal use its segments again instead of making more.
 */
static uint64_t save_prev_after(const struct vault *v)
{
    uint64_t bytes = PREV_SAVE_TIMES * prev_snapshot_bytes(v->prev);
    bytes = bytes < PREV_SAVE_BYTES_MIN ? PREV_SAVE_BYTES_MIN : bytes;
    return bytes < PREV_SAVE_BYTES ? bytes : PREV_SAVE_BYTES;
}

enum bourn_err save_prev(struct vault *v)
{
    enum bourn_err err = prev_save(v->prev, v->cell, v->sequence);
    if (err == BOURN_E_FULL) {
        log_warning("%s; the snapshot of prev waits for space", err_text());
        v->bytes_since_prev = save_prev_after(v) / 2;
        return BOURN_OK;
    }
    if (err == BOURN_OK) {
        v->prev_mark = v->sequence;
        v->bytes_since_prev = 0;
    }
    return err;
}

static void release_journal(struct vault *v, const struct worker_state *ws)
{
    uint64_t low = v->store_mark < v->prev_mark ? v->store_mark : v->prev_mark;
    journal_release(v->journal, ws->files_sequence < low ? ws->files_sequence : low);
}

/* Whether a waiting answer may leave now: what it waited for is there, or its time is over. */
static enum bourn_err still_waits(struct vault *v, struct answer *a, const struct worker_state *ws,
                                  uint64_t cosigned, bool *ready)
{
    bool late = v->now_ms >= a->deadline_ms;
    bool cosignature = a->wait_cosigned && a->receipt >= cosigned;
    if (a->later) {
        enum bourn_err err = answer_complete(v, a, ready);
        if (err == BOURN_OK && !*ready && late) {
            answer_withhold(a);
            answer_problem(a, 503, cosignature ? "cosignature_late" : "checkpoint_late",
                           "the %s late: try again",
                           cosignature ? "witnesses' cosignature is" : "ledger's signer is");
            *ready = true;
        }
        return err;
    }
    bool covered = a->receipt < ws->signed_size && !cosignature;
    *ready = covered || late;
    if (!covered && late) { /* logged, but never released: the ledger says more than happened */
        answer_withhold(a);
        answer_problem(a, 503, cosignature ? "cosignature_late" : "checkpoint_late",
                       "the %s over this disclosure is late: nothing was released; try again",
                       cosignature ? "witnesses' cosignature" : "checkpoint");
    }
    return BOURN_OK;
}

enum bourn_err vault_published(struct vault *v)
{
    struct worker_state ws;
    struct answer *next, *still = NULL;
    uint64_t drain;
    if (read(worker_wait_fd(v->worker), &drain, sizeof drain) < 0 && errno != EAGAIN)
        return err_sys(BOURN_E_IO, "eventfd of the ledger worker");
    worker_state(v->worker, &ws);
    metrics_published(v, ws.signed_size);
    uint64_t cosigned = witnesses_cosigned(v);
    for (struct answer *a = v->waiting; a; a = next) {
        next = a->next;
        bool ready = false;
        enum bourn_err err = still_waits(v, a, &ws, cosigned, &ready);
        if (err == BOURN_OK && !ready) {
            a->next = still;
            still = a;
            continue;
        }
        if (err == BOURN_OK)
            err = answer_pass(v, a);
        if (err)
            return err;
    }
    v->waiting = still;
    enum bourn_err err = ws.failed ? worker_failure(v->worker) : witnesses_turn(v);
    return err ? err : webhooks_turn(v);
}

/* While nobody asks, the disk is better used than while the next one waits. */
static bool store_commit_due(const struct vault *v)
{
    uint64_t rows = store_changed_rows(v->store);
    uint64_t idle_ms = v->now_ms - v->asked_ns / 1000000;
    return rows >= STORE_COMMIT_ROWS || (rows && (v->now_ms - v->store_committed_ms >= STORE_COMMIT_MS ||
                                                  idle_ms >= STORE_COMMIT_IDLE_MS));
}

enum bourn_err vault_tick(struct vault *v, unsigned *next_ms)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct worker_state ws;
    uint64_t wall = clock_wall_s();
    v->now = wall > v->last_time ? wall : v->last_time;
    v->now_ms = clock_mono_ms();
    bool room = vault_asked(v) && journal_free_bytes(v->journal, false) >= BATCH_BYTES_MAX &&
                v->now_ms >= v->full_until_ms;
    if (room) {
        TRY(refusals_flush(v, false));
        TRY(expire(v));
        TRY(sweep(v));
        TRY(idempotency_sweep(v));
        TRY(vault_commit(v));
    }
    if (v->waiting)
        TRY(vault_published(v));
    TRY(witnesses_tick(v));
    TRY(webhooks_turn(v));
    if (store_commit_due(v))
        TRY(commit_store(v));
    if (v->bytes_since_prev >= save_prev_after(v))
        TRY(save_prev(v));
    worker_state(v->worker, &ws);
    release_journal(v, &ws);
    if (ws.failed) {
        err = worker_failure(v->worker);
        goto out;
    }
    unsigned webhooks_ms = webhooks_next_ms(v);
    *next_ms = store_count(v->store, STORE_SWEEP) && room ? 5 : 200;
    *next_ms = webhooks_ms < *next_ms ? webhooks_ms : *next_ms;
    err = BOURN_OK;
out:
    return err;
}
