/* The tables behind entry.c. Internal to cbor. */
#ifndef BOURN_CBOR_KINDS_H
#define BOURN_CBOR_KINDS_H

#include "cbor/codec.h"
#include "cbor/entry.h"

#define KEY_BIT(k) ((uint64_t)1 << (k))
#define ALWAYS (KEY_BIT(E_KIND) | KEY_BIT(E_TIME) | KEY_BIT(E_SALT))
#define ROW_ALWAYS (KEY_BIT(R_LABEL) | KEY_BIT(R_PREV) | KEY_BIT(R_SALT))

struct entry_shape {
    const char *name;
    uint64_t must, may;         /* keys of the entry, beside ALWAYS; no `must`: reserved */
    uint64_t row_must, row_may; /* keys of its rows, beside ROW_ALWAYS */
};

extern const struct codec entry_codec, row_codec;
extern const struct entry_shape entry_shapes[ENTRY_KIND_MAX + 1];
/* NULL for a kind that is unknown or reserved. */
static inline const struct entry_shape *entry_shape(uint32_t kind)
{
    return kind >= 1 && kind <= ENTRY_KIND_MAX && entry_shapes[kind].must ? &entry_shapes[kind] : NULL;
}

#endif
