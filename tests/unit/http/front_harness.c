#include "front_harness.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "ipc/request.h"
#include "role/role.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the vault ---- */

struct late {
    uint64_t id, due_ms;
};
static struct late late[8192];
static size_t late_n;

static void send_reply(struct ring *r, const struct reply *reply)
{
    static struct buf b = {.cap = IPC_MESSAGE_BYTES_MAX};
    buf_clear(&b);
    reply_encode(&b, reply);
    if (b.failed || ring_send(r, IPC_REPLY, buf_slice(&b)) != BOURN_OK)
        _exit(21);
}

static void echo(struct ring *r, const struct request *q)
{
    static struct buf b = {.cap = 4u << 20};
    buf_clear(&b);
    buf_printf(&b, "{\"op\":\"%s\",\"number\":%llu,\"version\":%llu,\"body_bytes\":%zu,\"token\":",
               request_op_name(q->op), (unsigned long long)q->number, (unsigned long long)q->version,
               q->body.n);
    json_put_string(&b, q->token);
    buf_put_str(&b, ",\"subject\":");
    json_put_string(&b, q->subject);
    buf_put_str(&b, ",\"path\":");
    json_put_string(&b, q->path);
    buf_put_str(&b, "}");
    struct reply reply = {
        .id = q->id, .status = 200, .type = REPLY_JSON, .receipt = 41, .body = buf_slice(&b)};
    send_reply(r, &reply);
}

/* Rows in three pieces; of "broken" the second is refused. */
static void piece(struct ring *r, const struct request *q)
{
    static uint8_t bytes[PIECE_BYTES];
    struct reply reply = {.id = q->id, .status = 200, .type = REPLY_OCTETS, .receipt = REPLY_NO_RECEIPT};
    memset(bytes, 'a' + (int)(q->number / PIECE_BYTES), sizeof bytes);
    reply.body = slice_of(bytes, sizeof bytes);
    reply.next = q->number < 2 * PIECE_BYTES ? q->number + PIECE_BYTES : 0;
    if (slice_is(q->path, "tile/rows/broken") && q->number) {
        reply = (struct reply){
            .id = q->id, .status = 401, .receipt = REPLY_NO_RECEIPT, .code = slice_str("token_invalid")};
    }
    send_reply(r, &reply);
}

/* Takes each batch of an import; says so a little later, so that it waits. */
static void take_batch(struct ring *r, const struct request *q)
{
    size_t lines = 0;
    for (size_t i = 0; i < q->body.n; i++)
        lines += q->body.p[i] == '\n';
    char text[96];
    snprintf(text, sizeof text, "{\"stored\":%zu,\"skipped\":0,\"rejected\":[],\"rejected_count\":0}", lines);
    usleep(2000);
    struct reply reply = {
        .id = q->id, .status = 200, .type = REPLY_JSON, .receipt = REPLY_NO_RECEIPT, .body = slice_str(text)};
    send_reply(r, &reply);
}

static void one_request(struct ring *r, const struct request *q)
{
    struct reply reply = {.id = q->id, .status = 200, .type = REPLY_OCTETS, .receipt = REPLY_NO_RECEIPT};
    if (q->op == REQ_IMPORT) {
        take_batch(r, q);
    } else if (slice_is(q->path, "tile/rows/three") || slice_is(q->path, "tile/rows/broken")) {
        piece(r, q);
    } else if (slice_is(q->subject, "deny")) {
        reply.status = 403;
        reply.code = slice_str("basis_missing");
        reply.missing = slice_str("[\"subject_consent\"]");
        send_reply(r, &reply);
    } else if (slice_is(q->subject, "badtoken")) {
        reply.status = 401;
        reply.code = slice_str("token_invalid");
        send_reply(r, &reply);
    } else if (slice_is(q->subject, "big")) {
        uint8_t *big = malloc(BIG_BYTES);
        for (size_t i = 0; big && i < BIG_BYTES; i++)
            big[i] = (uint8_t)(i * 31 >> 3);
        reply.body = slice_of(big, BIG_BYTES);
        send_reply(r, &reply);
        free(big);
    } else if (slice_is(q->subject, "type")) {
        (void)!ring_send(r, IPC_REQUEST, slice_str("xxxxxxxxxxxxxxxxxxxx"));
    } else if (slice_is(q->subject, "noise")) {
        (void)!ring_send(r, IPC_REPLY,
                         slice_str("this is no reply at all, and it is long enough to be one, is it not?"));
    } else if (slice_is(q->subject, "later") && late_n < sizeof late / sizeof late[0]) {
        late[late_n++] = (struct late){q->id, clock_mono_ms() + 500};
    } else if (!slice_is(q->subject, "never")) {
        echo(r, q);
    }
}

