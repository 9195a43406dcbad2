/* One replay: the checkpoint is fixed first; then bundle by bundle, entry by entry, row by row; then the
 * people whose evidence stayed closed. What cannot be read ends the replay (report.error); what is wrong is a
 * finding. */
#include "verify/piece.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROW_ARENA_BYTES = 64 << 20,
    FORMAT_VERSION = 1,
    HEAD_BYTES_MAX = 64 << 10,
    CATCH_UP_ROUNDS = 5, /* with a second between them, see catch_up */
};

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

/* Decodes nothing more: that was done when the piece was read. */
static enum bourn_err replay_entry(struct replay *v, struct piece *p, unsigned i)
{
    const struct piece_entry *x = &p->entry[i];
    const struct entry *e = v->entry = x->e;
    const char *clause = "V3";
    continued_before(v, x->bytes);
    enum bourn_err err = tree_append(v, &p->leaf[i], p);
    if (err != BOURN_OK)
        return err;
    heads_check(v, v->tree.size);
    kept_check(v, &p->leaf[i]);
    v->rep->entries++;
    if (is_finding(x->trouble.err)) {
        finding(v, CLAUSE_V3, "it is not a well-formed entry: %s", x->trouble.why);
        return check_begun(v);
    }
    if (x->trouble.err != BOURN_OK)
        return err_set(x->trouble.err, "%s", x->trouble.why);
    entry_front_put(x->e, &x->front);
    if (e->kind == ENTRY_GENESIS && e->format > FORMAT_VERSION)
        return err_set(BOURN_E_UNAVAILABLE, "the log has format version %llu: use a newer verifier",
                       (unsigned long long)e->format);
    kept_events_check(v, !v->rep->rows_given ? slice_of(NULL, 0) : x->group.p ? x->group : slice_str(""));
    err = world_apply(v->world, v->index, e, x->bytes, &clause);
    if (is_finding(err))
        finding(v, clause_named(clause, strlen(clause), CLAUSE_V3), "%s", err_text());
    else if (err != BOURN_OK)
        return err;
    else if (e->kind == ENTRY_CONTINUED)
        v->before_continued = v->before_entry;
    if ((err = check_begun(v)) != BOURN_OK)
        return err;
    if ((err = witness_entry(v)) != BOURN_OK)
        return err;
    if (v->index == 0)
        v->rep->delay_s = world_delay_s(v->world);
    clauses_tally(v, e->kind, LAYER_ENTRY, !v->o->structure);
    if (!v->o->structure)
        rows_check_party(v);
    if (clauses_gated(e->kind) && !v->o->structure)
        decide_entry(v);
    if (!entry_has(e, E_ROOT)) {
        if (x->group.n)
            finding(v, CLAUSE_V3, "rows stand beside an entry that has none");
        return BOURN_OK;
    }
    if (v->rep->rows_given)
        return rows_check(v, p, i);
    if (e->count)
        note_unexamined(v, e);
    return BOURN_OK;
}

/* People are all over the memory: what a row will ask for is fetched while those before it are looked at,
 * each step a few rows before the next, so that what it reads has come. */
struct fetched {
    uint32_t slots, people, records; /* up to these rows of the piece */
};
enum { ROWS_BETWEEN = 16 };

/* `row`: behind those of the entry at hand. */
static void fetch_people(struct replay *v, struct piece *p, uint32_t row, struct fetched *f)
{
    for (; f->slots < p->rows_n && f->slots < row + 4 * ROWS_BETWEEN; f->slots++)
        people_fetch_slot(&v->people, p->row[f->slots].hash);
    for (; f->people < p->rows_n && f->people < row + 3 * ROWS_BETWEEN; f->people++)
        p->row[f->people].subject = people_fetch(&v->people, p->row[f->people].hash, !v->o->structure);
    for (; !v->o->structure && f->records < p->rows_n && f->records < row + ROWS_BETWEEN; f->records++)
        if (p->row[f->records].subject)
            __builtin_prefetch(p->row[f->records].subject->records);
}

enum bourn_err replay_piece(struct replay *v, struct piece *p)
{
    enum bourn_err err = BOURN_OK;
    if (p->late)
        piece_read(p, v, &v->source, true);
    if (p->trouble.err != BOURN_OK)
        return err_set(p->trouble.err, "%s", p->trouble.why);
    /* Before an entry of the piece was taken a replay that stays can come back to it. */
    if (v->o->stays && p->tile_trouble.err != BOURN_OK && p->tile_trouble.err != BOURN_E_LIMIT)
        return err_set(p->tile_trouble.err, "%s", p->tile_trouble.why);
    struct fetched fetched = {0};
    for (unsigned i = 0; i < p->whole && err == BOURN_OK; i++) {
        v->index = p->n * MERKLE_TILE_WIDTH + i;
        if (i < p->skip)
            continue;
        fetch_people(v, p, p->entry[i].row + p->entry[i].ahead, &fetched);
        err = replay_entry(v, p, i);
    }
    v->torn |= err != BOURN_OK || p->cut;
    if (err != BOURN_OK)
        return err;
    if (p->cut) {
        v->index = p->n * MERKLE_TILE_WIDTH + p->whole;
        finding(v, CLAUSE_S1,
                p->cut == CUT_ENTRY ? "its bundle does not hold it" : "the file of rows does not hold it");
        return err_set(BOURN_E_CORRUPT, "the %s of entry %llu %s cut off",
                       p->cut == CUT_ENTRY ? "bundle" : "rows", (unsigned long long)v->index,
                       p->cut == CUT_ENTRY ? "is" : "are");
    }
    if (p->follows)
        finding(v, CLAUSE_S1, "something follows it in its bundle or rows that does not belong there");
    if (v->o->progress)
        v->o->progress(v->o->ctx, v->tree.size, v->size);
    return BOURN_OK;
}

