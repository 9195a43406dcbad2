/* When partials go: not before a full file (or, for rows, a wider one), two checkpoints and sixty seconds. */
#include "cell.h"

#include "ledger/internal.h"
#include "ledger/partials.h"
#include "ledger/tiles.h"

static void two_checkpoints_and_a_minute(void **state)
{
    (void)state;
    struct cell c;
    struct partials s = {0};
    struct merkle_tile narrow = {MERKLE_TILE_ROWS, 0, 5, 7}, wide = {MERKLE_TILE_ROWS, 0, 5, 9};
    struct merkle_tile elsewhere = {MERKLE_TILE_ROWS, 0, 6, 7}, hashes = {MERKLE_TILE_HASHES, 0, 5, 7};
    const struct merkle_tile *all[] = {&narrow, &wide, &elsewhere, &hashes};
    cell_make(&c);
    for (size_t i = 0; i < 4; i++) {
        OK(tiles_write(c.dir, all[i], slice_str("x")));
        OK(partials_add(&s, all[i]));
    }
    partials_publish(&s, c.dir, 1000);
    partials_supersede(&s, &wide);
    partials_publish(&s, c.dir, 500000); /* may have been in flight: does not start the time */
    partials_publish(&s, c.dir, 1000000);
    partials_publish(&s, c.dir, 1000000 + PARTIALS_KEPT_MS - 1);
    assert_true(cell_has(&c, "rows/005.p/7"));
    partials_publish(&s, c.dir, 1000000 + PARTIALS_KEPT_MS);
    assert_false(cell_has(&c, "rows/005.p/7"));
    assert_true(cell_has(&c, "rows/005.p/9"));
    assert_true(cell_has(&c, "rows/006.p/7"));
    assert_true(cell_has(&c, "ledger/tile/0/005.p/7"));
    assert_int_equal(s.n, 3);
    partials_release(&s);
    cell_remove(&c);
}

/* Publishing takes the real clock, so nothing goes here; a restart finds all that was left behind. */
static void the_ledger_keeps_what_clients_need(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    for (uint64_t size = 50; size <= 600; size += 50) {
        append_to(l, size);
        OK(ledger_flush(l));
        OK(ledger_publish(l, slice_str("note")));
    }
    for (unsigned width = 50; width < 256; width += 50) {
        char path[64];
        snprintf(path, sizeof path, "ledger/tile/0/000.p/%u", width);
        assert_true(cell_has(&c, path));
    }
    assert_int_equal(cell_size(&c, "ledger/checkpoint"), 4);
    ledger_close(l);
    cell_remove(&c);
}

/* After a restart the list of partials is what lies on disk: those of full tiles and narrower rows may go. */
static void left_behind_by_a_restart(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    unsigned may_go = 0, needed = 0;
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    for (uint64_t size = 100; size <= 500; size += 100) {
        append_to(l, size);
        OK(ledger_flush(l));
    }
    ledger_close(l);
    OK(ledger_open(c.dir, 500, &l));
    for (size_t i = 0; i < l->partials.n; i++) {
        const struct partial *p = &l->partials.p[i];
        bool edge = p->tile.n == l->size / 256 || p->tile.level > 0;
        assert_int_equal(p->superseded,
                         !edge || (p->tile.kind == MERKLE_TILE_ROWS && p->tile.width != 500 - 256));
        may_go += p->superseded;
        needed += !p->superseded;
    }
    assert_int_equal(may_go, 3 * 2 + 2); /* three kinds at 100 and 200; rows at 300 and 400 */
    assert_int_equal(needed,
                     2 * 3 + 1 + 1); /* hashes and entries at 300, 400, 500; rows at 500; one of level 1 */
    ledger_close(l);
    cell_remove(&c);
}

static void names_of_partials(void **state)
{
    (void)state;
    assert_int_equal(tiles_width_of("1"), 1);
    assert_int_equal(tiles_width_of("255"), 255);
    static const char *const none[] = {"0", "256", "01", "1.new", "", "-1", "x", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(tiles_width_of(none[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_checkpoints_and_a_minute),
        cmocka_unit_test(the_ledger_keeps_what_clients_need),
        cmocka_unit_test(left_behind_by_a_restart),
        cmocka_unit_test(names_of_partials),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
