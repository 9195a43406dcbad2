/* A witness (C2SP tlog-witness): it keeps the last checkpoint of each log that it trusts, and cosigns one
 * only if it extends that. What it signs it has kept first, durably: no two roots of one size ever get its
 * signature. One thread owns it.
 *
 * Its folder: witness.key (seed, 0600), witness.vkey, logs (a vkey a line), state/<hash of an origin> (the
 * last checkpoint with the log's signature and its own), lock. docs/formats/witness.md */
#ifndef BOURN_WITNESS_WITNESS_H
#define BOURN_WITNESS_WITNESS_H

#include "base/buf.h"

struct witness;

/* Makes the folder `path` (must not exist or be empty) with a fresh key under this name; appends its vkey to
 * `vkey`. BOURN_E_USAGE for a name that notes cannot carry. */
enum bourn_err witness_create(const char *path, const char *name, struct buf *vkey) BOURN_MUST_USE;
/* Adds a log's key (vkey text), durably; a witness that serves reads it when it starts again. Nothing happens
 * if it is there. */
enum bourn_err witness_trust(const char *path, struct slice vkey) BOURN_MUST_USE;

/* Opens it, its lock held. BOURN_E_UNAVAILABLE: another process serves it. BOURN_E_CORRUPT: what it kept does
 * not read or its own signature on it does not verify; it then signs nothing. */
enum bourn_err witness_open(const char *path, struct witness **out) BOURN_MUST_USE;
void witness_close(struct witness *w);
size_t witness_logs(const struct witness *w); /* origins that it knows */

struct witness_answer {
    uint32_t status;
    const char *type; /* content type of a 200 or 409; NULL: `code` and `body` make a problem */
    const char *code; /* stable word */
    struct buf *body; /* the answer's bytes, or the problem's sentence */
};
/* One add-checkpoint. An error is the disk's: the process must end, and nothing was signed. */
enum bourn_err witness_add_checkpoint(struct witness *w, struct slice request, uint64_t now_s,
                                      struct witness_answer *a) BOURN_MUST_USE;

#endif
