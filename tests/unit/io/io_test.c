/* The same behaviour from the kernel and from the simulated disk, what only the kernel has (links, pipes,
 * modes), and that the simulated disk loses what it must lose. */
#include "sim.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ok(expr) assert_int_equal(expr, BOURN_OK)

static char folder[64];

static int setup_kernel(void **state)
{
    struct io_dir *d = NULL;
    snprintf(folder, sizeof folder, "/tmp/bourn-io.XXXXXX");
    assert_non_null(mkdtemp(folder));
    ok(io_dir_open(folder, &d));
    *state = d;
    return 0;
}

static int teardown_kernel(void **state)
{
    char command[96];
    io_dir_close(*state);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static int setup_sim(void **state)
{
    struct io_dir *d = NULL;
    sim_begin(1, 1 << 24);
    ok(io_dir_open("/", &d));
    *state = d;
    return 0;
}

static int teardown_sim(void **state)
{
    io_dir_close(*state);
    sim_end();
    return 0;
}

static void test_read_write(void **state)
{
    struct io_dir *d = *state;
    struct io_file *f = NULL, *g = NULL;
    uint8_t bytes[10000], back[10000];
    uint64_t size = 7;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(io_open(d, "f", IO_READ, &f), BOURN_E_NOT_FOUND);
    assert_int_equal(io_open(d, "f", IO_WRITE, &f), BOURN_E_NOT_FOUND);
    ok(io_open(d, "f", IO_CREATE_NEW, &f));
    assert_int_equal(io_open(d, "f", IO_CREATE_NEW, &g), BOURN_E_EXISTS);
    ok(io_size(f, &size));
    assert_int_equal(size, 0);
    ok(io_write(f, 0, bytes, sizeof bytes));
    ok(io_write(f, 20000, bytes, 5)); /* the gap reads as zero */
    ok(io_datasync(f));
    ok(io_sync(f));
    ok(io_size(f, &size));
    assert_int_equal(size, 20005);
    ok(io_open(d, "f", IO_READ, &g));
    ok(io_read(g, 0, back, sizeof back));
    assert_memory_equal(bytes, back, sizeof back);
    ok(io_read(g, 15000, back, 100));
    assert_int_equal(back[0] | back[99], 0);
    assert_int_equal(io_read(g, 20000, back, 6), BOURN_E_CORRUPT);
    assert_non_null(strstr(err_text(), "/f ends at byte 20005"));
    ok(io_truncate(f, 100));
    ok(io_size(g, &size));
    assert_int_equal(size, 100);
    unsigned mode = 0;
    ok(io_permissions(g, &mode));
    assert_int_equal(mode, 0600);
    io_close(g);
    io_close(f);
}

static void test_write_parts(void **state)
{
    struct io_dir *d = *state;
    struct io_file *f = NULL;
    enum { N = 3 * IO_PARTS_MAX + 5 };
    struct slice parts[N];
    uint8_t want[N * 40], got[N * 40];
    size_t n = 0;
    for (size_t i = 0; i < N; i++) {
        size_t len = i * 13 % 37; /* empty ones too */
        memset(want + n, (int)i, len);
        parts[i] = slice_of(want + n, len);
        n += len;
    }
    ok(io_open(d, "parts", IO_CREATE, &f));
    ok(io_write_parts(f, 9, parts, N));
    ok(io_read(f, 9, got, n));
    assert_memory_equal(want, got, n);
    uint64_t size;
    ok(io_size(f, &size));
    assert_int_equal(size, n + 9);
    io_close(f);
}

static enum bourn_err count_name(void *ctx, const char *name)
{
    unsigned *n = ctx;
    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    return ++*n == 4 ? err_set(BOURN_E_LIMIT, "enough") : BOURN_OK;
}

static void test_folders(void **state)
{
    struct io_dir *d = *state, *sub = NULL;
    unsigned n = 0;
    assert_int_equal(io_dir_at(d, "a", false, &sub), BOURN_E_NOT_FOUND);
    ok(io_dir_make_path(d, "a/b/c"));
    ok(io_dir_make_path(d, "a/b/c")); /* again does no harm */
    ok(io_dir_at(d, "a/b", true, &sub));
    ok(io_write_new(sub, "x", slice_str("1"), true));
    ok(io_write_new(d, "a/b/y", slice_str("2"), true));
    ok(io_dir_list(sub, count_name, &n));
    assert_int_equal(n, 3); /* c, x, y: and no temporary name is left */
    ok(io_write_new(sub, "z", slice_str("3"), false));
    n = 0;
    assert_int_equal(io_dir_list(sub, count_name, &n), BOURN_E_LIMIT);
    n = 1;
    assert_int_equal(io_dir_list(sub, count_name, &n), BOURN_E_LIMIT);
    ok(io_rename(sub, "x", "w"));
    assert_int_equal(io_rename(sub, "x", "w"), BOURN_E_NOT_FOUND);
    ok(io_unlink(sub, "w"));
    ok(io_unlink(sub, "w"));
    ok(io_dir_sync(sub));
    ok(io_dir_syncfs(sub));
    io_dir_close(sub);
}

static void test_whole_files(void **state)
{
    struct io_dir *d = *state;
    struct buf b;
    buf_init(&b, 16);
    assert_int_equal(io_read_all(d, "w", &b), BOURN_E_NOT_FOUND);
    ok(io_write_new(d, "w", slice_str(""), true));
    ok(io_read_all(d, "w", &b));
    assert_int_equal(b.n, 0);
    ok(io_write_new(d, "w", slice_str("0123456789"), true));
    ok(io_read_all(d, "w", &b));
    assert_true(slice_is(buf_slice(&b), "0123456789"));
    assert_int_equal(io_read_all(d, "w", &b), BOURN_E_LIMIT); /* appends: 20 bytes do not fit */
    buf_clear(&b);
    ok(io_write_new(d, "w.new", slice_str("left by a crash"), false));
    ok(io_write_new(d, "w", slice_str("new"), true));
    ok(io_read_all(d, "w", &b));
    assert_true(slice_is(buf_slice(&b), "new"));
    assert_int_equal(io_write_new(d, "absent/w", slice_str("x"), true), BOURN_E_NOT_FOUND);
    buf_release(&b);
}

static void test_paths(void **state)
{
    struct io_dir *d = *state, *sub = NULL;
    struct io_file *f = NULL;
    static const char *const bad[] = {"", "/etc/passwd", "..", "../x", "a/../b", "a/.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(io_open(d, bad[i], IO_CREATE, &f), BOURN_E_DENIED);
        assert_int_equal(io_unlink(d, bad[i]), BOURN_E_DENIED);
        assert_int_equal(io_rename(d, "x", bad[i]), BOURN_E_DENIED);
        assert_int_equal(io_rename(d, bad[i], "x"), BOURN_E_DENIED);
        assert_int_equal(io_dir_at(d, bad[i], true, &sub), BOURN_E_DENIED);
        assert_int_equal(io_dir_make_path(d, bad[i]), BOURN_E_DENIED);
    }
    ok(io_open(d, "..x", IO_CREATE, &f)); /* a name that only begins so */
    io_close(f);
}

static void test_links_and_pipes(void **state)
{
    struct io_dir *d = *state, *sub = NULL;
    struct io_file *f = NULL;
    char path[96];
    ok(io_write_new(d, "secret", slice_str("s"), false));
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink("secret", path), 0);
    assert_int_not_equal(io_open(d, "link", IO_READ, &f), BOURN_OK);
    assert_int_not_equal(io_open(d, "link", IO_CREATE, &f), BOURN_OK);
    snprintf(path, sizeof path, "%s/linkdir", folder);
    assert_int_equal(symlink(".", path), 0);
    assert_int_not_equal(io_dir_at(d, "linkdir", true, &sub), BOURN_OK);
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_not_equal(io_open(d, "pipe", IO_READ, &f), BOURN_OK); /* and does not hang */
    assert_int_not_equal(io_open(d, "pipe", IO_WRITE, &f), BOURN_OK);
    ok(io_dir_make_path(d, "folder"));
    assert_int_not_equal(io_open(d, "folder", IO_READ, &f), BOURN_OK);
    /* Nothing is inherited by the programs that the parent starts. */
    ok(io_open(d, "secret", IO_READ, &f));
    for (int fd = 3; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && fcntl(fd, F_GETFL) >= 0) {
            char link[64], target[128] = "";
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            if (readlink(link, target, sizeof target - 1) > 0 && strncmp(target, folder, strlen(folder)) == 0)
                assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        }
    io_close(f);
}

