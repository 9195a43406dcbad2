/* What is served: strict paths, partials cut from wider files, and reading while another thread writes. */
#include "cell.h"

#include <pthread.h>
#include <stdatomic.h>

#include "cbor/entry.h"
#include "ledger/partials.h"
#include "ledger/tiles.h"

static struct cell cell;

static int make_log(void **state)
{
    (void)state;
    struct ledger *l;
    cell_make(&cell);
    OK(ledger_open(cell.dir, 0, &l));
    append_to(l, 300);
    OK(ledger_flush(l));
    OK(ledger_publish(l, slice_str("a note")));
    append_to(l, 310);
    OK(ledger_flush(l));
    ledger_close(l);
    return 0;
}

static int remove_log(void **state)
{
    (void)state;
    cell_remove(&cell);
    return 0;
}

static long served(const char *path, bool rows)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    enum bourn_err err =
        rows ? ledger_rows_file(cell.dir, slice_str(path), &b) : ledger_file(cell.dir, slice_str(path), &b);
    long n = (long)b.n;
    buf_release(&b);
    assert_true(err == BOURN_OK || err == BOURN_E_NOT_FOUND);
    return err ? -1 : n;
}

static void paths(void **state)
{
    (void)state;
    assert_int_equal(served("checkpoint", false), 6);
    assert_int_equal(served("tile/0/000", false), 8192);
    assert_int_equal(served("tile/0/001.p/54", false), 54 * 32);
    assert_int_equal(served("tile/1/000.p/1", false), 32);
    assert_int_equal(served("tile/entries/001.p/44", false), 44 * 11);
    assert_true(served("tile/rows/000", true) > 256 * 4);
    assert_true(served("tile/rows/001.p/44", true) > 44 * 4);
    static const char *const nothing[] = {
        "",
        "/checkpoint",
        "checkpoint/",
        "Checkpoint",
        "checkpoint.new",
        "../bourn.yaml",
        "tile/../checkpoint",
        "tile/0/../../checkpoint",
        "tile/",
        "tile",
        "tile/0",
        "tile/0/0",
        "tile//0/000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.new",
        "tile/0/001",
        "tile/0/002",
        "tile/0/001.p/55",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/64/000",
        "tile/entries/001",
        "tile/entries/001.p/55",
        "rows/000",
        "ledger/checkpoint",
        "tile/0/000%00",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        if (served(nothing[i], false) >= 0 || served(nothing[i], true) >= 0)
            fail_msg("served %s", nothing[i]);
    }
    /* The public never gets rows, auditors nothing else there. */
    assert_int_equal(served("tile/rows/000", false), -1);
    assert_int_equal(served("tile/0/000", true), -1);
    assert_int_equal(served("tile/entries/000", true), -1);
    assert_int_equal(served("checkpoint", true), -1);
}

/* Whatever width is asked for, the answer is the front of what stands there. */
static void any_width_is_cut(void **state)
{
    (void)state;
    static const char *const kinds[] = {"tile/0/", "tile/entries/", "tile/rows/"};
    struct buf whole, part;
    buf_init(&whole, 1 << 20);
    buf_init(&part, 1 << 20);
    for (size_t k = 0; k < 3; k++) {
        size_t before = 0;
        char path[64];
        snprintf(path, sizeof path, "%s000", kinds[k]);
        buf_clear(&whole);
        OK(k < 2 ? ledger_file(cell.dir, slice_str(path), &whole)
                 : ledger_rows_file(cell.dir, slice_str(path), &whole));
        for (unsigned width = 1; width < 256; width++) {
            snprintf(path, sizeof path, "%s000.p/%u", kinds[k], width);
            buf_clear(&part);
            OK(k < 2 ? ledger_file(cell.dir, slice_str(path), &part)
                     : ledger_rows_file(cell.dir, slice_str(path), &part));
            assert_true(part.n > before && part.n < whole.n);
            assert_memory_equal(part.p, whole.p, part.n);
            before = part.n;
        }
    }
    struct buf small;
    buf_init(&small, 100);
    assert_int_equal(ledger_file(cell.dir, slice_str("tile/0/000"), &small), BOURN_E_LIMIT);
    buf_release(&small);
    buf_release(&whole);
    buf_release(&part);
}

/* Rows may be longer than an answer: pieces joined are the file, whatever their size, and partials end where
 * they end. */
