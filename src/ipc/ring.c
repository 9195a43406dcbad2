/* Making, mapping and waking; the shape of the memory stands in ring_internal.h. */
#include "ipc/ring_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One memfd and a second, read-only descriptor of it. Nobody can change its size any more. */
static enum bourn_err make_memory(int *write_fd, int *read_fd)
{
    char path[64];
    *write_fd = memfd_create("bourn-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*write_fd < 0 || ftruncate(*write_fd, (off_t)MAP_BYTES) != 0 ||
        fcntl(*write_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return err_sys(BOURN_E_IO, "cannot make shared memory for a ring");
    snprintf(path, sizeof path, "/proc/self/fd/%d", *write_fd);
    *read_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *read_fd < 0
               ? err_sys(BOURN_E_IO, "cannot open a ring read-only through /proc (is /proc mounted?)")
               : BOURN_OK;
}

enum bourn_err ring_make(struct ring_fds *a, struct ring_fds *b)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    *a = *b = (struct ring_fds){-1, -1, -1, -1};
    TRY(make_memory(&a->own, &b->peer));
    TRY(make_memory(&b->own, &a->peer));
    a->wake_own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b->wake_own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake_own >= 0)
        b->wake_peer = fcntl(a->wake_own, F_DUPFD_CLOEXEC, 0);
    if (b->wake_own >= 0)
        a->wake_peer = fcntl(b->wake_own, F_DUPFD_CLOEXEC, 0);
    err = a->wake_peer < 0 || b->wake_peer < 0 ? err_sys(BOURN_E_IO, "cannot make an eventfd") : BOURN_OK;
out:
    if (err) {
        ring_fds_close(a);
        ring_fds_close(b);
    }
    return err;
}

void ring_fds_close(struct ring_fds *f)
{
    int *all[] = {&f->own, &f->peer, &f->wake_own, &f->wake_peer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

static void *map(int fd, int prot)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size != (off_t)MAP_BYTES ||
        (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        return NULL;
    void *p = mmap(NULL, MAP_BYTES, prot, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

enum bourn_err ring_open(const struct ring_fds *f, struct ring **out)
{
    struct ring *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(BOURN_E_MEMORY, "out of memory for a ring");
    r->fds = *f;
    buf_init_secret(&r->in, IPC_MESSAGE_BYTES_MAX);
    buf_init_secret(&r->queue, QUEUE_BYTES_MAX);
    r->own = map(f->own, PROT_READ | PROT_WRITE);
    r->peer = map(f->peer, PROT_READ);
    /* From here on nobody else can map or write it, not even by opening it again through /proc. */
    if (!r->own || !r->peer || fcntl(f->own, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
        enum bourn_err err = err_sys(BOURN_E_IO, "cannot map a ring");
        ring_close(r);
        return err;
    }
    *out = r;
    return BOURN_OK;
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    buf_release(&r->in);
    buf_release(&r->queue);
    if (r->own)
        munmap(r->own, MAP_BYTES);
    if (r->peer)
        munmap((void *)(uintptr_t)r->peer, MAP_BYTES);
    free(r);
}

int ring_wait_fd(const struct ring *r)
{
    return r->fds.wake_own;
}

size_t ring_waiting_bytes(const struct ring *r)
{
    return r->queue.n - r->queue_at;
}

enum bourn_err ring_broken(struct ring *r, const char *what)
{
    r->broken = true;
    return err_set(BOURN_E_FORMAT, "the other side of a ring broke its rules: %s", what);
}

enum bourn_err ring_wake(struct ring *r)
{
    static const uint64_t one = 1;
    if (write(r->fds.wake_peer, &one, sizeof one) != sizeof one && errno != EAGAIN)
        return err_sys(BOURN_E_IO, "cannot wake the other side of a ring");
    r->announced = r->head;
    r->thanked = r->tail;
    return BOURN_OK;
}