static void test_no_space(void **state)
{
    struct io_dir *d = *state;
    struct io_file *f = NULL;
    uint8_t bytes[4096] = {0};
    sim_capacity(6000);
    ok(io_open(d, "f", IO_CREATE, &f));
    ok(io_write(f, 0, bytes, sizeof bytes));
    assert_int_equal(io_write(f, 4096, bytes, sizeof bytes), BOURN_E_FULL);
    assert_non_null(strstr(err_text(), "free space"));
    ok(io_write(f, 0, bytes, sizeof bytes)); /* what has its room stays writable */
    io_close(f);
}

static void test_power_cut(void **state)
{
    struct io_dir *d = *state;
    unsigned lost = 0, kept = 0, torn = 0, name_lost = 0;
    io_dir_close(d);
    for (unsigned round = 0; round < 300; round++) {
        struct io_file *f = NULL;
        uint8_t ones[4096], back[4096];
        memset(ones, 1, sizeof ones);
        sim_end();
        sim_begin(round + 7, 1 << 20);
        ok(io_dir_open("/", &d));
        ok(io_open(d, "f", IO_CREATE, &f));
        ok(io_write(f, 0, ones, 2048));
        ok(io_sync(f));
        if (round % 2)
            ok(io_dir_sync(d));
        ok(io_write(f, 2048, ones, 2048)); /* not synced */
        io_close(f);
        io_dir_close(d);
        sim_reboot();
        ok(io_dir_open("/", &d));
        enum bourn_err err = io_open(d, "f", IO_READ, &f);
        if (err) {
            assert_int_equal(round % 2, 0); /* a synced name is never lost */
            name_lost++;
            io_dir_close(d);
            continue;
        }
        uint64_t size;
        ok(io_size(f, &size));
        assert_true(size >= 2048);
        memset(back, 0, sizeof back);
        ok(io_read(f, 0, back, (size_t)size));
        assert_memory_equal(back, ones, 2048);
        size_t sectors = (size_t)(back[2048] + back[2560] + back[3072] + back[3584]);
        lost += sectors == 0;
        kept += sectors == 4;
        torn += sectors > 0 && sectors < 4;
        io_close(f);
        io_dir_close(d);
    }
    assert_true(lost && kept && torn && name_lost); /* every kind of damage comes up */
    ok(io_dir_open("/", &d));
    *state = d;
}

