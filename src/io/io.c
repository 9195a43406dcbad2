#include "io/io_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* One handle type serves both: a descriptor and the path for error texts. */
struct io_dir {
    int fd;
    char path[];
};
struct io_file {
    int fd;
    char path[];
};

static const struct io_ops *ops = &io_ops_kernel;

void io_use(const struct io_ops *table)
{
    ops = table ? table : &io_ops_kernel;
}

/* The error of the system call that just failed, with what a human can do where that is known. */
static enum bourn_err failed(const char *what, const char *path)
{
    int saved = errno;
    switch (saved) {
    case ENOENT:
        return err_set(BOURN_E_NOT_FOUND, "cannot %s %s: it does not exist", what, path);
    case EEXIST:
        return err_set(BOURN_E_EXISTS, "cannot %s %s: it exists already", what, path);
    case ENOSPC:
    case EDQUOT:
        return err_sys(BOURN_E_FULL,
                       "cannot %s %s; free space on its volume (or raise its quota), then start again", what,
                       path);
    case EACCES:
    case EPERM:
        return err_sys(BOURN_E_IO, "cannot %s %s; check who owns it and its mode", what, path);
    default:
        return err_sys(BOURN_E_IO, "cannot %s %s", what, path);
    }
}

static enum bourn_err check_path(const char *path)
{
    bool ok = path[0] != '\0' && path[0] != '/';
    for (const char *p = path; ok && p; p = strchr(p, '/')) {
        p += *p == '/';
        ok = !(p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'));
    }
    return ok ? BOURN_OK : err_set(BOURN_E_DENIED, "the path \"%s\" would leave its folder", path);
}

static enum bourn_err new_dir(int fd, const char *parent, const char *path, struct io_dir **out)
{
    size_t n = strlen(parent) + strlen(path) + 2;
    struct io_dir *d = malloc(sizeof *d + n);
    if (!d) {
        ops->close(fd);
        return err_set(BOURN_E_MEMORY, "out of memory opening the folder %s", path);
    }
    d->fd = fd;
    snprintf(d->path, n, "%s%s%s", parent, *parent ? "/" : "", path);
    *out = d;
    return BOURN_OK;
}

enum bourn_err io_dir_open(const char *path, struct io_dir **out)
{
    int fd = ops->dir(AT_FDCWD, path, true);
    return fd < 0 ? failed("open the folder", path) : new_dir(fd, "", path, out);
}

enum bourn_err io_dir_at(struct io_dir *d, const char *path, bool make, struct io_dir **out)
{
    enum bourn_err err = check_path(path);
    if (err)
        return err;
    if (make && ops->mkdir(d->fd, path) != 0 && errno != EEXIST)
        return failed("make the folder", path);
    int fd = ops->dir(d->fd, path, false);
    return fd < 0 ? failed("open the folder", path) : new_dir(fd, d->path, path, out);
}

void io_dir_close(struct io_dir *d)
{
    if (d)
        ops->close(d->fd);
    free(d);
}

enum bourn_err io_dir_make_path(struct io_dir *d, const char *path)
{
    char part[512];
    size_t n = strlen(path);
    enum bourn_err err = check_path(path);
    if (err)
        return err;
    if (n >= sizeof part)
        return err_set(BOURN_E_LIMIT, "the path %.64s… is longer than %zu bytes", path, sizeof part - 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (ops->mkdir(d->fd, part) != 0 && errno != EEXIST)
            return failed("make the folder", part);
    }
    return BOURN_OK;
}

enum bourn_err io_dir_sync(struct io_dir *d)
{
    return ops->fsync(d->fd) != 0 ? failed("sync the folder", d->path) : BOURN_OK;
}

enum bourn_err io_dir_syncfs(struct io_dir *d)
{
    return ops->syncfs(d->fd) != 0 ? failed("sync the file system of", d->path) : BOURN_OK;
}

struct listing {
    enum bourn_err (*fn)(void *ctx, const char *name);
    void *ctx;
    enum bourn_err err;
};

static bool list_one(void *ctx, const char *name)
{
    struct listing *l = ctx;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        l->err = l->fn(l->ctx, name);
    return l->err == BOURN_OK;
}

enum bourn_err io_dir_list(struct io_dir *d, enum bourn_err (*fn)(void *ctx, const char *name), void *ctx)
{
    struct listing l = {.fn = fn, .ctx = ctx, .err = BOURN_OK};
    if (ops->list(d->fd, list_one, &l) != 0 && l.err == BOURN_OK)
        return failed("list the folder", d->path);
    return l.err;
}

enum bourn_err io_rename(struct io_dir *d, const char *from, const char *to)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(check_path(from));
    TRY(check_path(to));
    err = ops->rename(d->fd, from, to) != 0 ? failed("rename", from) : BOURN_OK;
out:
    return err;
}

