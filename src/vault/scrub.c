/* `bourn scrub`, the vault's part: one slice a request. The client goes on from the number that an answer
 * names; what is half done lies here between two slices, and is begun again if it was dropped. */
#include "vault/scrub.h"

#include "base/clock.h"

#include <stdlib.h>

#define PHASE_SHIFT 56
#define PHASE_STOP 0xff /* in place of one: the client stops */
#define WAIT_MS 100     /* until entries have come to the files */

static const char *const damages[SCRUB_DAMAGES] = {
    [SCRUB_ALTERED] = "altered",
    [SCRUB_ROLLED_BACK] = "rolled_back",
    [SCRUB_DELETED] = "deleted",
    [SCRUB_ADDED] = "added",
    [SCRUB_CAME_BACK] = "came_back",
    [SCRUB_MOVED_PERSON] = "moved_to_another_person",
    [SCRUB_MOVED_COLLECTION] = "moved_to_another_collection",
    [SCRUB_MOVED_ID] = "moved_to_another_id",
    [SCRUB_TERM] = "term",
    [SCRUB_INDEX] = "index",
    [SCRUB_STATE] = "state",
    [SCRUB_KEY] = "key",
    [SCRUB_IDENTIFIER] = "identifier",
    [SCRUB_LABEL] = "label",
    [SCRUB_EVIDENCE] = "evidence",
    [SCRUB_USED] = "used",
    [SCRUB_CHAIN] = "history",
    [SCRUB_ERASED_BACK] = "erased_came_back",
    [SCRUB_RULES] = "rules",
    [SCRUB_NOTICE] = "notice",
    [SCRUB_LEDGER] = "ledger",
};
static const char *const phases[] = {
    [SCRUB_PHASE_LEDGER] = "ledger",   [SCRUB_PHASE_PEOPLE] = "people", [SCRUB_PHASE_LABELS] = "labels",
    [SCRUB_PHASE_IDS] = "identifiers", [SCRUB_PHASE_BLIND] = "search",  [SCRUB_PHASE_EXPIRY] = "retention",
    [SCRUB_PHASE_STRAYS] = "strays",   [SCRUB_PHASE_END] = "done"};
static const char *const counts[SCRUB_COUNTS] = {
    [SCRUB_ENTRIES] = "entries",       [SCRUB_PEOPLE] = "people",     [SCRUB_ERASED] = "erased",
    [SCRUB_RECORDS_N] = "records",     [SCRUB_GONE] = "deleted",      [SCRUB_EVIDENCE_N] = "evidence",
    [SCRUB_INDEX_ROWS] = "index_rows", [SCRUB_SWEEPING] = "sweeping",
};

const char *scrub_damage_name(enum scrub_damage d)
{
    return damages[d];
}

bool scrub_spent(const struct scrub *s)
{
    return s->rows >= SCRUB_SLICE_ROWS || clock_ns(CLOCK_MONOTONIC) >= s->until_ns;
}

/* --- what was found
 * --------------------------------------------------------------------------------------------------- */

static void amend(struct scrub *s, uint64_t n, enum scrub_damage damage)
{
    struct buf *b = &s->amended_json;
    buf_printf(b, "%s{\"n\":%llu,\"damage\":", b->n ? "," : "", (unsigned long long)n);
    if (damage)
        buf_printf(b, "\"%s\"}", damages[damage]);
    else
        buf_put_str(b, "null}");
}

/* The bytes that `lost` stands for lie where `stray` was found. */
static bool is_it(const struct scrub_found *lost, const struct scrub_found *stray)
{
    uint8_t commit[32];
    if (lost == stray || !lost->has_commit || !stray->has_digest)
        return false;
    struct slice parts[] = {slice_of(lost->salt, 16), slice_of(stray->digest, 32)};
    crypto_sha256(commit, parts, 2);
    return memcmp(commit, lost->commit, 32) == 0;
}

static enum scrub_damage moved(const struct scrub_found *lost, const struct scrub_found *stray)
{
    return memcmp(lost->key, stray->key, 8) != 0      ? SCRUB_MOVED_PERSON
           : memcmp(lost->key + 8, stray->key + 8, 4) ? SCRUB_MOVED_COLLECTION
                                                      : SCRUB_MOVED_ID;
}

/* Two findings are one: a record that is not where it belongs, and is somewhere else. */
static void join(struct scrub *s, struct scrub_found *lost, struct scrub_found *stray)
{
    amend(s, lost->n, moved(lost, stray));
    lost->has_commit = false;
    stray->has_digest = false;
    if (stray->damage == SCRUB_ADDED)
        amend(s, stray->n, SCRUB_NONE);
}

