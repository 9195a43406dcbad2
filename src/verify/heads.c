/* Checkpoints: the one that is replayed, earlier ones, and that a later one extends the one before. */
#include "verify/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COSIGNATURE_ROUNDS = 5 }; /* with a second between them */

/* Over HTTP it waits a little for the cosignatures on a checkpoint that has just been published. */
static enum bourn_err fetch(struct replay *v)
{
    enum bourn_err err = source_checkpoint(&v->source, &v->note);
    for (int i = 0; i < COSIGNATURE_ROUNDS && !err && v->source.http && witness_missing(v); i++) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        err = source_checkpoint(&v->source, &v->note);
    }
    return err;
}

enum bourn_err heads_checkpoint(struct replay *v, struct merkle_checkpoint *cp)
{
    struct verify_report *r = v->rep;
    enum bourn_err err = fetch(v);
    if (err == BOURN_OK)
        err = merkle_checkpoint_open(buf_slice(&v->note), &v->o->key, cp);
    if (err != BOURN_OK) {
        char why[300];
        snprintf(why, sizeof why, "%s", err_text());
        return err_set(err, "the checkpoint %s: %s", v->source.place, why);
    }
    if (r->have_checkpoint && cp->size < r->size) {
        finding_at(v, CLAUSE_V1, true, r->size, "the log went back to %llu entries while it was read",
                   (unsigned long long)cp->size);
        return err_set(BOURN_E_CORRUPT, "the checkpoint went backwards");
    }
    r->have_checkpoint = true;
    r->size = v->size = cp->size;
    r->root = cp->root;
    snprintf(r->origin, sizeof r->origin, "%.*s", SLICE_ARG(cp->origin));
    return BOURN_OK;
}

/* The earlier heads of this size: the root must be the same. */
void heads_check(struct replay *v, uint64_t size)
{
    for (size_t i = 0; i < v->o->heads_n; i++) {
        struct merkle_hash root;
        if (v->heads[i].size != size)
            continue;
        tree_root(&v->tree, &root);
        clauses_count(v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
        if (memcmp(root.b, v->heads[i].root.b, 32) != 0)
            finding_at(v, CLAUSE_V1, true, size,
                       "the earlier head of this size has another root: history was rewritten");
        else if (size > 0)
            v->rep->heads++;
    }
    continued_heads_at(v, size);
}

/* Reads the earlier heads once, with their signatures; each entry is then compared with sizes alone. */
enum bourn_err heads_open(struct replay *v)
{
    v->heads = calloc(v->o->heads_n + 1, sizeof *v->heads);
    v->foreign = calloc(v->o->heads_n + 1, sizeof *v->foreign);
    for (size_t i = 0; v->foreign && i < v->o->heads_n; i++)
        v->foreign[i].size = UINT64_MAX;
    if (!v->heads || !v->foreign)
        return err_set(BOURN_E_MEMORY, "out of memory for earlier heads");
    for (size_t i = 0; i < v->o->heads_n; i++) {
        struct merkle_checkpoint *head = &v->heads[i];
        enum bourn_err err = merkle_checkpoint_open(v->o->heads[i], &v->o->key, head);
        if (err != BOURN_OK && continued_head(v, i))
            continue;
        if (err != BOURN_OK)
            return err_set(err, "an earlier head is not a checkpoint signed by this log's key");
        if (head->size > v->size)
            finding_at(v, CLAUSE_V1, true, head->size,
                       "an earlier head has this size, the log now %llu: it was rolled back",
                       (unsigned long long)v->size);
    }
    return BOURN_OK;
}

/* Hashes of the tree of `size` as its tiles are served. */
struct served {
    struct replay *v;
    uint64_t size;
};

/* A subtree of at most a tile: the root over its hashes, which stand in one tile of one level. */
static enum bourn_err read_served(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    struct served *s = ctx;
    struct buf *tile = &s->v->tile;
    unsigned level = height / 8, width = 1u << height % 8;
    uint64_t first = index << height % 8, there = s->size >> 8 * level, n = first / MERKLE_TILE_WIDTH;
    uint64_t left = there - n * MERKLE_TILE_WIDTH;
    struct merkle_tile t = {.kind = MERKLE_TILE_HASHES, .level = level, .n = n};
    t.width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
    tile->cap = MERKLE_TILE_WIDTH * sizeof *out + 1;
    enum bourn_err err = source_tile(&s->v->source, t, tile);
    if (err != BOURN_OK)
        return err;
    struct merkle_hash part[MERKLE_TILE_WIDTH];
    size_t at = first % MERKLE_TILE_WIDTH;
    if (tile->n < (at + width) * sizeof *out)
        return err_set(BOURN_E_LIMIT, "hash tile %u/%llu is cut off", level, (unsigned long long)n);
    memcpy(part, tile->p + at * sizeof *out, width * sizeof *out);
    merkle_root_of(out, part, width);
    return BOURN_OK;
}

enum bourn_err heads_extend(struct replay *v, uint64_t old, const struct merkle_hash *old_root,
                            const struct merkle_checkpoint *cp)
{
    struct served served = {v, cp->size};
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    enum bourn_err err = merkle_prove_consistency(old, cp->size, read_served, &served, proof, &n);
    if (err != BOURN_OK && err != BOURN_E_LIMIT)
        return err;
    clauses_count(v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
    if (err == BOURN_OK && merkle_verify_consistency(old, old_root, cp->size, &cp->root, proof, n))
        return BOURN_OK;
    finding_at(v, CLAUSE_V1, true, old,
               "the log of %llu entries does not extend the head of this size that was held: "
               "it was forked or rewritten",
               (unsigned long long)cp->size);
    return err_set(BOURN_E_CORRUPT, "the checkpoint does not extend the one before");
}
