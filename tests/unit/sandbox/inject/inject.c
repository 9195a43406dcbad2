/* inject-syscall PID NAME [PATH]: stops a running process, makes it do one system call, puts it back as it
 * was and lets it go on. Prints what happened: returned N    exit 0: the call worked error NAME    exit 2:
 * the kernel refused it (Landlock: EACCES) killed SIGSYS exit 3: the seccomp filter killed the process Exit
 * 64: usage; 69: cannot attach; 77: this machine's processor is not known here. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

#define PATH_HERE UINT64_MAX /* replaced by the address of PATH in the process */

struct call {
    const char *name;
    long number;
    uint64_t args[6];
};

static const struct call calls[] = {
    {"getpid", SYS_getpid, {0}},
    {"openat", SYS_openat, {(uint64_t)AT_FDCWD, PATH_HERE, O_RDONLY}},
    {"create", SYS_openat, {(uint64_t)AT_FDCWD, PATH_HERE, O_RDWR | O_CREAT, 0600}},
    {"unlink", SYS_unlinkat, {(uint64_t)AT_FDCWD, PATH_HERE, 0}},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"connect", SYS_connect, {0, 0, 0}},
    {"bind", SYS_bind, {0, 0, 0}},
    {"execve", SYS_execve, {PATH_HERE, 0, 0}},
    {"fork", SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
    {"ptrace", SYS_ptrace, {PTRACE_ATTACH, 1, 0, 0}},
    {"kill", SYS_kill, {1, 0}},
    {"mmap-exec", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX - 1, 0}},
    {"prctl-dumpable", SYS_prctl, {4, 1, 0, 0, 0}},
    {"recvmsg", SYS_recvmsg, {0, 0, 0}},
    {"pwrite", SYS_pwrite64, {UINT64_MAX - 1, 0, 0, 0}},
    {"getrandom", SYS_getrandom, {0, 0, 0}},
};

static int usage(void)
{
    fprintf(stderr, "usage: inject-syscall PID NAME [PATH]\nNAME is one of:");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        fprintf(stderr, " %s", calls[i].name);
    fprintf(stderr, "\n");
    return 64;
}

static int fail(const char *what)
{
    fprintf(stderr, "inject-syscall: %s: %s\n", what, strerror(errno));
    return 69;
}

static int poke(pid_t pid, uint64_t at, const void *p, size_t n)
{
    uint8_t padded[512] = {0};
    if (n > sizeof padded - 8)
        return -1;
    memcpy(padded, p, n);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, padded + i, 8);
        if (ptrace(PTRACE_POKEDATA, pid, at + i, word) != 0)
            return -1;
    }
    return 0;
}

/* Waits until the process stops or ends: 0 stopped, else the exit code after it has printed how it ended. */
static int wait_stop(pid_t pid)
{
    int status;
    for (;;) {
        if (waitpid(pid, &status, __WALL) != pid)
            return fail("waitpid");
        if (WIFSTOPPED(status))
            return 0;
        if (WIFSIGNALED(status)) {
            printf("killed %s\n", WTERMSIG(status) == SIGSYS ? "SIGSYS" : strsignal(WTERMSIG(status)));
            return 3;
        }
        printf("exited %d\n", WEXITSTATUS(status));
        return 4;
    }
}

/* Stops the process where it waits in a system call: behind an instruction `syscall`, which is used again. No
 * code is written: another thread may run the same function just then (since glibc 2.41 nearly all calls
 * share one). */
static int stop_in_call(pid_t pid, struct user_regs_struct *regs)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0)
            return fail("stopping the process");
        int ended = wait_stop(pid);
        if (ended)
            return ended;
        if (ptrace(PTRACE_GETREGS, pid, NULL, regs) != 0)
            return fail("reading registers");
        errno = 0;
        long code = ptrace(PTRACE_PEEKTEXT, pid, regs->rip - 2, NULL);
        if (!errno && (code & 0xffff) == 0x050f)
            return 0;
        if (ptrace(PTRACE_CONT, pid, NULL, NULL) != 0)
            return fail("letting the process go on");
        usleep(1000);
    }
    errno = EAGAIN;
    return fail("the process does not wait in a system call");
}

static int run(pid_t pid, const struct call *call, const char *path)
{
    struct user_regs_struct saved, regs;
    int stopped = stop_in_call(pid, &saved);
    if (stopped)
        return stopped;
    uint64_t there = (saved.rsp - 4096) & ~15ull; /* below the red zone */
    if (poke(pid, there, path, strlen(path) + 1) != 0)
        return fail("writing the path");
    uint64_t a[6];
    for (int i = 0; i < 6; i++)
        a[i] = call->args[i] == PATH_HERE        ? there
               : call->args[i] == UINT64_MAX - 1 ? UINT64_MAX
                                                 : call->args[i];
    regs = saved;
    regs.rip -= 2;
    regs.rax = (uint64_t)call->number;
    regs.orig_rax = UINT64_MAX; /* not in a system call: the kernel must not restart one */
    regs.rdi = a[0];
    regs.rsi = a[1];
    regs.rdx = a[2];
    regs.r10 = a[3];
    regs.r8 = a[4];
    regs.r9 = a[5];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0 || ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
        return fail("starting the call");
    int ended = wait_stop(pid);
    if (ended)
        return ended;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
        return fail("reading the result");
    long result = (long)regs.rax;
    if (ptrace(PTRACE_SETREGS, pid, NULL, &saved) != 0)
        return fail("putting the process back");
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
        return fail("letting the process go");
    if (result < 0 && result > -4096)
        printf("error %s\n", strerrorname_np((int)-result));
    else
        printf("returned %ld\n", result);
    return result < 0 && result > -4096 ? 2 : 0;
}

int main(int argc, char **argv)
{
    const struct call *call = NULL;
    for (size_t i = 0; argc >= 3 && i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(argv[2], calls[i].name) == 0)
            call = &calls[i];
    if (!call || argc > 4)
        return usage();
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    if (pid <= 1 || ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
        return fail("attaching (root, or a process of one's own that may be traced)");
    return run(pid, call, argc > 3 ? argv[3] : "/etc/passwd");
}

#else
int main(void)
{
    fprintf(stderr, "inject-syscall: only for x86-64 so far\n");
    return 77;
}
#endif