void scrub_say(struct scrub *s, struct scrub_found *f)
{
    struct buf *b = &s->found_json;
    f->n = s->said++;
    buf_printf(b, "%s{\"n\":%llu,\"damage\":\"%s\",\"entry\":", b->n ? "," : "", (unsigned long long)f->n,
               damages[f->damage]);
    if (f->entry == SCRUB_NO_ENTRY)
        buf_put_str(b, "null");
    else
        buf_put_decimal(b, f->entry);
    buf_put_str(b, ",\"collection\":");
    if (f->collection_n)
        json_put_string(b, slice_of((const uint8_t *)f->collection, f->collection_n));
    else
        buf_put_str(b, "null");
    buf_put_str(b, "}");
    for (size_t i = 0; i < s->open_ends_n; i++) {
        struct scrub_found *other = &s->open_ends[i];
        if (is_it(f, other))
            join(s, f, other);
        if (is_it(other, f))
            join(s, other, f);
    }
    if ((f->has_commit || f->has_digest) && s->open_ends_n < SCRUB_MATCH_MAX)
        s->open_ends[s->open_ends_n++] = *f;
}

/* --- the session
 * ------------------------------------------------------------------------------------------------------ */

void scrub_drop(struct vault *v)
{
    struct scrub *s = v->scrub;
    if (!s)
        return;
    v->scrub = NULL;
    scrub_person_release(&s->person);
    scrub_groups_release(s);
    arena_release(&s->arena);
    buf_release(&s->recent);
    buf_release(&s->found_json);
    buf_release(&s->amended_json);
    free(s->orphans);
    free(s->open_ends);
    free(s);
}

static enum bourn_err begin(struct vault *v, uint64_t session, uint64_t cursor)
{
    struct scrub *s = calloc(1, sizeof *s);
    if (s) {
        v->scrub = s;
        s->orphans = calloc(SCRUB_MATCH_MAX, sizeof *s->orphans);
        s->open_ends = calloc(SCRUB_MATCH_MAX, sizeof *s->open_ends);
    }
    if (!s || !s->orphans || !s->open_ends) {
        scrub_drop(v);
        return err_set(BOURN_E_MEMORY, "out of memory for scrub");
    }
    s->session = session;
    s->fresh = true;
    s->born = v->next_index;
    s->phase = cursor >> PHASE_SHIFT ? (enum scrub_phase)(cursor >> PHASE_SHIFT) : SCRUB_PHASE_LEDGER;
    s->position = cursor & (((uint64_t)1 << PHASE_SHIFT) - 1);
    crypto_random(&s->said, sizeof s->said);
    s->said >>= 16; /* no number is said twice, also not by the one before this was dropped */
    arena_init(&s->arena, 64u << 20);
    buf_init(&s->recent, 2 * (size_t)LEDGER_BACKLOG_BYTES_MAX);
    buf_init(&s->found_json, REPLY_BYTES_MAX / 4);
    buf_init(&s->amended_json, REPLY_BYTES_MAX / 4);
    return BOURN_OK;
}

static void next_phase(struct scrub *s)
{
    s->phase++;
    s->position = 0;
    s->next_n = 0;
    s->phase_end = 0;
}

static enum bourn_err people_go(struct vault *v, struct scrub *s, bool *done)
{
    while (s->position < s->phase_end && !scrub_spent(s)) {
        bool through;
        enum bourn_err err = scrub_person_go(v, s, s->position, &through);
        if (err)
            return err;
        if (!through)
            return BOURN_OK;
        s->counts[SCRUB_PEOPLE]++;
        s->position++;
    }
    *done = s->position >= s->phase_end;
    return BOURN_OK;
}

static enum bourn_err slice_go(struct vault *v, struct scrub *s)
{
    while (s->phase != SCRUB_PHASE_END && !scrub_spent(s)) {
        bool done = false;
        enum bourn_err err;
        if (!s->phase_end)
            s->phase_end = s->phase == SCRUB_PHASE_LEDGER ? s->born : prev_count(v->prev);
        if (s->phase == SCRUB_PHASE_LEDGER)
            err = scrub_ledger_go(v, s, &done);
        else if (s->phase == SCRUB_PHASE_PEOPLE)
            err = people_go(v, s, &done);
        else
            err = scrub_rows_go(v, s, &done);
        if (err)
            return err;
        if (done) {
            next_phase(s);
            return BOURN_OK; /* so that what was counted is what lies before the place that the answer names
                              */
        }
    }
    return BOURN_OK;
}

