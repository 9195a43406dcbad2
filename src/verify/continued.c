/* A log that goes on for another one: whose it is at its end, and, where a copy of the old log is given, that
 * nothing is left out which that log withdrew or erased behind the place where this one takes over. */
#include "base/text.h"
#include "verify/internal.h"

#include <stdlib.h>

/* The root of what stands before a `continued` entry: {1: 30, … begins with these bytes behind the head. */
void continued_before(struct replay *v, struct slice bytes)
{
    static const uint8_t kind[] = {E_KIND, 0x18, ENTRY_CONTINUED};
    if (bytes.n > sizeof kind && memcmp(bytes.p + 1, kind, sizeof kind) == 0)
        tree_root(&v->tree, &v->before_entry);
}

static void check_identity(struct replay *v)
{
    uint64_t at, carried_until;
    const struct entry *c = world_continued(v->world, &at, &carried_until);
    if (v->tree.size &&
        (!world_log_key(v->world, v->o->key.key) || !slice_is(world_origin(v->world), v->rep->origin)))
        finding_at(v, CLAUSE_V1, false, c ? at : 0, "%s does not name this log and its key",
                   c ? "the entry that continues another log" : "genesis");
    if (c && c->known == at && memcmp(c->hash, v->before_continued.b, 32) != 0)
        finding_at(v, CLAUSE_V1, false, at, "the root that it names is not that of the entries before it");
    if (!c)
        return;
    struct verify_report *r = v->rep;
    r->continues_at = at;
    r->continues_known = c->known;
    memcpy(r->continues, c->continues.p, c->continues.n); /* 255 bytes at most, and zero behind */
}

/* --- earlier heads of the old log
 * ----------------------------------------------------------------------------------- */

bool continued_head(struct replay *v, size_t i)
{
    struct slice note = v->o->heads[i];
    const uint8_t *line = note.n ? memchr(note.p, '\n', note.n) : NULL;
    size_t left = line ? (size_t)(note.p + note.n - ++line) : 0;
    const uint8_t *end = left ? memchr(line, '\n', left) : NULL;
    if (!end || !decimal_get(slice_of(line, (size_t)(end - line)), &v->foreign[i].size))
        return false;
    v->heads[i].size = UINT64_MAX; /* no head of this log */
    return v->foreign[i].size != UINT64_MAX;
}

void continued_heads_at(struct replay *v, uint64_t size)
{
    for (size_t i = 0; i < v->o->heads_n; i++)
        if (v->foreign[i].size == size)
            tree_root(&v->tree, &v->foreign[i].root);
}

static enum bourn_err open_old(struct replay *v, const struct entry *continued, struct slice note,
                               struct merkle_checkpoint *cp)
{
    const struct entry *e = world_before_continued(v->world);
    struct merkle_vkey key;
    char name[MERKLE_ORIGIN_BYTES_MAX + 1] = "";
    enum bourn_err err = BOURN_E_CRYPTO;
    memcpy(name, continued->continues.p, continued->continues.n);
    for (size_t i = 0; err && e && i < e->keys_n; i++) {
        merkle_vkey_init(&key, name, 0x01, e->keys[i].p);
        err = merkle_checkpoint_open(note, &key, cp);
    }
    return err;
}

