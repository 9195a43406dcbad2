#include "role/admin.h"

#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define OUT_BYTES_MAX (64u << 20)

struct connection {
    int fd; /* -1: free */
    uint32_t generation;
    struct buf in, out;
    size_t taken, sent; /* bytes of in handled, of out written */
    bool closing;
};

struct admin {
    int listener;
    uint32_t generation;
    struct connection c[ADMIN_CONNECTIONS_MAX];
    struct buf scratch;
};

enum bourn_err admin_listen(const char *cell, struct admin **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct admin *a = calloc(1, sizeof *a);
    int dir = open(cell, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!a || dir < 0) {
        err = a ? err_sys(BOURN_E_IO, "open %s", cell)
                : err_set(BOURN_E_MEMORY, "out of memory for admin.sock");
        goto out;
    }
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        a->c[i].fd = -1;
    buf_init_secret(&a->scratch, IPC_MESSAGE_BYTES_MAX);
    /* A cell's path may be longer than sun_path: bind by way of its descriptor. */
    snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/admin.sock", dir);
    unlinkat(dir, "admin.sock", 0);
    a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    int rc = a->listener < 0 ? -1 : bind(a->listener, (struct sockaddr *)&sa, sizeof sa);
    umask(old);
    if (rc != 0 || listen(a->listener, 16) != 0)
        err = err_sys(BOURN_E_IO, "listen on %s/admin.sock", cell);
    else
        err = BOURN_OK;
out:
    if (dir >= 0)
        close(dir);
    if (err) {
        free(a);
        a = NULL;
    }
    *out = a;
    return err;
}

static void drop(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    c->closing = false;
    c->taken = c->sent = 0;
    buf_release(&c->in);
    buf_release(&c->out);
}

void admin_close(struct admin *a, const char *cell)
{
    char name[4096];
    if (!a)
        return;
    snprintf(name, sizeof name, "%s/admin.sock", cell);
    unlink(name);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (a->c[i].fd >= 0)
            drop(&a->c[i]);
    close(a->listener);
    buf_release(&a->scratch);
    free(a);
}

size_t admin_poll(const struct admin *a, struct pollfd *out)
{
    size_t n = 0;
    bool room = false;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        const struct connection *c = &a->c[i];
        room = room || c->fd < 0;
        if (c->fd >= 0)
            out[n++] = (struct pollfd){c->fd, (short)(POLLIN | (c->out.n > c->sent ? POLLOUT : 0)), 0};
    }
    if (room)
        out[n++] = (struct pollfd){a->listener, POLLIN, 0};
    return n;
}

static void accept_one(struct admin *a)
{
    struct ucred who;
    socklen_t len = sizeof who;
    int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || (who.uid != 0 && who.uid != geteuid())) {
        log_warning("admin.sock: user %u is not the cell's owner: refused", (unsigned)who.uid);
        close(fd);
        return;
    }
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (a->c[i].fd < 0) {
            struct connection *c = &a->c[i];
            *c = (struct connection){.fd = fd, .generation = ++a->generation};
            buf_init_secret(&c->in, IPC_MESSAGE_BYTES_MAX + 4 + READ_BYTES);
            buf_init_secret(&c->out, OUT_BYTES_MAX);
            return;
        }
    close(fd);
}

static void read_some(struct connection *c)
{
    if (c->in.n > IPC_MESSAGE_BYTES_MAX)
        return; /* one whole message waits to be handled */
    uint8_t *to = buf_reserve(&c->in, READ_BYTES);
    ssize_t n = to ? recv(c->fd, to, READ_BYTES, 0) : 0;
    if (n > 0)
        c->in.n += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->closing = true;
}

static void write_some(struct connection *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n <= 0) {
            if (n < 0 && errno != EAGAIN && errno != EINTR)
                c->closing = true;
            return;
        }
        c->sent += (size_t)n;
    }
    buf_clear(&c->out);
    c->sent = 0;
}

void admin_io(struct admin *a, const struct pollfd *polled, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (polled[k].fd == a->listener && polled[k].revents) {
            accept_one(a);
            continue;
        }
        for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX && polled[k].revents; i++)
            if (a->c[i].fd == polled[k].fd) {
                if (polled[k].revents & POLLOUT)
                    write_some(&a->c[i]);
                if (polled[k].revents & (POLLIN | POLLHUP | POLLERR))
                    read_some(&a->c[i]);
            }
    }
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        struct connection *c = &a->c[i];
        bool whole = c->in.n - c->taken >= 4 && c->in.n - c->taken - 4 >= be_get(c->in.p + c->taken, 4);
        if (c->fd >= 0 && c->closing && !whole)
            drop(c);
    }
}

bool admin_next(struct admin *a, struct request *r, uint64_t *route)
{
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        struct connection *c = &a->c[i];
        if (c->fd < 0)
            continue;
        if (c->taken && c->taken == c->in.n) {
            buf_clear(&c->in);
            c->taken = 0;
        }
        if (c->in.n - c->taken < 4)
            continue;
        size_t n = (size_t)be_get(c->in.p + c->taken, 4);
        if (n > IPC_MESSAGE_BYTES_MAX) {
            drop(c);
            continue;
        }
        if (c->in.n - c->taken - 4 < n) {
            if (c->taken) { /* move the rest down, so that a whole message always fits */
                memmove(c->in.p, c->in.p + c->taken, c->in.n - c->taken);
                c->in.n -= c->taken;
                c->taken = 0;
            }
            continue;
        }
        buf_clear(&a->scratch);
        buf_put(&a->scratch, c->in.p + c->taken + 4, n);
        c->taken += 4 + n;
        if (buf_check(&a->scratch) != BOURN_OK ||
            request_decode(buf_slice(&a->scratch), REQ_FROM_ADMIN, r) != BOURN_OK) {
            log_warning("admin.sock: malformed request: %s", err_text());
            drop(c);
            continue;
        }
        *route = (uint64_t)c->generation << 16 | (i + 1);
        return true;
    }
    return false;
}

void admin_answer(struct admin *a, uint64_t route, const struct reply *r)
{
    struct connection *c = &a->c[(route & 0xffff) - 1];
    if (c->fd < 0 || c->generation != (uint32_t)(route >> 16))
        return;
    size_t at = c->out.n;
    buf_put_be(&c->out, 0, 4);
    reply_encode(&c->out, r);
    if (buf_check(&c->out) != BOURN_OK) {
        drop(c);
        return;
    }
    be_put(c->out.p + at, c->out.n - at - 4, 4);
    write_some(c);
}
