/* Reads and writes a whole cell's ledger, in memory. */
#include "forge.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void forge_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("forge: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(70);
}

static void must(enum bourn_err err)
{
    if (err != BOURN_OK)
        forge_die("%s", err_text());
}

static bool read_file(const char *dir, const char *name, struct buf *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    buf_clear(out);
    for (size_t n = 1; n > 0;) {
        uint8_t *to = buf_reserve(out, 65536);
        if (!to)
            forge_die("%s is too large", path);
        n = fread(to, 1, 65536, f);
        out->n += n;
    }
    fclose(f);
    return true;
}

void forge_write(const char *dir, const char *name, struct slice bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            forge_die("cannot make %s", path);
        *p = '/';
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.p, 1, bytes.n, f) != bytes.n || fclose(f) != 0)
        forge_die("cannot write %s", path);
}

static void init(struct forge_log *l)
{
    *l = (struct forge_log){.world = world_new()};
    arena_init(&l->arena, (size_t)8 << 30);
    must(crypto_init());
}

void forge_new(struct forge_log *l, const char *origin)
{
    uint8_t pk[32];
    init(l);
    crypto_sign_keypair(pk, l->secret);
    merkle_vkey_init(&l->key, origin, 1, pk);
}

void forge_free(struct forge_log *l)
{
    world_free(l->world);
    arena_release(&l->arena);
    free(l->v);
}

static void tile_path(char out[128], const char *prefix, uint64_t n, unsigned width)
{
    struct buf name;
    buf_init(&name, 64);
    merkle_tile_name(&name, n);
    int at = snprintf(out, 128, "%s/%.*s", prefix, SLICE_ARG(buf_slice(&name)));
    if (width < MERKLE_TILE_WIDTH)
        snprintf(out + at, 128 - (size_t)at, ".p/%u", width);
    buf_release(&name);
}

static struct forge_entry *push(struct forge_log *l)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 256;
        l->v = realloc(l->v, l->room * sizeof *l->v);
        if (!l->v)
            forge_die("out of memory");
    }
    l->v[l->n] = (struct forge_entry){0};
    return &l->v[l->n++];
}

static void load_rows(struct forge_log *l, struct forge_entry *f, struct slice group)
{
    struct slice bytes;
    size_t at = 0, room = 0;
    while (rows_next(group, &at, &bytes))
        room++;
    f->rows = arena_alloc(&l->arena, (room + 1) * sizeof *f->rows);
    for (at = 0; rows_next(group, &at, &bytes); f->rows_n++) {
        struct forge_row *r = &f->rows[f->rows_n];
        must(row_decode(arena_copy(&l->arena, bytes), f->e.kind, &l->arena, &r->r));
        r->keep_commitment = true;
    }
}

static void load_evidence(struct forge_log *l, const char *dir, const char *name, struct buf *b)
{
    struct opened o;
    if (name[0] == '/' ? !read_file("", name, b) : !read_file(dir, name, b))
        forge_die("cannot read %s", name);
    struct slice in = arena_copy(&l->arena, buf_slice(b));
    for (enum bourn_err err; (err = opened_next(&in, &o)) != BOURN_E_NOT_FOUND;) {
        must(err);
        for (size_t i = 0; o.index < l->n && i < l->v[o.index].rows_n; i++) {
            struct forge_row *r = &l->v[o.index].rows[i];
            if (memcmp(r->r.label, o.label, 16) != 0)
                continue;
            r->status = o.status;
            r->open = o.status == EVIDENCE_OPENED;
            memcpy(r->salt, o.salt, 32);
            if (r->open)
                must(evidence_decode(o.evidence, &r->evidence));
        }
    }
}

static void load_bundle(struct forge_log *l, const char *dir, uint64_t n, unsigned width, struct buf *b)
{
    char path[128];
    struct slice bytes, group;
    size_t at = 0, from = l->n;
    tile_path(path, "ledger/tile/entries", n, width);
    if (!read_file(dir, path, b))
        forge_die("no %s", path);
    for (unsigned i = 0; i < width && bundle_next(buf_slice(b), &at, &bytes); i++) {
        struct forge_entry *f = push(l);
        const char *clause;
        bytes = arena_copy(&l->arena, bytes);
        must(entry_decode(bytes, &l->arena, &f->e));
        must(world_apply(l->world, l->n - 1, &f->e, bytes, &clause));
        l->time = f->e.time;
    }
    tile_path(path, "rows", n, width);
    if (!read_file(dir, path, b))
        forge_die("no %s", path);
    at = 0;
    for (size_t i = from; i < l->n && row_groups_next(buf_slice(b), &at, &group); i++)
        load_rows(l, &l->v[i], group);
}

