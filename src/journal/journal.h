/* The journal: the one thing that must be on disk before an answer leaves. Preallocated, zero-filled,
 * append-only segments; one frame a batch; one fdatasync a frame. A frame is opaque bytes here.
 *
 * Frame on disk: magic, segment generation, sequence (from 1, +1 each), length, SHA-256 of the previous
 * frame's header and payload, checksum over all of it (SHA-256 cut to 16 bytes). docs/formats/journal.md. */
#ifndef BOURN_JOURNAL_JOURNAL_H
#define BOURN_JOURNAL_JOURNAL_H

#include "base/err.h"
#include "base/slice.h"

struct io_dir;
struct journal;

struct journal_options {
    uint64_t segment_bytes; /* JOURNAL_SEGMENT_BYTES; fixed when the journal is made */
    unsigned segments_min, segments_max,
        segments_reserved; /* max at most JOURNAL_SEGMENTS_MAX, reserved below min */
};
#define JOURNAL_PARTS_MAX 62      /* slices of one frame */
#define JOURNAL_FRAME_OVERHEAD 80 /* bytes that a frame has at most beside its payload */
#define JOURNAL_SEGMENT_OVERHEAD 4096

/* Makes an empty journal in the folder (segments zero-filled and synced). */
enum bourn_err journal_create(struct io_dir *dir, const struct journal_options *o) BOURN_MUST_USE;
/* Opens and scans it by expected sequence and generation. Cuts an invalid tail and keeps its bytes aside in
 * "tail.<sequence>" (never removed by bourn); refuses (BOURN_E_CORRUPT, with a sentence that says what to do)
 * if a later valid frame exists behind the cut, if a frame behind min_mark is gone, or if min_mark lies
 * beyond the end. *last is the last valid sequence (0: none). It is the same as journal_release(min_mark) for
 * what may be used again. */
enum bourn_err journal_open(struct io_dir *dir, const struct journal_options *o, uint64_t min_mark,
                            struct journal **out, uint64_t *last) BOURN_MUST_USE;
void journal_close(struct journal *j);

/* Calls fn for each frame with sequence > after, in order, payload borrowed for the call. Reads the files
 * again; BOURN_E_CORRUPT if frame after + 1 was released and is gone, or a frame changed since the scan. */
enum bourn_err journal_replay(struct journal *j, uint64_t after,
                              enum bourn_err (*fn)(void *ctx, uint64_t sequence, struct slice payload),
                              void *ctx) BOURN_MUST_USE;
/* Writes one frame made of n parts and makes it durable: one pwritev and one fdatasync, no allocation (a
 * frame that begins a segment syncs its header first; a new segment is made only when none is free).
 * BOURN_E_FULL (nothing written) if no segment is free, there may be no more of them, or the volume is full;
 * with `reserved` the reserved ones may be used. BOURN_E_LIMIT for a frame that does not fit a segment, or
 * over JOURNAL_PARTS_MAX. After any other error the process must exit: nothing is retried, and every later
 * append is BOURN_E_IO. */
enum bourn_err journal_append(struct journal *j, const struct slice *parts, size_t n, bool reserved,
                              uint64_t *sequence) BOURN_MUST_USE;
/* Segments whose last frame is <= mark may be used again. */
void journal_release(struct journal *j, uint64_t mark);
/* Bytes of payload that can still be appended without / with the reserve before the marks advance: exact for
 * one frame a segment, less for many (JOURNAL_FRAME_OVERHEAD each, and the rests of segments). Counts
 * segments that may still be made as long as the volume was not found full. */
uint64_t journal_free_bytes(const struct journal *j, bool reserved);

#endif
