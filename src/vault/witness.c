/* One checkpoint at a time is brought to all witnesses: a newer one takes its place once the quorum has
 * cosigned it, or once nobody is asked about it any more. So a slow witness holds up nobody, and the
 * signatures of a quorum always stand under one and the same checkpoint. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ledger/ledger.h"
#include "merkle/policy.h"
#include "merkle/witness.h"

#include <stdio.h>
#include <stdlib.h>

enum outcome { UNKNOWN, COSIGNED, SILENT, REFUSED, FORKED }; /* of the last request; changes are logged */

struct one {             /* a witness, in the policy's order */
    uint64_t known;      /* the size that it has, as far as it told */
    uint64_t asked_size; /* not 0: a request about this size is under way */
    uint64_t due_ms;     /* not before */
    unsigned failures;   /* in a row */
    enum outcome outcome;
    char said[96]; /* what was logged of it */
    bool at_hand;  /* has cosigned the checkpoint at hand */
};
struct witnesses {
    struct merkle_policy *policy; /* NULL: none */
    struct buf text;              /* of the setting that it was read from */
    struct merkle_vkey key;       /* of the log */
    uint64_t lag_max_ms;
    enum release_level home, transfer;
    struct one of[COSIGNATURES_MAX];
    struct buf note;  /* the checkpoint at hand, as the log signed it … */
    struct buf lines; /* … and the cosignatures on it, in the order in which they came */
    uint64_t size;    /* its size; 0: none */
    bool met;         /* the quorum has cosigned it */
    uint64_t cosigned_size,
        cosigned_ms;         /* of the last that the quorum cosigned; when, or since it is waited for */
    uint64_t published;      /* size of the last checkpoint seen */
    uint64_t witnessed_time; /* of the last `witnessed` entry of this run, 0: none */
    uint64_t witnessed_size; /* entries that end with it */
    struct buf scratch;
};

bool release_level_get(struct slice name, enum release_level *out)
{
    static const char *const names[] = {"durable", "signed", "cosigned"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(name, names[i])) {
            *out = (enum release_level)i;
            return true;
        }
    return false;
}

enum bourn_err witnesses_new(struct vault *v)
{
    struct witnesses *w = v->witnesses = calloc(1, sizeof *w);
    if (!w)
        return err_set(BOURN_E_MEMORY, "out of memory for the witnesses");
    buf_init(&w->text, POLICY_ENTRY_BYTES_MAX);
    buf_init(&w->note, WITNESS_CHECKPOINT_BYTES_MAX);
    buf_init(&w->lines, WITNESS_CHECKPOINT_BYTES_MAX);
    buf_init(&w->scratch, 4 * WITNESS_CHECKPOINT_BYTES_MAX);
    w->transfer = RELEASE_SIGNED;
    w->lag_max_ms = WITNESS_LAG_S_DEFAULT * 1000ull;
    return merkle_vkey_get(buf_slice(&v->vkey), &w->key);
}

static void forget(struct witnesses *w)
{
    free(w->policy);
    w->policy = NULL;
    memset(w->of, 0, sizeof w->of);
    buf_clear(&w->note);
    buf_clear(&w->lines);
    w->size = w->cosigned_size = w->published = w->witnessed_time = w->witnessed_size = 0;
    w->met = false;
}

void witnesses_free(struct witnesses *w)
{
    if (!w)
        return;
    forget(w);
    buf_release(&w->text);
    buf_release(&w->note);
    buf_release(&w->lines);
    buf_release(&w->scratch);
    free(w);
}

static enum bourn_err take_policy(struct vault *v, struct slice text)
{
    struct witnesses *w = v->witnesses;
    if (slice_eq(text, buf_slice(&w->text)))
        return BOURN_OK;
    forget(w);
    buf_clear(&w->text);
    buf_put_slice(&w->text, text);
    w->cosigned_ms = clock_mono_ms();
    if (!text.n)
        return BOURN_OK;
    w->policy = malloc(sizeof *w->policy);
    if (!w->policy)
        return err_set(BOURN_E_MEMORY, "out of memory for a witness policy");
    enum bourn_err err = merkle_policy_get(text, w->policy);
    /* It was read before it became an entry: one that does not read now is not what was written. */
    return err ? err_set(BOURN_E_CORRUPT, "the witness policy of the ledger does not read: %s", err_text())
               : BOURN_OK;
}

enum bourn_err witnesses_configure(struct vault *v)
{
    struct witnesses *w = v->witnesses;
    uint64_t lag_s = WITNESS_LAG_S_DEFAULT;
    w->home = RELEASE_DURABLE;
    w->transfer = RELEASE_SIGNED;
    (void)release_level_get(world_setting(v->world, SETTING_RELEASE), &w->home);
    (void)release_level_get(world_setting(v->world, SETTING_RELEASE_TRANSFER), &w->transfer);
    (void)decimal_get(world_setting(v->world, SETTING_LAG), &lag_s);
    w->lag_max_ms = lag_s * 1000;
    return take_policy(v, world_setting(v->world, SETTING_POLICY));
}

enum release_level witnesses_release(const struct vault *v, bool transfer)
{
    return transfer ? v->witnesses->transfer : v->witnesses->home;
}

static bool wanted(const struct witnesses *w)
{
    return w->policy && w->policy->quorum != MERKLE_POLICY_NONE;
}

uint64_t witnesses_cosigned(const struct vault *v)
{
    return wanted(v->witnesses) ? v->witnesses->cosigned_size : UINT64_MAX;
}

