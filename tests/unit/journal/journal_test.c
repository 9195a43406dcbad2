/* The journal without power cuts: order, limits, reuse, reserve, and each kind of damage to what was durable.
 */
#include "model.h"

#include "journal/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)
enum { BODY = 4096, HEADER = 72 };

static int setup(void **state)
{
    (void)state;
    sim_begin(3, 1 << 20);
    model_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_end();
    return 0;
}

static struct journal *reopen(struct journal *j, uint64_t min_mark, uint64_t want_last)
{
    uint64_t last = 99999;
    journal_close(j);
    j = model_open(min_mark, &last);
    assert_int_equal(last, want_last);
    return j;
}

static void test_empty(void **state)
{
    (void)state;
    struct io_dir *d = NULL;
    struct journal *j = reopen(NULL, 0, 0);
    model_check(j, 0, 0);
    journal_close(j);
    ok(io_dir_open("/", &d));
    assert_int_equal(journal_create(d, &model_options), BOURN_E_EXISTS);
    ok(io_dir_make_path(d, "other"));
    io_dir_close(d);
    ok(io_dir_open("/other", &d));
    uint64_t last;
    assert_int_equal(journal_open(d, &model_options, 0, &j, &last), BOURN_E_NOT_FOUND);
    io_dir_close(d);
    assert_int_equal(model_try_open(1, &j, &last), BOURN_E_CORRUPT); /* a mark without a frame */
}

static void test_append_and_reopen(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 100, 511, 512, 513, 4000, 12000};
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ok(model_append(j, ++n, sizes[i], false));
        model_check(j, 0, n);
        j = reopen(j, 0, n);
        model_check(j, 0, n);
        model_check(j, n / 2, n);
    }
    ok(model_append(j, ++n, 50, false));
    model_check(j, 0, n);
    journal_close(j);
    assert_false(model_exists("tail.1"));
}

static void test_one_sync_a_frame(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    ok(model_append(j, 1, 300, false)); /* takes a segment: header and frame */
    struct sim_stats before = sim_stats;
    for (uint64_t n = 2; n < 12; n++)
        ok(model_append(j, n, 300, false));
    assert_int_equal(sim_stats.syncs - before.syncs, 10);
    journal_close(j);
}

static void test_limits(void **state)
{
    (void)state;
    static uint8_t bytes[16384];
    struct slice parts[JOURNAL_PARTS_MAX + 1];
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t sequence = 0;
    size_t most = 16384 - BODY - HEADER;
    parts[0] = slice_of(bytes, most + 1);
    assert_int_equal(journal_append(j, parts, 1, true, &sequence), BOURN_E_LIMIT);
    parts[0].n = most;
    ok(journal_append(j, parts, 1, false, &sequence));
    for (size_t i = 0; i <= JOURNAL_PARTS_MAX; i++)
        parts[i] = slice_of(bytes, 3);
    assert_int_equal(journal_append(j, parts, JOURNAL_PARTS_MAX + 1, false, &sequence), BOURN_E_LIMIT);
    ok(journal_append(j, parts, JOURNAL_PARTS_MAX, false, &sequence));
    assert_int_equal(sequence, 2);
    ok(journal_append(j, parts, 0, false, &sequence)); /* an empty frame */
    j = reopen(j, 0, 3);
    journal_close(j);
}

