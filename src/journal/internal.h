/* What the files of this folder share.
 *
 * Invariants:
 * 1. A frame is durable before the next one is written: at most the last can be torn.
 * 2. A segment's header is durable before its first frame is written, and names the frame before it.
 * 3. Segments that hold frames are contiguous in sequence when sorted by generation, because the free one
 * with the smallest generation is taken first; the one with the last frame is never free.
 * 4. An append that is not `reserved` leaves segments_reserved free segments on disk behind. */
#ifndef BOURN_JOURNAL_INTERNAL_H
#define BOURN_JOURNAL_INTERNAL_H

#include "base/limits.h"
#include "io/io.h"
#include "journal/format.h"
#include "journal/journal.h"

#define SEGMENT_NAME "seg.%06u"
enum { SEGMENT_NAME_BYTES = 24 };

struct segment {
    struct io_file *file;
    unsigned number; /* of the file's name */
    bool known;      /* the header on disk is valid and stands here */
    struct segment_header header;
    uint64_t last; /* sequence of its last frame; 0: none that is needed */
};

struct journal {
    struct io_dir *dir;
    struct journal_options options;
    struct segment segments[JOURNAL_SEGMENTS_MAX];
    unsigned n;
    struct segment *active;       /* holds the last frame, or none yet; NULL before the first */
    uint64_t end;                 /* of the frames in active: where the next goes */
    uint64_t sequence;            /* of the last frame */
    uint8_t digest[DIGEST_BYTES]; /* of the last frame */
    uint64_t generation;          /* the highest ever given */
    uint64_t mark;
    uint64_t grow_again_ms; /* the volume was full: no new segment before this time (CLOCK_MONOTONIC); 0 */
    bool failed;
};

static inline bool journal_segment_free(const struct journal *j, const struct segment *s)
{
    return s != j->active && s->last <= j->mark;
}
void journal_check_options(const struct journal_options *o); /* an invariant of the caller */
/* Makes the file of segment `number`, zero-filled and durable. BOURN_E_FULL leaves nothing behind. */
enum bourn_err journal_make_segment(struct io_dir *dir, unsigned number, uint64_t bytes) BOURN_MUST_USE;
enum bourn_err journal_open_segment(struct journal *j,
                                    unsigned number) BOURN_MUST_USE; /* adds it to j->segments */
/* Scans the open segments and sets everything but n, dir and options (recover.c). */
enum bourn_err journal_recover(struct journal *j, uint64_t min_mark) BOURN_MUST_USE;
/* Walks the frames of a segment in memory: the last sequence (first - 1: none), where they end, and the
 * digest and place of the last. */
struct walk {
    uint64_t last, end, last_offset;
    uint8_t digest[DIGEST_BYTES];
};
void journal_walk(struct slice bytes, const struct segment_header *h, struct walk *out);
/* Cuts the tail that begins at `end` of a segment: keeps its bytes in tail.<sequence>, then writes zeros. */
enum bourn_err journal_cut_tail(struct journal *j, const struct segment *s, struct slice bytes, uint64_t end,
                                uint64_t sequence) BOURN_MUST_USE;

#endif
