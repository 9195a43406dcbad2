/* signer: holds the log's key and the last head that it signed; signs only what extends that head. */
#include "role/role_internal.h"

#include "base/limits.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "ipc/codec.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct signer {
    struct ring *ring;
    struct io_file *head_file;
    struct ledger_head head;
    uint64_t generation;
    struct merkle_vkey vkey; /* its name is the log's origin */
    uint8_t *secret;         /* guarded memory */
};

/* The seed: 32 bytes that nobody but the owner may read. */
static enum bourn_err read_key(struct signer *s, const char *cell, uint8_t public_key[32])
{
    char path[4096];
    uint8_t seed[33];
    struct stat st;
    snprintf(path, sizeof path, "%s/signer/log.key", cell);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(BOURN_E_IO, "cannot open the cell's signer/log.key");
    ssize_t n = read(fd, seed, sizeof seed);
    close(fd);
    enum bourn_err err = BOURN_OK;
    if (n != 32)
        err = err_set(BOURN_E_CORRUPT, "signer/log.key has not 32 bytes");
    else if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
        err = err_set(BOURN_E_DENIED,
                      "signer/log.key can be read by others: chmod 600 it, and think of a new log key");
    else if (!(s->secret = crypto_secret_alloc(CRYPTO_SIGN_SECRET_BYTES)))
        err = err_set(BOURN_E_MEMORY, "no locked memory for the log's key");
    else
        crypto_sign_from_seed(public_key, s->secret, seed);
    crypto_wipe(seed, sizeof seed);
    return err;
}

/* A checkpoint under this key that the head does not reach: signed by somebody who had a newer head. That the
 * head extends a smaller one is the vault's to show, which has the tiles. */
static enum bourn_err check_published(struct signer *s, struct io_dir *cell, const char *path)
{
    struct merkle_checkpoint cp;
    struct buf note;
    buf_init(&note, 64u << 10);
    enum bourn_err err = io_read_all(cell, path, &note);
    bool mine = err == BOURN_OK && merkle_checkpoint_open(buf_slice(&note), &s->vkey, &cp) == BOURN_OK;
    if (mine && cp.size > s->head.size)
        err = err_set(BOURN_E_CORRUPT,
                      "%s has %llu entries under this log's key, but signer/head knows of %llu: an old head "
                      "was put back. Put the newest one back; nothing is signed until then "
                      "(docs/guide/restored-backup.md)",
                      path, (unsigned long long)cp.size, (unsigned long long)s->head.size);
    else if (mine && cp.size == s->head.size && memcmp(cp.root.b, s->head.root, 32) != 0)
        err = err_set(BOURN_E_CORRUPT,
                      "%s and signer/head have %llu entries and two roots: the log was forked under one key; "
                      "nothing is signed any more (docs/guide/restored-backup.md)",
                      path, (unsigned long long)cp.size);
    else
        err = BOURN_OK;
    buf_release(&note);
    return err;
}

static enum bourn_err open_cell(struct signer *s, const char *cell)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32];
    struct io_dir *dir = NULL;
    struct io_file *published = NULL;
    struct buf text;
    buf_init(&text, 4096);
    TRY(read_key(s, cell, public_key));
    TRY(io_dir_open(cell, &dir));
    TRY(io_read_all(dir, "ledger.vkey", &text));
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    TRY(merkle_vkey_get(buf_slice(&text), &s->vkey));
    if (memcmp(s->vkey.key, public_key, sizeof public_key) != 0)
        err = err_set(BOURN_E_CORRUPT, "ledger.vkey and signer/log.key do not belong together");
    TRY(err);
    TRY(io_open(dir, "signer/head", IO_CREATE, &s->head_file));
    TRY(ledger_head_read(s->head_file, &s->head, &s->generation));
    /* A head is written before its checkpoint: one without the other means that the head was taken away. */
    if (s->head.size == 0 && io_open(dir, "ledger/checkpoint", IO_READ, &published) == BOURN_OK)
        err = err_set(BOURN_E_CORRUPT,
                      "signer/head is missing or empty, but a checkpoint was published: put the head "
                      "back; nothing is signed without it");
    TRY(err);
    TRY(check_published(s, dir, "ledger/checkpoint"));
    TRY(check_published(s, dir, "state/seen"));
out:
    if (published)
        io_close(published);
    if (dir)
        io_dir_close(dir);
    buf_release(&text);
    return err;
}

static enum bourn_err send_head(struct signer *s)
{
    uint8_t m[8 + 32];
    be_put(m, s->head.size, 8);
    memcpy(m + 8, s->head.root, 32);
    enum bourn_err err = ring_send(s->ring, IPC_SIGN_HEAD, slice_of(m, sizeof m));
    return err ? err : ring_kick(s->ring);
}

/* Moves the head on, durably, before anything is signed. */
static enum bourn_err extend(struct signer *s, const struct ledger_head *next,
                             const struct merkle_hash *proof, size_t n)
{
    if (next->size == s->head.size && n == 0 && memcmp(next->root, s->head.root, 32) == 0)
        return BOURN_OK; /* the same head again */
    enum bourn_err err = ledger_head_extend(&s->head, next->size, next->root, proof, n);
    if (err)
        return err;
    if (next->size <= s->head.size) /* said once more here: never another root for a size that was signed */
        return err_set(BOURN_E_DENIED, "a checkpoint that is not larger than the last one");
    if ((err = ledger_head_write(s->head_file, next, &s->generation)) == BOURN_OK)
        s->head = *next;
    return err;
}

