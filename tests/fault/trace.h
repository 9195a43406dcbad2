/* The trace: everything that a cell's processes did to their files, in order, and what clients were told in
 * between.
 *
 * A file of zeros that all recorded processes map: a head, then events one behind the other, each on a
 * multiple of 8. An event is written after its system call returned and under one lock around both, so that
 * the order is the true one over threads and processes. */
#ifndef BOURN_FAULT_TRACE_H
#define BOURN_FAULT_TRACE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_BYTES ((size_t)1 << 30) /* sparse */

enum trace_type {
    TRACE_ROOT = 1, /* node: the folder below which everything is recorded */
    TRACE_CREATE,   /* folder, node, name */
    TRACE_MKDIR,    /* folder, node, name */
    TRACE_RENAME,   /* folder, node, name; to_folder, second name */
    TRACE_UNLINK,   /* folder, node, name; also of folders */
    TRACE_WRITE,    /* node, offset, data */
    TRACE_SIZE,     /* node, offset: the new size */
    TRACE_SYNC,     /* node: fsync or fdatasync; of a folder: its names */
    TRACE_SYNCFS,
    TRACE_MARK, /* data: what a client asked or was told (story.h) */
};

struct trace_event {
    uint32_t bytes; /* of the whole event; 0 where the trace ends */
    uint32_t type;
    uint64_t node, folder, to_folder; /* inode numbers */
    uint64_t offset;
    uint32_t durable; /* of a write: it was synced by itself (O_DSYNC) */
    uint32_t name_n, name2_n, data_n;
    char rest[]; /* name, second name, data */
};

#define TRACE_LOST_MAX 4
struct trace_lost { /* a sync that is taken out: neither done nor recorded */
    char call[16];  /* "fdatasync", "fsync", "syncfs", "dsync" */
    char name[32];  /* the file's name begins with this; is this, if a $ stands at the end */
};

struct trace_head {
    pthread_mutex_t lock; /* robust and shared */
    uint64_t used;        /* bytes of events; whoever reads it without the lock sees whole events only */
    char root[256];       /* absolute path */
    struct trace_lost lost[TRACE_LOST_MAX];
    char late[32];   /* writes and syncs of files of this name are recorded after the next mark only */
    uint64_t lost_n; /* syncs that were taken out */
};

static inline char *trace_events(struct trace_head *h)
{
    return (char *)h + sizeof *h;
}

#endif
