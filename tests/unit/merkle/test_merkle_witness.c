/* Requests to witnesses, and cosignatures, made and read back; edges of the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/witness.h"

static struct merkle_vkey log_key, witness_key;
static uint8_t log_secret[64], witness_secret[64];

static int make_keys(void **state)
{
    (void)state;
    uint8_t seed[32] = {5}, pk[32];
    crypto_sign_from_seed(pk, log_secret, seed);
    merkle_vkey_init(&log_key, "log.example", MERKLE_KEY_LOG, pk);
    seed[0] = 6;
    crypto_sign_from_seed(pk, witness_secret, seed);
    merkle_vkey_init(&witness_key, "w.example", MERKLE_KEY_COSIGNATURE, pk);
    return (int)crypto_init();
}

/* A signed note with lines between root and signatures. */
static void make_note(struct buf *out, uint64_t size, const char *extension)
{
    struct merkle_hash root = {{9}};
    uint8_t signature[64];
    struct buf body;
    buf_init(&body, 4096);
    merkle_checkpoint_body(&body, slice_str("log.example"), size, &root);
    buf_put_str(&body, extension);
    crypto_sign(signature, buf_slice(&body), log_secret);
    buf_put_slice(out, buf_slice(&body));
    buf_put_str(out, "\n");
    merkle_note_sign_line(out, &log_key, slice_of(signature, 64));
    buf_release(&body);
}

static void there_and_back(void **state)
{
    (void)state;
    static struct merkle_submission s;
    struct merkle_hash proof[WITNESS_PROOF_LINES_MAX];
    struct buf note, b;
    buf_init(&note, 8192);
    buf_init(&b, 65536);
    memset(proof, 7, sizeof proof);
    make_note(&note, 70000, "");
    for (size_t n = 0; n <= WITNESS_PROOF_LINES_MAX; n++) {
        buf_clear(&b);
        merkle_submission_put(&b, n * 1000, proof, n, buf_slice(&note));
        assert_int_equal(merkle_submission_get(buf_slice(&b), &s), BOURN_OK);
        assert_int_equal(s.old, n * 1000);
        assert_int_equal(s.proof_n, n);
        assert_memory_equal(s.proof, proof, n * sizeof proof[0]);
        assert_int_equal(s.cp.size, 70000);
        assert_true(slice_is(s.cp.origin, "log.example"));
        assert_true(slice_eq(s.note, buf_slice(&note)));
        assert_int_equal(merkle_note_verify(s.note, &log_key), BOURN_OK);
    }
    buf_release(&note);
    buf_release(&b);
}

static void first_lines(void **state)
{
    (void)state;
    static struct merkle_submission s;
    static const char *const bad[] = {
        "",         "old\n",    "old \n",    "old 01\n", "old -1\n",
        "old 1 \n", " old 1\n", "old 1\r\n", "new 1\n",  "old 9223372036854775808\n",
        "old 0x1\n"};
    struct buf note, b;
    buf_init(&note, 8192);
    buf_init(&b, 65536);
    make_note(&note, 3, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&b);
        buf_printf(&b, "%s\n%.*s", bad[i], SLICE_ARG(buf_slice(&note)));
        if (merkle_submission_get(buf_slice(&b), &s) != BOURN_E_FORMAT)
            fail_msg("\"%s\" is taken", bad[i]);
    }
    buf_clear(&b);
    buf_printf(&b, "old 9223372036854775807\n\n%.*s", SLICE_ARG(buf_slice(&note)));
    assert_int_equal(merkle_submission_get(buf_slice(&b), &s), BOURN_OK);
    buf_clear(&b);
    buf_put_str(&b, "old 1\n");
    for (int i = 0; i <= WITNESS_PROOF_LINES_MAX; i++)
        buf_put_str(&b, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    buf_printf(&b, "\n%.*s", SLICE_ARG(buf_slice(&note)));
    assert_int_equal(merkle_submission_get(buf_slice(&b), &s), BOURN_E_LIMIT);
    buf_release(&note);
    buf_release(&b);
}

