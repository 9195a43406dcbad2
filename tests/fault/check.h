/* What has to be true of a cell after a power cut. */
#ifndef BOURN_FAULT_CHECK_H
#define BOURN_FAULT_CHECK_H

#include "disk.h"
#include "story.h"

#include <stddef.h>

enum { RECEIPTS = 4096, ERASED = 256, HEADS = 8, ONCES = 6 };

struct known { /* what was told last, and what was asked since and not answered; request 0: nothing */
    struct story told, asked;
};
struct expectation {
    bool ready;
    uint64_t seed; /* of what the check chooses */
    uint64_t now;  /* the last second that anybody knew */
    struct known people[PEOPLE], parties[PARTIES], codes[PEOPLE], copies[PEOPLE];
    uint64_t schema[SCHEMAS]; /* when each version of `people` takes effect that was told */
    unsigned schemas;
    struct story schema_asked;
    struct story once[ONCES]; /* told, with an Idempotency-Key */
    size_t onces_n;           /* all; kept are the last */
    struct {
        uint64_t index;
        bool records, copy;
    } receipts[RECEIPTS];
    size_t receipts_n;
    uint64_t erased[ERASED];
    size_t erased_n;
    struct story heads[HEADS];
    size_t heads_n; /* all; kept are the last */
};
/* What clients knew directly before event k. */
void expect(const struct disk *d, size_t k, uint64_t seed, struct expectation *out);

/* The hashes of all entries of a cell that lies there, for comparing. Returns how many. */
size_t entries_read(const char *cell, uint8_t (*hash)[32], size_t most);

/* Opens the cell, asks it for everything that is expected, has the ledger verified. Changes the cell. False,
 * with what is wrong in `why`. Call it in a process of its own. */
struct entries {
    uint8_t (*hash)[32]; /* as they were without a cut */
    size_t n;
};
bool check_cell(const char *cell, const struct expectation *e, const struct entries *whole, char *why,
                size_t why_n);

#endif
