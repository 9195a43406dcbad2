/* One replay: the checkpoint is fixed first; then bundle by bundle, entry by entry, row by row; then the
 * people whose evidence stayed closed. What cannot be read ends the replay (report.error); what is wrong is a
 * finding. */
#include "verify/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BUNDLE_BYTES_MAX = MERKLE_TILE_WIDTH * (ENTRY_BYTES_MAX + 2),
    ROWS_FILE_BYTES_MAX = 1 << 30,
    ENTRY_ARENA_BYTES = 8 << 20,
    ROW_ARENA_BYTES = 64 << 20,
    FORMAT_VERSION = 1,
    CATCH_UP_ROUNDS = 5, /* with a second between them, see catch_up */
};

static enum bourn_err open_checkpoint(struct replay *v, struct merkle_checkpoint *cp)
{
    struct verify_report *r = v->rep;
    enum bourn_err err = source_checkpoint(&v->source, &v->note);
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
static void check_heads(struct replay *v, uint64_t size)
{
    for (size_t i = 0; i < v->o->heads_n; i++) {
        struct merkle_hash root;
        if (v->heads[i].size != size)
            continue;
        merkle_edge_root(&v->tree.edge, &root);
        clauses_count(v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
        if (memcmp(root.b, v->heads[i].root.b, 32) != 0)
            finding_at(v, CLAUSE_V1, true, size,
                       "the earlier head of this size has another root: history was rewritten");
        else if (size > 0)
            v->rep->heads++;
    }
}

/* Reads the earlier heads once, with their signatures; each entry is then compared with sizes alone. */
static enum bourn_err open_heads(struct replay *v)
{
    v->heads = calloc(v->o->heads_n + 1, sizeof *v->heads);
    if (!v->heads)
        return err_set(BOURN_E_MEMORY, "out of memory for earlier heads");
    for (size_t i = 0; i < v->o->heads_n; i++) {
        struct merkle_checkpoint *head = &v->heads[i];
        enum bourn_err err = merkle_checkpoint_open(v->o->heads[i], &v->o->key, head);
        if (err != BOURN_OK)
            return err_set(err, "an earlier head is not a checkpoint signed by this log's key");
        if (head->size > v->size)
            finding_at(v, CLAUSE_V1, true, head->size,
                       "an earlier head has this size, the log now %llu: it was rolled back",
                       (unsigned long long)v->size);
    }
    return BOURN_OK;
}

static void check_genesis(struct replay *v)
{
    const struct entry *g = world_genesis(v->world);
    bool key = false;
    for (size_t i = 0; g && i < g->keys_n; i++)
        key |= slice_eq(g->keys[i], slice_of(v->o->key.key, 32));
    if (!g || !key || !slice_is(g->origin, v->rep->origin))
        finding(v, CLAUSE_V1, "genesis does not name this log and its key");
    v->rep->delay_s = world_delay_s(v->world);
}

static void note_unexamined(struct replay *v, const struct entry *e)
{
    clauses_count(v, clauses_of(e->kind, LAYER_ROWS), COUNT_NOT_EXAMINED);
    if (e->kind == ENTRY_CONSENT || e->kind == ENTRY_KEY || e->kind == ENTRY_EXPORTED)
        clauses_count(v, clauses_of(e->kind, LAYER_EVIDENCE), COUNT_NOT_EXAMINED);
}

static bool is_finding(enum bourn_err err)
{
    return err == BOURN_E_CONFLICT || err == BOURN_E_FORMAT || err == BOURN_E_LIMIT;
}

/* Without a genesis there is neither a country nor a delay: what follows cannot be decided. */
static enum bourn_err check_begun(const struct replay *v)
{
    return world_origin(v->world).p ? BOURN_OK
                                    : err_set(BOURN_E_UNAVAILABLE, "the log does not begin with a genesis: "
                                                                   "nothing in it can be decided");
}

static enum bourn_err replay_entry(struct replay *v, struct slice bytes, struct slice group)
{
    struct merkle_hash leaf;
    struct entry e;
    const char *clause = "V3";
    v->index = v->tree.edge.size;
    v->bytes = bytes;
    v->entry = &e;
    merkle_leaf(&leaf, bytes);
    enum bourn_err err = tree_append(v, &leaf);
    if (err != BOURN_OK)
        return err;
    check_heads(v, v->tree.edge.size);
    v->rep->entries++;
    arena_reset(&v->entry_arena);
    err = entry_decode(bytes, &v->entry_arena, &e);
    if (is_finding(err)) {
        finding(v, CLAUSE_V3, "it is not a well-formed entry: %s", err_text());
        return check_begun(v);
    }
    if (err == BOURN_OK && e.kind == ENTRY_GENESIS && e.format > FORMAT_VERSION)
        err = err_set(BOURN_E_UNAVAILABLE, "the log has format version %llu: use a newer verifier",
                      (unsigned long long)e.format);
    if (err == BOURN_OK)
        err = world_apply(v->world, v->index, &e, bytes, &clause);
    if (is_finding(err))
        finding(v, clause_named(clause, strlen(clause), CLAUSE_V3), "%s", err_text());
    else if (err != BOURN_OK)
        return err;
    err = check_begun(v);
    if (err != BOURN_OK)
        return err;
    if (v->index == 0)
        check_genesis(v);
    clauses_count(v, clauses_of(e.kind, LAYER_ENTRY), COUNT_EXAMINED);
    rows_check_party(v);
    if (clauses_gated(e.kind))
        decide_entry(v);
    if (!entry_kind_has_rows(e.kind)) {
        if (group.n)
            finding(v, CLAUSE_V3, "rows stand beside an entry that has none");
        return BOURN_OK;
    }
    if (v->rep->rows_given)
        return rows_check(v, group);
    if (e.count)
        note_unexamined(v, &e);
    return BOURN_OK;
}

/* One bundle, its rows beside it, from where the replay stands up to `width` entries of it. */
static enum bourn_err replay_bundle(struct replay *v, uint64_t n, unsigned width)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_tile t = {.kind = MERKLE_TILE_ENTRIES, .n = n, .width = width};
    struct slice bytes, group = {0};
    size_t at = 0, rows_at = 0;
    bool ends, rows_end; /* a file that stands in for a narrower one goes on */
    TRY(source_tile(&v->source, t, &v->bundle));
    ends = !v->source.wider;
    t.kind = MERKLE_TILE_ROWS;
    if (v->rep->rows_given)
        TRY(source_tile(&v->source, t, &v->rows));
    rows_end = v->rep->rows_given && !v->source.wider;
    for (unsigned i = 0; i < width; i++) {
        uint64_t index = n * MERKLE_TILE_WIDTH + i;
        v->index = index;
        if (!bundle_next(buf_slice(&v->bundle), &at, &bytes)) {
            finding(v, CLAUSE_S1, "its bundle does not hold it");
            return err_set(BOURN_E_CORRUPT, "the bundle of entry %llu is cut off", (unsigned long long)index);
        }
        if (v->rep->rows_given && !row_groups_next(buf_slice(&v->rows), &rows_at, &group)) {
            finding(v, CLAUSE_S1, "the file of rows does not hold it");
            return err_set(BOURN_E_CORRUPT, "the rows of entry %llu are cut off", (unsigned long long)index);
        }
        if (index >= v->tree.edge.size)
            TRY(replay_entry(v, bytes, group));
    }
    if ((ends && at != v->bundle.n) || (rows_end && rows_at != v->rows.n))
        finding(v, CLAUSE_S1, "something follows it in its bundle or rows that does not belong there");
    err = BOURN_OK;
out:
    return err;
}

/* Up to the checkpoint. */
static enum bourn_err replay_to(struct replay *v, const struct merkle_checkpoint *cp)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash root;
    while (v->tree.edge.size < cp->size) {
        uint64_t n = v->tree.edge.size / MERKLE_TILE_WIDTH, left = cp->size - n * MERKLE_TILE_WIDTH;
        TRY(replay_bundle(v, n, left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH));
    }
    TRY(tree_finish(v));
    merkle_edge_root(&v->tree.edge, &root);
    if (memcmp(root.b, cp->root.b, 32) != 0)
        finding_at(v, CLAUSE_S1, true, cp->size,
                   "the entries do not give the root that the checkpoint signs");
    err = BOURN_OK;
out:
    return err;
}

