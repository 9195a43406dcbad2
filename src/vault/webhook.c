/* The ledger is looked at from each mark on, as far as it is signed. Of an entry that a party is told of the
 * worker has the signer sign an event; the relay posts it; the answer moves the mark. So one event a webhook
 * is under way, in the order of the ledger, and a party that is down or lies holds up nobody else. Looking
 * takes at most a tenth of the vault's time, whatever there is to catch up with. */
#include "vault/webhook_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/url.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#include <limits.h>
#include <stdio.h>

bool webhook_lives(const struct vault *v, const struct webhook *h)
{
    const struct gate_party *p = h->party ? world_party(v->world, h->party) : NULL;
    return p && p->ended == UINT64_MAX;
}

bool webhook_reachable(const struct webhooks *w, const struct webhook *h)
{
    struct slice origin = url_origin(h->url), all = buf_slice(&w->origins);
    for (size_t at = 0; at < all.n;) {
        const uint8_t *end = memchr(all.p + at, '\n', all.n - at);
        bourn_assert(end);
        if (slice_eq(origin, slice_of(all.p + at, (size_t)(end - all.p) - at)))
            return true;
        at = (size_t)(end - all.p) + 1;
    }
    return false;
}

/* --- trouble */

static void failed(struct vault *v, struct webhook *h, enum told told, const char *what)
{
    uint64_t wait_ms = (uint64_t)WEBHOOK_RETRY_MS_MIN << (h->failures < 16 ? h->failures : 16);
    if (told != h->told)
        log_warning("the party of entry %llu is not told of disclosures: %s; it is tried again",
                    (unsigned long long)h->party, what);
    h->told = told;
    h->failures++;
    h->due_ms = v->now_ms + (wait_ms < WEBHOOK_RETRY_MS_MAX ? wait_ms : WEBHOOK_RETRY_MS_MAX);
}

/* What is wrong with one entry alone: it waits, and the service goes on. */
static bool damaged(enum bourn_err err)
{
    return err == BOURN_E_CORRUPT || err == BOURN_E_FORMAT || err == BOURN_E_LIMIT ||
           err == BOURN_E_NOT_FOUND;
}

/* A full store is rolled back, as for a request. */
static enum bourn_err trouble(struct vault *v, struct webhook *h, enum bourn_err err)
{
    if (err == BOURN_E_FULL) {
        log_error("%s; disclosures stop until there is space", err_text());
        v->full_until_ms = v->now_ms + 1000;
        v->webhooks->rest_until_ns = clock_ns(CLOCK_MONOTONIC) + 1000000000;
        return vault_rewind(v);
    }
    if (damaged(err)) {
        log_error("%s", err_text());
        failed(v, h, TOLD_DAMAGED, "what the ledger's files hold is not what was signed");
        return BOURN_OK;
    }
    return err;
}

/* --- one webhook */

static enum bourn_err ask_for_event(struct vault *v, struct webhook *h)
{
    struct webhooks *w = v->webhooks;
    struct merkle_hash leaf;
    merkle_leaf(&leaf, buf_slice(&w->bytes));
    enum bourn_err err = worker_receipt(v->worker, h->mark, &leaf, buf_slice(&w->lines), &h->wish);
    if (err != BOURN_E_LIMIT)
        return err;
    h->due_ms = v->now_ms + WEBHOOK_RETRY_MS_MIN; /* parties' receipts come first */
    return BOURN_OK;
}

static bool looks(const struct vault *v, const struct webhook *h)
{
    return webhook_lives(v, h) && !h->wish && !h->event.n && v->now_ms >= h->due_ms &&
           h->mark < v->webhooks->signed_size;
}

/* Goes on until it comes to an entry that is told, or the turn is over. */
static enum bourn_err look(struct vault *v, struct webhook *h, uint64_t until_ns, uint64_t flushed)
{
    enum bourn_err err = BOURN_OK;
    struct webhooks *w = v->webhooks;
    uint64_t began = h->mark;
    for (unsigned i = 0; i < WEBHOOK_TURN_ENTRIES && looks(v, h) && clock_ns(CLOCK_MONOTONIC) < until_ns;
         i++) {
        err = webhook_look(v, h, flushed);
        if (!err && w->lines.n)
            err = ask_for_event(v, h);
        if (err || w->lines.n)
            break;
        h->mark++;
    }
    if (h->mark != began && (!err || damaged(err))) {
        enum bourn_err written = webhook_mark_write(v, h);
        err = written ? written : err;
    }
    return err ? trouble(v, h, err) : BOURN_OK;
}

