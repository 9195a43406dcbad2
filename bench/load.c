/* bench-load PORT CONNECTIONS SECONDS|COUNTx PATHS [--method M] [--body TEXT] [--cycle] [--word] [--pause-ms
 * N]
 *            [--warm-up SECONDS] [--records N]
 * Keep-alive requests to 127.0.0.1 from one thread, one under way on each connection. PATHS holds one path a
 * line; a request takes a random one (fixed seed), or the next with --cycle. Lines of BENCH_HEADERS go into
 * each request. Every answer must be whole and 2xx, and with --word hold the third segment of its path (the
 * person's identifier); else the program ends with 1 and shows the answer. SECONDS of measuring come after
 * the warm-up; COUNTx makes exactly that many requests. --pause-ms: with one connection, the rest between an
 * answer and the next request. Prints JSON: requests, seconds, rate, p50_us, p99_us, max_us, body_bytes (of
 * the last answer). */
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, ANSWER_BYTES = 4 << 20, REQUEST_BYTES = 1 << 16 };

struct connection {
    int fd;
    size_t n;         /* bytes of the answer so far */
    uint64_t sent;    /* ns */
    const char *word; /* what the answer must hold */
    size_t word_n;
    char *answer;
};

static struct {
    const char *method, *body, *headers;
    char **path;
    size_t paths_n, next, last_body_n, records;
    uint64_t dice, left, done, started, ends; /* left: requests still to send; ns */
    double warm_up_s, seconds;
    unsigned pause_ms;
    bool counted, cycle, word;
    struct connection c[CONNECTIONS];
    struct histogram latency;
} x;

static void die(const char *what)
{
    fprintf(stderr, "bench-load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char *next_path(void)
{
    if (x.cycle)
        return x.path[x.next++ % x.paths_n];
    x.dice ^= x.dice << 13;
    x.dice ^= x.dice >> 7;
    x.dice ^= x.dice << 17;
    return x.path[(x.dice >> 11) % x.paths_n];
}

/* The segment behind "/v1/subjects/". */
static void set_word(struct connection *c, const char *path)
{
    for (int i = 0; i < 3 && path; i++) {
        path = strchr(path, '/');
        path = path ? path + 1 : NULL;
    }
    c->word = x.word ? path : NULL;
    c->word_n = path ? strcspn(path, "/") : 0;
}

static const char *body_of(const char *path)
{
    return x.body ? x.body : path + strlen(path) + 1; /* read_paths put it behind the path */
}

static void send_next(struct connection *c)
{
    char request[REQUEST_BYTES];
    if (x.counted && x.left-- == 0) {
        x.left = 0;
        close(c->fd);
        c->fd = -1;
        return;
    }
    const char *path = next_path();
    const char *body = body_of(path);
    int n = *body ? snprintf(request, sizeof request,
                             "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\n"
                             "Content-Length: %zu\r\n\r\n%s",
                             x.method, path, x.headers, strlen(body), body)
                  : snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", x.method,
                             path, x.headers);
    if (n < 0 || (size_t)n >= sizeof request)
        die("a request is too long");
    set_word(c, path);
    c->n = 0;
    c->sent = now_ns();
    if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        die("send");
}

/* Whether the answer holds as many records as it must. */
static bool all_there(const struct connection *c)
{
    static const char mark[] = "\"data\":{";
    size_t n = 0;
    const char *p = c->answer, *end = p + c->n;
    while (x.records && (p = memmem(p, (size_t)(end - p), mark, sizeof mark - 1)) != NULL) {
        p += sizeof mark - 1;
        n++;
    }
    return !x.records || n == x.records;
}

static void show(const struct connection *c)
{
    fprintf(stderr, "bench-load: an answer that is not good:\n%.*s\n", (int)(c->n < 2000 ? c->n : 2000),
            c->answer);
    exit(1);
}

static void take(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->n, ANSWER_BYTES - c->n, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        die(n ? "receive" : "the server closed a connection");
    c->n += (size_t)n;
    enum answer_state state = answer_look(c->answer, c->n, c->word, c->word_n, &x.last_body_n);
    if (state == ANSWER_BAD || c->n == ANSWER_BYTES || (state == ANSWER_GOOD && !all_there(c)))
        show(c);
    if (state == ANSWER_PART)
        return;
    uint64_t now = now_ns();
    if (now >= x.started) {
        histogram_add(&x.latency, now - c->sent);
        x.done++;
    }
    if (x.pause_ms)
        usleep(x.pause_ms * 1000);
    send_next(c);
}

static int connect_one(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        die("connect");
    return fd;
}

static void run(uint16_t port, size_t connections)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[CONNECTIONS];
    for (size_t i = 0; i < connections; i++) {
        x.c[i].fd = connect_one(port);
        x.c[i].answer = malloc(ANSWER_BYTES);
        events[0] = (struct epoll_event){.events = EPOLLIN, .data.u64 = i};
        if (!x.c[i].answer || epoll_ctl(epoll, EPOLL_CTL_ADD, x.c[i].fd, &events[0]) != 0)
            die("epoll");
    }
    x.started = now_ns() + (uint64_t)(x.warm_up_s * 1e9);
    x.ends = x.started + (uint64_t)(x.seconds * 1e9);
    uint64_t want = x.left;
    for (size_t i = 0; i < connections; i++)
        send_next(&x.c[i]);
    while (x.counted ? x.done < want : now_ns() < x.ends) {
        int n = epoll_wait(epoll, events, CONNECTIONS, 10000);
        errno = n ? errno : 0;
        if (n <= 0)
            die("no answer came for ten seconds");
        for (int i = 0; i < n; i++)
            if (x.c[events[i].data.u64].fd >= 0)
                take(&x.c[events[i].data.u64]);
    }
    x.seconds = (double)(now_ns() - x.started) / 1e9;
}

