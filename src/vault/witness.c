/* One checkpoint at a time is brought to all witnesses: a newer one takes its place once the quorum has
 * cosigned it, or once nobody is asked about it any more. So a slow witness holds up nobody, and the
 * signatures of a quorum always stand under one and the same checkpoint. */
#include "vault/witness_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ledger/ledger.h"
#include "merkle/witness.h"

#include <stdio.h>
#include <stdlib.h>

/* --- asking */

static bool asked(const struct witnesses *w)
{
    for (size_t i = 0; i < w->policy->witnesses_n; i++)
        if (w->of[i].asked_size)
            return true;
    return false;
}

/* The newest checkpoint becomes the one at hand, if the one before is done with. */
static enum bourn_err move_on(struct vault *v)
{
    struct witnesses *w = v->witnesses;
    uint64_t size;
    if (w->size && !w->met && asked(w))
        return BOURN_OK;
    buf_clear(&w->scratch);
    size = worker_note(v->worker, &w->scratch);
    if (size == w->size || !size)
        return buf_check(&w->scratch);
    buf_clear(&w->note);
    buf_clear(&w->lines);
    buf_put_slice(&w->note, buf_slice(&w->scratch));
    w->size = size;
    w->met = false;
    w->newest = 0;
    for (size_t i = 0; i < w->policy->witnesses_n; i++)
        w->of[i].at_hand = false;
    return buf_check(&w->note);
}

static enum bourn_err ask(struct vault *v, size_t i)
{
    struct witnesses *w = v->witnesses;
    struct one *o = &w->of[i];
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(ledger_prove_consistency(v->cell, o->known, w->size, proof, &n));
    buf_clear(&w->scratch);
    merkle_submission_put(&w->scratch, o->known, proof, n, buf_slice(&w->note));
    TRY(buf_check(&w->scratch));
    TRY(v->relay.post(v->relay.ctx, (uint32_t)i, w->policy->witness[i].url, buf_slice(&w->scratch)));
    o->asked_size = w->size;
out:
    return err;
}

/* --- at the start
 * A restored backup of everything, the signer's head included, knows nothing of what was signed since. The
 * witnesses do. A cosignature says: at this time I had seen no larger tree of this log; so a quorum of them
 * on the head that the signer keeps is what lets the cell sign on. The size in a 409 is nobody's signature,
 * and is believed only where it could have been one: where those who say so are a quorum by themselves. Fewer
 * of them stop nothing, as fewer cosignatures prove nothing. */

static void let_go(struct vault *v)
{
    v->witnesses->unasked = false;
    worker_let_go(v->worker);
}

/* Refused, if a quorum says that it has seen another history than this one. */
static enum bourn_err check_claims(const struct vault *v)
{
    const struct witnesses *w = v->witnesses;
    uint64_t who = 0, least = UINT64_MAX;
    for (size_t i = 0; i < w->policy->witnesses_n; i++) {
        uint64_t size = w->of[i].claims;
        who |= (uint64_t)(size != 0) << i;
        least = size && size < least ? size : least;
    }
    if (!who || !merkle_policy_met(w->policy, who))
        return BOURN_OK;
    if (least > v->next_index)
        return restored_shorter("a quorum of the witnesses", least, v->next_index);
    return err_set(BOURN_E_CORRUPT,
                   "a quorum of the witnesses has seen another history of this log, of %llu entries or more, "
                   "where the signer knows of %llu: an old backup was put back. Nothing new was "
                   "signed. " RESTORED_GO_ON,
                   (unsigned long long)least, (unsigned long long)w->published);
}

