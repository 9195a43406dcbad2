/* Recovery, after a start or in place of a batch that did not fit, in the order of ARCHITECTURE.md: marks,
 * scan, replay into store and prev, files rebuilt, slots of the erased zeroed. */
#include "vault/internal.h"

#include "base/log.h"

static const struct journal_options journal_shape = {JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENTS_MIN,
                                                     JOURNAL_SEGMENTS_MAX, JOURNAL_SEGMENTS_RESERVED};

enum { STORE_FORMAT = 1 }; /* of the store's rows: docs/formats/store.md */

static struct slice applied_key(void)
{
    return slice_str("applied");
}

static struct slice format_key(void)
{
    return slice_str("format");
}

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

/* A store without the row is of the first format, which began without it. */
static enum bourn_err check_format(struct vault *v)
{
    struct slice value;
    enum bourn_err err = store_get(v->store, STORE_META, format_key(), &value);
    v->format_stored = err == BOURN_OK;
    if (err == BOURN_E_NOT_FOUND)
        return BOURN_OK;
    if (err == BOURN_OK && (value.n != 4 || be_get(value.p, 4) != STORE_FORMAT))
        err = err_set(
            BOURN_E_UNAVAILABLE,
            "the rows of store/ have a format that this version does not know (it knows %d): serve the "
            "cell with the version that wrote it",
            STORE_FORMAT);
    return err;
}

static enum bourn_err load_marks(struct vault *v)
{
    struct slice value;
    enum bourn_err err = check_format(v);
    if (err)
        return err;
    err = store_get(v->store, STORE_META, applied_key(), &value);
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

enum bourn_err commit_store(struct vault *v)
{
    uint8_t mark[32];
    be_put(mark, v->sequence, 8);
    be_put(mark + 8, v->next_index, 8);
    be_put(mark + 16, v->last_time, 8);
    be_put(mark + 24, v->disclosures, 8);
    enum bourn_err err = store_put(v->store, STORE_META, applied_key(), slice_of(mark, sizeof mark));
    if (err == BOURN_OK && !v->format_stored) {
        be_put(mark, STORE_FORMAT, 4);
        err = store_put(v->store, STORE_META, format_key(), slice_of(mark, 4));
    }
    if (err == BOURN_OK)
        err = store_commit(v->store);
    v->format_stored = v->format_stored || err == BOURN_OK;
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
    v->expected = (struct expected){0};
    memset(v->tokens, 0, sizeof v->tokens); /* a party that is gone again may have lent one its index */
out:
    return err;
}

static bool erased(const void *ctx, uint64_t number)
{
    const struct vault *v = ctx;
    return prev_generation(v->prev, number) == PREV_ERASED;
}

enum bourn_err vault_recover(struct vault *v)
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
