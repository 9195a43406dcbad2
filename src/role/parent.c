/* parent: starts vault (which recovers), signer, a relay if there are witnesses, and front, then only waits:
 * for one of them to die, or for a signal that asks it to stop. It holds no key, no data and no ring. */
#include "role/role_internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VAULT, SIGNER, RELAY, FRONT, ROLES };

struct parent {
    struct role_child roles[ROLES]; /* pid 0: not there (any more) */
    const struct role_options *options;
    int signals;
    bool stop;   /* a signal asked for it */
    bool reload; /* the same for the certificate */
};

/* Says how a role ended, if it ended in another way than it should. True: that was a failure. */
static bool report(const struct role_child *c, int status)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        log_error("the %s process was killed by SIG%s%s: stopping the others", c->name, name ? name : "?",
                  WTERMSIG(status) == SIGSYS ? " (a system call that its sandbox forbids)" : "");
        return true;
    }
    if (WEXITSTATUS(status) == 0)
        return false;
    log_error("the %s process ended with exit code %d: stopping the others", c->name, WEXITSTATUS(status));
    return true;
}

/* Collects roles that ended. True if one of them failed, or ended although nobody asked (`asked`: the one
 * that was). */
static bool reap(struct parent *p, int asked)
{
    bool failed = false;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < ROLES; i++) {
            if (p->roles[i].pid != pid)
                continue;
            p->roles[i].pid = 0;
            if (report(&p->roles[i], status)) {
                failed = true;
            } else if (i != asked) {
                log_error("the %s process ended though nobody asked it to: stopping the others",
                          p->roles[i].name);
                failed = true;
            }
        }
    }
    return failed;
}

static void kill_all(struct parent *p)
{
    for (int i = 0; i < ROLES; i++) {
        if (p->roles[i].pid > 0 && kill(p->roles[i].pid, SIGKILL) == 0)
            waitpid(p->roles[i].pid, NULL, 0);
        p->roles[i].pid = 0;
    }
}

/* Waits for a signal, or for a line from `control` (-1: none). False: time is over. */
static bool wait_event(struct parent *p, int control, int timeout_ms)
{
    struct pollfd fds[] = {{p->signals, POLLIN, 0}, {control, POLLIN, 0}};
    int n = poll(fds, 2, timeout_ms);
    if (n <= 0)
        return n < 0;
    struct signalfd_siginfo s;
    if (fds[0].revents && read(p->signals, &s, sizeof s) == sizeof s) {
        p->stop = p->stop || s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT;
        p->reload = p->reload || s.ssi_signo == SIGHUP;
    }
    return true;
}

/* Reads from a role until its ready line is whole. False: it died, or a signal came first. */
static bool await_ready(struct parent *p, int role)
{
    struct role_child *c = &p->roles[role];
    char line[sizeof c->ready];
    size_t n = 0;
    for (;;) {
        wait_event(p, c->control, -1);
        if (p->stop || reap(p, -1))
            return false;
        struct pollfd pf = {c->control, POLLIN, 0};
        if (poll(&pf, 1, 0) <= 0 || !pf.revents)
            continue;
        ssize_t got = read(c->control, line + n, 1); /* not into the line behind this one */
        if (got <= 0) { /* its end is closed: it is dying, and the next signal says how */
            wait_event(p, -1, 1000);
            reap(p, -1);
            return false;
        }
        n += (size_t)got;
        line[n] = '\0';
        if (line[n - 1] == '\n')
            break;
        if (n == sizeof line - 1)
            return false;
    }
    line[n - 1] = '\0';
    if (strncmp(line, "ready ", 6) != 0)
        return false;
    memcpy(c->ready, line + 6, n - 6);
    return true;
}

static void append(int *keep, size_t *n, const struct ring_fds *f)
{
    const int all[] = {f->own, f->peer, f->wake_own, f->wake_peer};
    memcpy(keep + *n, all, sizeof all);
    *n += 4;
}

static bool send_certificate(const struct parent *p)
{
    const struct role_options *o = p->options;
    if (role_send_certificate(p->roles[FRONT].control, o->tls_cert, o->tls_key) == BOURN_OK)
        return true;
    log_error("%s", err_text());
    return false;
}

enum { PAIRS = 3, FRONT_PAIR = 0, SIGNER_PAIR, RELAY_PAIR };
struct pairs {
    struct ring_fds vault[PAIRS], other[PAIRS]; /* vault's side and the other role's */
    size_t n;
};

static void close_pairs(struct pairs *r)
{
    for (size_t i = 0; i < r->n; i++) {
        ring_fds_close(&r->vault[i]);
        ring_fds_close(&r->other[i]);
    }
}

static bool start_role(struct parent *p, const struct pairs *r, int role, const char *last)
{
    static const char *const names[ROLES] = {"vault", "signer", "relay", "front"};
    static const int pair_of[ROLES] = {-1, SIGNER_PAIR, RELAY_PAIR, FRONT_PAIR};
    int keep[4 * PAIRS];
    size_t n = 0;
    for (int i = 0; role == VAULT && i < PAIRS; i++)
        append(keep, &n, &r->vault[i]);
    if (role != VAULT)
        append(keep, &n, &r->other[pair_of[role]]);
    if (role_start(&p->roles[role], names[role], keep, n, last) == BOURN_OK)
        return true;
    log_error("%s", err_text());
    return false;
}

