/* Messages between roles, and a ring whose other side writes what it likes into its own memory. */
#include "fuzz.h"

#include "base/limits.h"
#include "ipc/request.h"
#include "ipc/ring.h"

#include <stdatomic.h>
#include <sys/mman.h>

static void run_request(struct slice in)
{
    struct request r;
    struct buf again;
    buf_init(&again, IPC_MESSAGE_BYTES_MAX);
    for (unsigned from = REQ_FROM_FRONT; from <= REQ_FROM_ADMIN; from++) {
        buf_clear(&again);
        if (request_decode(in, (enum req_sender)from, &r) != BOURN_OK)
            continue;
        request_encode(&again, &r);
        fuzz_check(slice_eq(in, buf_slice(&again)));
        /* Nothing that discloses may come from admin.sock. */
        if (from == REQ_FROM_ADMIN)
            fuzz_check(r.op != REQ_RECORDS && r.op != REQ_RECORD && r.op != REQ_EVIDENCE &&
                       r.op != REQ_ROWS_FILE);
    }
    buf_release(&again);
}

static void seeds_request(void)
{
    struct buf b;
    buf_init(&b, 4096);
    for (uint32_t op = 1; op <= REQ_OP_MAX; op++)
        for (unsigned fields = 0; fields < 1024; fields++) {
            struct request r = {.id = 7, .op = op, .number = fields & 1, .version = fields >> 1 & 1}, got;
            struct slice *slices[] = {&r.token, &r.purpose, &r.subject, &r.collection,
                                      &r.path,  &r.body,    &r.fields,  &r.key};
            for (unsigned i = 0; i < 8; i++)
                if (fields >> (2 + i) & 1)
                    *slices[i] = slice_str("dpv:x");
            buf_clear(&b);
            request_encode(&b, &r);
            if (request_decode(buf_slice(&b), REQ_FROM_FRONT, &got) == BOURN_OK ||
                request_decode(buf_slice(&b), REQ_FROM_ADMIN, &got) == BOURN_OK)
                fuzz_seed(buf_slice(&b));
        }
    buf_release(&b);
}

static void run_reply(struct slice in)
{
    struct reply r;
    struct buf again;
    buf_init(&again, IPC_MESSAGE_BYTES_MAX);
    if (reply_decode(in, &r) == BOURN_OK) {
        fuzz_check(r.status >= 200 && r.status <= 599 && (r.status >= 400) == (r.code.n > 0));
        reply_encode(&again, &r);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_release(&again);
}

static void seeds_reply(void)
{
    struct buf b;
    struct reply all[] = {
        {.id = 1, .status = 200, .type = REPLY_JSON, .receipt = 9, .etag = 3, .body = slice_str("{}")},
        {.id = 2,
         .status = 403,
         .type = REPLY_NONE,
         .receipt = REPLY_NO_RECEIPT,
         .code = slice_str("basis_missing"),
         .detail = slice_str("no"),
         .missing = slice_str("[{}]")},
        {.id = 3, .status = 200, .type = REPLY_OCTETS, .receipt = REPLY_NO_RECEIPT, .immutable = 1}};
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        buf_clear(&b);
        reply_encode(&b, &all[i]);
        fuzz_seed(buf_slice(&b));
    }
    buf_release(&b);
}

enum { PAGE = 4096 };

/* One ring for the process: making one maps and zeroes megabytes. After it broke, a new one. */
static struct {
    struct ring_fds ours, theirs;
    struct ring *victim;
    uint8_t *raw;
    uint64_t head;
} fight;

static void fight_close(void)
{
    if (!fight.raw)
        return;
    ring_close(fight.victim);
    munmap(fight.raw, PAGE + (size_t)RING_BYTES);
    ring_fds_close(&fight.ours);
    ring_fds_close(&fight.theirs);
    fight.raw = NULL;
}

static void fight_open(void)
{
    fuzz_ok(ring_make(&fight.ours, &fight.theirs));
    fight.raw = mmap(NULL, PAGE + (size_t)RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fight.ours.own, 0);
    fuzz_check(fight.raw != MAP_FAILED);
    fuzz_ok(ring_open(&fight.theirs, &fight.victim));
    fight.head = 0;
}

