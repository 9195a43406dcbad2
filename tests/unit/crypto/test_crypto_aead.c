/* AES-256-GCM: published vectors are opened, what is sealed opens again, and no altered byte passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/text.h"
#include "crypto/crypto.h"

/* The AES-256 cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST's SP
 * 800-38D points to. */
static void published_vectors(void **state)
{
    (void)state;
    static const char key2[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char text[] =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662898015ad";
    static const char plain[] =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b391aafd255";
    const struct {
        const char *key, *nonce, *aad, *cipher, *plain, *tag;
        size_t text_len, aad_len;
    } cases[] = {
        {zero, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b", 0, 0},
        {zero, "000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18", zero,
         "d0d1c8a799996bf0265b98b5d48ab919", 16, 0},
        {key2, "cafebabefacedbaddecaf888", "", text, plain, "b094dac5d93471bdec1a502270e3cc6c", 64, 0},
        {key2, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", text, plain,
         "76fc6ece0f4e1768cddf8853bb2d551b", 60, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[32], aad[32], want[64], got[64], sealed[128];
        size_t n = cases[i].text_len;
        assert_true(hex_get(slice_of(cases[i].key, 64), key, 32));
        assert_true(hex_get(slice_str(cases[i].aad), aad, cases[i].aad_len));
        assert_true(hex_get(slice_of(cases[i].plain, 2 * n), want, n));
        assert_true(hex_get(slice_str(cases[i].nonce), sealed, 12));
        assert_true(hex_get(slice_of(cases[i].cipher, 2 * n), sealed + 12, n));
        assert_true(hex_get(slice_str(cases[i].tag), sealed + 12 + n, 16));
        assert_int_equal(crypto_open(got, key, slice_of(aad, cases[i].aad_len),
                                     slice_of(sealed, n + CRYPTO_SEAL_OVERHEAD)),
                         BOURN_OK);
        assert_memory_equal(got, want, n);
    }
}

static void round_trip_and_tampering(void **state)
{
    (void)state;
    uint8_t key[32], other[32], sealed[100 + CRYPTO_SEAL_OVERHEAD], plain[100], out[100];
    const uint8_t zeros[100] = {0};
    crypto_random(key, 32);
    crypto_random(other, 32);
    crypto_random(plain, sizeof plain);
    struct slice aad = slice_str("CN|label|people|1");
    for (size_t n = 0; n <= sizeof plain; n += 25) {
        struct slice whole = slice_of(sealed, n + CRYPTO_SEAL_OVERHEAD);
        assert_int_equal(crypto_seal(sealed, key, aad, slice_of(plain, n)), BOURN_OK);
        assert_int_equal(crypto_open(out, key, aad, whole), BOURN_OK);
        assert_memory_equal(out, plain, n);
        for (size_t bit = 0; bit < whole.n * 8; bit++) {
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            memset(out, 0xee, sizeof out);
            assert_int_equal(crypto_open(out, key, aad, whole), BOURN_E_CRYPTO);
            assert_memory_equal(out, zeros, n); /* nothing unauthenticated is left behind */
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < whole.n; cut++)
            assert_int_equal(crypto_open(out, key, aad, slice_of(sealed, cut)), BOURN_E_CRYPTO);
        assert_int_equal(crypto_open(out, other, aad, whole), BOURN_E_CRYPTO);
        assert_int_equal(crypto_open(out, key, slice_of(aad.p, aad.n - 1), whole), BOURN_E_CRYPTO);
        assert_int_equal(crypto_open(out, key, slice_of(NULL, 0), whole), BOURN_E_CRYPTO);
        assert_int_equal(crypto_open(out, key, aad, whole), BOURN_OK);
    }
}

/* AES-256-GCM by OpenSSL alone, whatever crypto_seal takes for a text of this length. */
static bool reference(uint8_t *out, const uint8_t key[32], struct slice aad, struct slice plain,
                      const uint8_t *nonce)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, aad.p, (int)aad.n) == 1 &&
              (!plain.n || EVP_EncryptUpdate(ctx, out, &n, plain.p, (int)plain.n) == 1) &&
              EVP_EncryptFinal_ex(ctx, out + plain.n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + plain.n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* Short and long texts may take different ways: every length around the place where they part gives the bytes
 * of one cipher, opens, and does not open when a byte is altered. */
static void every_length(void **state)
{
    (void)state;
    static uint8_t plain[2100], sealed[2100 + CRYPTO_SEAL_OVERHEAD], want[2100 + CRYPTO_TAG_BYTES],
        out[2100 + 1];
    static const uint8_t zeros[2100];
    uint8_t key[32];
    struct slice aad = slice_str("a context that is no multiple of sixteen");
    crypto_random(key, sizeof key);
    crypto_random(plain, sizeof plain);
    for (size_t n = 0; n <= sizeof plain; n += n < 600 ? 1 : 37) {
        struct slice whole = slice_of(sealed, n + CRYPTO_SEAL_OVERHEAD);
        assert_int_equal(crypto_seal(sealed, key, aad, slice_of(plain, n)), BOURN_OK);
        assert_true(reference(want, key, aad, slice_of(plain, n), sealed));
        assert_memory_equal(sealed + CRYPTO_NONCE_BYTES, want, n + CRYPTO_TAG_BYTES);
        out[n] = 0x5a;
        assert_int_equal(crypto_open(out, key, aad, whole), BOURN_OK);
        assert_memory_equal(out, plain, n);
        assert_int_equal(out[n], 0x5a); /* nothing behind the end is written */
        const size_t at[] = {0, CRYPTO_NONCE_BYTES, whole.n / 2, whole.n - 1};
        for (size_t i = 0; i < 4; i++) {
            sealed[at[i]] ^= 0x40;
            assert_int_equal(crypto_open(out, key, aad, whole), BOURN_E_CRYPTO);
            assert_memory_equal(out, zeros, n);
            sealed[at[i]] ^= 0x40;
        }
    }
}

static void nonces_differ(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static uint8_t sealed[COUNT][CRYPTO_SEAL_OVERHEAD];
    uint8_t key[32] = {1};
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(crypto_seal(sealed[i], key, slice_of(NULL, 0), slice_of(NULL, 0)), BOURN_OK);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(sealed[i], sealed[j], CRYPTO_NONCE_BYTES);
    }
}

static void *many(void *arg)
{
    uint8_t key[32], plain[64], sealed[64 + CRYPTO_SEAL_OVERHEAD], out[64];
    memset(key, *(const uint8_t *)arg, sizeof key);
    for (unsigned i = 0; i < 5000; i++) {
        memset(plain, (int)(i & 255), sizeof plain);
        key[0] = (uint8_t)i;
        if (crypto_seal(sealed, key, slice_str("t"), slice_of(plain, sizeof plain)) != BOURN_OK ||
            crypto_open(out, key, slice_str("t"), slice_of(sealed, sizeof sealed)) != BOURN_OK ||
            memcmp(out, plain, sizeof plain) != 0)
            return arg;
    }
    return NULL;
}

static void threads_do_not_share(void **state)
{
    (void)state;
    pthread_t t[4];
    uint8_t id[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, many, &id[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = t;
        assert_int_equal(pthread_join(t[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),    cmocka_unit_test(round_trip_and_tampering),
        cmocka_unit_test(every_length),         cmocka_unit_test(nonces_differ),
        cmocka_unit_test(threads_do_not_share),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
