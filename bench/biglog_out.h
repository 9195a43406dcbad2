/* Writes a ledger of any length, one entry after another, in the memory of one bundle: ledger/, rows/,
 * evidence.cborseq and ledger.vkey of a folder. For bench/biglog.c. */
#ifndef BOURN_BENCH_BIGLOG_OUT_H
#define BOURN_BENCH_BIGLOG_OUT_H

#include "consent/consent.h"
#include "crypto/crypto.h"
#include "gate/world.h"
#include "merkle/merkle.h"

#include <stdio.h>

#define BIGLOG_LEVELS 7

struct biglog {
    const char *dir;
    uint64_t n, time, dice; /* entries so far; POSIX seconds of the next; state of the generator of numbers */
    struct world *world;    /* as far as biglog_world was asked for */
    struct merkle_vkey key;
    uint8_t secret[64];
    struct buf bundle, rows, group, one;
    struct merkle_hash level[BIGLOG_LEVELS][MERKLE_TILE_WIDTH];
    unsigned filled[BIGLOG_LEVELS];
    struct merkle_edge edge;
    FILE *evidence;
};
/* Everything here exits with a message where it fails. */
_Noreturn void biglog_die(const char *what);
void biglog_open(struct biglog *b, const char *dir, const char *origin);
void biglog_close(struct biglog *b); /* partial files and the checkpoint */
uint64_t biglog_random(struct biglog *b);
void biglog_bytes(struct biglog *b, uint8_t *out, size_t n); /* pseudo-random, fast */
/* Appends the entry with its rows, which must ascend by label; salts, time, count and root are filled in. */
void biglog_add(struct biglog *b, struct entry *e, struct row *rows, size_t n);
/* The same for an entry that the world takes in: parties, packs, schemas. */
void biglog_add_to_world(struct biglog *b, struct entry *e);
/* Evidence of the next entry's row: commits the row to it and writes the item; `erased`: the item says so. */
void biglog_evidence(struct biglog *b, struct row *r, const struct evidence *e, bool erased);

#endif
