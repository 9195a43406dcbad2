/* front: sockets and HTTP. It opens no file and holds no key; all it knows comes from clients and through the
 * ring. */
#include "role/role_internal.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

struct front {
    struct ring *ring;
    struct http *http;
    int epoll, control;
    struct buf message; /* secret: requests on their way */
    struct buf scratch; /* decoded segments, problems */
    enum bourn_err ring_err;
    uint64_t swept_ms, drain_ms;
    bool draining;
};

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

static enum bourn_err open_listener(const char *listen_at, int *fd, char address[80])
{
    struct sockaddr_storage at;
    socklen_t n;
    int one = 1;
    enum bourn_err err = role_address_parse(listen_at, &at, &n);
    if (err)
        return err;
    *fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(*fd, (struct sockaddr *)&at, n) != 0 || listen(*fd, LISTEN_BACKLOG) != 0 ||
        getsockname(*fd, (struct sockaddr *)&at, &n) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot listen on %s", listen_at);
    role_address_print(&at, address);
    return BOURN_OK;
}

static bool refuse(struct front *f, struct http_response *r, struct buf *body, const char *code,
                   const char *detail)
{
    (void)f;
    http_problem(r, body, 503, slice_str(code), slice_str(detail), slice_of(NULL, 0));
    return true;
}

static bool on_request(void *ctx, uint64_t id, const struct http_request *q, uint32_t *tag,
                       struct http_response *r, struct buf *body)
{
    struct front *f = ctx;
    struct request request = {.id = id};
    if (!api_request(q, &f->scratch, &request, r))
        return true;
    *tag = request.op;
    buf_clear(&f->message);
    request_encode(&f->message, &request);
    enum bourn_err err = buf_check(&f->message);
    if (!err)
        err = ring_send(f->ring, IPC_REQUEST, buf_slice(&f->message));
    buf_clear(&f->message);
    if (err == BOURN_OK)
        return false;
    if (err != BOURN_E_LIMIT)
        f->ring_err = err;
    return refuse(f, r, body, "overloaded", "Too many requests wait; try again later.");
}

/* All answers that came: what vault says is final here. */
static enum bourn_err take_replies(struct front *f)
{
    for (;;) {
        uint32_t type, op;
        struct slice message;
        struct reply reply;
        struct http_response r;
        enum bourn_err err = ring_receive(f->ring, &type, &message);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        if (err == BOURN_OK && type != IPC_REPLY)
            err = err_set(BOURN_E_FORMAT, "vault sent a message of type %u, which it may not", type);
        if (err == BOURN_OK)
            err = reply_decode(message, &reply);
        if (err)
            return err;
        if (!http_tag(f->http, reply.id, &op))
            continue; /* answered already: too late, or the service stops */
        api_response(op, &reply, &f->scratch, &r);
        http_answer(f->http, reply.id, &r);
    }
}

static void on_waiting(void *ctx, uint64_t id, uint32_t tag, uint64_t waited_ms)
{
    struct front *f = ctx;
    struct http_response r;
    if (tag != REQ_HEALTH && waited_ms < ANSWER_WAIT_MS_MAX)
        return;
    refuse(f, &r, &f->scratch, "vault_silent",
           "The vault does not answer in time; a write may have happened.");
    http_answer(f->http, id, &r);
}

/* Requests that wait for too long get a 503; looked at twice a second. */
static void sweep(struct front *f)
{
    uint64_t now = clock_mono_ms();
    if (now - f->swept_ms < 500)
        return;
    f->swept_ms = now;
    http_waiting(f->http, HEALTH_WAIT_MS_MAX, on_waiting, f);
}

static enum bourn_err watch(struct front *f, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? BOURN_OK
                                                           : err_sys(BOURN_E_UNAVAILABLE, "cannot use epoll");
}

static enum bourn_err serve(struct front *f)
{
    enum bourn_err err = BOURN_OK;
    unsigned wait_ms = 0;
    while (!f->draining || (http_busy(f->http) && clock_mono_ms() < f->drain_ms)) {
        struct epoll_event events[4];
        int n = epoll_wait(f->epoll, events, 4, (int)wait_ms);
        if (n < 0 && errno != EINTR)
            return err_sys(BOURN_E_UNAVAILABLE, "cannot wait for events");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != f->control || f->draining)
                continue;
            f->draining = true;
            f->drain_ms = clock_mono_ms() + DRAIN_MS_MAX;
            epoll_ctl(f->epoll, EPOLL_CTL_DEL, f->control, NULL);
            http_drain(f->http);
        }
        TRY(take_replies(f));
        TRY(http_run(f->http, &wait_ms));
        TRY(f->ring_err);
        TRY(ring_kick(f->ring)); /* once for all that was parsed in this turn */
        sweep(f);
    }
out:
    return err;
}

static enum bourn_err start(struct front *f, const struct ring_fds *vault, const char *listen_at)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    int listener = -1;
    char address[80];
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    buf_init_secret(&f->message, IPC_MESSAGE_BYTES_MAX);
    buf_init_secret(&f->scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    TRY(open_listener(listen_at, &listener, address));
    TRY(ring_open(vault, &f->ring));
    TRY(http_start(listener, api_headers, on_request, f, &f->http));
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    TRY(watch(f, f->control));
    TRY(watch(f, ring_wait_fd(f->ring)));
    TRY(watch(f, http_wait_fd(f->http)));
    TRY(sandbox_enter(SANDBOX_FRONT, NULL));
    TRY(role_ready(f->control, address));
out:
    return err;
}

int role_front(const struct ring_fds *vault, int control, const char *listen_at)
{
    struct front f = {.control = control, .epoll = -1};
    log_init("front", LOG_LEVEL_INFO);
    enum bourn_err err = start(&f, vault, listen_at);
    int code = err ? ROLE_EXIT_UNAVAILABLE : 0;
    if (!err && (err = serve(&f)) != BOURN_OK)
        code = ROLE_EXIT_FAILED;
    if (err)
        log_error("%s", err_text());
    http_stop(f.http);
    ring_close(f.ring);
    buf_release(&f.message);
    buf_release(&f.scratch);
    return code;
}
