/* What the roles share. */
#ifndef BOURN_ROLE_INTERNAL_H
#define BOURN_ROLE_INTERNAL_H

#include "base/err.h"
#include "role/role.h"
#include "sandbox/sandbox.h"

#include <sys/socket.h>
#include <sys/types.h>

enum { ROLE_EXIT_USAGE = 64, ROLE_EXIT_UNAVAILABLE = 69, ROLE_EXIT_FAILED = 70 };

/* "127.0.0.1:7700" or "[::1]:7700"; port 0 lets the kernel choose. BOURN_E_USAGE unless it is loopback, or
 * there is TLS. */
enum bourn_err role_address_parse(const char *text, bool tls, struct sockaddr_storage *out,
                                  socklen_t *n) BOURN_MUST_USE;
void role_address_print(const struct sockaddr_storage *at, char out[80]);
/* Binds and listens; `address` is where, with the port that the kernel chose. */
enum bourn_err role_listen(const char *listen_at, bool tls, int *fd, char address[80]) BOURN_MUST_USE;

/* Stands before front's address where it is to speak TLS; it gets the certificate as an order. */
#define ROLE_HTTPS "https://"
/* What the parent says over the control socket begins with one byte. This one: lengths of chain and key (4
 * bytes each, big-endian), then both as PEM. Any other: finish. */
enum { ROLE_ORDER_CERTIFICATE = 'c' };
struct buf;
/* certificate.c: a PEM file that holds `words`; `secret`: others than owner and group may not read it. */
enum bourn_err role_read_pem(const char *path, const char *words, const char *what, bool secret,
                             struct buf *out) BOURN_MUST_USE;
/* certificate.c: reads both files and sends them. An error is the operator's to mend: nothing was sent. */
enum bourn_err role_send_certificate(int control, const char *chain, const char *key) BOURN_MUST_USE;
/* The folders that the sandbox must let the parent read for that, also through symbolic links: absolute
 * paths, NULL at the end. Given back by free() of each. */
enum { ROLE_FOLDERS_MAX = SANDBOX_FOLDERS_MAX };
enum bourn_err role_certificate_folders(const char *chain, const char *key,
                                        char *out[ROLE_FOLDERS_MAX + 1]) BOURN_MUST_USE;

/* Tells the parent that this role serves. */
enum bourn_err role_ready(int control, const char *text) BOURN_MUST_USE;

enum { ROLE_READY_BYTES_MAX = 48 << 10 }; /* what the relay may reach fits */
/* start.c: the parent's view of a role that runs. */
struct role_child {
    const char *name;
    pid_t pid;
    int control;                      /* the parent's end */
    char ready[ROLE_READY_BYTES_MAX]; /* the text of its ready line */
};
/* Forks and executes this program again as the role. `keep`: the descriptors it inherits beside standard
 * error, in the order of its arguments; `last`: its last argument (the cell's folder or the address). */
enum bourn_err role_start(struct role_child *c, const char *name, const int *keep, size_t keep_n,
                          const char *last) BOURN_MUST_USE;

#endif
