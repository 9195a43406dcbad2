/* Rings between two sides that keep the rules: rights on the memory, wake-ups, wiping, and two processes
 * under load. */
#include "ring_test.h"

#include "base/limits.h"
#include "ipc/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA_OFFSET 4096
#define MAP_BYTES (DATA_OFFSET + (size_t)RING_BYTES)

struct pair {
    struct ring_fds fa, fb;
    struct ring *a, *b;
};

static struct pair pair_open(void)
{
    struct pair p;
    assert_int_equal(ring_make(&p.fa, &p.fb), BOURN_OK);
    assert_int_equal(ring_open(&p.fa, &p.a), BOURN_OK);
    assert_int_equal(ring_open(&p.fb, &p.b), BOURN_OK);
    return p;
}

static void pair_close(struct pair *p)
{
    ring_close(p->a);
    ring_close(p->b);
    ring_fds_close(&p->fa);
    ring_fds_close(&p->fb);
}

static bool readable(int fd)
{
    struct pollfd pf = {.fd = fd, .events = POLLIN};
    return poll(&pf, 1, 0) == 1;
}

static void test_only_its_sender_writes(void **state)
{
    (void)state;
    struct pair p = pair_open();
    assert_true(mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p.fa.peer, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    void *ro = mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, p.fa.peer, 0);
    assert_true(ro != MAP_FAILED);
    assert_int_not_equal(mprotect(ro, MAP_BYTES, PROT_READ | PROT_WRITE), 0);
    munmap(ro, MAP_BYTES);
    assert_int_equal(write(p.fa.peer, "x", 1), -1);
    /* Opened again through /proc the descriptor may write, but the memory is sealed. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", p.fa.peer);
    int again = open(path, O_RDWR | O_CLOEXEC);
    if (again >= 0) {
        assert_true(mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
        assert_int_equal(errno, EPERM);
        assert_int_equal(pwrite(again, "x", 1, 0), -1);
        close(again);
    }
    /* Nobody can cut the memory short under a reader, or lift the seal. */
    assert_int_not_equal(ftruncate(p.fa.own, 4096), 0);
    assert_int_not_equal(ftruncate(p.fb.own, 4096), 0);
    pair_close(&p);
}

static void test_messages_in_order(void **state)
{
    (void)state;
    struct pair p = pair_open();
    static uint8_t big[RING_FRAME_BYTES_MAX * 3 + 5];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
    const size_t sizes[] = {1, 15, 16, 17, 4096, RING_FRAME_BYTES_MAX, RING_FRAME_BYTES_MAX + 1, sizeof big};
    uint32_t type;
    struct slice m;
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_E_NOT_FOUND);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(ring_send(p.a, (uint32_t)i + 1, slice_of(big, sizes[i])), BOURN_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(ring_receive(p.b, &type, &m), BOURN_OK);
        assert_int_equal(type, i + 1);
        assert_true(slice_eq(m, slice_of(big, sizes[i])));
    }
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_E_NOT_FOUND);
    pair_close(&p);
}

/* One message in two parts arrives as one, wherever the cut lies, in the ring or waiting for room. */
static void test_two_parts(void **state)
{
    (void)state;
    struct pair p = pair_open();
    static uint8_t big[RING_BYTES + 12345];
    const size_t cuts[] = {0,         1, 17, RING_FRAME_BYTES_MAX, RING_FRAME_BYTES_MAX + 9, sizeof big - 1,
                           sizeof big};
    uint32_t type;
    struct slice m;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 13 >> 2);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        enum bourn_err err;
        assert_int_equal(
            ring_send_two(p.a, 5, slice_of(big, cuts[i]), slice_of(big + cuts[i], sizeof big - cuts[i])),
            BOURN_OK);
        while ((err = ring_receive(p.b, &type, &m)) == BOURN_E_NOT_FOUND) {
            assert_int_equal(ring_kick(p.b), BOURN_OK);
            assert_int_equal(ring_kick(p.a), BOURN_OK);
        }
        assert_int_equal(err, BOURN_OK);
        assert_true(slice_eq(m, slice_of(big, sizeof big)));
    }
    assert_int_equal(ring_send_two(p.a, 5, slice_of(big, 1), slice_of(big, IPC_MESSAGE_BYTES_MAX)),
                     BOURN_E_LIMIT);
    pair_close(&p);
}

