/* The vault's process: requests from front's ring and from admin.sock go into batches; the signer is asked by
 * the ledger worker's thread alone. */
#include "vault/vault.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"
#include "role/admin.h"
#include "role/role_internal.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define FRONT_WAITING_BYTES_MAX                                                                              \
    (64u << 20) /* answers that front has not taken yet: then it is not listened to */

/* Requests that were read from front's ring and not handed on yet. */
struct ahead {
    struct buf message[VAULT_EXPECTED_MAX];
    struct request request[VAULT_EXPECTED_MAX];
    size_t n, at;
};

struct vault_role {
    struct vault *vault;
    struct ring *front, *signer, *relay;
    struct admin *admin;
    struct buf message;
    struct ahead ahead;
    uint64_t answered;
    bool soon;               /* signer or relay came back with something: the next tick is now */
    enum bourn_err send_err; /* of an answer that could not be sent: fatal */
};

static void answer(void *ctx, uint64_t route, const struct reply *r)
{
    struct vault_role *x = ctx;
    if (route) {
        admin_answer(x->admin, route, r);
        return;
    }
    buf_clear(&x->message);
    reply_encode_head(&x->message, r);
    enum bourn_err err = buf_check(&x->message);
    if (err == BOURN_OK)
        err = ring_send_two(x->front, IPC_REPLY, buf_slice(&x->message), r->body);
    buf_clear(&x->message);
    if (err == BOURN_OK && ++x->answered % IPC_KICK_EVERY == 0)
        err = ring_kick(x->front); /* front may begin to send while the rest is opened */
    x->send_err = x->send_err ? x->send_err : err;
}

/* --- the signer, asked from the worker's thread
 * ---------------------------------------------------------------- */

static enum bourn_err signer_wait(struct ring *ring, uint32_t want, size_t size, struct slice *message)
{
    for (;;) {
        uint32_t type;
        enum bourn_err err = ring_receive(ring, &type, message);
        if (err == BOURN_OK)
            return type == want && message->n == size
                       ? BOURN_OK
                       : err_set(BOURN_E_FORMAT, "the signer sent a message of type %u, %zu bytes", type,
                                 message->n);
        if (err != BOURN_E_NOT_FOUND)
            return err;
        struct pollfd p = {ring_wait_fd(ring), POLLIN, 0};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return err_sys(BOURN_E_IO, "wait for the signer");
    }
}

static enum bourn_err signer_head(void *ctx, uint64_t *size, uint8_t root[32])
{
    struct slice m;
    enum bourn_err err = signer_wait(ctx, IPC_SIGN_HEAD, 40, &m);
    if (err)
        return err;
    *size = be_get(m.p, 8);
    memcpy(root, m.p + 8, 32);
    return BOURN_OK;
}

static enum bourn_err signer_sign(void *ctx, uint64_t size, const uint8_t root[32], const uint8_t *proof,
                                  size_t proof_n, uint8_t signature[64])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf b;
    struct slice m;
    buf_init(&b, 4096);
    buf_put_be(&b, size, 8);
    buf_put(&b, root, 32);
    buf_put_be(&b, proof_n, 2);
    buf_put(&b, proof, 32 * proof_n);
    TRY(buf_check(&b));
    TRY(ring_send(ctx, IPC_SIGN, buf_slice(&b)));
    TRY(ring_kick(ctx));
    TRY(signer_wait(ctx, IPC_SIGNATURE, 72, &m));
    if (be_get(m.p, 8) != size) {
        err = err_set(BOURN_E_FORMAT, "the signer signed another size than was asked");
        goto out;
    }
    memcpy(signature, m.p + 8, 64);
    err = BOURN_OK;
out:
    buf_release(&b);
    return err;
}

static enum bourn_err signer_receipt(void *ctx, const struct merkle_receipt *r,
                                     const struct merkle_hash *proof, size_t proof_n, struct slice lines,
                                     uint8_t signature[64])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf b;
    struct slice m;
    buf_init(&b, 4096 + lines.n);
    buf_put_be(&b, r->size, 8);
    buf_put(&b, r->root.b, 32);
    buf_put_be(&b, r->index, 8);
    buf_put(&b, r->leaf.b, 32);
    buf_put_be(&b, proof_n, 2);
    for (size_t i = 0; i < proof_n; i++)
        buf_put(&b, proof[i].b, 32);
    buf_put_slice(&b, lines);
    TRY(buf_check(&b));
    TRY(ring_send(ctx, lines.n ? IPC_EVENT : IPC_RECEIPT, buf_slice(&b)));
    TRY(ring_kick(ctx));
    TRY(signer_wait(ctx, IPC_RECEIPT_SIGNATURE, 72, &m));
    if (be_get(m.p, 8) != r->index) {
        err = err_set(BOURN_E_FORMAT, "the signer signed the receipt of another entry than was asked");
        goto out;
    }
    memcpy(signature, m.p + 8, 64);
    err = BOURN_OK;
out:
    buf_release(&b);
    return err;
}

