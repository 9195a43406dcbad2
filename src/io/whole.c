#include "io/io.h"

#include <stdio.h>

enum { PATH_BYTES_MAX = 512 };

enum bourn_err io_read_all(struct io_dir *d, const char *path, struct buf *out)
{
    struct io_file *f = NULL;
    uint64_t bytes = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_open(d, path, IO_READ, &f));
    TRY(io_size(f, &bytes));
    if (bytes == 0)
        goto out; /* TRY left BOURN_OK in err */
    if (bytes > out->cap || !buf_reserve(out, (size_t)bytes)) {
        err = err_set(BOURN_E_LIMIT, "%s has %llu bytes; at most %zu are read", path,
                      (unsigned long long)bytes, out->cap);
        goto out;
    }
    TRY(io_read(f, 0, out->p + out->n, (size_t)bytes));
    out->n += (size_t)bytes;
out:
    io_close(f);
    return err;
}

/* fsync of the folder that holds path. */
static enum bourn_err sync_parent(struct io_dir *d, const char *path)
{
    char parent[PATH_BYTES_MAX];
    struct io_dir *p = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *slash = strrchr(path, '/');
    if (!slash)
        return io_dir_sync(d);
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    TRY(io_dir_at(d, parent, false, &p));
    TRY(io_dir_sync(p));
out:
    io_dir_close(p);
    return err;
}

enum bourn_err io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync)
{
    char temporary[PATH_BYTES_MAX];
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    int n = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return err_set(BOURN_E_LIMIT, "the path %.64s… is longer than %d bytes", path, PATH_BYTES_MAX - 5);
    TRY(io_unlink(d, temporary));
    TRY(io_open(d, temporary, IO_CREATE_NEW, &f));
    TRY(io_write(f, 0, bytes.p, bytes.n));
    if (sync)
        TRY(io_sync(f));
    TRY(io_rename(d, temporary, path));
    if (sync)
        TRY(sync_parent(d, path));
out:
    io_close(f);
    return err;
}