/* After a failed sync the cache shows what the disk may not have, and a second sync says all is well. */
static void test_failed_sync(void **state)
{
    struct io_dir *d = *state;
    bool lost = false;
    io_dir_close(d);
    for (unsigned round = 0; round < 50; round++) {
        struct io_file *f = NULL;
        uint8_t one = 1, back = 0;
        sim_end();
        sim_begin(round + 1, 1 << 20);
        ok(io_dir_open("/", &d));
        ok(io_open(d, "f", IO_CREATE, &f));
        ok(io_write(f, 0, "\0", 1));
        ok(io_sync(f));
        ok(io_dir_sync(d));
        sim_fault(SIM_SYNC_FAILS, 0);
        ok(io_write(f, 0, &one, 1));
        assert_int_equal(io_datasync(f), BOURN_E_IO);
        assert_true(sim_fault_happened());
        ok(io_datasync(f));
        ok(io_read(f, 0, &back, 1));
        assert_int_equal(back, 1);
        io_close(f);
        io_dir_close(d);
        sim_reboot();
        ok(io_dir_open("/", &d));
        ok(io_open(d, "f", IO_READ, &f));
        ok(io_read(f, 0, &back, 1));
        lost = lost || back == 0;
        io_close(f);
        io_dir_close(d);
    }
    assert_true(lost);
    ok(io_dir_open("/", &d));
    *state = d;
}

#define BOTH(test)                                                                                           \
    {#test " (kernel)", test, setup_kernel, teardown_kernel, NULL},                                          \
    {                                                                                                        \
#test " (simulated)", test, setup_sim, teardown_sim, NULL                                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_read_write),
        BOTH(test_write_parts),
        BOTH(test_folders),
        BOTH(test_whole_files),
        BOTH(test_paths),
        cmocka_unit_test_setup_teardown(test_links_and_pipes, setup_kernel, teardown_kernel),
        cmocka_unit_test_setup_teardown(test_no_space, setup_sim, teardown_sim),
        cmocka_unit_test_setup_teardown(test_power_cut, setup_sim, teardown_sim),
        cmocka_unit_test_setup_teardown(test_failed_sync, setup_sim, teardown_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
