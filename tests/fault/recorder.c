#include "recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 4096, LATE_BYTES = 4 << 20 };

struct fd {
    bool tracked, dsync;
    uint64_t node;
    char name[64];
};
static struct fd fds[FDS];
static struct trace_head *trace;
static char *late; /* events that wait for the next mark */
static size_t late_n;

#define MUST(x) ((x) ? (void)0 : die(#x, __LINE__))
static _Noreturn void die(const char *what, int line)
{
    char text[256];
    int n = snprintf(text, sizeof text, "recorder: line %d: %s (%s)\n", line, what, strerror(errno));
    if (syscall(SYS_write, 2, text, (size_t)n) < 0)
        abort();
    abort();
}

static void lock(void)
{
    int rc = pthread_mutex_lock(&trace->lock);
    if (rc == EOWNERDEAD)
        rc = pthread_mutex_consistent(&trace->lock);
    MUST(rc == 0);
}

static void unlock(void)
{
    MUST(pthread_mutex_unlock(&trace->lock) == 0);
}

/* --- events
 * ----------------------------------------------------------------------------------------------------- */

static void emit(struct trace_event e, const char *name, const char *name2, const struct iovec *v, int n,
                 size_t data_n, bool is_late)
{
    e.name_n = (uint32_t)strlen(name);
    e.name2_n = (uint32_t)strlen(name2);
    e.data_n = (uint32_t)data_n;
    size_t bytes = (sizeof e + e.name_n + e.name2_n + data_n + 7) / 8 * 8;
    e.bytes = (uint32_t)bytes;
    char *to = is_late ? late + late_n : trace_events(trace) + trace->used;
    MUST(is_late ? late_n + bytes < LATE_BYTES
                 : sizeof *trace + trace->used + bytes + sizeof e < TRACE_BYTES);
    char *p = to + offsetof(struct trace_event, rest);
    memcpy(to, &e, sizeof e);
    memcpy(p, name, e.name_n);
    memcpy(p + e.name_n, name2, e.name2_n);
    p += e.name_n + e.name2_n;
    for (int i = 0; i < n && data_n; i++) {
        size_t part = v[i].iov_len < data_n ? v[i].iov_len : data_n;
        memcpy(p, v[i].iov_base, part);
        p += part;
        data_n -= part;
    }
    if (is_late)
        late_n += bytes;
    else
        __atomic_store_n(&trace->used, trace->used + bytes, __ATOMIC_RELEASE);
}

static void emit_plain(struct trace_event e, const char *name)
{
    emit(e, name, "", NULL, 0, 0, false);
}

static bool is_late(const struct fd *f)
{
    return trace->late[0] && strncmp(f->name, trace->late, strlen(trace->late)) == 0;
}

static void emit_write(const struct fd *f, uint64_t offset, const struct iovec *v, int n, ssize_t done)
{
    struct trace_event e = {.type = TRACE_WRITE, .node = f->node, .offset = offset, .durable = f->dsync};
    if (done > 0)
        emit(e, "", "", v, n, (size_t)done, is_late(f));
}

void recorder_mark(const void *data, size_t n)
{
    struct iovec v = {(void *)data, n};
    if (!trace)
        return;
    lock();
    emit((struct trace_event){.type = TRACE_MARK}, "", "", &v, 1, n, false);
    MUST(sizeof *trace + trace->used + late_n < TRACE_BYTES);
    if (late_n) {
        memcpy(trace_events(trace) + trace->used, late, late_n);
        __atomic_store_n(&trace->used, trace->used + late_n, __ATOMIC_RELEASE);
        late_n = 0;
    }
    unlock();
}

_Noreturn void recorder_kill_self(void)
{
    lock();
    syscall(SYS_exit_group, 0);
    abort();
}

/* --- which files
 * ------------------------------------------------------------------------------------------------ */

static struct fd *tracked(int fd)
{
    return trace && fd >= 0 && fd < FDS && fds[fd].tracked ? &fds[fd] : NULL;
}

