/* What the operator sets beside packs and schemas: witnesses, and after what a disclosure is released. Each
 * change is a `config` entry, and counts at once. */
#include "vault/internal.h"

#include "base/text.h"
#include "merkle/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { SETTINGS_MAX = 4 };

struct change {
    struct entry_setting setting[SETTINGS_MAX];
    size_t n;
    const char *why; /* refused */
};

/* A policy, in the form that the entry keeps: it can be read, a quorum can be had, and every witness can be
 * asked. */
static struct slice policy_of(struct vault *v, struct slice text, struct change *c)
{
    struct merkle_policy *p = malloc(sizeof *p);
    struct buf b;
    struct slice out = slice_of(NULL, 0);
    buf_init(&b, POLICY_ENTRY_BYTES_MAX);
    if (!p || merkle_policy_get(text, p) != BOURN_OK) {
        c->why = p ? err_text() : "out of memory";
        goto out;
    }
    for (size_t i = 0; i < p->witnesses_n; i++)
        if (!merkle_policy_url_ok(p->witness[i].url))
            c->why = "each witness needs a URL to post to: https, or http on loopback";
    merkle_policy_put(&b, p);
    if (p->quorum == MERKLE_POLICY_NONE)
        c->why = "its quorum is none: to do without witnesses, take the policy away";
    else if (buf_check(&b) != BOURN_OK || !utf8_valid(buf_slice(&b)))
        c->why = "it is no UTF-8, or without its comments still longer than an entry keeps";
    else
        out = arena_copy(&v->arena, buf_slice(&b));
out:
    free(p);
    buf_release(&b);
    return out;
}

static const char *check_other(struct slice name, struct slice value)
{
    enum release_level level;
    uint64_t n;
    if (slice_is(name, SETTING_RELEASE))
        return release_level_get(value, &level) ? NULL : "durable, signed or cosigned is wanted";
    if (slice_is(name, SETTING_RELEASE_TRANSFER))
        return release_level_get(value, &level) && level != RELEASE_DURABLE ? NULL
                                                                            : "signed or cosigned is wanted";
    if (slice_is(name, SETTING_LAG))
        return decimal_get(value, &n) && n >= WITNESS_LAG_S_MIN && n <= WITNESS_LAG_S_MAX
                   ? NULL
                   : "seconds are wanted, from 5 to 86400";
    return "there is no such setting";
}

static bool take(struct vault *v, struct json_member m, struct change *c)
{
    struct buf b;
    struct slice name, value;
    buf_init(&b, POLICY_BYTES_MAX + 1);
    json_string_decode(m.name, &b);
    name = arena_copy(&v->arena, buf_slice(&b));
    buf_clear(&b);
    if (m.value.type == JSON_STRING)
        json_string_decode(m.value.raw, &b);
    value = arena_copy(&v->arena, buf_slice(&b));
    if (m.value.type != JSON_STRING || buf_check(&b) != BOURN_OK || c->n == SETTINGS_MAX)
        c->why = "a setting is a string, and each is given once";
    else if (!slice_is(name, SETTING_POLICY))
        c->why = check_other(name, value);
    else if (value.n)
        value = policy_of(v, value, c);
    buf_release(&b);
    if (!c->why)
        c->setting[c->n++] = (struct entry_setting){name, value};
    return !c->why;
}

/* What will be in force. */
static struct slice after(const struct vault *v, const struct change *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (slice_is(c->setting[i].name, name))
            return c->setting[i].value;
    return world_setting(v->world, name);
}

static void show(struct vault *v, struct answer *a)
{
    static const char *const names[] = {SETTING_POLICY, SETTING_RELEASE, SETTING_RELEASE_TRANSFER};
    static const char *const otherwise[] = {"", "durable", "signed"};
    struct slice lag = world_setting(v->world, SETTING_LAG);
    answer_json(a, 200);
    buf_printf(&a->body, "{\"" SETTING_LAG "\":\"%.*s\"", lag.n ? (int)lag.n : 0,
               lag.n ? (const char *)lag.p : "");
    if (!lag.n) {
        buf_clear(&a->body);
        buf_printf(&a->body, "{\"" SETTING_LAG "\":\"%d\"", WITNESS_LAG_S_DEFAULT);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice value = world_setting(v->world, names[i]);
        buf_printf(&a->body, ",\"%s\":", names[i]);
        json_put_string(&a->body, value.p ? value : slice_str(otherwise[i]));
    }
    buf_put_str(&a->body, "}");
}

enum bourn_err handle_config(struct vault *v, const struct request *r, const struct gate_party *none,
                             struct answer *a)
{
    struct change *c = arena_alloc(&v->arena, sizeof *c);
    struct json_value body;
    struct json_member m;
    size_t at = 0;
    (void)none;
    if (!c)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    *c = (struct change){0};
    if (!body_object(r, &body, a))
        return BOURN_OK;
    while (json_next(body, &at, &m))
        if (!take(v, m, c)) {
            answer_problem(a, 422, "setting_malformed", "/%.*s: %s", (int)(m.name.n - 2), m.name.p + 1,
                           c->why);
            return BOURN_OK;
        }
    bool cosigned = slice_is(after(v, c, SETTING_RELEASE), "cosigned") ||
                    slice_is(after(v, c, SETTING_RELEASE_TRANSFER), "cosigned");
    if (cosigned && !after(v, c, SETTING_POLICY).n) {
        answer_problem(a, 422, "witnesses_missing",
                       "nothing can be released once cosigned without a witness policy");
        return BOURN_OK;
    }
    if (c->n) {
        struct entry e = {.kind = ENTRY_CONFIG, .time = v->now, .settings = c->setting, .settings_n = c->n};
        entry_set(&e, E_SETTINGS);
        enum bourn_err err = entry_check(&e);
        if (!err)
            err = batch_entry(v, &e, NULL, 0, &a->receipt);
        if (!err)
            err = witnesses_configure(v);
        if (err)
            return err;
    }
    show(v, a);
    return BOURN_OK;
}