static void read_paths(const char *name)
{
    size_t room = 0, size = 0;
    char *line = NULL;
    FILE *f = fopen(name, "r");
    if (!f)
        die(name);
    for (ssize_t n; (n = getline(&line, &size, f)) > 0;) {
        n -= line[n - 1] == '\n';
        if (x.paths_n == room) {
            room = room ? 2 * room : 1024;
            x.path = realloc(x.path, room * sizeof *x.path);
        }
        char *copy = x.path ? calloc(1, (size_t)n + 2) : NULL;
        if (!copy)
            die("out of memory");
        memcpy(copy, line, (size_t)n);
        char *tab = strchr(copy, '\t');
        if (tab)
            *tab = '\0';
        x.path[x.paths_n++] = copy;
    }
    fclose(f);
    free(line);
    if (!x.paths_n)
        die("there are no paths");
}

static void options(int argc, char **argv)
{
    char *end;
    x.method = "GET";
    x.dice = 0x9e3779b97f4a7c15u;
    x.headers = getenv("BENCH_HEADERS") ? getenv("BENCH_HEADERS") : "";
    x.seconds = strtod(argv[3], &end);
    x.counted = *end == 'x';
    x.left = x.counted ? (uint64_t)x.seconds : 0;
    for (int i = 5; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--cycle") == 0)
            x.cycle = true;
        else if (strcmp(argv[i], "--word") == 0)
            x.word = true;
        else if (strcmp(argv[i], "--method") == 0 && ++i)
            x.method = value;
        else if (strcmp(argv[i], "--body") == 0 && ++i)
            x.body = value;
        else if (strcmp(argv[i], "--warm-up") == 0 && ++i)
            x.warm_up_s = strtod(value, NULL);
        else if (strcmp(argv[i], "--records") == 0 && ++i)
            x.records = strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--pause-ms") == 0 && ++i)
            x.pause_ms = (unsigned)strtoul(value, NULL, 10);
        else
            die(argv[i]);
    }
}

int main(int argc, char **argv)
{
    size_t connections = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (connections < 1 || connections > CONNECTIONS)
        die("usage: bench-load PORT CONNECTIONS SECONDS|COUNTx PATHS [options]");
    options(argc, argv);
    read_paths(argv[4]);
    run((uint16_t)strtoul(argv[1], NULL, 10), connections);
    printf(
        "{\"requests\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
        "\"body_bytes\":%zu}\n",
        (unsigned long long)x.done, x.seconds, (double)x.done / x.seconds,
        (double)histogram_at(&x.latency, 0.5) / 1e3, (double)histogram_at(&x.latency, 0.99) / 1e3,
        (double)x.latency.max / 1e3, x.last_body_n);
    return 0;
}