/* --- witnesses and webhooks, by way of the relay
 * ----------------------------------------------------------------------------------------------------- */

static enum bourn_err relay_post(void *ctx, uint32_t place, const char *url, struct slice body)
{
    struct vault_role *x = ctx;
    buf_clear(&x->message);
    buf_put_be(&x->message, place, 4);
    buf_put_be(&x->message, strlen(url), 2);
    buf_put_str(&x->message, url);
    buf_put_slice(&x->message, body);
    enum bourn_err err = buf_check(&x->message);
    if (err == BOURN_OK)
        err = ring_send(x->relay, IPC_POST, buf_slice(&x->message));
    buf_clear(&x->message);
    return err;
}

static enum bourn_err take_relay(struct vault_role *x)
{
    for (;;) {
        uint32_t type;
        struct slice m;
        enum bourn_err err = ring_receive(x->relay, &type, &m);
        if (err == BOURN_E_NOT_FOUND)
            return ring_kick(x->relay);
        if (err == BOURN_OK && (type != IPC_POSTED || m.n < 8 || m.n > 8 + WITNESS_ANSWER_BYTES_MAX))
            err = err_set(BOURN_E_FORMAT, "relay may not send messages of type %u, %zu bytes", type, m.n);
        if (err == BOURN_OK)
            err = vault_posted(x->vault, (uint32_t)be_get(m.p, 4), (uint32_t)be_get(m.p + 4, 4),
                               slice_of(m.p + 8, m.n - 8));
        if (err)
            return err;
    }
}

/* --- the loop
 * ----------------------------------------------------------------------------------------------------- */

static enum bourn_err read_ahead(struct vault_role *x)
{
    struct ahead *a = &x->ahead;
    enum bourn_err err = BOURN_OK;
    for (a->n = a->at = 0; a->n < VAULT_EXPECTED_MAX; a->n++) {
        uint32_t type;
        struct slice message;
        struct buf *copy = &a->message[a->n];
        err = ring_receive(x->front, &type, &message);
        if (err == BOURN_E_NOT_FOUND)
            break;
        if (err == BOURN_OK && type != IPC_REQUEST)
            err = err_set(BOURN_E_FORMAT, "front may not send messages of type %u", type);
        if (err)
            return err;
        buf_clear(copy);
        buf_put_slice(copy, message);
        TRY(buf_check(copy));
        TRY(request_decode(buf_slice(copy), REQ_FROM_FRONT, &a->request[a->n]));
    }
    vault_expect(x->vault, a->request, a->n);
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err take_front(struct vault_role *x, bool *more)
{
    struct ahead *a = &x->ahead;
    enum bourn_err err = BOURN_OK;
    *more = false;
    while (ring_waiting_bytes(x->front) < FRONT_WAITING_BYTES_MAX) {
        if (vault_batch_full(x->vault)) {
            *more = true;
            return BOURN_OK;
        }
        if (a->at == a->n)
            TRY(read_ahead(x));
        if (a->n == 0)
            return BOURN_OK;
        TRY(vault_handle(x->vault, &a->request[a->at], 0));
        buf_clear_keep(&a->message[a->at++], RING_KEEP_BYTES_MAX);
    }
    *more = a->at < a->n;
out:
    return err;
}

static enum bourn_err take_admin(struct vault_role *x, bool *more)
{
    struct request r;
    uint64_t route;
    *more = false;
    while (!vault_batch_full(x->vault)) {
        if (!admin_next(x->admin, &r, &route))
            return BOURN_OK;
        enum bourn_err err = vault_handle(x->vault, &r, route);
        if (err)
            return err;
    }
    *more = true;
    return BOURN_OK;
}

/* When to wake. How long the work for a held answer took must not show in the moment at which it leaves, so
 * until then nothing else may depend on it: front is not woken only because its request was read (it is with
 * the answer), and the last moment is not slept through. Of a sleep that began later the processor wakes
 * otherwise: other caches are warm, another one of the processors is idle. */
static uint64_t wake_ns(const struct vault_role *x, uint64_t due)
{
    uint64_t held = vault_held_until_ns(x->vault);
    uint64_t awake = held == UINT64_MAX ? held : held - HOLD_AWAKE_US * 1000ull;
    return awake < due ? awake : due;
}

/* One turn: what is ready is read, decided, made durable and answered. *more: a batch was full, come again at
 * once. */
static enum bourn_err turn(struct vault_role *x, uint64_t wait_ns, int control, bool *drain, bool *more)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    enum { FIXED = 4 };
    struct pollfd p[FIXED + 1 + ADMIN_CONNECTIONS_MAX];
    bool more_front = false, more_admin = false;
    p[0] = (struct pollfd){ring_wait_fd(x->front), POLLIN, 0};
    p[1] = (struct pollfd){vault_wait_fd(x->vault), POLLIN, 0};
    p[2] = (struct pollfd){control, POLLIN, 0};
    p[3] = (struct pollfd){ring_wait_fd(x->relay), POLLIN, 0};
    size_t n = admin_poll(x->admin, p + FIXED);
    struct timespec wait = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    if (ppoll(p, n + FIXED, &wait, NULL) < 0 && errno != EINTR) {
        err = err_sys(BOURN_E_IO, "poll");
        goto out;
    }
    *drain = p[2].revents != 0;
    if (vault_held_until_ns(x->vault) != UINT64_MAX) { /* before work for others delays them */
        TRY(vault_release_held(x->vault));
        TRY(ring_kick(x->front));
    }
    admin_io(x->admin, p + FIXED, n);
    TRY(take_front(x, &more_front));
    TRY(take_admin(x, &more_admin));
    TRY(vault_commit(x->vault));
    *more = more_front || more_admin;
    x->soon = p[1].revents || p[3].revents;
    if (p[1].revents)
        TRY(vault_published(x->vault));
    TRY(p[3].revents ? take_relay(x) : ring_kick(x->relay)); /* behind the commit: no batch is open */
    TRY(vault_held_until_ns(x->vault) == UINT64_MAX ? ring_kick(x->front) : ring_announce(x->front));
    err = x->send_err;
out:
    return err;
}

