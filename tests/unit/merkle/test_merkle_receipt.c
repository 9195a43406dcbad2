/* Receipts and C2SP proofs: golden vectors made by another implementation, strict readers, and proofs of
 * trees in memory against those of the one that reads stored hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"

#define LEAF "leaf 0NorfUOGxXENxEKq6cXZsFhkRPoRI9pQQlKVdNI2ZNM=\n"
#define ROOT "root B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA=\n"
static const char origin[] = "cn.example/ledger";
static struct merkle_vkey log_key;
static uint8_t secret[64];

static int setup(void **state)
{
    (void)state;
    uint8_t seed[32], pk[32];
    for (size_t i = 0; i < 32; i++)
        seed[i] = (uint8_t)i;
    crypto_sign_from_seed(pk, secret, seed);
    merkle_vkey_init(&log_key, origin, 0x01, pk);
    return 0;
}

static void read_vector(const char *name, char *out, size_t size)
{
    char path[512];
    const char *source = getenv("BOURN_SOURCE");
    snprintf(path, sizeof path, "%s/tests/vectors/%s", source ? source : ".", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    fclose(f);
}

static void sign(struct buf *out, struct slice text)
{
    uint8_t signature[64];
    crypto_sign(signature, text, secret);
    buf_put_slice(out, text);
    buf_put_str(out, "\n");
    merkle_note_sign_line(out, &log_key, slice_of(signature, 64));
}

static void leaf_of(struct merkle_hash *out, unsigned event)
{
    char text[32];
    snprintf(text, sizeof text, "event %u", event);
    merkle_leaf(out, slice_str(text));
}

static void golden_receipt(void **state)
{
    (void)state;
    char want[2048];
    struct merkle_receipt r, made = {.index = 12345, .size = 70000};
    struct buf text, note;
    buf_init(&text, 4096);
    buf_init(&note, 4096);
    read_vector("receipt.txt", want, sizeof want);
    assert_int_equal(merkle_receipt_open(slice_str(want), &log_key, &r), BOURN_OK);
    assert_true(r.index == 12345 && r.size == 70000);
    leaf_of(&made.leaf, 12345);
    assert_memory_equal(r.leaf.b, made.leaf.b, 32);
    made.root = r.root;
    merkle_receipt_text(&text, slice_str(origin), &made);
    sign(&note, buf_slice(&text));
    assert_true(slice_is(buf_slice(&note), want));
    /* Neither can be taken for the other. */
    struct merkle_checkpoint cp;
    char checkpoint[2048];
    read_vector("checkpoint.txt", checkpoint, sizeof checkpoint);
    assert_int_equal(merkle_checkpoint_open(slice_str(want), &log_key, &cp), BOURN_E_FORMAT);
    assert_int_equal(merkle_receipt_open(slice_str(checkpoint), &log_key, &r), BOURN_E_FORMAT);
    buf_release(&text);
    buf_release(&note);
}

static enum bourn_err open_text(const char *text)
{
    struct buf note;
    struct merkle_receipt r;
    buf_init(&note, 4096);
    sign(&note, slice_str(text));
    enum bourn_err err = merkle_receipt_open(buf_slice(&note), &log_key, &r);
    assert_true(err == BOURN_OK || (r.size == 0 && r.index == 0));
    buf_release(&note);
    return err;
}

/* All of them are signed by the right key. */
static void strict_receipts(void **state)
{
    (void)state;
#define HEAD "bourn-receipt/v1\ncn.example/ledger\n"
    assert_int_equal(open_text(HEAD "index 0\n" LEAF "size 1\n" ROOT), BOURN_OK);
    assert_int_equal(open_text(HEAD "index 9223372036854775806\n" LEAF "size 9223372036854775807\n" ROOT),
                     BOURN_OK);
    static const char *const bad[] = {
        HEAD "index 1\n" LEAF "size 1\n" ROOT,
        HEAD "index 0\n" LEAF "size 0\n" ROOT,
        HEAD "index 01\n" LEAF "size 9\n" ROOT,
        HEAD "index  1\n" LEAF "size 9\n" ROOT,
        HEAD "index 1 \n" LEAF "size 9\n" ROOT,
        HEAD "index\n" LEAF "size 9\n" ROOT,
        HEAD "index 1\n" LEAF "size 9223372036854775808\n" ROOT,
        HEAD "index 1\n" LEAF "size 9\n" ROOT "more\n",
        HEAD "index 1\n" LEAF "size 9\n",
        HEAD LEAF "index 1\nsize 9\n" ROOT,
        HEAD "index 1\nleaf VTGG\nsize 9\n" ROOT,
        "bourn-receipt/v2\ncn.example/ledger\nindex 1\n" LEAF "size 9\n" ROOT,
        "bourn-receipt/v1\nus.example/ledger\nindex 1\n" LEAF "size 9\n" ROOT,
        "cn.example/ledger\nbourn-receipt/v1\nindex 1\n" LEAF "size 9\n" ROOT,
    };
#undef HEAD
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (open_text(bad[i]) != BOURN_E_FORMAT)
            fail_msg("accepted text %zu", i);
    char want[2048];
    struct merkle_receipt r;
    read_vector("receipt.txt", want, sizeof want);
    size_t n = strlen(want);
    for (size_t i = 0; i < n; i++) {
        want[i] ^= 1;
        assert_int_not_equal(merkle_receipt_open(slice_of(want, n), &log_key, &r), BOURN_OK);
        want[i] ^= 1;
        assert_int_not_equal(merkle_receipt_open(slice_of(want, i), &log_key, &r), BOURN_OK);
    }
}

