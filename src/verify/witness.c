/* What witnesses say of the log: `witnessed` entries, and the cosignatures on the checkpoint at hand. They
 * bound the clock from outside: what a witness cosigned at a time was there then, and what is logged behind
 * its signature comes later. Only cosignatures by the policy that the verifier's user gave are proof to them;
 * those of the policy that the log names are held against the log. */
#include "verify/internal.h"

#include "merkle/policy.h"

#include <stdlib.h>

enum { RUNS_MAX = 1 << 20 };

/* Entries from `first` on have this time, up to the next run. Where there are too many, every other one is
 * dropped: what is found then is a lower bound, which accuses nobody wrongly. */
struct run {
    uint64_t first, time;
};
struct witnessing {
    struct {
        struct merkle_hash *hash;
        size_t n, room;
    } tile_root[VERIFY_LEVELS]; /* of full tiles, by their level: what the log's roots at earlier sizes need
                                 */
    struct run *runs;
    size_t runs_n, runs_room;
    uint64_t last_size; /* of the `witnessed` entry before */
    struct merkle_policy policy;
};

enum bourn_err witness_init(struct replay *v)
{
    v->witnessing = calloc(1, sizeof *v->witnessing);
    return v->witnessing ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory for cosignatures");
}

void witness_release(struct replay *v)
{
    struct witnessing *w = v->witnessing;
    for (unsigned l = 0; w && l < VERIFY_LEVELS; l++)
        free(w->tile_root[l].hash);
    if (w)
        free(w->runs);
    free(w);
    v->witnessing = NULL;
}

static void *grown(void *p, size_t n, size_t *room, size_t one)
{
    if (n < *room)
        return p;
    size_t more = *room ? *room * 2 : 64;
    void *q = realloc(p, more * one);
    *room = q ? more : *room;
    return q;
}

enum bourn_err witness_tile(struct replay *v, unsigned level, const struct merkle_hash *root)
{
    struct witnessing *w = v->witnessing;
    struct merkle_hash *hash =
        grown(w->tile_root[level].hash, w->tile_root[level].n, &w->tile_root[level].room, sizeof *hash);
    if (!hash)
        return err_set(BOURN_E_MEMORY, "out of memory for the roots of tiles");
    w->tile_root[level].hash = hash;
    hash[w->tile_root[level].n++] = *root;
    return BOURN_OK;
}

/* --- the log's own root at an earlier size */

/* `count` leaves from `first` on, all in one tile. A full tile is read again and believed only if it gives
 * the root that the entries gave. */
static enum bourn_err leaves(struct replay *v, uint64_t first, unsigned count, struct merkle_hash *out)
{
    const struct witnessing *w = v->witnessing;
    struct merkle_tile t = {MERKLE_TILE_HASHES, 0, first / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH};
    struct merkle_hash hash[MERKLE_TILE_WIDTH], root;
    unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH);
    if (t.n == w->tile_root[0].n) {
        merkle_root_of(out, v->tree.level[0] + at, count);
        return BOURN_OK;
    }
    v->tile.cap = sizeof hash + 1;
    enum bourn_err err = source_tile(&v->source, t, &v->tile);
    if (err)
        return err;
    if (v->tile.n != sizeof hash)
        return err_set(BOURN_E_CORRUPT, "hash tile 0/%llu is not whole", (unsigned long long)t.n);
    memcpy(hash, v->tile.p, sizeof hash);
    merkle_root_of(&root, hash, MERKLE_TILE_WIDTH);
    if (memcmp(root.b, w->tile_root[0].hash[t.n].b, sizeof root.b) != 0)
        return err_set(BOURN_E_CORRUPT, "hash tile 0/%llu is another one than before",
                       (unsigned long long)t.n);
    merkle_root_of(out, hash + at, count);
    return BOURN_OK;
}

static enum bourn_err read_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    struct replay *v = ctx;
    unsigned level = height / 8, count = 1u << height % 8;
    if (level == 0)
        return leaves(v, index << height, count, out);
    bourn_assert(level <= VERIFY_LEVELS &&
                 ((index + 1) << height % 8) <= v->witnessing->tile_root[level - 1].n);
    merkle_root_of(out, v->witnessing->tile_root[level - 1].hash + (index << height % 8), count);
    return BOURN_OK;
}

/* --- times */

static enum bourn_err note_time(struct replay *v)
{
    struct witnessing *w = v->witnessing;
    if (w->runs_n && w->runs[w->runs_n - 1].time == v->entry->time)
        return BOURN_OK;
    if (w->runs_n == RUNS_MAX) {
        for (size_t i = 0; i < RUNS_MAX / 2; i++)
            w->runs[i] = w->runs[2 * i];
        w->runs_n = RUNS_MAX / 2;
    }
    struct run *runs = grown(w->runs, w->runs_n, &w->runs_room, sizeof *runs);
    if (!runs)
        return err_set(BOURN_E_MEMORY, "out of memory for times");
    w->runs = runs;
    runs[w->runs_n++] = (struct run){v->index, v->entry->time};
    return BOURN_OK;
}

