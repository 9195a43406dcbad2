/* power_cut: simulated power cuts. Runs seeded workloads on a recorded cell, rebuilds states that a cut can
 * leave (disk.h), and checks each (check.h). docs/POWER-CUTS.md */
#include "cell.h"
#include "check.h"
#include "recorder.h"
#include "workload.h"

#include "crypto/crypto.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES_MAX = 8192, STATE_TIMEOUT_S = 60, WHY_BYTES = 900 };

struct options {
    unsigned states, workloads, jobs, again_percent;
    uint64_t seed;
    bool find; /* findings are what is wanted */
    const char *dir, *late, *keep;
    struct trace_lost lost[TRACE_LOST_MAX];
    unsigned lost_n;
    const char *trace, *make_trace, *root; /* for test_processes.py: make a trace, build a state of one */
    size_t cut;
};

struct totals { /* shared by the jobs */
    uint64_t states, again, findings, workloads, failed, lost, events;
    bool stop;
};
static struct totals *totals;
static struct options o = {
    .states = 300, .workloads = 20, .jobs = 4, .again_percent = 15, .seed = 1, .dir = "/dev/shm"};

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(2);
}

static void *shared(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

struct job {
    char base[100], run[128], state[128], again[128], trace[128], trace2[128];
    struct entries whole;
    struct expectation *e;
    char *why; /* shared with the child */
    uint64_t workload;
};

/* Runs the check in a process of its own: whatever it does there, a crash is a finding too. */
static bool check_apart(struct job *j, const char *folder)
{
    char cell[160];
    int status = 0;
    snprintf(cell, sizeof cell, "%s/cn", folder);
    j->why[0] = '\0';
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        char log[160];
        snprintf(log, sizeof log, "%s/log", folder);
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        alarm(STATE_TIMEOUT_S);
        _exit(check_cell(cell, j->e, &j->whole, j->why, WHY_BYTES) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (!WIFEXITED(status))
        snprintf(j->why + strlen(j->why), WHY_BYTES - strlen(j->why), " the process ended by signal %d",
                 WTERMSIG(status));
    return false;
}

/* Builds what was found once more and checks it: what holds then came of the machine's load, or of threads.
 */
static void report(struct job *j, struct disk *d, size_t k, uint64_t seed, const char *folder,
                   const char *stage)
{
    uint64_t n = __atomic_add_fetch(&totals->findings, 1, __ATOMIC_RELAXED);
    if (n <= 20) {
        printf("finding: workload %llu, cut before event %zu, state %llu%s: %s\n",
               (unsigned long long)j->workload, k, (unsigned long long)seed, stage, j->why);
        fflush(stdout);
        disk_build(d, k, seed, folder);
        printf("  the same state once more: %s\n", check_apart(j, folder) ? "it holds" : j->why);
        fflush(stdout);
    }
    if (n == 1 && o.keep) {
        char command[1024];
        snprintf(command, sizeof command, "mkdir -p '%s' && cp -a --sparse=always '%s' '%s' '%s/'", o.keep,
                 j->trace, j->run, o.keep);
        if (system(command) != 0)
            fprintf(stderr, "could not keep the trace\n");
    }
    if (o.find)
        totals->stop = true;
}

/* A second cut, while bourn recovers from the first. */
static void cut_again(struct job *j, uint64_t seed)
{
    struct trace_head *h = trace_make(j->trace2, j->state);
    char cell[160];
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        struct cell *c = calloc(1, sizeof *c);
        int null = open("/dev/null", O_WRONLY);
        snprintf(cell, sizeof cell, "%s/cn", j->state);
        dup2(null, 2);
        alarm(STATE_TIMEOUT_S);
        cell_clock(j->e->now);
        recorder_begin(h);
        recorder_base();
        recorder_mark("", 0); /* where the base ends */
        enum bourn_err err = c ? cell_open(c, cell) : BOURN_E_MEMORY;
        if (err == BOURN_OK)
            recorder_kill_self();
        _exit(1);
    }
    waitpid(pid, NULL, 0); /* what was wrong is found below */
    struct disk *d = disk_load(h);
    size_t base = 0, n = disk_events(d);
    while (base < n && disk_event(d, base)->type != TRACE_MARK)
        base++;
    if (base < n) {
        uint64_t r = seed ^ 0x5eed;
        size_t cut = base + 1 + fault_random(&r) % (n - base);
        disk_build(d, cut, r, j->again);
        if (!check_apart(j, j->again))
            report(j, d, cut, r, j->again, " and once more while it recovered");
        __atomic_add_fetch(&totals->again, 1, __ATOMIC_RELAXED);
    }
    disk_free(d);
    trace_close(h);
}

/* Where to cut: anywhere after the cell was made; often directly behind an answer, before more is written. */
static size_t choose_cut(const struct disk *d, size_t first, uint64_t *r)
{
    size_t n = disk_events(d), k = first + fault_random(r) % (n - first + 1);
    if (fault_random(r) % 3 == 0)
        while (k < n && disk_event(d, k)->type != TRACE_MARK)
            k++;
    if (fault_random(r) % 2 == 0 && k < n && disk_event(d, k)->type == TRACE_MARK)
        k++;
    return k;
}

static void cut(struct job *j, struct disk *d, unsigned states, uint64_t r)
{
    size_t first = 0;
    struct story ready;
    for (; first < disk_events(d); first++) {
        const struct trace_event *e = disk_event(d, first);
        if (e->type == TRACE_MARK && e->data_n == sizeof ready) {
            memcpy(&ready, e->rest, sizeof ready);
            if (ready.kind == STORY_READY)
                break;
        }
    }
    for (unsigned i = 0; i < states && !totals->stop; i++) {
        size_t k = choose_cut(d, first + 1, &r);
        uint64_t seed = fault_random(&r);
        expect(d, k, seed, j->e);
        disk_build(d, k, seed, j->state);
        if (fault_random(&r) % 100 < o.again_percent)
            cut_again(j, seed);
        else if (!check_apart(j, j->state))
            report(j, d, k, seed, j->state, "");
        __atomic_add_fetch(&totals->states, 1, __ATOMIC_RELAXED);
    }
}

static void workload(struct job *j, uint64_t number)
{
    char cell[160];
    uint64_t r = o.seed * 1000 + number;
    j->workload = r;
    disk_empty(j->run);
    mkdir(j->run, 0700);
    struct trace_head *h = trace_make(j->trace, j->run);
    memcpy(h->lost, o.lost, sizeof h->lost);
    snprintf(h->late, sizeof h->late, "%s", o.late ? o.late : "");
    bool ok = workload_run(h, j->run, r);
    snprintf(cell, sizeof cell, "%s/cn", j->run);
    if (ok)
        j->whole.n = entries_read(cell, j->whole.hash, ENTRIES_MAX);
    if (!ok || j->whole.n == 0) {
        fprintf(stderr, "workload %llu did not come to its end\n", (unsigned long long)r);
        __atomic_add_fetch(&totals->failed, 1, __ATOMIC_RELAXED);
        trace_close(h);
        return;
    }
    struct disk *d = disk_load(h);
    unsigned share = o.states / o.workloads + (number < o.states % o.workloads);
    __atomic_add_fetch(&totals->workloads, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&totals->lost, h->lost_n, __ATOMIC_RELAXED);
    __atomic_add_fetch(&totals->events, disk_events(d), __ATOMIC_RELAXED);
    cut(j, d, share, r);
    disk_free(d);
    trace_close(h);
}

static void work(unsigned which)
{
    struct job j = {.e = calloc(1, sizeof *j.e), .why = shared(WHY_BYTES)};
    j.whole.hash = calloc(ENTRIES_MAX, 32);
    if (!j.e || !j.whole.hash)
        die("memory");
    snprintf(j.base, sizeof j.base, "%.60s/bourn-cut.%d.%u", o.dir, getppid(), which);
    snprintf(j.run, sizeof j.run, "%s/run", j.base);
    snprintf(j.state, sizeof j.state, "%s/state", j.base);
    snprintf(j.again, sizeof j.again, "%s/again", j.base);
    snprintf(j.trace, sizeof j.trace, "%s/trace", j.base);
    snprintf(j.trace2, sizeof j.trace2, "%s/trace2", j.base);
    mkdir(j.base, 0700);
    for (uint64_t i = which; i < o.workloads && !totals->stop; i += o.jobs)
        workload(&j, i);
    disk_empty(j.base);
    rmdir(j.base);
    fflush(stdout);
}

static void lose(const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon || o.lost_n == TRACE_LOST_MAX) {
        fprintf(stderr, "--lose CALL:NAME, at most %d times\n", TRACE_LOST_MAX);
        exit(64);
    }
    struct trace_lost *l = &o.lost[o.lost_n++];
    snprintf(l->call, sizeof l->call, "%.*s", (int)(colon - text), text);
    snprintf(l->name, sizeof l->name, "%s", colon + 1);
}

