/* The tree that the entries give, held against every tile that the log serves. One open tile a level is all
 * that it keeps: a full one is compared, and its root becomes the next hash of the level above. */
#include "verify/internal.h"

enum { LEVELS = VERIFY_LEVELS, HASH = sizeof(struct merkle_hash) };

/* Compares tile n of the level with the `width` hashes that the entries gave. */
static enum bourn_err compare(struct replay *v, unsigned level, uint64_t n, unsigned width)
{
    struct merkle_tile t = {.kind = MERKLE_TILE_HASHES, .level = level, .n = n, .width = width};
    v->tile.cap = (size_t)MERKLE_TILE_WIDTH * HASH + 1;
    enum bourn_err err = source_tile(&v->source, t, &v->tile);
    if (err != BOURN_OK && err != BOURN_E_LIMIT)
        return err;
    clauses_count(v, BIT(CLAUSE_S1) | BIT(CLAUSE_V1), COUNT_EXAMINED);
    size_t got = err == BOURN_OK ? v->tile.n / HASH : 0;
    if (err != BOURN_OK || v->tile.n % HASH || got < width || (got > width && !v->source.wider))
        finding_at(v, CLAUSE_S1, false, (n * MERKLE_TILE_WIDTH) << 8 * level,
                   "hash tile %u/%llu does not have %u hashes", level, (unsigned long long)n, width);
    /* Where a tile of leaves contradicts, those above it do too: the leaf is what is named. */
    bool consequence = level > 0 && v->tree.contradicted;
    for (size_t i = 0; i < width && i < got && !consequence; i++)
        if (memcmp(v->tile.p + i * HASH, v->tree.level[level][i].b, HASH) != 0) {
            v->tree.contradicted = true;
            uint64_t first = (n * MERKLE_TILE_WIDTH + i) << 8 * level;
            finding_at(v, CLAUSE_S1, false, first,
                       "hash tile %u/%llu contradicts the entry: it was altered after it was logged", level,
                       (unsigned long long)n);
        }
    return BOURN_OK;
}

enum bourn_err tree_append(struct replay *v, const struct merkle_hash *leaf)
{
    struct tree *t = &v->tree;
    struct merkle_hash h = *leaf;
    merkle_edge_append(&t->edge, leaf);
    for (unsigned l = 0; l < LEVELS; l++) {
        t->level[l][t->filled[l]++] = h;
        if (t->filled[l] < MERKLE_TILE_WIDTH)
            return BOURN_OK;
        enum bourn_err err = compare(v, l, (t->edge.size >> 8 * (l + 1)) - 1, MERKLE_TILE_WIDTH);
        if (err != BOURN_OK)
            return err;
        merkle_root_of(&h, t->level[l], MERKLE_TILE_WIDTH);
        t->filled[l] = 0;
    }
    return err_set(BOURN_E_LIMIT, "the log is larger than this verifier can follow");
}

enum bourn_err tree_finish(struct replay *v)
{
    struct tree *t = &v->tree;
    for (unsigned l = 0; l < LEVELS; l++)
        if (t->filled[l]) {
            enum bourn_err err = compare(v, l, t->edge.size >> 8 * (l + 1), t->filled[l]);
            if (err != BOURN_OK)
                return err;
        }
    return BOURN_OK;
}
