/* front: sockets and HTTP. It opens no file and holds no key; all it knows comes from clients and through the
 * ring. */
#include "role/front_internal.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "role/role_internal.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

/* Every connection is a descriptor: take as many as the system lets us. */
static void raise_descriptor_limit(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
        return;
    rl.rlim_cur = rl.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < CONNECTIONS_MAX + 64)
        log_warning("only %llu open descriptors are allowed: fewer than %d connections can be served",
                    (unsigned long long)rl.rlim_cur, CONNECTIONS_MAX);
}

enum bourn_err front_send(struct front *f, const struct request *r)
{
    buf_clear(&f->message);
    request_encode(&f->message, r);
    enum bourn_err err = buf_check(&f->message);
    if (!err)
        err = ring_send(f->ring, IPC_REQUEST, buf_slice(&f->message));
    buf_clear(&f->message);
    /* Vault may begin while more is parsed: a turn that is sent whole makes the two wait for each other. */
    if (!err && ++f->sent % IPC_KICK_EVERY == 0)
        err = ring_kick(f->ring);
    if (err && err != BOURN_E_LIMIT)
        f->ring_err = err;
    return err;
}

static void problem(struct http_response *r, struct buf *body, uint32_t status, const char *code,
                    const char *detail)
{
    http_problem(r, body, status, slice_str(code), slice_str(detail), slice_of(NULL, 0));
}

void front_refuse(struct front *f, uint64_t id, uint32_t status, const char *code, const char *detail)
{
    struct http_response r;
    struct kept *k = kept_of(f, id);
    problem(&r, &f->scratch, status, code, detail);
    if (http_streams(f->http, id))
        stream_refuse(f, id, &r);
    else if (k && k->upload)
        upload_refuse(f, id, &r, &f->scratch);
    else
        http_answer(f->http, id, &r);
}

/* Operations whose answer may have more pages: their request is kept. */
static bool has_pages(uint32_t op)
{
    return op == REQ_DISCLOSE || op == REQ_EXPORT || op == REQ_ROWS_FILE;
}

static bool on_request(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                       struct http_response *r, struct buf *body)
{
    struct front *f = ctx;
    struct request request = {.id = id};
    if (!api_request(q, &f->scratch, &request, r))
        return true;
    *tag = request.op;
    if (request.op == REQ_LEDGER_FILE)
        return file_request(f, id, q, &request, r, body);
    if ((!has_pages(request.op) || kept_new(f, id, &request)) && front_send(f, &request) == BOURN_OK)
        return false;
    problem(r, body, 503, "overloaded", "Too many requests wait; try again later.");
    return true;
}

static void take_reply(struct front *f, uint32_t op, const struct reply *reply)
{
    struct http_response r;
    if (op == REQ_IMPORT) {
        upload_reply(f, reply);
    } else if (op == REQ_LEDGER_FILE) {
        file_reply(f, reply);
    } else if (http_streams(f->http, reply->id)) {
        stream_next(f, op, reply);
    } else if (has_pages(op)) {
        stream_first(f, op, reply);
    } else {
        api_response(op, reply, &f->scratch, &r);
        http_answer(f->http, reply->id, &r);
    }
}

/* Answers that came: what vault says is final here. Not all at once: while they go out the next requests come
 * in, and vault would wait for them until the last one is sent. *more: some are left. */
static enum bourn_err take_replies(struct front *f, bool *more)
{
    *more = false;
    for (int i = 0; i < ANSWERS_PER_TURN; i++) {
        uint32_t type, op;
        struct slice message;
        struct reply reply;
        enum bourn_err err = ring_receive(f->ring, &type, &message);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        if (err == BOURN_OK && type != IPC_REPLY)
            err = err_set(BOURN_E_FORMAT, "vault sent a message of type %u, which it may not", type);
        if (err == BOURN_OK)
            err = reply_decode(message, &reply);
        if (err)
            return err;
        if (reply.id & METRICS_ID) {
            metrics_reply(f, &reply);
            continue;
        }
        if (!http_tag(f->http, reply.id, &op))
            continue; /* answered already: too late, or the service stops */
        take_reply(f, op, &reply);
    }
    *more = true;
    return BOURN_OK;
}

static void on_waiting(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms)
{
    struct front *f = ctx;
    if (tag != REQ_HEALTH && waited_ms < ANSWER_WAIT_MS_MAX)
        return;
    front_refuse(f, id, 503, "vault_silent", "The vault does not answer in time; a write may have happened.");
}

static void on_stop(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms)
{
    (void)tag;
    (void)waited_ms;
    front_refuse(ctx, id, 503, "stopping", "The service stops.");
}

static void on_metrics_waiting(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms)
{
    struct front *f = ctx;
    struct http_response r;
    (void)tag;
    (void)waited_ms;
    problem(&r, &f->scratch, 503, "vault_silent", "The vault does not answer in time.");
    http_answer(f->metrics, id, &r);
}

/* Requests that wait for too long get a 503; looked at twice a second. */
static void sweep(struct front *f)
{
    uint64_t now = clock_mono_ms();
    if (now - f->swept_ms < 500)
        return;
    f->swept_ms = now;
    http_waiting(f->http, HEALTH_WAIT_MS_MAX, on_waiting, f);
    if (f->metrics)
        http_waiting(f->metrics, HEALTH_WAIT_MS_MAX, on_metrics_waiting, f);
}

