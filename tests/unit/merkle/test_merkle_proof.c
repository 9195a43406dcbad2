/* Every proof of every tree up to 70 leaves against the recursive definition; every altered one is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "naive.h"

enum { MOST = 70, BIG = 70000 };
static struct merkle_hash leaves[BIG], roots[MOST + 1];

static enum bourn_err read_subtree(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    uint64_t size = *(const uint64_t *)ctx;
    if ((index + 1) << height > size)
        return err_set(BOURN_E_CORRUPT, "the subtree is not complete");
    naive_root(out, leaves + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

static enum bourn_err read_nothing(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    (void)ctx, (void)height, (void)index, (void)out;
    return err_set(BOURN_E_IO, "no disk");
}

static void inclusion(void **state)
{
    (void)state;
    struct merkle_hash proof[MERKLE_PROOF_MAX + 1], want[MERKLE_PROOF_MAX];
    size_t n;
    for (uint64_t size = 1; size <= MOST; size++) {
        for (uint64_t i = 0; i < size; i++) {
            assert_int_equal(merkle_prove_inclusion(i, size, read_subtree, &size, proof, &n), BOURN_OK);
            assert_int_equal(n, naive_path(want, i, leaves, size));
            assert_memory_equal(proof, want, 32 * n);
            assert_true(merkle_verify_inclusion(i, size, &leaves[i], proof, n, &roots[size]));
            /* any other place, size, leaf, root, length or bit is refused */
            for (uint64_t j = 0; j <= size; j++)
                assert_int_equal(merkle_verify_inclusion(j, size, &leaves[i], proof, n, &roots[size]),
                                 j == i);
            for (uint64_t s = 0; s <= MOST; s++)
                if (s != size)
                    assert_false(merkle_verify_inclusion(i, s, &leaves[i], proof, n, &roots[s]));
            assert_false(merkle_verify_inclusion(i, size, &leaves[i + 1], proof, n, &roots[size]));
            proof[n] = proof[0];
            assert_false(merkle_verify_inclusion(i, size, &leaves[i], proof, n + 1, &roots[size]));
            if (n)
                assert_false(merkle_verify_inclusion(i, size, &leaves[i], proof, n - 1, &roots[size]));
            for (size_t bit = 0; bit < n * 256; bit += size < 10 ? 1 : 37) {
                proof[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(merkle_verify_inclusion(i, size, &leaves[i], proof, n, &roots[size]));
                proof[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
}

static void consistency(void **state)
{
    (void)state;
    struct merkle_hash proof[MERKLE_PROOF_MAX + 1], want[MERKLE_PROOF_MAX];
    size_t n;
    for (uint64_t size = 0; size <= MOST; size++) {
        for (uint64_t old = 0; old <= size; old++) {
            assert_int_equal(merkle_prove_consistency(old, size, read_subtree, &size, proof, &n), BOURN_OK);
            assert_int_equal(n, old == 0 ? 0 : naive_subproof(want, old, leaves, size, true));
            assert_memory_equal(proof, want, 32 * n);
            assert_true(merkle_verify_consistency(old, &roots[old], size, &roots[size], proof, n));
            assert_false(merkle_verify_consistency(old, &leaves[1], size, &roots[size], proof, n));
            /* No hash of the new tree enters a proof from nothing: every root extends it. */
            assert_int_equal(merkle_verify_consistency(old, &roots[old], size, &leaves[1], proof, n),
                             old == 0 && size > 0);
            for (uint64_t other = 1; other <= MOST && old > 0; other++) {
                if (other != size)
                    assert_false(merkle_verify_consistency(old, &roots[old], other, &roots[other], proof, n));
                if (other != old)
                    assert_false(
                        merkle_verify_consistency(other, &roots[other], size, &roots[size], proof, n));
            }
            proof[n] = leaves[0];
            assert_false(merkle_verify_consistency(old, &roots[old], size, &roots[size], proof, n + 1));
            if (n)
                assert_false(merkle_verify_consistency(old, &roots[old], size, &roots[size], proof, n - 1));
            for (size_t bit = 0; bit < n * 256; bit += size < 10 ? 1 : 37) {
                proof[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(merkle_verify_consistency(old, &roots[old], size, &roots[size], proof, n));
                proof[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
}

static void big_trees(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 65535, 65536, 65537, BIG};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct merkle_hash proof[MERKLE_PROOF_MAX], root[SIZES], at;
    size_t n;
    for (size_t s = 0; s < SIZES; s++) {
        uint64_t size = sizes[s];
        naive_root(&root[s], leaves, size);
        assert_int_equal(merkle_root_at(size, read_subtree, &size, &at), BOURN_OK);
        assert_memory_equal(at.b, root[s].b, 32);
        for (size_t o = 0; o <= s; o++) {
            assert_int_equal(merkle_prove_consistency(sizes[o], size, read_subtree, &size, proof, &n),
                             BOURN_OK);
            assert_true(merkle_verify_consistency(sizes[o], &root[o], size, &root[s], proof, n));
            uint64_t i = sizes[o] - 1;
            assert_int_equal(merkle_prove_inclusion(i, size, read_subtree, &size, proof, &n), BOURN_OK);
            assert_true(merkle_verify_inclusion(i, size, &leaves[i], proof, n, &root[s]));
        }
    }
}

static void refused(void **state)
{
    (void)state;
    struct merkle_hash proof[MERKLE_PROOF_MAX], root;
    size_t n;
    uint64_t size = 8, huge = (uint64_t)1 << 63;
    assert_int_equal(merkle_prove_inclusion(8, 8, read_subtree, &size, proof, &n), BOURN_E_NOT_FOUND);
    assert_int_equal(merkle_prove_inclusion(0, 0, read_subtree, &size, proof, &n), BOURN_E_NOT_FOUND);
    assert_int_equal(merkle_prove_inclusion(0, huge, read_subtree, &size, proof, &n), BOURN_E_LIMIT);
    assert_int_equal(merkle_prove_consistency(9, 8, read_subtree, &size, proof, &n), BOURN_E_NOT_FOUND);
    assert_int_equal(merkle_prove_consistency(1, huge, read_subtree, &size, proof, &n), BOURN_E_LIMIT);
    assert_int_equal(merkle_root_at(huge, read_subtree, &size, &root), BOURN_E_LIMIT);
    /* a reader's error is handed on */
    assert_int_equal(merkle_prove_inclusion(3, 8, read_nothing, NULL, proof, &n), BOURN_E_IO);
    assert_int_equal(merkle_prove_consistency(3, 8, read_nothing, NULL, proof, &n), BOURN_E_IO);
    assert_int_equal(merkle_root_at(8, read_nothing, NULL, &root), BOURN_E_IO);
    assert_false(merkle_verify_inclusion(0, huge, &leaves[0], proof, 63, &roots[1]));
    assert_false(merkle_verify_consistency(9, &roots[9], 8, &roots[8], proof, 0));
}

static enum bourn_err read_zero(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    (void)ctx, (void)height, (void)index;
    memset(out, 0, sizeof *out);
    return BOURN_OK;
}

static void longest_proofs_fit(void **state)
{
    (void)state;
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    uint64_t size = ((uint64_t)1 << 63) - 1;
    size_t n;
    assert_int_equal(merkle_prove_inclusion(0, size, read_zero, NULL, proof, &n), BOURN_OK);
    assert_int_equal(n, 63);
    for (uint64_t old = size - 3; old < size; old++) {
        assert_int_equal(merkle_prove_consistency(old, size, read_zero, NULL, proof, &n), BOURN_OK);
        assert_true(n <= MERKLE_PROOF_MAX);
    }
    assert_int_equal(merkle_prove_consistency(1, size, read_zero, NULL, proof, &n), BOURN_OK);
    assert_int_equal(n, 63);
    assert_int_equal(merkle_prove_consistency(3, size, read_zero, NULL, proof, &n), BOURN_OK);
    assert_int_equal(n, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inclusion), cmocka_unit_test(consistency),        cmocka_unit_test(big_trees),
        cmocka_unit_test(refused),   cmocka_unit_test(longest_proofs_fit),
    };
    if (crypto_init() != BOURN_OK)
        return 1;
    for (uint64_t i = 0; i < BIG; i++)
        naive_entry(&leaves[i], i);
    for (size_t i = 0; i <= MOST; i++)
        naive_root(&roots[i], leaves, i);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
