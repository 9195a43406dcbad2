/* Forged continuations: a log that says it goes on for another one, and what only such a log may carry over.
 */
#include "forge.h"

typedef struct verdict_at at;

static at continued(struct cast *c, struct slice from, struct slice to, uint64_t known)
{
    struct slice key = slice_of(c->l->key.key, 32);
    struct slice *keys = arena_alloc(&c->l->arena, sizeof *keys);
    *keys = key;
    struct entry e = {
        .kind = ENTRY_CONTINUED, .origin = to, .continues = from, .keys = keys, .keys_n = 1, .known = known};
    static const enum entry_key has[] = {E_ORIGIN, E_KEYS, E_CONTINUES, E_KNOWN, E_HASH};
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        entry_set(&e, has[i]);
    forge_add(c->l, &e, NULL, 0);
    return forge_here(c);
}

static at other_log(struct cast *c)
{
    return continued(c, slice_str("other.example/ledger"), slice_str("cn.example/next"), c->l->n);
}

static at same_name(struct cast *c)
{
    return continued(c, world_origin(c->l->world), world_origin(c->l->world), c->l->n);
}

static at other_name(struct cast *c)
{
    return continued(c, world_origin(c->l->world), slice_str("else.example/ledger"), c->l->n + 5);
}

static at fewer_known(struct cast *c)
{
    return continued(c, world_origin(c->l->world), slice_str("else.example/ledger"), 3);
}

/* A withdrawal, or an erasure, that no party asked for and no old log knows of. */
static at carried(struct cast *c, bool erases)
{
    struct puppet p;
    forge_person(c, &p, true);
    struct forge_row r = {.r = {.prev = p.head, .consent = p.consent}};
    struct entry e = {.kind = ENTRY_CARRIED, .from = 3, .asked_by = 1};
    memcpy(r.r.label, p.label, 16);
    entry_set(&e, E_FROM);
    if (erases)
        entry_set(&e, E_ASKED_BY);
    else
        row_set(&r.r, R_CONSENT);
    forge_add(c->l, &e, &r, 1);
    return forge_here(c);
}

static at withdrawn_alone(struct cast *c)
{
    return carried(c, false);
}

static at erased_alone(struct cast *c)
{
    return carried(c, true);
}

const struct forge_case forge_cases_continued[] = {
    {"continued-other-log", other_log, "it continues a log that it is not"},
    {"continued-same-name", same_name, "it continues itself under the same name"},
    {"continued-other-name", other_name, "it goes on under a name that is not the log's"},
    {"continued-fewer-known", fewer_known, "it knows of fewer entries than stand before it"},
    {"carried-withdrawn-alone", withdrawn_alone, "a withdrawal carried over where nothing is continued"},
    {"carried-erased-alone", erased_alone, "an erasure carried over where nothing is continued"},
    {NULL, NULL, NULL},
};
