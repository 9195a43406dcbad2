/* A policy is read line by line; what a line names was defined above it, so groups cannot go in circles. */
#include "merkle/policy.h"

#include "base/text.h"
#include "base/url.h"

#include <stdio.h>

enum { WORDS_MAX = 3 + COSIGNATURES_MAX + POLICY_GROUPS_MAX + 1 };

struct reading {
    struct merkle_policy *p;
    unsigned line;
    bool used_witness[COSIGNATURES_MAX], used_group[POLICY_GROUPS_MAX]; /* as a member of some group */
    bool quorum;
};

static enum bourn_err bad(const struct reading *r, const char *why)
{
    return err_set(BOURN_E_FORMAT, "witness policy, line %u: %s", r->line, why);
}

static enum bourn_err many(const struct reading *r, const char *what, int most)
{
    return err_set(BOURN_E_LIMIT, "witness policy, line %u: at most %d %s", r->line, most, what);
}

static bool defined(const struct merkle_policy *p, struct slice name, int *member)
{
    for (size_t i = 0; i < p->witnesses_n; i++)
        if (slice_is(name, p->witness[i].name)) {
            *member = (int)i;
            return true;
        }
    for (size_t i = 0; i < p->groups_n; i++)
        if (slice_is(name, p->group[i].name)) {
            *member = MERKLE_POLICY_GROUP + (int)i;
            return true;
        }
    return false;
}

/* A new name of a witness or group. */
static enum bourn_err take_name(struct reading *r, struct slice name,
                                char out[MERKLE_POLICY_NAME_BYTES_MAX + 1])
{
    int member;
    if (name.n > MERKLE_POLICY_NAME_BYTES_MAX)
        return many(r, "bytes in a name", MERKLE_POLICY_NAME_BYTES_MAX);
    if (slice_is(name, "none"))
        return bad(r, "the name none is taken: it means no quorum");
    if (defined(r->p, name, &member))
        return bad(r, "the name was given to another witness or group above");
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return BOURN_OK;
}

static enum bourn_err take_key(const struct reading *r, struct slice text, uint8_t type,
                               struct merkle_vkey *out)
{
    char why[300];
    enum bourn_err err = merkle_vkey_get(text, out);
    if (err) {
        snprintf(why, sizeof why, "%s", err_text());
        return err_set(err, "witness policy, line %u: %s", r->line, why);
    }
    if (out->type != type)
        return bad(r, type == MERKLE_KEY_LOG ? "the key is not one of a log (type 1)"
                                             : "the key is not one of a witness (cosignature/v1, type 4)");
    return BOURN_OK;
}

static enum bourn_err take_url(const struct reading *r, const struct slice *words, size_t n,
                               char out[WITNESS_URL_BYTES_MAX + 1])
{
    if (n > 1)
        return bad(r, "something stands behind the URL");
    if (n && words[0].n > WITNESS_URL_BYTES_MAX)
        return many(r, "bytes in a URL", WITNESS_URL_BYTES_MAX);
    if (n)
        memcpy(out, words[0].p, words[0].n);
    out[n ? words[0].n : 0] = '\0';
    return BOURN_OK;
}

static enum bourn_err take_log(struct reading *r, const struct slice *words, size_t n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_policy *p = r->p;
    if (p->logs_n == POLICY_LOGS_MAX)
        return many(r, "logs", POLICY_LOGS_MAX);
    struct merkle_policy_log *l = &p->log[p->logs_n];
    if (n < 1)
        return bad(r, "a log is \"log VKEY [URL]\"");
    TRY(take_key(r, words[0], MERKLE_KEY_LOG, &l->key));
    for (size_t i = 0; i < p->logs_n; i++)
        if (memcmp(p->log[i].key.key, l->key.key, sizeof l->key.key) == 0)
            return bad(r, "this key is that of another log above");
    TRY(take_url(r, words + 1, n - 1, l->url));
    p->logs_n++;
out:
    return err;
}

static enum bourn_err take_witness(struct reading *r, const struct slice *words, size_t n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_policy *p = r->p;
    if (p->witnesses_n == COSIGNATURES_MAX)
        return many(r, "witnesses", COSIGNATURES_MAX);
    struct merkle_policy_witness *w = &p->witness[p->witnesses_n];
    if (n < 2)
        return bad(r, "a witness is \"witness NAME VKEY [URL]\"");
    TRY(take_name(r, words[0], w->name));
    TRY(take_key(r, words[1], MERKLE_KEY_COSIGNATURE, &w->key));
    for (size_t i = 0; i < p->witnesses_n; i++)
        if (memcmp(p->witness[i].key.key, w->key.key, sizeof w->key.key) == 0)
            return bad(r, "this key is that of another witness above");
    TRY(take_url(r, words + 2, n - 2, w->url));
    p->witnesses_n++;
out:
    return err;
}

static enum bourn_err take_member(struct reading *r, struct merkle_policy_group *g, struct slice name)
{
    int member;
    if (slice_is(name, "none"))
        return bad(r, "none cannot be a member of a group");
    if (!defined(r->p, name, &member))
        return bad(r, "a member is not defined above");
    bool *used = member >= MERKLE_POLICY_GROUP ? &r->used_group[member - MERKLE_POLICY_GROUP]
                                               : &r->used_witness[member];
    if (*used)
        return bad(r, "a name can be a member of one group, once");
    *used = true;
    g->member[g->n++] = member;
    return BOURN_OK;
}

