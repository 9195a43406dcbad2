/* Key slots: what opens, what must not, that a zeroed key is gone from the disk, and power cuts. */
#include "vault/slots.h"

#include "../io/sim.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)
#define ORIGIN "cn.example/ledger"

static char folder[64];
static struct io_dir *cell;

static int setup_kernel(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/bourn-slots.XXXXXX");
    assert_non_null(mkdtemp(folder));
    ok(io_dir_open(folder, &cell));
    return 0;
}

static int teardown_kernel(void **state)
{
    (void)state;
    char command[96];
    io_dir_close(cell);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static int setup_sim(void **state)
{
    (void)state;
    sim_begin(5, 4 << 20);
    ok(io_dir_open("/", &cell));
    return 0;
}

static int teardown_sim(void **state)
{
    (void)state;
    io_dir_close(cell);
    sim_end();
    return 0;
}

static struct slots *must_open(void)
{
    struct slots *s = NULL;
    enum bourn_err err = slots_open(cell, ORIGIN, &s);
    if (err)
        fail_msg("slots_open: %s", err_text());
    return s;
}

static void key_of(uint64_t number, uint8_t key[32])
{
    memset(key, (int)(number * 37 + 1), 32);
    key[0] = (uint8_t)(number >> 8);
}

static void expect_key(struct slots *s, uint64_t number)
{
    uint8_t want[32], got[32];
    key_of(number, want);
    ok(slots_get(s, number, got));
    assert_memory_equal(got, want, 32);
}

static void expect_none(struct slots *s, uint64_t number)
{
    uint8_t got[32], none[32] = {0};
    memset(got, 7, sizeof got);
    assert_int_equal(slots_get(s, number, got), BOURN_E_NOT_FOUND);
    assert_memory_equal(got, none, 32);
}

static void put(struct slots *s, uint64_t number)
{
    uint8_t key[32];
    key_of(number, key);
    ok(slots_put(s, number, key));
}

static void read_file(const char *path, struct buf *b)
{
    buf_init(b, 8 << 20);
    ok(io_read_all(cell, path, b));
}

static void test_put_get_zero(void **state)
{
    (void)state;
    ok(slots_create(cell, ORIGIN));
    assert_int_equal(slots_create(cell, ORIGIN), BOURN_E_EXISTS);
    struct slots *s = must_open();
    expect_none(s, 0);
    expect_none(s, 1u << 30);
    static const uint64_t numbers[] = {0, 1, 2, 1023, 1024, 5000};
    for (size_t i = 0; i < 6; i++)
        put(s, numbers[i]);
    expect_none(s, 3); /* a gap */
    expect_none(s, 5001);
    ok(slots_sync(s));
    slots_close(s);
    s = must_open();
    for (size_t i = 0; i < 6; i++)
        expect_key(s, numbers[i]);
    struct buf before, after;
    read_file("keys/slots.1", &before);
    ok(slots_zero(s, 1));
    ok(slots_zero(s, 900000)); /* beyond the end */
    ok(slots_sync(s));
    expect_none(s, 1);
    read_file("keys/slots.1", &after);
    assert_int_equal(before.n, after.n);
    for (size_t i = 0; i < before.n; i++) /* these 64 bytes and no others */
        assert_int_equal(after.p[i], i >= 64 && i < 128 ? 0 : before.p[i]);
    buf_release(&before);
    buf_release(&after);
    ok(slots_zero_from(s, 1023));
    ok(slots_zero_from(s, 9000000));
    expect_key(s, 0);
    expect_key(s, 2);
    expect_none(s, 1023);
    expect_none(s, 1024);
    expect_none(s, 5000);
    ok(slots_zero_from(s, 0));
    read_file("keys/slots.1", &after);
    for (size_t i = 0; i < after.n; i++)
        assert_int_equal(after.p[i], 0);
    buf_release(&after);
    slots_close(s);
}

static void test_bytes(void **state)
{
    (void)state;
    struct buf root, epoch, slots;
    ok(slots_create(cell, ORIGIN));
    struct slots *s = must_open();
    put(s, 0);
    put(s, 1);
    put(s, 1); /* the same key again: a fresh nonce */
    slots_close(s);
    read_file("keys/root.key", &root);
    read_file("keys/epoch.1", &epoch);
    read_file("keys/slots.1", &slots);
    assert_int_equal(root.n, 32);
    assert_int_equal(epoch.n, 64);
    assert_int_equal(slots.n % 64, 0);
    assert_int_equal(be_get(epoch.p, 4), 1);
    assert_int_equal(be_get(slots.p, 4), 1);
    /* What docs/formats/keys.md says, done by hand. */
    uint8_t key[32], epoch_key[32], wrap[32], want[32];
    crypto_derive(key, root.p, "epoch", slice_str("seal"));
    uint8_t aad[] = "bourn epoch v1\0" ORIGIN "\0\0\0\0\1";
    ok(crypto_open(epoch_key, key, slice_of(aad, sizeof aad - 1), slice_of(epoch.p + 4, 60)));
    crypto_derive(wrap, epoch_key, "slot", slice_str("wrap"));
    uint8_t slot_aad[] = "bourn slot v1\0" ORIGIN "\0\0\0\0\1\0\0\0\0\0\0\0\1";
    ok(crypto_open(key, wrap, slice_of(slot_aad, sizeof slot_aad - 1), slice_of(slots.p + 68, 60)));
    key_of(1, want);
    assert_memory_equal(key, want, 32);
    s = must_open();
    slots_derive(s, "identifiers", key);
    crypto_derive(want, epoch_key, "identifiers", slice_str("index"));
    assert_memory_equal(key, want, 32);
    slots_derive(s, "tokens", want);
    assert_memory_not_equal(key, want, 32);
    slots_close(s);
    buf_release(&root);
    buf_release(&epoch);
    buf_release(&slots);
}

static void test_altered(void **state)
{
    (void)state;
    uint8_t key[32], none[32] = {0};
    struct slots *s = NULL;
    ok(slots_create(cell, ORIGIN));
    s = must_open();
    put(s, 0);
    put(s, 1);
    ok(slots_sync(s));
    for (uint64_t at = 0; at < 64; at++) {
        assert_true(sim_flip("keys/slots.1", 64 + at, 0x10));
        assert_int_equal(slots_get(s, 1, key), BOURN_E_CORRUPT);
        assert_memory_equal(key, none, 32);
        assert_true(sim_flip("keys/slots.1", 64 + at, 0x10));
    }
    expect_key(s, 1);
    /* One slot's bytes in another's place. */
    struct io_file *f = NULL;
    uint8_t slot[64];
    ok(io_open(cell, "keys/slots.1", IO_WRITE, &f));
    ok(io_read(f, 0, slot, 64));
    ok(io_write(f, 64, slot, 64));
    io_close(f);
    assert_int_equal(slots_get(s, 1, key), BOURN_E_CORRUPT);
    expect_key(s, 0);
    slots_close(s);
    for (uint64_t at = 0; at < 64; at++) {
        assert_true(sim_flip("keys/epoch.1", at, 1));
        assert_int_equal(slots_open(cell, ORIGIN, &s), BOURN_E_CORRUPT);
        assert_true(sim_flip("keys/epoch.1", at, 1));
    }
    for (uint64_t at = 0; at < 32; at++) {
        assert_true(sim_flip("keys/root.key", at, 1));
        assert_int_equal(slots_open(cell, ORIGIN, &s), BOURN_E_CORRUPT);
        assert_true(sim_flip("keys/root.key", at, 1));
    }
    assert_int_equal(slots_open(cell, "us.example/ledger", &s), BOURN_E_CORRUPT);
    slots_close(must_open());
}

static bool third(const void *ctx, uint64_t number)
{
    (void)ctx;
    return number % 3 == 0;
}

/* What the journal knows against the file: an older copy of it, or one cut short. */
static void test_reconcile(void **state)
{
    (void)state;
    enum { PEOPLE = 2500 }; /* more than one read of the file */
    char path[96];
    ok(slots_create(cell, ORIGIN));
    struct slots *s = must_open();
    for (uint64_t i = 0; i < PEOPLE; i++)
        put(s, i);
    ok(slots_reconcile(s, PEOPLE, third, NULL)); /* keys of erased people that an old file brought back */
    for (uint64_t i = 0; i < PEOPLE; i++) {
        if (i % 3 == 0)
            expect_none(s, i);
        else
            expect_key(s, i);
    }
    ok(slots_reconcile(s, PEOPLE, third, NULL));
    put(s, PEOPLE);
    ok(slots_reconcile(s, PEOPLE, third, NULL));
    expect_key(s, PEOPLE);   /* nothing behind the count is looked at */
    ok(slots_zero(s, 2020)); /* a person who was not erased */
    assert_int_equal(slots_reconcile(s, PEOPLE, third, NULL), BOURN_E_CORRUPT);
    assert_non_null(strstr(err_text(), "person 2020 has no key"));
    ok(slots_reconcile(s, 2020, third, NULL));
    slots_close(s);
    static const uint64_t cuts[] = {2018 * 64, 1024 * 64, 64, 0};
    snprintf(path, sizeof path, "%s/keys/slots.1", folder);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        assert_int_equal(truncate(path, (off_t)cuts[i]), 0);
        s = must_open();
        assert_int_equal(slots_reconcile(s, 2020, third, NULL), BOURN_E_CORRUPT);
        assert_non_null(strstr(err_text(), "the file was cut or is an old one"));
        slots_close(s);
    }
}

