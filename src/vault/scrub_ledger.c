/* Entries and rows for scrub, by index. Durable entries reach the ledger's files a little later: until then
 * they are kept here, and those of the open batch are read where they lie. */
#include "vault/scrub.h"

#include "ledger/ledger.h"

#include <stdlib.h>

#define ROWS_MAX ((size_t)ROWS_PER_ENTRY_MAX)

/* The `at`th of entries as frames have them: u16 length || entry || u32 length || rows. */
static bool pick(struct slice in, uint64_t at, struct slice *entry, struct slice *rows)
{
    for (;; at--) {
        if (in.n < 2)
            return false;
        size_t n = (size_t)be_get(in.p, 2);
        if (in.n < 6 + n)
            return false;
        size_t m = (size_t)be_get(in.p + 2 + n, 4);
        if (in.n - 6 - n < m)
            return false;
        *entry = slice_of(in.p + 2, n);
        *rows = slice_of(in.p + 6 + n, m);
        if (!at)
            return true;
        in = slice_of(in.p + 6 + n + m, in.n - 6 - n - m);
    }
}

/* Frames that came since scrub began, oldest first. */
static bool pick_recent(const struct scrub *s, uint64_t index, struct slice *entry, struct slice *rows)
{
    struct slice in = buf_slice(&s->recent);
    while (in.n >= 16) {
        uint64_t first = be_get(in.p, 8), n = be_get(in.p + 8, 4);
        size_t bytes = (size_t)be_get(in.p + 12, 4);
        bourn_assert(in.n - 16 >= bytes);
        if (index >= first && index - first < n)
            return pick(slice_of(in.p + 16, bytes), index - first, entry, rows);
        in = slice_of(in.p + 16 + bytes, in.n - 16 - bytes);
    }
    return false;
}

void scrub_committed(struct vault *v)
{
    struct scrub *s = v->scrub;
    if (!s)
        return;
    if (v->now_ms > s->used_ms + SCRUB_IDLE_MS) {
        scrub_drop(v); /* nobody asks for more: who comes back begins where the last answer said */
        return;
    }
    buf_put_be(&s->recent, v->batch_first, 8);
    buf_put_be(&s->recent, v->entries_n, 4);
    buf_put_be(&s->recent, v->entries.n, 4);
    buf_put_slice(&s->recent, buf_slice(&v->entries));
    if (buf_check(&s->recent) != BOURN_OK)
        scrub_drop(v);
}

void scrub_recent_trim(struct vault *v, struct scrub *s)
{
    struct worker_state ws;
    size_t at = 0;
    worker_state(v->worker, &ws);
    while (s->recent.n - at >= 16) {
        const uint8_t *p = s->recent.p + at;
        if (be_get(p, 8) + be_get(p + 8, 4) > ws.files_size)
            break;
        at += 16 + (size_t)be_get(p + 12, 4);
    }
    if (at) {
        memmove(s->recent.p, s->recent.p + at, s->recent.n - at);
        s->recent.n -= at;
    }
}

static void forget(struct scrub_group *g)
{
    g->used = 0;
    buf_clear(&g->entry);
    buf_clear(&g->rows);
    if (g->rows.size > (1u << 20))
        buf_release(&g->rows);
    arena_reset(&g->arena);
    free(g->at);
    g->at = NULL;
    g->n = 0;
}

void scrub_groups_release(struct scrub *s)
{
    for (size_t i = 0; i < SCRUB_GROUPS; i++) {
        forget(&s->groups[i]);
        buf_release(&s->groups[i].entry);
        buf_release(&s->groups[i].rows);
        arena_release(&s->groups[i].arena);
    }
}

/* A place for one more: free, or that of the one not used for longest; more than one where bytes are over. */
static struct scrub_group *place(struct scrub *s)
{
    struct scrub_group *free_one = NULL, *oldest;
    size_t bytes;
    do {
        bytes = 0;
        oldest = NULL;
        for (size_t i = 0; i < SCRUB_GROUPS; i++) {
            struct scrub_group *g = &s->groups[i];
            bytes += g->used ? g->rows.n : 0;
            if (!g->used)
                free_one = g;
            else if (!oldest || g->used < oldest->used)
                oldest = g;
        }
        if (oldest && (!free_one || bytes > SCRUB_GROUPS_BYTES)) {
            forget(oldest);
            free_one = oldest;
        }
    } while (bytes > SCRUB_GROUPS_BYTES && oldest);
    if (!free_one->entry.cap) {
        buf_init(&free_one->entry, ENTRY_BYTES_MAX);
        buf_init(&free_one->rows, ROWS_BYTES_MAX);
        arena_init(&free_one->arena, 4u << 20);
    }
    return free_one;
}