/* Somebody whose evidence the server calls erased and whose erasure this replay has not met. */
static bool waits_for_erasure(const struct replay *v)
{
    for (size_t i = 0; i < v->people.slots; i++) {
        const struct subject *s = v->people.slot[i];
        if (s && s->claimed_erased && !s->person.erased)
            return true;
    }
    return false;
}

/* A person may have been erased between the checkpoint and the opening of the evidence: then a later
 * checkpoint holds the entry. Nobody is accused before it was looked for. */
static enum bourn_err catch_up(struct replay *v)
{
    struct merkle_checkpoint cp;
    enum bourn_err err = BOURN_OK;
    for (int i = 0; i < CATCH_UP_ROUNDS && v->source.http && waits_for_erasure(v) && err == BOURN_OK; i++) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        err = open_checkpoint(v, &cp);
        if (err == BOURN_OK)
            err = replay_to(v, &cp);
    }
    return err;
}

/* Counts each row that stayed closed for the clauses that its evidence would speak for. */
static void count_closed(struct replay *v, const struct subject *s)
{
    for (unsigned k = 0; k < CLOSED_KINDS; k++) {
        uint32_t clauses = clauses_of(closed_kind[k], LAYER_EVIDENCE);
        for (unsigned c = 0; c < VERIFY_CLAUSES; c++) {
            if (!(clauses & BIT(c)))
                continue;
            if (s->person.erased)
                v->rep->count[c].erased[s->person.erased_by & 3] += s->closed[k];
            else
                v->rep->count[c].not_examined += s->closed[k];
        }
    }
}

