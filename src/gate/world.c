#include <stdlib.h>

#include "crypto/crypto.h"
#include "gate/world_internal.h"

#define WORLD_BYTES_MAX ((size_t)1 << 30) /* all entries of parties, packs, schemas, notices and settings */
#define FORMAT_VERSION 1

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    if (w)
        arena_init(&w->arena, WORLD_BYTES_MAX);
    return w;
}

void world_free(struct world *w)
{
    if (!w)
        return;
    free(w->parties.v);
    free(w->schemas.v);
    free(w->firsts.v);
    free(w->notices.v);
    free(w->policies.v);
    free(w->settings.v);
    arena_release(&w->arena);
    free(w);
}

/* Room for one more, so that the push after all checks cannot fail. */
static bool list_reserve(struct list *l)
{
    if (l->n < l->size)
        return true;
    size_t size = l->size ? 2 * l->size : 16;
    void **v = realloc(l->v, size * sizeof *v);
    if (!v)
        return false;
    l->v = v;
    l->size = size;
    return true;
}
static void list_push(struct list *l, void *p)
{
    l->v[l->n++] = p;
}

/* What is being applied: the entry as the world keeps it, and the clause that a refusal names. */
struct step {
    struct world *w;
    uint64_t index;
    const struct entry *e;
    struct slice bytes;
    const char **clause;
};

static enum bourn_err no_memory(const struct step *s)
{
    return err_set(BOURN_E_MEMORY, "entry %llu: out of memory", (unsigned long long)s->index);
}

#define REFUSE(s, word, fmt, ...)                                                                            \
    (*(s)->clause = (word),                                                                                  \
     err_set(BOURN_E_CONFLICT, "entry %llu: " fmt, (unsigned long long)(s)->index, __VA_ARGS__))

static uint64_t later(uint64_t time, uint64_t delay)
{
    uint64_t sum;
    return __builtin_add_overflow(time, delay, &sum) ? UINT64_MAX : sum;
}

static enum bourn_err apply_genesis(struct step *s)
{
    if (s->e->format != FORMAT_VERSION)
        return REFUSE(s, "V1", "format version %llu, this program reads %d", (unsigned long long)s->e->format,
                      FORMAT_VERSION);
    s->w->genesis = s->e;
    return BOURN_OK;
}

/* From here on the log is another one, with its own name and key; all that it says stays true. */
static enum bourn_err apply_continued(struct step *s)
{
    struct world *w = s->w;
    if (slice_eq(s->e->origin, world_origin(w)) || !slice_eq(s->e->continues, world_origin(w)))
        return REFUSE(s, "V1", "continues %.*s, but the log before it is %.*s", SLICE_ARG(s->e->continues),
                      SLICE_ARG(world_origin(w)));
    if (s->e->known < s->index)
        return REFUSE(s, "V1", "knows of %llu entries of the old log, of which more stand before it",
                      (unsigned long long)s->e->known);
    w->before = w->continued ? w->continued : w->genesis;
    w->continued = s->e;
    w->continued_index = w->carried_until = s->index;
    return BOURN_OK;
}

/* What is carried over stands directly behind, and comes from what the old log has after this place. */
static enum bourn_err apply_carried(struct step *s)
{
    struct world *w = s->w;
    if (!w->continued || s->index != w->carried_until + 1)
        return REFUSE(s, "H1", "%s",
                      "carries over, but does not stand directly behind where a log is continued");
    if (s->e->from < w->continued_index || s->e->from >= w->continued->known)
        return REFUSE(s, "H1",
                      "carries over entry %llu, which is not one that the old log had after this place",
                      (unsigned long long)s->e->from);
    w->carried_until = s->index;
    return BOURN_OK;
}

static enum bourn_err apply_policy(struct step *s)
{
    struct world *w = s->w;
    struct world_policy *p = arena_alloc(&w->arena, sizeof *p);
    struct gate_pack *pack = arena_alloc(&w->arena, sizeof *pack);
    if (!p || !pack || !list_reserve(&w->policies))
        return no_memory(s);
    enum bourn_err err = gate_pack_decode(s->e->rules, &w->arena, pack);
    if (err != BOURN_OK) {
        *s->clause = "S3";
        return err;
    }
    pack->index = s->index;
    if (!slice_eq(pack->name, s->e->name) || pack->version != s->e->version)
        return REFUSE(s, "S3", "name or version differ from those of the compiled pack %.*s",
                      SLICE_ARG(pack->name));
    bool known = false;
    for (size_t i = 0; i < w->policies.n; i++) {
        const struct gate_pack *old = ((struct world_policy *)w->policies.v[i])->pack;
        bool same = slice_eq(old->name, pack->name);
        known |= same;
        if (same && old->version >= pack->version)
            return REFUSE(s, "S3", "pack %.*s needs a version over %llu", SLICE_ARG(pack->name),
                          (unsigned long long)old->version);
    }
    if (!known && w->pack_names == PACKS_MAX) /* so that world_packs never has to leave one out */
        return REFUSE(s, "S3", "more than %d packs", PACKS_MAX);
    err = world_pin(p->pin, s->e->yaml, s->e->rules);
    if (err != BOURN_OK)
        return err;
    bool setup = s->index == w->setup_until + 1;
    p->index = s->index;
    p->pack = pack;
    p->takes_effect = setup ? s->e->time : later(s->e->time, w->genesis->delay);
    if (setup)
        w->setup_until++;
    w->pack_names += !known;
    list_push(&w->policies, p);
    return BOURN_OK;
}

