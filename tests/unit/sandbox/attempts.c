#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long result(long rc)
{
    return rc < 0 ? -errno : rc;
}

static long below(const struct ground *g, const char *name, int flags)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", g->folder, name);
    return result(syscall(SYS_openat, AT_FDCWD, path, flags, 0600));
}

#define ATTEMPT(name) static long name(__attribute__((unused)) const struct ground *g)

ATTEMPT(open_in_cell)
{
    return below(g, "file", O_RDWR);
}
ATTEMPT(make_in_cell)
{
    return below(g, "fresh", O_RDWR | O_CREAT);
}
ATTEMPT(open_passwd)
{
    return result(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
}
ATTEMPT(open_parent_of_cell)
{
    return below(g, "../outside", O_RDWR | O_CREAT);
}
ATTEMPT(open_proc_maps)
{
    return result(syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY));
}
ATTEMPT(open_dev)
{
    return result(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY));
}
#ifdef SYS_open
ATTEMPT(old_open)
{
    return result(syscall(SYS_open, "/etc/passwd", O_RDONLY));
}
#endif
ATTEMPT(openat2)
{
    return result(syscall(437, AT_FDCWD, "/etc/passwd", NULL, (size_t)0));
}
ATTEMPT(unlink_outside)
{
    char path[512];
    snprintf(path, sizeof path, "%s/../../victim", g->folder);
    return result(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
ATTEMPT(rename_out)
{
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/file", g->folder);
    snprintf(to, sizeof to, "%s/../../stolen", g->folder);
    return result(syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}
ATTEMPT(symlink_in_cell)
{
    char path[512];
    snprintf(path, sizeof path, "%s/link", g->folder);
    return result(syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, path));
}
ATTEMPT(make_node)
{
    return result(syscall(SYS_mknodat, AT_FDCWD, "/tmp/bourn-node", S_IFIFO | 0600, 0));
}
ATTEMPT(chmod_file)
{
    return result(syscall(SYS_fchmod, g->file, 0644));
}

ATTEMPT(socket_tcp)
{
    return result(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
}
ATTEMPT(socket_unix)
{
    return result(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
}
ATTEMPT(socket_netlink)
{
    return result(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
}
ATTEMPT(socketpair_new)
{
    int fds[2];
    return result(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds));
}
ATTEMPT(connect_out)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return result(syscall(SYS_connect, g->listener, &to, sizeof to));
}
ATTEMPT(bind_again)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_ANY)}};
    return result(syscall(SYS_bind, g->listener, &to, sizeof to));
}
ATTEMPT(listen_again)
{
    return result(syscall(SYS_listen, g->listener, 1));
}
ATTEMPT(receive_descriptor)
{
    char room[64];
    struct iovec iov = {room, sizeof room};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    return result(syscall(SYS_recvmsg, g->pair[0], &m, MSG_DONTWAIT));
}
ATTEMPT(accept_tcp)
{
    return result(syscall(SYS_accept4, g->listener, NULL, NULL, SOCK_CLOEXEC));
}
ATTEMPT(nodelay)
{
    int one = 1;
    return result(syscall(SYS_setsockopt, g->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
}
ATTEMPT(socket_option_other)
{
    int one = 1;
    return result(syscall(SYS_setsockopt, g->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
}
ATTEMPT(admin_accept)
{
    struct ucred who;
    socklen_t n = sizeof who;
    long fd = syscall(SYS_accept4, g->admin, NULL, NULL, SOCK_CLOEXEC);
    return result(fd < 0 ? fd : syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &who, &n));
}
ATTEMPT(send_receive)
{
    char c;
    if (syscall(SYS_sendto, g->pair[0], "x", (size_t)1, MSG_NOSIGNAL, NULL, 0) != 1)
        return -errno;
    return result(syscall(SYS_recvfrom, g->pair[1], &c, (size_t)1, 0, NULL, NULL));
}

ATTEMPT(exec)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    return result(syscall(SYS_execve, "/bin/true", argv, NULL));
}
ATTEMPT(exec_at)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    return result(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0));
}
ATTEMPT(fork_by_clone)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return result(pid);
}
ATTEMPT(clone3)
{
    uint64_t args[8] = {0, 0, 0, 0, SIGCHLD};
    long pid = syscall(435, args, sizeof args);
    if (pid == 0)
        _exit(0);
    return result(pid);
}
static void *nothing(void *p)
{
    return p;
}
ATTEMPT(thread)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, nothing, NULL);
    return rc ? -rc : -pthread_join(t, NULL);
}
ATTEMPT(ptrace_child)
{
    return result(syscall(SYS_ptrace, PTRACE_ATTACH, g->child, NULL, NULL));
}
ATTEMPT(read_other_memory)
{
    return result(syscall(SYS_process_vm_readv, g->child, NULL, 0UL, NULL, 0UL, 0UL));
}
ATTEMPT(kill_child)
{
    return result(syscall(SYS_kill, g->child, SIGKILL));
}
ATTEMPT(term_child)
{
    return result(syscall(SYS_kill, g->child, SIGTERM));
}
ATTEMPT(signal_other_thread)
{
    return result(syscall(SYS_tgkill, g->child, g->child, SIGTERM));
}
ATTEMPT(wait_child)
{
    return result(syscall(SYS_wait4, -1, NULL, 1 /* WNOHANG */, NULL));
}

