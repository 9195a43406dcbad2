/* signer, played from vault's side: it signs what extends its head, and stops on everything else. */
#include "role_test.h"

#include "crypto/crypto.h"
#include "ipc/ring.h"
#include "merkle/merkle.h"
#include "role/role.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct play {
    pid_t pid;
    int control;
    struct ring *ring;
    struct ring_fds fds;
};

static struct play play(void)
{
    struct play p;
    struct ring_fds theirs;
    int pair[2];
    assert_int_equal(ring_make(&p.fds, &theirs), BOURN_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    p.pid = fork();
    if (p.pid == 0) {
        close(pair[0]);
        _exit(role_signer(&theirs, pair[1], cell));
    }
    close(pair[1]);
    ring_fds_close(&theirs);
    p.control = pair[0];
    assert_int_equal(ring_open(&p.fds, &p.ring), BOURN_OK);
    return p;
}

/* The next message; false when signer ended instead. */
static bool hear(struct play *p, uint32_t want, struct slice *m)
{
    for (;;) {
        uint32_t type;
        enum bourn_err err = ring_receive(p->ring, &type, m);
        if (err == BOURN_OK) {
            assert_int_equal(type, want);
            return true;
        }
        assert_int_equal(err, BOURN_E_NOT_FOUND);
        char line[64];
        struct pollfd fds[] = {{ring_wait_fd(p->ring), POLLIN, 0}, {p->control, POLLIN, 0}};
        assert_true(poll(fds, 2, 10000) > 0);
        if (fds[1].revents && recv(p->control, line, sizeof line, MSG_DONTWAIT) == 0)
            return false;
    }
}

static int end(struct play *p, bool ask)
{
    int status;
    if (ask)
        assert_int_equal(write(p->control, "q", 1), 1);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    close(p->control);
    ring_close(p->ring);
    ring_fds_close(&p->fds);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

enum { LEAVES = 40 };
static struct merkle_hash leaves[LEAVES];

static enum bourn_err subtree(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    (void)ctx;
    merkle_root_of(out, leaves + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

static void ask_to_sign(struct play *p, uint64_t old, uint64_t size, int spoil)
{
    uint8_t m[8 + 32 + 2 + MERKLE_PROOF_MAX * 32];
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    merkle_root_of(&root, leaves, (size_t)size);
    if (old < size)
        assert_int_equal(merkle_prove_consistency(old, size, subtree, NULL, proof, &n), BOURN_OK);
    be_put(m, size, 8);
    memcpy(m + 8, root.b, 32);
    be_put(m + 40, n, 2);
    memcpy(m + 42, proof, n * 32);
    size_t bytes = 42 + n * 32;
    if (spoil == 1)
        m[8] ^= 1; /* another root */
    if (spoil == 2)
        m[bytes - 1] ^= 1; /* a proof that does not fit */
    if (spoil == 3)
        m[bytes++] = 0; /* bytes left over */
    if (spoil == 4)
        m[40] = 0xff; /* a count that the message does not hold */
    assert_int_equal(ring_send(p->ring, IPC_SIGN, slice_of(m, bytes)), BOURN_OK);
    assert_int_equal(ring_kick(p->ring), BOURN_OK);
}

static void check_signature(struct slice m, uint64_t size)
{
    uint8_t pk[32], secret[64], seed[32];
    struct merkle_hash root;
    struct buf body;
    memset(seed, 7, sizeof seed);
    crypto_sign_from_seed(pk, secret, seed);
    merkle_root_of(&root, leaves, (size_t)size);
    buf_init(&body, 4096);
    merkle_checkpoint_body(&body, slice_str("test.example/log"), size, &root);
    assert_int_equal(m.n, 72);
    assert_int_equal(be_get(m.p, 8), size);
    assert_true(crypto_verify(m.p + 8, buf_slice(&body), pk));
    buf_release(&body);
}

static void head_is(struct play *p, uint64_t size)
{
    struct slice m;
    assert_true(hear(p, IPC_SIGN_HEAD, &m));
    assert_int_equal(m.n, 40);
    assert_int_equal(be_get(m.p, 8), size);
}

void test_signer_signs_what_extends(void **state)
{
    (void)state;
    struct slice m;
    for (size_t i = 0; i < LEAVES; i++)
        merkle_leaf(&leaves[i], slice_of(&i, sizeof i));
    struct play p = play();
    head_is(&p, 0);
    static const uint64_t sizes[] = {5, 5, 6, 20};
    uint64_t old = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ask_to_sign(&p, old, sizes[i], 0);
        assert_true(hear(&p, IPC_SIGNATURE, &m));
        check_signature(m, sizes[i]);
        old = sizes[i];
    }
    assert_int_equal(end(&p, true), 0);
    p = play(); /* it remembers */
    head_is(&p, 20);
    ask_to_sign(&p, 20, 33, 0);
    assert_true(hear(&p, IPC_SIGNATURE, &m));
    check_signature(m, 33);
    assert_int_equal(end(&p, true), 0);
}

void test_signer_stops_on_anything_else(void **state)
{
    (void)state;
    static const struct {
        uint64_t old, size;
        int spoil;
    } bad[] = {{33, 40, 1}, {33, 40, 2}, {33, 40, 3}, {33, 40, 4},
               {20, 30, 0}, {33, 20, 0}, {33, 33, 1}, {32, 40, 0}};
    struct slice m;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct play p = play();
        head_is(&p, 33);
        ask_to_sign(&p, bad[i].old, bad[i].size, bad[i].spoil);
        assert_false(hear(&p, IPC_SIGNATURE, &m));
        assert_int_equal(end(&p, false), 70);
    }
    struct play p = play();
    head_is(&p, 33);
    assert_int_equal(ring_send(p.ring, IPC_REQUEST, slice_str("sign this")), BOURN_OK);
    assert_int_equal(ring_kick(p.ring), BOURN_OK);
    assert_false(hear(&p, IPC_SIGNATURE, &m));
    assert_int_equal(end(&p, false), 70);
    p = play(); /* nothing of that moved its head */
    head_is(&p, 33);
    assert_int_equal(end(&p, true), 0);
}

/* A receipt for leaf `index` of the tree of `size`; with lines the event. */
static void ask_for_either(struct play *p, uint64_t index, uint64_t size, int spoil, const char *lines)
{
    uint8_t m[8 + 32 + 8 + 32 + 2 + MERKLE_PROOF_MAX * 32 + 1000];
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    merkle_root_of(&root, leaves, (size_t)size);
    assert_int_equal(merkle_prove_inclusion(index, size, subtree, NULL, proof, &n), BOURN_OK);
    be_put(m, size, 8);
    memcpy(m + 8, root.b, 32);
    be_put(m + 40, index, 8);
    memcpy(m + 48, leaves[index].b, 32);
    be_put(m + 80, n, 2);
    memcpy(m + 82, proof, n * 32);
    size_t bytes = 82 + n * 32;
    if (spoil == 1)
        m[8] ^= 1; /* another root than the head's */
    if (spoil == 2)
        m[48] ^= 1; /* another leaf */
    if (spoil == 3)
        m[47] ^= 1; /* at another index */
    if (spoil == 4)
        m[bytes - 1] ^= 1; /* a proof that does not lead there */
    if (spoil == 5)
        m[bytes++] = 0; /* bytes left over */
    if (spoil == 6)
        m[80] = 0xff; /* a count that the message does not hold */
    if (lines)
        memcpy(m + bytes, lines, strlen(lines));
    bytes += lines ? strlen(lines) : 0;
    assert_int_equal(ring_send(p->ring, lines ? IPC_EVENT : IPC_RECEIPT, slice_of(m, bytes)), BOURN_OK);
    assert_int_equal(ring_kick(p->ring), BOURN_OK);
}

static void ask_for_receipt(struct play *p, uint64_t index, uint64_t size, int spoil)
{
    ask_for_either(p, index, size, spoil, NULL);
}

/* What is behind a receipt's lines is vault's word, but it is signed as nothing else than an event of an
 * entry in the tree that was signed. */
void test_signer_signs_events_of_its_head(void **state)
{
    (void)state;
    static const char lines[] = "told 4\npeople 1\n~00\n";
    uint8_t pk[32], secret[64], seed[32];
    struct slice m;
    struct buf text;
    struct merkle_receipt r = {.index = 5, .size = 33, .leaf = leaves[5]};
    memset(seed, 7, sizeof seed);
    crypto_sign_from_seed(pk, secret, seed);
    merkle_root_of(&r.root, leaves, 33);
    buf_init(&text, 4096);
    struct play p = play();
    head_is(&p, 33);
    ask_for_either(&p, 5, 33, 0, lines);
    assert_true(hear(&p, IPC_RECEIPT_SIGNATURE, &m));
    assert_true(m.n == 72 && be_get(m.p, 8) == 5);
    merkle_event_text(&text, slice_str("test.example/log"), &r, slice_str(lines));
    assert_true(crypto_verify(m.p + 8, buf_slice(&text), pk));
    assert_int_equal(end(&p, true), 0);
    buf_release(&text);
    static const struct {
        uint64_t size;
        int spoil;
        const char *lines;
    } bad[] = {{20, 0, lines},      {33, 1, lines},     {33, 2, lines},   {33, 3, lines},    {33, 4, lines},
               {33, 5, lines},      {33, 6, lines},     {33, 0, ""},      {33, 0, "told 4"}, {33, 0, "\n"},
               {33, 0, "a\n\nb\n"}, {33, 0, "t\x01\n"}, {33, 0, "\xff\n"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        p = play();
        head_is(&p, 33);
        ask_for_either(&p, 5, bad[i].size, bad[i].spoil, bad[i].lines);
        assert_false(hear(&p, IPC_RECEIPT_SIGNATURE, &m));
        assert_int_equal(end(&p, false), 70);
    }
}

void test_signer_signs_receipts_of_its_head(void **state)
{
    (void)state;
    uint8_t pk[32], secret[64], seed[32];
    struct slice m;
    struct buf text;
    struct merkle_receipt r = {.size = 33};
    memset(seed, 7, sizeof seed);
    crypto_sign_from_seed(pk, secret, seed);
    merkle_root_of(&r.root, leaves, 33);
    buf_init(&text, 4096);
    struct play p = play();
    head_is(&p, 33);
    for (uint64_t i = 0; i < 33; i++) {
        ask_for_receipt(&p, i, 33, 0);
        assert_true(hear(&p, IPC_RECEIPT_SIGNATURE, &m));
        assert_int_equal(m.n, 72);
        assert_int_equal(be_get(m.p, 8), i);
        r.index = i;
        r.leaf = leaves[i];
        buf_clear(&text);
        merkle_receipt_text(&text, slice_str("test.example/log"), &r);
        assert_true(crypto_verify(m.p + 8, buf_slice(&text), pk));
    }
    assert_int_equal(end(&p, true), 0);
    buf_release(&text);

    static const struct {
        uint64_t index, size;
        int spoil;
    } bad[] = {{5, 20, 0}, {5, 34, 0}, {5, 33, 1}, {5, 33, 2},
               {5, 33, 3}, {5, 33, 4}, {5, 33, 5}, {5, 33, 6}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        p = play();
        head_is(&p, 33);
        ask_for_receipt(&p, bad[i].index, bad[i].size, bad[i].spoil);
        assert_false(hear(&p, IPC_RECEIPT_SIGNATURE, &m));
        assert_int_equal(end(&p, false), 70);
    }
    p = play(); /* nothing of that moved its head */
    head_is(&p, 33);
    assert_int_equal(end(&p, true), 0);
}

void test_signer_start(void **state)
{
    (void)state;
    char path[128];
    struct slice m;
    snprintf(path, sizeof path, "%s/signer/log.key", cell);
    assert_int_equal(chmod(path, 0644), 0); /* readable by others */
    struct play p = play();
    assert_false(hear(&p, IPC_SIGN_HEAD, &m));
    assert_int_equal(end(&p, false), 69);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 31), 0);
    p = play();
    assert_false(hear(&p, IPC_SIGN_HEAD, &m));
    assert_int_equal(end(&p, false), 69);
    int fd = open(path, O_WRONLY | O_TRUNC);
    uint8_t other[32];
    memset(other, 8, sizeof other); /* a key that ledger.vkey does not name */
    assert_int_equal(write(fd, other, 32), 32);
    p = play();
    assert_false(hear(&p, IPC_SIGN_HEAD, &m));
    assert_int_equal(end(&p, false), 69);
    memset(other, 7, sizeof other);
    assert_int_equal(pwrite(fd, other, 32, 0), 32);
    close(fd);

    /* The head was taken away from under a published log. */
    char kept[128], published[128];
    snprintf(path, sizeof path, "%s/signer/head", cell);
    snprintf(kept, sizeof kept, "%s/signer/kept", cell);
    assert_int_equal(rename(path, kept), 0);
    snprintf(published, sizeof published, "%s/ledger", cell);
    assert_int_equal(mkdir(published, 0700), 0);
    snprintf(published, sizeof published, "%s/ledger/checkpoint", cell);
    close(open(published, O_WRONLY | O_CREAT, 0600));
    p = play();
    assert_false(hear(&p, IPC_SIGN_HEAD, &m));
    assert_int_equal(end(&p, false), 69);
    assert_int_equal(rename(kept, path), 0);
    p = play();
    head_is(&p, 33);
    assert_int_equal(end(&p, true), 0);
    assert_int_equal(unlink(published), 0);
}