/* Frames of which just one fits a segment. */
static void test_full_and_reserved(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t n = 0, each = 16384 - BODY - HEADER;
    assert_int_equal(journal_free_bytes(j, false), 5 * each);
    assert_int_equal(journal_free_bytes(j, true), 6 * each);
    ok(model_append(j, ++n, 9000, false));
    journal_release(j, n); /* even so the segment with the last frame stays */
    assert_int_equal(journal_free_bytes(j, true), 5 * each + (each - 9000) / 8 * 8 - HEADER);
    j = reopen(j, 0, n);
    while (n < 5)
        ok(model_append(j, ++n, 9000, false));
    assert_true(model_exists("seg.000005") && !model_exists("seg.000006"));
    uint64_t writes = sim_stats.calls;
    assert_int_equal(model_append(j, n + 1, 9000, false), BOURN_E_FULL);
    assert_int_equal(sim_stats.calls, writes); /* nothing written */
    assert_true(journal_free_bytes(j, false) < 9000);
    assert_true(journal_free_bytes(j, true) >= 9000);
    ok(model_append(j, ++n, 500, false)); /* the rest of the present segment is free to all */
    ok(model_append(j, ++n, 9000, true));
    assert_int_equal(journal_free_bytes(j, false), 0);
    /* The reserve was broken into: its rest is not for others either. */
    assert_int_equal(model_append(j, n + 1, 10, false), BOURN_E_FULL);
    ok(model_append(j, ++n, 10, true));
    assert_int_equal(model_append(j, n + 1, 9000, true), BOURN_E_FULL);
    j = reopen(j, 0, n); /* the same after a restart */
    assert_int_equal(model_append(j, n + 1, 10, false), BOURN_E_FULL);
    ok(model_append(j, ++n, 10, true));
    model_check(j, 0, n);
    journal_release(j, 1); /* one segment: the reserve again, and the rest of the present one */
    ok(model_append(j, ++n, 10, false));
    assert_int_equal(model_append(j, n + 1, 9000, false), BOURN_E_FULL);
    journal_release(j, 2);
    ok(model_append(j, ++n, 9000, false));
    model_check(j, 2, n);
    j = reopen(j, 2, n);
    model_check(j, 2, n);
    journal_close(j);
}

static void test_wrap_around(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t mark = 0;
    for (uint64_t n = 1; n <= 3000; n++) {
        ok(model_append(j, n, (size_t)sim_random(3000), false));
        if (n % 5 == 0) {
            mark = n - sim_random(5);
            journal_release(j, mark);
        }
        if (sim_random(40) == 0) {
            j = reopen(j, mark, n);
            model_check(j, mark, n);
        }
    }
    journal_close(j);
    assert_false(model_exists("seg.000004")); /* it went round, and did not grow */
}

static enum bourn_err stop_at_two(void *ctx, uint64_t sequence, struct slice payload)
{
    unsigned *calls = ctx;
    (void)payload;
    ++*calls;
    return sequence == 2 ? err_set(BOURN_E_LIMIT, "enough") : BOURN_OK;
}

static void test_replay_stops_and_refuses(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    unsigned calls = 0;
    uint64_t n = 0;
    while (n < 5)
        ok(model_append(j, ++n, 9000, false));
    assert_int_equal(journal_replay(j, 0, stop_at_two, &calls), BOURN_E_LIMIT);
    assert_int_equal(calls, 2);
    journal_release(j, 3);
    ok(model_append(j, ++n, 9000, false));
    model_check(j, 1, n); /* the oldest was taken: the rest hangs together */
    while (n < 8)
        ok(model_append(j, ++n, 9000, false));
    assert_int_equal(journal_replay(j, 0, stop_at_two, &calls), BOURN_E_CORRUPT); /* frame 1 is gone */
    model_check(j, 3, n);
    assert_true(sim_flip("seg.000004", BODY + 100, 1)); /* frame 5 changes while it is open */
    assert_int_equal(journal_replay(j, 3, stop_at_two, &calls), BOURN_E_CORRUPT);
    journal_close(j);
}

static void test_no_space(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t n = 0;
    sim_capacity(3 * 16384 + 5000);
    ok(model_append(j, ++n, 9000, false));
    ok(model_append(j, ++n, 9000, false));
    assert_int_equal(model_append(j, n + 1, 9000, false), BOURN_E_FULL);
    assert_non_null(strstr(err_text(), "free space"));
    assert_false(model_exists("seg.new"));
    assert_int_equal(journal_free_bytes(j, false), 16384 - BODY - 9072 - HEADER);
    uint64_t calls = sim_stats.calls;
    assert_int_equal(model_append(j, n + 1, 9000, false), BOURN_E_FULL);
    assert_int_equal(sim_stats.calls, calls); /* not each request fills the volume again */
    ok(model_append(j, ++n, 100, false));
    ok(model_append(j, ++n, 9000, true)); /* what is reserved is really there */
    assert_int_equal(model_append(j, n + 1, 9000, true), BOURN_E_FULL);
    sim_capacity(1 << 20);
    usleep(1100 * 1000);
    ok(model_append(j, ++n, 9000, false));
    j = reopen(j, 0, n);
    model_check(j, 0, n);
    journal_close(j);
}

