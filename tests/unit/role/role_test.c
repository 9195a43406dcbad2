/* parent with real processes and a vault that the test plays: start, drain, and what happens when a role
 * dies. */
#include "role_test.h"

#include "base/clock.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"
#include "role/role.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

char cell[64] = "/tmp/bourn-role-XXXXXX";

static void put(const char *name, struct slice bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", cell, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
        abort();
    close(fd);
}

static int make_cell(void **state)
{
    (void)state;
    uint8_t seed[32], pk[32], secret[64];
    char path[128];
    struct merkle_vkey k;
    struct buf text;
#ifdef __SANITIZE_ADDRESS__
    setenv("BOURN_SANDBOX", "off", 1);
#endif
    if (crypto_init() != BOURN_OK || !mkdtemp(cell))
        return -1;
    snprintf(path, sizeof path, "%s/signer", cell);
    mkdir(path, 0700);
    memset(seed, 7, sizeof seed);
    crypto_sign_from_seed(pk, secret, seed);
    put("signer/log.key", slice_of(seed, sizeof seed));
    merkle_vkey_init(&k, "test.example/log", 0x01, pk);
    buf_init(&text, 1024);
    merkle_vkey_put(&text, &k);
    buf_put_str(&text, "\n");
    put("ledger.vkey", buf_slice(&text));
    buf_release(&text);
    return 0;
}

static int remove_cell(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", cell);
    return system(command);
}

struct service {
    pid_t pid;
    int out, err;
    char said[256];
};

static struct service serve(const char *behave, const char *listen_at)
{
    struct service s = {0};
    int out[2], err[2];
    put("behave", slice_str(behave));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    s.pid = fork();
    if (s.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        const struct role_options o = {.cell = cell, .listen = listen_at};
        _exit(role_parent(&o));
    }
    close(out[1]);
    close(err[1]);
    s.out = out[0];
    s.err = err[0];
    struct pollfd pf = {s.out, POLLIN, 0};
    if (poll(&pf, 1, 10000) == 1) {
        ssize_t n = read(s.out, s.said, sizeof s.said - 1);
        s.said[n > 0 ? n : 0] = '\0';
    }
    return s;
}

/* Exit code; what it said on standard error is in s->said. Its end means the end of all roles too: they hold
 * the pipe. */