static uint64_t time_of(const struct witnessing *w, uint64_t index)
{
    size_t lo = 0, hi = w->runs_n; /* the last run that begins at or before it */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        *(w->runs[mid].first <= index ? &lo : &hi) = mid;
    }
    return w->runs_n ? w->runs[lo].time : 0;
}

/* --- cosignatures */

/* Which witnesses of the policy have cosigned the note; each bad line is a finding. `behind`: the time of the
 * entry that logs it, or UINT64_MAX. */
static uint64_t cosigners(struct replay *v, const struct merkle_policy *p, struct slice note, uint64_t size,
                          uint64_t behind)
{
    uint64_t out = 0, time = 0;
    uint64_t before = size ? time_of(v->witnessing, size - 1) : 0;
    for (size_t i = 0; i < p->witnesses_n; i++) {
        const char *name = p->witness[i].key.name;
        enum bourn_err err = merkle_cosignature_check(note, &p->witness[i].key, &time);
        if (err == BOURN_E_NOT_FOUND)
            continue;
        if (err) {
            finding(v, CLAUSE_V1, "a cosignature of %.80s does not verify", name);
            return 0;
        }
        if (time + WITNESS_SKEW_S_MAX < before)
            finding(v, CLAUSE_V1,
                    "%.60s cosigned %llu entries at %llu, the last of them says %llu: time is not true", name,
                    (unsigned long long)size, (unsigned long long)time, (unsigned long long)before);
        else if (behind != UINT64_MAX && time > behind + WITNESS_SKEW_S_MAX)
            finding(
                v, CLAUSE_V1,
                "%.60s cosigned at %llu, and this entry behind it says %llu: time stood still or ran back",
                name, (unsigned long long)time, (unsigned long long)behind);
        else
            out |= (uint64_t)1 << i;
    }
    return out;
}

static void note_quorum(struct replay *v, uint64_t mask, uint64_t size)
{
    if (merkle_policy_met(v->o->policy, mask) && size > v->rep->cosigned_size)
        v->rep->cosigned_size = size;
}

/* The policy that the log has in force holds: it was the cell's word that a quorum of it signed. */
static void check_own(struct replay *v, struct slice note, const struct entry *e)
{
    struct merkle_policy *own = &v->witnessing->policy;
    struct slice text = world_setting(v->world, "witness_policy");
    if (merkle_policy_get(text, own) != BOURN_OK)
        finding(v, CLAUSE_V1, "no witness policy that can be read is in force for it");
    else if (!merkle_policy_met(own, cosigners(v, own, note, e->tree_size, e->time)))
        finding(v, CLAUSE_V1, "no quorum of the policy in force has well cosigned it");
}

static enum bourn_err check_entry(struct replay *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct witnessing *w = v->witnessing;
    const struct entry *e = v->entry;
    struct merkle_hash root, said;
    struct buf note;
    buf_init(&note, WITNESSED_BYTES_MAX + 1024);
    if (e->tree_size > v->index || e->tree_size <= w->last_size) {
        finding(v, CLAUSE_V1,
                "what was cosigned (%llu entries) is not before it, or not behind what was before",
                (unsigned long long)e->tree_size);
        err = BOURN_OK;
        goto out;
    }
    w->last_size = e->tree_size;
    memcpy(said.b, e->tree_root, sizeof said.b);
    TRY(merkle_root_at(e->tree_size, read_node, v, &root));
    v->rep->witnessed++;
    if (memcmp(root.b, said.b, sizeof root.b) != 0) {
        finding(v, CLAUSE_V1, "the witnesses cosigned another history: the root of %llu entries differs",
                (unsigned long long)e->tree_size);
        goto out;
    }
    merkle_checkpoint_body(&note, slice_str(v->o->key.name), e->tree_size, &root);
    buf_put_str(&note, "\n");
    buf_put_slice(&note, e->cosignatures);
    TRY(buf_check(&note));
    check_own(v, buf_slice(&note), e);
    if (v->o->policy)
        note_quorum(v, cosigners(v, v->o->policy, buf_slice(&note), e->tree_size, e->time), e->tree_size);
out:
    buf_release(&note);
    return err;
}

enum bourn_err witness_entry(struct replay *v)
{
    enum bourn_err err = note_time(v);
    return err || v->entry->kind != ENTRY_WITNESSED ? err : check_entry(v);
}

bool witness_missing(const struct replay *v)
{
    uint64_t mask = 0, time;
    const struct merkle_policy *p = v->o->policy;
    for (size_t i = 0; p && i < p->witnesses_n; i++)
        mask |=
            (uint64_t)(merkle_cosignature_check(buf_slice(&v->note), &p->witness[i].key, &time) == BOURN_OK)
            << i;
    return p && !merkle_policy_met(p, mask);
}

void witness_checkpoint(struct replay *v)
{
    if (!v->o->policy || !v->size)
        return;
    v->index = v->size - 1; /* a finding is about the last entry */
    note_quorum(v, cosigners(v, v->o->policy, buf_slice(&v->note), v->size, UINT64_MAX), v->size);
}