static void test_failed_sync_is_final(void **state)
{
    (void)state;
    struct journal *j = reopen(NULL, 0, 0);
    ok(model_append(j, 1, 100, false));
    sim_fault(SIM_SYNC_FAILS, 0);
    assert_int_equal(model_append(j, 2, 100, false), BOURN_E_IO);
    uint64_t calls = sim_stats.calls;
    assert_int_equal(model_append(j, 2, 100, false), BOURN_E_IO);
    assert_int_equal(model_append(j, 2, 100, true), BOURN_E_IO);
    assert_int_equal(sim_stats.calls, calls);
    journal_close(j);
}

/* Three frames in one segment, then every byte of the frames and headers in turn. */
static void test_flip_every_byte(void **state)
{
    (void)state;
    enum { PAYLOAD = 150, FRAME = 224 };
    struct journal *j = reopen(NULL, 0, 0);
    for (uint64_t n = 1; n <= 3; n++)
        ok(model_append(j, n, PAYLOAD, false));
    journal_close(j);
    for (uint64_t at = 0; at < BODY + 3 * FRAME; at++) {
        uint64_t in_frame = at < BODY ? 0 : (at - BODY) % FRAME, last = 99;
        bool checked = at < 80 || (at >= BODY && in_frame < HEADER + PAYLOAD);
        uint64_t frame = at < BODY ? 0 : 1 + (at - BODY) / FRAME;
        assert_true(sim_flip("seg.000000", at, (uint8_t)(1u << at % 8)));
        enum bourn_err err = model_try_open(0, &j, &last);
        if (!checked) {
            ok(err);
            assert_int_equal(last, 3);
        } else if (frame == 3) { /* the last frame may be torn: it is cut, and kept aside */
            ok(err);
            assert_int_equal(last, 2);
            model_check(j, 0, 2);
            assert_true(model_exists("tail.3"));
        } else {
            assert_int_equal(err, BOURN_E_CORRUPT);
            assert_non_null(strstr(err_text(), "restore"));
        }
        if (!err)
            journal_close(j);
        if (checked && frame == 3) { /* and a mark that stands behind it is refused */
            assert_int_equal(model_try_open(3, &j, &last), BOURN_E_CORRUPT);
            teardown(NULL); /* cutting changed the file: begin again */
            setup(NULL);
            j = reopen(NULL, 0, 0);
            for (uint64_t n = 1; n <= 3; n++)
                ok(model_append(j, n, PAYLOAD, false));
            journal_close(j);
        } else {
            assert_true(sim_flip("seg.000000", at, (uint8_t)(1u << at % 8)));
        }
    }
    j = reopen(NULL, 0, 3);
    model_check(j, 0, 3);
    journal_close(j);
}

/* One frame a segment, over four segments; whole pieces of the disk vanish. */
static void fill_four(void)
{
    struct journal *j;
    teardown(NULL);
    setup(NULL);
    j = reopen(NULL, 0, 0);
    for (uint64_t n = 1; n <= 8; n++)
        ok(model_append(j, n, 5000, false));
    journal_close(j);
}

static void test_lost_pieces(void **state)
{
    (void)state;
    struct journal *j = NULL;
    uint64_t last = 0;
    static const char *const names[] = {"seg.000000", "seg.000001", "seg.000002", "seg.000003"};
    for (unsigned s = 0; s < 4; s++) {
        /* A whole segment as if it had never been written. */
        fill_four();
        sim_wipe(names[s], 0, 16384);
        enum bourn_err err = model_try_open(0, &j, &last);
        if (s == 3) { /* nothing tells; only a mark or the signer's head does */
            ok(err);
            assert_int_equal(last, 6);
            journal_close(j);
            fill_four();
            sim_wipe(names[s], 0, 16384);
            assert_int_equal(model_try_open(7, &j, &last), BOURN_E_CORRUPT);
        } else {
            assert_int_equal(err, BOURN_E_CORRUPT);
            assert_int_equal(model_try_open(2u * s + 1, &j, &last), BOURN_E_CORRUPT);
            ok(model_try_open(2u * s + 2, &j, &last)); /* what is below the marks is not needed */
            assert_int_equal(last, 8);
            model_check(j, 2u * s + 2, 8);
            journal_close(j);
        }
        /* Its header alone. */
        fill_four();
        sim_wipe(names[s], 0, 512);
        assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
        /* The first of its two frames. */
        fill_four();
        sim_wipe(names[s], BODY, 5072);
        assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
        /* Only the magic of the first. */
        fill_four();
        sim_wipe(names[s], BODY, 4);
        assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
        /* The second: in the last segment a torn tail, elsewhere a loss. */
        fill_four();
        sim_wipe(names[s], BODY + 5072 + 100, 100);
        err = model_try_open(0, &j, &last);
        assert_int_equal(err, s == 3 ? BOURN_OK : BOURN_E_CORRUPT);
        if (!err) {
            assert_int_equal(last, 7);
            journal_close(j);
        }
    }
}

