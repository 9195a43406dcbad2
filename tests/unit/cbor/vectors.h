/* Reads files of test vectors: tests/vectors/entries.txt, and the blocks marked ```vectors in
 * docs/formats/ledger.md. A line is `<what> <name> <hex>` or `bad-<what> <kind> <hex> <reason…>`; # begins a
 * comment. */
#ifndef TESTS_CBOR_VECTORS_H
#define TESTS_CBOR_VECTORS_H

#include "base/slice.h"

struct vector {
    char what[16], name[32]; /* "entry", "row", "bad-entry", "bad-row" */
    struct slice bytes;      /* released by vectors_free */
    char reason[128];        /* of the bad ones: part of err_text() */
};
/* path is relative to the source tree. Fails the test on a line that is none of these. */
struct vector *vectors_load(const char *path, size_t *n);
void vectors_free(struct vector *v, size_t n);

#endif
