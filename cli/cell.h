/* Talking to a serving cell over its admin.sock: frames of 4 bytes of length (big-endian) and a message of
 * ipc/request.h, both ways. The vault checks who connects by peer credentials. */
#ifndef BOURN_CLI_CELL_H
#define BOURN_CLI_CELL_H

#include "cli.h"
#include "ipc/request.h"

struct cell; /* one connection */

/* BOURN_E_UNAVAILABLE if the cell is not serving, BOURN_E_DENIED if the socket is another user's. */
enum bourn_err cell_open(const char *cell, struct cell **out) BOURN_MUST_USE;
void cell_close(struct cell *a); /* NULL is allowed */
/* Several requests may be under way; replies come back with their id. */
enum bourn_err cell_send(struct cell *a, const struct request *r) BOURN_MUST_USE;
/* The reply's slices live until the next call. */
enum bourn_err cell_receive(struct cell *a, struct reply *r) BOURN_MUST_USE;

/* Appends the address at which the cell said last that it is serving; false if it never did. Whether it still
 * is, cell_open tells. */
bool cell_address(const char *cell, struct buf *out);

/* Says what a reply that is not 2xx says, and returns the exit code for it. */
int cell_refused(const struct reply *r);
/* One request, one reply, whose body must be a JSON value: appended to `body` (it may hold a token: make the
 * buffer a secret one). Returns an exit code; anything but CLI_DONE has been said already, and `body` then
 * holds the sentence of a refusal. */
int cell_call(const char *cell, const struct request *r, struct buf *body, struct json_value *json);
/* cell_call, then the answer on standard output: as it is with `json`, in lines for a person without. */
int cell_show(const char *cell, const struct request *r, bool json);

#endif
