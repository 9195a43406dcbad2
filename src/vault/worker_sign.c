/* What the worker has signed: checkpoints, published when they are, and receipts. */
#include "vault/worker_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <unistd.h>

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

enum bourn_err worker_check_on_log(struct worker *w, const char *what, uint64_t size, const uint8_t root[32])
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

enum bourn_err worker_check_others(struct worker *w)
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
            err = worker_check_on_log(w, others[i].what, other, other_root);
    }
    return err;
}

enum bourn_err worker_publish(struct worker *w, uint64_t size, uint64_t *head, bool first)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    uint8_t signature[CRYPTO_SIGNATURE_BYTES];
    size_t n = 0;
    struct buf note;
    buf_init(&note, 4096);
    TRY(worker_check_others(w));
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

enum bourn_err worker_publish_cosigned(struct worker *w)
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

enum bourn_err worker_sign_receipt(void *ctx, uint64_t index, const struct merkle_hash *leaf,
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
