#include "base/arena.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.cap = cap};
}

static void free_chain(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_release(struct arena *a)
{
    free_chain(a->head);
    free_chain(a->spare);
    *a = (struct arena){.cap = a->cap};
}

void arena_reset(struct arena *a)
{
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->next;
        if (b->size == BLOCK_BYTES && a->kept + BLOCK_BYTES <= ARENA_KEPT_BYTES_MAX) {
            b->next = a->spare;
            a->spare = b;
            a->kept += BLOCK_BYTES;
        } else {
            free(b);
        }
    }
    a->used = a->size = a->total = 0;
}

static struct arena_block *take_block(struct arena *a, size_t size)
{
    struct arena_block *b = a->spare;
    if (b && size <= BLOCK_BYTES) {
        a->spare = b->next;
        a->kept -= BLOCK_BYTES;
        return b;
    }
    size = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    b = malloc(sizeof *b + size);
    if (b)
        b->size = size;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > PTRDIFF_MAX || n > a->cap || a->total > a->cap - n)
        return NULL;
    size_t rounded = (n + 15) & ~(size_t)15;
    if (!a->head || a->size - a->used < rounded) {
        struct arena_block *b = take_block(a, rounded);
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
        a->used = 0;
        a->size = b->size;
    }
    uint8_t *p = a->head->bytes + a->used;
    a->used += rounded;
    a->total += rounded;
    return memset(p, 0, n);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *p = arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, p ? s.n : 0);
}
