/* What the replay keeps of each person: memory grows with people, their keys, consents and records, never
 * with entries. */
#include "verify/internal.h"

#include <stdlib.h>

enum { SLOTS_MIN = 1024 };

static enum bourn_err no_memory(void)
{
    return err_set(BOURN_E_MEMORY, "out of memory");
}

enum bourn_err people_init(struct people *p)
{
    *p = (struct people){.slots = SLOTS_MIN};
    crypto_random(&p->seed, sizeof p->seed); /* so that chosen labels cannot crowd one slot */
    p->slot = calloc(p->slots, sizeof *p->slot);
    return p->slot ? BOURN_OK : no_memory();
}

static void subject_free(struct subject *s)
{
    person_release(&s->person);
    free(s->records);
    free(s->used);
    free(s);
}

void people_release(struct people *p)
{
    for (size_t i = 0; p->slot && i < p->slots; i++)
        if (p->slot[i])
            subject_free(p->slot[i]);
    free(p->slot);
    *p = (struct people){0};
}

/* The slot of the label, or the empty one where it belongs. */
static size_t slot_of(struct subject *const *slot, size_t slots, uint64_t seed, const uint8_t label[16])
{
    uint64_t h = (be_get(label, 8) ^ seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ be_get(label + 8, 8) ^ seed << 17) * 0xbf58476d1ce4e5b9u;
    for (size_t i = (size_t)(h >> 20) & (slots - 1);; i = (i + 1) & (slots - 1))
        if (!slot[i] || memcmp(slot[i]->person.label, label, 16) == 0)
            return i;
}

struct subject *people_find(const struct people *p, const uint8_t label[16])
{
    return p->slot[slot_of(p->slot, p->slots, p->seed, label)];
}

enum bourn_err people_add(struct people *p, const uint8_t label[16], struct subject **out)
{
    if (p->n * 2 >= p->slots) {
        size_t slots = p->slots * 2;
        struct subject **slot = calloc(slots, sizeof *slot);
        if (!slot)
            return no_memory();
        for (size_t i = 0; i < p->slots; i++)
            if (p->slot[i])
                slot[slot_of(slot, slots, p->seed, p->slot[i]->person.label)] = p->slot[i];
        free(p->slot);
        p->slot = slot;
        p->slots = slots;
    }
    struct subject *s = calloc(1, sizeof *s);
    if (!s)
        return no_memory();
    person_init(&s->person, label);
    p->slot[slot_of(p->slot, p->slots, p->seed, label)] = s;
    p->n++;
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

/* Room for one more of n elements: sizes are powers of two. */
static void *grow(void *p, size_t n, size_t size)
{
    return n & (n - 1) ? p : realloc(p, (n ? 2 * n : 1) * size);
}

enum bourn_err subject_record_add(struct subject *s, uint32_t collection, uint64_t id)
{
    struct record *r = grow(s->records, s->records_n, sizeof *r);
    if (!r)
        return no_memory();
    s->records = r;
    size_t i = record_at(s, collection, id);
    memmove(r + i + 1, r + i, (s->records_n - i) * sizeof *r);
    r[i] = (struct record){.id = id, .version = 1, .collection = collection};
    s->records_n++;
    return BOURN_OK;
}

enum bourn_err subject_use(struct subject *s, const uint8_t id[16], bool *fresh)
{
    *fresh = true;
    for (size_t i = 0; i < s->used_n; i++)
        if (memcmp(s->used[i], id, 16) == 0)
            *fresh = false;
    if (!*fresh)
        return BOURN_OK;
    uint8_t(*used)[16] = grow(s->used, s->used_n, sizeof *used);
    if (!used)
        return no_memory();
    s->used = used;
    memcpy(used[s->used_n++], id, 16);
    return BOURN_OK;
}
