#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { END = -1 };

/* Memory, clocks, signals to itself, and the end: what every program needs. Calls with a rule for their
 * arguments (mmap, mprotect, tgkill, fcntl, …) are added in code below. */
static const int everybody[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(munlock),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    END,
};

static const int parent[] = {SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(wait4), END};

/* Sockets that exist, and those that come in through the listening one. recvmsg is not here: nobody can hand
 * it a descriptor. */
static const int front[] = {
    SCMP_SYS(accept4),     SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),      SCMP_SYS(sendmsg),
    SCMP_SYS(readv),       SCMP_SYS(writev),
    SCMP_SYS(shutdown),    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),  SCMP_SYS(epoll_pwait),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(sched_yield), END,
};

/* Files (Landlock says which), the admin socket's connections, threads. */
static const int vault[] = {
    SCMP_SYS(openat),          SCMP_SYS(lseek),
    SCMP_SYS(pread64),         SCMP_SYS(pwrite64),
    SCMP_SYS(readv),           SCMP_SYS(writev),
    SCMP_SYS(preadv),          SCMP_SYS(pwritev),
    SCMP_SYS(fdatasync),       SCMP_SYS(fsync),
    SCMP_SYS(syncfs),          SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),       SCMP_SYS(rename),
    SCMP_SYS(renameat),        SCMP_SYS(renameat2),
    SCMP_SYS(unlink),          SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),           SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),         SCMP_SYS(getdents64),
    SCMP_SYS(fstat),           SCMP_SYS(newfstatat),
    SCMP_SYS(statx),           SCMP_SYS(fstatfs),
    SCMP_SYS(flock),           SCMP_SYS(msync),
    SCMP_SYS(mlock),           SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),        SCMP_SYS(sendto),
    SCMP_SYS(shutdown),        SCMP_SYS(poll),
    SCMP_SYS(ppoll),           SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),       SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),     SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),  SCMP_SYS(timerfd_settime),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),     SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),         SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(sigaltstack),
    SCMP_SYS(uname),           END,
};

static const int signer[] = {SCMP_SYS(pread64),
                             SCMP_SYS(pwrite64),
                             SCMP_SYS(pwritev),
                             SCMP_SYS(fdatasync),
                             SCMP_SYS(poll),
                             SCMP_SYS(ppoll),
                             END};

/* Beside front's: a small file, written anew, synced and renamed (Landlock says where). */
static const int witness[] = {SCMP_SYS(openat),     SCMP_SYS(pread64),
                              SCMP_SYS(pwrite64),   SCMP_SYS(pwritev),
                              SCMP_SYS(fsync),      SCMP_SYS(fdatasync),
                              SCMP_SYS(renameat),   SCMP_SYS(renameat2),
                              SCMP_SYS(unlinkat),   SCMP_SYS(fstat),
                              SCMP_SYS(newfstatat), SCMP_SYS(poll),
                              SCMP_SYS(ppoll),      END};

/* Sockets out, the look-up of names (in a thread of its own), and files read (Landlock says which). */
static const int relay[] = {
    SCMP_SYS(connect),    SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg),         SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),    SCMP_SYS(sendmmsg),    SCMP_SYS(readv),           SCMP_SYS(writev),
    SCMP_SYS(shutdown),   SCMP_SYS(bind),        SCMP_SYS(getsockname),     SCMP_SYS(getpeername),
    SCMP_SYS(poll),       SCMP_SYS(ppoll),       SCMP_SYS(pipe2),           SCMP_SYS(eventfd2),
    SCMP_SYS(lseek),      SCMP_SYS(fstat),       SCMP_SYS(newfstatat),      SCMP_SYS(uname),
    SCMP_SYS(sysinfo),    SCMP_SYS(rseq),        SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack),
    SCMP_SYS(getuid),     SCMP_SYS(geteuid),     SCMP_SYS(getgid),          SCMP_SYS(getegid),
    SCMP_SYS(pread64),    SCMP_SYS(sched_yield), SCMP_SYS(nanosleep),       SCMP_SYS(clock_nanosleep),
    SCMP_SYS(socketpair), SCMP_SYS(setsockopt),  SCMP_SYS(getsockopt),      END};

static int allow_list(scmp_filter_ctx ctx, const int *list)
{
    int rc = 0;
    for (; rc == 0 && *list != END; list++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, *list, 0);
    return rc;
}

/* Conditions on the argument of a number: equal to a value; with some bits of a mask as in `value`. */
static struct scmp_arg_cmp equals(unsigned arg, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value};
}

static struct scmp_arg_cmp bits(unsigned arg, scmp_datum_t mask, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

/* One call with one condition on its arguments. */
static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp a)
{
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &a);
}

static int allow_if2(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp a, struct scmp_arg_cmp b)
{
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 2, (struct scmp_arg_cmp[]){a, b});
}

