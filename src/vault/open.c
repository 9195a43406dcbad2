/* Opening, recovery, periodic work, closing. Recovery follows the order of ARCHITECTURE.md: marks, scan, zero
 * the slots of the erased, replay into store and prev, rebuild files, listen. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "merkle/merkle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define PREV_SAVE_TIMES 16 /* the journal of so many times a snapshot's bytes */
#define LOCK_TRIES 40
#define LOCK_PAUSE_US 50000
#define ARENA_BYTES_MAX (256u << 20)

static const struct journal_options journal_shape = {JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENTS_MIN,
                                                     JOURNAL_SEGMENTS_MAX, JOURNAL_SEGMENTS_RESERVED};

static struct slice applied_key(void)
{
    return slice_str("applied");
}

/* --- loading what is volatile
 * --------------------------------------------------------------------------------- */

static enum bourn_err load_world(struct vault *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t from[9] = {0};
    size_t from_n = 8;
    struct slice key, value;
    const char *clause;
    world_free(v->world);
    v->world = world_new();
    if (!v->world)
        return err_set(BOURN_E_MEMORY, "out of memory for the world");
    for (;;) {
        struct entry e;
        err = store_seek(v->store, STORE_WORLD, slice_of(NULL, 0), slice_of(from, from_n), &key, &value);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        TRY(err);
        bourn_assert(key.n == 8);
        memcpy(from, key.p, 8);
        from_n = 9;
        TRY(entry_decode(value, &v->arena, &e));
        TRY(world_apply(v->world, be_get(from, 8), &e, value, &clause));
        arena_reset(&v->arena);
    }
out:
    return err_set(BOURN_E_CORRUPT,
                   "the store's copy of the cell's policy does not apply (%s); restore from backup",
                   err_text());
}

static enum bourn_err load_marks(struct vault *v)
{
    struct slice value;
    enum bourn_err err = store_get(v->store, STORE_META, applied_key(), &value);
    v->store_mark = v->next_index = v->last_time = v->disclosures = 0;
    if (err == BOURN_OK && value.n == 32) {
        v->store_mark = be_get(value.p, 8);
        v->next_index = be_get(value.p + 8, 8);
        v->last_time = be_get(value.p + 16, 8);
        v->disclosures = be_get(value.p + 24, 8);
    } else if (err != BOURN_E_NOT_FOUND) {
        return err ? err : err_set(BOURN_E_CORRUPT, "the store's mark is malformed");
    }
    prev_free(v->prev);
    v->prev = NULL;
    err = prev_new(&v->prev);
    return err ? err : prev_load(v->prev, v->cell, &v->prev_mark);
}

struct replaying {
    struct vault *v;
    bool files;
    struct buf backlog;
};

static enum bourn_err replay_frame(void *ctx, uint64_t sequence, struct slice payload)
{
    struct replaying *r = ctx;
    struct vault *v = r->v;
    bool files = r->files && sequence > v->files_mark;
    struct frame_marks m = {sequence > v->store_mark, sequence > v->prev_mark, files ? &r->backlog : NULL};
    buf_clear(&r->backlog);
    enum bourn_err err = frame_apply(v, payload, &m);
    if (err == BOURN_OK && files)
        err = buf_check(&r->backlog);
    if (err == BOURN_OK && files)
        err = worker_catch_up(v->worker, buf_slice(&r->backlog), sequence);
    v->bytes_since_prev += m.prev ? payload.n : 0;
    return err;
}

static enum bourn_err replay(struct vault *v, bool files)
{
    struct replaying r = {.v = v, .files = files};
    uint64_t from = v->store_mark < v->prev_mark ? v->store_mark : v->prev_mark;
    if (files && v->files_mark < from)
        from = v->files_mark;
    buf_init(&r.backlog, BATCH_BYTES_MAX * 2);
    v->bytes_since_prev = 0;
    enum bourn_err err = journal_replay(v->journal, from, replay_frame, &r);
    buf_release(&r.backlog);
    return err;
}

enum bourn_err vault_rewind(struct vault *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    scrub_drop(v);
    TRY(store_abort(v->store));
    TRY(load_marks(v));
    TRY(load_world(v));
    TRY(replay(v, false));
    TRY(slots_zero_from(v->slots, prev_count(v->prev)));
    TRY(slots_sync(v->slots));
    TRY(witnesses_configure(v));
    TRY(webhooks_load(v));
    v->refusals_n = 0;
    memset(v->tokens, 0, sizeof v->tokens); /* a party that is gone again may have lent one its index */
out:
    return err;
}

/* --- open
 * ------------------------------------------------------------------------------------------------------- */

