/* Growing a ledger: the files of every size, roots, proofs, and disks that fail. */
#include "cell.h"

#include <errno.h>

#include "base/limits.h"
#include "io/io_ops.h"

static void files_of_published_sizes(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    struct merkle_hash root;
    struct buf b;
    cell_make(&c);
    buf_init(&b, 64);
    OK(ledger_open(c.dir, 0, &l));
    OK(ledger_flush(l));
    expect_root(l);
    assert_false(cell_has(&c, "ledger/tile/0/000.p/0"));
    static const struct {
        uint64_t size;
        const char *there, *not_there;
        long bytes;
    } steps[] = {
        {1, "ledger/tile/0/000.p/1", "ledger/tile/0/000", 32},
        {1, "ledger/tile/entries/000.p/1", "ledger/tile/1/000.p/1", 9},
        {1, "rows/000.p/1", "rows/000", 4},
        {255, "ledger/tile/0/000.p/255", "ledger/tile/0/000.p/254", 255 * 32},
        {256, "ledger/tile/0/000", "ledger/tile/0/001.p/0", 8192},
        {256, "ledger/tile/1/000.p/1", "ledger/tile/0/000.p/256", 32},
        {257, "ledger/tile/0/001.p/1", "ledger/tile/1/000.p/2", 32},
        {65535, "ledger/tile/0/255.p/255", "ledger/tile/1/000", 255 * 32},
        {65536, "ledger/tile/1/000", "ledger/tile/1/001.p/1", 8192},
        {65536, "ledger/tile/2/000.p/1", "ledger/tile/0/256.p/1", 32},
        {65537, "ledger/tile/0/256.p/1", "ledger/tile/1/001.p/1", 32},
        {70000, "ledger/tile/0/273.p/112", "ledger/tile/0/273", 112 * 32},
        {70000, "ledger/tile/1/001.p/17", "ledger/tile/2/000.p/2", 17 * 32},
        {70000, "ledger/tile/entries/273.p/112", "ledger/tile/3/000.p/1", 112 * 13},
        {70000, "rows/273.p/112", "rows/273", -1},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        append_to(l, steps[i].size);
        OK(ledger_flush(l));
        long bytes = cell_size(&c, steps[i].there);
        if (bytes < 0 || (steps[i].bytes >= 0 && bytes != steps[i].bytes) || cell_has(&c, steps[i].not_there))
            fail_msg("size %llu: %s has %ld bytes", (unsigned long long)steps[i].size, steps[i].there, bytes);
        expect_root(l);
    }
    ledger_root(l, &root);
    base64_put(&b, slice_of(root.b, 32));
    assert_true(slice_is(buf_slice(&b), "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA="));
    expect_readable(c.dir, 69700, 70000, 70000);
    ledger_close(l);
    buf_release(&b);
    cell_remove(&c);
}

/* A log that a stranger would rebuild from its tiles alone. */
static void hashes_on_disk(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    struct buf b;
    cell_make(&c);
    buf_init(&b, 1 << 20);
    OK(ledger_open(c.dir, 0, &l));
    append_to(l, 66000);
    OK(ledger_flush(l));
    struct merkle_hash leaf, *h;
    char text[32], path[64];
    for (uint64_t n = 0; n <= 66000 / 256; n++) {
        unsigned width = n < 257 ? 256 : 66000 - 257 * 256;
        buf_clear(&b);
        snprintf(path, sizeof path, width == 256 ? "tile/0/%03u" : "tile/0/%03u.p/208", (unsigned)n);
        OK(ledger_file(c.dir, slice_str(path), &b));
        assert_int_equal(b.n, width * 32);
        h = (struct merkle_hash *)b.p;
        for (unsigned i = 0; i < width; i++) {
            merkle_leaf(&leaf, event(n * 256 + i, text));
            assert_memory_equal(leaf.b, h[i].b, 32);
        }
    }
    buf_clear(&b);
    OK(ledger_file(c.dir, slice_str("tile/1/000"), &b));
    OK(ledger_file(c.dir, slice_str("tile/1/001.p/1"), &b));
    assert_int_equal(b.n, 257 * 32);
    h = (struct merkle_hash *)b.p;
    struct merkle_hash leaves[256], want;
    for (uint64_t n = 0; n < 257; n += 64) {
        for (unsigned i = 0; i < 256; i++)
            merkle_leaf(&leaves[i], event(n * 256 + i, text));
        merkle_root_of(&want, leaves, 256);
        assert_memory_equal(h[n].b, want.b, 32);
    }
    buf_release(&b);
    ledger_close(l);
    cell_remove(&c);
}

static void proofs(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 1000, 65535, 65536, 65537, 70000};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct cell c;
    struct ledger *l;
    struct merkle_hash root[SIZES], at, leaf, proof[MERKLE_PROOF_MAX];
    size_t n;
    char text[32];
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    for (size_t s = 0; s < SIZES; s++) {
        append_to(l, sizes[s]);
        OK(ledger_flush(l));
        ledger_root(l, &root[s]);
        for (size_t o = 0; o <= s; o++) {
            OK(ledger_root_at(l, sizes[o], &at));
            assert_memory_equal(at.b, root[o].b, 32);
            OK(ledger_consistency(l, sizes[o], proof, &n));
            assert_true(merkle_verify_consistency(sizes[o], &root[o], sizes[s], &root[s], proof, n));
            uint64_t i = sizes[o] - 1;
            OK(ledger_inclusion(l, i, proof, &n));
            merkle_leaf(&leaf, event(i, text));
            assert_true(merkle_verify_inclusion(i, sizes[s], &leaf, proof, n, &root[s]));
        }
    }
    assert_int_equal(ledger_root_at(l, 70001, &at), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_inclusion(l, 70000, proof, &n), BOURN_E_NOT_FOUND);
    assert_int_equal(ledger_consistency(l, 70001, proof, &n), BOURN_E_NOT_FOUND);
    ledger_close(l);
    cell_remove(&c);
}