static enum bourn_err watch(struct front *f, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? BOURN_OK
                                                           : err_sys(BOURN_E_UNAVAILABLE, "cannot use epoll");
}

static void drain(struct front *f)
{
    f->draining = true;
    f->drain_ms = clock_mono_ms() + DRAIN_MS_MAX;
    epoll_ctl(f->epoll, EPOLL_CTL_DEL, f->control, NULL);
    http_drain(f->http);
}

static enum bourn_err serve(struct front *f)
{
    enum bourn_err err = BOURN_OK;
    unsigned wait_ms = 0, metrics_ms = 1000;
    bool more = false;
    while (!f->draining || (http_busy(f->http) && clock_mono_ms() < f->drain_ms)) {
        struct epoll_event events[4];
        int n = epoll_wait(f->epoll, events, 4, (int)wait_ms);
        if (n < 0 && errno != EINTR)
            return err_sys(BOURN_E_UNAVAILABLE, "cannot wait for events");
        bool stop = false;
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == f->control && !f->draining)
                TRY(orders_read(f, &stop));
        if (stop)
            drain(f);
        files_turn(f->files);
        TRY(take_replies(f, &more));
        sweep(f);
        TRY(http_run(f->http, &wait_ms));
        if (f->metrics)
            TRY(http_run(f->metrics, &metrics_ms));
        wait_ms = more ? 0 : metrics_ms < wait_ms ? metrics_ms : wait_ms;
        TRY(f->ring_err);
        TRY(ring_kick(f->ring)); /* the rest of what was parsed in this turn */
    }
    http_waiting(f->http, 0, on_stop, f);
out:
    return err;
}

/* "[https://]ADDRESS[,ADDRESS of metrics]" */
struct addresses {
    bool tls;
    char listen[80], metrics[80];
};

static void take_addresses(const char *text, struct addresses *out)
{
    static const char https[] = ROLE_HTTPS;
    out->tls = strncmp(text, https, sizeof https - 1) == 0;
    text += out->tls ? sizeof https - 1 : 0;
    const char *comma = strchrnul(text, ',');
    snprintf(out->listen, sizeof out->listen, "%.*s", (int)(comma - text), text);
    snprintf(out->metrics, sizeof out->metrics, "%s", *comma ? comma + 1 : "");
}

static enum bourn_err start(struct front *f, const struct ring_fds *vault, const char *listen_at)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    int listener = -1, metrics = -1;
    struct addresses at;
    char address[80], metrics_address[80], ready[170];
    const struct http_hooks hooks = {f, on_request, upload_head, upload_go_on, stream_wanted, kept_free};
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    buf_init_secret(&f->message, IPC_MESSAGE_BYTES_MAX);
    buf_init_secret(&f->scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    buf_init_secret(&f->page, REPLY_BYTES_MAX + STREAM_TAIL_BYTES_MAX);
    buf_init_secret(&f->orders, 2 * TLS_PEM_BYTES_MAX + 8192);
    TRY(files_new(&f->files));
    take_addresses(listen_at, &at);
    if (at.tls) {
        TRY(http_tls_new(&f->tls));
        TRY(orders_first(f));
    }
    TRY(role_listen(at.listen, at.tls, &listener, address));
    TRY(ring_open(vault, &f->ring));
    TRY(http_start(listener, api_headers, &hooks, f->tls, &f->http));
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    TRY(watch(f, f->control));
    TRY(watch(f, ring_wait_fd(f->ring)));
    TRY(watch(f, http_wait_fd(f->http)));
    if (at.metrics[0]) {
        TRY(role_listen(at.metrics, false, &metrics, metrics_address));
        TRY(metrics_start(f, metrics));
        TRY(watch(f, http_wait_fd(f->metrics)));
    }
    TRY(sandbox_enter(SANDBOX_FRONT));
    snprintf(ready, sizeof ready, "%s%s%s", address, at.metrics[0] ? "," : "",
             at.metrics[0] ? metrics_address : "");
    TRY(role_ready(f->control, ready));
out:
    return err;
}

/* Pages of some hundred people come and go by the thousand: to give their memory back to the kernel each time
 * costs more than to send them. */
static void keep_memory(void)
{
    enum { KEEP_BYTES = 32 << 20 };
    mallopt(M_MMAP_THRESHOLD, KEEP_BYTES / 4);
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
}

int role_front(const struct ring_fds *vault, int control, const char *listen_at)
{
    struct front f = {.control = control, .epoll = -1};
    log_init("front", LOG_LEVEL_INFO);
    keep_memory();
    enum bourn_err err = start(&f, vault, listen_at);
    int code = err ? ROLE_EXIT_UNAVAILABLE : 0;
    if (!err && (err = serve(&f)) != BOURN_OK)
        code = ROLE_EXIT_FAILED;
    if (err)
        log_error("%s", err_text());
    http_stop(f.metrics);
    http_stop(f.http);
    http_tls_free(f.tls);
    ring_close(f.ring);
    files_free(f.files);
    buf_release(&f.message);
    buf_release(&f.scratch);
    buf_release(&f.page);
    buf_release(&f.orders);
    return code;
}
