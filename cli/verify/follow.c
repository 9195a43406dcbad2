/* bourn-verify --follow: one replay that stays, and says what it sees. What cannot be read is tried again,
 * and said once; the first violation ends it, after the command of --exec was run. */
#include "base/json.h"
#include "base/text.h"
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct follower {
    struct command *c;
    struct verify_options o;
    struct replay *v;
    struct verify_report report;
    struct slice heads[HEADS_MAX + 2];
    struct buf kept, seen; /* heads: up to which all was replayed; held by a replay that was torn */
    struct buf line;
    uint64_t size, fetched; /* of the last round that was whole */
    bool begun;
    char trouble[512]; /* said last; empty: none */
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
    (void)number;
    ending = 1; /* a second one ends the process at once: SA_RESETHAND */
}

/* Text of a log is hostile: one line of printable UTF-8. */
static void clean(char *text)
{
    bool utf8 = utf8_valid(slice_str(text));
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f || (!utf8 && *text & 0x80))
            *text = '?';
}

/* Begins a line: the time, and with --json the name of the event. */
static struct buf *begin(struct follower *f, const char *event)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_clear(&f->line);
    buf_printf(&f->line, f->c->json ? "{\"time\":\"%s\",\"event\":\"%s\"" : "%s  ", text, event);
    return &f->line;
}

static void end(struct follower *f)
{
    buf_put_str(&f->line, f->c->json ? "}\n" : "\n");
    fwrite(f->line.p, 1, f->line.n, stdout);
    fflush(stdout);
}

static void put_text(struct buf *b, const char *name, char *text)
{
    clean(text);
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, slice_str(text));
}

static void say_trouble(struct follower *f)
{
    char why[sizeof f->trouble];
    snprintf(why, sizeof why, "%s", f->report.error);
    clean(why);
    if (strcmp(why, f->trouble) == 0)
        return; /* once, until it changes */
    memcpy(f->trouble, why, sizeof why);
    struct buf *b = begin(f, "trouble");
    if (f->c->json)
        put_text(b, "why", why);
    else
        buf_printf(b, "could not be read, is tried again every %u s: %s", f->c->interval_s, why);
    end(f);
}

static void say_head(struct follower *f)
{
    const struct verify_report *r = &f->report;
    bool again = f->trouble[0] != '\0';
    f->trouble[0] = '\0';
    if (f->begun && r->size == f->size && !again)
        return;
    unsigned long long fresh = r->size - f->size, fetched = r->fetched - f->fetched, size = r->size;
    struct buf *b = begin(f, "head");
    if (f->c->json) {
        buf_printf(b, ",\"size\":%llu,\"root\":\"", size);
        base64_put(b, slice_of(r->root.b, 32));
        buf_printf(b, "\",\"new\":%llu,\"fetched\":%llu,\"exit\":%d", fresh, fetched, verify_exit_code(r));
    } else {
        buf_printf(b, "size %llu: %llu new entries, %llu reads, nothing violated", size, fresh, fetched);
    }
    end(f);
    f->begun = true;
    f->size = r->size;
    f->fetched = r->fetched;
}

static void say_report(struct follower *f)
{
    struct buf text;
    buf_init(&text, 8u << 20);
    (f->c->json ? verify_report_json : verify_report_text)(&text, &f->report);
    if (f->c->json) {
        struct buf *b = begin(f, "report");
        buf_put_str(b, ",\"report\":");
        buf_put(b, text.p, text.n ? text.n - 1 : 0);
        end(f);
    } else {
        fwrite(text.p, 1, text.n, stdout);
        fflush(stdout);
    }
    buf_release(&text);
}

/* In a child of its own: what the log says goes into the environment alone, never into the command. The token
 * does not go there. */
