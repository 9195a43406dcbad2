/* Shape of a side's memfd: one page of positions, then RING_BYTES of frames.
 *
 *     page:   head (8) how far this side wrote; on the next cache line tail (8): how far it read in the
 * other's memfd frame:  payload bytes (4) message bytes (4) type (4) offset of the payload in the message
 * (4), payload, and zeros up to a multiple of 16. Host byte order. Frames lie one after the other and wrap
 * around the end.
 *
 * Positions only grow; a place is the position modulo RING_BYTES. Validity, checked at each look because the
 * peer may write anything at any time:
 *  1. the peer's head: tail <= head <= tail + RING_BYTES, never behind where it was, a multiple of 16;
 *  2. the peer's tail: zeroed <= tail <= head, a multiple of 16;
 *  3. a frame lies wholly before head; it goes on exactly where the frame before it ended, with the same type
 * and message bytes. Each header word is read once; the payload is copied once and only the copy is looked
 * at. The sender writes only where it has zeroed what was consumed. */
#ifndef BOURN_IPC_RING_INTERNAL_H
#define BOURN_IPC_RING_INTERNAL_H

#include "base/limits.h"
#include "ipc/ring.h"

#include <stdatomic.h>

enum { PAGE_BYTES = 4096, HEADER_BYTES = 16, LEAST_PIECE_BYTES = 4096 };
#define MAP_BYTES (PAGE_BYTES + (size_t)RING_BYTES)
#define QUEUE_BYTES_MAX (8ull * IPC_MESSAGE_BYTES_MAX)

_Static_assert((RING_BYTES & (RING_BYTES - 1)) == 0, "RING_BYTES is a power of two");
_Static_assert(RING_FRAME_BYTES_MAX <= RING_BYTES / 2 && RING_FRAME_BYTES_MAX % HEADER_BYTES == 0,
               "frames fit");

struct ring_page {
    _Atomic uint64_t head;
    uint8_t gap[56];
    _Atomic uint64_t tail;
};

struct ring_header {
    uint32_t payload, total, type, offset;
};

struct ring {
    struct ring_fds fds;
    struct ring_page *own;
    const struct ring_page *peer;
    uint64_t head, announced;   /* what we wrote; what the peer was woken for */
    uint64_t zeroed;            /* consumed by the peer and zeroed by us */
    uint64_t tail, thanked;     /* what we read; what the peer was woken for */
    uint64_t peer_head;         /* as last seen */
    struct buf in;              /* the message that is being joined, or that the caller holds */
    struct ring_header joining; /* total 0: none; offset: bytes that are there */
    bool held;                  /* the caller holds `in` */
    struct buf queue;           /* headers and bytes of messages that did not fit */
    size_t queue_at;            /* of the first message's header */
    bool broken;
};

static inline uint8_t *ring_own_bytes(struct ring *r)
{
    return (uint8_t *)r->own + PAGE_BYTES;
}
static inline const uint8_t *ring_peer_bytes(const struct ring *r)
{
    return (const uint8_t *)r->peer + PAGE_BYTES;
}
static inline size_t ring_place(uint64_t position)
{
    return (size_t)(position & (RING_BYTES - 1));
}
static inline size_t ring_padded(size_t n)
{
    return (n + HEADER_BYTES - 1) & ~(size_t)(HEADER_BYTES - 1);
}

/* Marks the ring as unusable and says why: BOURN_E_FORMAT. */
enum bourn_err ring_broken(struct ring *r, const char *what) BOURN_MUST_USE;
/* Wakes the other side, for what was written and for what was read. */
enum bourn_err ring_wake(struct ring *r) BOURN_MUST_USE;

#endif
