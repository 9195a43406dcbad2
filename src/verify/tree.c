/* The tree that the entries give, held against every tile that the log serves. One open tile a level is all
 * that it keeps: a full one is compared, and its root becomes the next hash of the level above. */
#include "verify/piece.h"

enum { LEVELS = VERIFY_LEVELS, HASH = sizeof(struct merkle_hash) };

/* Compares what was served as tile n of the level with the `width` hashes that the entries gave. `wider`: in
 * place of a partial one that is gone, so more may follow. */
static void compare(struct replay *v, unsigned level, uint64_t n, unsigned width, enum bourn_err err,
                    const struct buf *tile, bool wider)
{
    clauses_count(v, BIT(CLAUSE_S1) | BIT(CLAUSE_V1), COUNT_EXAMINED);
    size_t got = err == BOURN_OK ? tile->n / HASH : 0;
    if (err != BOURN_OK || tile->n % HASH || got < width || (got > width && !wider))
        finding_at(v, CLAUSE_S1, false, (n * MERKLE_TILE_WIDTH) << 8 * level,
                   "hash tile %u/%llu does not have %u hashes", level, (unsigned long long)n, width);
    if (got >= width && memcmp(tile->p, v->tree.level[level], width * HASH) == 0)
        return;
    /* Where a tile of leaves contradicts, those above it do too: the leaf is what is named. */
    bool consequence = level > 0 && v->tree.contradicted;
    for (size_t i = 0; i < width && i < got && !consequence; i++)
        if (memcmp(tile->p + i * HASH, v->tree.level[level][i].b, HASH) != 0) {
            v->tree.contradicted = true;
            uint64_t first = (n * MERKLE_TILE_WIDTH + i) << 8 * level;
            finding_at(v, CLAUSE_S1, false, first,
                       "hash tile %u/%llu contradicts the entry: it was altered after it was logged", level,
                       (unsigned long long)n);
        }
}

static enum bourn_err read_and_compare(struct replay *v, unsigned level, uint64_t n, unsigned width)
{
    struct merkle_tile t = {.kind = MERKLE_TILE_HASHES, .level = level, .n = n, .width = width};
    v->tile.cap = (size_t)MERKLE_TILE_WIDTH * HASH + 1;
    enum bourn_err err = source_tile(&v->source, t, &v->tile);
    if (err != BOURN_OK && err != BOURN_E_LIMIT)
        return err;
    compare(v, level, n, width, err, &v->tile, v->source.wider);
    return BOURN_OK;
}

/* The leaves of a tile are all there: its root becomes a hash of the next level, and so on. */
static enum bourn_err close_tile(struct replay *v, const struct piece *p)
{
    struct tree *t = &v->tree;
    struct merkle_hash h = p->root;
    if (p->tile_trouble.err != BOURN_OK && p->tile_trouble.err != BOURN_E_LIMIT)
        return err_set(p->tile_trouble.err, "%s", p->tile_trouble.why);
    compare(v, 0, p->n, MERKLE_TILE_WIDTH, p->tile_trouble.err, &p->tile, false);
    merkle_edge_append(&t->edge, &h);
    t->filled[0] = 0;
    enum bourn_err err = witness_tile(v, 0, &h);
    for (unsigned l = 1; l < LEVELS && err == BOURN_OK; l++) {
        t->level[l][t->filled[l]++] = h;
        if (t->filled[l] < MERKLE_TILE_WIDTH)
            return BOURN_OK;
        err = read_and_compare(v, l, (t->size >> 8 * (l + 1)) - 1, MERKLE_TILE_WIDTH);
        if (err != BOURN_OK)
            return err;
        merkle_root_of(&h, t->level[l], MERKLE_TILE_WIDTH);
        err = witness_tile(v, l, &h);
        t->filled[l] = 0;
    }
    return err ? err : err_set(BOURN_E_LIMIT, "the log is larger than this verifier can follow");
}

enum bourn_err tree_append(struct replay *v, const struct merkle_hash *leaf, const struct piece *p)
{
    struct tree *t = &v->tree;
    t->level[0][t->filled[0]++] = *leaf;
    t->size++;
    return t->filled[0] < MERKLE_TILE_WIDTH ? BOURN_OK : close_tile(v, p);
}

/* The leaves of the open tile stand to the right of all full ones. */
void tree_root(const struct tree *t, struct merkle_hash *out)
{
    unsigned h = 0;
    if (t->filled[0])
        merkle_root_of(out, t->level[0], t->filled[0]);
    else {
        merkle_edge_root(&t->edge, out);
        return;
    }
    for (; h < 64; h++)
        if (t->edge.size >> h & 1)
            merkle_node(out, &t->edge.node[h], out);
}

enum bourn_err tree_finish(struct replay *v)
{
    struct tree *t = &v->tree;
    for (unsigned l = 0; l < LEVELS; l++)
        if (t->filled[l]) {
            enum bourn_err err = read_and_compare(v, l, t->size >> 8 * (l + 1), t->filled[l]);
            if (err != BOURN_OK)
                return err;
        }
    return BOURN_OK;
}
