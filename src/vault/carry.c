/* Withdrawals, erasures and ends of parties that a later copy of the old log knows of and an old backup does
 * not: found in the copy, which is checked whole, and written into the log that goes on. */
#include "vault/carry.h"

#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>

void old_log_release(struct old_log *o)
{
    io_dir_close(o->dir);
    free(o->lost);
    *o = (struct old_log){0};
}

static enum bourn_err bundle(struct old_log *o, uint64_t n, unsigned width, struct buf *out)
{
    struct buf path;
    buf_init(&path, 128);
    buf_clear(out);
    buf_put_str(&path, "tile/entries/");
    merkle_tile_name(&path, n);
    if (width < MERKLE_TILE_WIDTH)
        buf_printf(&path, ".p/%u", width);
    enum bourn_err err = buf_check(&path);
    if (err == BOURN_OK)
        err = ledger_file(o->dir, buf_slice(&path), out);
    buf_release(&path);
    return err == BOURN_E_NOT_FOUND
               ? err_set(BOURN_E_CORRUPT, "the copy of the ledger lacks the entries from %llu on",
                         (unsigned long long)(n * MERKLE_TILE_WIDTH))
               : err;
}

static enum bourn_err note(struct old_log *o, uint64_t index, const struct entry *e)
{
    bool ends = e->kind == ENTRY_PARTY && entry_has(e, E_ENDS);
    if (e->kind != ENTRY_WITHDRAWN && e->kind != ENTRY_ERASED && !ends)
        return BOURN_OK;
    struct lost *more = realloc(o->lost, (o->lost_n + 1) * sizeof *more);
    if (!more)
        return err_set(BOURN_E_MEMORY, "out of memory for what is carried over");
    o->lost = more;
    more[o->lost_n++] =
        (struct lost){.index = index, .ends = e->ends, .kind = e->kind, .asked_by = e->asked_by};
    return BOURN_OK;
}

/* One entry: into the tree, and if it stands behind what the cell has, into the list. */
static enum bourn_err take(struct old_log *o, struct merkle_edge *edge, struct slice bytes, uint64_t here,
                           const struct merkle_hash *own, struct arena *a)
{
    struct merkle_hash leaf, root;
    struct entry e;
    uint64_t index = edge->size;
    merkle_leaf(&leaf, bytes);
    merkle_edge_append(edge, &leaf);
    merkle_edge_root(edge, &root);
    if (edge->size == here && memcmp(root.b, own->b, 32) != 0)
        return err_set(
            BOURN_E_CORRUPT,
            "the copy of the ledger is of another history: its first %llu entries are not those of "
            "the cell",
            (unsigned long long)here);
    if (index < here)
        return BOURN_OK;
    arena_reset(a);
    enum bourn_err err = entry_decode(bytes, a, &e);
    return err ? err : note(o, index, &e);
}

static enum bourn_err checkpoint(struct old_log *o)
{
    struct merkle_checkpoint cp;
    struct buf text;
    buf_init(&text, 64u << 10);
    enum bourn_err err = ledger_file(o->dir, slice_str("checkpoint"), &text);
    if (err == BOURN_OK)
        err = merkle_checkpoint_open(buf_slice(&text), &o->key, &cp);
    if (err == BOURN_OK) {
        o->size = cp.size;
        o->root = cp.root;
    }
    buf_release(&text);
    return err ? err_set(BOURN_E_CORRUPT,
                         "the copy of the ledger has no checkpoint that the old log's key signed")
               : BOURN_OK;
}

enum bourn_err old_log_read(struct old_log *o, uint64_t here, const struct merkle_hash *own)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_edge edge;
    struct merkle_hash root;
    struct arena a;
    struct buf b;
    struct slice entry;
    arena_init(&a, 8u << 20);
    buf_init(&b, (size_t)MERKLE_TILE_WIDTH * (2 + ENTRY_BYTES_MAX));
    merkle_edge_init(&edge);
    TRY(checkpoint(o));
    while (edge.size < o->size) {
        uint64_t left = o->size - edge.size;
        unsigned width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
        size_t at = 0;
        TRY(bundle(o, edge.size / MERKLE_TILE_WIDTH, width, &b));
        for (unsigned i = 0; i < width; i++) {
            if (!bundle_next(buf_slice(&b), &at, &entry))
                TRY(err_set(BOURN_E_CORRUPT, "the copy of the ledger is cut at entry %llu",
                            (unsigned long long)edge.size));
            TRY(take(o, &edge, entry, here, own, &a));
        }
    }
    merkle_edge_root(&edge, &root);
    err = memcmp(root.b, o->root.b, 32) == 0
              ? BOURN_OK
              : err_set(BOURN_E_CORRUPT,
                        "the copy of the ledger does not have the root that its checkpoint signs");
out:
    arena_release(&a);
    buf_release(&b);
    return err;
}

/* --- into the log that goes on
 * --------------------------------------------------------------------------------------- */

