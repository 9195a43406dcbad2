/* The published log of "event 0", "event 1", … at every size where something changes, up to 16,777,217 by its
 * hashes alone: which tiles there are, and roots and proofs from what these tiles hold. The roots were
 * computed by a program that shares no code with bourn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"

enum { WIDTH = MERKLE_TILE_WIDTH, BIG = 16777217, LEVELS = 4 };

static const struct {
    uint64_t size;
    const char *root;
    /* per level: full tiles, and the width of the partial */
    struct {
        uint64_t full;
        unsigned partial;
    } level[LEVELS];
} cases[] = {
    {0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", {{0}}},
    {1, "o0Te2mOZ4HlwDxjKzMF07RHvGx0WQnHjqV2CxzRGaXc=", {{0, 1}, {0, 0}, {0, 0}, {0, 0}}},
    {2, "lZegCMOZEI3cZ/iBYp372ha+Y/y3S0KJL3Sd3gjTNko=", {{0, 2}, {0, 0}, {0, 0}, {0, 0}}},
    {3, "cuDRdZjUDBQ/FOv7BeLFxN3Wvr8WXzVpRDrEaViH0wI=", {{0, 3}, {0, 0}, {0, 0}, {0, 0}}},
    {255, "Ii2g9sCB3Dlo+4ZJZtjY6hkFzNtNvuM0WabcSOsh0nU=", {{0, 255}, {0, 0}, {0, 0}, {0, 0}}},
    {256, "1WpOHKSIeSyDfM1/qYXrqmfDXBe25wuAzTG+z62FGxc=", {{1, 0}, {0, 1}, {0, 0}, {0, 0}}},
    {257, "6sxCy9aaRpNMQLARCcKz6jKIDaigU8zk4Mli0J9pttA=", {{1, 1}, {0, 1}, {0, 0}, {0, 0}}},
    {65535, "bi6/lD/4Rl1aJjY0hyGhBx+uS3ld6xuADcbGZTTdXs4=", {{255, 255}, {0, 255}, {0, 0}, {0, 0}}},
    {65536, "+0HcwkXYirGVA/pd2kj0hAVU1BqUAWs0YIcOWhUs/yg=", {{256, 0}, {1, 0}, {0, 1}, {0, 0}}},
    {65537, "ile/ynlmJwuPjHO/a6EukTyxqvjbbnkbowfoaC3P6pk=", {{256, 1}, {1, 0}, {0, 1}, {0, 0}}},
    {70000, "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA=", {{273, 112}, {1, 17}, {0, 1}, {0, 0}}},
    {16777215, "o367fsib282/AzY+QDB487li6Z83wdAm+GBkoh+D42I=", {{65535, 255}, {255, 255}, {0, 255}, {0, 0}}},
    {16777216, "gm7WEqRHo8LUU9yAGsB87ObUwBAu0E8gHMR3nQgDE7M=", {{65536, 0}, {256, 0}, {1, 0}, {0, 1}}},
    {16777217, "LtCCjxkPHZRKqexaIB+FOcoOOkHrZKWjaFIiDw6DIhM=", {{65536, 1}, {256, 0}, {1, 0}, {0, 1}}},
};
enum { CASES = sizeof cases / sizeof *cases };

/* The hashes of the tiles of the largest size: level l has BIG >> 8l of them. Those of level 0 are made when
 * they are asked for: half a gigabyte otherwise. */
static struct merkle_hash *hashes[LEVELS], at_size[CASES];

static void leaf(struct merkle_hash *out, uint64_t i)
{
    char text[24];
    char *p = text + sizeof text, *end = p;
    do
        *--p = (char)('0' + i % 10);
    while (i /= 10);
    p -= 6;
    memcpy(p, "event ", 6);
    merkle_leaf(out, slice_of(p, (size_t)(end - p)));
}

/* One pass over all leaves: the levels above, and the root at each size by the right edge. */
static int make(void **state)
{
    (void)state;
    struct merkle_edge e;
    struct merkle_hash tile[WIDTH];
    size_t c = 0;
    for (unsigned l = 1; l < LEVELS; l++) {
        hashes[l] = calloc((size_t)BIG >> 8 * l, sizeof *hashes[l]);
        assert_non_null(hashes[l]);
    }
    merkle_edge_init(&e);
    for (uint64_t i = 0;; i++) {
        if (c < CASES && cases[c].size == i)
            merkle_edge_root(&e, &at_size[c++]);
        if (i == BIG)
            break;
        leaf(&tile[i % WIDTH], i);
        merkle_edge_append(&e, &tile[i % WIDTH]);
        if (i % WIDTH == WIDTH - 1)
            merkle_root_of(&hashes[1][i / WIDTH], tile, WIDTH);
    }
    assert_int_equal(c, CASES);
    for (unsigned l = 2; l < LEVELS; l++)
        for (size_t i = 0; i < (size_t)BIG >> 8 * l; i++)
            merkle_root_of(&hashes[l][i], hashes[l - 1] + i * WIDTH, WIDTH);
    return 0;
}

static int release(void **state)
{
    (void)state;
    for (unsigned l = 1; l < LEVELS; l++)
        free(hashes[l]);
    return 0;
}

/* A client's read: the tile that the log of *size entries has, whole, and the subtree within it. */
static enum bourn_err read_tile(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    uint64_t size = *(const uint64_t *)ctx;
    unsigned level = height / 8, count = 1u << height % 8;
    uint64_t first = index << height % 8, n = first / WIDTH;
    unsigned width = n < merkle_tile_full(size, level)    ? WIDTH
                     : n == merkle_tile_full(size, level) ? merkle_tile_partial(size, level)
                                                          : 0;
    assert_true(level < LEVELS && first % WIDTH + count <= width); /* never beyond what is served */
    struct merkle_hash leaves[WIDTH];
    for (unsigned i = 0; level == 0 && i < count; i++)
        leaf(&leaves[i], first + i);
    merkle_root_of(out, level ? hashes[level] + first : leaves, count);
    return BOURN_OK;
}

static void expect(const struct merkle_hash *got, const char *base64)
{
    struct buf b;
    buf_init(&b, 64);
    base64_put(&b, slice_of(got->b, 32));
    if (!slice_is(buf_slice(&b), base64))
        fail_msg("%.*s is not %s", SLICE_ARG(buf_slice(&b)), base64);
    buf_release(&b);
}

static void which_tiles(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (unsigned l = 0; l < 64; l++) {
            uint64_t full = l < LEVELS ? cases[c].level[l].full : 0;
            unsigned partial = l < LEVELS ? cases[c].level[l].partial : 0;
            if (merkle_tile_full(cases[c].size, l) != full ||
                merkle_tile_partial(cases[c].size, l) != partial)
                fail_msg("size %llu, level %u", (unsigned long long)cases[c].size, l);
            /* All hashes of a level are in its tiles, and each full tile is one hash of the level above. */
            uint64_t held = full * WIDTH + partial;
            assert_int_equal(held, l < 8 ? cases[c].size >> 8 * l : 0);
        }
}

static void names_of_the_last_tiles(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *name;
    } names[] = {{0, "000"},   {255, "255"},        {256, "256"},
                 {273, "273"}, {65535, "x065/535"}, {65536, "x065/536"}};
    struct buf b;
    struct merkle_tile t;
    char path[64];
    buf_init(&b, 64);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buf_clear(&b);
        merkle_tile_name(&b, names[i].n);
        assert_true(slice_is(buf_slice(&b), names[i].name));
        snprintf(path, sizeof path, "0/%s.p/1", names[i].name);
        assert_true(merkle_tile_parse(slice_str(path), &t));
        assert_true(t.n == names[i].n && t.width == 1);
    }
    buf_release(&b);
}

