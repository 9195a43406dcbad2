/* The limits of bourn, with small ones where a workload of a second must reach what a cell reaches in hours:
 * segments that fill and are used again, commits of the store and checkpoints between two requests. */
#pragma GCC system_header /* include_next is no part of the standard */
#ifndef BOURN_FAULT_LIMITS_H
#define BOURN_FAULT_LIMITS_H

#include_next "base/limits.h"

#undef BATCH_BYTES_MAX
#undef JOURNAL_SEGMENT_BYTES
#undef JOURNAL_SEGMENTS_MIN
#undef STORE_COMMIT_ROWS
#undef STORE_COMMIT_MS
#undef CHECKPOINT_INTERVAL_MS
#undef PREV_SAVE_BYTES_MIN
#undef PREV_SAVE_BYTES
#undef SWEEP_ROWS_PER_TICK
#define BATCH_BYTES_MAX (32u << 10)
#define JOURNAL_SEGMENT_BYTES (36u << 10)
#define JOURNAL_SEGMENTS_MIN 2
#define STORE_COMMIT_ROWS 30
#define STORE_COMMIT_MS 40
#define CHECKPOINT_INTERVAL_MS 40
#define PREV_SAVE_BYTES_MIN (12u << 10)
#define PREV_SAVE_BYTES (12u << 10)
#define SWEEP_ROWS_PER_TICK 2

#endif
