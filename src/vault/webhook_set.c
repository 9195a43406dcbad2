/* Which parties are told, and where: set over admin.sock. That a party is told is a `config` entry, for
 * anybody to see; where is the operator's and the party's business, so the URL stands sealed in the store
 * alone, in the same frame as the entry. */
#include "vault/webhook_internal.h"

#include "base/json.h"
#include "base/log.h"
#include "base/url.h"
#include "merkle/merkle.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROW_MAX = 8 + WEBHOOK_URL_BYTES_MAX + CRYPTO_SEAL_OVERHEAD, SETTING_MAX = 40 };

enum bourn_err webhooks_new(struct vault *v)
{
    struct webhooks *w = v->webhooks = calloc(1, sizeof *w);
    if (!w)
        return err_set(BOURN_E_MEMORY, "out of memory for webhooks");
    buf_init(&w->origins, WEBHOOKS_MAX * (WEBHOOK_URL_BYTES_MAX + 1));
    buf_init(&w->bytes, ENTRY_BYTES_MAX);
    buf_init(&w->group, ROWS_BYTES_MAX);
    buf_init(&w->lines, EVENT_LINES_BYTES_MAX);
    buf_init(&w->bundle, MERKLE_TILE_WIDTH * (ENTRY_BYTES_MAX + 2));
    arena_init(&w->arena, 1u << 20);
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        buf_init(&w->of[i].event, EVENT_LINES_BYTES_MAX + RECEIPT_BYTES_MAX);
    return BOURN_OK;
}

/* What is under way about it is forgotten; its mark stays in the store. */
static void forget(struct webhook *h)
{
    wish_drop(h->wish);
    h->wish = NULL;
    buf_release(&h->event);
    h->stale = h->posted;
    h->party = h->due_ms = h->failures = 0;
    h->told = TOLD_NEVER;
    crypto_wipe(h->url, sizeof h->url);
}

void webhooks_free(struct webhooks *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        forget(&w->of[i]);
    buf_release(&w->origins);
    buf_release(&w->bytes);
    buf_release(&w->group);
    buf_release(&w->lines);
    buf_release(&w->bundle);
    arena_release(&w->arena);
    crypto_wipe(w->key, sizeof w->key);
    free(w);
}

/* --- rows of the store */

static const char *setting_name(char out[SETTING_MAX], uint64_t party)
{
    snprintf(out, SETTING_MAX, "webhook.%llu", (unsigned long long)party);
    return out;
}

static enum bourn_err put_row(struct vault *v, const struct webhook *h)
{
    uint8_t key[8], row[ROW_MAX];
    size_t n = strlen(h->url);
    be_put(key, h->party, 8);
    be_put(row, h->since, 8);
    enum bourn_err err = crypto_seal(row + 8, v->webhooks->key, slice_of(key, 8), slice_of(h->url, n));
    return err ? err
               : batch_put(v, STORE_WEBHOOK, slice_of(key, 8), slice_of(row, 8 + n + CRYPTO_SEAL_OVERHEAD));
}

static enum bourn_err open_row(struct vault *v, struct slice key, struct slice row, struct webhook *h)
{
    const size_t least = 8 + CRYPTO_SEAL_OVERHEAD;
    if (row.n < least || row.n > ROW_MAX)
        return err_set(BOURN_E_CORRUPT, "the row of a webhook is malformed");
    h->party = be_get(key.p, 8);
    h->since = be_get(row.p, 8);
    memset(h->url, 0, sizeof h->url);
    if (crypto_open((uint8_t *)h->url, v->webhooks->key, key, slice_of(row.p + 8, row.n - 8)) != BOURN_OK ||
        !url_ok(h->url))
        return err_set(
            BOURN_E_CORRUPT,
            "the row of the webhook of party %llu does not open: it was altered behind bourn's back",
            (unsigned long long)h->party);
    return BOURN_OK;
}

/* A place whose answer is still out goes to the party that was asked, if it comes back. */
static struct webhook *free_place(struct webhooks *w, uint64_t party)
{
    struct webhook *found = NULL;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++) {
        struct webhook *h = &w->of[i];
        if (!h->party && h->posted && h->asked == party)
            return h;
        if (!h->party && !h->posted && !found)
            found = h;
    }
    return found;
}