static void checkpoints_of_others(void **state)
{
    (void)state;
    struct merkle_checkpoint cp;
    struct buf note;
    buf_init(&note, 2 * WITNESS_CHECKPOINT_BYTES_MAX);
    make_note(&note, 8, "an extension\nand another\n");
    assert_int_equal(merkle_checkpoint_read(buf_slice(&note), &cp), BOURN_OK);
    assert_int_equal(cp.size, 8);
    assert_int_equal(merkle_note_verify(buf_slice(&note), &log_key), BOURN_OK);
    assert_int_equal(merkle_note_verify(buf_slice(&note), &witness_key),
                     BOURN_E_CRYPTO); /* not a log's key */
    struct merkle_vkey other = log_key;
    other.id[0] ^= 1;
    assert_int_equal(merkle_note_verify(buf_slice(&note), &other), BOURN_E_NOT_FOUND);
    note.p[20] ^= 1; /* in the root or the size: signed no more */
    assert_int_equal(merkle_note_verify(buf_slice(&note), &log_key), BOURN_E_CRYPTO);
    /* a size of 0 with a strange root can be read: that it is wrong is the witness's answer */
    buf_clear(&note);
    make_note(&note, 0, "");
    assert_int_equal(merkle_checkpoint_read(buf_slice(&note), &cp), BOURN_OK);
    /* at the limit of bytes, and over */
    for (size_t n = WITNESS_CHECKPOINT_BYTES_MAX; n <= WITNESS_CHECKPOINT_BYTES_MAX + 1; n++) {
        buf_clear(&note);
        make_note(&note, 1, "");
        while (note.n < n)
            buf_put_str(&note, "\n");
        assert_int_equal(merkle_checkpoint_read(buf_slice(&note), &cp),
                         n > WITNESS_CHECKPOINT_BYTES_MAX ? BOURN_E_LIMIT : BOURN_OK);
    }
    buf_release(&note);
}

static void cosignatures(void **state)
{
    (void)state;
    static const uint64_t times[] = {1, 1679315147, ((uint64_t)1 << 63) - 1};
    struct merkle_checkpoint cp;
    struct buf note, b, line;
    uint64_t time;
    buf_init(&note, 8192);
    buf_init(&b, 65536);
    buf_init(&line, 4096);
    make_note(&note, 5, "");
    assert_int_equal(merkle_checkpoint_read(buf_slice(&note), &cp), BOURN_OK);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buf_clear(&b);
        buf_clear(&line);
        buf_put_slice(&b, buf_slice(&note));
        merkle_cosign(&line, cp.body, &witness_key, witness_secret, times[i]);
        buf_put_slice(&b, buf_slice(&line));
        assert_int_equal(merkle_cosignature_check(buf_slice(&b), &witness_key, &time), BOURN_OK);
        assert_int_equal(time, times[i]);
        assert_int_equal(merkle_note_verify(buf_slice(&b), &log_key), BOURN_OK);
        /* its line, and the note without it */
        struct buf again;
        buf_init(&again, 8192);
        assert_int_equal(merkle_note_line(&again, buf_slice(&b), &witness_key), BOURN_OK);
        assert_true(slice_eq(buf_slice(&again), buf_slice(&line)));
        buf_clear(&again);
        merkle_note_keep(&again, buf_slice(&b), &log_key);
        assert_true(slice_eq(buf_slice(&again), buf_slice(&note)));
        assert_int_equal(merkle_note_line(&again, buf_slice(&note), &witness_key), BOURN_E_NOT_FOUND);
        buf_release(&again);
    }
    buf_release(&note);
    buf_release(&b);
    buf_release(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(first_lines),
        cmocka_unit_test(checkpoints_of_others),
        cmocka_unit_test(cosignatures),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
