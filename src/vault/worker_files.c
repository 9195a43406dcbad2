/* The ledger's files, as the worker writes them: entries of durable frames, then the mark that says how far.
 */
#include "vault/worker_internal.h"

#include "base/text.h"

#define MARK_FILE "state/files"
#define CATCH_UP_FLUSH_BYTES (16u << 20)

enum bourn_err worker_mark(struct io_dir *cell, uint64_t *size, uint64_t *sequence)
{
    struct buf b;
    buf_init(&b, 256);
    *size = *sequence = 0;
    enum bourn_err err = io_read_all(cell, MARK_FILE, &b);
    if (err == BOURN_E_NOT_FOUND) {
        err = BOURN_OK;
    } else if (err == BOURN_OK) {
        const uint8_t *sp = b.n ? memchr(b.p, ' ', b.n) : NULL;
        if (!sp || b.p[b.n - 1] != '\n' || !decimal_get(slice_of(b.p, (size_t)(sp - b.p)), size) ||
            !decimal_get(slice_of(sp + 1, b.n - 2 - (size_t)(sp - b.p)), sequence))
            err = err_set(BOURN_E_CORRUPT, "%s is malformed", MARK_FILE);
    }
    buf_release(&b);
    return err;
}

static enum bourn_err mark_write(struct worker *w)
{
    struct buf b;
    buf_init(&b, 64);
    buf_printf(&b, "%llu %llu\n", (unsigned long long)ledger_size(w->ledger),
               (unsigned long long)w->sequence);
    enum bourn_err err = buf_check(&b);
    if (err == BOURN_OK)
        err = io_write_new(w->cell, MARK_FILE, buf_slice(&b), true);
    buf_release(&b);
    return err;
}

/* Appends one entry with its rows from the front of `in`; *used bytes of it. */
static enum bourn_err append_one(struct worker *w, struct slice in, size_t *used)
{
    bourn_assert(in.n >= 2);
    size_t n = (size_t)be_get(in.p, 2);
    bourn_assert(in.n >= 6 + n);
    size_t rows = (size_t)be_get(in.p + 2 + n, 4);
    bourn_assert(in.n - 6 - n >= rows);
    enum bourn_err err = ledger_append(w->ledger, slice_of(in.p + 2, n), slice_of(in.p + 6 + n, rows));
    *used = err ? 0 : 6 + n + rows;
    w->unflushed += *used;
    return err;
}

enum bourn_err worker_append_batch(struct worker *w)
{
    while (w->at < w->batch.n) {
        if (w->at == w->frame_end) {
            const uint8_t *head = w->batch.p + w->at;
            bourn_assert(w->batch.n - w->at >= 20 && be_get(head + 8, 8) == ledger_size(w->ledger));
            w->frame_sequence = be_get(head, 8);
            w->at += 20;
            w->frame_end = w->at + (size_t)be_get(head + 16, 4);
        }
        while (w->at < w->frame_end) {
            size_t used;
            enum bourn_err err = append_one(w, slice_of(w->batch.p + w->at, w->frame_end - w->at), &used);
            if (err)
                return err;
            w->at += used;
        }
        w->sequence = w->frame_sequence;
    }
    buf_clear(&w->batch);
    w->at = w->frame_end = 0;
    return BOURN_OK;
}

enum bourn_err worker_flush(struct worker *w)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(ledger_flush(w->ledger));
    TRY(mark_write(w));
    w->unflushed = 0;
    pthread_mutex_lock(&w->mutex);
    w->state.files_size = ledger_size(w->ledger);
    w->state.files_sequence = w->sequence;
    pthread_mutex_unlock(&w->mutex);
out:
    return err;
}

enum bourn_err worker_catch_up(struct worker *w, struct slice entries, uint64_t sequence)
{
    while (entries.n) {
        size_t used;
        enum bourn_err err = append_one(w, entries, &used);
        if (err)
            return err;
        entries = slice_of(entries.p + used, entries.n - used);
    }
    w->sequence = sequence;
    return w->unflushed > CATCH_UP_FLUSH_BYTES ? worker_flush(w) : BOURN_OK;
}

void worker_root(const struct worker *w, struct merkle_hash *root)
{
    ledger_root(w->ledger, root);
}

uint64_t worker_size(const struct worker *w)
{
    return ledger_size(w->ledger);
}