/* A row that does not open ends its webhook alone: the operator sets it again. */
static void load_one(struct vault *v, struct slice key, struct slice row)
{
    char name[SETTING_MAX];
    struct webhook *h = free_place(v->webhooks, be_get(key.p, 8));
    if (!h) { /* more rows than were ever set, or answers are out to others who ended */
        log_warning("there is no place for a webhook: it is told again from the next start");
        return;
    }
    enum bourn_err err = open_row(v, key, row, h);
    bool on =
        !err && webhook_lives(v, h) && slice_is(world_setting(v->world, setting_name(name, h->party)), "on");
    if (on)
        err = webhook_mark_read(v, h);
    if (err)
        log_error("%s", err_text());
    if (err || !on)
        forget(h);
}

enum bourn_err webhooks_load(struct vault *v)
{
    enum bourn_err err = BOURN_OK;
    uint8_t from[STORE_KEY_BYTES_MAX + 1] = {0};
    size_t from_n = 8;
    struct slice key, row;
    slots_derive(v->slots, "webhooks", v->webhooks->key);
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        forget(&v->webhooks->of[i]);
    while ((err = store_seek(v->store, STORE_WEBHOOK, slice_of(NULL, 0), slice_of(from, from_n), &key,
                             &row)) == BOURN_OK) {
        if (key.n == 8)
            load_one(v, key, row);
        bool ours = key.n >= 8 && be_get(key.p, 8) != UINT64_MAX;
        if (!ours && key.n > STORE_KEY_BYTES_MAX)
            return BOURN_OK; /* nothing of ours, nor what follows */
        if (ours) {          /* past what else is kept for the party */
            be_put(from, be_get(key.p, 8) + 1, 8);
            from_n = 8;
        } else {
            memcpy(from, key.p, key.n);
            from[key.n] = 0;
            from_n = key.n + 1;
        }
        if (from_n > STORE_KEY_BYTES_MAX)
            return BOURN_OK;
    }
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

static struct webhook *webhook_of(const struct vault *v, uint64_t party)
{
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        if (v->webhooks->of[i].party == party)
            return &v->webhooks->of[i];
    return NULL;
}

enum bourn_err webhooks_end(struct vault *v, uint64_t party)
{
    uint8_t key[8];
    struct webhook *h = webhook_of(v, party);
    if (!h)
        return BOURN_OK;
    forget(h);
    be_put(key, party, 8);
    return batch_del(v, STORE_WEBHOOK, slice_of(key, 8));
}

/* --- set */

static enum bourn_err put_entry(struct vault *v, uint64_t party, const char *value, uint64_t *index)
{
    char name[SETTING_MAX];
    struct entry_setting setting = {slice_str(setting_name(name, party)), slice_str(value)};
    struct entry e = {.kind = ENTRY_CONFIG, .time = v->now, .settings = &setting, .settings_n = 1};
    entry_set(&e, E_SETTINGS);
    return batch_entry(v, &e, NULL, 0, index);
}

static enum bourn_err set(struct vault *v, const struct gate_party *p, const char *url, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct webhook *h = webhook_of(v, p->index);
    bool on = h != NULL;
    if (!h && !(h = free_place(v->webhooks, p->index))) {
        answer_problem(a, 409, "webhooks_full", "%d parties are told already", WEBHOOKS_MAX);
        return BOURN_OK;
    }
    TRY(put_entry(v, p->index, "on", &a->receipt));
    h->party = p->index;
    h->since = on ? h->since : a->receipt; /* another URL takes over what the one before was not told */
    h->stale = h->posted;
    h->due_ms = h->failures = 0;
    h->told = TOLD_NEVER;
    snprintf(h->url, sizeof h->url, "%s", url);
    if (!on)
        TRY(webhook_mark_read(v, h));
    err = put_row(v, h);
out:
    return err;
}

static void show(const struct vault *v, const struct gate_party *p, struct answer *a)
{
    const struct webhook *h = webhook_of(v, p->index);
    answer_json(a, 200);
    buf_printf(&a->body, "{\"party\":%llu,\"webhook\":%s", (unsigned long long)p->index,
               h ? "true" : "false");
    if (h)
        buf_printf(&a->body, ",\"reachable\":%s", webhook_reachable(v->webhooks, h) ? "true" : "false");
    buf_put_str(&a->body, "}");
}

enum bourn_err handle_webhook(struct vault *v, const struct request *r, const struct gate_party *none,
                              struct answer *a)
{
    enum bourn_err err = BOURN_OK;
    const struct gate_party *p = world_party_named(v->world, r->path);
    char url[WEBHOOK_URL_BYTES_MAX + 1] = "";
    (void)none;
    if (r->body.n)
        memcpy(url, r->body.p, r->body.n);
    if (!p)
        answer_problem(a, 404, "party_unknown", "there is no living party of this name");
    else if (!slice_eq(p->jurisdiction, world_domicile(v->world)))
        answer_problem(
            a, 422, "party_abroad",
            "only a party in the country of the cell is told of its disclosures: this one is under "
            "the law of another");
    else if (r->body.n && (strlen(url) != r->body.n || !url_ok(url)))
        answer_problem(a, 422, "url_malformed",
                       "https, or http on loopback, is wanted, without user info and fragment");
    else if (!r->body.n && !webhook_of(v, p->index))
        answer_problem(a, 404, "webhook_unknown", "this party is not told");
    else if (r->body.n)
        err = set(v, p, url, a);
    else if (!(err = put_entry(v, p->index, "off", &a->receipt)))
        err = webhooks_end(v, p->index);
    if (!err && a->receipt != REPLY_NO_RECEIPT)
        show(v, p, a);
    crypto_wipe(url, sizeof url);
    return err;
}

/* --- telling */

void webhooks_origins(struct vault *v, struct buf *out)
{
    struct webhooks *w = v->webhooks;
    buf_clear(&w->origins);
    for (size_t i = 0; i < WEBHOOKS_MAX; i++) {
        const struct webhook *h = &w->of[i];
        if (!h->party || webhook_reachable(w, h))
            continue;
        buf_put_slice(&w->origins, url_origin(h->url));
        buf_put_str(&w->origins, "\n");
    }
    buf_put_slice(out, buf_slice(&w->origins));
}

/* Entries that are signed and not done with: each is looked at, and told if there is something to tell. */
static uint64_t lag(const struct vault *v, const struct webhook *h)
{
    struct worker_state ws;
    worker_state(v->worker, &ws);
    return ws.signed_size > h->mark ? ws.signed_size - h->mark : 0;
}

void webhooks_status(const struct vault *v, struct buf *out)
{
    static const char *const words[] = {"not told yet", "told", "silent", "refuses", "damaged"};
    const struct webhooks *w = v->webhooks;
    bool any = false;
    for (size_t i = 0; i < WEBHOOKS_MAX; i++) {
        const struct webhook *h = &w->of[i];
        if (!webhook_lives(v, h))
            continue;
        buf_put_str(out, any ? "," : ",\"webhooks\":[");
        any = true;
        buf_put_str(out, "{\"party\":");
        json_put_string(out, world_party(v->world, h->party)->name);
        buf_printf(out, ",\"lag\":%llu,\"state\":\"%s\"}", (unsigned long long)lag(v, h),
                   webhook_reachable(w, h) ? words[h->told] : "waits for a restart");
    }
    buf_put_str(out, any ? "]" : "");
}

void webhooks_metrics(const struct vault *v, struct buf *out)
{
    const struct webhooks *w = v->webhooks;
    buf_put_str(out, "# HELP bourn_webhook_lag_entries Signed entries that the party is not through with.\n"
                     "# TYPE bourn_webhook_lag_entries gauge\n");
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        if (webhook_lives(v, &w->of[i]))
            buf_printf(out, "bourn_webhook_lag_entries{party=\"%llu\"} %llu\n",
                       (unsigned long long)w->of[i].party, (unsigned long long)lag(v, &w->of[i]));
    buf_put_str(out, "# HELP bourn_webhook_up 1 while the party took what it was told last.\n"
                     "# TYPE bourn_webhook_up gauge\n");
    for (size_t i = 0; i < WEBHOOKS_MAX; i++)
        if (webhook_lives(v, &w->of[i]))
            buf_printf(out, "bourn_webhook_up{party=\"%llu\"} %d\n", (unsigned long long)w->of[i].party,
                       w->of[i].told == TOLD);
}