/* How far it is, in entries, people and rows. */
static void progress(struct vault *v, const struct scrub *s, uint64_t *done, uint64_t *of)
{
    const uint64_t size[SCRUB_PHASE_END] = {[SCRUB_PHASE_LEDGER] = s->born,
                                            [SCRUB_PHASE_PEOPLE] = prev_count(v->prev),
                                            [SCRUB_PHASE_LABELS] = store_count(v->store, STORE_LABEL),
                                            [SCRUB_PHASE_IDS] = store_count(v->store, STORE_ID),
                                            [SCRUB_PHASE_BLIND] = store_count(v->store, STORE_BLIND),
                                            [SCRUB_PHASE_EXPIRY] = store_count(v->store, STORE_EXPIRY)};
    *done = *of = 0;
    for (unsigned i = 0; i < SCRUB_PHASE_END; i++) {
        *of += size[i];
        *done += i < s->phase ? size[i] : i == s->phase && s->position < size[i] ? s->position : 0;
    }
}

static enum bourn_err tell(struct vault *v, struct scrub *s, uint64_t us, uint64_t pause_ms, struct answer *a)
{
    struct buf *b = &a->body;
    uint64_t done, of;
    progress(v, s, &done, &of);
    answer_json(a, 200);
    buf_printf(b,
               "{\"fresh\":%s,\"phase\":\"%s\",\"done\":%llu,\"of\":%llu,\"pause_ms\":%llu,\"slice\":{"
               "\"rows\":%llu,\"us\":%llu},"
               "\"counts\":{",
               s->fresh ? "true" : "false", phases[s->phase], (unsigned long long)done,
               (unsigned long long)of, (unsigned long long)pause_ms, (unsigned long long)s->rows,
               (unsigned long long)us);
    for (size_t i = 0; i < SCRUB_COUNTS; i++)
        buf_printf(b, "%s\"%s\":%llu", i ? "," : "", counts[i], (unsigned long long)s->counts[i]);
    buf_put_str(b, "},\"findings\":[");
    buf_put_slice(b, buf_slice(&s->found_json));
    buf_put_str(b, "],\"amended\":[");
    buf_put_slice(b, buf_slice(&s->amended_json));
    buf_put_str(b, "]}");
    enum bourn_err err = buf_check(&s->found_json);
    if (err == BOURN_OK)
        err = buf_check(&s->amended_json);
    if (err == BOURN_OK)
        err = buf_check(b);
    s->cursor = s->phase == SCRUB_PHASE_END ? 0 : (uint64_t)s->phase << PHASE_SHIFT | s->position;
    if (s->phase > SCRUB_PHASE_PEOPLE && s->cursor)
        s->cursor = (uint64_t)s->phase << PHASE_SHIFT; /* how far within, only the memory of this knows */
    a->next_cursor = s->cursor;
    s->fresh = false;
    return err;
}

/* r->version: the session, a number that the client made up; r->number: where to go on, 0 for the beginning,
 * PHASE_STOP to stop.
 */
enum bourn_err handle_scrub(struct vault *v, const struct request *r, const struct gate_party *none,
                            struct answer *a)
{
    struct scrub *s = v->scrub;
    struct worker_state ws;
    (void)none;
    if (r->number >> PHASE_SHIFT == PHASE_STOP && s && s->session == r->version) {
        scrub_drop(v);
        answer_json(a, 200);
        return BOURN_OK;
    }
    if (r->number >> PHASE_SHIFT >= SCRUB_PHASE_END) {
        answer_problem(a, 400, "cursor_malformed", "there is no such place to go on from");
        return BOURN_OK;
    }
    if (s && s->session != r->version && v->now_ms < s->used_ms + SCRUB_IDLE_MS) {
        answer_problem(
            a, 503, "scrub_running",
            "another scrub of this cell is running, or broke off just now: wait for its end, or %d s",
            SCRUB_IDLE_MS / 1000);
        return BOURN_OK;
    }
    if (s && (s->session != r->version || s->cursor != r->number))
        scrub_drop(v);
    enum bourn_err err = v->scrub ? BOURN_OK : begin(v, r->version, r->number);
    if (err)
        return err;
    s = v->scrub;
    uint64_t begun = clock_ns(CLOCK_MONOTONIC);
    s->used_ms = v->now_ms;
    s->rows = 0;
    memset(s->counts, 0, sizeof s->counts);
    buf_clear(&s->found_json);
    buf_clear(&s->amended_json);
    worker_state(v->worker, &ws);
    if (ws.files_size < s->born) /* what was durable when it began comes from the files */
        return tell(v, s, 0, WAIT_MS, a);
    if (begun < s->rest_until_ns)
        return tell(v, s, 0, (s->rest_until_ns - begun) / 1000000 + 1, a);
    scrub_recent_trim(v, s);
    s->until_ns = begun + SCRUB_SLICE_US * 1000ull;
    err = slice_go(v, s);
    uint64_t took = clock_ns(CLOCK_MONOTONIC) - begun;
    s->rest_until_ns = begun + took + SCRUB_REST * took;
    if (err == BOURN_OK)
        err = tell(v, s, took / 1000, SCRUB_REST * took / 1000000 + 1, a);
    if (err || s->phase == SCRUB_PHASE_END)
        scrub_drop(v);
    return err;
}