static void test_wakes(void **state)
{
    (void)state;
    struct pair p = pair_open();
    uint32_t type;
    struct slice m;
    int fb = ring_wait_fd(p.b), fa = ring_wait_fd(p.a);
    assert_int_equal(ring_send(p.a, 1, slice_str("hello")), BOURN_OK);
    assert_false(readable(fb));
    assert_int_equal(ring_kick(p.a), BOURN_OK);
    assert_true(readable(fb));
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_OK);
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_E_NOT_FOUND);
    assert_false(readable(fb));
    assert_false(readable(fa));
    assert_int_equal(ring_announce(p.b), BOURN_OK); /* nothing was written: the sender may sleep on */
    assert_false(readable(fa));
    assert_int_equal(ring_kick(p.b), BOURN_OK); /* tells the sender that it may zero */
    assert_true(readable(fa));
    assert_int_equal(ring_receive(p.a, &type, &m), BOURN_E_NOT_FOUND);
    assert_int_equal(ring_kick(p.a), BOURN_OK);
    assert_false(readable(fa));
    assert_false(readable(fb)); /* nothing new: no endless back and forth */
    assert_int_equal(ring_send(p.b, 1, slice_str("there")), BOURN_OK);
    assert_int_equal(ring_announce(p.b), BOURN_OK); /* what was written is announced */
    assert_true(readable(fa));
    pair_close(&p);
}

/* Does the word stand anywhere in the memory behind this descriptor? */
static bool stands_in(int fd, const char *word)
{
    uint8_t *map = mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    bool found = memmem(map, MAP_BYTES, word, strlen(word)) != NULL;
    munmap(map, MAP_BYTES);
    return found;
}

static void test_consumed_is_wiped(void **state)
{
    (void)state;
    struct pair p = pair_open();
    uint32_t type;
    struct slice m;
    assert_int_equal(ring_send(p.a, 1, slice_str("a person's secret")), BOURN_OK);
    assert_true(stands_in(p.fa.own, "person's secret"));
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_OK);
    const uint8_t *copy = m.p;
    size_t copy_n = m.n;
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_E_NOT_FOUND);
    for (size_t i = 0; i < copy_n; i++)
        assert_int_equal(copy[i], 0); /* the buffer is kept, its bytes are gone */
    assert_int_equal(ring_kick(p.b), BOURN_OK);
    assert_int_equal(ring_kick(p.a), BOURN_OK);
    assert_false(stands_in(p.fa.own, "person's secret"));
    pair_close(&p);
}

static void test_limits(void **state)
{
    (void)state;
    struct pair p = pair_open();
    uint8_t *most = calloc(1, IPC_MESSAGE_BYTES_MAX + 1);
    assert_non_null(most);
    most[IPC_MESSAGE_BYTES_MAX - 1] = 9;
    assert_int_equal(ring_send(p.a, 1, slice_of(most, IPC_MESSAGE_BYTES_MAX + 1)), BOURN_E_LIMIT);
    assert_int_equal(ring_send(p.a, 2, slice_of(most, IPC_MESSAGE_BYTES_MAX)), BOURN_OK);
    assert_true(ring_waiting_bytes(p.a) > 0);
    assert_int_equal(ring_send(p.a, 3, slice_str("behind it")), BOURN_OK);
    uint32_t type;
    struct slice m;
    enum bourn_err err;
    unsigned turns = 0;
    while ((err = ring_receive(p.b, &type, &m)) == BOURN_E_NOT_FOUND && turns++ < 100)
        assert_int_equal(ring_kick(p.a), BOURN_OK);
    assert_int_equal(err, BOURN_OK);
    assert_int_equal(type, 2);
    assert_int_equal(m.n, IPC_MESSAGE_BYTES_MAX);
    assert_int_equal(m.p[m.n - 1], 9);
    assert_int_equal(ring_kick(p.a), BOURN_OK);
    assert_int_equal(ring_receive(p.b, &type, &m), BOURN_OK);
    assert_true(type == 3 && slice_is(m, "behind it"));
    assert_int_equal(ring_waiting_bytes(p.a), 0);
    /* A receiver that never reads: the sender's queue ends at its limit. */
    for (turns = 0;
         turns < 100 && (err = ring_send(p.a, 4, slice_of(most, IPC_MESSAGE_BYTES_MAX))) == BOURN_OK;)
        turns++;
    assert_int_equal(err, BOURN_E_LIMIT);
    assert_in_range(turns, 2, 9);
    free(most);
    pair_close(&p);
}