static void golden_event(void **state)
{
    (void)state;
    char want[2048], other[2048];
    struct merkle_receipt r;
    struct merkle_checkpoint cp;
    struct slice lines;
    struct buf text, note;
    buf_init(&text, 4096);
    buf_init(&note, 4096);
    read_vector("event.txt", want, sizeof want);
    assert_true(merkle_is_event(slice_str(want)));
    assert_int_equal(merkle_event_open(slice_str(want), &log_key, &r, &lines), BOURN_OK);
    assert_true(r.index == 12345 && r.size == 70000);
    assert_memory_equal(lines.p, "told 4\ntime 2026-11-29T03:39:02Z\nparty 5\n", 41);
    merkle_event_text(&text, slice_str(origin), &r, lines);
    sign(&note, buf_slice(&text));
    assert_true(slice_is(buf_slice(&note), want));
    /* None of the three can be taken for another. */
    assert_int_equal(merkle_receipt_open(slice_str(want), &log_key, &r), BOURN_E_FORMAT);
    assert_int_equal(merkle_checkpoint_open(slice_str(want), &log_key, &cp), BOURN_E_FORMAT);
    for (size_t i = 0; i < 2; i++) {
        read_vector(i ? "checkpoint.txt" : "receipt.txt", other, sizeof other);
        assert_false(merkle_is_event(slice_str(other)));
        assert_int_equal(merkle_event_open(slice_str(other), &log_key, &r, &lines), BOURN_E_FORMAT);
    }
    size_t n = strlen(want);
    for (size_t i = 0; i < n; i++) {
        want[i] ^= 1;
        assert_int_not_equal(merkle_event_open(slice_of(want, n), &log_key, &r, &lines), BOURN_OK);
        want[i] ^= 1;
        assert_int_not_equal(merkle_event_open(slice_of(want, i), &log_key, &r, &lines), BOURN_OK);
    }
    buf_release(&text);
    buf_release(&note);
}

/* All of them are signed by the right key. */
static void strict_events(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool good;
    } cases[] = {{"told 4\n", true},   {"told 4\nmore\n", true},   {"", false},          {"told 4", false},
                 {"told\t4\n", false}, {"told \xc3\xa9\n", false}, {"told\x7f\n", false}};
    struct merkle_receipt r = {.index = 1, .size = 2};
    struct slice lines;
    struct buf text, note;
    buf_init(&text, 1u << 20);
    buf_init(&note, 1u << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&text);
        buf_clear(&note);
        assert_true(merkle_event_lines_ok(slice_str(cases[i].lines)) == cases[i].good);
        merkle_event_text(&text, slice_str(origin), &r, slice_str(cases[i].lines));
        sign(&note, buf_slice(&text));
        assert_true((merkle_event_open(buf_slice(&note), &log_key, &r, &lines) == BOURN_OK) == cases[i].good);
        r = (struct merkle_receipt){.index = 1, .size = 2};
    }
    assert_false(merkle_event_lines_ok(slice_str("\n")));
    assert_false(merkle_event_lines_ok(slice_str("told 4\n\nmore\n")));
    assert_false(merkle_event_lines_ok(slice_of("told\0\n", 6)));
    buf_clear(&text);
    for (size_t i = 0; i < EVENT_LINES_BYTES_MAX / 16; i++) /* at the limit */
        buf_put_str(&text, "fifteen letters\n");
    assert_true(merkle_event_lines_ok(buf_slice(&text)));
    buf_put_str(&text, "x\n");
    assert_false(merkle_event_lines_ok(buf_slice(&text)));
    buf_release(&text);
    buf_release(&note);
}

