/* The signer's head: torn writes at every byte of each slot, altered bytes, and what may be signed. */
#include "cell.h"

enum { SLOT = 128, SECOND = 4096, FILE_BYTES = SECOND + SLOT };

static void make_head(uint64_t size, struct ledger_head *h)
{
    memset(h, 0, sizeof *h);
    h->size = size;
    memset(h->root, (int)(size & 255), sizeof h->root);
}

static void expect_head(struct io_file *f, uint64_t size, uint64_t generation)
{
    struct ledger_head want, got;
    uint64_t g = 99;
    make_head(size, &want);
    OK(ledger_head_read(f, &got, &g));
    assert_int_equal(g, generation);
    assert_int_equal(got.size, size);
    if (generation == 0) {
        struct merkle_hash empty;
        merkle_empty(&empty);
        memcpy(want.root, empty.b, 32);
    }
    assert_memory_equal(got.root, want.root, 32);
}

static void written_in_turn(void **state)
{
    (void)state;
    struct cell c;
    struct io_file *f;
    struct ledger_head h;
    uint64_t generation = 0;
    cell_make(&c);
    OK(io_open(c.dir, "head", IO_CREATE, &f));
    expect_head(f, 0, 0);
    for (uint64_t i = 1; i < 20; i++) {
        make_head(10 * i, &h);
        OK(ledger_head_write(f, &h, &generation));
        assert_int_equal(generation, i);
        expect_head(f, 10 * i, i);
    }
    assert_int_equal(cell_size(&c, "head"), FILE_BYTES);
    io_close(f);
    OK(io_open(c.dir, "head", IO_WRITE, &f));
    expect_head(f, 190, 19);
    io_close(f);
    cell_remove(&c);
}

