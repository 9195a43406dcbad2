/* What a journal ought to hold: payloads that follow from a seed and their sequence, so that any frame can be
 * checked without keeping it. */
#ifndef BOURN_TESTS_JOURNAL_MODEL_H
#define BOURN_TESTS_JOURNAL_MODEL_H

#include "../io/sim.h"
#include "journal/journal.h"

enum { MODEL_PAYLOAD_BYTES_MAX = 12000 };

extern const struct journal_options model_options; /* small: segments of 16 KiB, 3 to 6 of them, 1 reserved */
struct journal *model_open(uint64_t min_mark, uint64_t *last); /* must succeed */
enum bourn_err model_try_open(uint64_t min_mark, struct journal **out, uint64_t *last);
void model_create(void);
/* Appends payload number `sequence`, of `n` bytes, in a few parts. */
enum bourn_err model_append(struct journal *j, uint64_t sequence, size_t n, bool reserved);
/* Replays and checks that exactly after + 1 .. last come, each with its payload. */
void model_check(struct journal *j, uint64_t after, uint64_t last);
bool model_exists(const char *path);

#endif
