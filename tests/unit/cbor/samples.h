/* One entry and one row of every kind and shape: what tests/vectors/entries.txt holds in bytes. */
#ifndef TESTS_CBOR_SAMPLES_H
#define TESTS_CBOR_SAMPLES_H

#include "cbor/entry.h"

struct sample_entry {
    const char *name;
    struct entry entry;
};
struct sample_row {
    const char *name;
    uint32_t kind;
    struct row row;
};
extern struct sample_entry sample_entries[];
extern const size_t sample_entries_n;
extern struct sample_row sample_rows[];
extern const size_t sample_rows_n;

#endif