static void golden(void **state)
{
    (void)state;
    struct cell c;
    struct io_file *f;
    struct ledger_head h = {.size = 70000};
    uint64_t generation = 0;
    uint8_t slot[SLOT], want[SLOT] = {0};
    cell_make(&c);
    OK(io_open(c.dir, "head", IO_CREATE, &f));
    for (size_t i = 0; i < 32; i++)
        h.root[i] = (uint8_t)i;
    OK(ledger_head_write(f, &h, &generation));
    OK(io_read(f, SECOND, slot, SLOT));
    assert_true(
        hex_get(slice_str("626f75726e6864310000000000000001"
                          "0000000000011170000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                want, 56));
    crypto_sha256_1(want + 96, slice_of(want, 96));
    assert_memory_equal(slot, want, SLOT);
    uint8_t sum[32];
    assert_true(
        hex_get(slice_str("47ca9d7d04e70eb65b7a94bb0d483d71dfdea1b004a45c3d9c7e78cde6271174"), sum, 32));
    assert_memory_equal(slot + 96, sum, 32);
    io_close(f);
    cell_remove(&c);
}

/* Every write is cut off after each number of bytes, over the old contents and over nothing. */
static void torn_writes(void **state)
{
    (void)state;
    struct cell c;
    struct io_file *f;
    struct ledger_head h;
    uint8_t before[FILE_BYTES], after[FILE_BYTES];
    cell_make(&c);
    for (uint64_t upto = 1; upto <= 5; upto++) {
        uint64_t generation = 0, bytes_before, bytes_after;
        OK(io_open(c.dir, "head", IO_CREATE, &f));
        OK(io_truncate(f, 0));
        memset(before, 0, sizeof before);
        for (uint64_t i = 1; i < upto; i++) {
            make_head(i, &h);
            OK(ledger_head_write(f, &h, &generation));
        }
        OK(io_size(f, &bytes_before));
        if (bytes_before)
            OK(io_read(f, 0, before, bytes_before));
        make_head(upto, &h);
        OK(ledger_head_write(f, &h, &generation));
        OK(io_size(f, &bytes_after));
        assert_int_equal(bytes_after, FILE_BYTES);
        OK(io_read(f, 0, after, FILE_BYTES));
        size_t start = upto % 2 ? SECOND : 0;
        for (size_t cut = 0; cut < SLOT; cut++) {
            uint64_t bytes = bytes_before > start + cut ? bytes_before : start + cut;
            OK(io_truncate(f, 0));
            OK(io_write(f, 0, before, bytes_before ? bytes_before : 1));
            OK(io_truncate(f, bytes));
            if (cut)
                OK(io_write(f, start, after + start, cut));
            expect_head(f, upto - 1, upto - 1);
        }
        io_close(f);
    }
    cell_remove(&c);
}

static void altered_bytes(void **state)
{
    (void)state;
    struct cell c;
    struct io_file *f;
    struct ledger_head h;
    uint64_t generation = 0;
    cell_make(&c);
    OK(io_open(c.dir, "head", IO_CREATE, &f));
    for (uint64_t i = 1; i <= 2; i++) {
        make_head(i, &h);
        OK(ledger_head_write(f, &h, &generation));
    }
    for (long at = 0; at < SLOT; at++) { /* the one left stands in; both gone is refused */
        cell_flip(&c, "head", at);
        expect_head(f, 1, 1);
        cell_flip(&c, "head", SECOND + at);
        assert_int_equal(ledger_head_read(f, &h, &generation), BOURN_E_CORRUPT);
        cell_flip(&c, "head", at);
        expect_head(f, 2, 2);
        cell_flip(&c, "head", SECOND + at);
    }
    /* A slot copied over the other is not a newer head. */
    uint8_t slot[SLOT], other[SLOT];
    OK(io_read(f, 0, slot, SLOT));
    OK(io_read(f, SECOND, other, SLOT));
    OK(io_write(f, SECOND, slot, SLOT));
    expect_head(f, 2, 2);
    OK(io_write(f, 0, other, SLOT));
    assert_int_equal(ledger_head_read(f, &h, &generation), BOURN_E_CORRUPT);
    OK(io_truncate(f, 0));
    OK(io_write(f, 0, "x", 1));
    assert_int_equal(ledger_head_read(f, &h, &generation), BOURN_E_CORRUPT);
    io_close(f);
    cell_remove(&c);
}

static void extends_or_refuses(void **state)
{
    (void)state;
    struct cell c;
    struct ledger *l;
    struct merkle_hash root[41], proof[MERKLE_PROOF_MAX];
    size_t n;
    cell_make(&c);
    OK(ledger_open(c.dir, 0, &l));
    ledger_root(l, &root[0]);
    for (uint64_t size = 1; size <= 40; size++) {
        append_to(l, size);
        ledger_root(l, &root[size]);
        for (uint64_t old = 0; old <= size; old++) {
            struct ledger_head h = {.size = old};
            memcpy(h.root, root[old].b, 32);
            OK(ledger_consistency(l, old, proof, &n));
            OK(ledger_head_extend(&h, size, root[size].b, proof, n));
            h.root[0] ^= 1; /* another history */
            assert_int_equal(ledger_head_extend(&h, size, root[size].b, proof, n), BOURN_E_DENIED);
            h.root[0] ^= 1;
            assert_int_equal(ledger_head_extend(&h, size, root[size].b, proof, n + 1), BOURN_E_DENIED);
            assert_int_equal(ledger_head_extend(&h, size, root[size].b, proof, SIZE_MAX), BOURN_E_DENIED);
            if (old < size) /* a checkpoint that rolls back */
                assert_int_equal(
                    ledger_head_extend(&(struct ledger_head){.size = size}, old, root[old].b, proof, n),
                    BOURN_E_DENIED);
        }
    }
    ledger_close(l);
    cell_remove(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_in_turn),    cmocka_unit_test(golden),
        cmocka_unit_test(torn_writes),        cmocka_unit_test(altered_bytes),
        cmocka_unit_test(extends_or_refuses),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
