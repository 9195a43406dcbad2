/* The entry of a role's process: its arguments are the numbers of the descriptors that it inherited. */
#include "role/role_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>

/* One inherited descriptor; it goes no further. */
static bool take_fd(const char *text, int *fd)
{
    uint64_t n;
    if (!decimal_get(slice_str(text), &n) || n < 3 || n > INT_MAX)
        return false;
    *fd = (int)n;
    return fcntl(*fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool take_ring(char **argv, struct ring_fds *f)
{
    return take_fd(argv[0], &f->own) && take_fd(argv[1], &f->peer) && take_fd(argv[2], &f->wake_own) &&
           take_fd(argv[3], &f->wake_peer);
}

int role_main(int argc, char **argv)
{
    enum { NAME = 2, FDS = 3, RING = 4 };
    struct ring_fds a, b, c;
    int control;
    char name[16]; /* as the kernel cuts it: what ps and the audit log show */
    snprintf(name, sizeof name, "bourn-%s", argc > NAME ? argv[NAME] : "");
    prctl(PR_SET_NAME, name);
    if (argc == FDS + RING + 2 && take_ring(argv + FDS, &a) && take_fd(argv[FDS + RING], &control)) {
        if (strcmp(argv[NAME], "front") == 0)
            return role_front(&a, control, argv[argc - 1]);
        if (strcmp(argv[NAME], "signer") == 0)
            return role_signer(&a, control, argv[argc - 1]);
        if (strcmp(argv[NAME], "relay") == 0)
            return role_relay(&a, control, argv[argc - 1]);
    }
    if (argc == FDS + 3 * RING + 2 && strcmp(argv[NAME], "vault") == 0 && take_ring(argv + FDS, &a) &&
        take_ring(argv + FDS + RING, &b) && take_ring(argv + FDS + 2 * RING, &c) &&
        take_fd(argv[FDS + 3 * RING], &control))
        return role_vault(&a, &b, &c, control, argv[argc - 1]);
    log_error("--role is for bourn itself: start a cell with `bourn serve`");
    return ROLE_EXIT_USAGE;
}
