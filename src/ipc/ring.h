/* Shared-memory rings between two roles: one memfd a direction that only its sender can write (the receiver
 * holds a read-only descriptor), an eventfd to wake the other side. A receiver copies a message before it
 * reads it. The sender zeroes what was consumed. Messages larger than a frame are cut and joined here; what
 * does not fit now waits in the sender's memory. A malformed or oversized frame is fatal for the receiver
 * (BOURN_E_FORMAT: exit). */
#ifndef BOURN_IPC_RING_H
#define BOURN_IPC_RING_H

#include "base/buf.h"

/* Descriptors of one side of a channel, made by the parent and inherited through exec. */
struct ring_fds {
    int own;       /* memfd that this side writes: its messages and its read position */
    int peer;      /* the other side's memfd, read-only */
    int wake_own;  /* eventfd that wakes this side */
    int wake_peer; /* eventfd that wakes the other side */
};
struct ring; /* one side: sends and receives */

/* Makes both sides' descriptors (all close-on-exec; the parent clears that for the role they go to). */
enum bourn_err ring_make(struct ring_fds *a, struct ring_fds *b) BOURN_MUST_USE;
void ring_fds_close(struct ring_fds *f);
enum bourn_err ring_open(const struct ring_fds *f,
                         struct ring **out) BOURN_MUST_USE; /* maps; keeps the descriptors */
void ring_close(struct ring *r);
int ring_wait_fd(const struct ring *r); /* poll for POLLIN, then call ring_receive until BOURN_E_NOT_FOUND */

/* Queues one message (up to IPC_MESSAGE_BYTES_MAX, type 1..65535) and writes what fits. Does not wake the
 * peer: call ring_kick once a batch. */
enum bourn_err ring_send(struct ring *r, uint32_t type, struct slice message) BOURN_MUST_USE;
/* The same for one message in two parts. */
enum bourn_err ring_send_two(struct ring *r, uint32_t type, struct slice first,
                             struct slice rest) BOURN_MUST_USE;
/* Writes more of what waits, zeroes what the peer consumed, and wakes the peer if anything is new. Call it at
 * the end of each turn of the loop. */
enum bourn_err ring_kick(struct ring *r) BOURN_MUST_USE;
/* The same, but does not wake the peer for what was merely read: a later ring_kick does that. */
enum bourn_err ring_announce(struct ring *r) BOURN_MUST_USE;
/* Next whole message, a private copy valid until the next call (wiped then). BOURN_E_NOT_FOUND if none is
 * complete: only then is the wake-up cleared, so call it until then. The peer learns of what was consumed at
 * the next ring_kick. */
enum bourn_err ring_receive(struct ring *r, uint32_t *type, struct slice *message) BOURN_MUST_USE;
size_t ring_waiting_bytes(const struct ring *r); /* queued in memory because the ring is full */

/* Message types, and who may send them (checked by the receiver). */
enum ipc_type {
    IPC_REQUEST = 1, /* front -> vault: request.h */
    IPC_REPLY = 2,   /* vault -> front: request.h */
    IPC_SIGN_HEAD =
        3,        /* signer -> vault: size (8), root (32): the head it keeps, first message after start */
    IPC_SIGN = 4, /* vault -> signer: size (8), root (32), count (2), count * 32 proof */
    IPC_SIGNATURE = 5, /* signer -> vault: size (8), signature (64) */
    IPC_RECEIPT =
        6, /* vault -> signer: size (8), root (32), index (8), leaf (32), count (2), count * 32 proof */
    IPC_RECEIPT_SIGNATURE = 7, /* signer -> vault: index (8), signature (64) */
    IPC_EVENT = 8,             /* vault -> signer: as IPC_RECEIPT, and behind it the lines of the event;
                                  answered by IPC_RECEIPT_SIGNATURE */
    IPC_POST = 16,   /* vault -> relay: place (4), URL's length (2), URL, body. Places from 0 on are those of
                        witnesses, from COSIGNATURES_MAX on those of webhooks; one request a place at a time */
    IPC_POSTED = 17, /* relay -> vault: place (4), HTTP status or 0 (4), a witness's answer */
};

#endif
