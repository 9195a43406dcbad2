/* A witness on a disk that fails at each of its calls in turn, clocks that go back, and its limits. What its
 * answers are to good and bad submissions, tests/e2e/test_witness_protocol.py asks over HTTP and the fuzz
 * target `witness` against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "io/io_ops.h"
#include "merkle/witness.h"
#include "witness/witness.h"

#define OK(x) assert_int_equal((x), BOURN_OK)

static char folder[64];
static struct merkle_vkey log_key, witness_key;
static uint8_t log_secret[64];
static struct merkle_hash leaf[20];

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    return remove(path);
}

static int make(void **state)
{
    (void)state;
    uint8_t seed[32] = {3}, pk[32];
    struct buf vkey;
    strcpy(folder, "/tmp/bourn-witness-XXXXXX");
    if (crypto_init() != BOURN_OK || !mkdtemp(folder))
        return -1;
    crypto_sign_from_seed(pk, log_secret, seed);
    merkle_vkey_init(&log_key, "log.example", MERKLE_KEY_LOG, pk);
    for (size_t i = 0; i < 20; i++)
        merkle_leaf(&leaf[i], slice_of(&i, sizeof i));
    buf_init(&vkey, 1024);
    OK(witness_create(folder, "w.example", &vkey));
    OK(merkle_vkey_get(buf_slice(&vkey), &witness_key));
    buf_clear(&vkey);
    merkle_vkey_put(&vkey, &log_key);
    OK(witness_trust(folder, buf_slice(&vkey)));
    OK(witness_trust(folder, buf_slice(&vkey)));
    buf_release(&vkey);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    io_use(NULL);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static enum bourn_err read_leaf(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    (void)ctx;
    merkle_root_of(out, leaf + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

static struct buf body; /* of the last answer */

/* Submits the first `size` leaves, from `old` on. The status, or 0 if the disk failed. */
static unsigned submit(struct witness *w, uint64_t old, uint64_t size, uint64_t now)
{
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    uint8_t signature[64];
    size_t n;
    struct buf note, request;
    struct witness_answer a = {.body = &body};
    buf_init(&body, 8192);
    buf_init(&note, 8192);
    buf_init(&request, 65536);
    merkle_root_of(&root, leaf, (size_t)size);
    merkle_checkpoint_body(&note, slice_str("log.example"), size, &root);
    crypto_sign(signature, buf_slice(&note), log_secret);
    buf_put_str(&note, "\n");
    merkle_note_sign_line(&note, &log_key, slice_of(signature, 64));
    OK(merkle_prove_consistency(old, size, read_leaf, NULL, proof, &n));
    merkle_submission_put(&request, old, proof, n, buf_slice(&note));
    enum bourn_err err = witness_add_checkpoint(w, buf_slice(&request), now, &a);
    if (err) {
        assert_int_equal(body.n, 0); /* no signature leaves */
        assert_int_not_equal(a.status, 200);
    } else if (a.status == 200) {
        uint64_t time;
        buf_put_slice(&note, buf_slice(&body));
        OK(merkle_cosignature_check(buf_slice(&note), &witness_key, &time));
        assert_true(time >= now);
    }
    buf_release(&body);
    buf_release(&note);
    buf_release(&request);
    return err ? 0 : a.status;
}

/* --- a disk that fails at a call of one's choice */

static unsigned calls, failing;
static int errno_then;

static bool fails(void)
{
    if (++calls != failing)
        return false;
    errno = errno_then;
    return true;
}
static int bad_open(int dirfd, const char *path, enum io_mode mode)
{
    return fails() ? -1 : io_ops_kernel.open(dirfd, path, mode);
}
static ssize_t bad_pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
    return fails() ? -1 : io_ops_kernel.pwritev(fd, v, n, offset);
}
static int bad_fsync(int fd)
{
    return fails() ? -1 : io_ops_kernel.fsync(fd);
}
static int bad_rename(int dirfd, const char *from, const char *to)
{
    return fails() ? -1 : io_ops_kernel.rename(dirfd, from, to);
}
static int bad_unlink(int dirfd, const char *path)
{
    return fails() ? -1 : io_ops_kernel.unlink(dirfd, path);
}

