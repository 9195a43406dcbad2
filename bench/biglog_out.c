#include "biglog_out.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

_Noreturn void biglog_die(const char *what)
{
    fprintf(stderr, "bench-biglog: %s: %s\n", what, errno ? strerror(errno) : err_text());
    exit(70);
}

static void must(enum bourn_err err)
{
    errno = 0;
    if (err != BOURN_OK)
        biglog_die("a step failed");
}

uint64_t biglog_random(struct biglog *b)
{
    b->dice += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = b->dice;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void biglog_bytes(struct biglog *b, uint8_t *out, size_t n)
{
    for (size_t at = 0; at < n; at += 8) {
        uint64_t v = biglog_random(b);
        memcpy(out + at, &v, n - at < 8 ? n - at : 8);
    }
}

static void make_folders(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            biglog_die(path);
        *p = '/';
    }
}

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        make_folders(path);
        f = fopen(path, "wb");
    }
    if (!f)
        biglog_die(path);
    return f;
}

static void write_file(const char *dir, const char *name, struct slice bytes)
{
    FILE *f = create(dir, name);
    if (fwrite(bytes.p, 1, bytes.n, f) != bytes.n || fclose(f) != 0)
        biglog_die(name);
}

static void write_tile(struct biglog *b, const char *prefix, uint64_t n, unsigned width, struct slice bytes)
{
    struct buf name;
    buf_init(&name, 200);
    buf_printf(&name, "%s/", prefix);
    merkle_tile_name(&name, n);
    if (width < MERKLE_TILE_WIDTH)
        buf_printf(&name, ".p/%u", width);
    buf_put_u8(&name, 0);
    must(buf_check(&name));
    write_file(b->dir, (const char *)name.p, bytes);
    buf_release(&name);
}

static void write_hashes(struct biglog *b, unsigned level, uint64_t n)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "ledger/tile/%u", level);
    write_tile(b, prefix, n, b->filled[level], slice_of(b->level[level], b->filled[level] * 32));
}

static void write_bundle(struct biglog *b, uint64_t n, unsigned width)
{
    must(buf_check(&b->bundle));
    must(buf_check(&b->rows));
    write_tile(b, "ledger/tile/entries", n, width, buf_slice(&b->bundle));
    write_tile(b, "rows", n, width, buf_slice(&b->rows));
    buf_clear(&b->bundle);
    buf_clear(&b->rows);
}

void biglog_open(struct biglog *b, const char *dir, const char *origin)
{
    uint8_t pk[32], seed[32] = "a benchmark's log, not a secret";
    *b = (struct biglog){.dir = dir, .time = 1767225600, .dice = 1, .world = world_new()};
    must(crypto_init());
    crypto_sign_from_seed(pk, b->secret, seed);
    merkle_vkey_init(&b->key, origin, 1, pk);
    buf_init(&b->bundle, 64u << 20);
    buf_init(&b->rows, 256u << 20);
    buf_init(&b->group, 64u << 20);
    buf_init(&b->one, ROWS_BYTES_MAX);
    merkle_edge_init(&b->edge);
    merkle_vkey_put(&b->one, &b->key);
    buf_put_str(&b->one, "\n");
    write_file(dir, "ledger.vkey", buf_slice(&b->one));
    b->evidence = create(dir, "evidence.cborseq");
}

static void put_rows(struct biglog *b, struct entry *e, struct row *rows, size_t n)
{
    struct merkle_edge edge;
    struct merkle_hash hash;
    merkle_edge_init(&edge);
    buf_clear(&b->group);
    for (size_t i = 0; i < n; i++) {
        biglog_bytes(b, rows[i].salt, 16);
        buf_clear(&b->one);
        row_encode(&b->one, e->kind, &rows[i]);
        merkle_leaf(&hash, buf_slice(&b->one));
        merkle_edge_append(&edge, &hash);
        buf_put_be(&b->group, b->one.n, 4);
        buf_put_slice(&b->group, buf_slice(&b->one));
    }
    buf_put_be(&b->rows, b->group.n, 4);
    buf_put_slice(&b->rows, buf_slice(&b->group));
    if (!entry_kind_has_rows(e->kind))
        return;
    merkle_edge_root(&edge, &hash);
    memcpy(e->root, hash.b, 32);
    e->count = n;
    entry_set(e, E_COUNT);
    entry_set(e, E_ROOT);
}