/* `asking`: the parent waits, before it lets anybody in, for a quorum of the witnesses to have answered; but
 * not for ever. */
static enum bourn_err serve(struct vault_role *x, int control, bool asking)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    unsigned next_ms = 0;
    bool drain = false, more = false;
    uint64_t due = 0, patience = clock_ns(CLOCK_MONOTONIC) + WITNESS_ASK_MS_MAX * 1000000ull;
    while (!drain) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (asking && (vault_asked(x->vault) || now >= patience)) {
            asking = false;
            if (!vault_asked(x->vault))
                log_warning("no quorum of the witnesses has answered: nothing is disclosed or stored until "
                            "one does; withdrawals and erasures go on");
            TRY(role_ready(control, ""));
        }
        if (now >= due || x->soon) {
            TRY(vault_tick(x->vault, &next_ms));
            TRY(ring_kick(x->relay));
            TRY(ring_kick(x->front));
            now = clock_ns(CLOCK_MONOTONIC);
            due = now + next_ms * 1000000ull;
        }
        uint64_t until = wake_ns(x, due);
        TRY(turn(x, more || until <= now ? 0 : until - now, control, &drain, &more));
    }
    err = BOURN_OK;
out:
    return err;
}

/* What the parent is told: whom the relay may reach. *asking: there is somebody, so it waits for a second
 * word. */
static enum bourn_err ready(struct vault_role *x, int control, bool *asking)
{
    struct buf line;
    buf_init(&line, 64u << 10);
    vault_relay_urls(x->vault, &line);
    *asking = line.n > 0;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '\n')
            line.p[i] = ' ';
    buf_put_u8(&line, 0);
    enum bourn_err err = buf_check(&line);
    if (!err)
        err = role_ready(control, (const char *)line.p);
    buf_release(&line);
    return err;
}

static enum bourn_err start(struct vault_role *x, const struct ring_fds *front, const struct ring_fds *signer,
                            const struct ring_fds *relay, const char *cell)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct vault_signer how = {NULL, signer_head, signer_sign, signer_receipt};
    const struct vault_relay by = {x, relay_post};
    int lock;
    TRY(crypto_init());
    TRY(ring_open(front, &x->front));
    TRY(ring_open(signer, &x->signer));
    TRY(ring_open(relay, &x->relay));
    TRY(vault_lock(cell, &lock));
    TRY(admin_listen(cell, &x->admin));
    TRY(sandbox_enter_vault(cell));
    TRY(vault_open(cell, lock, answer, x, &x->vault));
    vault_use_relay(x->vault, &by);
    how.ctx = x->signer;
    TRY(vault_start(x->vault, &how));
out:
    return err;
}

int role_vault(const struct ring_fds *front, const struct ring_fds *signer, const struct ring_fds *relay,
               int control, const char *cell)
{
    struct vault_role x = {0};
    bool asking = false;
    log_init("vault", LOG_LEVEL_INFO);
    buf_init_secret(&x.message, IPC_MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < VAULT_EXPECTED_MAX; i++)
        buf_init_secret(&x.ahead.message[i], IPC_MESSAGE_BYTES_MAX);
    enum bourn_err err = start(&x, front, signer, relay, cell);
    if (err == BOURN_OK)
        err = ready(&x, control, &asking);
    if (err == BOURN_OK)
        err = serve(&x, control, asking);
    if (err) {
        log_error("%s", err_text());
        _exit(70); /* fail closed: no tidy shutdown may touch what recovery will sort out */
    }
    vault_close(x.vault);
    admin_close(x.admin, cell);
    ring_close(x.front);
    ring_close(x.signer);
    ring_close(x.relay);
    buf_release(&x.message);
    for (size_t i = 0; i < VAULT_EXPECTED_MAX; i++)
        buf_release(&x.ahead.message[i]);
    return 0;
}