uint64_t witnesses_lag_ms(const struct vault *v)
{
    const struct witnesses *w = v->witnesses;
    if (!wanted(w) || w->published <= w->cosigned_size)
        return 0;
    uint64_t now = clock_mono_ms();
    return now > w->cosigned_ms ? now - w->cosigned_ms : 0;
}

bool witnesses_late(const struct vault *v)
{
    return witnesses_lag_ms(v) > v->witnesses->lag_max_ms;
}

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

enum bourn_err witnesses_turn(struct vault *v)
{
    enum bourn_err err = BOURN_OK;
    struct witnesses *w = v->witnesses;
    struct worker_state ws;
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
    if (outcome == COSIGNED) {
        o->failures = 0;
        return;
    }
    uint64_t wait_ms = WITNESS_RETRY_MS_MIN << (o->failures < 8 ? o->failures : 8);
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
    if (entry_check(&e) != BOURN_OK || journal_free_bytes(v->journal, false) < BATCH_BYTES_MAX)
        return BOURN_OK;
    if ((err = batch_entry(v, &e, NULL, 0, &index)) != BOURN_OK)
        return err;
    w->witnessed_time = v->now;
    w->witnessed_size = index + 1;
    return vault_commit(v);
}

static enum bourn_err take_cosignature(struct vault *v, size_t i, uint64_t size, struct slice body)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct witnesses *w = v->witnesses;
    struct one *o = &w->of[i];
    const struct merkle_vkey *key = &w->policy->witness[i].key;
    uint64_t time, now = clock_wall_s();
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
    if (time + WITNESS_SKEW_S_MAX < now || time > now + WITNESS_SKEW_S_MAX) {
        told(v, i, REFUSED, "the time that it signs is not this cell's: one of the two clocks is wrong");
        return BOURN_OK;
    }
    TRY(merkle_note_line(&w->lines, buf_slice(&w->scratch), key));
    TRY(buf_check(&w->lines));
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
    else if (size > v->witnesses->published)
        told(v, i, FORKED, "it has cosigned more entries than this log ever signed");
    else
        o->known = size; /* and again: at once, or when a checkpoint of that size is at hand */
}

enum bourn_err vault_posted(struct vault *v, uint32_t i, uint32_t status, struct slice body)
{
    enum bourn_err err = BOURN_OK;
    struct witnesses *w = v->witnesses;
    char what[64];
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
        told(v, i, FORKED, "it answers 422");
        break;
    case 0:
        told(v, i, SILENT, "it cannot be reached or does not answer in time");
        break;
    default:
        told(v, i, REFUSED, what);
    }
    return err ? err : witnesses_turn(v);
}

void vault_use_relay(struct vault *v, const struct vault_relay *relay)
{
    v->relay = *relay;
}

void vault_relay_urls(const struct vault *v, struct buf *out)
{
    const struct merkle_policy *p = v->witnesses->policy;
    for (size_t i = 0; p && i < p->witnesses_n; i++)
        if (p->witness[i].url[0])
            buf_printf(out, "%s\n", p->witness[i].url);
}

/* --- telling */

void witnesses_status(const struct vault *v, struct buf *out)
{
    const struct witnesses *w = v->witnesses;
    if (!w->policy)
        return;
    buf_printf(out, ",\"cosigned\":%llu,\"witness_lag_s\":%llu,\"witnesses\":[",
               (unsigned long long)w->cosigned_size, (unsigned long long)(witnesses_lag_ms(v) / 1000));
    for (size_t i = 0; i < w->policy->witnesses_n; i++) {
        static const char *const words[] = {"not asked yet", "cosigns", "silent", "refuses",
                                            "saw another history"};
        buf_printf(out, "%s{\"name\":", i ? "," : "");
        json_put_string(out, slice_str(w->policy->witness[i].key.name));
        buf_printf(out, ",\"state\":\"%s\"}", words[w->of[i].outcome]);
    }
    buf_put_str(out, "]");
}

void witnesses_metrics(const struct vault *v, struct buf *out)
{
    const struct witnesses *w = v->witnesses;
    uint64_t lag_ms = witnesses_lag_ms(v);
    buf_printf(out,
               "# HELP bourn_witness_lag_seconds Since when the quorum of witnesses is behind; 0 while it is "
               "not.\n# TYPE bourn_witness_lag_seconds gauge\nbourn_witness_lag_seconds %llu.%03llu\n",
               (unsigned long long)(lag_ms / 1000), (unsigned long long)(lag_ms % 1000));
    buf_printf(out,
               "# HELP bourn_cosigned_entries Entries under the last checkpoint that the quorum cosigned.\n"
               "# TYPE bourn_cosigned_entries gauge\nbourn_cosigned_entries %llu\n",
               (unsigned long long)w->cosigned_size);
    buf_put_str(out, "# HELP bourn_witness_up 1 while the witness cosigned when it was asked last.\n"
                     "# TYPE bourn_witness_up gauge\n");
    for (size_t i = 0; w->policy && i < w->policy->witnesses_n; i++) {
        buf_put_str(out, "bourn_witness_up{witness=\"");
        for (const char *p = w->policy->witness[i].key.name; *p; p++)
            buf_put(out, *p == '"' || *p == '\\' ? "?" : p, 1);
        buf_printf(out, "\"} %d\n", w->of[i].outcome == COSIGNED);
    }
}
