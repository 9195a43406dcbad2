/* Receipts and events that were asked for, on their way from the vault's thread to the worker's, which alone
 * talks to the signer, and back. A wish belongs to the answer that waits for it; one whose answer is gone is
 * freed by the worker's thread. */
#include "vault/internal.h"

#include "merkle/merkle.h"

#include <pthread.h>
#include <stdlib.h>

struct wish {
    struct desk *desk;
    struct wish *next;
    uint64_t index;
    struct merkle_hash leaf;
    struct buf lines; /* of an event; empty: a receipt */
    bool done, dropped;
    enum bourn_err err;
    struct buf note;
};
struct desk {
    pthread_mutex_t mutex;
    struct wish *first, **tail;
    size_t n; /* in the list */
};

struct desk *desk_new(void)
{
    struct desk *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    pthread_mutex_init(&d->mutex, NULL);
    d->tail = &d->first;
    return d;
}

static void wish_free(struct wish *x)
{
    buf_release(&x->lines);
    buf_release(&x->note);
    free(x);
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    while (d->first) {
        struct wish *x = d->first;
        d->first = x->next;
        wish_free(x);
    }
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

enum bourn_err desk_put(struct desk *d, uint64_t index, const struct merkle_hash *leaf, struct slice lines,
                        struct wish **out)
{
    struct wish *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(BOURN_E_MEMORY, "out of memory for a receipt");
    x->desk = d;
    x->index = index;
    x->leaf = *leaf;
    buf_init(&x->lines, EVENT_LINES_BYTES_MAX);
    buf_put_slice(&x->lines, lines);
    buf_init(&x->note, RECEIPT_BYTES_MAX + lines.n);
    pthread_mutex_lock(&d->mutex);
    bool room = d->n < RECEIPTS_WAITING_MAX && !x->lines.failed;
    if (room) {
        *d->tail = x;
        d->tail = &x->next;
        d->n++;
    }
    pthread_mutex_unlock(&d->mutex);
    if (room) {
        *out = x;
        return BOURN_OK;
    }
    wish_free(x);
    return err_set(BOURN_E_LIMIT, "%d receipts wait to be signed already", RECEIPTS_WAITING_MAX);
}

bool desk_waiting(struct desk *d)
{
    pthread_mutex_lock(&d->mutex);
    bool any = d->first != NULL;
    pthread_mutex_unlock(&d->mutex);
    return any;
}

enum bourn_err desk_serve(struct desk *d, desk_sign sign, void *ctx)
{
    for (;;) {
        pthread_mutex_lock(&d->mutex);
        struct wish *x = d->first;
        if (x) {
            d->first = x->next;
            d->n--;
            if (!d->first)
                d->tail = &d->first;
        }
        bool dropped = x && x->dropped;
        pthread_mutex_unlock(&d->mutex);
        if (!x)
            return BOURN_OK;
        enum bourn_err err =
            dropped ? BOURN_OK : sign(ctx, x->index, &x->leaf, buf_slice(&x->lines), &x->note);
        pthread_mutex_lock(&d->mutex);
        x->done = true;
        x->err = err;
        dropped = x->dropped;
        pthread_mutex_unlock(&d->mutex);
        if (dropped)
            wish_free(x);
        if (err && err != BOURN_E_CORRUPT)
            return err;
    }
}

bool wish_done(const struct wish *x)
{
    pthread_mutex_lock(&x->desk->mutex);
    bool done = x->done;
    pthread_mutex_unlock(&x->desk->mutex);
    return done;
}

enum bourn_err wish_note(const struct wish *x, struct slice *note)
{
    *note = buf_slice(&x->note);
    return x->err;
}

void wish_drop(struct wish *x)
{
    if (!x)
        return;
    pthread_mutex_lock(&x->desk->mutex);
    x->dropped = true;
    bool done = x->done;
    pthread_mutex_unlock(&x->desk->mutex);
    if (done)
        wish_free(x);
}