enum bourn_err vault_lock(const char *path, int *fd)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/lock", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return err_sys(BOURN_E_IO, "open %s", name);
    /* Processes of a service that was just killed may still be dying. */
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
            return BOURN_OK;
        if (errno != EWOULDBLOCK)
            break;
        usleep(LOCK_PAUSE_US);
    }
    enum bourn_err err =
        errno == EWOULDBLOCK
            ? err_set(BOURN_E_UNAVAILABLE, "%s: the cell is being served by another process", path)
            : err_sys(BOURN_E_IO, "lock %s", name);
    close(*fd);
    *fd = -1;
    return err;
}

static enum bourn_err read_origin(struct vault *v)
{
    struct merkle_vkey k;
    enum bourn_err err = io_read_all(v->cell, "ledger.vkey", &v->vkey);
    while (v->vkey.n && v->vkey.p[v->vkey.n - 1] == '\n')
        v->vkey.n--;
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&v->vkey), &k);
    if (err == BOURN_OK)
        snprintf(v->origin, sizeof v->origin, "%s", k.name);
    return err;
}

static bool erased(const void *ctx, uint64_t number)
{
    const struct vault *v = ctx;
    return prev_generation(v->prev, number) == PREV_ERASED;
}

static enum bourn_err recover(struct vault *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t last, files_size;
    TRY(worker_mark(v->cell, &files_size, &v->files_mark));
    TRY(load_marks(v));
    uint64_t low = v->store_mark < v->prev_mark ? v->store_mark : v->prev_mark;
    low = v->files_mark < low ? v->files_mark : low;
    TRY(journal_open(v->cell_journal, &journal_shape, low, &v->journal, &last));
    if (v->store_mark > last || v->prev_mark > last || v->files_mark > last) {
        err = err_set(BOURN_E_CORRUPT,
                      "the journal ends at frame %llu, before what the cell has already written (store %llu, "
                      "prev %llu, files %llu): an old journal was put back. " RESTORED_GO_ON,
                      (unsigned long long)last, (unsigned long long)v->store_mark,
                      (unsigned long long)v->prev_mark, (unsigned long long)v->files_mark);
        goto out;
    }
    v->sequence = last;
    TRY(restored_check(v, files_size, low));
    TRY(worker_new(v->cell, v->origin, &v->worker, &v->files_mark, &files_size));
    TRY(load_world(v));
    TRY(replay(v, true));
    if (worker_size(v->worker) != v->next_index) {
        err = err_set(BOURN_E_CORRUPT,
                      "the ledger's files hold %llu entries where the journal has %llu: files and journal do "
                      "not belong "
                      "together; restore both from the same time",
                      (unsigned long long)worker_size(v->worker), (unsigned long long)v->next_index);
        goto out;
    }
    TRY(slots_zero_from(v->slots, prev_count(v->prev)));
    TRY(slots_reconcile(v->slots, prev_count(v->prev), erased, v));
    TRY(slots_sync(v->slots));
    TRY(witnesses_configure(v));
    err = webhooks_load(v);
out:
    return err;
}

static enum bourn_err open_parts(struct vault *v, const char *path)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    char store[4096];
    uint8_t id_key[32];
    TRY(io_dir_open(path, &v->cell));
    TRY(io_dir_at(v->cell, "journal", false, &v->cell_journal));
    TRY(settings_read(v->cell, &v->settings));
    TRY(read_origin(v));
    TRY(witnesses_new(v));
    TRY(webhooks_new(v));
    TRY(slots_open(v->cell, v->origin, &v->slots));
    slots_derive(v->slots, "identifiers", id_key);
    crypto_mac_init(&v->id_mac, id_key, sizeof id_key);
    slots_derive(v->slots, "blind", id_key);
    crypto_mac_init(&v->blind_mac, id_key, sizeof id_key);
    crypto_wipe(id_key, sizeof id_key);
    snprintf(store, sizeof store, "%s/store", path);
    TRY(store_open_lmdb(store, &v->store));
    TRY(recover(v));
out:
    return err;
}

static void free_answers(struct answer *a)
{
    while (a) {
        struct answer *next = a->next;
        answer_free(a);
        a = next;
    }
}

