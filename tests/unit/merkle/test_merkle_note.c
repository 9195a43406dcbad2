/* Keys, checkpoints and cosignatures: golden vectors made by another implementation, and a strict reader. */
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

#define ROOT "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA="
static const char origin[] = "cn.example/ledger";
static struct merkle_vkey log_key, witness_key;
static uint8_t log_secret[64], witness_secret[64];

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

static int setup(void **state)
{
    (void)state;
    uint8_t seed[32], pk[32];
    for (size_t i = 0; i < 32; i++)
        seed[i] = (uint8_t)i;
    crypto_sign_from_seed(pk, log_secret, seed);
    merkle_vkey_init(&log_key, origin, 0x01, pk);
    for (size_t i = 0; i < 32; i++)
        seed[i] = (uint8_t)(32 + i);
    crypto_sign_from_seed(pk, witness_secret, seed);
    merkle_vkey_init(&witness_key, "witness.example/w1", 0x04, pk);
    return 0;
}

/* Appends the log's line over body to out. */
static void sign_log(struct buf *out, struct slice body)
{
    uint8_t sig[64];
    crypto_sign(sig, body, log_secret);
    merkle_note_sign_line(out, &log_key, slice_of(sig, 64));
}

static void cosign(struct buf *out, struct slice body, uint64_t time)
{
    struct buf m;
    uint8_t payload[72];
    buf_init(&m, 4096);
    buf_printf(&m, "cosignature/v1\ntime %llu\n", (unsigned long long)time);
    buf_put_slice(&m, body);
    be_put(payload, time, 8);
    crypto_sign(payload + 8, buf_slice(&m), witness_secret);
    merkle_note_sign_line(out, &witness_key, slice_of(payload, 72));
    buf_release(&m);
}

static void golden(void **state)
{
    (void)state;
    char want[2048], keys[1024];
    struct buf out, body, names;
    read_vector("checkpoint.txt", want, sizeof want);
    read_vector("checkpoint.vkeys", keys, sizeof keys);
    buf_init(&out, 4096);
    buf_init(&body, 4096);
    buf_init(&names, 4096);
    merkle_vkey_put(&names, &log_key);
    buf_put_str(&names, "\n");
    merkle_vkey_put(&names, &witness_key);
    buf_put_str(&names, "\n");
    assert_true(slice_is(buf_slice(&names), keys));

    struct merkle_hash root;
    struct buf raw;
    buf_init(&raw, 32);
    assert_true(base64_get(slice_str(ROOT), &raw));
    memcpy(root.b, raw.p, 32);
    merkle_checkpoint_body(&body, slice_str(origin), 70000, &root);
    buf_put_slice(&out, buf_slice(&body));
    buf_put_str(&out, "\n");
    sign_log(&out, buf_slice(&body));
    cosign(&out, buf_slice(&body), 1800000000);
    assert_true(slice_is(buf_slice(&out), want));

    struct merkle_checkpoint c;
    uint64_t time_s = 0;
    assert_int_equal(merkle_checkpoint_open(slice_str(want), &log_key, &c), BOURN_OK);
    assert_true(slice_is(c.origin, origin));
    assert_true(slice_eq(c.body, buf_slice(&body)));
    assert_int_equal(c.size, 70000);
    assert_memory_equal(c.root.b, root.b, 32);
    assert_int_equal(merkle_cosignature_check(slice_str(want), &witness_key, &time_s), BOURN_OK);
    assert_int_equal(time_s, 1800000000);
    buf_release(&raw);
    buf_release(&out);
    buf_release(&body);
    buf_release(&names);
}