enum bourn_err io_unlink(struct io_dir *d, const char *path)
{
    enum bourn_err err = check_path(path);
    if (!err && ops->unlink(d->fd, path) != 0 && errno != ENOENT)
        err = failed("remove", path);
    return err;
}

enum bourn_err io_open(struct io_dir *d, const char *path, enum io_mode mode, struct io_file **out)
{
    enum bourn_err err = check_path(path);
    if (err)
        return err;
    size_t n = strlen(d->path) + strlen(path) + 2;
    struct io_file *f = malloc(sizeof *f + n);
    if (!f)
        return err_set(BOURN_E_MEMORY, "out of memory opening %s", path);
    snprintf(f->path, n, "%s/%s", d->path, path);
    f->fd = ops->open(d->fd, path, mode);
    if (f->fd < 0) {
        err = failed("open", f->path);
        free(f);
        return err;
    }
    *out = f;
    return BOURN_OK;
}

void io_close(struct io_file *f)
{
    if (f)
        ops->close(f->fd);
    free(f);
}

enum bourn_err io_size(struct io_file *f, uint64_t *bytes)
{
    struct io_stat st;
    if (ops->stat(f->fd, &st) != 0)
        return failed("ask the size of", f->path);
    *bytes = st.bytes;
    return BOURN_OK;
}

enum bourn_err io_permissions(struct io_file *f, unsigned *mode)
{
    struct io_stat st;
    if (ops->stat(f->fd, &st) != 0)
        return failed("ask the mode of", f->path);
    *mode = st.mode;
    return BOURN_OK;
}

enum bourn_err io_read(struct io_file *f, uint64_t offset, void *p, size_t n)
{
    uint8_t *to = p;
    while (n) {
        ssize_t got = ops->pread(f->fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed("read", f->path);
        if (got == 0)
            return err_set(BOURN_E_CORRUPT, "%s ends at byte %llu, where %zu more were expected", f->path,
                           (unsigned long long)offset, n);
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return BOURN_OK;
}

const void *io_map(struct io_file *f, size_t n)
{
    return ops->map ? ops->map(f->fd, n) : NULL;
}

void io_unmap(const void *p, size_t n)
{
    if (p)
        ops->unmap((void *)(uintptr_t)p, n);
}

/* Writes the whole vector; changes it. */
static enum bourn_err write_vector(struct io_file *f, uint64_t *offset, struct iovec *v, size_t n)
{
    while (n) {
        if (v->iov_len == 0) {
            v++;
            n--;
            continue;
        }
        ssize_t put = ops->pwritev(f->fd, v, (int)n, (off_t)*offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            errno = put == 0 ? EIO : errno;
            return failed("write", f->path);
        }
        *offset += (uint64_t)put;
        for (size_t left = (size_t)put; left;) {
            size_t step = left < v->iov_len ? left : v->iov_len;
            if (step) /* an empty part may have no place at all */
                v->iov_base = (uint8_t *)v->iov_base + step;
            v->iov_len -= step;
            left -= step;
            if (v->iov_len == 0) {
                v++;
                n--;
            }
        }
    }
    return BOURN_OK;
}

enum bourn_err io_write_parts(struct io_file *f, uint64_t offset, const struct slice *parts, size_t n)
{
    struct iovec v[IO_PARTS_MAX];
    enum bourn_err err = BOURN_OK;
    while (n && !err) {
        size_t step = n < IO_PARTS_MAX ? n : IO_PARTS_MAX;
        for (size_t i = 0; i < step; i++)
            v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)parts[i].p, .iov_len = parts[i].n};
        err = write_vector(f, &offset, v, step);
        parts += step;
        n -= step;
    }
    return err;
}

enum bourn_err io_write(struct io_file *f, uint64_t offset, const void *p, size_t n)
{
    struct slice all = slice_of(p, n);
    return io_write_parts(f, offset, &all, 1);
}

enum bourn_err io_datasync(struct io_file *f)
{
    return ops->fdatasync(f->fd) != 0 ? failed("sync", f->path) : BOURN_OK;
}

enum bourn_err io_sync(struct io_file *f)
{
    return ops->fsync(f->fd) != 0 ? failed("sync", f->path) : BOURN_OK;
}

enum bourn_err io_truncate(struct io_file *f, uint64_t bytes)
{
    return ops->truncate(f->fd, (off_t)bytes) != 0 ? failed("set the size of", f->path) : BOURN_OK;
}
