/* What the folder's files share. */
#ifndef BOURN_WITNESS_INTERNAL_H
#define BOURN_WITNESS_INTERNAL_H

#include "base/limits.h"
#include "io/io.h"
#include "merkle/witness.h"
#include "witness/witness.h"

#define WITNESS_STATE_NAME_BYTES (6 + 64 + 1) /* "state/", hex, NUL */

struct witness_log { /* an origin, by the name of its keys */
    const char *origin;
    bool kept; /* something was cosigned; else size and root are those of the empty tree */
    uint64_t size;
    struct merkle_hash root;
};
struct witness {
    struct io_dir *dir;
    int lock_fd;
    struct merkle_vkey key;
    uint8_t *secret; /* guarded memory */
    struct merkle_vkey *trusted;
    size_t trusted_n;
    struct witness_log *logs;
    size_t logs_n;
    uint64_t last_time; /* of any cosignature, POSIX seconds */
    struct buf scratch;
};

void witness_state_name(const char *origin, char out[WITNESS_STATE_NAME_BYTES]);

#endif