static void keys(void **state)
{
    (void)state;
    /* Two keys that others published: golang.org/x/mod's documentation, and Go's checksum database. */
    static const char *const good[] = {
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    };
    static const char *const bad[] = {
        "",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n\n",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann",
    };
    struct merkle_vkey k;
    struct buf b;
    buf_init(&b, 1024);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(merkle_vkey_get(slice_str(good[i]), &k), BOURN_OK);
        buf_clear(&b);
        merkle_vkey_put(&b, &k);
        assert_true(slice_is(buf_slice(&b), good[i]));
        buf_put_str(&b, "\n");
        assert_int_equal(merkle_vkey_get(buf_slice(&b), &k), BOURN_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (merkle_vkey_get(slice_str(bad[i]), &k) != BOURN_E_FORMAT)
            fail_msg("accepted %s", bad[i]);
    /* A key of small order, with an id that fits it; a type that is not known. */
    const uint8_t identity[32] = {1};
    merkle_vkey_init(&k, "x", 0x01, identity);
    buf_clear(&b);
    merkle_vkey_put(&b, &k);
    assert_int_equal(merkle_vkey_get(buf_slice(&b), &k), BOURN_E_FORMAT);
    merkle_vkey_init(&k, "x", 0x06, log_key.key);
    buf_clear(&b);
    merkle_vkey_put(&b, &k);
    assert_int_equal(merkle_vkey_get(buf_slice(&b), &k), BOURN_E_FORMAT);
    buf_release(&b);
}

static enum bourn_err open_signed(const char *body)
{
    struct buf out;
    struct merkle_checkpoint c;
    buf_init(&out, 8192);
    buf_put_str(&out, body);
    buf_put_str(&out, "\n");
    sign_log(&out, slice_str(body));
    enum bourn_err err = merkle_checkpoint_open(buf_slice(&out), &log_key, &c);
    assert_true(err == BOURN_OK || c.body.p == NULL);
    buf_release(&out);
    return err;
}

/* Each is signed by the right key: the form alone is refused. */
static void strict_body(void **state)
{
    (void)state;
    assert_int_equal(open_signed("cn.example/ledger\n1\n" ROOT "\n"), BOURN_OK);
    assert_int_equal(open_signed("cn.example/ledger\n9223372036854775807\n" ROOT "\n"), BOURN_OK);
    assert_int_equal(open_signed("cn.example/ledger\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
                     BOURN_OK);
    static const char *const bad[] = {
        "cn.example/ledger\n0\n" ROOT "\n",
        "cn.example/ledger\n01\n" ROOT "\n",
        "cn.example/ledger\n+1\n" ROOT "\n",
        "cn.example/ledger\n-1\n" ROOT "\n",
        "cn.example/ledger\n 1\n" ROOT "\n",
        "cn.example/ledger\n0x1\n" ROOT "\n",
        "cn.example/ledger\n\n" ROOT "\n",
        "cn.example/ledger\n9223372036854775808\n" ROOT "\n",
        "cn.example/ledger\n18446744073709551617\n" ROOT "\n",
        "cn.example/ledger\n1\n" ROOT "\nextension\n",
        "cn.example/ledger\n1\n",
        "cn.example/ledger\n",
        "cn.example/ledger\n1\r\n" ROOT "\n",
        "cn.example/ledger/\n1\n" ROOT "\n",
        "cn.example/ledge\n1\n" ROOT "\n",
        "CN.example/ledger\n1\n" ROOT "\n",
        "\n1\n" ROOT "\n",
        "cn.example/ledger\n1\n" ROOT " \n",
        "cn.example/ledger\n1\nB6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTB=\n", /* spare bits set */
        "cn.example/ledger\n1\nB6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA\n",
        "cn.example/ledger\n1\nB6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3_TgZuFTA=\n",
        "cn.example/ledger\n1\nB6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZu\n",
        "cn.example/ledger\n1\n\n",
        ("cn.example/ledger\n1\n" ROOT),
        "cn.example/ledger\n1\n\xff\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (open_signed(bad[i]) != BOURN_E_FORMAT)
            fail_msg("accepted body %zu", i);
}

static const char good_body[] = "cn.example/ledger\n1\n" ROOT "\n";

static enum bourn_err open_lines(const char *before, unsigned unknown, bool log_line, const char *after)
{
    struct buf out;
    struct merkle_checkpoint c;
    struct merkle_vkey other;
    const uint8_t junk[64] = {9};
    buf_init(&out, 65536);
    buf_printf(&out, "%s\n%s", good_body, before);
    for (unsigned i = 0; i < unknown; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%u", i);
        merkle_vkey_init(&other, name, 0x04, witness_key.key);
        merkle_note_sign_line(&out, &other, slice_of(junk, 64));
    }
    if (log_line)
        sign_log(&out, slice_str(good_body));
    buf_put_str(&out, after);
    enum bourn_err err = merkle_checkpoint_open(buf_slice(&out), &log_key, &c);
    buf_release(&out);
    return err;
}

static void signature_lines(void **state)
{
    (void)state;
    assert_int_equal(open_lines("", 0, true, ""), BOURN_OK);
    assert_int_equal(open_lines("", COSIGNATURES_MAX, true, ""), BOURN_OK);
    assert_int_equal(open_lines("", COSIGNATURES_MAX + 1, true, ""), BOURN_E_LIMIT);
    assert_int_equal(open_lines("", 3, false, ""), BOURN_E_CRYPTO);
    assert_int_equal(open_lines("", 0, false, ""), BOURN_E_FORMAT);
    assert_int_equal(open_lines("\u2014 w\u00e4chter AAAAAAA=\n", 0, true, ""), BOURN_OK);
    static const char *const bad[] = {
        "\n",
        "\u2014 x\n",
        "\u2014 x \n",
        "\u2014  AAAAAAA=\n",
        "- x AAAAAAA=\n",
        "\u2014 x AAAAAAA\n",
        "\u2014 x AAAA\n",
        "\u2014 x AAAAAAB=\n",
        "\u2014 x AAAAAAA= \n",
        "\u2014 x AAAAAAA= y\n",
        "x\n",
        "\u2014x AAAAAAA=\n",
        " \u2014 x AAAAAAA=\n",
        "\u2014 x\t AAAAAAA=\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_lines(bad[i], 0, true, ""), BOURN_E_FORMAT);
        assert_int_equal(open_lines("", 0, true, bad[i]), BOURN_E_FORMAT);
    }
    assert_int_equal(open_lines("", 0, true, "\u2014 x AAAAAAA="), BOURN_E_FORMAT);
    struct buf twice;
    buf_init(&twice, 1024);
    sign_log(&twice, slice_str(good_body));
    buf_put_u8(&twice, 0);
    assert_int_equal(open_lines("", 0, true, (const char *)twice.p), BOURN_E_FORMAT);
    buf_release(&twice);
}

static void every_altered_byte_is_refused(void **state)
{
    (void)state;
    char note[2048];
    struct merkle_checkpoint c;
    uint64_t t;
    read_vector("checkpoint.txt", note, sizeof note);
    size_t n = strlen(note);
    const char *log_line = strstr(note, "\n\n") + 2, *cosignature = strchr(log_line, '\n') + 1;
    for (size_t i = 0; i < n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            note[i] = (char)(note[i] ^ 1 << bit);
            bool in_body = note + i < log_line - 1;
            if (note + i < cosignature)
                assert_int_not_equal(merkle_checkpoint_open(slice_of(note, n), &log_key, &c), BOURN_OK);
            if (in_body || note + i >= cosignature)
                assert_int_not_equal(merkle_cosignature_check(slice_of(note, n), &witness_key, &t), BOURN_OK);
            note[i] = (char)(note[i] ^ 1 << bit);
        }
        /* Cut anywhere, the log's part does not open. */
        if (note + i < cosignature)
            assert_int_not_equal(merkle_checkpoint_open(slice_of(note, i), &log_key, &c), BOURN_OK);
    }
    assert_int_equal(merkle_checkpoint_open(slice_of(note, n), &log_key, &c), BOURN_OK);
}

static void cosignature_times(void **state)
{
    (void)state;
    struct buf note;
    buf_init(&note, 4096);
    const struct {
        uint64_t time;
        enum bourn_err err;
    } cases[] = {{0, BOURN_OK}, {INT64_MAX, BOURN_OK}, {(uint64_t)1 << 63, BOURN_E_CRYPTO}};
    for (size_t i = 0; i < 3; i++) {
        uint64_t t = 1;
        buf_clear(&note);
        buf_printf(&note, "%s\n", good_body);
        cosign(&note, slice_str(good_body), cases[i].time);
        assert_int_equal(merkle_cosignature_check(buf_slice(&note), &witness_key, &t), cases[i].err);
        assert_true(cases[i].err || t == cases[i].time);
    }
    buf_release(&note);
}

static void keys_of_the_wrong_kind(void **state)
{
    (void)state;
    char note[2048];
    struct merkle_checkpoint c;
    struct merkle_vkey k;
    uint64_t t;
    read_vector("checkpoint.txt", note, sizeof note);
    assert_int_equal(merkle_checkpoint_open(slice_str(note), &witness_key, &c), BOURN_E_CRYPTO);
    assert_int_equal(merkle_cosignature_check(slice_str(note), &log_key, &t), BOURN_E_CRYPTO);
    merkle_vkey_init(&k, "witness.example/w2", 0x04, witness_key.key);
    assert_int_equal(merkle_cosignature_check(slice_str(note), &k, &t), BOURN_E_NOT_FOUND);
    merkle_vkey_init(&k, origin, 0x01, witness_key.key);
    assert_int_equal(merkle_checkpoint_open(slice_str(note), &k, &c), BOURN_E_CRYPTO);
    k = log_key; /* the right name and id over another key */
    memcpy(k.key, witness_key.key, 32);
    assert_int_equal(merkle_checkpoint_open(slice_str(note), &k, &c), BOURN_E_CRYPTO);
    assert_int_equal(merkle_checkpoint_open(slice_of(NULL, 0), &log_key, &c), BOURN_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(keys),
        cmocka_unit_test(strict_body),
        cmocka_unit_test(signature_lines),
        cmocka_unit_test(every_altered_byte_is_refused),
        cmocka_unit_test(cosignature_times),
        cmocka_unit_test(keys_of_the_wrong_kind),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, setup, NULL) : 1;
}