static void test_missing_file(void **state)
{
    (void)state;
    struct io_dir *d = NULL;
    struct journal *j = NULL;
    uint64_t last;
    fill_four();
    ok(io_dir_open("/", &d));
    ok(io_unlink(d, "seg.000001"));
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    io_dir_close(d);
    fill_four();
    struct io_file *f = NULL;
    ok(io_dir_open("/", &d));
    ok(io_open(d, "seg.000001", IO_WRITE, &f));
    ok(io_truncate(f, 8000));
    io_close(f);
    io_dir_close(d);
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    assert_non_null(strstr(err_text(), "seg.000001"));
}

/* A frame taken from one place does not count at another. */
static void test_transplant(void **state)
{
    (void)state;
    struct io_dir *d = NULL;
    struct io_file *a = NULL, *b = NULL;
    struct journal *j = NULL;
    uint8_t frame[5072];
    uint64_t last;
    fill_four();
    ok(io_dir_open("/", &d));
    ok(io_open(d, "seg.000000", IO_WRITE, &a));
    ok(io_open(d, "seg.000003", IO_WRITE, &b));
    ok(io_read(a, BODY + 5072, frame, sizeof frame)); /* frame 2 over frame 8 */
    ok(io_write(b, BODY + 5072, frame, sizeof frame));
    ok(io_sync(b));
    io_close(a);
    io_close(b);
    io_dir_close(d);
    j = model_open(0, &last);
    assert_int_equal(last, 7);
    journal_close(j);
    assert_true(model_exists("tail.8"));
}

static void copy_out(const char *path, uint64_t at, uint8_t *p, size_t n, bool in)
{
    struct io_dir *d = NULL;
    struct io_file *f = NULL;
    ok(io_dir_open("/", &d));
    ok(io_open(d, path, IO_WRITE, &f));
    ok(in ? io_write(f, at, p, n) : io_read(f, at, p, n));
    ok(io_sync(f));
    io_close(f);
    io_dir_close(d);
}

/* Pieces of another history of the same journal, each valid in itself, in place of its own. */
static void test_other_history(void **state)
{
    (void)state;
    static uint8_t other[16384];
    struct journal *j = reopen(NULL, 0, 0);
    uint64_t last;
    ok(model_append(j, 1, 4999, false));
    ok(model_append(j, 2, 5000, false));
    journal_close(j);
    copy_out("seg.000000", 0, other, sizeof other, false);
    fill_four();
    copy_out("seg.000000", 0, other, sizeof other, true); /* the segment: does not lead to frame 3 */
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    fill_four();
    copy_out("seg.000000", BODY, other + BODY, 5072, true); /* frame 1: does not lead to frame 2 */
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    fill_four(); /* a header that says another generation than its frames */
    struct segment_header h;
    copy_out("seg.000001", 0, other, 80, false);
    assert_true(segment_header_get(other, &h));
    segment_header_put(other, &h);
    copy_out("seg.000001", 0, other, 80, true);
    journal_close(model_open(0, &last));
    assert_int_equal(last, 8);
    h.generation = 100;
    segment_header_put(other, &h);
    copy_out("seg.000001", 0, other, 80, true);
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    fill_four();
    copy_out("seg.000003", 0, other, 80, false);
    assert_true(segment_header_get(other, &h));
    h.generation++;
    segment_header_put(other, &h);
    copy_out("seg.000003", 0, other, 80, true);
    journal_close(model_open(0, &last)); /* what lies there is from an earlier use */
    assert_int_equal(last, 6);
    assert_int_equal(model_try_open(8, &j, &last), BOURN_E_CORRUPT);
    fill_four(); /* numbers near their end, behind which a frame could be written but not read again */
    h.generation = INT64_MAX;
    segment_header_put(other, &h);
    copy_out("seg.000003", 0, other, 80, true);
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
    h.generation = 1ull << 62;
    segment_header_put(other, &h);
    copy_out("seg.000003", 0, other, 80, true);
    journal_close(model_open(0, &last));
    assert_int_equal(last, 6);
}

/* A new segment's first frame is torn, and the frame before it, which was durable, is damaged: the header
 * tells. */
