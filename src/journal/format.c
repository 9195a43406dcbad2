#include "journal/format.h"

#include "base/buf.h"
#include "crypto/crypto.h"

static const char segment_magic[8] = "bournseg", frame_magic[4] = "bfrm";
enum { VERSION = 1, CHECKSUM_BYTES = 16, SEGMENT_CHECKED_BYTES = 64 };

void segment_header_put(uint8_t out[SEGMENT_HEADER_BYTES], const struct segment_header *h)
{
    uint8_t digest[DIGEST_BYTES];
    memcpy(out, segment_magic, 8);
    be_put(out + 8, VERSION, 4);
    be_put(out + 12, h->uses, 4);
    be_put(out + 16, h->generation, 8);
    be_put(out + 24, h->first, 8);
    memcpy(out + 32, h->previous, DIGEST_BYTES);
    crypto_sha256_1(digest, slice_of(out, SEGMENT_CHECKED_BYTES));
    memcpy(out + SEGMENT_CHECKED_BYTES, digest, CHECKSUM_BYTES);
}

bool segment_header_get(const uint8_t in[SEGMENT_HEADER_BYTES], struct segment_header *out)
{
    uint8_t digest[DIGEST_BYTES];
    crypto_sha256_1(digest, slice_of(in, SEGMENT_CHECKED_BYTES));
    if (memcmp(in, segment_magic, 8) != 0 || be_get(in + 8, 4) != VERSION ||
        memcmp(in + SEGMENT_CHECKED_BYTES, digest, CHECKSUM_BYTES) != 0)
        return false;
    out->uses = (uint32_t)be_get(in + 12, 4);
    out->generation = be_get(in + 16, 8);
    out->first = be_get(in + 24, 8);
    memcpy(out->previous, in + 32, DIGEST_BYTES);
    /* No journal gets as far as 2^63: behind that, numbers would begin again. */
    return out->generation != 0 && out->generation <= INT64_MAX && out->first != 0 && out->first <= INT64_MAX;
}

uint64_t frame_bytes(uint64_t payload_bytes)
{
    return (FRAME_HEADER_BYTES + payload_bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

void frame_seal(uint8_t out[FRAME_HEADER_BYTES], struct slice *parts, size_t n, uint64_t generation,
                uint64_t sequence, const uint8_t previous[DIGEST_BYTES], uint8_t digest[DIGEST_BYTES])
{
    uint64_t length = 0;
    for (size_t i = 1; i < n; i++)
        length += parts[i].n;
    memcpy(out, frame_magic, 4);
    be_put(out + 4, length, 4);
    be_put(out + 8, generation, 8);
    be_put(out + 16, sequence, 8);
    memcpy(out + 24, previous, DIGEST_BYTES);
    parts[0] = slice_of(out, FRAME_CHECKED_BYTES);
    crypto_sha256(digest, parts, n);
    memcpy(out + FRAME_CHECKED_BYTES, digest, CHECKSUM_BYTES);
    parts[0] = slice_of(out, FRAME_HEADER_BYTES);
}

bool frame_claims(struct slice segment, uint64_t offset, uint64_t *generation, uint64_t *bytes)
{
    if (offset > segment.n || segment.n - offset < FRAME_HEADER_BYTES ||
        memcmp(segment.p + offset, frame_magic, 4) != 0)
        return false;
    *bytes = frame_bytes(be_get(segment.p + offset + 4, 4));
    *generation = be_get(segment.p + offset + 8, 8);
    return true;
}

bool frame_get(struct slice segment, uint64_t offset, struct frame *out)
{
    uint64_t bytes;
    if (!frame_claims(segment, offset, &out->generation, &bytes) || bytes > segment.n - offset)
        return false;
    const uint8_t *p = segment.p + offset;
    out->sequence = be_get(p + 16, 8);
    memcpy(out->previous, p + 24, DIGEST_BYTES);
    out->payload = slice_of(p + FRAME_HEADER_BYTES, (size_t)be_get(p + 4, 4));
    struct slice parts[] = {slice_of(p, FRAME_CHECKED_BYTES), out->payload};
    crypto_sha256(out->digest, parts, 2);
    return memcmp(p + FRAME_CHECKED_BYTES, out->digest, CHECKSUM_BYTES) == 0;
}
