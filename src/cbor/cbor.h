/* Deterministic CBOR (RFC 8949 section 4.2.1): unsigned integers, byte and text strings, arrays, maps with
 * ascending unsigned keys, null, booleans. The reader refuses every other form: longer than shortest heads,
 * indefinite lengths, tags, floats, negative numbers, wrong UTF-8. */
#ifndef BOURN_CBOR_CBOR_H
#define BOURN_CBOR_CBOR_H

#include "base/buf.h"

void cbor_put_uint(struct buf *b, uint64_t v);
void cbor_put_bytes(struct buf *b, struct slice s);
void cbor_put_text(struct buf *b, struct slice s); /* s must be UTF-8 */
void cbor_put_array(struct buf *b, uint64_t n);
void cbor_put_map(struct buf *b, uint64_t n);
void cbor_put_null(struct buf *b);
void cbor_put_bool(struct buf *b, bool v);

/* A reader fails once and stays failed: the getters then return zero values, and cbor_done says
 * BOURN_E_FORMAT with offset and reason. */
struct cbor {
    const uint8_t *start, *p, *end;
    const char *why; /* NULL while good */
};
void cbor_init(struct cbor *c, struct slice in);
uint64_t cbor_uint(struct cbor *c);
struct slice cbor_bytes(struct cbor *c);
struct slice cbor_text(struct cbor *c);
/* Number of elements, refused if over `most`. */
uint64_t cbor_array(struct cbor *c, uint64_t most);
uint64_t cbor_map(struct cbor *c, uint64_t most);
bool cbor_bool(struct cbor *c);
bool cbor_null(
    struct cbor *c); /* true and consumed if the next item is null; otherwise nothing is consumed */
struct slice cbor_skip(struct cbor *c); /* any one item of the accepted forms; returns its bytes */
void cbor_fail(struct cbor *c, const char *why);
/* BOURN_OK if not failed and at the end of the input. */
enum bourn_err cbor_done(const struct cbor *c) BOURN_MUST_USE;

#endif