ATTEMPT(map_executable)
{
    return result(
        syscall(SYS_mmap, NULL, 4096UL, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L));
}
ATTEMPT(protect_executable)
{
    static uint8_t room[8192];
    uintptr_t page = ((uintptr_t)room + 4095) & ~(uintptr_t)4095;
    return result(syscall(SYS_mprotect, page, 4096UL, PROT_READ | PROT_EXEC));
}
ATTEMPT(map_anonymous)
{
    long p = syscall(SYS_mmap, NULL, 4096UL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    return p == -1 ? -errno : 0;
}
ATTEMPT(map_file)
{
    long p = syscall(SYS_mmap, NULL, 4096UL, PROT_READ, MAP_SHARED, g->file, 0L);
    return p == -1 ? -errno : 0;
}
ATTEMPT(use_file)
{
    long rc = syscall(SYS_pwrite64, g->file, "x", 1UL, 0L);
    return result(rc == 1 ? syscall(SYS_fdatasync, g->file) : rc);
}
ATTEMPT(sync_folder)
{
    return result(syscall(SYS_syncfs, g->file));
}
ATTEMPT(event_fd)
{
    uint64_t one = 1;
    return result(write(g->event, &one, sizeof one));
}
ATTEMPT(wait_epoll)
{
    struct epoll_event e;
    return result(epoll_wait(g->epoll, &e, 1, 0));
}
ATTEMPT(wait_poll)
{
    struct pollfd pf = {g->event, POLLIN, 0};
    return result(poll(&pf, 1, 0));
}
ATTEMPT(memory_and_clock)
{
    struct timespec ts;
    char r[8];
    void *p = malloc(300000);
    long rc = syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts) |
              (syscall(SYS_getrandom, r, sizeof r, 0) == 8 ? 0 : -1);
    free(p);
    return p ? rc : -ENOMEM;
}
ATTEMPT(say_something)
{
    return result(write(STDERR_FILENO, "", 0));
}
ATTEMPT(new_bpf)
{
    return result(syscall(SYS_bpf, 0, NULL, 0));
}
ATTEMPT(io_uring)
{
    return result(syscall(425, 8, NULL));
}
ATTEMPT(mount_something)
{
    return result(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0UL, NULL));
}
ATTEMPT(new_namespace)
{
    return result(syscall(SYS_unshare, CLONE_NEWUSER));
}
ATTEMPT(dumpable_again)
{
    return result(syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0));
}
ATTEMPT(memory_file)
{
    return result(syscall(SYS_memfd_create, "x", 0));
}

/* Order: parent, front, vault, signer. */
const struct attempt attempts[] = {
    {"open a file of the cell", open_in_cell, "kk+kk+"},
    {"make a file in the cell", make_in_cell, "kk+kk+"},
    {"open /etc/passwd", open_passwd, "kkekee"},
    {"make a file beside the cell", open_parent_of_cell, "kkekke"},
    {"open /proc/self/maps", open_proc_maps, "kkekee"},
    {"open /dev/null", open_dev, "kkekke"},
#ifdef SYS_open
    {"open by the old call", old_open, "kkkkkk"},
#endif
    {"openat2", openat2, "kkkkkk"},
    {"unlink beside the cell", unlink_outside, "kkekke"},
    {"rename out of the cell", rename_out, "kkekke"},
    {"symlink in the cell", symlink_in_cell, "kkkkkk"},
    {"make a node", make_node, "kkkkkk"},
    {"chmod", chmod_file, "kkkkkk"},
    {"socket TCP", socket_tcp, "kkkk+k"},
    {"socket Unix", socket_unix, "kkkkek"},
    {"socket netlink", socket_netlink, "kkkk+k"},
    {"socketpair", socketpair_new, "kkkk+k"},
    {"connect", connect_out, "kkkkek"},
    {"bind", bind_again, "kkkkek"},
    {"listen", listen_again, "kkkkkk"},
    {"recvmsg", receive_descriptor, "kkkkek"},
    {"accept on TCP", accept_tcp, "k++kk+"}, /* vault has no TCP socket: no descriptor, no accept */
    {"TCP_NODELAY", nodelay, "k+kk++"},
    {"another socket option", socket_option_other, "kkkk+k"},
    {"accept on the admin socket, peer credentials", admin_accept, "kk+kkk"},
    {"send and receive", send_receive, "k++k++"},
    {"execve", exec, "kkkkkk"},
    {"execveat", exec_at, "kkkkkk"},
    {"fork", fork_by_clone, "kkkkkk"},
    {"clone3", clone3, "kkekek"},
    {"a thread", thread, "kk+k+k"},
    {"ptrace", ptrace_child, "kkkkkk"},
    {"process_vm_readv", read_other_memory, "kkkkkk"},
    {"kill a child", kill_child, "+kkkkk"},
    {"terminate a child", term_child, "kkkkkk"},
    {"signal another process by tgkill", signal_other_thread, "kkkkkk"},
    {"wait", wait_child, "+kkkkk"},
    {"map executable memory", map_executable, "kkkkek"},
    {"make memory executable", protect_executable, "kkkkkk"},
    {"map memory", map_anonymous, "++++++"},
    {"map a file", map_file, "kk+kek"},
    {"write and sync an open file", use_file, "kk++k+"},
    {"syncfs", sync_folder, "kk+kkk"},
    {"an eventfd", event_fd, "++++++"},
    {"epoll", wait_epoll, "k++kk+"},
    {"poll", wait_poll, "+k++++"},
    {"memory, clock, random", memory_and_clock, "++++++"},
    {"write to standard error", say_something, "++++++"},
    {"bpf", new_bpf, "kkkkkk"},
    {"io_uring", io_uring, "kkkkkk"},
    {"mount", mount_something, "kkkkkk"},
    {"unshare", new_namespace, "kkkkkk"},
    {"become dumpable again", dumpable_again, "kkkkkk"},
    {"memfd", memory_file, "kkkkkk"},
    {0},
};
