/* What can be done with a bundle before its turn: reading, cutting, hashing, decoding. */
#include "verify/piece.h"

#include <stdlib.h>

enum {
    BUNDLE_BYTES_MAX = MERKLE_TILE_WIDTH * (ENTRY_BYTES_MAX + 2),
    ROWS_FILE_BYTES_MAX = 1 << 30,
    ROWS_AHEAD_BYTES_MAX = 32 << 20, /* a larger file of rows is read in its turn */
    ROWS_AHEAD_MAX = 32768,          /* more rows are decoded in their turn, and so are … */
    ARENA_AHEAD_BYTES_MAX = 8 << 20, /* … those behind one that names so much */
    ARENA_BYTES_MAX = 128 << 20,
    KEPT_BYTES_MAX = 1 << 20, /* of each buffer, from one piece to the next */
    TILE_BYTES = MERKLE_TILE_WIDTH * sizeof(struct merkle_hash),
};

void piece_init(struct piece *p)
{
    *p = (struct piece){0};
    arena_init(&p->arena, ARENA_BYTES_MAX);
    buf_init(&p->bundle, BUNDLE_BYTES_MAX);
    buf_init(&p->rows, 0);
    buf_init(&p->tile, TILE_BYTES + 1);
}

void piece_release(struct piece *p)
{
    arena_release(&p->arena);
    buf_release(&p->bundle);
    buf_release(&p->rows);
    buf_release(&p->tile);
    free(p->row);
    p->row = NULL;
}

size_t piece_bytes(const struct piece *p)
{
    return p->bundle.size + p->rows.size + p->tile.size + p->rows_room * sizeof *p->row + p->arena.total;
}

void piece_clear(struct piece *p)
{
    buf_clear_keep(&p->bundle, KEPT_BYTES_MAX);
    buf_clear_keep(&p->rows, KEPT_BYTES_MAX);
    if (p->rows_room * sizeof *p->row > KEPT_BYTES_MAX) {
        free(p->row);
        p->row = NULL;
        p->rows_room = 0;
    }
    arena_reset(&p->arena);
}

static void note(struct piece *p, struct trouble *t, enum bourn_err err)
{
    *t = (struct trouble){.err = err};
    if (err == BOURN_OK)
        return;
    t->why = (const char *)arena_copy(&p->arena, slice_str(err_text())).p;
    if (!t->why)
        *t = (struct trouble){BOURN_E_MEMORY, "out of memory"};
}

static bool room_for_row(struct piece *p)
{
    if (p->rows_n < p->rows_room)
        return true;
    if (p->rows_n >= ROWS_AHEAD_MAX)
        return false;
    uint32_t room = p->rows_room ? 2 * p->rows_room : 512;
    struct piece_row *row = realloc(p->row, room * sizeof *row);
    if (!row)
        return false;
    p->row = row;
    p->rows_room = room;
    return true;
}

/* Leaves that wait to be hashed together. */
struct batch {
    struct slice data[MERKLE_TILE_WIDTH];
    struct merkle_hash *out[MERKLE_TILE_WIDTH];
    size_t n;
};

static void add(struct batch *b, struct slice data, struct merkle_hash *out)
{
    b->data[b->n] = data;
    b->out[b->n++] = out;
}

static void decode_row(struct piece *p, const struct people *people, struct piece_entry *x,
                       struct slice bytes)
{
    struct piece_row *r = &p->row[p->rows_n++];
    note(p, &r->trouble, row_decode(bytes, x->e->kind, &p->arena, &r->r));
    r->hash = people_hash(people, r->r.label);
    r->subject = NULL;
    x->ahead++;
}

enum { PART = 64 };

static void hash_rows(struct merkle_edge *edge, const struct slice *data, size_t n)
{
    struct merkle_hash hash[PART], *out[PART];
    for (size_t i = 0; i < n; i++)
        out[i] = &hash[i];
    merkle_leaves(data, out, n);
    for (size_t i = 0; i < n; i++)
        merkle_edge_append(edge, &hash[i]);
}

/* All rows are hashed here, and decoded as long as they are not too many. The hash of a single one is the
 * root: those of all entries wait in the batch. */
