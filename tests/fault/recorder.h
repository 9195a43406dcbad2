/* Records what this process does to files: linked into a program, recorder.c stands in for the C library's
 * functions that change files, for all libraries of the program. */
#ifndef BOURN_FAULT_RECORDER_H
#define BOURN_FAULT_RECORDER_H

#include "trace.h"

#include <stdbool.h>

/* Makes the trace's file, for everything below the folder `root`. Aborts on failure, like everything here. */
struct trace_head *trace_make(const char *path, const char *root);
struct trace_head *trace_open(const char *path);
void trace_close(struct trace_head *h);
/* From now on this process, and those that it forks, record into h; NULL: no more. */
void recorder_begin(struct trace_head *h);
/* What lies below the root already, as events, durable. */
void recorder_base(void);
void recorder_mark(const void *data, size_t n);
/* Ends the process at once, as kill -9 would, but never between a call and its event. */
_Noreturn void recorder_kill_self(void);

#endif
