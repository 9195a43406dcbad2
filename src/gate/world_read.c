/* What the world knows, for those who ask. */
#include "gate/world_internal.h"

uint64_t world_time(const struct world *w)
{
    return w->time;
}
struct slice world_origin(const struct world *w)
{
    return w->continued ? w->continued->origin : w->genesis ? w->genesis->origin : (struct slice){0};
}
struct slice world_domicile(const struct world *w)
{
    return w->genesis ? w->genesis->domicile : (struct slice){0};
}
struct slice world_controller(const struct world *w, struct slice *contact)
{
    if (contact)
        *contact = w->genesis ? w->genesis->contact : (struct slice){0};
    return w->genesis ? w->genesis->legal_name : (struct slice){0};
}
uint64_t world_delay_s(const struct world *w)
{
    return w->genesis ? w->genesis->delay : 0;
}
bool world_log_key(const struct world *w, const uint8_t key[32])
{
    const struct entry *e = w->continued ? w->continued : w->genesis;
    for (size_t i = 0; e && i < e->keys_n; i++)
        if (memcmp(e->keys[i].p, key, 32) == 0)
            return true;
    return false;
}

const struct entry *world_continued(const struct world *w, uint64_t *index, uint64_t *carried_until)
{
    *index = w->continued_index;
    *carried_until = w->carried_until;
    return w->continued;
}

const struct entry *world_before_continued(const struct world *w)
{
    return w->before;
}

const struct entry *world_genesis(const struct world *w)
{
    return w->genesis;
}

const struct gate_party *world_party(const struct world *w, uint64_t index)
{
    size_t lo = 0, hi = w->parties.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct gate_party *p = w->parties.v[mid];
        if (p->index == index)
            return p;
        if (p->index < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct gate_party *world_party_named(const struct world *w, struct slice name)
{
    for (size_t i = w->parties.n; i-- > 0;) {
        const struct gate_party *p = w->parties.v[i];
        if (p->ended == UINT64_MAX && slice_eq(p->name, name))
            return p;
    }
    return NULL;
}

const struct world_collection *world_collection(const struct world *w, struct slice name, uint64_t time)
{
    for (size_t i = w->schemas.n; i-- > 0;) {
        const struct schema *c = w->schemas.v[i];
        if (c->takes_effect <= time && slice_eq(c->c.name, name))
            return &c->c;
    }
    return NULL;
}

const struct world_collection *world_collection_newest(const struct world *w, struct slice name)
{
    return world_collection(w, name, UINT64_MAX);
}

const struct world_notice *world_notice(const struct world *w, uint64_t index)
{
    for (size_t i = w->notices.n; i-- > 0;) {
        const struct world_notice *n = w->notices.v[i];
        if (n->index == index)
            return n;
    }
    return NULL;
}

const struct world_notice *world_notice_named(const struct world *w, struct slice name, struct slice language)
{
    for (size_t i = w->notices.n; i-- > 0;) {
        const struct world_notice *n = w->notices.v[i];
        if (slice_eq(n->name, name) && slice_eq(n->language, language))
            return n;
    }
    return NULL;
}

struct slice world_setting(const struct world *w, const char *name)
{
    for (size_t i = w->settings.n; i-- > 0;) {
        const struct entry *e = w->settings.v[i];
        for (size_t j = e->settings_n; j-- > 0;)
            if (slice_is(e->settings[j].name, name))
                return e->settings[j].value;
    }
    return (struct slice){0};
}

/* A pack has begun once its delay has run and its own first day has come. From then on it supersedes the
 * earlier ones of its name for good: where it ends, they do not come back. */
static bool has_begun(const struct world_policy *p, uint64_t index, uint64_t time)
{
    return p->index < index && p->takes_effect <= time && p->pack->effective_from <= time;
}

size_t world_packs(const struct world *w, uint64_t index, uint64_t time, const struct gate_pack **packs,
                   uint64_t *indices)
{
    size_t n = 0;
    for (size_t i = 0; i < w->policies.n; i++) {
        const struct world_policy *p = w->policies.v[i];
        bool counts = has_begun(p, index, time) && time < p->pack->effective_to;
        for (size_t j = i + 1; j < w->policies.n && counts; j++) {
            const struct world_policy *q = w->policies.v[j];
            counts = !(slice_eq(q->pack->name, p->pack->name) && has_begun(q, index, time));
        }
        if (!counts)
            continue;
        bourn_assert(n < PACKS_MAX);
        packs[n] = p->pack;
        indices[n++] = p->index;
    }
    return n;
}

const struct gate_party *world_party_at(const struct world *w, size_t i)
{
    return i < w->parties.n ? w->parties.v[i] : NULL;
}
const struct world_collection *world_collection_at(const struct world *w, size_t i)
{
    return i < w->firsts.n ? &((const struct schema *)w->firsts.v[i])->c : NULL;
}
const struct world_policy *world_policy_at(const struct world *w, size_t i)
{
    return i < w->policies.n ? w->policies.v[i] : NULL;
}
