/* The world's insides, for world.c (built from entries) and world_read.c (asked): not for other folders. */
#ifndef BOURN_GATE_WORLD_INTERNAL_H
#define BOURN_GATE_WORLD_INTERNAL_H

#include "base/limits.h"
#include "gate/world.h"

/* A growing array of pointers into the arena, ascending by entry index. */
struct list {
    void **v;
    size_t n, size;
};
struct schema { /* one version of a collection */
    struct world_collection c;
    uint64_t takes_effect;
};
struct world {
    struct arena arena;
    bool begun;
    uint64_t last, time; /* index and time of the last entry */
    uint64_t
        setup_until; /* policy entries up to this index count at once: they stand directly behind genesis */
    const struct entry *genesis, *continued; /* the last one of that kind, or NULL */
    const struct entry *before;              /* what named the log before that */
    uint64_t continued_index, carried_until; /* of it; last index of the entries that carry over behind it */
    struct list parties, schemas, firsts, notices, policies, settings;
    size_t parties_live, pack_names;
};

#endif