static void append(struct biglog *b, const struct merkle_hash *leaf)
{
    struct merkle_hash h = *leaf;
    merkle_edge_append(&b->edge, leaf);
    b->n++;
    for (unsigned l = 0; l < BIGLOG_LEVELS; l++) {
        b->level[l][b->filled[l]++] = h;
        if (b->filled[l] < MERKLE_TILE_WIDTH)
            return;
        write_hashes(b, l, (b->n >> 8 * (l + 1)) - 1);
        merkle_root_of(&h, b->level[l], MERKLE_TILE_WIDTH);
        b->filled[l] = 0;
    }
}

void biglog_add(struct biglog *b, struct entry *e, struct row *rows, size_t n)
{
    struct merkle_hash leaf;
    e->time = b->time;
    biglog_bytes(b, e->salt, 16);
    put_rows(b, e, rows, n);
    buf_clear(&b->one);
    entry_encode(&b->one, e);
    merkle_leaf(&leaf, buf_slice(&b->one));
    buf_put_be(&b->bundle, b->one.n, 2);
    buf_put_slice(&b->bundle, buf_slice(&b->one));
    append(b, &leaf);
    if (b->n % MERKLE_TILE_WIDTH == 0)
        write_bundle(b, b->n / MERKLE_TILE_WIDTH - 1, MERKLE_TILE_WIDTH);
}

void biglog_add_to_world(struct biglog *b, struct entry *e)
{
    const char *clause;
    biglog_add(b, e, NULL, 0);
    must(world_apply(b->world, b->n - 1, e, buf_slice(&b->one), &clause));
}

void biglog_evidence(struct biglog *b, struct row *r, const struct evidence *e, bool erased)
{
    struct opened o = {.index = b->n, .status = erased ? EVIDENCE_ERASED : EVIDENCE_OPENED};
    struct buf evidence;
    buf_init(&evidence, 65536);
    memcpy(o.label, r->label, 16);
    evidence_encode(&evidence, e);
    biglog_bytes(b, o.salt, 32);
    crypto_hmac(r->evidence, slice_of(o.salt, 32),
                (struct slice[]){slice_str(EVIDENCE_DOMAIN), buf_slice(&evidence)}, 2);
    row_set(r, R_EVIDENCE);
    if (!erased)
        o.evidence = buf_slice(&evidence);
    buf_clear(&b->group);
    opened_encode(&b->group, &o);
    must(buf_check(&b->group));
    if (fwrite(b->group.p, 1, b->group.n, b->evidence) != b->group.n)
        biglog_die("evidence.cborseq");
    buf_release(&evidence);
}

void biglog_close(struct biglog *b)
{
    struct merkle_hash root;
    uint8_t signature[64];
    unsigned width = (unsigned)(b->n % MERKLE_TILE_WIDTH);
    if (width)
        write_bundle(b, b->n / MERKLE_TILE_WIDTH, width);
    for (unsigned l = 0; l < BIGLOG_LEVELS; l++)
        if (b->filled[l])
            write_hashes(b, l, b->n >> 8 * (l + 1));
    if (fclose(b->evidence) != 0)
        biglog_die("evidence.cborseq");
    merkle_edge_root(&b->edge, &root);
    buf_clear(&b->one);
    merkle_checkpoint_body(&b->one, slice_str(b->key.name), b->n, &root);
    crypto_sign(signature, buf_slice(&b->one), b->secret);
    buf_put_str(&b->one, "\n");
    merkle_note_sign_line(&b->one, &b->key, slice_of(signature, 64));
    write_file(b->dir, "ledger/checkpoint", buf_slice(&b->one));
    buf_release(&b->bundle);
    buf_release(&b->rows);
    buf_release(&b->group);
    buf_release(&b->one);
    world_free(b->world);
}
