/* Talking to a serving cell over its admin.sock: frames of 4 bytes of length (big-endian) and a message of
 * ipc/request.h, both ways. The vault checks who connects by peer credentials. */
#ifndef BOURN_CLI_ADMIN_H
#define BOURN_CLI_ADMIN_H

#include "cli.h"
#include "ipc/request.h"

struct admin; /* one connection */

/* BOURN_E_UNAVAILABLE if the cell is not serving, BOURN_E_DENIED if the socket is another user's. */
enum bourn_err admin_open(const char *cell, struct admin **out) BOURN_MUST_USE;
void admin_close(struct admin *a); /* NULL is allowed */
/* Several requests may be under way; replies come back with their id. */
enum bourn_err admin_send(struct admin *a, const struct request *r) BOURN_MUST_USE;
/* The reply's slices live until the next call. */
enum bourn_err admin_receive(struct admin *a, struct reply *r) BOURN_MUST_USE;

/* Says what a reply that is not 2xx says, and returns the exit code for it. */
int admin_refused(const struct reply *r);
/* One request, one reply, whose body must be a JSON value: appended to `body` (it may hold a token: make the
 * buffer a secret one). Returns an exit code; anything but CLI_DONE has been said already. */
int admin_call(const char *cell, const struct request *r, struct buf *body, struct json_value *json);
/* admin_call, then the answer on standard output: as it is with `json`, in lines for a person without. */
int admin_show(const char *cell, const struct request *r, bool json);

#endif