static void test_modes_and_lengths(void **state)
{
    (void)state;
    static const unsigned bad[] = {0640, 0604, 0660, 0400, 0700, 01600};
    char path[96];
    struct stat st;
    struct slots *s = NULL;
    ok(slots_create(cell, ORIGIN));
    snprintf(path, sizeof path, "%s/keys", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    static const char *const files[] = {"slots.1", "epoch.1", "root.key"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/keys/%s", folder, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_int_not_equal(slots_open(cell, ORIGIN, &s), BOURN_OK);
        assert_non_null(strstr(err_text(), "keys/root.key"));
        if (geteuid() == 0 || (bad[i] & 0400)) /* else it does not even open */
            assert_non_null(strstr(err_text(), "chmod 600"));
    }
    assert_int_equal(chmod(path, 0600), 0);
    slots_close(must_open());
    assert_int_equal(truncate(path, 31), 0);
    assert_int_equal(slots_open(cell, ORIGIN, &s), BOURN_E_CORRUPT);
    assert_int_equal(truncate(path, 33), 0);
    assert_int_equal(slots_open(cell, ORIGIN, &s), BOURN_E_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(slots_open(cell, ORIGIN, &s), BOURN_E_NOT_FOUND);
}

static void test_power_cut(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (unsigned round = 0; round < 200; round++) {
        io_dir_close(cell);
        sim_end();
        sim_begin(round + 1, 4 << 20);
        ok(io_dir_open("/", &cell));
        ok(slots_create(cell, ORIGIN)); /* all its names and bytes are durable */
        struct slots *s = must_open();
        put(s, 0);
        put(s, 1);
        put(s, 2000);
        ok(slots_zero(s, 1));
        ok(slots_sync(s));
        put(s, 3);
        expect_key(s, 3); /* in the file by now, but not synced */
        slots_close(s);
        io_dir_close(cell);
        sim_reboot();
        ok(io_dir_open("/", &cell));
        s = must_open();
        uint8_t key[32];
        expect_key(s, 0);
        expect_none(s, 1);
        expect_key(s, 2000);
        enum bourn_err err = slots_get(s, 3, key);
        assert_true(err == BOURN_OK || err == BOURN_E_NOT_FOUND);
        lost += err != BOURN_OK;
        ok(slots_zero_from(s, 3));
        expect_none(s, 3);
        slots_close(s);
    }
    assert_true(lost > 10 && lost < 190);
}

/* Neighbours go into the file together: by a sync at the latest, or as soon as anybody looks. */
static void test_runs(void **state)
{
    (void)state;
    ok(slots_create(cell, ORIGIN));
    struct slots *s = must_open();
    for (uint64_t i = 0; i < 1300; i++) /* more than one run */
        put(s, i);
    put(s, 40000); /* the file grows past what is mapped */
    put(s, 1300);
    expect_key(s, 1299);
    expect_key(s, 40000);
    ok(slots_zero(s, 40000));
    expect_none(s, 40000);
    put(s, 1301);
    ok(slots_zero(s, 1301)); /* that was still on its way */
    expect_none(s, 1301);
    put(s, 1302);
    ok(slots_sync(s));
    slots_close(s);
    s = must_open();
    for (uint64_t i = 0; i < 1301; i++)
        expect_key(s, i);
    expect_none(s, 1301);
    expect_key(s, 1302);
    put(s, 1303);
    ok(slots_zero_from(s, 1303));
    expect_none(s, 1303);
    slots_close(s);
}

static void test_failures_are_final(void **state)
{
    (void)state;
    uint8_t key[32] = {1};
    ok(slots_create(cell, ORIGIN));
    struct slots *s = must_open();
    put(s, 0);
    sim_capacity(70000);
    assert_int_equal(slots_put(s, 1024, key), BOURN_E_FULL); /* did not grow: nothing else changed */
    put(s, 1);
    ok(slots_sync(s));
    sim_capacity(4 << 20);
    put(s, 1024);
    expect_key(s, 1024);
    sim_fault(SIM_SYNC_FAILS, 0);
    assert_int_equal(slots_sync(s), BOURN_E_IO);
    assert_int_equal(slots_sync(s), BOURN_E_IO); /* the second fdatasync would have said yes */
    assert_int_equal(slots_put(s, 2, key), BOURN_E_IO);
    assert_int_equal(slots_zero(s, 0), BOURN_E_IO);
    slots_close(s);
}

#define TEST(name, where) cmocka_unit_test_setup_teardown(name, setup_##where, teardown_##where)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put_get_zero, kernel), TEST(test_put_get_zero, sim),
        TEST(test_bytes, kernel),        TEST(test_altered, sim),
        TEST(test_reconcile, kernel),    TEST(test_modes_and_lengths, kernel),
        TEST(test_runs, kernel),         TEST(test_runs, sim),
        TEST(test_power_cut, sim),       TEST(test_failures_are_final, sim),
    };
    return crypto_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