enum bourn_err witnesses_turn(struct vault *v)
{
    enum bourn_err err = BOURN_OK;
    struct witnesses *w = v->witnesses;
    struct worker_state ws;
    if (w->unasked && (w->met || !witnesses_wanted(w))) /* or the operator took the policy away */
        let_go(v);
    if (!w->policy)
        return BOURN_OK;
    worker_state(v->worker, &ws);
    if (ws.signed_size > w->published && w->published <= w->cosigned_size)
        w->cosigned_ms = clock_mono_ms(); /* from now on something waits */
    w->published = ws.signed_size;
    if (!v->relay.post)
        return BOURN_OK;
    TRY(move_on(v));
    for (size_t i = 0; w->size && i < w->policy->witnesses_n && err == BOURN_OK; i++) {
        const struct one *o = &w->of[i];
        if (w->policy->witness[i].url[0] && !o->at_hand && !o->asked_size && o->known <= w->size &&
            clock_mono_ms() >= o->due_ms)
            err = ask(v, i);
    }
out:
    return err;
}

/* --- answers */

static void told(struct vault *v, size_t i, enum outcome outcome, const char *what)
{
    struct one *o = &v->witnesses->of[i];
    const char *name = v->witnesses->policy->witness[i].key.name;
    bool news = outcome != o->outcome || strcmp(what, o->said) != 0;
    snprintf(o->said, sizeof o->said, "%s", what);
    if (news && outcome == COSIGNED)
        log_info("the witness %s cosigns", name);
    else if (news && outcome == FORKED)
        log_error("the witness %s has seen another history of this log: %s. Was the cell copied, or an old "
                  "backup restored? Do not serve it on: nothing can be hidden from who holds the other one",
                  name, what);
    else if (news)
        log_warning("the witness %s does not cosign: %s", name, what);
    o->outcome = outcome;
    if (outcome != FORKED)
        o->claims = 0;
    if (outcome == COSIGNED) {
        o->failures = 0;
        return;
    }
    uint64_t wait_ms = (uint64_t)WITNESS_RETRY_MS_MIN << (o->failures < 8 ? o->failures : 8);
    o->failures++;
    o->due_ms = clock_mono_ms() + (wait_ms < WITNESS_RETRY_MS_MAX ? wait_ms : WITNESS_RETRY_MS_MAX);
}

static uint64_t mask(const struct witnesses *w)
{
    uint64_t out = 0;
    for (size_t i = 0; i < w->policy->witnesses_n; i++)
        out |= (uint64_t)w->of[i].at_hand << i;
    return out;
}

/* `witnessed`: what the quorum signed becomes an entry, when the last one is an hour old and more came since
 * than that entry itself. */
static enum bourn_err put_entry(struct vault *v)
{
    struct witnesses *w = v->witnesses;
    struct merkle_checkpoint cp;
    struct entry e = {.kind = ENTRY_WITNESSED, .time = v->now, .cosignatures = buf_slice(&w->lines)};
    uint64_t index;
    if ((w->witnessed_time && v->now < w->witnessed_time + WITNESSED_INTERVAL_S) ||
        w->size <= w->witnessed_size)
        return BOURN_OK;
    enum bourn_err err = merkle_checkpoint_open(buf_slice(&w->note), &w->key, &cp);
    if (err)
        return err;
    e.tree_size = cp.size;
    memcpy(e.tree_root, cp.root.b, sizeof e.tree_root);
    entry_set(&e, E_TREE_SIZE);
    entry_set(&e, E_TREE_ROOT);
    entry_set(&e, E_COSIGNATURES);
    if (w->newest >
        v->now + WITNESS_SKEW_S_MAX) /* the cell's clock was set back since: the entry would lie */
        return BOURN_OK;
    if (entry_check(&e) != BOURN_OK || journal_free_bytes(v->journal, false) < BATCH_BYTES_MAX)
        return BOURN_OK;
    if ((err = batch_entry(v, &e, NULL, 0, &index)) != BOURN_OK)
        return err;
    w->witnessed_time = v->now;
    w->witnessed_size = index + 1;
    return vault_commit(v);
}

enum bourn_err witnesses_tick(struct vault *v)
{
    const struct witnesses *w = v->witnesses;
    enum bourn_err err = witnesses_turn(v);
    return err || !w->policy || !w->met ? err : put_entry(v);
}