/* A new name is a declared field, an old one is none any more: so nothing is called by two names. */
static bool renames_fit(const struct entry *e)
{
    for (size_t i = 0; i < e->renamed_n; i++) {
        bool declared = false;
        for (size_t k = 0; k < e->fields_declared_n; k++) {
            declared = declared || slice_eq(e->fields_declared[k].name, e->renamed[i].now);
            if (slice_eq(e->fields_declared[k].name, e->renamed[i].was))
                return false;
        }
        if (!declared)
            return false;
    }
    return true;
}

/* The renames of all versions, those of `e` last. False out of memory or over the limit. */
static bool join_renames(struct world *w, struct world_collection *c, const struct world_collection *newest,
                         const struct entry *e)
{
    size_t before = newest ? newest->renames_n : 0, n = before + e->renamed_n;
    struct entry_rename *all = arena_alloc(&w->arena, (n + 1) * sizeof *all);
    if (!all || n > RENAMES_PER_COLLECTION_MAX)
        return false;
    if (before)
        memcpy(all, newest->renames, before * sizeof *all);
    if (e->renamed_n)
        memcpy(all + before, e->renamed, e->renamed_n * sizeof *all);
    c->renames = all;
    c->renames_n = n;
    return true;
}

static enum bourn_err apply_collection(struct step *s)
{
    struct world *w = s->w;
    const struct entry *e = s->e;
    const struct schema *newest = NULL;
    for (size_t i = 0; i < w->schemas.n; i++) {
        const struct schema *old = w->schemas.v[i];
        if (slice_eq(old->c.name, e->name))
            newest = old;
    }
    uint64_t version = newest ? newest->c.version + 1 : 1;
    if (e->version != version)
        return REFUSE(s, "K1", "schema of collection %.*s must have version %llu", SLICE_ARG(e->name),
                      (unsigned long long)version);
    if (e->renamed_n && (!newest || !renames_fit(e)))
        return REFUSE(s, "K1", "collection %.*s: a renamed field must be declared by its new name alone",
                      SLICE_ARG(e->name));
    if (!newest && w->firsts.n == COLLECTIONS_MAX)
        return REFUSE(s, "K1", "more than %d collections", COLLECTIONS_MAX);
    struct schema *c = arena_alloc(&w->arena, sizeof *c);
    if (!c || !list_reserve(&w->schemas) || !list_reserve(&w->firsts))
        return no_memory(s);
    c->c = (struct world_collection){
        .index = newest ? newest->c.index : s->index,
        .name = e->name,
        .version = version,
        .sensitive = e->sensitive,
        .retention = e->retention,
        .fields = e->fields_declared,
        .fields_n = e->fields_declared_n,
    };
    if (!join_renames(w, &c->c, newest ? &newest->c : NULL, e))
        return REFUSE(s, "K1", "more than %d renamed fields", RENAMES_PER_COLLECTION_MAX);
    c->takes_effect = newest ? later(e->time, w->genesis->delay) : e->time;
    list_push(&w->schemas, c);
    if (!newest)
        list_push(&w->firsts, c);
    return BOURN_OK;
}

static enum bourn_err end_party(struct step *s)
{
    /* Readers get it const; here it is the world's own. */
    struct gate_party *ends = (struct gate_party *)(uintptr_t)world_party(s->w, s->e->ends);
    if (!ends || ends->ended != UINT64_MAX)
        return REFUSE(s, "C2", "ends party %llu, which is not a living one", (unsigned long long)s->e->ends);
    ends->ended = s->index;
    s->w->parties_live--;
    return BOURN_OK;
}

static enum bourn_err check_new_party(const struct step *s)
{
    const struct entry *e = s->e;
    if (world_party_named(s->w, e->name))
        return REFUSE(s, "C2", "a living party is named %.*s already", SLICE_ARG(e->name));
    if (s->w->parties_live == PARTIES_MAX)
        return REFUSE(s, "C2", "more than %d parties", PARTIES_MAX);
    for (size_t i = 0; i < e->purposes_n; i++)
        for (size_t j = 0; j < i; j++)
            if (slice_eq(e->purposes[i].purpose, e->purposes[j].purpose))
                return REFUSE(s, "C2", "purpose %.*s is declared twice", SLICE_ARG(e->purposes[i].purpose));
    return BOURN_OK;
}

