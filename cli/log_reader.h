/* Reads a log from its first entry to its newest checkpoint, and later on to the next one. Each entry is held
 * against its hash in the tile, all of them against the root of the checkpoint, and a checkpoint against the
 * one before it: the tree over what was read must become the new one. With a key its signature is checked
 * too. What a log says about people is bourn-verify's work, not this one's. */
#ifndef BOURN_CLI_LOG_READER_H
#define BOURN_CLI_LOG_READER_H

#include "log_source.h"

struct log_reader {
    struct log_source *source;     /* borrowed */
    const struct merkle_vkey *key; /* NULL: no signature is checked */
    struct merkle_edge edge;       /* over the entries that were read */
    uint64_t size;                 /* of the newest checkpoint that was read */
    struct merkle_hash root;       /* its root */
    char origin[MERKLE_ORIGIN_BYTES_MAX + 1];
    struct buf note, bundle, tile;
};
/* Takes entry `index`; an error ends the reading. */
typedef enum bourn_err (*log_reader_take)(void *ctx, uint64_t index, struct slice entry);

void log_reader_init(struct log_reader *r, struct log_source *source, const struct merkle_vkey *key);
void log_reader_release(struct log_reader *r);
/* Fetches the checkpoint and the entries that are new in it. BOURN_E_UNAVAILABLE: no answer now; the next
 * call goes on where this one stopped. BOURN_E_CORRUPT or BOURN_E_CRYPTO: the log is not sound, and the
 * sentence says where. */
enum bourn_err log_reader_run(struct log_reader *r, log_reader_take take, void *ctx) BOURN_MUST_USE;

#endif