static bool start_roles(struct parent *p, const struct pairs *r, const char *listen_at)
{
    const char *cell = p->options->cell, *urls = p->roles[VAULT].ready;
    /* vault is ready once it has compared its log with the head that the signer keeps */
    if (!start_role(p, r, VAULT, cell) || !start_role(p, r, SIGNER, cell) || !await_ready(p, SIGNER) ||
        !await_ready(p, VAULT))
        return false;
    if (urls[0] && (!start_role(p, r, RELAY, urls) || !await_ready(p, RELAY) || !await_ready(p, VAULT)))
        return false; /* vault is ready once more when it has asked the witnesses, or waited long enough */
    return start_role(p, r, FRONT, listen_at) && (!p->options->tls_cert || send_certificate(p)) &&
           await_ready(p, FRONT);
}

/* Starts the roles, one after the other. False: one did not come up, or a signal came first. */
static bool start_all(struct parent *p, const char *listen_at)
{
    struct pairs r = {.n = 0};
    for (; r.n < PAIRS; r.n++)
        if (ring_make(&r.vault[r.n], &r.other[r.n]) != BOURN_OK) {
            log_error("%s", err_text());
            close_pairs(&r);
            return false;
        }
    bool ok = start_roles(p, &r, listen_at);
    close_pairs(&r);
    return ok;
}

/* Asks one role after the other to finish, in the order in which they need each other. */
static int drain(struct parent *p)
{
    static const int order[ROLES] = {FRONT, VAULT, SIGNER, RELAY};
    for (size_t i = 0; i < ROLES; i++) {
        struct role_child *c = &p->roles[order[i]];
        uint64_t until = clock_mono_ms() + STOP_MS_MAX;
        if (c->pid && write(c->control, "q", 1) != 1)
            log_warning("the %s process does not listen any more", c->name);
        while (c->pid) {
            uint64_t now = clock_mono_ms();
            if (now >= until) {
                log_error("the %s process does not stop: killing it", c->name);
                return ROLE_EXIT_FAILED;
            }
            wait_event(p, -1, (int)(until - now));
            if (reap(p, order[i]))
                return ROLE_EXIT_FAILED;
        }
    }
    return 0;
}

/* CELL/address, for commands on this machine that want to talk HTTP to the cell (`bourn export`). Nothing
 * depends on it: after a stop the file stays, and whoever reads it asks admin.sock first whether the cell is
 * serving. */
static void leave_address(const char *cell, const char *url)
{
    int dir = open(cell, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0
                 ? -1
                 : openat(dir, "address.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t n = strlen(url);
    if (fd < 0 || write(fd, url, n) != (ssize_t)n || renameat(dir, "address.new", dir, "address") != 0)
        log_warning("cannot write the cell's file `address`");
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
}

static enum bourn_err confine(const struct role_options *o)
{
    char *folders[ROLE_FOLDERS_MAX + 1] = {NULL};
    enum bourn_err err = BOURN_E_INTERNAL;
    if (!o->tls_cert)
        return sandbox_enter(SANDBOX_PARENT);
    TRY(role_certificate_folders(o->tls_cert, o->tls_key, folders));
    TRY(sandbox_enter_reading((const char *const *)folders));
out:
    for (size_t i = 0; i < ROLE_FOLDERS_MAX; i++)
        free(folders[i]);
    return err;
}

static int run(struct parent *p)
{
    const struct role_options *o = p->options;
    char line[256], listen_at[256];
    const char *scheme = o->tls_cert ? ROLE_HTTPS : "http://";
    snprintf(listen_at, sizeof listen_at, "%s%s%s%s", o->tls_cert ? ROLE_HTTPS : "", o->listen,
             o->metrics ? "," : "", o->metrics ? o->metrics : "");
    if (!start_all(p, listen_at)) {
        if (p->stop)
            return 0;
        log_error("the cell cannot be served");
        return ROLE_EXIT_UNAVAILABLE;
    }
    char url[256], *metrics = strchr(p->roles[FRONT].ready, ',');
    if (metrics)
        *metrics++ = '\0';
    snprintf(url, sizeof url, "%s%.200s", scheme, p->roles[FRONT].ready);
    leave_address(o->cell, url);
    if (confine(o) != BOURN_OK) {
        log_error("%s", err_text());
        return ROLE_EXIT_UNAVAILABLE;
    }
    int n = metrics ? snprintf(line, sizeof line, "metrics on http://%s/metrics\n", metrics) : 0;
    if (n && write(STDOUT_FILENO, line, (size_t)n) != n)
        log_warning("cannot write to standard output");
    n = snprintf(line, sizeof line, "listening on %s\n", url);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        log_warning("cannot write to standard output");
    while (!p->stop) {
        wait_event(p, -1, -1);
        if (reap(p, -1))
            return ROLE_EXIT_FAILED;
        if (p->reload && !send_certificate(p))
            log_error("the old certificate stays in use");
        p->reload = false;
    }
    return drain(p);
}

int role_parent(const struct role_options *o)
{
    struct parent p = {.signals = -1, .options = o};
    struct sockaddr_storage at;
    socklen_t at_n;
    sigset_t set;
    log_init("parent", LOG_LEVEL_INFO);
    if (!o->tls_cert != !o->tls_key) {
        log_error("TLS needs both --tls-cert and --tls-key");
        return ROLE_EXIT_USAGE;
    }
    if (role_address_parse(o->listen, o->tls_cert != NULL, &at, &at_n) != BOURN_OK) {
        log_error("%s", err_text());
        return ROLE_EXIT_USAGE;
    }
    if (o->metrics && role_address_parse(o->metrics, false, &at, &at_n) != BOURN_OK) {
        log_error("--metrics takes a loopback address, such as 127.0.0.1:9700");
        return ROLE_EXIT_USAGE;
    }
    /* The roles inherit the mask: a Ctrl-C at the terminal must not kill them before they drained. */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    if (o->tls_cert)
        sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (p.signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0) {
        log_error("cannot wait for signals");
        return ROLE_EXIT_UNAVAILABLE;
    }
    int code = run(&p);
    kill_all(&p);
    return code;
}
