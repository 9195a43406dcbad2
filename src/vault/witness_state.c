/* Which witnesses there are, how far their quorum has come, and what is told of it. */
#include "vault/witness_internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/url.h"

#include <stdlib.h>

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

bool witnesses_wanted(const struct witnesses *w)
{
    return w->policy && w->policy->quorum != MERKLE_POLICY_NONE;
}

uint64_t witnesses_cosigned(const struct vault *v)
{
    return witnesses_wanted(v->witnesses) ? v->witnesses->cosigned_size : UINT64_MAX;
}

uint64_t witnesses_lag_ms(const struct vault *v)
{
    const struct witnesses *w = v->witnesses;
    if (!witnesses_wanted(w) || w->published <= w->cosigned_size)
        return 0;
    uint64_t now = clock_mono_ms();
    return now > w->cosigned_ms ? now - w->cosigned_ms : 0;
}

bool witnesses_late(const struct vault *v)
{
    return witnesses_lag_ms(v) > v->witnesses->lag_max_ms;
}

void witnesses_begin(struct vault *v)
{
    v->witnesses->unasked = witnesses_wanted(v->witnesses) && v->relay.post;
}

bool vault_asked(const struct vault *v)
{
    return !v->witnesses->unasked;
}

void vault_use_relay(struct vault *v, const struct vault_relay *relay)
{
    v->relay = *relay;
}

void vault_relay_urls(struct vault *v, struct buf *out)
{
    const struct merkle_policy *p = v->witnesses->policy;
    for (size_t i = 0; p && i < p->witnesses_n; i++)
        if (p->witness[i].url[0])
            buf_printf(out, "%.*s\n", SLICE_ARG(url_origin(p->witness[i].url)));
    webhooks_origins(v, out);
}

/* --- telling */

void witnesses_status(const struct vault *v, struct buf *out)
{
    const struct witnesses *w = v->witnesses;
    if (!w->policy)
        return;
    buf_printf(out, ",\"witnesses_asked\":%s,\"cosigned\":%llu,\"witness_lag_s\":%llu,\"witnesses\":[",
               vault_asked(v) ? "true" : "false", (unsigned long long)w->cosigned_size,
               (unsigned long long)(witnesses_lag_ms(v) / 1000));
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