static void rows_in_pieces(void **state)
{
    (void)state;
    static const char *const paths[] = {"tile/rows/000", "tile/rows/000.p/1", "tile/rows/000.p/77",
                                        "tile/rows/001.p/44"};
    static const size_t sizes[] = {1, 7, 100, 4096, 1 << 20};
    struct buf whole, parts;
    uint64_t total;
    buf_init(&whole, 1 << 20);
    buf_init(&parts, 1 << 20);
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&whole);
        OK(ledger_rows_file(cell.dir, slice_str(paths[i]), &whole));
        for (size_t k = 0; k < 5; k++) {
            buf_clear(&parts);
            for (size_t before = 1; parts.n != before;) {
                before = parts.n;
                OK(ledger_rows_part(cell.dir, slice_str(paths[i]), parts.n, sizes[k], &parts, &total));
                assert_int_equal(total, whole.n);
                assert_true(parts.n - before <= sizes[k]);
            }
            assert_int_equal(parts.n, whole.n);
            assert_memory_equal(parts.p, whole.p, whole.n);
        }
        OK(ledger_rows_part(cell.dir, slice_str(paths[i]), UINT64_MAX, 10, &parts, &total));
        assert_int_equal(parts.n, whole.n);
    }
    assert_int_equal(ledger_rows_part(cell.dir, slice_str("tile/0/000"), 0, 10, &parts, &total),
                     BOURN_E_NOT_FOUND);
    buf_release(&whole);
    buf_release(&parts);
}

