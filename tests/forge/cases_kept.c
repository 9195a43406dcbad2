/* Logs signed anew, which nothing inside shows: a receipt that somebody kept convicts them. */
#include "forge.h"

#include <stdlib.h>

typedef struct verdict_at at;

/* The receipt of an entry as the signer gives it, over the log as it is now. */
static void keep(struct forge_log *l, uint64_t index)
{
    struct merkle_receipt r = {.index = index, .size = l->n};
    struct merkle_hash *leaves = calloc(l->n, sizeof *leaves);
    uint8_t signature[64];
    struct buf b;
    if (!leaves)
        forge_die("out of memory");
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < l->n; i++) {
        buf_clear(&b);
        entry_encode(&b, &l->v[i].e);
        merkle_leaf(&leaves[i], buf_slice(&b));
    }
    r.leaf = leaves[index];
    merkle_root_of(&r.root, leaves, l->n);
    buf_clear(&b);
    merkle_receipt_text(&b, slice_str(l->key.name), &r);
    crypto_sign(signature, buf_slice(&b), l->secret);
    buf_put_str(&b, "\n");
    merkle_note_sign_line(&b, &l->key, slice_of(signature, sizeof signature));
    l->receipt = arena_copy(&l->arena, buf_slice(&b));
    buf_release(&b);
    free(leaves);
}

/* A disclosure that is the last of its person, and what came after it. */
static uint64_t disclosed(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, true);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app);
    uint64_t index = forge_last(c->l);
    for (int i = 0; i < 3; i++)
        act_refused(c, c->app);
    keep(c->l, index);
    return index;
}

static at honest(struct cast *c)
{
    uint64_t index = disclosed(c);
    act_refused(c, c->app);
    return forge_at(index);
}

static at left_out(struct cast *c)
{
    uint64_t index = disclosed(c);
    memmove(&c->l->v[index], &c->l->v[index + 1], (c->l->n - index - 1) * sizeof c->l->v[0]);
    c->l->n--;
    act_refused(c, c->app);
    act_refused(c, c->app);
    return forge_at(index);
}

static at replaced(struct cast *c)
{
    uint64_t index = disclosed(c), time = c->l->v[index].e.time;
    c->l->v[index] = c->l->v[index + 1];
    c->l->v[index].e.time = time;
    crypto_random(c->l->v[index].e.salt, 16);
    return forge_at(index);
}

static at cut_off(struct cast *c)
{
    uint64_t index = disclosed(c);
    c->l->n = index;
    return forge_at(index);
}

const struct forge_case forge_cases_kept[] = {
    {"kept-left-out", left_out, "the entry of a receipt left out, the whole log signed again"},
    {"kept-replaced", replaced, "the entry of a receipt replaced, the whole log signed again"},
    {"kept-cut-off", cut_off, "the log cut off before the entry of a receipt"},
    {"honest-receipt", honest, "no forgery: a receipt, and a log that grew"},
    {NULL, NULL, NULL},
};