static enum bourn_err check_old_heads(struct replay *v)
{
    uint64_t at, carried_until;
    const struct entry *c = world_continued(v->world, &at, &carried_until);
    for (size_t i = 0; i < v->o->heads_n; i++) {
        struct merkle_checkpoint cp;
        if (v->foreign[i].size == UINT64_MAX)
            continue;
        if (!c || open_old(v, c, v->o->heads[i], &cp) != BOURN_OK)
            return err_set(BOURN_E_CRYPTO, "an earlier head is not a checkpoint signed by this log's key%s",
                           c ? ", nor by that of the log before it" : "");
        bool here = cp.size <= at, end = cp.size == c->known;
        clauses_count(v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
        if (cp.size > c->known)
            finding_at(v, CLAUSE_V1, false, at, "the old log had %llu entries, not %llu",
                       (unsigned long long)cp.size, (unsigned long long)c->known);
        else if ((here && memcmp(cp.root.b, v->foreign[i].root.b, 32) != 0) ||
                 (end && memcmp(cp.root.b, c->hash, 32) != 0))
            finding_at(v, CLAUSE_V1, true, cp.size,
                       "the earlier head of this size has another root: history was rewritten");
        else if (here && cp.size > 0)
            v->rep->heads++;
    }
    return BOURN_OK;
}

/* --- the old log
 * ---------------------------------------------------------------------------------------------------- */

struct old {
    struct replay *v;
    const struct entry *continued;
    uint64_t at, carried_until;
    struct source source;
    struct verify_options o;
    struct merkle_edge edge;
    struct buf bundle, rows;
    struct arena arena;
    bool unread_rows;
};

/* What the old log says of one person, against what this one carries over. */
static void check_row(struct old *x, uint64_t index, uint32_t kind, const struct row *r)
{
    const struct subject *s = people_find(&x->v->people, people_hash(&x->v->people, r->label), r->label);
    if (!s || s->person.enrolled >= x->at)
        return;
    const struct person *p = &s->person;
    bool gone = p->erased && p->erased_index <= x->carried_until;
    if (kind == ENTRY_ERASED && !row_has(r, R_COLLECTIONS) && !gone)
        finding_at(x->v, CLAUSE_H1, false, x->at,
                   "it leaves out entry %llu of the old log: somebody who was erased there lives on",
                   (unsigned long long)index);
    const struct gate_basis *b =
        kind == ENTRY_WITHDRAWN && r->consent < x->at ? person_consent(p, r->consent) : NULL;
    if (b && !gone && (b->withdrawn == UINT64_MAX || b->withdrawn > x->carried_until))
        finding_at(x->v, CLAUSE_H1, false, x->at,
                   "it leaves out entry %llu of the old log: consent %llu, withdrawn there, lives on",
                   (unsigned long long)index, (unsigned long long)r->consent);
}

/* The rows of one withdrawal or erasure. */
static enum bourn_err check_rows(struct old *x, uint64_t index, const struct entry *e, struct slice group)
{
    struct merkle_edge edge;
    struct merkle_hash hash;
    struct slice bytes;
    struct row r;
    size_t at = 0;
    merkle_edge_init(&edge);
    while (rows_next(group, &at, &bytes)) {
        enum bourn_err err = row_decode(bytes, e->kind, &x->arena, &r);
        if (err)
            return err;
        merkle_leaf(&hash, bytes);
        merkle_edge_append(&edge, &hash);
        check_row(x, index, e->kind, &r);
    }
    merkle_edge_root(&edge, &hash);
    return at == group.n && memcmp(hash.b, e->root, 32) == 0
               ? BOURN_OK
               : err_set(BOURN_E_CORRUPT, "the rows of entry %llu of the old log are not those it commits to",
                         (unsigned long long)index);
}

/* Roots on the way: where this log took over, and where it says the old one ended. */
static void check_roots(struct old *x)
{
    struct merkle_hash root;
    bool here = x->edge.size == x->at, known = x->edge.size == x->continued->known;
    if (!here && !known)
        return;
    merkle_edge_root(&x->edge, &root);
    clauses_count(x->v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
    if (here && memcmp(root.b, x->v->before_continued.b, 32) != 0)
        finding_at(x->v, CLAUSE_V1, false, x->at, "the entries before it are not those of the old log");
    if (known && memcmp(root.b, x->continued->hash, 32) != 0)
        finding_at(x->v, CLAUSE_V1, false, x->at, "the old log had another root at %llu entries",
                   (unsigned long long)x->continued->known);
}

static enum bourn_err old_bundle(struct old *x, uint64_t n, unsigned width)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_tile t = {.kind = MERKLE_TILE_ENTRIES, .n = n, .width = width};
    struct slice bytes, group = {0};
    size_t at = 0, rows_at = 0;
    bool behind = (n + 1) * MERKLE_TILE_WIDTH > x->at, rows = behind && x->o.rows;
    TRY(source_tile(&x->source, t, &x->bundle));
    t.kind = MERKLE_TILE_ROWS;
    if (rows)
        TRY(source_tile(&x->source, t, &x->rows));
    for (unsigned i = 0; i < width; i++) {
        struct merkle_hash leaf;
        struct entry e;
        uint64_t index = x->edge.size;
        if (!bundle_next(buf_slice(&x->bundle), &at, &bytes) ||
            (rows && !row_groups_next(buf_slice(&x->rows), &rows_at, &group)))
            return err_set(BOURN_E_CORRUPT, "entry %llu of the old log is cut off",
                           (unsigned long long)index);
        merkle_leaf(&leaf, bytes);
        merkle_edge_append(&x->edge, &leaf);
        check_roots(x);
        arena_reset(&x->arena);
        if (index < x->at)
            continue;
        TRY(entry_decode(bytes, &x->arena, &e));
        if (e.kind != ENTRY_WITHDRAWN && e.kind != ENTRY_ERASED)
            continue;
        x->unread_rows = x->unread_rows || !rows || !x->v->rep->rows_given;
        if (rows && x->v->rep->rows_given)
            TRY(check_rows(x, index, &e, group));
    }
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err old_checkpoint(struct old *x, struct merkle_checkpoint *cp)
{
    buf_init(&x->bundle, 0);
    enum bourn_err err = source_checkpoint(&x->source, &x->bundle);
    if (err == BOURN_OK)
        err = open_old(x->v, x->continued, buf_slice(&x->bundle), cp);
    return err ? err_set(err, "the old log has no checkpoint that its key signed") : BOURN_OK;
}

static enum bourn_err old_log(struct old *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_checkpoint cp;
    struct merkle_hash root, end;
    TRY(source_open(&x->source, &x->o));
    TRY(old_checkpoint(x, &cp));
    uint64_t size = cp.size;
    end = cp.root;
    if (size > x->continued->known)
        finding_at(x->v, CLAUSE_V1, false, x->at, "the old log had %llu entries, not %llu",
                   (unsigned long long)size, (unsigned long long)x->continued->known);
    if (size < x->continued->known) /* what the copy does not have may say anything */
        clauses_count(x->v, BIT(CLAUSE_V1) | BIT(CLAUSE_H1), COUNT_NOT_EXAMINED);
    x->bundle.cap = MERKLE_TILE_WIDTH * (ENTRY_BYTES_MAX + 2);
    while (x->edge.size < size) {
        uint64_t n = x->edge.size / MERKLE_TILE_WIDTH, left = size - n * MERKLE_TILE_WIDTH;
        TRY(old_bundle(x, n, left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH));
    }
    merkle_edge_root(&x->edge, &root);
    if (memcmp(root.b, end.b, 32) != 0)
        TRY(err_set(BOURN_E_CORRUPT, "the old log's entries do not give the root that its checkpoint signs"));
    clauses_count(x->v, BIT(CLAUSE_H1), x->unread_rows ? COUNT_NOT_EXAMINED : COUNT_EXAMINED);
out:
    return err;
}

enum bourn_err continued_check(struct replay *v)
{
    check_identity(v);
    enum bourn_err err = check_old_heads(v);
    if (err || !v->o->continues)
        return err;
    struct old x = {.v = v, .o = {.source = v->o->continues, .rows = v->o->continues_rows}};
    x.continued = world_continued(v->world, &x.at, &x.carried_until);
    if (!x.continued)
        return err_set(BOURN_E_FORMAT, "this log does not say that it continues another one");
    arena_init(&x.arena, 64u << 20);
    buf_init(&x.rows, 1u << 30);
    merkle_edge_init(&x.edge);
    err = old_log(&x);
    source_close(&x.source);
    arena_release(&x.arena);
    buf_release(&x.bundle);
    buf_release(&x.rows);
    return err;
}