static void run_command(struct follower *f, const struct verify_finding *x, const char *held,
                        const char *read)
{
    char at[32];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        snprintf(at, sizeof at, "%llu", (unsigned long long)x->at);
        const char *const set[][2] = {{"BOURN_SOURCE", f->o.source},
                                      {"BOURN_ORIGIN", f->report.origin},
                                      {"BOURN_CLAUSE", verify_clause_id(x->clause)},
                                      {"BOURN_POSITION", x->is_size ? "size" : "entry"},
                                      {"BOURN_AT", at},
                                      {"BOURN_REASON", x->reason},
                                      {"BOURN_HELD", held},
                                      {"BOURN_READ", read}};
        bool good = unsetenv("BOURN_TOKEN") == 0;
        for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
            good = good && setenv(set[i][0], set[i][1], 1) == 0;
        if (good && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
            execl("/bin/sh", "sh", "-c", f->c->command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0 || status != 0)
        fprintf(stderr, "bourn-verify: the command of --exec failed\n");
}

static void alert(struct follower *f)
{
    struct verify_finding x = f->report.finding[0];
    char conflict[4096] = "";
    clean(x.reason);
    clean(f->report.origin);
    struct buf *b = begin(f, "violation");
    if (f->c->json) {
        buf_printf(b, ",\"clause\":\"%s\",\"%s\":%llu", verify_clause_id(x.clause),
                   x.is_size ? "size" : "entry", (unsigned long long)x.at);
        put_text(b, "reason", x.reason);
    } else {
        buf_printf(b, "VIOLATED %s at %s %llu: %s", verify_clause_id(x.clause), x.is_size ? "size" : "entry",
                   (unsigned long long)x.at, x.reason);
    }
    end(f);
    /* The head that was held stays where it is; the one that does not go with it is kept beside it. */
    struct slice read = verify_read_last(f->v);
    int n = f->c->state ? snprintf(conflict, sizeof conflict, "%s.conflict", f->c->state) : 0;
    if (n > 0 && (size_t)n < sizeof conflict && read.n && write_small(conflict, read) != BOURN_OK)
        fprintf(stderr, "bourn-verify: %s\n", err_text());
    if (f->c->command)
        run_command(f, &x, f->c->state ? f->c->state : "", conflict);
    say_report(f);
}

/* Keeps the head up to which all was replayed. */
static enum bourn_err keep(struct follower *f)
{
    struct slice head = verify_head(f->v);
    if (slice_eq(head, buf_slice(&f->kept)))
        return BOURN_OK;
    buf_clear(&f->kept);
    buf_put_slice(&f->kept, head);
    return f->c->state ? write_small(f->c->state, head) : BOURN_OK;
}

static void drop(struct follower *f)
{
    struct slice head = f->v ? verify_head(f->v) : (struct slice){0};
    if (head.n) {
        buf_clear(&f->seen);
        buf_put_slice(&f->seen, head);
    }
    verify_close(f->v);
    f->v = NULL;
    f->fetched = 0;
}

static enum bourn_err open_replay(struct follower *f)
{
    size_t n = f->c->heads_n;
    memcpy(f->heads, f->c->head, n * sizeof f->heads[0]);
    if (f->kept.n)
        f->heads[n++] = buf_slice(&f->kept);
    if (f->seen.n)
        f->heads[n++] = buf_slice(&f->seen);
    f->o.heads = f->heads;
    f->o.heads_n = n;
    return verify_open(&f->o, &f->v);
}

/* One look. True: it is over, with *code. */
static bool look(struct follower *f, int *code)
{
    enum bourn_err err = f->v ? BOURN_OK : open_replay(f);
    if (!f->v) {
        fprintf(stderr, "bourn-verify: %s\n", err_text());
        return true;
    }
    bool opened = err == BOURN_OK;
    err = opened ? verify_round(f->v) : err;
    verify_settle(f->v, err, &f->report);
    *code = verify_exit_code(&f->report);
    if (f->report.violations) {
        alert(f);
        return true;
    }
    if (err == BOURN_OK && keep(f) == BOURN_OK) {
        say_head(f);
        return false;
    }
    if (err == BOURN_OK) /* it would find no fork after a restart */
        snprintf(f->report.error, sizeof f->report.error, "%s", err_text());
    /* What no second look can change. */
    bool over =
        err == BOURN_OK || err == BOURN_E_USAGE || err == BOURN_E_UNAVAILABLE || err == BOURN_E_MEMORY;
    *code = err == BOURN_E_USAGE ? EX_USAGE_ : EX_UNREADABLE;
    if (over)
        fprintf(stderr, "bourn-verify: %s\n", f->report.error);
    else
        say_trouble(f);
    if (!over && (!opened || verify_torn(f->v)))
        drop(f);
    return over;
}

static enum bourn_err read_state(struct follower *f)
{
    if (!f->c->state || access(f->c->state, F_OK) != 0)
        return BOURN_OK;
    enum bourn_err err = read_small(f->c->state, &f->kept);
    struct merkle_checkpoint cp;
    return err == BOURN_OK ? merkle_checkpoint_open(buf_slice(&f->kept), &f->o.key, &cp) : err;
}

int follow(struct command *c)
{
    struct follower *f = calloc(1, sizeof *f);
    struct sigaction on = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    int code = EX_UNREADABLE;
    if (!f)
        return code;
    c->interval_s = c->interval_s ? c->interval_s : INTERVAL_S_DEFAULT;
    f->c = c;
    f->o = c->o;
    f->o.stays = true;
    buf_init(&f->kept, FILE_BYTES_MAX);
    buf_init(&f->seen, FILE_BYTES_MAX);
    buf_init(&f->line, 16u << 20);
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    bool over = read_state(f) != BOURN_OK;
    if (over)
        fprintf(stderr, "bourn-verify: %s: %s\n", c->state, err_text());
    while (!over && !ending) {
        over = look(f, &code);
        for (unsigned i = 0; !over && !ending && i < 10 * c->interval_s; i++)
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    if (ending && f->begun && !over)
        say_report(f);
    verify_close(f->v);
    buf_release(&f->kept);
    buf_release(&f->seen);
    buf_release(&f->line);
    free(f);
    return code;
}
