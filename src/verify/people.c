/* What the replay keeps of each person: memory grows with people, their keys, consents and records, never
 * with entries. People lie in chunks that never move; a table of hashes finds their numbers. */
#include "verify/internal.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { SLOTS_MIN = 1024, CHUNK_BITS = 14, CHUNK = 1 << CHUNK_BITS, BLOCK_BYTES = 1 << 20 };
enum { HUGE_BYTES = 2 << 20 };
_Static_assert(CHUNK * sizeof(struct subject) == HUGE_BYTES, "a chunk of people is one huge page");

static enum bourn_err no_memory(void)
{
    return err_set(BOURN_E_MEMORY, "out of memory");
}

/* What is visited in no order, on huge pages where the system has them: else each visit is to a page that the
 * processor has forgotten the place of. Not zeroed. */
static void *alloc_huge(size_t bytes)
{
    void *p = aligned_alloc(HUGE_BYTES, bytes);
    if (p)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static uint64_t *alloc_slots(size_t n)
{
    size_t bytes = n * sizeof(uint64_t);
    uint64_t *slot = bytes < HUGE_BYTES ? malloc(bytes) : alloc_huge(bytes);
    return slot ? memset(slot, 0, bytes) : NULL;
}

enum bourn_err people_init(struct people *p)
{
    *p = (struct people){.slots = SLOTS_MIN};
    crypto_random(&p->seed, sizeof p->seed); /* so that chosen labels cannot crowd one slot */
    p->slot = alloc_slots(p->slots);
    return p->slot ? BOURN_OK : no_memory();
}

struct subject *people_at(const struct people *p, size_t i)
{
    return &p->chunk[i >> CHUNK_BITS][i & (CHUNK - 1)];
}

void people_release(struct people *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct subject *s = people_at(p, i);
        person_release(&s->person);
        if (s->signer)
            free(s->signer->used);
        free(s->signer);
    }
    for (size_t i = 0; i < p->chunks; i++)
        free(p->chunk[i]);
    for (void *b = p->pool.blocks, *next; b; b = next) {
        memcpy(&next, b, sizeof next);
        free(b);
    }
    free(p->chunk);
    free(p->slot);
    *p = (struct people){0};
}