/* Up to the checkpoint. */
static enum bourn_err replay_to(struct replay *v, const struct merkle_checkpoint *cp)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash root;
    if (v->tree.size < cp->size)
        TRY(crew_run(v, cp->size));
    TRY(tree_finish(v));
    tree_root(&v->tree, &root);
    if (memcmp(root.b, cp->root.b, 32) != 0)
        finding_at(v, CLAUSE_S1, true, cp->size,
                   "the entries do not give the root that the checkpoint signs");
    err = BOURN_OK;
out:
    return err;
}

/* A person may have been erased between the checkpoint and the opening of the evidence: then a later
 * checkpoint holds the entry. Nobody is accused before it was looked for. */
static enum bourn_err catch_up(struct replay *v)
{
    struct merkle_checkpoint cp;
    enum bourn_err err = BOURN_OK;
    for (int i = 0; i < CATCH_UP_ROUNDS && v->source.http && settle_waits(v) && err == BOURN_OK; i++) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        err = heads_checkpoint(v, &cp);
        if (err == BOURN_OK)
            err = replay_to(v, &cp);
    }
    return err;
}

static unsigned cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static enum bourn_err replay_init(struct replay *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    v->jobs = v->o->jobs ? v->o->jobs : cores();
    v->jobs = v->jobs > VERIFY_JOBS_MAX ? VERIFY_JOBS_MAX : v->jobs;
    pthread_mutex_init(&v->findings, NULL);
    arena_init(&v->row_arena, ROW_ARENA_BYTES);
    buf_init(&v->note, 0);
    buf_init(&v->held, HEAD_BYTES_MAX);
    buf_init(&v->tile, 0);
    merkle_edge_init(&v->tree.edge);
    v->world = world_new();
    if (!v->world)
        return err_set(BOURN_E_MEMORY, "out of memory");
    TRY(people_init(&v->people));
    TRY(witness_init(v));
    v->rep->policy_given = v->o->policy != NULL;
    TRY(source_open(&v->source, v->o));
    v->rep->rows_given = v->o->rows || v->source.headers;
    v->rep->evidence_given = v->rep->rows_given && (v->o->evidence || v->source.headers);
    err = BOURN_OK;
out:
    return err;
}

/* To free what some 100,000 people have takes a tenth of a second, when all has been said already. */
static void people_leave(struct people *p)
{
    static volatile struct people left __attribute__((unused)); /* it stays reachable */
    left = *p;
}

static void replay_release(struct replay *v)
{
    free(v->heads);
    free(v->foreign);
    crew_release(v);
    (v->o->ends ? people_leave : people_release)(&v->people);
    witness_release(v);
    world_free(v->world);
    evidence_close(&v->evidence);
    source_close(&v->source);
    arena_release(&v->row_arena);
    buf_release(&v->note);
    buf_release(&v->held);
    buf_release(&v->tile);
    free(v->collection);
    pthread_mutex_destroy(&v->findings);
    free(v);
}

enum bourn_err verify_open(const struct verify_options *o, struct replay **out)
{
    struct replay *v = *out = calloc(1, sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "out of memory");
    v->o = o;
    v->rep = &v->so_far;
    v->evidence = (struct evidence_reader){.fd = -1, .save_fd = -1};
    enum bourn_err err = replay_init(v);
    return err == BOURN_OK ? evidence_open(&v->evidence, o) : err;
}

enum bourn_err verify_round(struct replay *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_checkpoint cp;
    uint64_t old = v->rep->size;
    struct merkle_hash old_root = v->rep->root;
    bool first = !v->rep->have_checkpoint;
    TRY(heads_checkpoint(v, &cp));
    if (first) {
        TRY(heads_open(v));
        heads_check(v, 0);
    } else {
        TRY(heads_extend(v, old, &old_root, &cp));
    }
    buf_clear(&v->held);
    buf_put_slice(&v->held, buf_slice(&v->note));
    if (v->done && cp.size == old)
        return BOURN_OK;
    v->done = false;
    TRY(replay_to(v, &cp));
    TRY(catch_up(v));
    TRY(evidence_end(&v->evidence));
    TRY(continued_check(v));
    kept_missing(v);
    witness_checkpoint(v);
    v->done = true;
    if (v->o->save_head && v->rep->count[CLAUSE_S1].violated + v->rep->count[CLAUSE_V1].violated == 0)
        buf_put_slice(v->o->save_head, buf_slice(&v->note));
out:
    return err;
}

bool verify_torn(const struct replay *v)
{
    return v->torn;
}

struct slice verify_head(const struct replay *v)
{
    return buf_slice(&v->held);
}

struct slice verify_read_last(const struct replay *v)
{
    return buf_slice(&v->note);
}

void verify_settle(struct replay *v, enum bourn_err err, struct verify_report *out)
{
    *out = v->so_far;
    v->rep = out;
    out->fetched = atomic_load(&v->source.fetched);
    if (err != BOURN_OK)
        snprintf(out->error, sizeof out->error, "%s", err_text());
    else
        settle_people(v);
    if (v->world)
        decide_packs(v);
    clauses_settle(v);
    v->rep = &v->so_far;
}

void verify_close(struct replay *v)
{
    if (v)
        replay_release(v);
}

enum bourn_err verify_run(const struct verify_options *o, struct verify_report *out)
{
    struct replay *v;
    *out = (struct verify_report){0};
    enum bourn_err err = verify_open(o, &v);
    if (!v)
        return err;
    if (err == BOURN_OK)
        err = verify_round(v);
    verify_settle(v, err, out);
    verify_close(v);
    return err == BOURN_E_USAGE ? err : BOURN_OK;
}
