/* What io.c asks of the kernel, as a table: the real one, or a simulated disk in tests. The functions are
 * those of POSIX with the same rules: -1 and errno on failure, short transfers allowed, EINTR possible. File
 * descriptors are whatever the table hands out. */
#ifndef BOURN_IO_IO_OPS_H
#define BOURN_IO_IO_OPS_H

#include "io/io.h"

#include <sys/types.h>
#include <sys/uio.h>

struct io_stat {
    uint64_t bytes;
    unsigned mode; /* permission bits */
};

struct io_ops {
    int (*dir)(int dirfd, const char *path, bool follow); /* AT_FDCWD allowed */
    int (*open)(int dirfd, const char *path, enum io_mode mode);
    int (*close)(int fd);
    int (*stat)(int fd, struct io_stat *out);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t offset);
    void *(*map)(int fd, size_t n); /* the first n bytes, to read, shared; NULL where that cannot be */
    void (*unmap)(void *p, size_t n);
    ssize_t (*pwritev)(int fd, const struct iovec *v, int n, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*syncfs)(int fd);
    int (*truncate)(int fd, off_t bytes);
    int (*mkdir)(int dirfd, const char *path); /* mode 0700 */
    int (*rename)(int dirfd, const char *from, const char *to);
    int (*unlink)(int dirfd, const char *path);
    /* Calls fn with each name, . and .. too; stops when it returns false. */
    int (*list)(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx);
};

extern const struct io_ops io_ops_kernel;

#endif