void forge_load(struct forge_log *l, const char *dir, const char *evidence)
{
    struct merkle_checkpoint cp;
    struct buf b;
    uint8_t pk[32];
    init(l);
    buf_init(&b, (size_t)2 << 30);
    if (!read_file(dir, "signer/log.key", &b) || b.n != 32)
        forge_die("%s/signer/log.key is not a seed", dir);
    crypto_sign_from_seed(pk, l->secret, b.p);
    if (!read_file(dir, "ledger.vkey", &b))
        forge_die("no %s/ledger.vkey", dir);
    must(merkle_vkey_get(buf_slice(&b), &l->key));
    if (!read_file(dir, "ledger/checkpoint", &b))
        forge_die("no %s/ledger/checkpoint", dir);
    must(merkle_checkpoint_open(buf_slice(&b), &l->key, &cp));
    uint64_t size = cp.size;
    for (uint64_t n = 0; n * MERKLE_TILE_WIDTH < size; n++) {
        uint64_t left = size - n * MERKLE_TILE_WIDTH;
        load_bundle(l, dir, n, left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH, &b);
    }
    l->first_size = l->n;
    if (evidence)
        load_evidence(l, dir, evidence, &b);
    buf_release(&b);
}

struct slice forge_text(struct forge_log *l, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_copy(&l->arena, slice_str(text));
}

static int by_label(const void *a, const void *b)
{
    return memcmp(((const struct forge_row *)a)->r.label, ((const struct forge_row *)b)->r.label, 16);
}

static void commit(struct forge_row *r)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    evidence_encode(&b, &r->evidence);
    must(buf_check(&b));
    crypto_hmac(r->r.evidence, slice_of(r->salt, 32),
                (struct slice[]){slice_str(EVIDENCE_DOMAIN), buf_slice(&b)}, 2);
    buf_release(&b);
}

/* Rows as a stream, and their root. */
static void encode_rows(struct forge_entry *f, struct buf *out, struct merkle_hash *root)
{
    struct merkle_edge edge;
    struct merkle_hash leaf;
    struct buf one;
    buf_init(&one, ROWS_BYTES_MAX);
    merkle_edge_init(&edge);
    for (size_t i = 0; i < f->rows_n; i++) {
        struct forge_row *r = &f->rows[i];
        if (r->open && !r->keep_commitment)
            commit(r);
        buf_clear(&one);
        must(row_check(f->e.kind, &r->r));
        row_encode(&one, f->e.kind, &r->r);
        must(buf_check(&one));
        merkle_leaf(&leaf, buf_slice(&one));
        merkle_edge_append(&edge, &leaf);
        buf_put_be(out, one.n, 4);
        buf_put_slice(out, buf_slice(&one));
    }
    merkle_edge_root(&edge, root);
    buf_release(&one);
}

static void finish(struct forge_entry *f, struct buf *rows)
{
    struct merkle_hash root;
    buf_clear(rows);
    if (!entry_kind_has_rows(f->e.kind))
        return;
    encode_rows(f, rows, &root);
    if (f->keep_root)
        return;
    f->e.count = f->rows_n;
    memcpy(f->e.root, root.b, 32);
    entry_set(&f->e, E_COUNT);
    entry_set(&f->e, E_ROOT);
}

struct forge_entry *forge_add(struct forge_log *l, const struct entry *e, const struct forge_row *rows,
                              size_t n)
{
    const char *clause;
    struct buf b;
    struct forge_entry *f = push(l);
    f->e = *e;
    crypto_random(f->e.salt, 16);
    f->e.time = e->time ? e->time : l->time;
    l->time = f->e.time;
    f->rows = arena_alloc(&l->arena, (n + 1) * sizeof *rows);
    f->rows_n = n;
    for (size_t i = 0; i < n; i++) {
        f->rows[i] = rows[i];
        crypto_random(f->rows[i].r.salt, 16);
    }
    if (n)
        qsort(f->rows, n, sizeof *rows, by_label);
    buf_init(&b, (size_t)1 << 28);
    finish(f, &b);
    buf_clear(&b);
    must(entry_check(&f->e));
    entry_encode(&b, &f->e);
    /* A forged entry may be one that no world takes. */
    if (world_apply(l->world, l->n - 1, &f->e, buf_slice(&b), &clause) != BOURN_OK)
        clause = NULL;
    buf_release(&b);
    return f;
}

void forge_root(struct forge_log *l, size_t n, struct merkle_hash *out)
{
    struct merkle_edge edge;
    struct merkle_hash leaf;
    struct buf b;
    buf_init(&b, (size_t)1 << 28);
    merkle_edge_init(&edge);
    for (size_t i = 0; i < n; i++) {
        finish(&l->v[i], &b);
        buf_clear(&b);
        entry_encode(&b, &l->v[i].e);
        merkle_leaf(&leaf, buf_slice(&b));
        merkle_edge_append(&edge, &leaf);
    }
    merkle_edge_root(&edge, out);
    buf_release(&b);
}

static void write_tiles(const char *dir, const struct merkle_hash *leaves, size_t n)
{
    struct merkle_hash *level = malloc((n + 1) * sizeof *level);
    if (!level)
        forge_die("out of memory");
    memcpy(level, leaves, n * sizeof *level);
    for (unsigned l = 0; n > 0; l++) {
        char path[128], prefix[32];
        size_t full = n / MERKLE_TILE_WIDTH;
        snprintf(prefix, sizeof prefix, "ledger/tile/%u", l);
        for (size_t i = 0; i * MERKLE_TILE_WIDTH < n; i++) {
            size_t left = n - i * MERKLE_TILE_WIDTH;
            unsigned width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
            tile_path(path, prefix, i, width);
            forge_write(dir, path, slice_of(level + i * MERKLE_TILE_WIDTH, width * sizeof *level));
        }
        for (size_t i = 0; i < full; i++)
            merkle_root_of(&level[i], level + i * MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH);
        n = full;
    }
    free(level);
}