/* ---- two processes ---- */

struct noise {
    uint64_t x;
};
static uint64_t next(struct noise *n) /* splitmix64 */
{
    uint64_t z = n->x += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

enum { MESSAGES = 20000, LOAD_BYTES_MAX = 700000 };

/* Message i of a seed: mostly small, now and then far over a frame. */
static struct slice message(uint64_t seed, unsigned i, uint8_t *room)
{
    struct noise n = {seed + i};
    uint64_t dice = next(&n);
    size_t size = 1 + (size_t)(next(&n) % (dice % 500 == 0 ? LOAD_BYTES_MAX : dice % 20 == 0 ? 20000 : 600));
    uint64_t word = next(&n);
    for (size_t k = 0; k < size; k++)
        room[k] = (uint8_t)(word >> (k % 8 * 8)) ^ (uint8_t)(k >> 3);
    return slice_of(room, size);
}

/* Sends MESSAGES of its own seed and checks as many of the other's, as fast as both go. 0 when all came
 * whole. */
static int side(const struct ring_fds *fds, uint64_t my_seed, uint64_t peer_seed)
{
    struct ring *r;
    static uint8_t mine[LOAD_BYTES_MAX], theirs[LOAD_BYTES_MAX];
    if (ring_open(fds, &r) != BOURN_OK)
        return 2;
    unsigned sent = 0, got = 0;
    struct noise dice = {my_seed * 3};
    while (sent < MESSAGES || got < MESSAGES || ring_waiting_bytes(r)) {
        for (uint64_t burst = next(&dice) % 40;
             burst-- && sent < MESSAGES && ring_waiting_bytes(r) < 1u << 20; sent++)
            if (ring_send(r, 1 + sent % 9, message(my_seed, sent, mine)) != BOURN_OK)
                return 3;
        uint32_t type;
        struct slice m;
        enum bourn_err err;
        uint64_t most = 1 + next(&dice) % 60;
        while ((err = ring_receive(r, &type, &m)) == BOURN_OK) {
            if (got >= MESSAGES || type != 1 + got % 9 || !slice_eq(m, message(peer_seed, got, theirs)))
                return 4;
            got++;
            if (--most == 0)
                break;
        }
        if (err != BOURN_OK && err != BOURN_E_NOT_FOUND)
            return 5;
        if (ring_kick(r) != BOURN_OK)
            return 6;
        struct pollfd pf = {.fd = ring_wait_fd(r), .events = POLLIN};
        bool more = sent < MESSAGES && ring_waiting_bytes(r) < 1u << 20;
        if (err == BOURN_E_NOT_FOUND && !more && (got < MESSAGES || ring_waiting_bytes(r)) &&
            poll(&pf, 1, 20000) != 1)
            return 7; /* a lost wake-up */
    }
    ring_close(r);
    return 0;
}

static void test_two_processes(void **state)
{
    (void)state;
    struct ring_fds a, b;
    assert_int_equal(ring_make(&a, &b), BOURN_OK);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(side(&b, 1000003, 77));
    assert_int_equal(side(&a, 77, 1000003), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ring_fds_close(&a);
    ring_fds_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_its_sender_writes),
        cmocka_unit_test(test_messages_in_order),
        cmocka_unit_test(test_two_parts),
        cmocka_unit_test(test_wakes),
        cmocka_unit_test(test_consumed_is_wiped),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_two_processes),
        cmocka_unit_test(test_hostile_head),
        cmocka_unit_test(test_hostile_tail),
        cmocka_unit_test(test_hostile_frames),
        cmocka_unit_test(test_hostile_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