static void reading(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    expect_readable(cell.dir, 0, 310, 310);
    expect_readable(cell.dir, 0, 300, 300); /* a size that was true before */
    expect_readable(cell.dir, 0, 280, 280); /* its partial never was there */
    assert_int_equal(ledger_read(cell.dir, 310, 310, &b, &b), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_read(cell.dir, 300, 300, &b, &b), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_read(cell.dir, 310, 311, &b, &b), BOURN_E_CORRUPT);
    assert_int_equal(ledger_read(cell.dir, 600, 601, &b, &b), BOURN_E_CORRUPT);
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

static void whole_bundles(void **state)
{
    (void)state;
    static const uint64_t flushed[] = {310, 300, 280, 256}; /* also sizes that were true before */
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof flushed / sizeof *flushed; i++)
        for (uint64_t n = 0; n < 2; n++) {
            struct slice entry;
            char text[32];
            size_t at = 0;
            uint64_t index = 256 * n, end = n ? flushed[i] : 256;
            buf_clear(&b);
            assert_int_equal(ledger_bundle(cell.dir, n, flushed[i], &b),
                             index < end ? BOURN_OK : BOURN_E_NOT_FOUND);
            for (; index < end; index++)
                assert_true(bundle_next(buf_slice(&b), &at, &entry) && slice_eq(entry, event(index, text)));
            assert_int_equal(at, b.n);
        }
    buf_clear(&b);
    assert_int_equal(ledger_bundle(cell.dir, 2, 310, &b), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_bundle(cell.dir, 2, 601, &b), BOURN_E_CORRUPT);
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

static void rows_root(void **state)
{
    (void)state;
    uint8_t rows[128], root[32];
    uint64_t count = 9;
    struct merkle_hash leaf[2], want;
    OK(ledger_rows_root(slice_of(NULL, 0), root, &count));
    merkle_empty(&want);
    assert_int_equal(count, 0);
    assert_memory_equal(root, want.b, 32);
    struct slice two = event_rows(2, rows);
    OK(ledger_rows_root(two, root, &count));
    merkle_leaf(&leaf[0], slice_str("row 2.0"));
    merkle_leaf(&leaf[1], slice_str("row 2.1"));
    merkle_root_of(&want, leaf, 2);
    assert_int_equal(count, 2);
    assert_memory_equal(root, want.b, 32);
    for (size_t cut = 1; cut < two.n; cut++)
        assert_int_equal(ledger_rows_root(slice_of(rows, cut), root, &count),
                         cut == 11 ? BOURN_OK : BOURN_E_FORMAT);
}

struct shared {
    struct io_dir *dir;
    _Atomic uint64_t flushed;
    atomic_bool stop;
    unsigned reads, failures;
};

static void *read_on(void *arg)
{
    struct shared *s = arg;
    struct buf entry, rows;
    buf_init(&entry, 100);
    buf_init(&rows, 1000);
    uint32_t seed = 7;
    while (!s->stop) {
        uint64_t flushed = s->flushed;
        if (!flushed)
            continue;
        char text[32];
        uint8_t want[128];
        seed = seed * 1664525 + 1013904223;
        uint64_t back = seed >> 8 & 1 ? seed % 300 : seed % 20, i = back < flushed ? flushed - 1 - back : 0;
        buf_clear(&entry);
        buf_clear(&rows);
        bool ok = ledger_read(s->dir, i, flushed, &entry, &rows) == BOURN_OK &&
                  slice_eq(buf_slice(&entry), event(i, text)) &&
                  slice_eq(buf_slice(&rows), event_rows(i, want));
        s->reads++;
        s->failures += !ok;
    }
    buf_release(&entry);
    buf_release(&rows);
    return NULL;
}

/* The writer removes every superseded partial at once: harsher than the ledger itself. */
static void reading_beside_the_writer(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    struct partials gone = {0};
    pthread_t t;
    cell_make(&c);
    struct shared s = {.dir = c.dir};
    OK(ledger_open(c.dir, 0, &l));
    assert_int_equal(pthread_create(&t, NULL, read_on, &s), 0);
    struct merkle_tile kinds[3] = {{MERKLE_TILE_ENTRIES, 0, 0, 0}, {MERKLE_TILE_ROWS, 0, 0, 0}, {0}};
    uint64_t clock_ms = 1;
    for (uint64_t size = 7; size < 3000; size += 7) {
        append_to(l, size);
        OK(ledger_flush(l));
        for (size_t k = 0; k < 3; k++) {
            if (kinds[k].width && kinds[k].n != size / 256) {
                kinds[k].width = 256;
                partials_supersede(&gone, &kinds[k]);
            }
            kinds[k].n = size / 256;
            kinds[k].width = (unsigned)(size % 256);
            if (kinds[k].width) {
                OK(partials_add(&gone, &kinds[k]));
                partials_supersede(&gone, &kinds[k]);
            }
        }
        for (int i = 0; i < 3; i++)
            partials_publish(&gone, c.dir, clock_ms += 2 * PARTIALS_KEPT_MS);
        s.flushed = size;
    }
    s.stop = true;
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_true(s.reads > 100);
    assert_int_equal(s.failures, 0);
    partials_release(&gone);
    ledger_close(l);
    cell_remove(&c);
}

static enum bourn_err event_node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    merkle_root_of(out, (const struct merkle_hash *)ctx + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

/* The same proofs as from all leaves in memory, of every size up to the last one. */
static void proofs_from_the_files(void **state)
{
    (void)state;
    enum { SIZE = 310 };
    static struct merkle_hash leaves[SIZE];
    for (uint64_t i = 0; i < SIZE; i++) {
        char text[32];
        snprintf(text, sizeof text, "event %llu", (unsigned long long)i);
        merkle_leaf(&leaves[i], slice_str(text));
    }
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 300, SIZE};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct merkle_hash root, want[MERKLE_PROOF_MAX], got[MERKLE_PROOF_MAX];
        struct ledger_prover *prover;
        size_t want_n, got_n;
        merkle_root_of(&root, leaves, sizes[s]);
        OK(ledger_prover_new(cell.dir, sizes[s], &prover));
        for (uint64_t i = 0; i < sizes[s]; i++) {
            OK(merkle_prove_inclusion(i, sizes[s], event_node, leaves, want, &want_n));
            OK(ledger_prove(prover, i, got, &got_n));
            assert_int_equal(got_n, want_n);
            assert_memory_equal(got, want, got_n * sizeof got[0]);
            assert_true(merkle_verify_inclusion(i, sizes[s], &leaves[i], got, got_n, &root));
        }
        for (uint64_t k = sizes[s]; k-- > 0;) { /* in any order: what is kept belongs to its place */
            uint64_t i = k * 7919 % sizes[s];
            OK(ledger_prove(prover, i, got, &got_n));
            assert_true(merkle_verify_inclusion(i, sizes[s], &leaves[i], got, got_n, &root));
        }
        assert_int_equal(ledger_prove(prover, sizes[s], got, &got_n), BOURN_E_NOT_FOUND);
        ledger_prover_free(prover);
    }
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct ledger_prover *prover;
    size_t n;
    OK(ledger_prover_new(cell.dir, 1000, &prover));
    assert_int_equal(ledger_prove(prover, 0, proof, &n), BOURN_E_CORRUPT); /* never flushed */
    ledger_prover_free(prover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(any_width_is_cut),
        cmocka_unit_test(rows_in_pieces),
        cmocka_unit_test(reading),
        cmocka_unit_test(whole_bundles),
        cmocka_unit_test(rows_root),
        cmocka_unit_test(reading_beside_the_writer),
        cmocka_unit_test(proofs_from_the_files),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, make_log, remove_log) : 1;
}
