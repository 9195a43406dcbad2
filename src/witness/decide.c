/* One submission: the checks of tlog-witness in their order, then keep, then sign. The lines of the answer
 * leave only after io_write_new has synced file and folder. */
#include "witness/internal.h"

#include "base/log.h"

static enum bourn_err refuse(struct witness_answer *a, uint32_t status, const char *code, const char *why)
{
    a->status = status;
    a->type = NULL;
    a->code = code;
    buf_clear(a->body);
    buf_put_str(a->body, why);
    return BOURN_OK;
}

static struct witness_log *find(struct witness *w, struct slice origin)
{
    for (size_t i = 0; i < w->logs_n; i++)
        if (slice_is(origin, w->logs[i].origin))
            return &w->logs[i];
    return NULL;
}

/* The trusted key whose signature is good: one at least, and none of them a bad one. BOURN_E_CRYPTO, or
 * BOURN_E_FORMAT for lines that are no signatures. */
static enum bourn_err signer_of(const struct witness *w, const struct merkle_submission *s,
                                const struct merkle_vkey **by)
{
    *by = NULL;
    for (size_t i = 0; i < w->trusted_n; i++) {
        const struct merkle_vkey *k = &w->trusted[i];
        if (!slice_is(s->cp.origin, k->name))
            continue;
        enum bourn_err err = merkle_note_verify(s->note, k);
        if (err == BOURN_OK)
            *by = *by ? *by : k;
        else if (err != BOURN_E_NOT_FOUND)
            return err;
    }
    return *by ? BOURN_OK : BOURN_E_CRYPTO;
}

/* False with the refusal made. */
static bool consistent(const struct witness_log *log, const struct merkle_submission *s,
                       struct witness_answer *a)
{
    struct merkle_hash empty;
    const char *why = NULL;
    merkle_empty(&empty);
    if (s->cp.size == 0 && memcmp(s->cp.root.b, empty.b, sizeof empty.b) != 0)
        why = "A checkpoint of size 0 has the root of the empty tree.";
    else if (s->old == 0 && s->proof_n)
        why = "A proof from size 0 is empty.";
    else if (s->old == s->cp.size && memcmp(s->cp.root.b, log->root.b, sizeof log->root.b) != 0)
        why = "Another root of this size was cosigned before.";
    else if (!merkle_verify_consistency(s->old, &log->root, s->cp.size, &s->cp.root, s->proof, s->proof_n))
        why = "The consistency proof does not verify.";
    if (!why)
        return true;
    if (log->kept) /* signed by the log and against what it signed before: somebody should look */
        log_warning("%s: a signed checkpoint of size %llu does not extend the one kept, of size %llu: %s",
                    log->origin, (unsigned long long)s->cp.size, (unsigned long long)log->size, why);
    (void)refuse(a, 422, "inconsistent", why);
    return false;
}

static enum bourn_err conflict(struct witness_answer *a, uint64_t size)
{
    a->status = 409;
    a->type = "text/x.tlog.size";
    buf_clear(a->body);
    buf_printf(a->body, "%llu\n", (unsigned long long)size);
    return buf_check(a->body);
}

/* Keeps the checkpoint as the log's last one, unless it is that already. */
static enum bourn_err keep(struct witness *w, struct witness_log *log, const struct merkle_submission *s,
                           const struct merkle_vkey *by, struct slice line)
{
    char name[WITNESS_STATE_NAME_BYTES];
    if (log->kept && log->size == s->cp.size)
        return BOURN_OK;
    buf_clear(&w->scratch);
    merkle_note_keep(&w->scratch, s->note, by);
    buf_put_slice(&w->scratch, line);
    enum bourn_err err = buf_check(&w->scratch);
    if (err)
        return err;
    witness_state_name(log->origin, name);
    if ((err = io_write_new(w->dir, name, buf_slice(&w->scratch), true)) != BOURN_OK)
        return err;
    log->kept = true;
    log->size = s->cp.size;
    log->root = s->cp.root;
    return BOURN_OK;
}

static enum bourn_err cosign(struct witness *w, struct witness_log *log, const struct merkle_submission *s,
                             const struct merkle_vkey *by, uint64_t now_s, struct witness_answer *a)
{
    if (now_s + CLOCK_BACK_S_MAX < w->last_time)
        return refuse(a, 503, "clock_backwards", "This witness's clock is behind what it signed last.");
    uint64_t time = now_s > w->last_time ? now_s : w->last_time;
    buf_clear(a->body);
    merkle_cosign(a->body, s->cp.body, &w->key, w->secret, time);
    enum bourn_err err = buf_check(a->body);
    if (!err)
        err = keep(w, log, s, by, buf_slice(a->body));
    if (err == BOURN_E_FULL) {
        log_error("%s; nothing is cosigned until there is space", err_text());
        return refuse(a, 503, "storage_full", "This witness has no room to keep the checkpoint.");
    }
    if (err) {
        buf_clear(a->body);
        return err;
    }
    w->last_time = time;
    a->status = 200;
    a->type = "text/plain; charset=utf-8";
    return BOURN_OK;
}

enum bourn_err witness_add_checkpoint(struct witness *w, struct slice request, uint64_t now_s,
                                      struct witness_answer *a)
{
    struct merkle_submission s;
    a->status = 500;
    a->type = NULL;
    a->code = "internal";
    if (merkle_submission_get(request, &s) != BOURN_OK)
        return refuse(a, 400, "submission_malformed", err_text());
    struct witness_log *log = find(w, s.cp.origin);
    if (!log)
        return refuse(a, 404, "origin_unknown", "This witness does not know the log.");
    const struct merkle_vkey *by;
    enum bourn_err err = signer_of(w, &s, &by);
    if (err && err != BOURN_E_CRYPTO)
        return refuse(a, 400, "submission_malformed", err_text());
    if (err)
        return refuse(a, 403, "signature_invalid",
                      "No trusted key of the log signed it, or one did not well.");
    if (s.old > s.cp.size)
        return refuse(a, 400, "old_too_large", "The old size is larger than the checkpoint's.");
    if (s.old != log->size)
        return conflict(a, log->size);
    if (!consistent(log, &s, a))
        return BOURN_OK;
    return cosign(w, log, &s, by, now_s, a);
}