static enum bourn_err take_group(struct reading *r, const struct slice *words, size_t n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_policy *p = r->p;
    uint64_t k = 0;
    if (p->groups_n == POLICY_GROUPS_MAX)
        return many(r, "groups", POLICY_GROUPS_MAX);
    struct merkle_policy_group *g = &p->group[p->groups_n];
    if (n < 3)
        return bad(r, "a group is \"group NAME all|any|K MEMBER …\"");
    g->n = 0;
    TRY(take_name(r, words[0], g->name));
    for (size_t i = 2; i < n; i++)
        TRY(take_member(r, g, words[i]));
    if (slice_is(words[1], "any"))
        k = 1;
    else if (slice_is(words[1], "all"))
        k = g->n;
    else if (!decimal_get(words[1], &k) || k < 1 || k > g->n)
        return bad(r, "how many is any, all, or a number from 1 to that of the members");
    g->k = (unsigned)k;
    p->groups_n++;
out:
    return err;
}

static enum bourn_err take_quorum(struct reading *r, const struct slice *words, size_t n)
{
    if (n != 1)
        return bad(r, "the quorum is \"quorum NAME\"");
    if (r->quorum)
        return bad(r, "there is a quorum already");
    r->quorum = true;
    if (slice_is(words[0], "none"))
        r->p->quorum = MERKLE_POLICY_NONE;
    else if (!defined(r->p, words[0], &r->p->quorum))
        return bad(r, "the quorum is not defined above");
    return BOURN_OK;
}

/* Words between spaces and tabs; one more than WORDS_MAX counts as that many. */
static size_t split_words(struct slice line, struct slice words[WORDS_MAX])
{
    size_t n = 0, at = 0;
    while (at < line.n && n < WORDS_MAX) {
        size_t from = at;
        while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
            at++;
        if (at > from)
            words[n++] = slice_of(line.p + from, at - from);
        at++;
    }
    return n;
}

static enum bourn_err take_line(struct reading *r, struct slice line)
{
    static const struct {
        const char *word;
        enum bourn_err (*take)(struct reading *r, const struct slice *words, size_t n);
    } kinds[] = {
        {"log", take_log}, {"witness", take_witness}, {"group", take_group}, {"quorum", take_quorum}};
    struct slice words[WORDS_MAX];
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return bad(r, "a control character");
    size_t n = split_words(line, words);
    if (!n || words[0].p[0] == '#')
        return BOURN_OK;
    if (n == WORDS_MAX)
        return many(r, "words", WORDS_MAX - 1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_is(words[0], kinds[i].word))
            return kinds[i].take(r, words + 1, n - 1);
    return bad(r, "a line begins with log, witness, group, quorum or #");
}

static enum bourn_err read_lines(struct reading *r, struct slice text)
{
    if (text.n > POLICY_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "a witness policy has at most %u bytes", POLICY_BYTES_MAX);
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        r->line++;
        if (!end)
            return bad(r, "the last line does not end");
        enum bourn_err err = take_line(r, slice_of(text.p, (size_t)(end - text.p)));
        if (err)
            return err;
        text = slice_of(end + 1, text.n - (size_t)(end + 1 - text.p));
    }
    return r->quorum ? BOURN_OK : err_set(BOURN_E_FORMAT, "witness policy: there is no line \"quorum NAME\"");
}

enum bourn_err merkle_policy_get(struct slice text, struct merkle_policy *out)
{
    struct reading r = {.p = out};
    memset(out, 0, sizeof *out);
    out->quorum = MERKLE_POLICY_NONE;
    enum bourn_err err = read_lines(&r, text);
    if (err) {
        memset(out, 0, sizeof *out);
        out->quorum = MERKLE_POLICY_NONE;
    }
    return err;
}

static const char *name_of(const struct merkle_policy *p, int member)
{
    return member == MERKLE_POLICY_NONE    ? "none"
           : member >= MERKLE_POLICY_GROUP ? p->group[member - MERKLE_POLICY_GROUP].name
                                           : p->witness[member].name;
}

void merkle_policy_put(struct buf *out, const struct merkle_policy *p)
{
    for (size_t i = 0; i < p->witnesses_n; i++) {
        const struct merkle_policy_witness *w = &p->witness[i];
        buf_printf(out, "witness %s ", w->name);
        merkle_vkey_put(out, &w->key);
        buf_printf(out, "%s%s\n", w->url[0] ? " " : "", w->url);
    }
    for (size_t i = 0; i < p->groups_n; i++) {
        const struct merkle_policy_group *g = &p->group[i];
        buf_printf(out, "group %s %u", g->name, g->k);
        for (size_t j = 0; j < g->n; j++)
            buf_printf(out, " %s", name_of(p, g->member[j]));
        buf_put_str(out, "\n");
    }
    buf_printf(out, "quorum %s\n", name_of(p, p->quorum));
}

static bool has(const bool met[POLICY_GROUPS_MAX], uint64_t cosigned, int member)
{
    return member >= MERKLE_POLICY_GROUP ? met[member - MERKLE_POLICY_GROUP] : cosigned >> member & 1;
}

bool merkle_policy_met(const struct merkle_policy *p, uint64_t cosigned)
{
    bool met[POLICY_GROUPS_MAX] = {false}; /* members come before their group */
    for (size_t i = 0; i < p->groups_n; i++) {
        const struct merkle_policy_group *g = &p->group[i];
        unsigned n = 0;
        for (size_t j = 0; j < g->n; j++)
            n += has(met, cosigned, g->member[j]);
        met[i] = n >= g->k;
    }
    return p->quorum != MERKLE_POLICY_NONE && has(met, cosigned, p->quorum);
}

bool merkle_policy_url_ok(const char *url)
{
    return url_ok(url) && !strchr(url, '?'); /* a path is appended to it */
}