/* The person of a row, if they are here and the row still says something to them. */
static enum bourn_err person_here(struct vault *v, const struct lost *l, const struct row *row, uint64_t here,
                                  struct subject *s, bool *is)
{
    struct slice value;
    *is = false;
    enum bourn_err err = store_get(v->store, STORE_LABEL, slice_of(row->label, 16), &value);
    if (err == BOURN_OK && value.n != 8)
        err = err_set(BOURN_E_CORRUPT, "a label row is malformed");
    if (err == BOURN_OK)
        err = subject_load(v, be_get(value.p, 8), s);
    if (err)
        return err == BOURN_E_NOT_FOUND ? BOURN_OK : err; /* enrolled later, or erased already */
    const struct gate_basis *b =
        l->kind == ENTRY_WITHDRAWN && row->consent < here ? person_consent(&s->person, row->consent) : NULL;
    *is = l->kind == ENTRY_ERASED ? !row_has(row, R_COLLECTIONS) : b && b->withdrawn == UINT64_MAX;
    if (!*is)
        subject_release(s);
    return BOURN_OK;
}

static enum bourn_err carry_row(struct vault *v, const struct lost *l, const struct entry *e,
                                const struct row *row, struct subject *s, struct staged_row *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *clause = "";
    *out = (struct staged_row){.number = s->number, .generation = s->generation + 1};
    row_begin(&out->row, s);
    if (l->kind == ENTRY_ERASED) {
        out->generation = PREV_ERASED;
        return erase_rows(v, s);
    }
    out->row.consent = row->consent;
    row_set(&out->row, R_CONSENT);
    s->generation++;
    TRY(person_apply(&s->person, v->next_index, e, &out->row, &clause));
    err = subject_save(v, s);
out:
    return err;
}

static enum bourn_err carry_entry(struct vault *v, const struct lost *l, struct slice group, uint64_t here,
                                  size_t *people)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct entry e = {.kind = ENTRY_CARRIED, .time = v->now, .from = l->index, .asked_by = l->asked_by};
    struct staged_row *staged = calloc(ROWS_PER_ENTRY_MAX, sizeof *staged);
    struct slice bytes;
    uint64_t index;
    size_t at = 0, n = 0;
    if (!staged)
        return err_set(BOURN_E_MEMORY, "out of memory for what is carried over");
    entry_set(&e, E_FROM);
    if (l->kind == ENTRY_ERASED)
        entry_set(&e, E_ASKED_BY);
    while (rows_next(group, &at, &bytes) && n < ROWS_PER_ENTRY_MAX) {
        struct row row;
        struct subject s;
        bool is;
        TRY(row_decode(bytes, l->kind, &v->arena, &row));
        TRY(person_here(v, l, &row, here, &s, &is));
        if (!is)
            continue;
        err = carry_row(v, l, &e, &row, &s, &staged[n++]);
        subject_release(&s);
        TRY(err);
    }
    *people = n;
    err = BOURN_OK;
    if (n)
        TRY(batch_entry(v, &e, staged, n, &index));
    TRY(vault_commit(v));
out:
    free(staged);
    return err;
}

/* The rows of a lost entry, held against its root. */
static enum bourn_err lost_rows(struct old_log *o, const struct lost *l, struct buf *entry, struct buf *rows)
{
    struct arena a;
    struct entry e;
    uint8_t root[32];
    uint64_t count;
    buf_clear(entry);
    buf_clear(rows);
    arena_init(&a, 1u << 20);
    enum bourn_err err = ledger_read(o->dir, l->index, o->size, entry, rows);
    if (err == BOURN_OK)
        err = entry_decode(buf_slice(entry), &a, &e);
    if (err == BOURN_OK)
        err = ledger_rows_root(buf_slice(rows), root, &count);
    if (err || memcmp(root, e.root, 32) != 0 || count != e.count)
        err = err_set(
            BOURN_E_CORRUPT,
            "whom entry %llu of the old log %s is not known: give the rows that belong to the copy of "
            "the ledger (--rows)",
            (unsigned long long)l->index, l->kind == ENTRY_ERASED ? "erased" : "is about");
    arena_release(&a);
    return err;
}

static enum bourn_err end_party(struct vault *v, const struct lost *l, uint64_t here, uint64_t *ended)
{
    const struct gate_party *p = l->ends < here ? world_party(v->world, l->ends) : NULL;
    struct entry e = {.kind = ENTRY_PARTY, .time = v->now, .ends = l->ends};
    uint64_t index;
    if (!p || p->ended != UINT64_MAX)
        return BOURN_OK;
    entry_set(&e, E_ENDS);
    enum bourn_err err = batch_entry(v, &e, NULL, 0, &index);
    *ended += err == BOURN_OK;
    return err ? err : vault_commit(v);
}

enum bourn_err carry_over(struct vault *v, struct old_log *o, uint64_t here, struct vault_continued *out)
{
    enum bourn_err err = BOURN_OK;
    struct buf entry, rows;
    buf_init(&entry, ENTRY_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    for (size_t i = 0; i < o->lost_n; i++) {
        size_t people = 0;
        if (o->lost[i].kind == ENTRY_PARTY)
            continue;
        TRY(lost_rows(o, &o->lost[i], &entry, &rows));
        TRY(carry_entry(v, &o->lost[i], buf_slice(&rows), here, &people));
        *(o->lost[i].kind == ENTRY_ERASED ? &out->erased : &out->withdrawn) += people;
    }
    for (size_t i = 0; i < o->lost_n; i++)
        if (o->lost[i].kind == ENTRY_PARTY)
            TRY(end_party(v, &o->lost[i], here, &out->parties_ended));
out:
    buf_release(&entry);
    buf_release(&rows);
    return err;
}