/* Memory that can be executed is refused to all; only vault maps files. */
static int memory_rules(scmp_filter_ctx ctx, enum sandbox_role role)
{
    struct scmp_arg_cmp no_exec = bits(2, PROT_EXEC, 0);
    struct scmp_arg_cmp anonymous = bits(3, MAP_ANONYMOUS, MAP_ANONYMOUS);
    int rc = allow_if(ctx, SCMP_SYS(mprotect), no_exec);
    if (rc == 0 && role == SANDBOX_VAULT)
        rc = allow_if(ctx, SCMP_SYS(mmap), no_exec);
    else if (rc == 0)
        rc = allow_if2(ctx, SCMP_SYS(mmap), no_exec, anonymous);
    /* The C library may try to load a module for the look-up of names: it is told no, and does without. */
    if (rc == 0 && role == SANDBOX_RELAY) {
        struct scmp_arg_cmp exec = bits(2, PROT_EXEC, PROT_EXEC),
                            file[] = {no_exec, bits(3, MAP_ANONYMOUS, 0)};
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), 1, &exec);
        if (rc == 0)
            rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), 2, file);
    }
    return rc;
}

static int allow_fcntl(scmp_filter_ctx ctx, const int *commands, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = allow_if(ctx, SCMP_SYS(fcntl), equals(1, (scmp_datum_t)commands[i]));
    return rc;
}

/* Threads, but no processes. The flags of clone3 lie in memory, where a filter cannot look: told that it does
 * not exist, the C library takes clone. */
static int allow_threads(scmp_filter_ctx ctx)
{
    int rc = allow_if(ctx, SCMP_SYS(clone), bits(0, CLONE_THREAD, CLONE_THREAD));
    return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int relay_rules(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK}; /* netlink: which addresses there are */
    static const int flags[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD};
    struct scmp_arg_cmp local = equals(0, AF_UNIX);
    int rc = allow_list(ctx, relay);
    for (size_t i = 0; rc == 0 && i < sizeof families / sizeof *families; i++)
        rc = allow_if(ctx, SCMP_SYS(socket), equals(0, (scmp_datum_t)families[i]));
    if (rc == 0) /* daemons that look names up are not asked */
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1, &local);
    if (rc == 0)
        rc = allow_fcntl(ctx, flags, sizeof flags / sizeof flags[0]);
    if (rc == 0) /* how much is there to read */
        rc = allow_if(ctx, SCMP_SYS(ioctl), equals(1, FIONREAD));
    if (rc == 0)
        rc = allow_if(ctx, SCMP_SYS(prctl), equals(0, PR_SET_NAME));
    if (rc == 0)
        rc = allow_if(ctx, SCMP_SYS(openat), bits(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    return rc ? rc : allow_threads(ctx);
}

static int role_rules(scmp_filter_ctx ctx, enum sandbox_role role)
{
    static const int flags[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD};
    static const int locks[] = {F_GETFL, F_SETFL, F_GETFD,  F_SETFD,     F_DUPFD_CLOEXEC,
                                F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK};
    int rc = 0;
    switch (role) {
    case SANDBOX_PARENT_TLS: /* certificate and key, read again: Landlock says where they lie */
        rc = allow_if(ctx, SCMP_SYS(openat), bits(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
        if (rc == 0)
            rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fstat), 0);
        if (rc == 0)
            rc = allow_if(ctx, SCMP_SYS(newfstatat), bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
        /* fall through */
    case SANDBOX_PARENT:
        if (rc == 0)
            rc = allow_list(ctx, parent);
        if (rc == 0)
            rc = allow_if(ctx, SCMP_SYS(kill), equals(1, SIGKILL));
        break;
    case SANDBOX_WITNESS:
        rc = allow_list(ctx, witness);
        /* fall through */
    case SANDBOX_FRONT:
        if (rc == 0)
            rc = allow_list(ctx, front);
        if (rc == 0)
            rc = allow_fcntl(ctx, flags, sizeof flags / sizeof flags[0]);
        if (rc == 0)
            rc = allow_if(ctx, SCMP_SYS(setsockopt), equals(1, IPPROTO_TCP));
        if (rc == 0)
            rc = allow_if2(ctx, SCMP_SYS(getsockopt), equals(1, SOL_SOCKET), equals(2, SO_ERROR));
        break;
    case SANDBOX_RELAY:
        rc = relay_rules(ctx);
        break;
    case SANDBOX_VAULT:
        rc = allow_list(ctx, vault);
        if (rc == 0)
            rc = allow_fcntl(ctx, locks, sizeof locks / sizeof locks[0]);
        if (rc == 0)
            rc = allow_if2(ctx, SCMP_SYS(getsockopt), equals(1, SOL_SOCKET), equals(2, SO_PEERCRED));
        if (rc == 0)
            rc = allow_threads(ctx);
        if (rc == 0)
            rc = allow_if(ctx, SCMP_SYS(prctl), equals(0, PR_SET_NAME));
        break;
    case SANDBOX_SIGNER:
        rc = allow_list(ctx, signer);
        break;
    }
    return rc;
}

enum bourn_err seccomp_restrict(enum sandbox_role role)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return err_set(BOURN_E_MEMORY, "out of memory for a seccomp filter");
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree instead of a list */
    if (rc == 0)
        rc = allow_list(ctx, everybody);
    /* abort() sends a signal to its own thread. */
    if (rc == 0)
        rc = allow_if(ctx, SCMP_SYS(tgkill), equals(0, (scmp_datum_t)getpid()));
    if (rc == 0)
        rc = memory_rules(ctx, role);
    if (rc == 0)
        rc = role_rules(ctx, role);
    if (rc == 0)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    if (rc != 0) {
        errno = -rc;
        return err_sys(BOURN_E_UNAVAILABLE,
                       "the kernel does not take the seccomp filter, which confines bourn's processes");
    }
    return BOURN_OK;
}