static void vault(const struct ring_fds *fds)
{
    struct ring *r;
    if (ring_open(fds, &r) != BOURN_OK)
        _exit(20);
    for (;;) {
        uint32_t type;
        struct slice m;
        struct request q;
        enum bourn_err err;
        while ((err = ring_receive(r, &type, &m)) == BOURN_OK) {
            if (type != IPC_REQUEST || request_decode(m, REQ_FROM_FRONT, &q) != BOURN_OK)
                _exit(22); /* front must never send what vault cannot read */
            one_request(r, &q);
        }
        for (size_t i = 0; i < late_n; i++) {
            if (late[i].due_ms > clock_mono_ms())
                continue;
            struct request q2 = {.id = late[i].id, .op = REQ_RECORDS, .subject = slice_str("later")};
            late[i--] = late[--late_n];
            echo(r, &q2);
        }
        if (err != BOURN_E_NOT_FOUND || ring_kick(r) != BOURN_OK)
            _exit(23);
        struct pollfd pf = {ring_wait_fd(r), POLLIN, 0};
        poll(&pf, 1, late_n ? 50 : -1);
    }
}

/* ---- the stage ---- */

struct stage stage_open(void)
{
    struct ring_fds a, b;
    int pair[2];
    char line[128] = "";
    struct stage s = {0};
#ifdef __SANITIZE_ADDRESS__
    setenv("BOURN_SANDBOX", "off", 1);
#endif
    if (ring_make(&a, &b) != BOURN_OK || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    if ((s.vault = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        vault(&b);
    }
    if ((s.front = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        _exit(role_front(&a, pair[1], "127.0.0.1:0"));
    }
    close(pair[1]);
    ring_fds_close(&a);
    ring_fds_close(&b);
    s.control = pair[0];
    if (read(s.control, line, sizeof line - 1) <= 0 || strncmp(line, "ready 127.0.0.1:", 16) != 0)
        abort();
    s.port = (uint16_t)strtoul(line + 16, NULL, 10);
    return s;
}

int stage_wait_front(struct stage *s)
{
    int status = 0;
    if (waitpid(s->front, &status, 0) != s->front)
        abort();
    kill(s->vault, SIGCONT);
    kill(s->vault, SIGKILL);
    waitpid(s->vault, NULL, 0);
    close(s->control);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int stage_close(struct stage *s)
{
    if (write(s->control, "q", 1) != 1)
        return -1;
    return stage_wait_front(s);
}

/* ---- a client ---- */

int client_connect(const struct stage *s)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        abort();
    return fd;
}

void client_send(int fd, const void *p, size_t n)
{
    const char *from = p;
    while (n) {
        ssize_t sent = send(fd, from, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has closed: what it answered says why */
        from += sent;
        n -= (size_t)sent;
    }
}

static bool byte(int fd, char *c)
{
    struct pollfd pf = {fd, POLLIN, 0};
    return poll(&pf, 1, 10000) == 1 && recv(fd, c, 1, 0) == 1;
}

bool client_read(int fd, struct response *r)
{
    char c;
    buf_release(&r->head);
    buf_release(&r->body);
    buf_init(&r->head, 1u << 16);
    buf_init(&r->body, 64u << 20);
    r->status = 0;
    while (r->head.n < 4 || memcmp(r->head.p + r->head.n - 4, "\r\n\r\n", 4) != 0) {
        if (!byte(fd, &c))
            return false;
        buf_put(&r->head, &c, 1);
    }
    buf_put(&r->head, "", 1);
    r->head.n--;
    r->status = (unsigned)strtoul((char *)r->head.p + 9, NULL, 10);
    const char *length = strcasestr((char *)r->head.p, "\r\nContent-Length:");
    size_t n = length && !r->head_only ? strtoul(length + 17, NULL, 10) : 0;
    while (r->body.n < n) {
        uint8_t *to = buf_reserve(&r->body, n - r->body.n);
        struct pollfd pf = {fd, POLLIN, 0};
        ssize_t got = to && poll(&pf, 1, 10000) == 1 ? recv(fd, to, n - r->body.n, 0) : -1;
        if (got <= 0)
            return false;
        r->body.n += (size_t)got;
    }
    return true;
}

void response_release(struct response *r)
{
    buf_release(&r->head);
    buf_release(&r->body);
}

bool ask(const struct stage *s, const char *request, struct response *r)
{
    int fd = client_connect(s);
    client_send(fd, request, strlen(request));
    bool ok = client_read(fd, r);
    close(fd);
    return ok;
}

bool response_has(const struct response *r, const char *text)
{
    return memmem(r->head.p, r->head.n, text, strlen(text)) ||
           (r->body.n && memmem(r->body.p, r->body.n, text, strlen(text)));
}

void ask_raw(const struct stage *s, const char *request, struct buf *out)
{
    uint8_t bytes[8192];
    ssize_t n;
    int fd = client_connect(s);
    struct pollfd pf = {fd, POLLIN, 0};
    client_send(fd, request, strlen(request));
    while (poll(&pf, 1, 10000) == 1 && (n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        buf_put(out, bytes, (size_t)n);
    close(fd);
}
