/* How the parent starts a role: a fork and an exec of its own binary, so that no memory of the parent is
 * shared, with the descriptors that the role needs and no other. */
#include "role/role_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KEEP_MAX = 13, ARGS_MAX = KEEP_MAX + 6, ENV_MAX = 8 };

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* Roles get an empty environment. Debug builds pass on the sandbox's switch and the sanitizers' options. */
static void make_environment(char *out[ENV_MAX])
{
    size_t n = 0;
#ifdef BOURN_DEBUG
    static const char *const names[] = {"BOURN_SANDBOX", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    static char lines[sizeof names / sizeof names[0]][512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (!value)
            continue;
        snprintf(lines[i], sizeof lines[i], "%s=%s", names[i], value);
        out[n++] = lines[i];
    }
#endif
    out[n] = NULL;
}

/* In the child, between fork and exec. Returns only if something failed. */
static void become(char *const argv[], char *const envp[], const int *keep, size_t keep_n, pid_t parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Standard input and output stay with the parent: a role that held them would keep a reader of `serve`
     * waiting. */
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        return;
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
        return;
    for (size_t i = 0; i < keep_n; i++)
        if (fcntl(keep[i], F_SETFD, 0) != 0)
            return;
    execve("/proc/self/exe", argv, envp);
}

enum bourn_err role_start(struct role_child *c, const char *name, const int *keep, size_t keep_n,
                          const char *last)
{
    int pair[2];
    char title[32], option[] = "--role", word[16], numbers[KEEP_MAX][12], *argv[ARGS_MAX], *envp[ENV_MAX],
                    path[ROLE_READY_BYTES_MAX];
    int fds[KEEP_MAX];
    bourn_assert(keep_n < KEEP_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot make a socket pair for the %s process", name);
    memcpy(fds, keep, keep_n * sizeof *keep);
    fds[keep_n++] = pair[1];
    snprintf(title, sizeof title, "bourn: %s", name);
    snprintf(word, sizeof word, "%s", name);
    snprintf(path, sizeof path, "%s", last);
    size_t n = 0;
    argv[n++] = title;
    argv[n++] = option;
    argv[n++] = word;
    for (size_t i = 0; i < keep_n; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", fds[i]);
        argv[n++] = numbers[i];
    }
    argv[n++] = path;
    argv[n] = NULL;
    make_environment(envp);

    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(argv, envp, fds, keep_n, parent);
        fprintf(stderr, "bourn: cannot start the %s process: %s\n", name, strerror(errno));
        _exit(ROLE_EXIT_UNAVAILABLE);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(BOURN_E_UNAVAILABLE, "cannot start the %s process", name);
    }
    *c = (struct role_child){.name = name, .pid = pid, .control = pair[0]};
    return BOURN_OK;
}
