#include "vault/known.h"

#include "base/buf.h"
#include "base/limits.h"

#include <sys/mman.h>

enum { PLACES = 8, BUCKETS = KNOWN_PEOPLE_MAX / PLACES };
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a power of two");

struct place {
    uint32_t some; /* of the hash; the bucket is chosen by other bits */
    uint32_t next; /* the number + 1; 0: empty */
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

uint64_t known_get(const struct known *k, const uint8_t hash[32])
{
    const struct place *p = k->place[bucket_of(hash)];
    uint32_t some = (uint32_t)be_get(hash + 4, 4);
    for (unsigned i = 0; i < PLACES; i++)
        if (p[i].next && p[i].some == some)
            return p[i].next - 1;
    return KNOWN_NONE;
}

void known_put(struct known *k, const uint8_t hash[32], uint64_t number)
{
    struct place *p = k->place[bucket_of(hash)];
    uint32_t some = (uint32_t)be_get(hash + 4, 4);
    unsigned i = 0;
    if (number >= UINT32_MAX)
        return;
    while (i < PLACES - 1 && p[i].next && p[i].some != some)
        i++;
    memmove(p + 1, p, i * sizeof *p);
    p[0] = (struct place){some, (uint32_t)number + 1};
}