static void read_options(int argc, char **argv)
{
    static const struct option long_options[] = {{"states", 1, NULL, 's'},     {"workloads", 1, NULL, 'w'},
                                                 {"seed", 1, NULL, 'r'},       {"jobs", 1, NULL, 'j'},
                                                 {"lose", 1, NULL, 'l'},       {"late", 1, NULL, 'a'},
                                                 {"find", 0, NULL, 'f'},       {"dir", 1, NULL, 'd'},
                                                 {"keep", 1, NULL, 'k'},       {"trace", 1, NULL, 't'},
                                                 {"make-trace", 1, NULL, 'm'}, {"root", 1, NULL, 'o'},
                                                 {"cut", 1, NULL, 'c'},        {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (c) {
        case 's':
            o.states = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            o.workloads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'j':
            o.jobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'l':
            lose(optarg);
            break;
        case 'a':
            o.late = optarg;
            break;
        case 'f':
            o.find = true;
            break;
        case 'd':
            o.dir = optarg;
            break;
        case 'k':
            o.keep = optarg;
            break;
        case 't':
            o.trace = optarg;
            break;
        case 'm':
            o.make_trace = optarg;
            break;
        case 'o':
            o.root = optarg;
            break;
        case 'c':
            o.cut = strtoull(optarg, NULL, 10);
            break;
        default:
            exit(64);
        }
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (crypto_init() != BOURN_OK)
        return 2;
    if (o.make_trace && o.root) {
        struct trace_head *h = trace_make(o.make_trace, o.root);
        memcpy(h->lost, o.lost, sizeof h->lost);
        return 0;
    }
    if (o.trace) { /* one state of a kept trace, built in --dir */
        struct trace_head *h = trace_open(o.trace);
        struct disk *d = disk_load(h);
        size_t n = disk_events(d);
        printf("%zu events\n", n);
        disk_build(d, o.cut < n ? o.cut : n, o.seed, o.dir);
        return 0;
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    totals = shared(sizeof *totals);
    for (unsigned i = 0; i < o.jobs; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            work(i);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < o.jobs; i++) {
        int status;
        wait(&status);
        totals->failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%llu states of %llu workloads (%llu events), %llu of them cut again during recovery, %.0f s: "
           "%llu findings",
           (unsigned long long)totals->states, (unsigned long long)totals->workloads,
           (unsigned long long)totals->events, (unsigned long long)totals->again,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
           (unsigned long long)totals->findings);
    printf(o.lost_n ? "; %llu syncs were taken out\n" : "\n", (unsigned long long)totals->lost);
    if (totals->failed)
        return 2;
    return (totals->findings > 0) == o.find ? 0 : 1;
}
