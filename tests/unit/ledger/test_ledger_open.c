/* Opening at a mark: what a crash left beyond it, missing partials, and files that contradict each other. */
#include "cell.h"

static void reopen_at_every_size(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    cell_make(&c);
    for (uint64_t size = 0; size <= 530; size++) {
        OK(ledger_open(c.dir, size, &l));
        assert_int_equal(ledger_size(l), size);
        expect_root(l);
        append_to(l, size + 1);
        OK(ledger_flush(l));
        expect_root(l);
        ledger_close(l);
    }
    expect_readable(c.dir, 0, 531, 531);
    cell_remove(&c);
}

/* Files go ahead of the mark by any distance; opening takes the mark, and growing again gives the same log.
 */
static void mark_behind_the_files(void **state)
{
    (void)state;
    static const uint64_t marks[] = {0, 1, 100, 255, 256, 257, 300, 511, 512, 513, 700};
    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
        for (uint64_t ahead = 1; ahead <= 600; ahead += 99) {
            struct cell c;
            struct ledger *l;
            cell_make(&c);
            OK(ledger_open(c.dir, 0, &l));
            append_to(l, marks[m]);
            OK(ledger_flush(l));
            append_to(l, marks[m] + ahead);
            OK(ledger_flush(l));
            ledger_close(l);
            cell_write(&c, "ledger/tile/entries/000.new", "torn");

            OK(ledger_open(c.dir, marks[m], &l));
            expect_root(l);
            expect_readable(c.dir, 0, marks[m], marks[m]);
            char full[64], partial[64];
            uint64_t size = marks[m] + ahead;
            snprintf(full, sizeof full, "ledger/tile/0/%03u", (unsigned)(marks[m] / 256));
            snprintf(partial, sizeof partial, "rows/%03u.p/%u", (unsigned)(size / 256),
                     (unsigned)(size % 256));
            assert_false(cell_has(&c, full));
            assert_false(cell_has(&c, partial));
            assert_false(cell_has(&c, "ledger/tile/entries/000.new"));
            append_to(l, size + 1);
            OK(ledger_flush(l));
            expect_root(l);
            expect_readable(c.dir, 0, size + 1, size + 1);
            ledger_close(l);
            cell_remove(&c);
        }
    }
}

static void missing_partials_are_cut_from_wider_files(void **state)
{
    (void)state;
    static const char *const partials[] = {"ledger/tile/0/001.p/44", "ledger/tile/entries/001.p/44",
                                           "rows/001.p/44"};
    static const uint64_t sizes[] = {310, 600}; /* a wider partial; the full file */
    for (size_t s = 0; s < 2; s++) {
        for (size_t lost = 0; lost < 3; lost++) {
            struct cell c;
            struct ledger *l;
            cell_make(&c);
            OK(ledger_open(c.dir, 0, &l));
            append_to(l, 300);
            OK(ledger_flush(l));
            append_to(l, sizes[s]);
            OK(ledger_flush(l));
            ledger_close(l);
            cell_unlink(&c, partials[lost]);
            OK(ledger_open(c.dir, 300, &l));
            expect_root(l);
            assert_true(cell_has(&c, partials[lost])); /* before the wider one went */
            assert_false(cell_has(&c, "ledger/tile/0/001"));
            assert_false(cell_has(&c, "ledger/tile/0/001.p/54"));
            expect_readable(c.dir, 0, 300, 300);
            ledger_close(l);
            cell_remove(&c);
        }
    }
}

static void lost_or_altered_files(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        long flip; /* -1: the file is lost */
    } cases[] = {
        {"ledger/tile/0/002.p/88", -1},
        {"ledger/tile/1/000.p/2", -1},
        {"ledger/tile/entries/002.p/88", -1},
        {"rows/002.p/88", -1},
        {"ledger/tile/0/001", -1},
        {"ledger/tile/0/001", 8191},
        {"ledger/tile/0/002.p/88", 0},
        {"ledger/tile/0/002.p/88", 87 * 32},
        {"ledger/tile/1/000.p/2", 40},
        {"ledger/tile/entries/002.p/88", 1},
        {"ledger/tile/entries/002.p/88", 5},
        {"rows/002.p/88", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cell c;
        struct ledger *l = NULL;
        cell_make(&c);
        OK(ledger_open(c.dir, 0, &l));
        append_to(l, 600);
        OK(ledger_flush(l));
        ledger_close(l);
        if (cases[i].flip < 0)
            cell_unlink(&c, cases[i].path);
        else
            cell_flip(&c, cases[i].path, cases[i].flip);
        enum bourn_err err = ledger_open(c.dir, 600, &l);
        if (err != BOURN_E_CORRUPT)
            fail_msg("case %zu, %s: %s", i, cases[i].path, err_name(err));
        cell_remove(&c);
    }
}

static void lost_full_bundle(void **state)
{
    (void)state;
    static const char *const lost[] = {"ledger/tile/entries/001", "rows/001", "ledger/tile/0/001"};
    for (size_t i = 0; i < 3; i++) {
        struct cell c;
        struct ledger *l = NULL;
        cell_make(&c);
        OK(ledger_open(c.dir, 0, &l));
        append_to(l, 512);
        OK(ledger_flush(l));
        ledger_close(l);
        OK(ledger_open(c.dir, 512, &l));
        ledger_close(l);
        cell_unlink(&c, lost[i]);
        assert_int_equal(ledger_open(c.dir, 512, &l), BOURN_E_CORRUPT);
        cell_remove(&c);
    }
}

static void mark_beyond_the_files(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l = NULL;
    cell_make(&c);
    assert_int_equal(ledger_open(c.dir, 1, &l), BOURN_E_CORRUPT);
    assert_int_equal(ledger_open(c.dir, 256, &l), BOURN_E_CORRUPT);
    assert_int_equal(ledger_open(c.dir, UINT64_MAX, &l), BOURN_E_CORRUPT);
    OK(ledger_open(c.dir, 0, &l));
    append_to(l, 10);
    OK(ledger_flush(l));
    ledger_close(l);
    assert_int_equal(ledger_open(c.dir, 11, &l), BOURN_E_CORRUPT);
    cell_remove(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reopen_at_every_size),
        cmocka_unit_test(mark_behind_the_files),
        cmocka_unit_test(missing_partials_are_cut_from_wider_files),
        cmocka_unit_test(lost_or_altered_files),
        cmocka_unit_test(lost_full_bundle),
        cmocka_unit_test(mark_beyond_the_files),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