static void limits(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    struct buf entry, rows;
    cell_make(&c);
    uint8_t *big = calloc(1, ROWS_BYTES_MAX + 1);
    assert_non_null(big);
    OK(ledger_open(c.dir, 0, &l));
    OK(ledger_append(l, slice_of(big, ENTRY_BYTES_MAX), slice_of(big, ROWS_BYTES_MAX)));
    assert_int_equal(ledger_append(l, slice_of(big, ENTRY_BYTES_MAX + 1), slice_of(NULL, 0)), BOURN_E_LIMIT);
    assert_int_equal(ledger_append(l, slice_of(big, 1), slice_of(big, ROWS_BYTES_MAX + 1)), BOURN_E_LIMIT);
    assert_int_equal(ledger_size(l), 1);
    OK(ledger_append(l, slice_of(NULL, 0), slice_of(NULL, 0)));
    OK(ledger_flush(l));
    buf_init(&entry, ENTRY_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    OK(ledger_read(c.dir, 0, 2, &entry, &rows));
    assert_int_equal(entry.n, ENTRY_BYTES_MAX);
    assert_int_equal(rows.n, ROWS_BYTES_MAX);
    buf_clear(&entry);
    buf_clear(&rows);
    OK(ledger_read(c.dir, 1, 2, &entry, &rows));
    assert_int_equal(entry.n + rows.n, 0);
    buf_release(&entry);
    buf_release(&rows);
    ledger_close(l);
    free(big);
    cell_remove(&c);
}

/* A disk that does as it is told. */
static unsigned syncs, writes;
static bool sync_fails;
static unsigned writes_left = UINT32_MAX;

static int count_syncfs(int fd)
{
    syncs++;
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return io_ops_kernel.syncfs(fd);
}

static ssize_t count_pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
    if (writes >= writes_left) {
        errno = ENOSPC;
        return -1;
    }
    writes++;
    return io_ops_kernel.pwritev(fd, v, n, offset);
}

static void costs_only_what_is_new(void **state)
{
    (void)state;
    struct io_ops ops = io_ops_kernel;
    ops.syncfs = count_syncfs;
    ops.pwritev = count_pwritev;
    io_use(&ops);
    struct cell c;
    struct ledger *l;
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    append_to(l, 257);
    OK(ledger_flush(l));
    syncs = writes = 0;
    OK(ledger_flush(l)); /* nothing new */
    assert_int_equal(syncs + writes, 0);
    append_to(l, 258);
    OK(ledger_flush(l)); /* bundle, rows and one tile; level 1 stands */
    assert_int_equal(syncs, 1);
    assert_int_equal(writes, 3);
    ledger_close(l);
    syncs = writes = 0;
    OK(ledger_open(c.dir, 258, &l)); /* nor does opening write */
    OK(ledger_flush(l));
    assert_int_equal(syncs + writes, 0);
    ledger_close(l);
    cell_remove(&c);
    io_use(NULL);
}

static void full_disk_can_be_tried_again(void **state)
{
    (void)state;
    struct io_ops ops = io_ops_kernel;
    ops.pwritev = count_pwritev;
    io_use(&ops);
    char text[32];
    uint8_t rows[128];
    for (unsigned room = 0; room < 6; room++) {
        struct cell c;
        struct ledger *l;
        cell_make(&c);
        OK(ledger_open(c.dir, 0, &l));
        append_to(l, 256); /* nothing is written yet */
        writes = 0;
        writes_left = room;
        enum bourn_err err = ledger_append(l, event(256, text), event_rows(256, rows));
        assert_int_equal(err, room < 3 ? BOURN_E_FULL : BOURN_OK);
        assert_int_equal(ledger_size(l), room < 3 ? 256 : 257);
        if (room >= 3)
            assert_int_equal(ledger_flush(l), BOURN_E_FULL);
        writes_left = UINT32_MAX;
        append_to(l, 300);
        OK(ledger_flush(l));
        expect_root(l);
        expect_readable(c.dir, 0, 300, 300);
        ledger_close(l);
        OK(ledger_open(c.dir, 300, &l));
        expect_root(l);
        ledger_close(l);
        cell_remove(&c);
    }
    io_use(NULL);
}

static void failed_sync_is_never_tried_again(void **state)
{
    (void)state;
    struct io_ops ops = io_ops_kernel;
    ops.syncfs = count_syncfs;
    io_use(&ops);
    struct cell c;
    struct ledger *l;
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    append_to(l, 3);
    sync_fails = true;
    syncs = 0;
    assert_int_equal(ledger_flush(l), BOURN_E_IO);
    sync_fails = false;
    assert_int_equal(ledger_flush(l), BOURN_E_IO);
    assert_int_equal(ledger_append(l, slice_str("x"), slice_of(NULL, 0)), BOURN_E_IO);
    assert_int_equal(syncs, 1);
    ledger_close(l);
    cell_remove(&c);
    io_use(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_published_sizes),
        cmocka_unit_test(hashes_on_disk),
        cmocka_unit_test(proofs),
        cmocka_unit_test(limits),
        cmocka_unit_test(costs_only_what_is_new),
        cmocka_unit_test(full_disk_can_be_tried_again),
        cmocka_unit_test(failed_sync_is_never_tried_again),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