static enum bourn_err take_event(struct vault *v, struct webhook *h)
{
    struct slice note;
    enum bourn_err err = wish_note(h->wish, &note);
    if (err == BOURN_OK) {
        buf_put_slice(&h->event, note);
        err = buf_check(&h->event);
    }
    wish_drop(h->wish);
    h->wish = NULL;
    return err ? trouble(v, h, err) : BOURN_OK;
}

static enum bourn_err post(struct vault *v, struct webhook *h)
{
    uint32_t place = COSIGNATURES_MAX + (uint32_t)(h - v->webhooks->of);
    h->posted = true;
    h->asked = h->party;
    return v->relay.post(v->relay.ctx, place, h->url, buf_slice(&h->event));
}

static enum bourn_err go_on(struct vault *v, struct webhook *h)
{
    enum bourn_err err = BOURN_OK;
    if (h->wish && wish_done(h->wish))
        err = take_event(v, h);
    if (!err && h->event.n && !h->posted && v->relay.post && v->now_ms >= h->due_ms && webhook_lives(v, h) &&
        webhook_reachable(v->webhooks, h))
        err = post(v, h);
    return err;
}

/* --- all of them */

static bool any_looks(const struct vault *v)
{
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        if (v->webhooks->of[i].party && looks(v, &v->webhooks->of[i]))
            return true;
    return false;
}

/* One that is behind goes on as soon as the rest is over. While its event is signed or out nothing has to be
 * done: what comes back wakes the vault. */
unsigned webhooks_next_ms(const struct vault *v)
{
    const struct webhooks *w = v->webhooks;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++) {
        if (!looks(v, &w->of[i]))
            continue;
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        return w->rest_until_ns > now ? (unsigned)((w->rest_until_ns - now) / 1000000) + 1 : 1;
    }
    return UINT_MAX;
}

enum bourn_err webhooks_turn(struct vault *v)
{
    enum bourn_err err = BOURN_OK;
    struct webhooks *w = v->webhooks;
    struct worker_state ws;
    bool any = false;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        any = any || w->of[i].party;
    if (!any)
        return BOURN_OK;
    v->now_ms = clock_mono_ms();
    worker_state(v->worker, &ws);
    w->signed_size = ws.signed_size;
    for (size_t i = 0; i < WEBHOOKS_MAX && !err; i++)
        if (w->of[i].party)
            err = go_on(v, &w->of[i]);
    uint64_t now = clock_ns(CLOCK_MONOTONIC), until = now + WEBHOOK_TURN_US * 1000ull;
    if (err || now < w->rest_until_ns || !any_looks(v))
        return err;
    for (size_t i = 0; i < WEBHOOKS_MAX && !err; i++) {
        struct webhook *h = &w->of[(w->first + i) % WEBHOOKS_MAX];
        if (h->party)
            err = look(v, h, until, ws.files_size);
    }
    w->first = (w->first + 1) % WEBHOOKS_MAX;
    until = clock_ns(CLOCK_MONOTONIC);
    if (w->rest_until_ns < until)
        w->rest_until_ns = until + WEBHOOK_REST * (until - now);
    return err;
}

enum bourn_err webhooks_posted(struct vault *v, uint32_t place, uint32_t status)
{
    struct webhook *h = place < WEBHOOKS_MAX ? &v->webhooks->of[place] : NULL;
    char what[64];
    if (!h || !h->posted)
        return err_set(BOURN_E_FORMAT, "relay answers what it was not asked");
    h->posted = false;
    v->now_ms = clock_mono_ms();
    if (h->stale || !h->party) {
        h->stale = false;
        return webhooks_turn(v);
    }
    if (status / 100 != 2) {
        snprintf(what, sizeof what, "it answers %u", status);
        failed(v, h, status ? TOLD_REFUSED : TOLD_SILENT,
               status ? what : "it cannot be reached, or does not answer in time or in few bytes");
        return BOURN_OK;
    }
    if (h->told != TOLD)
        log_info("the party of entry %llu is told of disclosures", (unsigned long long)h->party);
    h->told = TOLD;
    h->failures = 0;
    h->mark++;
    buf_release(&h->event);
    enum bourn_err err = webhook_mark_write(v, h);
    return err ? trouble(v, h, err) : webhooks_turn(v);
}
