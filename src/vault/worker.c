/* The second thread of the vault: it turns durable entries into bundles, rows and tiles, advances the file
 * mark, and has the signer sign what is in files. It owns the ledger's files; what is shared stands under one
 * mutex.
 *
 * Invariants: (1) only entries that the journal holds are pushed here; (2) the mark is written after the
 * files are synced; (3) the signer is asked only for sizes up to the mark, and while `held` for no other than
 * the one that it signed last. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MARK_FILE "state/files"
#define CATCH_UP_FLUSH_BYTES (16u << 20)
#define QUEUE_BYTES_MAX (1u << 30)

struct worker {
    struct io_dir *cell;
    struct ledger *ledger;
    struct vault_signer signer;
    struct merkle_vkey key;
    uint64_t sequence; /* of the last frame that was appended whole */
    size_t unflushed;
    struct buf batch; /* frames taken from the queue: sequence (8), first index (8), length (4), entries */
    size_t at, frame_end;    /* what of it is appended; a full disk may stop anywhere, and it goes on there */
    uint64_t frame_sequence; /* of the frame that `at` lies in */

    struct desk *desk; /* receipts that are wanted */

    pthread_t thread;
    bool running;
    int event;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t wake;
    struct buf queue;
    struct buf note;     /* the last checkpoint, as the signer signed it */
    struct buf cosigned; /* the same with cosignatures, to be published; empty: nothing new */
    bool urgent, stop;
    bool held; /* nothing new is signed: files go on, checkpoints wait */
    struct worker_state state;
    char why[512]; /* it failed */
};

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

/* Appends what is left of the batch. After an error nothing is lost: the next call goes on where it stopped.
 */
static enum bourn_err append_batch(struct worker *w)
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

static enum bourn_err flush(struct worker *w)
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

/* Whether the checkpoint on disk is this note, with or without cosignatures behind it: then it stays. */
static bool is_published(struct worker *w, struct slice note)
{
    struct buf b;
    buf_init(&b, WITNESS_CHECKPOINT_BYTES_MAX);
    bool same = io_read_all(w->cell, "ledger/checkpoint", &b) == BOURN_OK && b.n >= note.n &&
                memcmp(b.p, note.p, note.n) == 0;
    buf_release(&b);
    return same;
}

/* What was signed must lie on this log: else the cell was restored from an old backup, or forked. */
static enum bourn_err check_on_log(struct worker *w, const char *what, uint64_t size, const uint8_t root[32])
{
    struct merkle_hash mine;
    if (size > ledger_size(w->ledger))
        return err_set(BOURN_E_CORRUPT,
                       "%s says that %llu entries were signed, but only %llu are here: an old backup was put "
                       "back. " RESTORED_GO_ON,
                       what, (unsigned long long)size, (unsigned long long)ledger_size(w->ledger));
    enum bourn_err err = ledger_root_at(w->ledger, size, &mine);
    if (err == BOURN_OK && memcmp(mine.b, root, 32) != 0)
        err = err_set(BOURN_E_CORRUPT,
                      "%s, of %llu entries, is not on this cell's log: two histories were written under one "
                      "key, or a file was altered. " RESTORED_GO_ON,
                      what, (unsigned long long)size);
    return err;
}

/* Before each signature too: a second copy of the cell may be serving, and publish what this one never
 * signed. */
static enum bourn_err check_others(struct worker *w)
{
    static const struct {
        const char *path, *what;
    } others[] = {{RESTORED_PUBLISHED, "ledger/checkpoint"},
                  {RESTORED_SEEN, "a checkpoint from elsewhere (--head)"}};
    enum bourn_err err = BOURN_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others && err == BOURN_OK; i++) {
        uint64_t other;
        uint8_t other_root[32];
        err = restored_checkpoint(w->cell, others[i].path, &w->key, &other, other_root);
        if (err == BOURN_OK && other)
            err = check_on_log(w, others[i].what, other, other_root);
    }
    return err;
}

/* *head is the size that the signer signed last. It moves with the signature, though the note may not get
 * out. `first`: since the start; what was published before may have cosignatures already. */
static enum bourn_err publish(struct worker *w, uint64_t size, uint64_t *head, bool first)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    uint8_t signature[CRYPTO_SIGNATURE_BYTES];
    size_t n = 0;
    struct buf note;
    buf_init(&note, 4096);
    TRY(check_others(w));
    bool newest = size == ledger_size(w->ledger); /* else the head again, which needs no proof */
    if (newest)
        ledger_root(w->ledger, &root);
    else
        TRY(ledger_root_at(w->ledger, size, &root));
    if (newest)
        TRY(ledger_consistency(w->ledger, *head, proof, &n));
    TRY(w->signer.sign(w->signer.ctx, size, root.b, proof[0].b, n, signature));
    *head = size;
    merkle_checkpoint_body(&note, slice_str(w->key.name), size, &root);
    if (!crypto_verify(signature, buf_slice(&note), w->key.key)) {
        err = err_set(BOURN_E_CRYPTO, "the signer's signature does not verify under ledger.vkey");
        goto out;
    }
    buf_put_str(&note, "\n");
    merkle_note_sign_line(&note, &w->key, slice_of(signature, sizeof signature));
    TRY(buf_check(&note));
    pthread_mutex_lock(&w->mutex);
    w->state.served_size = size; /* before its checkpoint can be read */
    pthread_mutex_unlock(&w->mutex);
    if (!first || !is_published(w, buf_slice(&note)))
        TRY((newest ? ledger_publish : ledger_republish)(w->ledger, buf_slice(&note)));
    pthread_mutex_lock(&w->mutex);
    buf_clear(&w->note);
    buf_put_slice(&w->note, buf_slice(&note));
    buf_clear(&w->cosigned); /* it was for the one before */
    w->state.signed_size = size;
    w->state.signed_ms = clock_mono_ms();
    w->state.full = false;
    pthread_mutex_unlock(&w->mutex);
    uint64_t one = 1;
    if (write(w->event, &one, sizeof one) != sizeof one)
        err = err_sys(BOURN_E_IO, "eventfd of the ledger worker");