static void test_header_knows_the_frame_before(void **state)
{
    (void)state;
    struct journal *j = NULL;
    uint64_t last;
    fill_four();
    j = model_open(0, &last);
    ok(model_append(j, 9, 5000, false));
    journal_close(j);
    sim_wipe("seg.000004", BODY + 1000, 10);
    journal_close(model_open(0, &last));
    assert_int_equal(last, 8);
    assert_true(model_exists("tail.9"));
    sim_wipe("seg.000003", BODY + 5072 + 1000, 10);
    assert_int_equal(model_try_open(0, &j, &last), BOURN_E_CORRUPT);
}

static void test_tail_is_wiped(void **state)
{
    (void)state;
    static uint8_t rest[16384 - BODY - 5072], torn[5072];
    struct io_dir *d = NULL;
    struct buf b;
    uint64_t last;
    fill_four();
    sim_wipe("seg.000003", BODY + 5072 + 4990, 5);
    copy_out("seg.000003", BODY + 5072, torn, sizeof torn, false);
    for (unsigned again = 0; again < 2; again++) {
        journal_close(model_open(0, &last));
        assert_int_equal(last, 7);
        copy_out("seg.000003", BODY + 5072, rest, sizeof rest, false);
        for (size_t i = 0; i < sizeof rest; i++)
            assert_int_equal(rest[i], 0);
        assert_false(model_exists("tail.8.2"));
    }
    buf_init(&b, 1 << 20);
    ok(io_dir_open("/", &d));
    ok(io_read_all(d, "tail.8", &b)); /* and is all there */
    assert_true(b.n <= sizeof torn && b.n > 5000);
    assert_memory_equal(b.p, torn, b.n);
    buf_clear(&b);
    struct journal *j = model_open(0, &last); /* the same number torn again: neither is overwritten */
    ok(model_append(j, 8, 300, false));
    journal_close(j);
    sim_wipe("seg.000003", BODY + 5072 + 80, 5);
    journal_close(model_open(0, &last));
    assert_int_equal(last, 7);
    ok(io_read_all(d, "tail.8", &b));
    assert_memory_equal(b.p, torn, b.n);
    assert_true(model_exists("tail.8.2"));
    io_dir_close(d);
    buf_release(&b);
}

static void test_golden(void **state)
{
    (void)state;
    struct io_dir *d = NULL;
    struct io_file *f = NULL;
    uint8_t bytes[80], header[80];
    uint64_t sequence;
    struct journal *j = reopen(NULL, 0, 0);
    struct slice parts[] = {slice_str("bou"), slice_str("rn")};
    ok(journal_append(j, parts, 2, false, &sequence));
    journal_close(j);
    ok(io_dir_open("/", &d));
    ok(io_open(d, "seg.000000", IO_READ, &f));
    ok(io_read(f, 0, header, sizeof header));
    ok(io_read(f, BODY, bytes, 80));
    io_close(f);
    io_dir_close(d);
    static const uint8_t want_header[80] = {
        0x62, 0x6f, 0x75, 0x72, 0x6e, 0x73, 0x65, 0x67, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x60, 0x40, 0x80, 0x6f, 0xf6, 0x15, 0x78, 0x7d, 0x6e, 0x5a, 0x05, 0x33, 0x6e, 0x77, 0xa9, 0xd3};
    static const uint8_t want_frame[80] = {
        0x62, 0x66, 0x72, 0x6d, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x47, 0x6f, 0x17, 0x91, 0x28, 0xcd, 0x73,
        0xf8, 0xdc, 0xe6, 0x8e, 0x61, 0x8b, 0x8b, 0x5a, 0x62, 0x6f, 0x75, 0x72, 0x6e, 0x00, 0x00, 0x00};
    assert_memory_equal(header, want_header, sizeof header);
    assert_memory_equal(bytes, want_frame, 80);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_append_and_reopen),
        TEST(test_one_sync_a_frame),
        TEST(test_limits),
        TEST(test_full_and_reserved),
        TEST(test_wrap_around),
        TEST(test_replay_stops_and_refuses),
        TEST(test_no_space),
        TEST(test_failed_sync_is_final),
        TEST(test_flip_every_byte),
        TEST(test_lost_pieces),
        TEST(test_missing_file),
        TEST(test_transplant),
        TEST(test_other_history),
        TEST(test_header_knows_the_frame_before),
        TEST(test_tail_is_wiped),
        TEST(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
