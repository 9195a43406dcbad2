/* SHA-256 against FIPS 180-4's examples, HMAC against RFC 4231, and the derivation against its definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/crypto.h"

static void expect_hex(const uint8_t got[32], const char *hex)
{
    uint8_t want[32];
    assert_true(hex_get(slice_str(hex), want, 32));
    assert_memory_equal(got, want, 32);
}

static void fips_examples(void **state)
{
    (void)state;
    uint8_t out[32];
    crypto_sha256_1(out, slice_str("abc"));
    expect_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256_1(out, slice_str(""));
    expect_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256_1(out, slice_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    expect_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    crypto_sha256_1(out, slice_of(million, sizeof million));
    expect_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void parts_are_concatenated(void **state)
{
    (void)state;
    uint8_t bytes[200], whole[32], split[32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    crypto_sha256_1(whole, slice_of(bytes, sizeof bytes));
    for (size_t i = 0; i <= sizeof bytes; i++) {
        const struct slice parts[] = {slice_of(bytes, i), slice_of(NULL, 0),
                                      slice_of(bytes + i, sizeof bytes - i)};
        crypto_sha256(split, parts, 3);
        assert_memory_equal(split, whole, 32);
    }
}

/* Around every number of blocks, and where the padding is no longer done here. */
static void a_prefix_is_one_byte_before(void **state)
{
    (void)state;
    uint8_t bytes[600], whole[32], out[32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11);
    for (size_t n = 0; n < sizeof bytes; n++) {
        const uint8_t prefix = (uint8_t)n;
        crypto_sha256(whole, (struct slice[]){slice_of(&prefix, 1), slice_of(bytes, n)}, 2);
        crypto_sha256_prefixed(out, prefix, slice_of(n ? bytes : NULL, n));
        assert_memory_equal(out, whole, 32);
    }
    crypto_sha256_prefixed(whole, 1, slice_of(bytes + 7, 64));
    crypto_sha256_pair(out, 1, bytes + 7, bytes + 39);
    assert_memory_equal(out, whole, 32);
}

/* Every length beside every other, to places that overlap nothing. */
static void many_are_as_each(void **state)
{
    (void)state;
    enum { N = 300 };
    static uint8_t bytes[N * 2], got[N + 1][32], whole[32];
    struct slice data[N];
    uint8_t *out[N];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 13 + i / 256);
    for (size_t step = 1; step <= 7; step++) {
        for (size_t i = 0; i < N; i++) {
            data[i] = slice_of(bytes + i % 7, i * step % N);
            out[i] = got[i];
        }
        for (size_t n = N; n > N - 5; n--) {
            memset(got, 0xee, sizeof got);
            crypto_sha256_prefixed_all(out, (uint8_t)step, data, n);
            for (size_t i = 0; i < n; i++) {
                uint8_t prefix = (uint8_t)step;
                crypto_sha256(whole, (struct slice[]){slice_of(&prefix, 1), data[i]}, 2);
                assert_memory_equal(got[i], whole, 32);
            }
            assert_int_equal(got[n][0], 0xee);
        }
    }
}

static void rfc4231(void **state)
{
    (void)state;
    uint8_t long_key[131], long_data[50], out[32];
    memset(long_key, 0xaa, sizeof long_key);
    memset(long_data, 0xdd, sizeof long_data);
    uint8_t key1[20];
    memset(key1, 0x0b, sizeof key1);
    const struct {
        struct slice key, data;
        const char *mac;
    } cases[] = {
        {slice_of(key1, 20), slice_str("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {slice_str("Jefe"), slice_str("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {slice_of(long_key, 20), slice_of(long_data, 50),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {slice_of(long_key, 131), slice_str("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {slice_of(long_key, 131),
         slice_str(
             "This is a test using a larger than block-size key and a larger than block-size data. The key "
             "needs to be hashed before being used by the HMAC algorithm."),
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        crypto_hmac(out, cases[i].key, &cases[i].data, 1);
        expect_hex(out, cases[i].mac);
        /* A kept state gives the same twice, however the data is cut. */
        struct crypto_mac m;
        crypto_mac_init(&m, cases[i].key.p, cases[i].key.n);
        for (size_t cut = 0; cut < 4; cut++) {
            const struct slice parts[] = {slice_of(cases[i].data.p, cut),
                                          slice_of(cases[i].data.p + cut, cases[i].data.n - cut)};
            crypto_mac(&m, out, parts, 2);
            expect_hex(out, cases[i].mac);
        }
    }
}

static void derivation(void **state)
{
    (void)state;
    uint8_t key[32], out[32], want[32];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    static const char message[] = "bourn key v1\0record\0context";
    struct slice m = slice_of(message, sizeof message - 1);
    crypto_hmac(want, slice_of(key, 32), &m, 1);
    crypto_derive(out, key, "record", slice_str("context"));
    assert_memory_equal(out, want, 32);
    expect_hex(out, "ba7766af0e80e845119faef34f91b5c71893286d75452f0fd0edbd8154d5d7d2");
    /* Use and context cannot run into each other. */
    crypto_derive(want, key, "recor", slice_str("dcontext"));
    assert_memory_not_equal(out, want, 32);
}

/* Every number of pairs around a group, to another place and to where they lie; nothing behind them changes.
 */
static void pairs_are_as_each(void **state)
{
    (void)state;
    enum { N = 40 };
    uint8_t in[N][64], there[N + 1][32], here[N][64], whole[32];
    for (size_t i = 0; i < sizeof in; i++)
        in[i / 64][i % 64] = (uint8_t)(i * 17 + i / 256);
    for (size_t n = 0; n <= N; n++) {
        memset(there, 0xee, sizeof there);
        memcpy(here, in, sizeof here);
        crypto_sha256_pairs(there[0], (uint8_t)n, in[0], n);
        crypto_sha256_pairs(here[0], (uint8_t)n, here[0], n);
        for (size_t i = 0; i < n; i++) {
            crypto_sha256_prefixed(whole, (uint8_t)n, slice_of(in[i], 64));
            assert_memory_equal(there[i], whole, 32);
            assert_memory_equal((const uint8_t *)here + 32 * i, whole, 32);
        }
        assert_int_equal(there[n][0], 0xee);
        assert_memory_equal((const uint8_t *)here + 32 * n, (const uint8_t *)in + 32 * n, sizeof in - 32 * n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fips_examples),
        cmocka_unit_test(parts_are_concatenated),
        cmocka_unit_test(a_prefix_is_one_byte_before),
        cmocka_unit_test(many_are_as_each),
        cmocka_unit_test(pairs_are_as_each),
        cmocka_unit_test(rfc4231),
        cmocka_unit_test(derivation),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