uint64_t people_hash(const struct people *p, const uint8_t label[16])
{
    uint64_t h = (be_get(label, 8) ^ p->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ be_get(label + 8, 8) ^ p->seed << 17) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

/* The lower half chooses the slot, and the upper half, kept in it, tells most others apart. */
static size_t slot_of(const struct people *p, uint64_t hash, const uint8_t label[16])
{
    for (size_t i = (size_t)hash & (p->slots - 1);; i = (i + 1) & (p->slots - 1)) {
        uint64_t s = p->slot[i];
        if (!s ||
            (s >> 32 == hash >> 32 && memcmp(people_at(p, (uint32_t)s - 1)->person.label, label, 16) == 0))
            return i;
    }
}

struct subject *people_find(const struct people *p, uint64_t hash, const uint8_t label[16])
{
    uint64_t s = p->slot[slot_of(p, hash, label)];
    return s ? people_at(p, (uint32_t)s - 1) : NULL;
}

void people_fetch_slot(const struct people *p, uint64_t hash)
{
    __builtin_prefetch(&p->slot[(size_t)hash & (p->slots - 1)]);
}

struct subject *people_fetch(const struct people *p, uint64_t hash, bool records)
{
    size_t i = (size_t)hash & (p->slots - 1);
    while (p->slot[i] && p->slot[i] >> 32 != hash >> 32)
        i = (i + 1) & (p->slots - 1);
    if (!p->slot[i])
        return NULL;
    struct subject *s = people_at(p, (uint32_t)p->slot[i] - 1);
    __builtin_prefetch(s);
    if (records)
        __builtin_prefetch(&s->records);
    return s;
}

static bool table_double(struct people *p)
{
    uint64_t *old = p->slot, *slot = alloc_slots(p->slots * 2);
    if (!slot)
        return false;
    p->slot = slot;
    p->slots *= 2;
    for (size_t i = 0; i < p->n; i++) {
        const uint8_t *label = people_at(p, i)->person.label;
        uint64_t hash = people_hash(p, label);
        size_t at = (size_t)hash & (p->slots - 1);
        while (slot[at]) /* labels are each there once: nothing to compare */
            at = (at + 1) & (p->slots - 1);
        slot[at] = hash >> 32 << 32 | (i + 1);
    }
    free(old);
    return true;
}

static bool chunk_add(struct people *p)
{
    struct subject **chunk = realloc(p->chunk, (p->chunks + 1) * sizeof *chunk);
    if (!chunk)
        return false;
    p->chunk = chunk;
    chunk[p->chunks] = alloc_huge(CHUNK * sizeof **chunk);
    return chunk[p->chunks] && ++p->chunks;
}

enum bourn_err people_add(struct people *p, uint64_t hash, const uint8_t label[16], struct subject **out)
{
    if (p->n * 2 >= p->slots && !table_double(p))
        return no_memory();
    if (p->n == UINT32_MAX - 1)
        return err_set(BOURN_E_LIMIT, "more people than this verifier can follow");
    if (p->n == p->chunks * CHUNK && !chunk_add(p))
        return no_memory();
    struct subject *s = people_at(p, p->n);
    *s = (struct subject){0};
    person_init(&s->person, label);
    size_t at = slot_of(p, hash, label);
    p->slot[at] = hash >> 32 << 32 | ++p->n;
    *out = s;
    return BOURN_OK;
}

/* Records are kept ascending by collection and id: most are added at the end. */
static size_t record_at(const struct subject *s, uint32_t collection, uint64_t id)
{
    size_t lo = 0, hi = s->records_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct record *r = &s->records[mid];
        if (r->collection < collection || (r->collection == collection && r->id < id))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct record *subject_record(struct subject *s, uint32_t collection, uint64_t id)
{
    size_t i = record_at(s, collection, id);
    bool is = i < s->records_n && s->records[i].collection == collection && s->records[i].id == id;
    return is ? &s->records[i] : NULL;
}

uint64_t subject_living(const struct subject *s, uint32_t collection, uint64_t from, uint64_t to,
                        uint64_t time)
{
    uint64_t n = 0;
    for (size_t i = record_at(s, collection, from); i < s->records_n; i++) {
        const struct record *r = &s->records[i];
        if (r->collection != collection || r->id > to)
            break;
        n += !r->deleted && (!r->expires || r->expires > time);
    }
    return n;
}

/* A run of 1 << bits records: one that was given back, else the next of the block. */
static struct record *run_take(struct pool *p, unsigned bits)
{
    void *run = p->free[bits];
    size_t bytes = sizeof(struct record) << bits;
    if (run) {
        memcpy(&p->free[bits], run, sizeof run);
        return run;
    }
    if (p->left < bytes) {
        size_t size = sizeof(struct record) + (bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
        uint8_t *block = malloc(size);
        if (!block)
            return NULL;
        memcpy(block, &p->blocks, sizeof p->blocks);
        p->blocks = block;
        p->block = block + sizeof(struct record);
        p->left = size - sizeof(struct record);
    }
    run = p->block;
    p->block += bytes;
    p->left -= bytes;
    return run;
}

enum bourn_err subject_record_add(struct people *p, struct subject *s, uint32_t collection, uint64_t id,
                                  struct record **out)
{
    uint32_t n = s->records_n;
    if (!(n & (n - 1))) { /* full: runs are powers of two */
        unsigned bits = n ? (unsigned)__builtin_ctz(n) + 1 : 0;
        struct record *more = bits < 32 ? run_take(&p->pool, bits) : NULL;
        if (!more)
            return no_memory();
        if (n) {
            memcpy(more, s->records, n * sizeof *more);
            memcpy(s->records, &p->pool.free[bits - 1], sizeof(void *));
            p->pool.free[bits - 1] = s->records;
        }
        s->records = more;
    }
    size_t i = record_at(s, collection, id);
    memmove(s->records + i + 1, s->records + i, (n - i) * sizeof *s->records);
    s->records[i] = (struct record){.id = id, .version = 1, .collection = collection};
    s->records_n++;
    *out = &s->records[i];
    return BOURN_OK;
}

enum bourn_err subject_signer(struct subject *s, struct signer **out)
{
    if (!s->signer)
        s->signer = calloc(1, sizeof *s->signer);
    *out = s->signer;
    return s->signer ? BOURN_OK : no_memory();
}

enum bourn_err subject_use(struct subject *s, const uint8_t id[16], bool *fresh)
{
    struct signer *g;
    enum bourn_err err = subject_signer(s, &g);
    *fresh = true;
    for (size_t i = 0; err == BOURN_OK && i < g->used_n; i++)
        if (memcmp(g->used[i], id, 16) == 0)
            *fresh = false;
    if (!*fresh || err != BOURN_OK)
        return err;
    if (!(g->used_n & (g->used_n - 1))) {
        uint8_t(*used)[16] = realloc(g->used, (g->used_n ? 2 * g->used_n : 1) * sizeof *used);
        if (!used)
            return no_memory();
        g->used = used;
    }
    memcpy(g->used[g->used_n++], id, 16);
    return BOURN_OK;
}
