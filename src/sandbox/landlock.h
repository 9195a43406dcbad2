/* Landlock (Linux 5.13, docs.kernel.org/userspace-api/landlock.html) by system call: the C library has no
 * functions. */
#ifndef BOURN_SANDBOX_LANDLOCK_H
#define BOURN_SANDBOX_LANDLOCK_H

#include "base/err.h"

#include <stdint.h>

enum landlock_right {
    LANDLOCK_READ, /* of a file, or of the files below a folder: opening it for reading */
    LANDLOCK_LIST, /* of a folder and those below: listing it, and taking files out */
    LANDLOCK_USE,  /* of a folder: everything that files and folders below it are for */
};
struct landlock_path {
    const char *path;
    enum landlock_right right;
};

/* Refuses every file-system right and every TCP bind and connect that the running kernel knows, but those of
 * `paths` (a NULL path at the end; what does not exist is left out), and connecting to `ports` (0 at the
 * end; NULL: none); also signals and abstract sockets to processes outside, unless may_signal. */
enum bourn_err landlock_restrict(const struct landlock_path *paths, const uint16_t *ports,
                                 int may_signal) BOURN_MUST_USE;

#endif
