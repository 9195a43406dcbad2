/* admin.sock: the operator's commands reach vault here and nowhere else. A stream of messages, each with a
 * 4-byte big-endian length before it; only the cell's owner and root are let in (SO_PEERCRED). */
#ifndef BOURN_ROLE_ADMIN_H
#define BOURN_ROLE_ADMIN_H

#include "ipc/request.h"

#include <poll.h>

struct admin;

/* Binds `cell`/admin.sock, mode 0600, and listens. The cell's lock is held; before the sandbox. */
enum bourn_err admin_listen(const char *cell, struct admin **out) BOURN_MUST_USE;
void admin_close(struct admin *a, const char *cell); /* removes the name too */

/* Descriptors to poll: at most ADMIN_CONNECTIONS_MAX + 1. */
size_t admin_poll(const struct admin *a, struct pollfd *out);
/* Accepts, reads and writes what poll said is ready; false once nothing whole is left to handle. */
void admin_io(struct admin *a, const struct pollfd *polled, size_t n);
/* The next whole request of any connection; its bytes are valid until the next call. *route is never 0. A
 * malformed one closes its connection. */
bool admin_next(struct admin *a, struct request *r, uint64_t *route);
void admin_answer(struct admin *a, uint64_t route,
                  const struct reply *r); /* drops it if the client has gone */

#endif
