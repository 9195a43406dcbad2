/* front in a process of its own, and a vault that the test plays in another. The subject's id tells that
 * vault what to do: "deny" a 403, "badtoken" a 401, "big" BIG_BYTES, "never" nothing, "later" an answer after
 * half a second, "type" a message that vault may not send, "noise" one that is no reply; everything else an
 * echo of what arrived, as JSON. */
#ifndef BOURN_TESTS_FRONT_HARNESS_H
#define BOURN_TESTS_FRONT_HARNESS_H

#include "base/buf.h"
#include "ipc/ring.h"

#include <sys/types.h>

#define BIG_BYTES (20u << 20)
#define PIECE_BYTES 100000u /* of the three that "tile/rows/three" has */

struct stage {
    pid_t front, vault;
    int control; /* to front */
    uint16_t port;
};
struct stage stage_open(void);
/* Asks front to stop and gives its exit code (or 1000 + signal). */
int stage_close(struct stage *s);
int stage_wait_front(struct stage *s);

int client_connect(const struct stage *s);
void client_send(int fd, const void *p, size_t n);
/* One whole response (by its Content-Length): head with its empty line in `head`, body in `body`. False: the
 * connection ended or 10 s went by. */
struct response {
    unsigned status;
    struct buf head, body;
    bool head_only; /* set before: an answer to HEAD */
};
bool client_read(int fd, struct response *r);
void response_release(struct response *r);
/* Connects, sends, reads one response, closes. */
bool ask(const struct stage *s, const char *request, struct response *r);
/* Sends a request with "Connection: close" and appends all that comes until the end. */
void ask_raw(const struct stage *s, const char *request, struct buf *out);
bool response_has(const struct response *r, const char *text); /* in head or body */

#endif
