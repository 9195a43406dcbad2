/* Forged history: entries, rows, tiles and heads. */
#include "forge.h"

#include <string.h>

typedef struct verdict_at at;

static void swap(void *a, void *b, size_t n, void *room)
{
    memcpy(room, a, n);
    memcpy(a, b, n);
    memcpy(b, room, n);
}

/* Three people in one entry, and one of them once more behind it. */
static struct forge_entry *three(struct cast *c, uint64_t *index)
{
    static struct puppet p[3];
    struct puppet *all[] = {&p[0], &p[1], &p[2]};
    for (int i = 0; i < 3; i++)
        act_person(&p[i]);
    act_enrolled(c, all, 3);
    act_stored(c, c->app, all, 3);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, all, 3, GRADE_GROUND, c->app);
    *index = forge_last(c->l);
    for (int i = 0; i < 3; i++)
        act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &all[i], 1, GRADE_GROUND, c->app);
    return &c->l->v[*index];
}

static uint64_t row_after(const struct forge_log *l, uint64_t index, const uint8_t label[16])
{
    for (uint64_t i = index + 1; i < l->n; i++)
        if (l->v[i].rows_n && memcmp(l->v[i].rows[0].r.label, label, 16) == 0)
            return i;
    forge_die("no row follows");
}

static at missing_prev(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app)->rows[0].r.prev =
        UINT64_MAX;
    return forge_here(c);
}

static at wrong_prev(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &one, 1, GRADE_GROUND, c->app)->rows[0].r.prev--;
    return forge_here(c);
}

static at second_enrolment(struct cast *c)
{
    struct puppet p, *one = &p;
    forge_person(c, &p, false);
    p.head = UINT64_MAX;
    act_enrolled(c, &one, 1);
    return forge_here(c);
}

/* The log is good and signed; only a file beside it is changed. */
static at row_altered(struct cast *c)
{
    uint64_t index;
    struct forge_entry *f = three(c, &index);
    f->rows[1].r.bases_n = 0;
    f->keep_root = true;
    return forge_at(index);
}

static at row_dropped(struct cast *c)
{
    uint64_t index;
    struct forge_entry *f = three(c, &index);
    f->rows_n = 2;
    f->keep_root = true;
    return forge_at(index);
}

/* As above, but the entry counts what is left, and everything is signed again. */
static at row_dropped_signed(struct cast *c)
{
    uint64_t index;
    struct forge_entry *f = three(c, &index);
    f->rows_n = 2;
    return forge_at(row_after(c->l, index, f->rows[2].r.label));
}

static at row_inserted(struct cast *c)
{
    uint64_t index;
    struct forge_entry *f = three(c, &index);
    struct forge_row *more = arena_alloc(&c->l->arena, 4 * sizeof *more);
    memcpy(more, f->rows, 3 * sizeof *more);
    more[3] = more[2];
    f->rows = more;
    f->rows_n = 4;
    return forge_at(index);
}

static at rows_reordered(struct cast *c)
{
    uint64_t index;
    struct forge_entry *f = three(c, &index);
    struct forge_row room;
    swap(&f->rows[0], &f->rows[2], sizeof room, &room);
    return forge_at(index);
}

static at entry_altered(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    c->l->v[5].e.salt[0] ^= 1;
    struct verdict_at v = forge_at(5);
    v.write = WRITE_ENTRIES; /* tiles and checkpoint stay as they were signed */
    c->l->n = c->l->first_size;
    return v;
}

static at tile_altered(struct cast *c)
{
    (void)c;
    return (at){.at = 3, .write = WRITE_FLIP, .flip = 3};
}

/* Whether entry f refers to an entry at or behind k: then it breaks when k moves. */
static bool refers(const struct forge_entry *f, uint64_t k)
{
    const struct entry *e = &f->e;
    bool hit = (entry_has(e, E_PARTY) && e->party >= k) || (entry_has(e, E_ENDS) && e->ends >= k);
    for (size_t i = 0; i < e->policy_n; i++)
        hit |= e->policy[i] >= k;
    for (size_t i = 0; i < f->rows_n; i++)
        hit |= f->rows[i].r.prev != UINT64_MAX && f->rows[i].r.prev >= k;
    return hit;
}

static uint64_t first_reference(const struct forge_log *l, uint64_t k)
{
    for (uint64_t i = k; i < l->n; i++)
        if (refers(&l->v[i], k))
            return i;
    forge_die("nothing refers behind entry %llu", (unsigned long long)k);
}

/* Everything is signed again, as the operator can: the person's chain convicts. */
static at entry_dropped(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    uint64_t k = p.key;
    memmove(&c->l->v[k], &c->l->v[k + 1], (c->l->n - k - 1) * sizeof c->l->v[0]);
    c->l->n--;
    return forge_at(first_reference(c->l, k));
}

static at entry_inserted(struct cast *c)
{
    struct puppet p;
    forge_person(c, &p, true);
    uint64_t k = p.key, first = first_reference(c->l, k);
    act_refused(c, c->app);
    struct forge_entry added = c->l->v[c->l->n - 1];
    memmove(&c->l->v[k + 1], &c->l->v[k], (c->l->n - k - 1) * sizeof c->l->v[0]);
    c->l->v[k] = added;
    return forge_at(first + 1);
}

