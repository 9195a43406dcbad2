/* The bytes of a segment, and nothing else: no files. docs/formats/journal.md
 *
 * A frame is valid at a place if its magic, the segment's generation, the expected sequence, the digest of
 * the frame before it and its own checksum are all as they must be. The chain of digests runs through segment
 * headers too. */
#ifndef BOURN_JOURNAL_FORMAT_H
#define BOURN_JOURNAL_FORMAT_H

#include "base/err.h"
#include "base/slice.h"

enum {
    SEGMENT_HEADER_BYTES = 80,  /* of which the first 64 are under the checksum */
    SEGMENT_BODY_OFFSET = 4096, /* the first frame: the header has a sector of its own on every disk */
    FRAME_HEADER_BYTES = 72,    /* of which the first 56 are under the checksum, with the payload */
    FRAME_CHECKED_BYTES = 56,
    FRAME_ALIGN = 8,
    DIGEST_BYTES = 32,
};

struct segment_header {
    uint32_t uses;       /* how often the segment was taken, from 1; in its first use the body was zero */
    uint64_t generation; /* over all segments, from 1, each only once */
    uint64_t first;      /* sequence of its first frame */
    uint8_t previous[DIGEST_BYTES]; /* digest of frame first - 1; zero before the very first */
};

void segment_header_put(uint8_t out[SEGMENT_HEADER_BYTES], const struct segment_header *h);
bool segment_header_get(const uint8_t in[SEGMENT_HEADER_BYTES], struct segment_header *out);

struct frame {
    uint64_t generation, sequence;
    struct slice payload;
    uint8_t previous[DIGEST_BYTES];
    uint8_t digest[DIGEST_BYTES]; /* SHA-256 over the checked part of the header and the payload */
};

/* Bytes that a frame with so much payload takes, with its padding. */
uint64_t frame_bytes(uint64_t payload_bytes);
/* Fills the header of a frame and its digest. parts[0] is the header's place: it points at FRAME_HEADER_BYTES
 * bytes at `out`; the payload is parts[1] .. parts[n - 1]. */
void frame_seal(uint8_t out[FRAME_HEADER_BYTES], struct slice *parts, size_t n, uint64_t generation,
                uint64_t sequence, const uint8_t previous[DIGEST_BYTES], uint8_t digest[DIGEST_BYTES]);
/* The frame at `offset` of a segment in memory, if magic, length and checksum are right; who comes before it
 * and whether it belongs here is the caller's to compare. */
bool frame_get(struct slice segment, uint64_t offset, struct frame *out);
/* What a torn frame claims of itself: generation and length, not checked. False without the magic. */
bool frame_claims(struct slice segment, uint64_t offset, uint64_t *generation, uint64_t *bytes);

#endif
