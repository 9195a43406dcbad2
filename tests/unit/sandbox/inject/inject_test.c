/* inject-syscall itself: it tells what happened, and a process that survives goes on where it was. */
#include "base/slice.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct victim {
    pid_t pid;
    int to, from;
};

static const char *bin(const char *name)
{
    static char path[4096];
    const char *dir = getenv("BOURN_BIN");
    snprintf(path, sizeof path, "%s/%s", dir ? dir : ".", name);
    return path;
}

static struct victim start(const char *role)
{
    int in[2], out[2];
    char c = 0;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    struct victim v = {.to = in[1], .from = out[0]};
    v.pid = fork();
    if (v.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl(bin("sandbox-victim"), "sandbox-victim", role, "/tmp", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(read(v.from, &c, 1), 1);
    assert_int_equal(c, 'r');
    return v;
}

static void end(struct victim *v)
{
    close(v->to);
    close(v->from);
    kill(v->pid, SIGKILL);
    waitpid(v->pid, NULL, 0);
}

static bool alive(struct victim *v)
{
    char c = 0;
    return write(v->to, "x", 1) == 1 && read(v->from, &c, 1) == 1 && c == 'x';
}

/* Runs the program on v; its output goes to `said`, its exit code comes back. */
static int inject(const struct victim *v, const char *name, const char *path, char said[64])
{
    char command[5000];
    snprintf(command, sizeof command, "%s %d %s %s", bin("inject-syscall"), (int)v->pid, name, path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(said, 1, 63, f);
    said[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *role, const char *name, const char *path, int code, const char *words)
{
    char said[64];
    struct victim v = start(role);
    int got = inject(&v, name, path, said);
    if (got == 77 || got == 69) {
        end(&v);
        skip(); /* another processor, or not root */
    }
    if (got != code || strncmp(said, words, strlen(words)) != 0)
        print_error("%s %s: %s", role, name, said);
    assert_int_equal(got, code);
    assert_memory_equal(said, words, strlen(words));
    if (code != 3) {
        assert_true(alive(&v));
        assert_int_equal(inject(&v, "getpid", "", said), 0);
        assert_true(alive(&v));
    }
    end(&v);
}

static void test_outside(void **state)
{
    (void)state;
    expect("none", "getpid", "", 0, "returned ");
    expect("none", "openat", "/etc/passwd", 0, "returned ");
    expect("none", "openat", "/nowhere/at/all", 2, "error ENOENT");
    expect("none", "socket", "", 0, "returned ");
}

static void test_confined(void **state)
{
    (void)state;
    expect("front", "openat", "/etc/passwd", 3, "killed SIGSYS");
    expect("front", "getrandom", "", 0, "returned ");
    expect("vault", "openat", "/etc/passwd", 2, "error EACCES");
    expect("vault", "socket", "", 3, "killed SIGSYS");
    expect("signer", "openat", "/etc/passwd", 3, "killed SIGSYS");
    expect("parent", "execve", "/bin/true", 3, "killed SIGSYS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outside), cmocka_unit_test(test_confined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
