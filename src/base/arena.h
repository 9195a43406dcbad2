/* Memory that is given back all at once: one arena a request, or a batch. Not for secrets. */
#ifndef BOURN_BASE_ARENA_H
#define BOURN_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;
struct arena {
    struct arena_block *head, *spare; /* in use, newest first; kept for the next round */
    size_t used, size;                /* of the head block, bytes */
    size_t kept;                      /* bytes of spare blocks */
    size_t total, cap;                /* bytes handed out since the last reset; limit */
};

void arena_init(struct arena *a, size_t cap);
void arena_release(struct arena *a);
/* Keeps up to ARENA_KEPT_BYTES_MAX in blocks of the usual size for the next round, gives the rest back. */
#ifdef __SANITIZE_ADDRESS__
#define ARENA_KEPT_BYTES_MAX 0u /* so that what is used too late is found */
#else
#define ARENA_KEPT_BYTES_MAX (1u << 20)
#endif
void arena_reset(struct arena *a);
/* n zeroed bytes aligned to 16, valid until reset or release; NULL over the cap or out of memory. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy of s with a NUL after it; p is NULL if it did not fit. */
struct slice arena_copy(struct arena *a, struct slice s);

#endif
