/* A peer that writes what it likes into its own memory: the ring must answer with an error, never with a
 * crash, an endless loop or bytes from outside. */
#include "ring_test.h"

#include "base/limits.h"
#include "ipc/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define MAP_BYTES (4096 + (size_t)RING_BYTES)

/* We are the peer: raw memory on our side, a ring on the victim's. */
struct fight {
    struct ring_fds ours, theirs;
    uint8_t *raw;
    struct ring *victim;
};

static struct fight fight_open(void)
{
    struct fight f;
    assert_int_equal(ring_make(&f.ours, &f.theirs), BOURN_OK);
    f.raw = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f.ours.own, 0);
    assert_true(f.raw != MAP_FAILED);
    assert_int_equal(ring_open(&f.theirs, &f.victim), BOURN_OK);
    return f;
}

static void fight_close(struct fight *f)
{
    ring_close(f->victim);
    munmap(f->raw, MAP_BYTES);
    ring_fds_close(&f->ours);
    ring_fds_close(&f->theirs);
}

static void set_head(struct fight *f, uint64_t v)
{
    __atomic_store_n((uint64_t *)(void *)f->raw, v, __ATOMIC_RELEASE);
}
static void set_tail(struct fight *f, uint64_t v)
{
    __atomic_store_n((uint64_t *)(void *)(f->raw + 64), v, __ATOMIC_RELEASE);
}

static void put_header(struct fight *f, uint64_t at, uint32_t payload, uint32_t total, uint32_t type,
                       uint32_t offset)
{
    const uint32_t words[4] = {payload, total, type, offset};
    memcpy(f->raw + 4096 + at % RING_BYTES, words, sizeof words);
}

static enum bourn_err receive(struct fight *f)
{
    uint32_t type;
    struct slice m;
    return ring_receive(f->victim, &type, &m);
}

void test_hostile_head(void **state)
{
    (void)state;
    const uint64_t heads[] = {8, 17, RING_BYTES + 16, 1ull << 63, UINT64_MAX, UINT64_MAX - 15};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct fight f = fight_open();
        set_head(&f, heads[i]);
        assert_int_equal(receive(&f), BOURN_E_FORMAT);
        set_head(&f, 0);
        assert_int_equal(receive(&f), BOURN_E_FORMAT); /* broken for good */
        fight_close(&f);
    }
    struct fight f = fight_open(); /* backwards */
    put_header(&f, 0, 16, 16, 1, 0);
    set_head(&f, 32);
    assert_int_equal(receive(&f), BOURN_OK);
    set_head(&f, 0);
    assert_int_equal(receive(&f), BOURN_E_FORMAT);
    fight_close(&f);
}

void test_hostile_tail(void **state)
{
    (void)state;
    const uint64_t tails[] = {1, 48, 1ull << 40, UINT64_MAX & ~15ull};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct fight f = fight_open();
        assert_int_equal(ring_send(f.victim, 1, slice_str("0123456789")), BOURN_OK); /* 32 bytes */
        set_tail(&f, tails[i]);
        assert_int_equal(ring_kick(f.victim), BOURN_E_FORMAT);
        fight_close(&f);
    }
    struct fight f = fight_open(); /* backwards */
    assert_int_equal(ring_send(f.victim, 1, slice_str("0123456789")), BOURN_OK);
    set_tail(&f, 32);
    assert_int_equal(ring_kick(f.victim), BOURN_OK);
    set_tail(&f, 16);
    assert_int_equal(ring_kick(f.victim), BOURN_E_FORMAT);
    fight_close(&f);
}

void test_hostile_frames(void **state)
{
    (void)state;
    const struct {
        uint32_t payload, total, type, offset;
        enum bourn_err want;
    } cases[] = {
        {16, 16, 1, 0, BOURN_OK},
        {0, 16, 1, 0, BOURN_E_FORMAT},                              /* an empty frame */
        {0, 0, 1, 0, BOURN_E_FORMAT},                               /* an empty message */
        {RING_FRAME_BYTES_MAX + 1, 1u << 20, 1, 0, BOURN_E_FORMAT}, /* over the limit of a frame */
        {UINT32_MAX, 16, 1, 0, BOURN_E_FORMAT},
        {17, 16, 1, 0, BOURN_E_FORMAT},                        /* more than its message */
        {16, IPC_MESSAGE_BYTES_MAX + 1, 1, 0, BOURN_E_FORMAT}, /* over the limit of a message */
        {16, 16, 0, 0, BOURN_E_FORMAT},                        /* no type */
        {16, 16, 65536, 0, BOURN_E_FORMAT},
        {16, 32, 1, 16, BOURN_E_FORMAT}, /* starts in the middle */
        {16, 16, 1, UINT32_MAX, BOURN_E_FORMAT},
        {64, 64, 1, 0, BOURN_E_FORMAT}, /* reaches beyond the head */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fight f = fight_open();
        put_header(&f, 0, cases[i].payload, cases[i].total, cases[i].type, cases[i].offset);
        set_head(&f, 64);
        set_head(&f, cases[i].payload == 64 ? 64 : 32);
        assert_int_equal(receive(&f), cases[i].want);
        fight_close(&f);
    }
    struct fight f = fight_open(); /* a second frame that changes the message's size */
    put_header(&f, 0, 16, 48, 1, 0);
    put_header(&f, 32, 16, 64, 1, 16);
    set_head(&f, 64);
    assert_int_equal(receive(&f), BOURN_E_FORMAT);
    fight_close(&f);
    f = fight_open(); /* another type */
    put_header(&f, 0, 16, 32, 1, 0);
    put_header(&f, 32, 16, 32, 2, 16);
    set_head(&f, 64);
    assert_int_equal(receive(&f), BOURN_E_FORMAT);
    fight_close(&f);
    f = fight_open(); /* bytes left over in the padding */
    put_header(&f, 0, 15, 15, 1, 0);
    f.raw[4096 + 31] = 1;
    set_head(&f, 32);
    assert_int_equal(receive(&f), BOURN_E_FORMAT);
    fight_close(&f);
}

/* Random words, mostly near what is valid. */
void test_hostile_noise(void **state)
{
    (void)state;
    srand(7);
    unsigned ok = 0, refused = 0;
    for (int round = 0; round < 300; round++) {
        struct fight f = fight_open();
        uint64_t head = 0;
        enum bourn_err err = BOURN_OK;
        for (int step = 0; step < 50 && err != BOURN_E_FORMAT; step++) {
            uint32_t n = 1 + (uint32_t)rand() % 3000;
            put_header(&f, head, n, n, 1, 0);
            head += 16 + (n + 15u) / 16 * 16;
            if (rand() % 8 == 0)
                f.raw[(size_t)rand() % (64 + 8)] ^= (uint8_t)(1 << rand() % 8);
            if (rand() % 8 == 0)
                f.raw[4096 + (size_t)rand() % 4096] ^= (uint8_t)(1 << rand() % 8);
            if (rand() % 3)
                set_head(&f, head);
            assert_true(ring_send(f.victim, 2, slice_str("x")) != BOURN_E_INTERNAL);
            while ((err = receive(&f)) == BOURN_OK)
                ok++;
            assert_true(err == BOURN_E_NOT_FOUND || err == BOURN_E_FORMAT);
            if (err == BOURN_E_NOT_FOUND) {
                err = ring_kick(f.victim);
                assert_true(err == BOURN_OK || err == BOURN_E_FORMAT);
            }
        }
        refused += err == BOURN_E_FORMAT;
        fight_close(&f);
    }
    assert_true(ok > 100 && refused > 100);
}
