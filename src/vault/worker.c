/* The second thread of the vault: it turns durable entries into bundles, rows and tiles, advances the file
 * mark, and has the signer sign what is in files. It owns the ledger's files; what is shared stands under one
 * mutex.
 *
 * Invariants: (1) only entries that the journal holds are pushed here; (2) the mark is written after the
 * files are synced; (3) the signer is asked only for sizes up to the mark, and while `held` for no other than
 * the one that it signed last. */
#include "vault/worker_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_BYTES_MAX (1u << 30)

uint64_t worker_note(struct worker *w, struct buf *out)
{
    pthread_mutex_lock(&w->mutex);
    buf_put_slice(out, buf_slice(&w->note));
    uint64_t size = w->note.n ? w->state.signed_size : 0;
    pthread_mutex_unlock(&w->mutex);
    return size;
}

void worker_cosigned(struct worker *w, uint64_t size, struct slice note)
{
    pthread_mutex_lock(&w->mutex);
    if (size == w->state.signed_size) {
        buf_clear(&w->cosigned);
        buf_put_slice(&w->cosigned, note);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->mutex);
}

enum bourn_err worker_new(struct io_dir *cell, const char *origin, struct worker **out,
                          uint64_t *files_sequence, uint64_t *files_size)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf vkey;
    buf_init(&vkey, 1024);
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(BOURN_E_MEMORY, "out of memory for the ledger worker");
    w->cell = cell;
    w->event = -1;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    buf_init(&w->queue, QUEUE_BYTES_MAX);
    buf_init(&w->batch, QUEUE_BYTES_MAX);
    if (!(w->desk = desk_new()))
        TRY(err_set(BOURN_E_MEMORY, "out of memory for the ledger worker"));
    buf_init(&w->note, WITNESS_CHECKPOINT_BYTES_MAX);
    buf_init(&w->cosigned, WITNESS_CHECKPOINT_BYTES_MAX * 2);
    TRY(io_read_all(cell, "ledger.vkey", &vkey));
    while (vkey.n && vkey.p[vkey.n - 1] == '\n')
        vkey.n--;
    TRY(merkle_vkey_get(buf_slice(&vkey), &w->key));
    bourn_assert(strcmp(w->key.name, origin) == 0);
    TRY(worker_mark(cell, files_size, files_sequence));
    TRY(ledger_open(cell, *files_size, &w->ledger));
    w->sequence = *files_sequence;
    w->state.files_size = *files_size;
    w->state.files_sequence = *files_sequence;
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = w->event < 0 ? err_sys(BOURN_E_IO, "eventfd of the ledger worker") : BOURN_OK;
out:
    buf_release(&vkey);
    if (err)
        worker_free(w);
    *out = err ? NULL : w;
    return err;
}

static void tell(struct worker *w)
{
    uint64_t one = 1;
    if (write(w->event, &one, sizeof one) < 0)
        log_error("%s", err_text());
}

static void fail(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    w->state.failed = true;
    snprintf(w->why, sizeof w->why, "%s", err_text());
    pthread_mutex_unlock(&w->mutex);
    tell(w);
}

/* Signs the receipts that are wanted; the mutex is held before and after. */
static enum bourn_err serve_desk(struct worker *w, uint64_t head)
{
    struct signed_head ctx = {w, head};
    pthread_mutex_unlock(&w->mutex);
    enum bourn_err err = desk_serve(w->desk, worker_sign_receipt, &ctx);
    tell(w);
    pthread_mutex_lock(&w->mutex);
    return err;
}

enum bourn_err worker_receipt(struct worker *w, uint64_t index, const struct merkle_hash *leaf,
                              struct slice lines, struct wish **out)
{
    enum bourn_err err = desk_put(w->desk, index, leaf, lines, out);
    pthread_mutex_lock(&w->mutex);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    return err;
}

/* What the files hold and no checkpoint says yet, though it may. The mutex is held. */
static bool owed(const struct worker *w, uint64_t head)
{
    return !w->held && w->state.files_size > head;
}

/* Waits until there is work and it is due: at once if urgent or only cosignatures came, else
 * CHECKPOINT_INTERVAL_MS / 2 after the last checkpoint; a second after a full disk. Takes the queue, unless
 * what was taken before is not through yet. False when told to stop and nothing is left. Receipts are signed
 * while it waits. */