/* Whether the path lies below the root (or is it); then the inode of its folder, and its last part. */
static bool below(int dirfd, const char *path, uint64_t *folder, const char **last)
{
    char parent[PATH_MAX];
    struct stat st;
    size_t root_n;
    if (!trace)
        return false;
    if (path[0] == '/') {
        root_n = strlen(trace->root);
        if (strncmp(path, trace->root, root_n) != 0 || (path[root_n] != '/' && path[root_n] != '\0'))
            return false;
    } else if (!tracked(dirfd)) {
        return false;
    }
    const char *slash = strrchr(path, '/');
    *last = slash ? slash + 1 : path;
    if (slash)
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    else
        snprintf(parent, sizeof parent, ".");
    *folder = syscall(SYS_newfstatat, dirfd, parent, &st, 0) == 0 ? st.st_ino : 0;
    return true;
}

static bool look(int dirfd, const char *path, struct stat *st)
{
    int saved = errno;
    bool there = syscall(SYS_newfstatat, dirfd, path, st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = saved;
    return there;
}

static void track(int fd, uint64_t node, int flags, const char *name, int dirfd)
{
    MUST(fd < FDS);
    struct fd *f = &fds[fd];
    *f = (struct fd){.tracked = true, .dsync = (flags & O_DSYNC) != 0, .node = node};
    if (strcmp(name, ".") == 0 && tracked(dirfd))
        name = fds[dirfd].name;
    snprintf(f->name, sizeof f->name, "%s", name);
}

/* "head" means every name that begins so, "state$" that name alone. */
static bool named(const struct fd *f, const char *pattern)
{
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '$')
        return strlen(f->name) == n - 1 && strncmp(f->name, pattern, n - 1) == 0;
    return strncmp(f->name, pattern, n) == 0;
}

static bool is_lost(const struct fd *f, const char *call)
{
    for (int i = 0; i < TRACE_LOST_MAX; i++) {
        const struct trace_lost *l = &trace->lost[i];
        if (l->call[0] && strcmp(l->call, call) == 0 && named(f, l->name)) {
            trace->lost_n++;
            return true;
        }
    }
    return false;
}

/* --- the functions
 * ---------------------------------------------------------------------------------------------- */

static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
    uint64_t folder;
    const char *last;
    struct stat st;
    if (!below(dirfd, path, &folder, &last))
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    lock();
    bool there = look(dirfd, path, &st);
    int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    if (fd >= 0 && look(dirfd, path, &st)) {
        track(fd, st.st_ino, flags, last, dirfd);
        fds[fd].dsync = fds[fd].dsync && !is_lost(&fds[fd], "dsync");
        if (!there && S_ISREG(st.st_mode))
            emit_plain((struct trace_event){.type = TRACE_CREATE, .folder = folder, .node = st.st_ino}, last);
        if (there && flags & O_TRUNC)
            emit_plain((struct trace_event){.type = TRACE_SIZE, .node = st.st_ino}, "");
    }
    int saved = errno;
    unlock();
    errno = saved;
    return fd;
}

#define OPEN_MODE(flags, mode)                                                                               \
    mode_t mode = 0;                                                                                         \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                   \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode = va_arg(ap, mode_t);                                                                           \
        va_end(ap);                                                                                          \
    }

int open(const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return do_open(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return do_open(dirfd, path, flags, mode);
}

/* What the headers make of the calls without a mode where _FORTIFY_SOURCE is set. */
int __open_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return do_open(AT_FDCWD, path, flags, 0);
}
int __openat_2(int dirfd, const char *path, int flags)
{
    return do_open(dirfd, path, flags, 0);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        fds[fd].tracked = false;
    return (int)syscall(SYS_close, fd);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
    struct fd *f = tracked(fd);
    if (!f)
        return syscall(SYS_pwritev, fd, v, n, offset, 0);
    lock();
    ssize_t done = syscall(SYS_pwritev, fd, v, n, offset, 0);
    emit_write(f, (uint64_t)offset, v, n, done);
    int saved = errno;
    unlock();
    errno = saved;
    return done;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
    struct fd *f = tracked(fd);
    struct iovec v = {(void *)p, n};
    if (!f)
        return syscall(SYS_pwrite64, fd, p, n, offset);
    lock();
    ssize_t done = syscall(SYS_pwrite64, fd, p, n, offset);
    emit_write(f, (uint64_t)offset, &v, 1, done);
    int saved = errno;
    unlock();
    errno = saved;
    return done;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    struct fd *f = tracked(fd);
    if (!f)
        return syscall(SYS_writev, fd, v, n);
    lock();
    off_t offset = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t done = syscall(SYS_writev, fd, v, n);
    emit_write(f, (uint64_t)offset, v, n, done);
    int saved = errno;
    unlock();
    errno = saved;
    return done;
}