static void free_all(struct vault *v)
{
    scrub_drop(v);
    free_answers(v->waiting); /* before the worker, whose thread may be about to sign their receipts */
    free_answers(v->answers);
    free_answers(v->held);
    webhooks_free(v->webhooks);
    worker_free(v->worker);
    witnesses_free(v->witnesses);
    if (v->journal)
        journal_close(v->journal);
    if (v->store)
        store_close(v->store);
    if (v->slots)
        slots_close(v->slots);
    prev_free(v->prev);
    known_free(v->known);
    world_free(v->world);
    if (v->cell_journal)
        io_dir_close(v->cell_journal);
    if (v->cell)
        io_dir_close(v->cell);
    if (v->lock_fd >= 0)
        close(v->lock_fd);
    buf_release(&v->vkey);
    buf_release(&v->entries);
    buf_release(&v->heads);
    buf_release(&v->ops);
    buf_release(&v->erased);
    buf_release(&v->entry_bytes);
    buf_release(&v->row_bytes);
    buf_release(&v->plain);
    answer_pool_free(&v->spare_answers);
    release_pool_free(&v->releases);
    arena_release(&v->arena);
    crypto_wipe(v, sizeof *v);
    free(v);
}

enum bourn_err vault_open(const char *path, int lock_fd, vault_answer answer, void *ctx, struct vault **out)
{
    struct vault *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(BOURN_E_MEMORY, "out of memory for the vault");
    v->answer = answer;
    v->answer_ctx = ctx;
    v->lock_fd = lock_fd;
    v->answers_tail = &v->answers;
    v->now = clock_wall_s();
    v->now_ms = v->store_committed_ms = clock_mono_ms();
    arena_init(&v->arena, ARENA_BYTES_MAX);
    buf_init(&v->vkey, 1024);
    buf_init(&v->entries, BATCH_BYTES_MAX);
    buf_init(&v->heads, BATCH_BYTES_MAX / 8);
    buf_init(&v->ops, BATCH_BYTES_MAX);
    buf_init(&v->erased, 8 * BATCH_REQUESTS_MAX);
    buf_init(&v->entry_bytes, ENTRY_BYTES_MAX);
    buf_init(&v->row_bytes, ROWS_BYTES_MAX);
    buf_init_secret(&v->plain, SUBJECT_STATE_BYTES_MAX);
    enum bourn_err err = known_new(&v->known);
    if (!err)
        err = open_parts(v, path);
    if (err) {
        free_all(v);
        *out = NULL;
        return err;
    }
    batch_clear(v);
    *out = v;
    return BOURN_OK;
}

enum bourn_err vault_start(struct vault *v, const struct vault_signer *signer)
{
    witnesses_begin(v);
    return worker_run(v->worker, signer, !vault_asked(v));
}

int vault_wait_fd(const struct vault *v)
{
    return worker_wait_fd(v->worker);
}

/* --- periodic
 * ----------------------------------------------------------------------------------------------------- */

static enum bourn_err commit_store(struct vault *v)
{
    uint8_t mark[32];
    be_put(mark, v->sequence, 8);
    be_put(mark + 8, v->next_index, 8);
    be_put(mark + 16, v->last_time, 8);
    be_put(mark + 24, v->disclosures, 8);
    enum bourn_err err = store_put(v->store, STORE_META, applied_key(), slice_of(mark, sizeof mark));
    if (err == BOURN_OK)
        err = store_commit(v->store);
    v->store_committed_ms = v->now_ms;
    if (err == BOURN_OK) {
        v->store_mark = v->sequence;
        return BOURN_OK;
    }
    if (err != BOURN_E_FULL)
        return err;
    log_error("%s; disclosures stop until there is space", err_text());
    v->full_until_ms = v->now_ms + 1000;
    return vault_rewind(v);
}

/* A snapshot of few people costs little, and lets the journal use its segments again instead of making more.
 */
static uint64_t save_prev_after(const struct vault *v)
{
    uint64_t bytes = PREV_SAVE_TIMES * prev_snapshot_bytes(v->prev);
    bytes = bytes < PREV_SAVE_BYTES_MIN ? PREV_SAVE_BYTES_MIN : bytes;
    return bytes < PREV_SAVE_BYTES ? bytes : PREV_SAVE_BYTES;
}

static enum bourn_err save_prev(struct vault *v)
{
    enum bourn_err err = prev_save(v->prev, v->cell, v->sequence);
    if (err == BOURN_E_FULL) {
        log_warning("%s; the snapshot of prev waits for space", err_text());
        v->bytes_since_prev = save_prev_after(v) / 2;
        return BOURN_OK;
    }
    if (err == BOURN_OK) {
        v->prev_mark = v->sequence;
        v->bytes_since_prev = 0;
    }
    return err;
}

static void release_journal(struct vault *v, const struct worker_state *ws)
{
    uint64_t low = v->store_mark < v->prev_mark ? v->store_mark : v->prev_mark;
    journal_release(v->journal, ws->files_sequence < low ? ws->files_sequence : low);
}

