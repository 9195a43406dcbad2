/* Small files in and out, and the bar of progress. */
#include "command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum bourn_err read_small(const char *path, struct buf *out)
{
    enum bourn_err err = BOURN_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(BOURN_E_IO, "cannot open %s", path);
    for (ssize_t n = 1; n > 0 && err == BOURN_OK;) {
        uint8_t *to = buf_reserve(out, 4096);
        n = to ? read(fd, to, 4096) : 0;
        if (!to)
            err = err_set(BOURN_E_LIMIT, "%s is too large", path);
        else if (n < 0)
            err = err_sys(BOURN_E_IO, "cannot read %s", path);
        else
            out->n += (size_t)n;
    }
    close(fd);
    return err;
}

/* By a temporary name beside it, so that a head which was kept is never half of one. */
enum bourn_err write_small(const char *path, struct slice text)
{
    char tmp[4096];
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof tmp ? mkstemp(tmp) : -1;
    if (fd < 0)
        return err_sys(BOURN_E_IO, "cannot write beside %s", path);
    bool good = write(fd, text.p, text.n) == (ssize_t)text.n && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
    enum bourn_err err =
        good && rename(tmp, path) == 0 ? BOURN_OK : err_sys(BOURN_E_IO, "cannot write %s", path);
    if (err != BOURN_OK)
        unlink(tmp);
    close(fd);
    return err;
}

/* On a terminal, five times a second. */
void show_progress(void *ctx, uint64_t entries, uint64_t size)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    struct timespec *shown = ctx, now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (now.tv_sec - shown->tv_sec) * 1000 + (now.tv_nsec - shown->tv_nsec) / 1000000;
    if (entries < size && ms < 200)
        return;
    *shown = now;
    int done = size ? (int)(entries * WIDTH / size) : WIDTH;
    fprintf(stderr, "\r[%.*s%*s] %3u %%  %llu of %llu entries", done, full, WIDTH - done, "",
            (unsigned)(size ? entries * 100 / size : 100), (unsigned long long)entries,
            (unsigned long long)size);
    if (entries == size)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}