static enum bourn_err apply_party(struct step *s)
{
    struct world *w = s->w;
    const struct entry *e = s->e;
    if (entry_has(e, E_ENDS))
        return end_party(s);
    enum bourn_err err = check_new_party(s);
    if (err != BOURN_OK)
        return err;
    struct gate_party *p = arena_alloc(&w->arena, sizeof *p);
    if (!p || !list_reserve(&w->parties))
        return no_memory(s);
    *p = (struct gate_party){
        .index = s->index,
        .name = e->name,
        .legal_name = e->legal_name,
        .contact = e->contact,
        .jurisdiction = e->jurisdiction,
        .kind = e->party_kind,
        .rights = e->rights,
        .purposes = e->purposes,
        .purposes_n = e->purposes_n,
        .ended = UINT64_MAX,
    };
    crypto_sha256_1(p->hash, s->bytes);
    list_push(&w->parties, p);
    w->parties_live++;
    return BOURN_OK;
}

static enum bourn_err apply_notice(struct step *s)
{
    struct world *w = s->w;
    const struct entry *e = s->e;
    const struct world_notice *old = world_notice_named(w, e->name, e->language);
    uint64_t version = old ? old->version + 1 : 1;
    if (e->version != version)
        return REFUSE(s, "K5", "notice %.*s must have version %llu in this language", SLICE_ARG(e->name),
                      (unsigned long long)version);
    struct world_notice *n = arena_alloc(&w->arena, sizeof *n);
    if (!n || !list_reserve(&w->notices))
        return no_memory(s);
    *n = (struct world_notice){
        .index = s->index, .version = version, .name = e->name, .language = e->language};
    memcpy(n->hash, e->hash, sizeof n->hash);
    list_push(&w->notices, n);
    return BOURN_OK;
}

static enum bourn_err apply_config(struct step *s)
{
    if (!list_reserve(&s->w->settings))
        return no_memory(s);
    list_push(&s->w->settings, (void *)s->e);
    return BOURN_OK;
}

/* The world's own copy of the entry, whose slices live as long as the world. */
static enum bourn_err keep(struct step *s)
{
    struct arena *a = &s->w->arena;
    struct entry *own = arena_alloc(a, sizeof *own);
    struct slice copy = arena_copy(a, s->bytes);
    if (!own || !copy.p)
        return no_memory(s);
    enum bourn_err err = entry_decode(copy, a, own);
    s->bytes = copy;
    s->e = own;
    return err;
}

static enum bourn_err apply_kind(struct step *s)
{
    static enum bourn_err (*const apply[])(struct step *) = {
        [ENTRY_GENESIS] = apply_genesis,       [ENTRY_POLICY] = apply_policy,
        [ENTRY_COLLECTION] = apply_collection, [ENTRY_CONFIG] = apply_config,
        [ENTRY_PARTY] = apply_party,           [ENTRY_NOTICE] = apply_notice,
        [ENTRY_CONTINUED] = apply_continued,
    };
    if (s->e->kind >= sizeof apply / sizeof apply[0] || !apply[s->e->kind])
        return BOURN_OK;
    enum bourn_err err = keep(s);
    return err == BOURN_OK ? apply[s->e->kind](s) : err;
}

enum bourn_err world_apply(struct world *w, uint64_t index, const struct entry *e, struct slice bytes,
                           const char **clause)
{
    struct step s = {w, index, e, bytes, clause};
    *clause = "V1";
    if (w->begun == (e->kind == ENTRY_GENESIS) || (!w->begun && index != 0))
        return REFUSE(&s, "V1", "%s",
                      w->begun ? "a second genesis" : "the first entry must be genesis, at index 0");
    if (w->begun && index <= w->last)
        return REFUSE(&s, "V1", "stands behind entry %llu", (unsigned long long)w->last);
    if (e->time < w->time)
        return REFUSE(&s, "V1", "time %llu is earlier than %llu, that of the entry before",
                      (unsigned long long)e->time, (unsigned long long)w->time);
    enum bourn_err err = e->kind == ENTRY_CARRIED ? apply_carried(&s) : apply_kind(&s);
    if (err != BOURN_OK)
        return err;
    w->begun = true;
    w->last = index;
    w->time = e->time;
    return BOURN_OK;
}

enum bourn_err world_pin(uint8_t out[32], struct slice yaml, struct slice rules)
{
    static const char domain[] = "bourn pack v1\n";
    uint8_t length[4];
    if (yaml.n > UINT32_MAX)
        return err_set(BOURN_E_LIMIT, "a pack of %zu bytes is too long", yaml.n);
    be_put(length, yaml.n, sizeof length);
    crypto_sha256(out, (struct slice[]){slice_str(domain), slice_of(length, sizeof length), yaml, rules}, 4);
    return BOURN_OK;
}