static bool take(struct worker *w, uint64_t last_ms, bool retry, uint64_t head, bool *due_now,
                 enum bourn_err *err)
{
    uint64_t due = last_ms + (retry ? 1000 : CHECKPOINT_INTERVAL_MS / 2);
    pthread_mutex_lock(&w->mutex);
    for (;;) {
        if (desk_waiting(w->desk)) { /* and again: more may have come while the mutex was free */
            if ((*err = serve_desk(w, head)) != BOURN_OK)
                break;
            continue;
        }
        uint64_t now = clock_mono_ms();
        bool work = w->queue.n || retry || owed(w, head);
        if (w->stop || w->cosigned.n || (work && (now >= due || (w->urgent && !retry))))
            break;
        if (work) {
            struct timespec until = {(time_t)(due / 1000), (long)(due % 1000) * 1000000};
            pthread_cond_timedwait(&w->wake, &w->mutex, &until);
        } else {
            pthread_cond_wait(&w->wake, &w->mutex);
        }
    }
    bool go = *err == BOURN_OK && (w->queue.n || retry || w->cosigned.n || owed(w, head));
    *due_now = w->stop || clock_mono_ms() >= due || (w->urgent && !retry);
    if (w->batch.n == 0 && *due_now) {
        struct buf empty = w->batch; /* swap: both keep their memory */
        w->batch = w->queue;
        w->queue = empty;
        w->urgent = false;
    }
    pthread_mutex_unlock(&w->mutex);
    return go;
}

static bool may_sign(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    bool held = w->held;
    pthread_mutex_unlock(&w->mutex);
    return !held;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    uint64_t last_ms = 0, head = w->state.signed_size;
    bool retry = false, due_now = false;
    enum bourn_err err = BOURN_OK;
    while (take(w, last_ms, retry, head, &due_now, &err)) {
        err = worker_publish_cosigned(w);
        bool sign = may_sign(w);
        if (err == BOURN_OK && !(due_now && (w->batch.n || retry || (sign && ledger_size(w->ledger) > head))))
            continue;
        if (err == BOURN_OK)
            err = worker_append_batch(w);
        if (err == BOURN_OK && w->unflushed)
            err = worker_flush(w);
        if (err == BOURN_OK && sign && (retry || ledger_size(w->ledger) > head))
            err = worker_publish(w, ledger_size(w->ledger), &head, false);
        last_ms = clock_mono_ms();
        retry = err == BOURN_E_FULL;
        if (retry) {
            log_warning("%s; checkpoints wait for space", err_text());
            pthread_mutex_lock(&w->mutex);
            w->state.full = true;
            bool stop = w->stop;
            pthread_mutex_unlock(&w->mutex);
            err = BOURN_OK;
            if (stop)
                break;
        } else if (err) {
            break;
        }
    }
    if (err)
        fail(w);
    return NULL;
}

enum bourn_err worker_run(struct worker *w, const struct vault_signer *s, bool held)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t size;
    uint8_t root[32];
    w->signer = *s;
    TRY(s->head(s->ctx, &size, root));
    TRY(worker_flush(w));
    TRY(worker_check_on_log(w, "signer/head", size, root));
    TRY(worker_check_others(w));
    w->held = held;
    if (ledger_size(w->ledger)) /* where nothing was ever signed there is nothing to ask witnesses with */
        TRY(worker_publish(w, held && size ? size : ledger_size(w->ledger), &size, true));
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        err = err_set(BOURN_E_UNAVAILABLE, "the ledger worker's thread could not be started");
        goto out;
    }
    w->running = true;
    err = BOURN_OK;
out:
    return err;
}

void worker_let_go(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    w->held = false;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

void worker_push(struct worker *w, struct slice entries, uint64_t first, uint64_t sequence, bool urgent)
{
    pthread_mutex_lock(&w->mutex);
    bool wake = w->queue.n == 0 || (urgent && !w->urgent); /* else it sleeps until a time that is set */
    if (w->queue.n == 0)
        w->state.waiting_since_ms = clock_mono_ms();
    buf_put_be(&w->queue, sequence, 8);
    buf_put_be(&w->queue, first, 8);
    buf_put_be(&w->queue, entries.n, 4);
    buf_put_slice(&w->queue, entries);
    bourn_assert(
        !w->queue.failed); /* what is durable must reach the files: recovery does it after a restart */
    w->urgent = w->urgent || urgent;
    if (wake)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->running) {
        pthread_mutex_lock(&w->mutex);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->mutex);
        pthread_join(w->thread, NULL);
    }
    if (w->ledger)
        ledger_close(w->ledger);
    if (w->event >= 0)
        close(w->event);
    buf_release(&w->queue);
    buf_release(&w->batch);
    desk_free(w->desk);
    buf_release(&w->note);
    buf_release(&w->cosigned);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

int worker_wait_fd(const struct worker *w)
{
    return w->event;
}

void worker_state(struct worker *w, struct worker_state *out)
{
    if (!w) {
        *out = (struct worker_state){0};
        return;
    }
    pthread_mutex_lock(&w->mutex);
    *out = w->state;
    out->backlog_bytes = w->queue.n;
    pthread_mutex_unlock(&w->mutex);
}

enum bourn_err worker_failure(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    enum bourn_err err = err_set(BOURN_E_IO, "the ledger's files: %s", w->why);
    pthread_mutex_unlock(&w->mutex);
    return err;
}
