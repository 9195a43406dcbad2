/* The journal: the one thing that must be on disk before an answer leaves. Preallocated, zero-filled, append-only
 * segments; one frame a batch; one fdatasync a frame. A frame is opaque bytes here.
 *
 * Frame on disk: magic, segment generation, sequence (from 1, +1 each), length, SHA-256 of the previous frame's header
 * and payload, checksum over all of it (SHA-256 cut to 16 bytes). docs/formats/journal.md. */
#ifndef BOURN_JOURNAL_JOURNAL_H
#define BOURN_JOURNAL_JOURNAL_H

#include "base/err.h"
#include "base/slice.h"

struct io_dir;
struct journal;

struct journal_options {
    uint64_t segment_bytes;  /* JOURNAL_SEGMENT_BYTES */
    unsigned segments_min, segments_max, segments_reserved;
};

/* Makes an empty journal in the folder (segments zero-filled and synced). */
enum bourn_err journal_create(struct io_dir *dir, const struct journal_options *o) BOURN_MUST_USE;
/* Opens and scans it by expected sequence and generation. Cuts an invalid tail and keeps its bytes aside in
 * "tail.<sequence>"; refuses (BOURN_E_CORRUPT) if a later valid frame of the same generation exists behind the cut, or
 * if the first frame needed (min_mark + 1) is gone. *last is the last valid sequence (0: none). */
enum bourn_err journal_open(struct io_dir *dir, const struct journal_options *o, uint64_t min_mark, struct journal **out,
                            uint64_t *last) BOURN_MUST_USE;
void journal_close(struct journal *j);

/* Calls fn for each frame with sequence > after, in order, payload borrowed for the call. */
enum bourn_err journal_replay(struct journal *j, uint64_t after,
                              enum bourn_err (*fn)(void *ctx, uint64_t sequence, struct slice payload), void *ctx)
    BOURN_MUST_USE;
/* Writes one frame made of n parts and makes it durable. BOURN_E_FULL (nothing written) if no segment is free; with
 * `reserved` the reserved ones may be used. After BOURN_E_IO the process must exit: nothing is retried. */
enum bourn_err journal_append(struct journal *j, const struct slice *parts, size_t n, bool reserved, uint64_t *sequence)
    BOURN_MUST_USE;
/* Segments whose last frame is <= mark may be used again. */
void journal_release(struct journal *j, uint64_t mark);
/* Bytes that can still be appended without / with the reserve before the marks advance. */
uint64_t journal_free_bytes(const struct journal *j, bool reserved);

#endif