static enum bourn_err take_cosignature(struct vault *v, size_t i, uint64_t size, struct slice body)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct witnesses *w = v->witnesses;
    struct one *o = &w->of[i];
    const struct merkle_vkey *key = &w->policy->witness[i].key;
    uint64_t time;
    if (size != w->size)
        return BOURN_OK; /* of the checkpoint before: no use any more */
    buf_clear(&w->scratch);
    buf_put_slice(&w->scratch, buf_slice(&w->note));
    buf_put_slice(&w->scratch, body);
    if (buf_check(&w->scratch) != BOURN_OK ||
        merkle_cosignature_check(buf_slice(&w->scratch), key, &time) != BOURN_OK) {
        told(v, i, REFUSED, "what it sends is no good cosignature by its key");
        return BOURN_OK;
    }
    /* By the clock of entries, as a replay will look at it: never behind the last one. */
    if (time + WITNESS_SKEW_S_MAX < v->now || time > v->now + WITNESS_SKEW_S_MAX) {
        told(v, i, REFUSED, "the time that it signs is not this cell's: one of the two clocks is wrong");
        return BOURN_OK;
    }
    TRY(merkle_note_line(&w->lines, buf_slice(&w->scratch), key));
    TRY(buf_check(&w->lines));
    w->newest = time > w->newest ? time : w->newest;
    o->at_hand = true;
    o->known = w->size;
    told(v, i, COSIGNED, "");
    buf_clear(&w->scratch);
    buf_put_slice(&w->scratch, buf_slice(&w->note));
    buf_put_slice(&w->scratch, buf_slice(&w->lines));
    TRY(buf_check(&w->scratch));
    worker_cosigned(v->worker, w->size, buf_slice(&w->scratch));
    if (!w->met && merkle_policy_met(w->policy, mask(w))) {
        w->met = true;
        w->cosigned_size = w->size;
        w->cosigned_ms = clock_mono_ms();
        TRY(put_entry(v));
        TRY(vault_published(v)); /* answers that waited for it */
    }
    err = BOURN_OK;
out:
    return err;
}

/* 409: it has another size than was said. */
static void take_size(struct vault *v, size_t i, struct slice body)
{
    struct one *o = &v->witnesses->of[i];
    uint64_t size;
    if (!body.n || body.p[body.n - 1] != '\n' || !decimal_get(slice_of(body.p, body.n - 1), &size))
        told(v, i, REFUSED, "its 409 names no size");
    else if (size == o->known)
        told(v, i, REFUSED, "its 409 names the size that was sent");
    else if (size > v->witnesses->published) {
        o->claims = size;
        told(v, i, FORKED, "it has cosigned more entries than this log ever signed");
    } else
        o->known = size; /* and again: at once, or when a checkpoint of that size is at hand */
}

enum bourn_err vault_posted(struct vault *v, uint32_t i, uint32_t status, struct slice body)
{
    enum bourn_err err = BOURN_OK;
    struct witnesses *w = v->witnesses;
    char what[64];
    if (i >= COSIGNATURES_MAX)
        return webhooks_posted(v, i - COSIGNATURES_MAX, status);
    if (!w->policy || i >= w->policy->witnesses_n || !w->of[i].asked_size)
        return BOURN_OK; /* the policy has changed since */
    uint64_t size = w->of[i].asked_size, wall = clock_wall_s();
    v->now = wall > v->last_time ? wall : v->last_time;
    v->now_ms = clock_mono_ms();
    w->of[i].asked_size = 0;
    snprintf(what, sizeof what, "it answers %u", status);
    switch (status) {
    case 200:
        err = take_cosignature(v, i, size, body);
        break;
    case 409:
        take_size(v, i, body);
        break;
    case 422:
        w->of[i].claims = size;
        told(v, i, FORKED, "it answers 422");
        break;
    case 0:
        told(v, i, SILENT, "it cannot be reached or does not answer in time");
        break;
    default:
        told(v, i, REFUSED, what);
    }
    if (!err && w->unasked)
        err = check_claims(v);
    return err ? err : witnesses_turn(v);
}