ssize_t write(int fd, const void *p, size_t n)
{
    struct iovec v = {(void *)p, n};
    return tracked(fd) ? writev(fd, &v, 1) : syscall(SYS_write, fd, p, n);
}

/* A call that changes the size, then the event of the size. */
static int resized(int fd, int rc, uint64_t bytes)
{
    int saved = errno;
    if (rc == 0)
        emit_plain((struct trace_event){.type = TRACE_SIZE, .node = fds[fd].node, .offset = bytes}, "");
    unlock();
    errno = saved;
    return rc;
}

int ftruncate(int fd, off_t bytes)
{
    if (!tracked(fd))
        return (int)syscall(SYS_ftruncate, fd, bytes);
    lock();
    return resized(fd, (int)syscall(SYS_ftruncate, fd, bytes), (uint64_t)bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    struct stat st;
    if (!tracked(fd))
        return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    MUST(mode == 0);
    lock();
    int rc = (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    MUST(fstat(fd, &st) == 0);
    return resized(fd, rc, (uint64_t)st.st_size);
}

static int sync_call(int fd, long number, const char *name, enum trace_type type)
{
    struct fd *f = tracked(fd);
    if (!f)
        return (int)syscall(number, fd);
    lock();
    int rc = 0;
    if (!is_lost(f, name)) {
        rc = (int)syscall(number, fd);
        if (rc == 0)
            emit((struct trace_event){.type = type, .node = f->node}, f->name, "", NULL, 0, 0, is_late(f));
    }
    int saved = errno;
    unlock();
    errno = saved;
    return rc;
}

int fdatasync(int fd)
{
    return sync_call(fd, SYS_fdatasync, "fdatasync", TRACE_SYNC);
}

int fsync(int fd)
{
    return sync_call(fd, SYS_fsync, "fsync", TRACE_SYNC);
}

int syncfs(int fd)
{
    return sync_call(fd, SYS_syncfs, "syncfs", TRACE_SYNCFS);
}

int renameat(int fromfd, const char *from, int tofd, const char *to)
{
    struct trace_event e = {.type = TRACE_RENAME};
    const char *name, *name2;
    struct stat st;
    if (!below(fromfd, from, &e.folder, &name))
        return (int)syscall(SYS_renameat, fromfd, from, tofd, to);
    MUST(below(tofd, to, &e.to_folder, &name2));
    lock();
    bool there = look(fromfd, from, &st);
    int rc = (int)syscall(SYS_renameat, fromfd, from, tofd, to);
    e.node = st.st_ino;
    if (rc == 0 && there)
        emit(e, name, name2, NULL, 0, 0, false);
    int saved = errno;
    unlock();
    errno = saved;
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    struct trace_event e = {.type = TRACE_UNLINK};
    const char *name;
    struct stat st;
    if (!below(dirfd, path, &e.folder, &name))
        return (int)syscall(SYS_unlinkat, dirfd, path, flags);
    lock();
    bool there = look(dirfd, path, &st);
    int rc = (int)syscall(SYS_unlinkat, dirfd, path, flags);
    e.node = st.st_ino;
    if (rc == 0 && there)
        emit_plain(e, name);
    int saved = errno;
    unlock();
    errno = saved;
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    struct trace_event e = {.type = TRACE_MKDIR};
    const char *name;
    struct stat st;
    if (!below(dirfd, path, &e.folder, &name))
        return (int)syscall(SYS_mkdirat, dirfd, path, mode);
    lock();
    int rc = (int)syscall(SYS_mkdirat, dirfd, path, mode);
    if (rc == 0) {
        MUST(look(dirfd, path, &st));
        e.node = st.st_ino;
        emit_plain(e, name);
    }
    int saved = errno;
    unlock();
    errno = saved;
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

char *mkdtemp(char *template)
{
    static unsigned count;
    char *end = template + strlen(template) - 6;
    for (;;) {
        snprintf(end, 7, "%06u", ++count);
        if (mkdir(template, 0700) == 0)
            return template;
        if (errno != EEXIST)
            return NULL;
    }
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    /* What is stored into shared memory goes unseen. LMDB's lock file does not count: it is made anew. */
    MUST(!(tracked(fd) && flags & MAP_SHARED && prot & PROT_WRITE) || strcmp(fds[fd].name, "lock.mdb") == 0);
    return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}

/* glibc has these names beside the plain ones; on 64-bit machines they are the same. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int dirfd, const char *path, int flags, ...) __attribute__((alias("openat")));
ssize_t pwrite64(int fd, const void *p, size_t n, off_t offset) __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t offset) __attribute__((alias("pwritev")));
int ftruncate64(int fd, off_t bytes) __attribute__((alias("ftruncate")));
void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

/* --- the trace's file
 * ------------------------------------------------------------------------------------------- */

struct trace_head *trace_open(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    MUST(fd >= 0);
    struct trace_head *h = (void *)syscall(SYS_mmap, NULL, TRACE_BYTES, PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_NORESERVE, fd, 0);
    MUST(h != MAP_FAILED);
    syscall(SYS_close, fd);
    return h;
}

struct trace_head *trace_make(const char *path, const char *root)
{
    pthread_mutexattr_t a;
    struct stat st;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && syscall(SYS_ftruncate, fd, TRACE_BYTES) == 0);
    syscall(SYS_close, fd);
    struct trace_head *h = trace_open(path);
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    MUST(pthread_mutex_init(&h->lock, &a) == 0);
    pthread_mutexattr_destroy(&a);
    snprintf(h->root, sizeof h->root, "%s", root);
    MUST(stat(root, &st) == 0);
    trace = h;
    emit_plain((struct trace_event){.type = TRACE_ROOT, .node = st.st_ino}, "");
    trace = NULL;
    return h;
}

void trace_close(struct trace_head *h)
{
    munmap(h, TRACE_BYTES);
}

void recorder_begin(struct trace_head *h)
{
    memset(fds, 0, sizeof fds);
    late_n = 0;
    if (!late)
        MUST((late = malloc(LATE_BYTES)) != NULL);
    trace = h;
}

static void base_of(const char *path, uint64_t folder)
{
    char below_path[PATH_MAX], block[4096];
    DIR *d = opendir(path);
    MUST(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        MUST((size_t)snprintf(below_path, sizeof below_path, "%s/%s", path, e->d_name) < sizeof below_path);
        MUST(lstat(below_path, &st) == 0);
        bool dir = S_ISDIR(st.st_mode);
        emit_plain((struct trace_event){.type = dir ? TRACE_MKDIR : TRACE_CREATE,
                                        .folder = folder,
                                        .node = st.st_ino},
                   e->d_name);
        if (dir) {
            base_of(below_path, st.st_ino);
            continue;
        }
        int fd = (int)syscall(SYS_openat, AT_FDCWD, below_path, O_RDONLY | O_CLOEXEC, 0);
        MUST(fd >= 0);
        static const char zeros[sizeof block];
        ssize_t n;
        for (uint64_t at = 0; (n = pread(fd, block, sizeof block, (off_t)at)) > 0; at += (uint64_t)n) {
            struct iovec v = {block, (size_t)n};
            if (memcmp(block, zeros, (size_t)n) != 0)
                emit((struct trace_event){.type = TRACE_WRITE, .node = st.st_ino, .offset = at}, "", "", &v,
                     1, (size_t)n, false);
        }
        syscall(SYS_close, fd);
        emit_plain(
            (struct trace_event){.type = TRACE_SIZE, .node = st.st_ino, .offset = (uint64_t)st.st_size}, "");
    }
    closedir(d);
}

void recorder_base(void)
{
    struct stat st;
    struct trace_head *h = trace;
    trace = NULL; /* opendir must not be recorded */
    MUST(stat(h->root, &st) == 0);
    trace = h;
    lock();
    base_of(h->root, st.st_ino);
    emit_plain((struct trace_event){.type = TRACE_SYNCFS}, "");
    unlock();
}
