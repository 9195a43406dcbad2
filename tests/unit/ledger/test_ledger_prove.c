/* Proofs from the files alone are those of the thread that writes them, also after partials were superseded.
 */
#include "cell.h"

static void the_same_proofs(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 300, 511, 512, 513, 1000, 1300};
    enum { N = sizeof sizes / sizeof sizes[0] };
    struct cell cell;
    struct ledger *l;
    struct merkle_hash root[N], proof[MERKLE_PROOF_MAX], again[MERKLE_PROOF_MAX];
    size_t n, m, checked = 0;
    cell_make(&cell);
    OK(ledger_open(cell.dir, 0, &l));
    for (size_t i = 0; i < N; i++) {
        append_to(l, sizes[i]);
        OK(ledger_flush(l));
        OK(ledger_publish(l, slice_str("a note")));
        ledger_root(l, &root[i]);
        for (size_t j = 0; j <= i; j++) {
            OK(ledger_consistency(l, sizes[j], proof, &n));
            OK(ledger_prove_consistency(cell.dir, sizes[j], sizes[i], again, &m));
            assert_int_equal(n, m);
            assert_memory_equal(proof, again, n * sizeof proof[0]);
            assert_true(merkle_verify_consistency(sizes[j], &root[j], sizes[i], &root[i], again, m));
            checked++;
        }
    }
    /* between sizes that are past: their partials may be gone, wider files serve */
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j <= i; j++) {
            OK(ledger_prove_consistency(cell.dir, sizes[j], sizes[i], again, &m));
            assert_true(merkle_verify_consistency(sizes[j], &root[j], sizes[i], &root[i], again, m));
        }
    assert_int_equal(checked, N * (N + 1) / 2);
    assert_int_equal(ledger_prove_consistency(cell.dir, 3, 2, again, &m), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_prove_consistency(cell.dir, 1300, 2000, again, &m),
                     BOURN_E_CORRUPT); /* not there yet */
    OK(ledger_republish(l, slice_str("a note, cosigned")));
    assert_int_equal(cell_size(&cell, "ledger/checkpoint"), 16);
    ledger_close(l);
    cell_remove(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_proofs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