static enum bourn_err sign(struct signer *s, struct slice message)
{
    struct codec c = {message, true};
    struct ledger_head next = {.size = codec_number(&c, 8)};
    struct slice root = codec_take(&c, 32);
    size_t n = (size_t)codec_number(&c, 2);
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct slice hashes = codec_take(&c, n <= MERKLE_PROOF_MAX ? n * 32 : SIZE_MAX);
    if (!codec_end(&c))
        return err_set(BOURN_E_FORMAT, "vault sent a malformed request to sign");
    memcpy(next.root, root.p, 32);
    for (size_t i = 0; i < n; i++)
        memcpy(proof[i].b, hashes.p + i * 32, 32);
    enum bourn_err err = extend(s, &next, proof, n);
    if (err)
        return err;

    struct buf body;
    struct merkle_hash hash;
    uint8_t answer[8 + CRYPTO_SIGNATURE_BYTES];
    memcpy(hash.b, next.root, 32);
    buf_init(&body, 1024);
    merkle_checkpoint_body(&body, slice_str(s->vkey.name), next.size, &hash);
    if ((err = buf_check(&body)) == BOURN_OK) {
        be_put(answer, next.size, 8);
        crypto_sign(answer + 8, buf_slice(&body), s->secret);
        err = ring_send(s->ring, IPC_SIGNATURE, slice_of(answer, sizeof answer));
    }
    buf_release(&body);
    return err;
}

/* A receipt says nothing that the head does not say: it is signed for the head that was signed last, and for
 * what the proof shows to be in it. So no other root gets a signature this way, and no false receipt. An
 * event is the same under another first line, and what stands behind it is vault's word about that entry,
 * which anybody can hold against it. */
static enum bourn_err sign_receipt(struct signer *s, struct slice message, bool event)
{
    struct codec c = {message, true};
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_receipt r = {.size = codec_number(&c, 8)};
    struct slice root = codec_take(&c, 32);
    r.index = codec_number(&c, 8);
    struct slice leaf = codec_take(&c, 32);
    size_t n = (size_t)codec_number(&c, 2);
    struct slice hashes = codec_take(&c, n <= MERKLE_PROOF_MAX ? n * 32 : SIZE_MAX);
    struct slice lines = codec_take(&c, event ? c.left.n : 0);
    if (!codec_end(&c) || (event && !merkle_event_lines_ok(lines)))
        return err_set(BOURN_E_FORMAT, "vault sent a malformed request for a receipt");
    memcpy(r.root.b, root.p, 32);
    memcpy(r.leaf.b, leaf.p, 32);
    for (size_t i = 0; i < n; i++)
        memcpy(proof[i].b, hashes.p + i * 32, 32);
    if (r.size != s->head.size || memcmp(r.root.b, s->head.root, 32) != 0)
        return err_set(BOURN_E_DENIED, "a receipt for another tree than the one that was signed last");
    if (!merkle_verify_inclusion(r.index, r.size, &r.leaf, proof, n, &r.root))
        return err_set(BOURN_E_DENIED, "a receipt for an entry that is not in the tree that was signed");

    struct buf text;
    uint8_t answer[8 + CRYPTO_SIGNATURE_BYTES];
    buf_init(&text, 1024 + lines.n);
    if (event)
        merkle_event_text(&text, slice_str(s->vkey.name), &r, lines);
    else
        merkle_receipt_text(&text, slice_str(s->vkey.name), &r);
    enum bourn_err err = buf_check(&text);
    if (err == BOURN_OK) {
        be_put(answer, r.index, 8);
        crypto_sign(answer + 8, buf_slice(&text), s->secret);
        err = ring_send(s->ring, IPC_RECEIPT_SIGNATURE, slice_of(answer, sizeof answer));
    }
    buf_release(&text);
    return err;
}

static enum bourn_err serve(struct signer *s, int control)
{
    for (;;) {
        uint32_t type;
        struct slice message;
        enum bourn_err err;
        while ((err = ring_receive(s->ring, &type, &message)) == BOURN_OK) {
            if (type != IPC_SIGN && type != IPC_RECEIPT && type != IPC_EVENT)
                return err_set(BOURN_E_FORMAT, "vault sent a message of type %u, which it may not", type);
            err = type == IPC_SIGN ? sign(s, message) : sign_receipt(s, message, type == IPC_EVENT);
            if (err)
                return err;
        }
        if (err != BOURN_E_NOT_FOUND || (err = ring_kick(s->ring)) != BOURN_OK)
            return err;
        struct pollfd fds[] = {{ring_wait_fd(s->ring), POLLIN, 0}, {control, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_sys(BOURN_E_UNAVAILABLE, "cannot wait for messages");
        if (fds[1].revents)
            return BOURN_OK;
    }
}

int role_signer(const struct ring_fds *vault, int control, const char *cell)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct signer s = {0};
    int code = ROLE_EXIT_UNAVAILABLE;
    log_init("signer", LOG_LEVEL_INFO);
    TRY(crypto_init());
    TRY(open_cell(&s, cell));
    TRY(ring_open(vault, &s.ring));
    TRY(sandbox_enter(SANDBOX_SIGNER));
    TRY(send_head(&s));
    TRY(role_ready(control, "signer"));
    code = ROLE_EXIT_FAILED;
    TRY(serve(&s, control));
    code = 0;
out:
    if (err)
        log_error("%s", err_text());
    crypto_secret_free(s.secret);
    ring_close(s.ring);
    if (s.head_file)
        io_close(s.head_file);
    return code;
}
