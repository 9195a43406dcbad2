/* Private to src/ledger: the open log.
 *
 * Invariants, between calls:
 * 1. level l holds size >> 8l hashes in all; the last width[l] of them are in tile[l], the others in full
 * files;
 * 2. bundle and group hold the entries and rows of the last `open` entries, the others are in full files;
 * 3. open == width[0]; a full tile or bundle stays in memory until the next append or flush has written it;
 * 4. after a flush every file that a checkpoint of `size` needs is on disk. */
#ifndef BOURN_LEDGER_INTERNAL_H
#define BOURN_LEDGER_INTERNAL_H

#include "ledger/ledger.h"
#include "ledger/partials.h"
#include "ledger/tiles.h"

#define LEDGER_LEVELS 8 /* 256^8 entries are more than a size can say */

struct ledger {
    struct io_dir *cell; /* borrowed */
    uint64_t size, flushed;
    unsigned open, open_written; /* entries in memory; of these in the newest partial on disk */
    struct buf bundle, group;
    struct merkle_hash tile[LEDGER_LEVELS][MERKLE_TILE_WIDTH];
    unsigned width[LEDGER_LEVELS], written[LEDGER_LEVELS];
    struct partials partials;
    enum bourn_err failed; /* a sync failed: what is on disk is unknown until a restart */
};

/* The tile of hashes that is in memory at this level (width as it stands), and the open bundle or rows. */
struct merkle_tile ledger_open_tile(const struct ledger *l, unsigned level);
struct merkle_tile ledger_open_bundle(const struct ledger *l, enum merkle_tile_kind kind);

/* A merkle_read over memory and full files; ctx is the ledger. */
enum bourn_err ledger_read_node(void *ctx, unsigned height, uint64_t index,
                                struct merkle_hash *out) BOURN_MUST_USE;

/* Fills a new ledger of l->size entries from its files, and checks them against each other. */
enum bourn_err ledger_load(struct ledger *l) BOURN_MUST_USE;
/* Removes what lies beyond l->size, and lists the partials that were left behind. */
enum bourn_err ledger_tidy(struct ledger *l) BOURN_MUST_USE;

#endif
