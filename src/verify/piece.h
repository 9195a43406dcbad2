/* A piece: one bundle of entries and the rows beside it. What does not depend on the order of the log is done
 * when it is read, by any thread (piece.c); a piece is then replayed in its turn (replay.c). The crew
 * (crew.c) holds the ring of pieces, the threads, and the signatures that are still to be checked. */
#ifndef BOURN_VERIFY_PIECE_H
#define BOURN_VERIFY_PIECE_H

#include "verify/internal.h"

struct trouble { /* what went wrong, for whoever comes to it in order */
    enum bourn_err err;
    const char *why; /* in the piece's arena */
};
struct piece_row {
    struct row r;
    struct trouble trouble;
    uint64_t hash;           /* of the label, for people_find */
    struct subject *subject; /* who it may be: the label decides; NULL: nobody, or not looked for yet */
};
struct piece_entry {
    struct slice bytes, group;
    struct entry *e;          /* shared with others like it … */
    struct entry_front front; /* … but for this, put into it in its turn */
    struct trouble trouble;
    uint32_t row, ahead;        /* its first row in the piece, and how many are decoded: all, mostly */
    size_t ahead_end, rows_end; /* in the group: behind those, and behind all; less than it is long if cut */
    struct merkle_hash rows_root; /* over all rows of the group */
};
enum piece_cut { CUT_NOWHERE, CUT_ENTRY, CUT_ROWS };
struct piece {
    uint64_t n;           /* number of the bundle */
    unsigned width, skip; /* its first `width` entries are read, from `skip` on: those before are known */
    struct buf bundle, rows, tile;
    struct trouble trouble, tile_trouble; /* of reading bundle or rows; of reading the tile of leaves */
    bool late; /* its rows are so many that they are read in its turn, one such file at a time */
    bool bundle_wider, rows_wider; /* stand in for partial files that are gone: they go on */
    bool follows;                  /* something stands behind the last entry or its rows */
    enum piece_cut cut;
    unsigned whole; /* entries up to the cut */
    struct piece_entry entry[MERKLE_TILE_WIDTH];
    struct merkle_hash leaf[MERKLE_TILE_WIDTH], root; /* root: of a full piece */
    struct piece_row *row;
    uint32_t rows_n, rows_room;
    struct arena arena;
    struct entry_memo memo;
};
void piece_init(struct piece *p);
void piece_release(struct piece *p);
/* Reads, cuts, hashes and decodes. The piece says what went wrong. `whatever`: in its turn, of any size. */
void piece_read(struct piece *p, const struct replay *v, struct source *s, bool whatever);
size_t piece_bytes(const struct piece *p); /* of memory that it takes */
/* Gives back what an unusually large piece took. */
void piece_clear(struct piece *p);

/* Replays the pieces from where the tree stands up to `size` with all threads; the first error in the order
 * of the log. */
enum bourn_err crew_run(struct replay *v, uint64_t size) BOURN_MUST_USE;
void crew_release(struct replay *v);
/* Checks the signature, sooner or later; if it is not good, that is a finding of the entry at hand, as if it
 * had been found here: "<what>: <why>". */
void crew_check_signature(struct replay *v, enum verify_clause c, const char *what, const struct evidence *e);
/* replay.c: the piece, in its turn. */
enum bourn_err replay_piece(struct replay *v, struct piece *p) BOURN_MUST_USE;

#endif
