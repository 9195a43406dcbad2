/* Roots of the published vectors, and of every small size against the recursive definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "naive.h"

enum { MOST = 70000 };
static struct merkle_hash leaves[MOST];

static void expect_root(const struct merkle_hash *got, const char *base64)
{
    struct buf b;
    buf_init(&b, 64);
    base64_put(&b, slice_of(got->b, 32));
    assert_true(slice_is(buf_slice(&b), base64));
    buf_release(&b);
}

static void published_roots(void **state)
{
    (void)state;
    const struct {
        uint64_t size;
        const char *root;
    } cases[] = {
        {0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        {3, "cuDRdZjUDBQ/FOv7BeLFxN3Wvr8WXzVpRDrEaViH0wI="},
        {256, "1WpOHKSIeSyDfM1/qYXrqmfDXBe25wuAzTG+z62FGxc="},
        {70000, "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA="},
    };
    struct merkle_hash root;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        merkle_root_of(&root, leaves, cases[i].size);
        expect_root(&root, cases[i].root);
    }
    merkle_empty(&root);
    expect_root(&root, cases[0].root);
}

static void edge_equals_definition(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 65535, 65536, 65537, MOST};
    struct merkle_edge e;
    struct merkle_hash got, want;
    merkle_edge_init(&e);
    size_t next = 0;
    for (uint64_t size = 0;; size++) {
        if (size <= 300 || size == sizes[next]) {
            merkle_edge_root(&e, &got);
            naive_root(&want, leaves, size);
            assert_memory_equal(got.b, want.b, 32);
            merkle_root_of(&got, leaves, size);
            assert_memory_equal(got.b, want.b, 32);
        }
        assert_int_equal(e.size, size);
        next += size == sizes[next];
        if (size == MOST)
            break;
        merkle_edge_append(&e, &leaves[size]);
    }
    assert_int_equal(next, sizeof sizes / sizeof *sizes);
}

static void leaves_and_nodes_differ(void **state)
{
    (void)state;
    struct merkle_hash leaf, node, want;
    uint8_t both[64];
    memcpy(both, leaves[0].b, 32);
    memcpy(both + 32, leaves[1].b, 32);
    merkle_leaf(&leaf, slice_of(both, 64));
    merkle_node(&node, &leaves[0], &leaves[1]);
    assert_memory_not_equal(leaf.b, node.b, 32);
    merkle_leaf(&leaf, slice_str("event 7"));
    naive_entry(&want, 7);
    assert_memory_equal(leaf.b, want.b, 32);
    merkle_node(&leaves[0], &leaves[0], &leaves[1]); /* output over an input */
    assert_memory_equal(leaves[0].b, node.b, 32);
    naive_entry(&leaves[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_roots),
        cmocka_unit_test(edge_equals_definition),
        cmocka_unit_test(leaves_and_nodes_differ),
    };
    if (crypto_init() != BOURN_OK)
        return 1;
    for (uint64_t i = 0; i < MOST; i++)
        naive_entry(&leaves[i], i);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