out:
    buf_release(&note);
    return err;
}

/* Cosignatures came for the checkpoint that is published. */
static enum bourn_err publish_cosigned(struct worker *w)
{
    struct buf note;
    buf_init(&note, WITNESS_CHECKPOINT_BYTES_MAX * 2);
    pthread_mutex_lock(&w->mutex);
    buf_put_slice(&note, buf_slice(&w->cosigned));
    buf_clear(&w->cosigned);
    pthread_mutex_unlock(&w->mutex);
    enum bourn_err err = buf_check(&note);
    if (!err && note.n)
        err = ledger_republish(w->ledger, buf_slice(&note));
    buf_release(&note);
    if (err != BOURN_E_FULL)
        return err;
    log_warning("%s; the checkpoint stays without its cosignatures", err_text());
    return BOURN_OK;
}

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
    return w->unflushed > CATCH_UP_FLUSH_BYTES ? flush(w) : BOURN_OK;
}

void worker_root(const struct worker *w, struct merkle_hash *root)
{
    ledger_root(w->ledger, root);
}

uint64_t worker_size(const struct worker *w)
{
    return ledger_size(w->ledger);
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

/* One receipt, for the tree that was signed last. It is checked here first: the signer takes a false one for
 * a broken vault. */
struct signed_head {
    struct worker *w;
    uint64_t size;
};

static enum bourn_err sign_receipt(void *ctx, uint64_t index, const struct merkle_hash *leaf,
                                   struct slice lines, struct buf *note)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct signed_head *head = ctx;
    struct worker *w = head->w;
    struct merkle_receipt r = {.index = index, .size = head->size, .leaf = *leaf};
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    uint8_t signature[CRYPTO_SIGNATURE_BYTES];
    size_t n = 0;
    TRY(ledger_root_at(w->ledger, r.size, &r.root));
    TRY(ledger_inclusion_at(w->ledger, index, r.size, proof, &n));
    if (!merkle_verify_inclusion(index, r.size, leaf, proof, n, &r.root))
        return err_set(BOURN_E_CORRUPT, "entry %llu of the ledger's files is not the one that was signed",
                       (unsigned long long)index);
    TRY(w->signer.receipt(w->signer.ctx, &r, proof, n, lines, signature));
    if (lines.n)
        merkle_event_text(note, slice_str(w->key.name), &r, lines);
    else
        merkle_receipt_text(note, slice_str(w->key.name), &r);
    if (!crypto_verify(signature, buf_slice(note), w->key.key))
        return err_set(BOURN_E_CRYPTO, "the signer's receipt does not verify under ledger.vkey");
    buf_put_str(note, "\n");
    merkle_note_sign_line(note, &w->key, slice_of(signature, sizeof signature));
    err = buf_check(note);
out:
    return err == BOURN_E_NOT_FOUND ? BOURN_E_CORRUPT : err;
}

/* Signs the receipts that are wanted; the mutex is held before and after. */
static enum bourn_err serve_desk(struct worker *w, uint64_t head)
{
    struct signed_head ctx = {w, head};
    pthread_mutex_unlock(&w->mutex);
    enum bourn_err err = desk_serve(w->desk, sign_receipt, &ctx);
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
        if (desk_waiting(w->desk) && (*err = serve_desk(w, head)) != BOURN_OK)
            break;
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
        err = publish_cosigned(w);
        bool sign = may_sign(w);
        if (err == BOURN_OK && !(due_now && (w->batch.n || retry || (sign && ledger_size(w->ledger) > head))))
            continue;
        if (err == BOURN_OK)
            err = append_batch(w);
        if (err == BOURN_OK && w->unflushed)
            err = flush(w);
        if (err == BOURN_OK && sign && (retry || ledger_size(w->ledger) > head))
            err = publish(w, ledger_size(w->ledger), &head, false);
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
    TRY(flush(w));
    TRY(check_on_log(w, "signer/head", size, root));
    TRY(check_others(w));
    w->held = held;
    if (ledger_size(w->ledger)) /* where nothing was ever signed there is nothing to ask witnesses with */
        TRY(publish(w, held && size ? size : ledger_size(w->ledger), &size, true));
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
