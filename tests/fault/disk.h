/* The states that a power cut can leave, rebuilt from a trace.
 *
 * What a file system promises, and no more: a file's bytes and size are on the disk once an fsync or
 * fdatasync of that file returned, a folder's names once an fsync of the folder returned, everything once a
 * syncfs returned, and a single write if it was O_DSYNC. All else that was done before the cut may be there
 * or not, in any order: of a file each sector of 512 bytes may stand as any of the writes since the last sync
 * left it, the size too, and each name may be the old one or the new one. */
#ifndef BOURN_FAULT_DISK_H
#define BOURN_FAULT_DISK_H

#include "trace.h"

#include <stdbool.h>

struct disk;

uint64_t fault_random(uint64_t *state); /* splitmix64 */

struct disk *disk_load(struct trace_head *h); /* borrows h */
void disk_free(struct disk *d);
size_t disk_events(const struct disk *d);
const struct trace_event *disk_event(const struct disk *d, size_t i);
/* Builds in the folder `out` (emptied first) what a cut directly before event k can leave. */
void disk_build(struct disk *d, size_t k, uint64_t seed, const char *out);
void disk_empty(const char *path); /* removes everything below */

#endif