static void take_rows(struct piece *p, const struct people *people, struct piece_entry *x,
                      struct batch *single)
{
    struct merkle_edge edge;
    struct slice bytes, part[PART];
    size_t at = 0, n = 0;
    bool ahead = true;
    merkle_edge_init(&edge);
    x->ahead_end = 0;
    while (rows_next(x->group, &at, &bytes)) {
        if (n == PART) {
            hash_rows(&edge, part, n);
            n = 0;
        }
        part[n++] = bytes;
        ahead = ahead && p->arena.total < ARENA_AHEAD_BYTES_MAX && room_for_row(p);
        if (!ahead)
            continue;
        decode_row(p, people, x, bytes);
        x->ahead_end = at;
    }
    x->rows_end = at;
    if (edge.size == 0 && n == 1) {
        add(single, part[0], &x->rows_root);
        return;
    }
    hash_rows(&edge, part, n);
    merkle_edge_root(&edge, &x->rows_root);
}

static void cut(struct piece *p, bool rows_given)
{
    size_t at = 0, rows_at = 0;
    p->cut = CUT_NOWHERE;
    for (p->whole = 0; p->whole < p->width; p->whole++) {
        struct piece_entry *x = &p->entry[p->whole];
        x->group = (struct slice){0};
        if (!bundle_next(buf_slice(&p->bundle), &at, &x->bytes))
            p->cut = CUT_ENTRY;
        else if (rows_given && !row_groups_next(buf_slice(&p->rows), &rows_at, &x->group))
            p->cut = CUT_ROWS;
        if (p->cut)
            return;
    }
    p->follows =
        (!p->bundle_wider && at != p->bundle.n) || (rows_given && !p->rows_wider && rows_at != p->rows.n);
}

static enum bourn_err read_files(struct piece *p, struct source *s, bool rows_given, bool whatever)
{
    struct merkle_tile t = {.kind = MERKLE_TILE_ENTRIES, .n = p->n, .width = p->width};
    enum bourn_err err = source_tile(s, t, &p->bundle);
    p->bundle_wider = s->wider;
    if (err != BOURN_OK || !rows_given)
        return err;
    t.kind = MERKLE_TILE_ROWS;
    p->rows.cap = whatever ? ROWS_FILE_BYTES_MAX : ROWS_AHEAD_BYTES_MAX;
    err = source_tile(s, t, &p->rows);
    p->rows_wider = s->wider;
    p->late = err == BOURN_E_LIMIT && !whatever;
    return err;
}

void piece_read(struct piece *p, const struct replay *v, struct source *s, bool whatever)
{
    bool rows_given = v->rep->rows_given;
    arena_reset(&p->arena);
    p->memo = (struct entry_memo){0};
    p->rows_n = p->whole = 0;
    p->late = p->follows = false;
    note(p, &p->trouble, read_files(p, s, rows_given, whatever));
    note(p, &p->tile_trouble, BOURN_OK);
    if (p->trouble.err != BOURN_OK)
        return;
    struct batch batch;
    batch.n = 0;
    cut(p, rows_given);
    for (unsigned i = p->skip; i < p->whole; i++)
        add(&batch, p->entry[i].bytes, &p->leaf[i]);
    merkle_leaves(batch.data, batch.out, batch.n);
    batch.n = 0;
    for (unsigned i = p->skip; i < p->whole; i++) {
        struct piece_entry *x = &p->entry[i];
        x->row = p->rows_n;
        x->ahead = 0;
        note(p, &x->trouble, entry_decode_like(x->bytes, &p->arena, &p->memo, &x->e, &x->front));
        if (rows_given && x->trouble.err == BOURN_OK && entry_has(x->e, E_ROOT))
            take_rows(p, &v->people, x, &batch);
    }
    merkle_leaves(batch.data, batch.out, batch.n);
    if (p->whole < MERKLE_TILE_WIDTH)
        return;
    merkle_root_of(&p->root, p->leaf, MERKLE_TILE_WIDTH);
    struct merkle_tile t = {.kind = MERKLE_TILE_HASHES, .n = p->n, .width = MERKLE_TILE_WIDTH};
    note(p, &p->tile_trouble, source_tile(s, t, &p->tile));
}
