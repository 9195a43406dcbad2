/* The sending half of a ring. */
#include "ipc/ring_internal.h"

static void zero_between(struct ring *r, uint64_t from, uint64_t to)
{
    size_t at = ring_place(from), n = (size_t)(to - from), first = n < RING_BYTES - at ? n : RING_BYTES - at;
    explicit_bzero(ring_own_bytes(r) + at, first);
    explicit_bzero(ring_own_bytes(r), n - first);
}

/* Zeroes what the peer has consumed: that is the room for new frames. */
static enum bourn_err reclaim(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->peer->tail, memory_order_acquire);
    if (tail < r->zeroed || tail > r->head || tail % HEADER_BYTES)
        return ring_broken(r, "its reading position is out of range");
    zero_between(r, r->zeroed, tail);
    r->zeroed = tail;
    return BOURN_OK;
}

static void copy_in(struct ring *r, uint64_t position, const void *p, size_t n)
{
    size_t at = ring_place(position), first = n < RING_BYTES - at ? n : RING_BYTES - at;
    memcpy(ring_own_bytes(r) + at, p, first);
    if (n > first)
        memcpy(ring_own_bytes(r), (const uint8_t *)p + first, n - first);
}

/* n bytes of a message in two parts, from its byte `from` on. */
static void copy_piece(struct ring *r, uint64_t position, const struct slice message[2], size_t from,
                       size_t n)
{
    size_t first = from >= message[0].n ? 0 : message[0].n - from < n ? message[0].n - from : n;
    if (first)
        copy_in(r, position, message[0].p + from, first);
    if (n > first)
        copy_in(r, position + first, message[1].p + (from + first - message[0].n), n - first);
}

/* Writes as many frames of a message as fit, and moves h->offset on. */
static enum bourn_err write_frames(struct ring *r, struct ring_header *h, const struct slice message[2])
{
    bool again = true;
    while (h->offset < h->total) {
        size_t left = h->total - h->offset, room = (size_t)(RING_BYTES - (r->head - r->zeroed));
        size_t least = HEADER_BYTES + ring_padded(left < LEAST_PIECE_BYTES ? left : LEAST_PIECE_BYTES);
        if (room < least) {
            if (!again)
                break;
            again = false;
            enum bourn_err err = reclaim(r);
            if (err)
                return err;
            continue;
        }
        size_t n = left < RING_FRAME_BYTES_MAX ? left : RING_FRAME_BYTES_MAX;
        if (HEADER_BYTES + ring_padded(n) > room)
            n = room - HEADER_BYTES;
        h->payload = (uint32_t)n;
        copy_in(r, r->head, h, sizeof *h);
        copy_piece(r, r->head + HEADER_BYTES, message, h->offset, n);
        r->head += HEADER_BYTES + ring_padded(n);
        h->offset += (uint32_t)n;
        atomic_store_explicit(&r->own->head, r->head, memory_order_release);
    }
    return BOURN_OK;
}

static enum bourn_err flush_queue(struct ring *r)
{
    while (r->queue_at < r->queue.n) {
        struct ring_header h;
        memcpy(&h, r->queue.p + r->queue_at, sizeof h);
        uint8_t *message = r->queue.p + r->queue_at + sizeof h;
        const struct slice parts[2] = {slice_of(message, h.total), slice_of(NULL, 0)};
        enum bourn_err err = write_frames(r, &h, parts);
        if (err)
            return err;
        memcpy(r->queue.p + r->queue_at, &h, sizeof h);
        if (h.offset < h.total)
            return BOURN_OK;
        explicit_bzero(message, h.total);
        r->queue_at += sizeof h + h.total;
    }
    buf_clear_keep(&r->queue, RING_KEEP_BYTES_MAX);
    r->queue_at = 0;
    return BOURN_OK;
}

/* Moves what waits to the front of the queue's memory, once it is mostly sent. */
static void compact_queue(struct ring *r)
{
    if (r->queue_at < RING_KEEP_BYTES_MAX || r->queue_at < r->queue.n / 2)
        return;
    size_t left = r->queue.n - r->queue_at;
    memmove(r->queue.p, r->queue.p + r->queue_at, left);
    explicit_bzero(r->queue.p + left, r->queue.n - left);
    r->queue.n = left;
    r->queue_at = 0;
}

enum bourn_err ring_send(struct ring *r, uint32_t type, struct slice message)
{
    return ring_send_two(r, type, message, slice_of(NULL, 0));
}

enum bourn_err ring_send_two(struct ring *r, uint32_t type, struct slice first, struct slice rest)
{
    const struct slice message[2] = {first, rest};
    size_t total = rest.n <= IPC_MESSAGE_BYTES_MAX ? first.n + rest.n : rest.n;
    bourn_assert(type >= 1 && type <= UINT16_MAX && total > 0);
    if (r->broken)
        return err_set(BOURN_E_FORMAT, "a ring that the other side broke");
    if (total > IPC_MESSAGE_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "a message of %zu bytes; the limit is %u", total,
                       IPC_MESSAGE_BYTES_MAX);
    struct ring_header h = {.total = (uint32_t)total, .type = type};
    if (ring_waiting_bytes(r) == 0) {
        enum bourn_err err = write_frames(r, &h, message);
        if (err || h.offset == h.total)
            return err;
    }
    compact_queue(r);
    if (!buf_reserve(&r->queue, sizeof h + total)) {
        /* Part of it may stand in the ring: what follows could not be told apart from its rest. */
        r->broken = r->broken || h.offset > 0;
        r->queue.failed = false;
        return err_set(BOURN_E_LIMIT, "too much waits for the other side of a ring (%zu bytes)",
                       ring_waiting_bytes(r));
    }
    buf_put(&r->queue, &h, sizeof h);
    buf_put_slice(&r->queue, first);
    buf_put_slice(&r->queue, rest);
    return BOURN_OK;
}

static enum bourn_err move_on(struct ring *r)
{
    enum bourn_err err = reclaim(r);
    return err ? err : flush_queue(r);
}

enum bourn_err ring_kick(struct ring *r)
{
    enum bourn_err err = move_on(r);
    if (!err && (r->head != r->announced || r->tail != r->thanked))
        err = ring_wake(r);
    return err;
}

enum bourn_err ring_announce(struct ring *r)
{
    enum bourn_err err = move_on(r);
    if (!err && r->head != r->announced)
        err = ring_wake(r);
    return err;
}
