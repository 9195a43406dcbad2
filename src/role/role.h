/* The processes of a serving cell. `bourn serve` is the parent: it makes the rings, starts the roles by fork
 * and exec of its own binary, holds nothing, restarts none. */
#ifndef BOURN_ROLE_ROLE_H
#define BOURN_ROLE_ROLE_H

#include "ipc/ring.h"

struct role_options {
    const char *cell, *listen;
    const char *metrics;            /* address on loopback that answers /metrics alone, or NULL */
    const char *tls_cert, *tls_key; /* PEM files; both NULL: plain HTTP, on loopback alone */
};
/* Serves until SIGTERM or SIGINT (drains: front, then vault, then signer; returns 0), or until a role dies:
 * then it stops the others, prints which one and how, and returns 70. Prints "listening on http://ADDRESS"
 * (or https) on standard output when all are ready, with metrics before it "metrics on
 * http://ADDRESS/metrics". With TLS, SIGHUP reads certificate and key again. 69: cannot start (with the
 * reason); 64: bad address (only loopback is allowed without TLS). */
int role_parent(const struct role_options *o);

/* `bourn witness`: one process of its own, no parent. Serves POST /add-checkpoint until SIGTERM or SIGINT and
 * returns as role_parent does; prints "listening on http://ADDRESS" (or https) when it is ready. */
struct role_witness_options {
    const char *dir, *listen;
    const char *tls_cert, *tls_key; /* PEM files; both NULL: plain HTTP, on loopback alone */
};
int role_witness(const struct role_witness_options *o);

/* What main() calls when argv[1] is "--role": argv[2] is the role's name, then its arguments. Returns an exit
 * code. */
int role_main(int argc, char **argv);

/* The roles. `control` is one end of a socket pair to the parent: the role writes the line "ready TEXT\n"
 * once it serves (front: TEXT is the address it listens on), and drains and returns 0 when it reads a byte or
 * end of file. `listen` of front: the address, behind "https://" if the certificate comes over `control`; a
 * comma and the address for metrics may follow. */
int role_front(const struct ring_fds *vault, int control, const char *listen);
/* vault's TEXT: the URLs of witnesses, one a line with a space for each newline; empty: no relay is wanted.
 */
int role_vault(const struct ring_fds *front, const struct ring_fds *signer, const struct ring_fds *relay,
               int control, const char *cell);
/* `urls`: the same text; the relay posts to these and nowhere else. */
int role_relay(const struct ring_fds *vault, int control, const char *urls);
int role_signer(const struct ring_fds *vault, int control, const char *cell);

#endif
