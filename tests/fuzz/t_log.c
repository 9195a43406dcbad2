/* What a monitor reads from whoever answers: checkpoints, bundles and tiles that the input makes up. */
#include "fuzz.h"

#include "base/limits.h"
#include "base/text.h"
#include "cbor/entry.h"
#include "log_reader.h"

#include <stdio.h>

/* In the place of cli/log_source.c: each answer is the next part of the input, length (2 bytes) and bytes;
 * 0xffff says that the file is not there. */
struct log_source {
    struct slice left;
    unsigned answers;
};

static enum bourn_err answer(struct log_source *s, struct buf *out)
{
    if (s->left.n < 2 || s->answers++ > 64)
        return err_set(BOURN_E_UNAVAILABLE, "the input ends");
    size_t n = (size_t)be_get(s->left.p, 2);
    s->left = slice_of(s->left.p + 2, s->left.n - 2);
    if (n == 0xffff)
        return err_set(BOURN_E_NOT_FOUND, "not there");
    n = n < s->left.n ? n : s->left.n;
    buf_put(out, s->left.p, n);
    s->left = slice_of(s->left.p + n, s->left.n - n);
    return buf_check(out);
}

enum bourn_err log_source_checkpoint(struct log_source *s, struct buf *out)
{
    return answer(s, out);
}

enum bourn_err log_source_tile(struct log_source *s, const struct merkle_tile *t, struct buf *out)
{
    fuzz_check(t->width >= 1 && t->width <= MERKLE_TILE_WIDTH && t->level == 0);
    return answer(s, out);
}

struct taken {
    uint64_t next;
    struct merkle_edge edge;
};

static enum bourn_err take(void *ctx, uint64_t index, struct slice entry)
{
    struct taken *t = ctx;
    struct merkle_hash leaf;
    fuzz_check(index == t->next++); /* each once, in order */
    merkle_leaf(&leaf, entry);
    merkle_edge_append(&t->edge, &leaf);
    return BOURN_OK;
}

static void run_log(struct slice in)
{
    struct log_source s = {.left = in};
    struct log_reader r;
    struct taken t = {0};
    merkle_edge_init(&t.edge);
    log_reader_init(&r, &s, NULL);
    for (int i = 0; i < 4; i++) {
        struct merkle_hash root;
        enum bourn_err err = log_reader_run(&r, take, &t);
        if (err != BOURN_OK && err != BOURN_E_UNAVAILABLE)
            break;
        fuzz_check(r.size <= t.next);
        if (err == BOURN_OK && r.size == t.next) { /* what it calls sound is what the checkpoint signs */
            merkle_edge_root(&t.edge, &root);
            fuzz_check(memcmp(root.b, r.root.b, sizeof root.b) == 0);
        }
    }
    log_reader_release(&r);
}

static void part(struct buf *b, struct slice s)
{
    buf_put_be(b, s.n, 2);
    buf_put_slice(b, s);
}

/* A checkpoint, a bundle and a tile of entries "0", "1", … */
static void put_log(struct buf *b, unsigned size, unsigned from)
{
    struct merkle_edge e;
    struct merkle_hash h;
    struct buf note, bundle, tile;
    buf_init(&note, 1024);
    buf_init(&bundle, 65536);
    buf_init(&tile, 65536);
    merkle_edge_init(&e);
    for (unsigned i = 0; i < size; i++) {
        uint8_t digit = (uint8_t)('0' + i);
        buf_put_be(&bundle, 1, 2);
        buf_put_u8(&bundle, digit);
        merkle_leaf(&h, slice_of(&digit, 1));
        buf_put(&tile, h.b, sizeof h.b);
        merkle_edge_append(&e, &h);
    }
    merkle_edge_root(&e, &h);
    merkle_checkpoint_body(&note, slice_str("x.example"), size, &h);
    part(b, buf_slice(&note));
    if (size > from) {
        part(b, buf_slice(&bundle));
        part(b, buf_slice(&tile));
    }
    buf_release(&note);
    buf_release(&bundle);
    buf_release(&tile);
}

static void seeds_log(void)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (unsigned size = 0; size < 5; size++) {
        buf_clear(&b);
        put_log(&b, size, 0);
        put_log(&b, size, size);
        put_log(&b, size + 3, size);
        fuzz_seed(buf_slice(&b));
    }
    buf_release(&b);
}

const struct fuzz_target fuzz_log[] = {
    {"log-reader", run_log, seeds_log, 4096, 5000},
    {0},
};