static void roots_from_tiles(void **state)
{
    (void)state;
    struct merkle_hash root;
    for (size_t c = 0; c < CASES; c++) {
        uint64_t size = cases[c].size;
        assert_int_equal(merkle_root_at(size, read_tile, &size, &root), BOURN_OK);
        expect(&root, cases[c].root);
        expect(&at_size[c], cases[c].root);
    }
}

static void proofs_from_tiles(void **state)
{
    (void)state;
    struct merkle_hash root[CASES], proof[MERKLE_PROOF_MAX];
    size_t n;
    for (size_t c = 0; c < CASES; c++) {
        uint64_t size = cases[c].size;
        assert_int_equal(merkle_root_at(size, read_tile, &size, &root[c]), BOURN_OK);
        const uint64_t places[] = {0, 1, 254, 255, 256, 65534, 65535, 65536, 16777215, size / 2, size - 1};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            struct merkle_hash mine, other;
            if (places[i] >= size)
                continue;
            leaf(&mine, places[i]);
            leaf(&other, places[i] + 1);
            assert_int_equal(merkle_prove_inclusion(places[i], size, read_tile, &size, proof, &n), BOURN_OK);
            assert_true(merkle_verify_inclusion(places[i], size, &mine, proof, n, &root[c]));
            assert_false(merkle_verify_inclusion(places[i], size, &other, proof, n, &root[c]));
            if (n == 0)
                continue;
            proof[n - 1].b[31] ^= 1;
            assert_false(merkle_verify_inclusion(places[i], size, &mine, proof, n, &root[c]));
        }
        for (size_t o = 0; o <= c; o++) {
            uint64_t old = cases[o].size;
            assert_int_equal(merkle_prove_consistency(old, size, read_tile, &size, proof, &n), BOURN_OK);
            assert_true(merkle_verify_consistency(old, &root[o], size, &root[c], proof, n));
            if (n == 0)
                continue;
            proof[0].b[0] ^= 1;
            assert_false(merkle_verify_consistency(old, &root[o], size, &root[c], proof, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_tiles),
        cmocka_unit_test(names_of_the_last_tiles),
        cmocka_unit_test(roots_from_tiles),
        cmocka_unit_test(proofs_from_tiles),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, make, release) : 1;
}
