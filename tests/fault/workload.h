/* A seeded day in the life of a cell: requests in batches, restarts in between, marks of all of it in the
 * trace. */
#ifndef BOURN_FAULT_WORKLOAD_H
#define BOURN_FAULT_WORKLOAD_H

#include "trace.h"

#include <stdbool.h>

/* Runs it in a folder that is there and empty; the cell is <folder>/cn. The trace was made for that folder.
 * False, with a sentence on standard error, if the cell did not do what it was asked. */
bool workload_run(struct trace_head *trace, const char *folder, uint64_t seed);

#endif
