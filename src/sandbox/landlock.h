/* Landlock (Linux 5.13, docs.kernel.org/userspace-api/landlock.html) by system call: the C library has no
 * functions. */
#ifndef BOURN_SANDBOX_LANDLOCK_H
#define BOURN_SANDBOX_LANDLOCK_H

#include "base/err.h"

#include <stdint.h>

/* Refuses every file-system right and every TCP bind and connect that the running kernel knows, but reading
 * and writing below `writable` (NULL: none) and reading files below each of `readable` (NULL at the end;
 * what does not exist is left out), and connecting to `ports` (0 at the end; NULL: none); also signals and
 * abstract sockets to processes outside, unless may_signal. */
enum bourn_err landlock_restrict(const char *writable, const char *const *readable, const uint16_t *ports,
                                 int may_signal) BOURN_MUST_USE;

#endif
