/* The receiving half of a ring: nothing that the peer wrote is trusted. */
#include "ipc/ring_internal.h"

#include <errno.h>
#include <unistd.h>

static void copy_out(const struct ring *r, uint64_t position, void *p, size_t n)
{
    size_t at = ring_place(position), first = n < RING_BYTES - at ? n : RING_BYTES - at;
    memcpy(p, ring_peer_bytes(r) + at, first);
    if (n > first)
        memcpy((uint8_t *)p + first, ring_peer_bytes(r), n - first);
    /* The compiler must not look at the peer's memory again in place of the copy. */
    __asm__ volatile("" ::: "memory");
}

/* The header at our position, each word read once; a header never wraps. */
static struct ring_header take_header(const struct ring *r)
{
    const volatile uint32_t *w =
        (const volatile uint32_t *)(const void *)(ring_peer_bytes(r) + ring_place(r->tail));
    return (struct ring_header){.payload = w[0], .total = w[1], .type = w[2], .offset = w[3]};
}

static enum bourn_err take_frame(struct ring *r)
{
    struct ring_header h = take_header(r);
    if (h.payload == 0 || h.payload > RING_FRAME_BYTES_MAX ||
        HEADER_BYTES + ring_padded(h.payload) > r->peer_head - r->tail)
        return ring_broken(r, "the length of a frame");
    if (h.total > IPC_MESSAGE_BYTES_MAX || h.type == 0 || h.type > UINT16_MAX)
        return ring_broken(r, "the length or type of a message");
    if (h.offset != r->joining.offset || h.payload > h.total - h.offset || h.offset > h.total)
        return ring_broken(r, "the place of a frame in its message");
    if (h.offset && (h.total != r->joining.total || h.type != r->joining.type))
        return ring_broken(r, "a frame of another message");
    uint8_t *to = buf_reserve(&r->in, h.total - h.offset);
    if (!to)
        return err_set(BOURN_E_MEMORY, "out of memory for a message");
    copy_out(r, r->tail + HEADER_BYTES, to, h.payload);
    uint8_t rest[HEADER_BYTES];
    size_t rest_n = ring_padded(h.payload) - h.payload;
    copy_out(r, r->tail + HEADER_BYTES + h.payload, rest, rest_n);
    for (size_t i = 0; i < rest_n; i++)
        if (rest[i])
            return ring_broken(r, "bytes left over behind a frame");
    r->in.n += h.payload;
    r->joining = h;
    r->joining.offset += h.payload;
    r->tail += HEADER_BYTES + ring_padded(h.payload);
    atomic_store_explicit(&r->own->tail, r->tail, memory_order_release);
    return BOURN_OK;
}

/* Looks at the peer's head; false with *err set if it makes no sense. */
static bool look(struct ring *r, enum bourn_err *err)
{
    uint64_t head = atomic_load_explicit(&r->peer->head, memory_order_acquire);
    *err = BOURN_OK;
    if (head < r->peer_head || head - r->tail > RING_BYTES || head % HEADER_BYTES)
        *err = ring_broken(r, "its writing position is out of range");
    r->peer_head = head;
    return *err == BOURN_OK;
}

enum bourn_err ring_receive(struct ring *r, uint32_t *type, struct slice *message)
{
    if (r->broken)
        return err_set(BOURN_E_FORMAT, "a ring that the other side broke");
    if (r->held) {
        buf_clear_keep(&r->in, RING_KEEP_BYTES_MAX);
        r->held = false;
        r->joining = (struct ring_header){0};
    }
    enum bourn_err err;
    bool cleared = false;
    for (;;) {
        if (r->peer_head == r->tail) {
            if (!look(r, &err))
                return err;
            if (r->peer_head == r->tail && cleared)
                break;
            if (r->peer_head == r->tail) {
                /* Clear the wake-up, then look once more: what comes after that look wakes us again. */
                uint64_t count;
                if (read(r->fds.wake_own, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
                    return err_sys(BOURN_E_IO, "cannot read the eventfd of a ring");
                cleared = true;
            }
            continue;
        }
        if ((err = take_frame(r)) != BOURN_OK)
            return err;
        if (r->joining.offset == r->joining.total) {
            *type = r->joining.type;
            *message = buf_slice(&r->in);
            r->held = true;
            return BOURN_OK;
        }
    }
    /* The peer waits for room in the middle of a message, or will soon: do not let it wait for the end of our
     * turn. */
    if (r->tail != r->thanked && (r->joining.total || r->tail - r->thanked > RING_BYTES / 2))
        if ((err = ring_wake(r)) != BOURN_OK)
            return err;
    return BOURN_E_NOT_FOUND;
}