/* Evidence that stayed closed: gone with the person, refused by right, or withheld. */
static void settle_people(struct replay *v)
{
    struct verify_report *r = v->rep;
    bool due = v->source.headers && decide_evidence(v, v->source.party, slice_str(v->source.purpose));
    for (size_t i = 0; i < v->people.slots; i++) {
        const struct subject *s = v->people.slot[i];
        if (!s || !(s->missing + s->refused))
            continue;
        count_closed(v, s);
        if (s->person.erased) {
            r->evidence_erased += s->missing + s->refused;
            continue;
        }
        r->evidence_missing += s->missing;
        r->evidence_refused += s->refused;
        if (s->missing)
            finding_at(v, CLAUSE_V3, false, s->missing_at,
                       "evidence is withheld (%llu rows) for a person who is not erased",
                       (unsigned long long)s->missing);
        if (s->refused && due)
            finding_at(v, CLAUSE_V3, false, s->refused_at,
                       "evidence is refused (%llu rows) where the gate allows it",
                       (unsigned long long)s->refused);
    }
}

static enum bourn_err replay_init(struct replay *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    arena_init(&v->entry_arena, ENTRY_ARENA_BYTES);
    arena_init(&v->row_arena, ROW_ARENA_BYTES);
    buf_init(&v->note, 0);
    buf_init(&v->tile, 0);
    buf_init(&v->bundle, BUNDLE_BYTES_MAX);
    buf_init(&v->rows, ROWS_FILE_BYTES_MAX);
    merkle_edge_init(&v->tree.edge);
    v->world = world_new();
    if (!v->world)
        return err_set(BOURN_E_MEMORY, "out of memory");
    TRY(people_init(&v->people));
    TRY(source_open(&v->source, v->o));
    v->rep->rows_given = v->o->rows || v->source.headers;
    v->rep->evidence_given = v->rep->rows_given && (v->o->evidence || v->source.headers);
    err = BOURN_OK;
out:
    return err;
}

static void replay_release(struct replay *v)
{
    free(v->heads);
    people_release(&v->people);
    world_free(v->world);
    evidence_close(&v->evidence);
    source_close(&v->source);
    arena_release(&v->entry_arena);
    arena_release(&v->row_arena);
    buf_release(&v->note);
    buf_release(&v->tile);
    buf_release(&v->bundle);
    buf_release(&v->rows);
    free(v->collection);
    free(v);
}

static enum bourn_err replay(struct replay *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_checkpoint cp;
    TRY(evidence_open(&v->evidence, v->o));
    TRY(open_checkpoint(v, &cp));
    TRY(open_heads(v));
    check_heads(v, 0);
    TRY(replay_to(v, &cp));
    TRY(catch_up(v));
    TRY(evidence_end(&v->evidence));
    if (v->o->save_head && v->rep->count[CLAUSE_S1].violated + v->rep->count[CLAUSE_V1].violated == 0)
        buf_put_slice(v->o->save_head, buf_slice(&v->note));
out:
    return err;
}

enum bourn_err verify_run(const struct verify_options *o, struct verify_report *out)
{
    *out = (struct verify_report){0};
    struct replay *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "out of memory");
    v->o = o;
    v->rep = out;
    v->evidence = (struct evidence_reader){.fd = -1, .save_fd = -1};
    enum bourn_err err = replay_init(v);
    if (err == BOURN_OK)
        err = replay(v);
    if (err != BOURN_OK)
        snprintf(out->error, sizeof out->error, "%s", err_text());
    else
        settle_people(v);
    if (v->world)
        decide_packs(v);
    clauses_settle(v);
    replay_release(v);
    return err == BOURN_E_USAGE ? err : BOURN_OK;
}
