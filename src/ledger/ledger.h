/* The ledger's derived files: entry bundles, rows, hash tiles and checkpoints, in the layout of C2SP
 * tlog-tiles, on disk as over HTTP. Owned by one thread (the vault's ledger worker). Truth is the journal:
 * after a crash the files are rebuilt from it beyond the file mark.
 *
 * ledger/checkpoint, ledger/tile/<L>/<N>[.p/<W>], ledger/tile/entries/<N>[.p/<W>], rows/<N>[.p/<W>] */
#ifndef BOURN_LEDGER_LEDGER_H
#define BOURN_LEDGER_LEDGER_H

#include "base/buf.h"

struct io_dir;
struct ledger;
struct merkle_hash;

/* Opens the files of a log of `size` entries (the file mark, saved by the caller with what it made durable);
 * what lies beyond is removed or overwritten. `cell` is the cell's folder, borrowed until ledger_close;
 * ledger/ and rows/ are made if absent. A partial that `size` needs and that is missing is cut out of a wider
 * file. BOURN_E_CORRUPT if tiles or bundles at the edge of `size` are missing or contradict each other. */
enum bourn_err ledger_open(struct io_dir *cell, uint64_t size, struct ledger **out) BOURN_MUST_USE;
void ledger_close(struct ledger *l);
uint64_t ledger_size(const struct ledger *l); /* entries appended, written or not */

/* Adds one entry and its rows (a rows_next stream, empty if none). Bytes are copied. Every 256th time it
 * writes what is full, not synced. After an error nothing was added, and it can be tried again. */
enum bourn_err ledger_append(struct ledger *l, struct slice entry, struct slice rows) BOURN_MUST_USE;
/* Writes bundles, rows and tiles up to ledger_size (partials by new names), then one syncfs; nothing if
 * nothing is new. If the sync fails, every later append and flush fails with the same code: restart. */
enum bourn_err ledger_flush(struct ledger *l) BOURN_MUST_USE;
/* Root at the present size; consistency proof old -> present; inclusion proof index -> present. The present
 * size must have been flushed for proofs. */
void ledger_root(const struct ledger *l, struct merkle_hash *root);
enum bourn_err ledger_root_at(struct ledger *l, uint64_t size, struct merkle_hash *root) BOURN_MUST_USE;
enum bourn_err ledger_consistency(struct ledger *l, uint64_t old, struct merkle_hash *proof,
                                  size_t *n) BOURN_MUST_USE;
enum bourn_err ledger_inclusion(struct ledger *l, uint64_t index, struct merkle_hash *proof,
                                size_t *n) BOURN_MUST_USE;
/* The same for the tree of an earlier size. */
enum bourn_err ledger_inclusion_at(struct ledger *l, uint64_t index, uint64_t size, struct merkle_hash *proof,
                                   size_t *n) BOURN_MUST_USE;
/* Consistency proof between two sizes, both flushed, from the files: safe from another thread. */
enum bourn_err ledger_prove_consistency(struct io_dir *cell, uint64_t old, uint64_t size,
                                        struct merkle_hash *proof, size_t *n) BOURN_MUST_USE;
/* Writes ledger/checkpoint again, with more signatures under the same text. */
enum bourn_err ledger_republish(struct ledger *l, struct slice note) BOURN_MUST_USE;
/* Writes ledger/checkpoint (a signed note) by rename, synced. Removes partials: those of hashes and entries
 * once the full file exists, those of rows once a wider one does, two checkpoints and 60 s after that. */
enum bourn_err ledger_publish(struct ledger *l, struct slice note) BOURN_MUST_USE;

/* Appends the entry at index to `entry`, and its rows (a rows_next stream) to `rows`, from the files. Opens
 * its own files: safe from another thread for indices below the flushed size, any that was true before.
 * BOURN_E_NOT_FOUND for others; BOURN_E_CORRUPT if a file is missing or cut. */
enum bourn_err ledger_read(struct io_dir *cell, uint64_t index, uint64_t flushed_size, struct buf *entry,
                           struct buf *rows) BOURN_MUST_USE;
/* The same for a whole bundle (a bundle_next stream), as far as the flushed size goes. */
enum bourn_err ledger_bundle(struct io_dir *cell, uint64_t n, uint64_t flushed_size,
                             struct buf *out) BOURN_MUST_USE;
/* Inclusion proofs in the tree of `size`, which was flushed, from the files alone; many at the cost of few
 * where the entries lie close together. Safe beside the thread that writes. `cell` is borrowed. */
struct ledger_prover;
enum bourn_err ledger_prover_new(struct io_dir *cell, uint64_t size,
                                 struct ledger_prover **out) BOURN_MUST_USE;
void ledger_prover_free(struct ledger_prover *p);
enum bourn_err ledger_prove(struct ledger_prover *p, uint64_t index, struct merkle_hash *proof,
                            size_t *n) BOURN_MUST_USE;
/* A file below the public prefix, for HTTP: "checkpoint", "tile/<L>/<N>[.p/<W>]", "tile/entries/<N>[.p/<W>]";
 * every other path is BOURN_E_NOT_FOUND. A partial that is gone is cut out of a wider file. BOURN_E_LIMIT if
 * the file is larger than the cap of `out`. Safe from another thread. */
enum bourn_err ledger_file(struct io_dir *cell, struct slice path, struct buf *out) BOURN_MUST_USE;

/* The same for auditors: "tile/rows/<N>[.p/<W>]" and nothing else, from rows/. */
enum bourn_err ledger_rows_file(struct io_dir *cell, struct slice path, struct buf *out) BOURN_MUST_USE;

/* Of such a file at most `most` bytes from byte `from` on; *total is how many it has. */
enum bourn_err ledger_rows_part(struct io_dir *cell, struct slice path, uint64_t from, size_t most,
                                struct buf *out, uint64_t *total) BOURN_MUST_USE;

/* Root over the rows of one entry (leaf = row bytes); `rows` is a rows_next stream. */
enum bourn_err ledger_rows_root(struct slice rows, uint8_t root[32], uint64_t *count) BOURN_MUST_USE;

/* The signer's head: the last checkpoint that it signed, in two slots of a file of its own. */
struct ledger_head {
    uint64_t size;
    uint8_t root[32];
};
struct io_file;
/* Reads the newer valid slot. Generation 0 and the empty tree if the file is empty or its very first write
 * was cut off (then nothing was ever signed); BOURN_E_CORRUPT if it holds other bytes but no valid slot. */
enum bourn_err ledger_head_read(struct io_file *f, struct ledger_head *out,
                                uint64_t *generation) BOURN_MUST_USE;
/* Writes the older slot with generation + 1, fdatasync. */
enum bourn_err ledger_head_write(struct io_file *f, const struct ledger_head *h,
                                 uint64_t *generation) BOURN_MUST_USE;
/* The signer's decision, pure: extends the head with this proof, or BOURN_E_DENIED. */
enum bourn_err ledger_head_extend(const struct ledger_head *head, uint64_t size, const uint8_t root[32],
                                  const struct merkle_hash *proof, size_t n) BOURN_MUST_USE;

#endif