static at entries_reordered(struct cast *c)
{
    struct puppet p;
    struct forge_entry room;
    forge_person(c, &p, true);
    swap(&c->l->v[p.key], &c->l->v[p.key + 1], sizeof room, &room);
    return forge_at(p.key);
}

static at time_backwards(struct cast *c)
{
    act_refused(c, c->app)->e.time -= 1;
    return forge_here(c);
}

static at second_genesis(struct cast *c)
{
    struct entry again = c->l->v[0].e;
    again.time = c->l->time;
    forge_add(c->l, &again, NULL, 0);
    return forge_here(c);
}

static at second_name(struct cast *c)
{
    struct slice name = world_party(c->l->world, c->lab)->name;
    act_party(c->l, name, "app", "US", RIGHT_ALL, LAB_PURPOSE, NULL, NULL);
    return forge_here(c);
}

/* What only an earlier head convicts: its size is named. */
static at rewritten(struct cast *c)
{
    for (uint64_t i = c->l->first_size / 2; i < c->l->first_size; i++)
        if (c->l->v[i].e.kind != ENTRY_PARTY) {
            crypto_random(c->l->v[i].e.salt, 16); /* a party's hash stands in statements */
            break;
        }
    return (at){.is_size = true, .at = c->l->first_size};
}

static at forked(struct cast *c)
{
    struct entry_setting *setting = arena_alloc(&c->l->arena, sizeof *setting);
    struct entry e = {.kind = ENTRY_CONFIG, .settings = setting, .settings_n = 1};
    *setting = (struct entry_setting){slice_str("fork"), slice_str("yes")};
    entry_set(&e, E_SETTINGS);
    c->l->n = c->l->first_size - 2;
    for (int i = 0; i < 5; i++)
        forge_add(c->l, &e, NULL, 0);
    return (at){.is_size = true, .at = c->l->first_size};
}

static at rolled_back(struct cast *c)
{
    c->l->n = c->l->first_size - 3;
    return (at){.is_size = true, .at = c->l->first_size};
}

/* The checkpoint is signed over other entries than are served. */
static at root_only(struct cast *c)
{
    uint64_t n = c->l->first_size;
    c->l->n = n;
    crypto_random(c->l->v[n - 1].e.salt, 16);
    return (at){.is_size = true, .at = n, .write = WRITE_CHECKPOINT};
}

/* No forgery: somebody whose evidence was open is erased, as a party may. */
static at honest_erasure(struct cast *c)
{
    struct puppet p = {.head = UINT64_MAX};
    for (uint64_t i = 0; i < c->l->first_size; i++)
        for (size_t j = 0; j < c->l->v[i].rows_n; j++) {
            struct forge_row *r = &c->l->v[i].rows[j];
            bool first = p.head == UINT64_MAX && r->open;
            if (first)
                memcpy(p.label, r->r.label, 16);
            if (!first && (p.head == UINT64_MAX || memcmp(p.label, r->r.label, 16) != 0))
                continue;
            p.head = i;
            if (r->open)
                r->status = EVIDENCE_ERASED;
            r->open = false;
        }
    act_erased(c, &p);
    return forge_here(c);
}

static at honest_earlier(struct cast *c)
{
    c->l->n = 300;
    return (at){.is_size = true, .at = 300, .write = WRITE_TILES | WRITE_CHECKPOINT};
}

const struct forge_case forge_cases_log[] = {
    {"missing-prev", missing_prev, "a row without prev of somebody who has a chain"},
    {"wrong-prev", wrong_prev, "a row that points past the last one"},
    {"second-enrolment", second_enrolment, "a person enters twice"},
    {"row-altered", row_altered, "a row changed behind its entry"},
    {"row-dropped", row_dropped, "a row left out behind its entry"},
    {"row-dropped-signed", row_dropped_signed, "a row left out, count, root and log signed again"},
    {"row-inserted", row_inserted, "a row doubled, count, root and log signed again"},
    {"rows-reordered", rows_reordered, "rows in another order, root and log signed again"},
    {"entry-altered", entry_altered, "an entry changed, tiles and checkpoint left"},
    {"tile-altered", tile_altered, "a hash tile changed"},
    {"entry-dropped", entry_dropped, "an entry left out and the log signed again"},
    {"entry-inserted", entry_inserted, "an entry put in and the log signed again"},
    {"entries-reordered", entries_reordered, "two entries swapped and the log signed again"},
    {"time-backwards", time_backwards, "an entry earlier than the one before"},
    {"second-genesis", second_genesis, "a second genesis"},
    {"second-name", second_name, "a second party of a living name"},
    {"rewritten", rewritten, "the whole log signed again after a change that nothing inside shows"},
    {"fork", forked, "another history beside the one that was shown"},
    {"rolled-back", rolled_back, "a checkpoint smaller than one that was shown"},
    {"root-only", root_only, "a checkpoint over other entries than are served"},
    {"honest-erasure", honest_erasure, "no forgery: a person is erased"},
    {"honest-earlier", honest_earlier, "no forgery: the checkpoint of the first 300 entries"},
    {NULL, NULL, NULL},
};
