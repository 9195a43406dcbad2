#include "cell.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct cell {
    int fd;
    struct buf out, in;
};

/* Through /proc/self/fd, since the path of a cell may be longer than a socket's address. */
static enum bourn_err reach(int fd, const char *cell)
{
    int dir = open(cell, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT
                   ? err_set(BOURN_E_UNAVAILABLE, "there is no cell at %s: make one with `bourn init`", cell)
                   : err_sys(BOURN_E_UNAVAILABLE, "cannot open the cell %s", cell);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/admin.sock", dir);
    enum bourn_err err = BOURN_OK;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            err =
                err_set(BOURN_E_UNAVAILABLE, "%s is not serving: start it with `bourn serve %s`", cell, cell);
        else if (errno == EACCES || errno == EPERM)
            err = err_set(BOURN_E_DENIED,
                          "the cell %s belongs to another user: run this command as that user", cell);
        else
            err = err_sys(BOURN_E_UNAVAILABLE, "cannot reach the cell %s", cell);
    }
    close(dir);
    return err;
}

enum bourn_err cell_open(const char *cell, struct cell **out)
{
    struct cell *a = malloc(sizeof *a);
    if (!a)
        return err_set(BOURN_E_MEMORY, "out of memory");
    buf_init_secret(&a->out, IPC_MESSAGE_BYTES_MAX + 4);
    buf_init_secret(&a->in, IPC_MESSAGE_BYTES_MAX);
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum bourn_err err = a->fd < 0 ? err_sys(BOURN_E_IO, "cannot make a socket") : reach(a->fd, cell);
    if (err == BOURN_OK)
        *out = a;
    else
        cell_close(a);
    return err;
}

void cell_close(struct cell *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    buf_release(&a->out);
    buf_release(&a->in);
    free(a);
}

bool cell_address(const char *cell, struct buf *out)
{
    char text[256];
    int dir = open(cell, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, "address", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    if (n < 1)
        return false;
    for (ssize_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    buf_put(out, text, (size_t)n);
    return true;
}

static enum bourn_err gone(void)
{
    return err_set(BOURN_E_UNAVAILABLE, "the cell closed the connection: see what `bourn serve` says");
}

enum bourn_err cell_send(struct cell *a, const struct request *r)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    buf_clear(&a->out);
    buf_put_be(&a->out, 0, 4);
    request_encode(&a->out, r);
    TRY(buf_check(&a->out));
    be_put(a->out.p, a->out.n - 4, 4);
    for (size_t at = 0; at < a->out.n;) {
        ssize_t n = send(a->fd, a->out.p + at, a->out.n - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EPIPE || errno == ECONNRESET
                       ? gone()
                       : err_sys(BOURN_E_UNAVAILABLE, "cannot send to the cell");
        at += (size_t)n;
    }
out:
    return err;
}

static enum bourn_err read_exactly(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return gone();
        if (got < 0)
            return err_sys(BOURN_E_UNAVAILABLE, "cannot read from the cell");
        p += got;
        n -= (size_t)got;
    }
    return BOURN_OK;
}

enum bourn_err cell_receive(struct cell *a, struct reply *r)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t head[4];
    buf_clear(&a->in);
    TRY(read_exactly(a->fd, head, sizeof head));
    size_t n = (size_t)be_get(head, 4);
    uint8_t *to = buf_reserve(&a->in, n);
    if (!to)
        return err_set(BOURN_E_FORMAT, "the cell sent a message of %zu bytes, over the limit", n);
    TRY(read_exactly(a->fd, to, n));
    a->in.n = n;
    TRY(reply_decode(buf_slice(&a->in), r));
out:
    return err;
}

int cell_refused(const struct reply *r)
{
    struct buf text;
    buf_init(&text, 64u << 10);
    cli_printable(&text, r->detail.n ? r->detail : slice_str("the cell gives no reason"));
    if (r->code.n) {
        buf_put_str(&text, " (");
        cli_printable(&text, r->code);
        buf_put_str(&text, ")");
    }
    if (r->missing.n && !slice_is(r->missing, "[]")) {
        buf_put_str(&text, "; missing: ");
        cli_printable(&text, r->missing);
    }
    int code =
        cli_fail(r->status == 503 ? CLI_UNAVAILABLE : CLI_REFUSED, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_release(&text);
    return code;
}

int cell_call(const char *cell, const struct request *r, struct buf *body, struct json_value *json)
{
    struct cell *a = NULL;
    struct reply answer;
    int code = CLI_DONE;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(cell_open(cell, &a));
    TRY(cell_send(a, r));
    TRY(cell_receive(a, &answer));
    if (answer.status / 100 != 2) {
        code = cell_refused(&answer);
        buf_put_slice(body, answer.detail);
        goto out;
    }
    buf_put_slice(body, answer.body.n ? answer.body : slice_str("{}"));
    TRY(buf_check(body));
    TRY(json_check(buf_slice(body), json));
out:
    cell_close(a);
    return err != BOURN_OK ? cli_err(err) : code;
}

int cell_show(const char *cell, const struct request *r, bool json)
{
    struct buf body, text;
    struct json_value v;
    buf_init_secret(&body, REPLY_BYTES_MAX);
    buf_init(&text, 2 * REPLY_BYTES_MAX);
    int code = cell_call(cell, r, &body, &v);
    if (code == CLI_DONE && json) {
        buf_put_slice(&text, v.raw);
        buf_put_u8(&text, '\n');
    } else if (code == CLI_DONE) {
        cli_show(&text, v);
    }
    if (code == CLI_DONE)
        code = cli_out(buf_slice(&text));
    buf_release(&body);
    buf_release(&text);
    return code;
}