/* Whether a waiting answer may leave now: what it waited for is there, or its time is over. */
static enum bourn_err still_waits(struct vault *v, struct answer *a, const struct worker_state *ws,
                                  uint64_t cosigned, bool *ready)
{
    bool late = v->now_ms >= a->deadline_ms;
    bool cosignature = a->wait_cosigned && a->receipt >= cosigned;
    if (a->later) {
        enum bourn_err err = answer_complete(v, a, ready);
        if (err == BOURN_OK && !*ready && late) {
            answer_withhold(a);
            answer_problem(a, 503, cosignature ? "cosignature_late" : "checkpoint_late",
                           "the %s late: try again",
                           cosignature ? "witnesses' cosignature is" : "ledger's signer is");
            *ready = true;
        }
        return err;
    }
    bool covered = a->receipt < ws->signed_size && !cosignature;
    *ready = covered || late;
    if (!covered && late) { /* logged, but never released: the ledger says more than happened */
        answer_withhold(a);
        answer_problem(a, 503, cosignature ? "cosignature_late" : "checkpoint_late",
                       "the %s over this disclosure is late: nothing was released; try again",
                       cosignature ? "witnesses' cosignature" : "checkpoint");
    }
    return BOURN_OK;
}

enum bourn_err vault_published(struct vault *v)
{
    struct worker_state ws;
    struct answer *next, *still = NULL;
    uint64_t drain;
    if (read(worker_wait_fd(v->worker), &drain, sizeof drain) < 0 && errno != EAGAIN)
        return err_sys(BOURN_E_IO, "eventfd of the ledger worker");
    worker_state(v->worker, &ws);
    metrics_published(v, ws.signed_size);
    uint64_t cosigned = witnesses_cosigned(v);
    for (struct answer *a = v->waiting; a; a = next) {
        next = a->next;
        bool ready = false;
        enum bourn_err err = still_waits(v, a, &ws, cosigned, &ready);
        if (err == BOURN_OK && !ready) {
            a->next = still;
            still = a;
            continue;
        }
        if (err == BOURN_OK)
            err = answer_pass(v, a);
        if (err)
            return err;
    }
    v->waiting = still;
    enum bourn_err err = ws.failed ? worker_failure(v->worker) : witnesses_turn(v);
    return err ? err : webhooks_turn(v);
}

enum bourn_err vault_tick(struct vault *v, unsigned *next_ms)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct worker_state ws;
    uint64_t wall = clock_wall_s();
    v->now = wall > v->last_time ? wall : v->last_time;
    v->now_ms = clock_mono_ms();
    bool room = vault_asked(v) && journal_free_bytes(v->journal, false) >= BATCH_BYTES_MAX &&
                v->now_ms >= v->full_until_ms;
    if (room) {
        TRY(refusals_flush(v, false));
        TRY(expire(v));
        TRY(sweep(v));
        TRY(idempotency_sweep(v));
        TRY(vault_commit(v));
    }
    if (v->waiting)
        TRY(vault_published(v));
    TRY(witnesses_tick(v));
    TRY(webhooks_turn(v));
    uint64_t rows = store_changed_rows(v->store);
    if (rows >= STORE_COMMIT_ROWS || (rows && v->now_ms - v->store_committed_ms >= STORE_COMMIT_MS))
        TRY(commit_store(v));
    if (v->bytes_since_prev >= save_prev_after(v))
        TRY(save_prev(v));
    worker_state(v->worker, &ws);
    release_journal(v, &ws);
    if (ws.failed) {
        err = worker_failure(v->worker);
        goto out;
    }
    unsigned webhooks_ms = webhooks_next_ms(v);
    *next_ms = store_count(v->store, STORE_SWEEP) && room ? 5 : 200;
    *next_ms = webhooks_ms < *next_ms ? webhooks_ms : *next_ms;
    err = BOURN_OK;
out:
    return err;
}

void vault_close(struct vault *v)
{
    if (!v)
        return;
    enum bourn_err err = refusals_flush(v, true);
    if (err == BOURN_OK)
        err = vault_commit(v);
    if (err == BOURN_OK && v->waiting) {
        for (int i = 0; i < 200 && v->waiting && err == BOURN_OK; i++) {
            usleep(10000);
            v->now_ms = clock_mono_ms();
            err = vault_published(v);
        }
    }
    while (err == BOURN_OK && v->held) {
        usleep(HOLD_US / 4);
        err = vault_release_held(v);
    }
    if (err == BOURN_OK)
        err = commit_store(v);
    if (err == BOURN_OK)
        err = save_prev(v);
    if (err)
        log_error("closing the vault: %s; nothing acknowledged is lost, the next start recovers it",
                  err_text());
    free_all(v);
}
