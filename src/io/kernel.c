#include "io/io_ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int kernel_dir(int dirfd, const char *path, bool follow)
{
    return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}

static int kernel_open(int dirfd, const char *path, enum io_mode mode)
{
    static const int flags[] = {
        [IO_READ] = O_RDONLY,
        [IO_WRITE] = O_RDWR,
        [IO_CREATE] = O_RDWR | O_CREAT,
        [IO_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
    };
    /* O_NONBLOCK: a pipe that somebody put there must not hang the open; it is refused below. */
    int fd = openat(dirfd, path, flags[mode] | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static int kernel_stat(int fd, struct io_stat *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    *out = (struct io_stat){.bytes = (uint64_t)st.st_size, .mode = st.st_mode & 07777};
    return 0;
}

static void *kernel_map(int fd, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void kernel_unmap(void *p, size_t n)
{
    munmap(p, n);
}

static int kernel_mkdir(int dirfd, const char *path)
{
    return mkdirat(dirfd, path, 0700);
}

static int kernel_rename(int dirfd, const char *from, const char *to)
{
    return renameat(dirfd, from, dirfd, to);
}

static int kernel_unlink(int dirfd, const char *path)
{
    return unlinkat(dirfd, path, 0);
}

/* getdents by hand: readdir would allocate and share the position of the caller's descriptor. */
static int kernel_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx)
{
    _Alignas(struct dirent64) char bytes[8192];
    ssize_t n;
    int fd = kernel_dir(dirfd, ".", false);
    if (fd < 0)
        return -1;
    bool more = true;
    while (more && (n = getdents64(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0) {
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        for (ssize_t at = 0; more && at < n;) {
            const struct dirent64 *e = (const struct dirent64 *)(const void *)(bytes + at);
            more = fn(ctx, e->d_name);
            at += e->d_reclen;
        }
    }
    return close(fd);
}

const struct io_ops io_ops_kernel = {
    .dir = kernel_dir,
    .open = kernel_open,
    .close = close,
    .stat = kernel_stat,
    .pread = pread,
    .map = kernel_map,
    .unmap = kernel_unmap,
    .pwritev = pwritev,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .syncfs = syncfs,
    .truncate = ftruncate,
    .mkdir = kernel_mkdir,
    .rename = kernel_rename,
    .unlink = kernel_unlink,
    .list = kernel_list,
};
