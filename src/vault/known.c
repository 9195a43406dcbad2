#include "vault/known.h"

#include "base/buf.h"
#include "base/limits.h"

#include <sys/mman.h>

enum { LINE_BYTES = 64, PAGE_BYTES = 4096, STATE_BYTES = 256, RECORD_BYTES = 1152 };
enum { PLACES = 4, BUCKETS = KNOWN_PEOPLE_MAX / PLACES };
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a power of two");

struct place {
    uint32_t some; /* of the hash; the bucket is chosen by other bits */
    uint32_t next; /* the number + 1; 0: empty */
    uintptr_t near;
};
struct known {
    struct place place[BUCKETS][PLACES]; /* a bucket is one line of the cache, newest first */
};

enum bourn_err known_new(struct known **out)
{
    /* Pages from the kernel are zero, and cost nothing before they are touched. */
    *out = mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*out != MAP_FAILED)
        return BOURN_OK;
    *out = NULL;
    return err_set(BOURN_E_MEMORY, "out of memory for the table of people");
}

void known_free(struct known *k)
{
    if (k)
        munmap(k, sizeof *k);
}

static size_t bucket_of(const uint8_t hash[32])
{
    return (size_t)be_get(hash, 4) % BUCKETS;
}

void known_prefetch(const struct known *k, const uint8_t hash[32])
{
    __builtin_prefetch(k->place[bucket_of(hash)]);
}

uint64_t known_get(const struct known *k, const uint8_t hash[32], uintptr_t *near)
{
    const struct place *p = k->place[bucket_of(hash)];
    uint32_t some = (uint32_t)be_get(hash + 4, 4);
    for (unsigned i = 0; i < PLACES; i++)
        if (p[i].next && p[i].some == some) {
            *near = p[i].near;
            return p[i].next - 1;
        }
    return KNOWN_NONE;
}

void known_put(struct known *k, const uint8_t hash[32], uint64_t number, uintptr_t near)
{
    struct place *p = k->place[bucket_of(hash)];
    uint32_t some = (uint32_t)be_get(hash + 4, 4);
    unsigned i = 0;
    if (number >= UINT32_MAX)
        return;
    while (i < PLACES - 1 && p[i].next && p[i].some != some)
        i++;
    memmove(p + 1, p, i * sizeof *p);
    p[0] = (struct place){some, (uint32_t)number + 1, near};
}

void known_prefetch_row(uintptr_t near)
{
    uintptr_t page = near - near % PAGE_BYTES;
    uintptr_t first = near - page > RECORD_BYTES ? near - RECORD_BYTES : page;
    __builtin_prefetch((const void *)page, 0, 3); /* where LMDB lists what the page holds */
    for (uintptr_t at = first; at < near + STATE_BYTES && at < page + PAGE_BYTES; at += LINE_BYTES)
        __builtin_prefetch((const void *)at, 0, 3);
}