static void write_checkpoint(const struct forge_log *l, const char *dir, const struct merkle_hash *leaves)
{
    struct merkle_hash root;
    struct buf note;
    uint8_t signature[64];
    buf_init(&note, 4096);
    merkle_root_of(&root, leaves, l->n);
    merkle_checkpoint_body(&note, slice_str(l->key.name), l->n, &root);
    crypto_sign(signature, buf_slice(&note), l->secret);
    buf_put_str(&note, "\n");
    merkle_note_sign_line(&note, &l->key, slice_of(signature, 64));
    must(buf_check(&note));
    forge_write(dir, "ledger/checkpoint", buf_slice(&note));
    buf_release(&note);
}

static void put_evidence(uint64_t index, const struct forge_row *r, struct buf *out)
{
    struct opened o = {.index = index, .status = r->open ? EVIDENCE_OPENED : r->status};
    struct buf b;
    if (!row_has(&r->r, R_EVIDENCE) || r->withheld || !o.status)
        return;
    buf_init(&b, 1 << 20);
    memcpy(o.label, r->r.label, 16);
    memcpy(o.salt, r->salt, 32);
    if (r->open)
        evidence_encode(&b, &r->evidence);
    o.evidence = buf_slice(&b);
    opened_encode(out, &o);
    buf_release(&b);
}

struct writer {
    struct buf bundle, rows, evidence, one;
};

static void write_bundle(const char *dir, struct writer *w, uint64_t n, unsigned width, unsigned what)
{
    char path[128];
    tile_path(path, "ledger/tile/entries", n, width);
    if (what & WRITE_ENTRIES)
        forge_write(dir, path, buf_slice(&w->bundle));
    tile_path(path, "rows", n, width);
    if (what & WRITE_ROWS)
        forge_write(dir, path, buf_slice(&w->rows));
    buf_clear(&w->bundle);
    buf_clear(&w->rows);
}

void forge_save(const struct forge_log *l, const char *dir, const char *evidence, unsigned what)
{
    struct writer w;
    struct merkle_hash *leaves = malloc((l->n + 1) * sizeof *leaves);
    if (!leaves)
        forge_die("out of memory");
    buf_init(&w.bundle, (size_t)1 << 30);
    buf_init(&w.rows, (size_t)2 << 30);
    buf_init(&w.evidence, (size_t)2 << 30);
    buf_init(&w.one, (size_t)1 << 30);
    for (size_t i = 0; i < l->n; i++) {
        struct forge_entry *f = &l->v[i];
        finish(f, &w.one);
        buf_put_be(&w.rows, w.one.n, 4);
        buf_put_slice(&w.rows, buf_slice(&w.one));
        buf_clear(&w.one);
        must(entry_check(&f->e));
        entry_encode(&w.one, &f->e);
        merkle_leaf(&leaves[i], buf_slice(&w.one));
        buf_put_be(&w.bundle, w.one.n, 2);
        buf_put_slice(&w.bundle, buf_slice(&w.one));
        for (size_t j = 0; j < f->rows_n; j++)
            put_evidence(i, &f->rows[j], &w.evidence);
        must(buf_check(&w.bundle));
        must(buf_check(&w.rows));
        if ((i + 1) % MERKLE_TILE_WIDTH == 0)
            write_bundle(dir, &w, i / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH, what);
    }
    if (l->n % MERKLE_TILE_WIDTH)
        write_bundle(dir, &w, l->n / MERKLE_TILE_WIDTH, (unsigned)(l->n % MERKLE_TILE_WIDTH), what);
    if (what & WRITE_TILES)
        write_tiles(dir, leaves, l->n);
    if (what & WRITE_CHECKPOINT)
        write_checkpoint(l, dir, leaves);
    must(buf_check(&w.evidence));
    if (what & WRITE_EVIDENCE)
        forge_write(evidence[0] == '/' ? "" : dir, evidence[0] == '/' ? evidence + 1 : evidence,
                    buf_slice(&w.evidence));
    buf_release(&w.bundle);
    buf_release(&w.rows);
    buf_release(&w.evidence);
    buf_release(&w.one);
    free(leaves);
}

void forge_flip_tile(const char *dir, uint64_t index)
{
    char path[128];
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned width = MERKLE_TILE_WIDTH; width > 0; width--) {
        tile_path(path, "ledger/tile/0", index / MERKLE_TILE_WIDTH, width);
        if (!read_file(dir, path, &b) || b.n <= index % MERKLE_TILE_WIDTH * 32)
            continue;
        b.p[index % MERKLE_TILE_WIDTH * 32] ^= 1;
        forge_write(dir, path, buf_slice(&b));
        break;
    }
    buf_release(&b);
}
