/* Private to src/ledger: files of tiles, entry bundles and rows by their place in the tree. */
#ifndef BOURN_LEDGER_TILES_H
#define BOURN_LEDGER_TILES_H

#include "base/limits.h"
#include "io/io.h"
#include "merkle/merkle.h"

#define TILES_PATH_BYTES_MAX 96
/* Bundles and groups of 256 with their length prefixes. */
#define TILES_BUNDLE_BYTES_MAX ((size_t)MERKLE_TILE_WIDTH * (2 + ENTRY_BYTES_MAX))
#define TILES_ROWS_BYTES_MAX ((size_t)MERKLE_TILE_WIDTH * (4 + ROWS_BYTES_MAX))

/* "ledger/tile/0/x001/234.p/7", below the cell's folder. */
void tiles_path(const struct merkle_tile *t, char path[TILES_PATH_BYTES_MAX]);
/* The folder of its partials: the same, up to ".p". */
void tiles_partials_path(const struct merkle_tile *t, char path[TILES_PATH_BYTES_MAX]);

/* Writes the file of t by a temporary name, its folders made as needed; not synced. */
enum bourn_err tiles_write(struct io_dir *cell, const struct merkle_tile *t,
                           struct slice bytes) BOURN_MUST_USE;

/* Opens a file that starts with what t holds: t's own, else the full one, else the narrowest partial that is
 * wide enough. BOURN_E_NOT_FOUND. Safe while another thread replaces and removes partials. */
enum bourn_err tiles_open(struct io_dir *cell, const struct merkle_tile *t,
                          struct io_file **out) BOURN_MUST_USE;

/* Appends exactly the t->width first items of such a file. BOURN_E_CORRUPT if the file holds fewer. */
enum bourn_err tiles_read(struct io_dir *cell, const struct merkle_tile *t, struct buf *out) BOURN_MUST_USE;
/* Appends at most `most` bytes of what tiles_read gives, from byte `from` on; *total is all of it. */
enum bourn_err tiles_part(struct io_dir *cell, const struct merkle_tile *t, uint64_t from, size_t most,
                          struct buf *out, uint64_t *total) BOURN_MUST_USE;
/* Appends one item alone, without its length prefix. BOURN_E_CORRUPT if the file ends before. */
enum bourn_err tiles_item(struct io_file *f, const struct merkle_tile *t, unsigned at,
                          struct buf *out) BOURN_MUST_USE;

/* The width of a partial from its name in the folder of partials; 0 if it is not one. */
unsigned tiles_width_of(const char *name);

#endif