static void set(size_t at, uint64_t v)
{
    __atomic_store_n((uint64_t *)(void *)(fight.raw + at), v, __ATOMIC_RELEASE);
}

static void put(uint64_t at, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fight.raw[PAGE + (at + i) % RING_BYTES] = ((const uint8_t *)p)[i];
}

static bool receive_all(void)
{
    for (int i = 0; i < 1000; i++) {
        uint32_t type;
        struct slice m;
        enum bourn_err err = ring_receive(fight.victim, &type, &m);
        if (err == BOURN_E_NOT_FOUND)
            return true;
        if (err != BOURN_OK) {
            fuzz_check(err == BOURN_E_FORMAT || err == BOURN_E_MEMORY);
            fuzz_check(ring_receive(fight.victim, &type, &m) != BOURN_OK); /* broken for good */
            return false;
        }
        fuzz_check(m.n >= 1 && m.n <= IPC_MESSAGE_BYTES_MAX && type >= 1 && type <= 65535);
        volatile uint8_t sum = 0;
        for (size_t k = 0; k < m.n; k += 64)
            sum = (uint8_t)(sum + m.p[k]);
    }
    return true;
}

static void run_ring(struct slice in)
{
    struct dice d = {in};
    bool whole = true;
    if (!fight.raw)
        fight_open();
    /* A place from which the end of the ring is near or far. */
    while (d.left.n && whole) {
        uint8_t what = dice_u8(&d);
        uint32_t h[4] = {dice_u8(&d), dice_u8(&d), 1 + what / 64, 0};
        switch (what % 8) {
        case 0: /* a good frame */
        case 1:
            h[0] = h[0] ? h[0] : 1;
            h[1] = h[0];
            put(fight.head, h, 16);
            fight.head += 16 + ((h[0] + 15u) & ~15u);
            set(0, fight.head);
            break;
        case 2: /* the first part of a message */
            h[1] += h[0];
            put(fight.head, h, 16);
            fight.head += 16 + ((h[0] + 15u) & ~15u);
            set(0, fight.head);
            break;
        case 3: /* a later part */
            h[1] += h[0];
            h[3] = dice_u8(&d);
            put(fight.head, h, 16);
            fight.head += 16 + ((h[0] + 15u) & ~15u);
            set(0, fight.head);
            break;
        case 4: /* words at their edges */
            for (int i = 0; i < 4; i++)
                h[i] = (uint32_t)dice_edge(&d);
            put(fight.head, h, 16);
            fight.head += 16 * (uint64_t)(1 + dice_u8(&d));
            set(0, fight.head);
            break;
        case 5:
            set(0, h[0] & 1 ? dice_edge(&d) : fight.head + dice_edge(&d));
            break;
        case 6:
            set(64, dice_edge(&d));
            break;
        default: /* the victim sends meanwhile; and is read, or not */
            if (ring_send(fight.victim, 1, slice_of("0123456789abcdef", 1 + h[0] % 16)) != BOURN_OK)
                whole = false;
        }
        if (what & 32) {
            enum bourn_err err = ring_kick(fight.victim);
            fuzz_check(err == BOURN_OK || err == BOURN_E_FORMAT);
            whole = whole && err == BOURN_OK;
        }
        if (whole && what & 16)
            whole = receive_all();
    }
    if (whole)
        receive_all();
    fight_close();
}

static void seeds_ring(void)
{
    fuzz_seed(slice_of("\x70\x10\x00\x70\xff\x00\x72\x10\x20\x73\x20\x00\x10\x37\x05\x05", 16));
    fuzz_seed(slice_of("\x34\1\1\x44\x80\x81\x82\x83\x35\1\1\x90", 12));
    fuzz_seed(slice_of("\x27\4\4\x36\0\0\x20", 7));
}

const struct fuzz_target fuzz_ipc[] = {
    {"request", run_request, seeds_request, 4096, 20000},
    {"reply", run_reply, seeds_reply, 4096, 20000},
    {"ring", run_ring, seeds_ring, 256, 1000},
    {0},
};