static bool next_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = memchr(rest->p, '\n', rest->n);
    *line = slice_of(rest->p, end ? (size_t)(end - rest->p) : 0);
    *rest = slice_of(end + 1, end ? rest->n - line->n - 1 : 0);
    return end != NULL;
}

static void golden_proof(void **state)
{
    (void)state;
    char want[8192];
    struct merkle_hash leaf, other;
    struct merkle_receipt r;
    read_vector("proof.tlog-proof", want, sizeof want);
    leaf_of(&leaf, 12345);
    leaf_of(&other, 12346);
    assert_int_equal(merkle_tlog_proof_open(slice_str(want), &log_key, &leaf, &r), BOURN_OK);
    assert_true(r.index == 12345 && r.size == 70000);
    assert_memory_equal(r.leaf.b, leaf.b, 32);
    assert_int_equal(merkle_tlog_proof_open(slice_str(want), &log_key, &other, &r), BOURN_E_CRYPTO);

    struct buf again;
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct slice rest = slice_str(want), line;
    size_t n = 0;
    buf_init(&again, 8192);
    assert_true(next_line(&rest, &line) && next_line(&rest, &line));
    while (next_line(&rest, &line) && line.n) {
        buf_clear(&again);
        assert_true(base64_get(line, &again) && again.n == 32);
        memcpy(proof[n++].b, again.p, 32);
    }
    buf_clear(&again);
    merkle_tlog_proof_put(&again, 12345, proof, n, rest);
    assert_true(slice_is(buf_slice(&again), want));

    /* The extra line, which nothing vouches for, is passed over; every other change is refused. */
    buf_clear(&again);
    buf_put_str(&again, "c2sp.org/tlog-proof@v1\nextra AAAA\n");
    buf_put_str(&again, strchr(want, '\n') + 1);
    assert_int_equal(merkle_tlog_proof_open(buf_slice(&again), &log_key, &leaf, &r), BOURN_OK);
    size_t cosignature = (size_t)(strstr(want, "\u2014 witness") - want);
    for (size_t i = 0; i < cosignature; i++) {
        want[i] ^= 1;
        if (merkle_tlog_proof_open(slice_str(want), &log_key, &leaf, &r) == BOURN_OK)
            fail_msg("accepted with byte %zu changed", i);
        want[i] ^= 1;
        assert_int_not_equal(merkle_tlog_proof_open(slice_of(want, i), &log_key, &leaf, &r), BOURN_OK);
    }
    buf_clear(&again);
    buf_put_str(&again, "c2sp.org/tlog-proof@v1\nindex 12345\n");
    for (size_t i = 0; i <= MERKLE_PROOF_MAX; i++)
        buf_put_str(&again, "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA=\n");
    buf_put_str(&again, "\n");
    assert_int_equal(merkle_tlog_proof_open(buf_slice(&again), &log_key, &leaf, &r), BOURN_E_FORMAT);
    buf_release(&again);
}

static void trees_in_memory(void **state)
{
    (void)state;
    for (size_t n = 1; n < 70; n++) {
        struct merkle_leaves tree;
        struct merkle_hash root, proof[MERKLE_PROOF_MAX];
        size_t hashes;
        assert_int_equal(merkle_leaves_init(&tree, n), BOURN_OK);
        for (size_t i = 0; i < n; i++)
            leaf_of(&tree.node[i], (unsigned)i);
        merkle_root_of(&root, tree.node, n);
        merkle_leaves_grow(&tree);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(merkle_leaves_prove(&tree, i, proof, &hashes), BOURN_OK);
            assert_true(merkle_verify_inclusion(i, n, &tree.node[i], proof, hashes, &root));
            assert_false(merkle_verify_inclusion(i, n, &root, proof, hashes, &root) && n > 1);
        }
        assert_int_equal(merkle_leaves_prove(&tree, n, proof, &hashes), BOURN_E_NOT_FOUND);
        merkle_leaves_release(&tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(golden_receipt, setup), cmocka_unit_test_setup(strict_receipts, setup),
        cmocka_unit_test_setup(golden_event, setup),   cmocka_unit_test_setup(strict_events, setup),
        cmocka_unit_test_setup(golden_proof, setup),   cmocka_unit_test(trees_in_memory),
    };
    assert_int_equal(crypto_init(), BOURN_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