/* Decodes the entry, finds where its rows begin, and holds them against its root. */
static enum bourn_err parse(struct scrub_group *g)
{
    struct slice row;
    size_t at = 0, before;
    uint8_t root[32];
    uint64_t count = 0;
    g->sound = entry_decode(buf_slice(&g->entry), &g->arena, &g->e) == BOURN_OK;
    if (!g->sound)
        return BOURN_OK;
    if (!entry_kind_has_rows(g->e.kind)) {
        g->sound = g->rows.n == 0;
        return BOURN_OK;
    }
    g->sound = ledger_rows_root(buf_slice(&g->rows), root, &count) == BOURN_OK && count == g->e.count &&
               memcmp(root, g->e.root, 32) == 0 && count <= ROWS_MAX;
    if (!g->sound)
        return BOURN_OK;
    g->at = calloc((size_t)count + 1, sizeof *g->at);
    if (!g->at)
        return err_set(BOURN_E_MEMORY, "out of memory for scrub");
    for (before = 0; rows_next(buf_slice(&g->rows), &at, &row); before = at)
        g->at[g->n++] = (uint32_t)before;
    return BOURN_OK;
}

static enum bourn_err fetch(struct vault *v, struct scrub *s, uint64_t index, struct scrub_group *g)
{
    struct worker_state ws;
    struct slice entry, rows;
    worker_state(v->worker, &ws);
    if (index < ws.files_size && index < s->born)
        return ledger_read(v->cell, index, ws.files_size, &g->entry, &g->rows);
    bool there = index >= v->batch_first ? pick(buf_slice(&v->entries), index - v->batch_first, &entry, &rows)
                                         : pick_recent(s, index, &entry, &rows);
    if (!there && index < ws.files_size)
        return ledger_read(v->cell, index, ws.files_size, &g->entry, &g->rows);
    if (!there)
        return err_set(BOURN_E_CORRUPT, "entry %llu is nowhere", (unsigned long long)index);
    buf_put_slice(&g->entry, entry);
    buf_put_slice(&g->rows, rows);
    enum bourn_err err = buf_check(&g->entry);
    return err ? err : buf_check(&g->rows);
}

enum bourn_err scrub_group_get(struct vault *v, struct scrub *s, uint64_t index, struct scrub_group **out)
{
    for (size_t i = 0; i < SCRUB_GROUPS; i++)
        if (s->groups[i].used && s->groups[i].index == index) {
            s->groups[i].used = ++s->group_turn;
            *out = &s->groups[i];
            return BOURN_OK;
        }
    struct scrub_group *g = place(s);
    g->index = index;
    g->used = ++s->group_turn;
    g->sound = false;
    enum bourn_err err = index < v->next_index ? fetch(v, s, index, g) : BOURN_E_CORRUPT;
    if (err == BOURN_OK)
        err = parse(g);
    else if (err == BOURN_E_CORRUPT || err == BOURN_E_NOT_FOUND || err == BOURN_E_LIMIT)
        err = BOURN_OK; /* unreadable: not sound, which is a finding */
    if (err)
        forget(g);
    *out = g;
    return err;
}

/* Rows are sorted by label, which is the first value of each. */
static bool label_at(const struct scrub_group *g, size_t i, struct slice *row, struct slice *label)
{
    struct cbor c;
    size_t at = g->at[i];
    if (!rows_next(buf_slice(&g->rows), &at, row))
        return false;
    cbor_init(&c, *row);
    cbor_map(&c, 32);
    if (cbor_uint(&c) != R_LABEL)
        return false;
    *label = cbor_bytes(&c);
    return label->n == 16;
}

bool scrub_row_of(struct scrub *s, const struct scrub_group *g, const uint8_t label[16], struct row *out)
{
    size_t low = 0, high = g->n;
    struct slice row, found;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (!label_at(g, middle, &row, &found))
            return false;
        int order = memcmp(found.p, label, 16);
        if (order == 0)
            return row_decode(row, g->e.kind, &s->arena, out) == BOURN_OK;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