static void nothing_is_signed_that_is_not_kept(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    struct witness *w;
    struct io_ops ops = io_ops_kernel;
    ops.open = bad_open;
    ops.pwritev = bad_pwritev;
    ops.fsync = bad_fsync;
    ops.rename = bad_rename;
    ops.unlink = bad_unlink;
    OK(witness_open(folder, &w));
    assert_int_equal(submit(w, 0, 1, 1000), 200);
    uint64_t kept = 1;
    for (size_t e = 0; e < 2; e++)
        for (failing = 1;; failing++) {
            calls = 0;
            errno_then = errors[e];
            io_use(&ops);
            unsigned status = submit(w, kept, kept + 1, 1000);
            io_use(NULL);
            if (calls < failing) { /* it went through without that call: they were all tried */
                assert_int_equal(status, 200);
                kept++;
                break;
            }
            assert_int_equal(status, errors[e] == ENOSPC ? 503 : 0);
            witness_close(w); /* as after a kill: what is there counts */
            OK(witness_open(folder, &w));
            unsigned again = submit(w, kept, kept + 1, 1000);
            assert_true(again == 200 || again == 409); /* 409: kept, though nobody was told */
            if (again == 409)
                assert_int_equal(submit(w, kept + 1, kept + 1, 1000), 200);
            kept++;
        }
    assert_true(failing > 4 && kept > 8); /* open, write, sync, rename, sync of the folder */
    witness_close(w);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    struct witness *w;
    OK(witness_open(folder, &w));
    assert_int_equal(submit(w, 0, 2, 5000), 200);
    assert_int_equal(submit(w, 2, 3, 5000 - CLOCK_BACK_S_MAX), 200); /* signed with 5000: submit looks */
    assert_int_equal(submit(w, 3, 4, 5000 - CLOCK_BACK_S_MAX - 1), 503);
    witness_close(w);
    OK(witness_open(folder, &w)); /* it remembers the time too */
    assert_int_equal(submit(w, 3, 4, 5000 - CLOCK_BACK_S_MAX - 1), 503);
    assert_int_equal(submit(w, 3, 4, 5001), 200);
    witness_close(w);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct witness *w, *other;
    OK(witness_open(folder, &w));
    assert_int_equal(witness_open(folder, &other), BOURN_E_UNAVAILABLE);
    assert_null(other);
    witness_close(w);
    OK(witness_open(folder, &w));
    assert_int_equal(witness_logs(w), 1);
    witness_close(w);
}

static void keys(void **state)
{
    (void)state;
    struct witness *w;
    char path[128];
    snprintf(path, sizeof path, "%s/witness.key", folder);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(witness_open(folder, &w), BOURN_E_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 31), 0);
    assert_int_equal(witness_open(folder, &w), BOURN_E_CORRUPT);
    assert_int_equal(truncate(path, 32), 0); /* another last byte */
    assert_int_equal(witness_open(folder, &w), BOURN_E_CORRUPT);
}

static void as_many_logs_as_are_allowed(void **state)
{
    (void)state;
    struct witness *w;
    char path[128];
    struct buf text;
    snprintf(path, sizeof path, "%s/logs", folder);
    for (int over = 0; over < 2; over++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs("# a comment\n\n", f);
        for (int i = 0; i < WITNESS_LOGS_MAX + over; i++) {
            struct merkle_vkey k;
            char name[32];
            snprintf(name, sizeof name, "log%d.example", i / 2); /* two keys each */
            uint8_t seed[32] = {(uint8_t)i, (uint8_t)(i >> 8), 1}, pk[32], secret[64];
            crypto_sign_from_seed(pk, secret, seed);
            merkle_vkey_init(&k, name, MERKLE_KEY_LOG, pk);
            buf_init(&text, 1024);
            merkle_vkey_put(&text, &k);
            fprintf(f, "%.*s\n", SLICE_ARG(buf_slice(&text)));
            buf_release(&text);
        }
        fclose(f);
        assert_int_equal(witness_open(folder, &w), over ? BOURN_E_LIMIT : BOURN_OK);
        if (!over) {
            assert_int_equal(witness_logs(w), WITNESS_LOGS_MAX / 2);
            witness_close(w);
        }
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("nonsense\n", f);
    fclose(f);
    assert_int_equal(witness_open(folder, &w), BOURN_E_FORMAT);
    assert_non_null(strstr(err_text(), "line 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_signed_that_is_not_kept, make, drop),
        cmocka_unit_test_setup_teardown(time_never_goes_back, make, drop),
        cmocka_unit_test_setup_teardown(one_at_a_time, make, drop),
        cmocka_unit_test_setup_teardown(keys, make, drop),
        cmocka_unit_test_setup_teardown(as_many_logs_as_are_allowed, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
