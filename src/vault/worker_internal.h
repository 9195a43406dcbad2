/* Between the parts of the ledger's worker: worker.c is the thread and what is handed to it, worker_files.c
 * the files, worker_sign.c checkpoints and receipts. */
#ifndef BOURN_VAULT_WORKER_INTERNAL_H
#define BOURN_VAULT_WORKER_INTERNAL_H

#include "ledger/ledger.h"
#include "merkle/merkle.h"
#include "vault/internal.h"

#include <pthread.h>

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

/* worker_files.c: appends what is left of the batch. After an error nothing is lost: the next call goes on
 * where it stopped. */
enum bourn_err worker_append_batch(struct worker *w) BOURN_MUST_USE;
enum bourn_err worker_flush(struct worker *w) BOURN_MUST_USE; /* files, then the mark */

/* worker_sign.c. What was signed must lie on this log: else the cell was restored from an old backup, or
 * forked. */
enum bourn_err worker_check_on_log(struct worker *w, const char *what, uint64_t size,
                                   const uint8_t root[32]) BOURN_MUST_USE;
/* Before each signature too: a second copy of the cell may be serving, and publish what this one never
 * signed. */
enum bourn_err worker_check_others(struct worker *w) BOURN_MUST_USE;
/* *head is the size that the signer signed last. It moves with the signature, though the note may not get
 * out. `first`: since the start; what was published before may have cosignatures already. */
enum bourn_err worker_publish(struct worker *w, uint64_t size, uint64_t *head, bool first) BOURN_MUST_USE;
/* Cosignatures came for the checkpoint that is published. */
enum bourn_err worker_publish_cosigned(struct worker *w) BOURN_MUST_USE;
/* A desk_sign. One receipt, for the tree that was signed last. It is checked here first: the signer takes a
 * false one for a broken vault. */
struct signed_head {
    struct worker *w;
    uint64_t size;
};
enum bourn_err worker_sign_receipt(void *ctx, uint64_t index, const struct merkle_hash *leaf,
                                   struct slice lines, struct buf *note) BOURN_MUST_USE;

#endif