static int finish(struct service *s)
{
    size_t n = 0;
    ssize_t got;
    struct pollfd pf = {s->err, POLLIN, 0};
    while (n < sizeof s->said - 1 && poll(&pf, 1, 10000) == 1 &&
           (got = read(s->err, s->said + n, sizeof s->said - 1 - n)) > 0)
        n += (size_t)got;
    s->said[n] = '\0';
    int status;
    if (poll(&pf, 1, 0) == 0)
        kill(s->pid, SIGKILL); /* it should have ended: the test says so, instead of waiting for ever */
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    close(s->out);
    close(s->err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static pid_t child_named(pid_t parent, const char *name)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *f = fopen(path, "r");
    long pid;
    pid_t found = 0;
    while (f && fscanf(f, "%ld", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%ld/comm", pid);
        FILE *c = fopen(path, "r");
        if (c && fgets(text, sizeof text, c) && strncmp(text, name, strlen(name)) == 0)
            found = (pid_t)pid;
        if (c)
            fclose(c);
    }
    if (f)
        fclose(f);
    return found;
}

static void test_start_and_stop(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct service s = serve("", "127.0.0.1:0");
        char command[256];
        unsigned port = 0;
        assert_int_equal(sscanf(s.said, "listening on http://127.0.0.1:%u\n", &port), 1);
        snprintf(command, sizeof command, "curl -fs -m 5 http://127.0.0.1:%u/healthz >/dev/null", port);
        assert_int_equal(system(command), 0);
        kill(s.pid, signals[i]);
        assert_int_equal(finish(&s), 0);
        assert_string_equal(s.said, "");
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"0.0.0.0:80",
                                      "192.168.1.1:80",
                                      "[::]:80",
                                      "[2001:db8::1]:80",
                                      "128.0.0.1:80",
                                      "example.com:80",
                                      "127.0.0.1",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:x",
                                      ":80",
                                      "[::1]",
                                      "::1:80",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct service s = serve("", bad[i]);
        assert_int_equal(finish(&s), 64);
        assert_non_null(strstr(s.said, i < 5 ? "needs --tls-cert and --tls-key" : "--listen takes"));
    }
    struct service s = serve("", "127.8.9.10:0");
    assert_memory_equal(s.said, "listening on http://127.8.9.10:", 31);
    kill(s.pid, SIGTERM);
    assert_int_equal(finish(&s), 0);
}

static void test_cannot_start(void **state)
{
    (void)state;
    struct service s = serve("refuse", "127.0.0.1:0");
    assert_string_equal(s.said, "");
    assert_int_equal(finish(&s), 69);
    assert_non_null(strstr(s.said, "bourn vault: error: this cell is broken on purpose"));
    assert_non_null(strstr(s.said, "the vault process ended with exit code 69"));
}

static void test_a_role_dies(void **state)
{
    (void)state;
    static const struct {
        const char *behave, *say;
    } by_itself[] = {{"abort", "the vault process was killed by SIGABRT"},
                     {"leave", "the vault process ended though nobody asked it to"},
                     {"oldroot", "the signer process ended with exit code 70"}};
    for (size_t i = 0; i < sizeof by_itself / sizeof by_itself[0]; i++) {
        struct service s = serve(by_itself[i].behave, "127.0.0.1:0");
        assert_int_equal(finish(&s), 70);
        assert_non_null(strstr(s.said, by_itself[i].say));
    }
    static const char *const names[] = {"bourn-front", "bourn-vault", "bourn-signer"};
    for (size_t i = 0; i < 3; i++) {
        struct service s = serve("", "127.0.0.1:0");
        char want[64];
        pid_t role = child_named(s.pid, names[i]);
        assert_true(role > 0);
        kill(role, SIGKILL);
        assert_int_equal(finish(&s), 70);
        snprintf(want, sizeof want, "the %s process was killed by SIGKILL", names[i] + 6);
        assert_non_null(strstr(s.said, want));
    }
    struct service s = serve("baddrain", "127.0.0.1:0");
    kill(s.pid, SIGTERM);
    assert_int_equal(finish(&s), 70);
    assert_non_null(strstr(s.said, "the vault process ended with exit code 3"));
}

/* kill -9 of the parent leaves nobody behind: the pipe that all hold ends. */
static void test_parent_is_killed(void **state)
{
    (void)state;
    struct service s = serve("", "127.0.0.1:0");
    uint64_t start = clock_mono_ms();
    kill(s.pid, SIGKILL);
    assert_int_equal(finish(&s), 1000 + SIGKILL);
    assert_true(clock_mono_ms() - start < 5000);
}

/* What a role inherits: its rings, its control socket, standard error; nothing of the environment. */
static void test_only_what_it_needs(void **state)
{
    (void)state;
    int stray = open("/dev/null", O_RDONLY); /* without close-on-exec */
    setenv("BOURN_TOKEN", "a secret of the shell", 1);
    struct service s = serve("", "127.0.0.1:0");
    unsetenv("BOURN_TOKEN");
    pid_t signer = child_named(s.pid, "bourn-signer");
    char path[64], room[4096];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)signer);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, room, sizeof room) : 0;
    assert_null(n > 0 ? memmem(room, (size_t)n, "BOURN_TOKEN", 11) : NULL);
    if (fd >= 0)
        close(fd);
    snprintf(path, sizeof path, "ls /proc/%d/fd | wc -l", (int)signer);
    FILE *f = popen(path, "r");
    int count = 0;
    assert_int_equal(fscanf(f, "%d", &count), 1);
    pclose(f);
    /* 3 standard, 4 of the ring, control, the head's file. Only root can look: the role is not dumpable. */
    assert_in_range(count, getuid() == 0 ? 5 : 0, 9);
    close(stray);
    kill(s.pid, SIGTERM);
    assert_int_equal(finish(&s), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--role") == 0)
        return role_main(argc, argv);
    const struct CMUnitTest tests[] = {
        /* The first leaves a head of size 33 behind, which the later ones build on. */
        cmocka_unit_test(test_signer_signs_what_extends),
        cmocka_unit_test(test_signer_stops_on_anything_else),
        cmocka_unit_test(test_signer_signs_receipts_of_its_head),
        cmocka_unit_test(test_signer_signs_events_of_its_head),
        cmocka_unit_test(test_signer_start),
        cmocka_unit_test(test_start_and_stop),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_a_role_dies),
        cmocka_unit_test(test_parent_is_killed),
        cmocka_unit_test(test_only_what_it_needs),
    };
    return cmocka_run_group_tests(tests, make_cell, remove_cell);
}
