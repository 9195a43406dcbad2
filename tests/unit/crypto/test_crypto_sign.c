/* Ed25519: RFC 8032's vectors, and everything a verifier must refuse. OpenSSL stands in for a verifier that
 * does not look at small orders, to show that the forgeries here are real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/text.h"
#include "crypto/crypto.h"

/* All fourteen encodings of the eight points of small order; the last six are not canonical. */
static const char *const small_order[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
enum { SMALL = 14, SMALL_CANONICAL = 8 };

static void from_hex(const char *hex, uint8_t *out, size_t n)
{
    assert_true(hex_get(slice_str(hex), out, n));
}

static void rfc8032(void **state)
{
    (void)state;
    static const struct {
        const char *seed, *pk, *message, *sig;
    } cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
         "d25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
         "387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
         "4a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t seed[32], want_pk[32], pk[32], secret[64], want[64], sig[64], message[2];
        size_t n = strlen(cases[i].message) / 2;
        from_hex(cases[i].seed, seed, 32);
        from_hex(cases[i].pk, want_pk, 32);
        from_hex(cases[i].sig, want, 64);
        from_hex(cases[i].message, message, n);
        crypto_sign_from_seed(pk, secret, seed);
        assert_memory_equal(pk, want_pk, 32);
        crypto_sign(sig, slice_of(message, n), secret);
        assert_memory_equal(sig, want, 64);
        assert_true(crypto_verify(sig, slice_of(message, n), pk));
        assert_true(crypto_public_key_ok(pk));
        for (size_t bit = 0; bit < 512; bit++) {
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(crypto_verify(sig, slice_of(message, n), pk));
            sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void fresh_keys(void **state)
{
    (void)state;
    uint8_t pk[2][32], secret[2][64], sig[64];
    for (int i = 0; i < 2; i++)
        crypto_sign_keypair(pk[i], secret[i]);
    assert_memory_not_equal(pk[0], pk[1], 32);
    crypto_sign(sig, slice_str("m"), secret[0]);
    assert_true(crypto_verify(sig, slice_str("m"), pk[0]));
    assert_false(crypto_verify(sig, slice_str("m"), pk[1]));
    assert_false(crypto_verify(sig, slice_str("n"), pk[0]));
}

static bool openssl_verifies(const uint8_t sig[64], struct slice m, const uint8_t pk[32])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pk, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, sig, 64, m.p, m.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

/* Under a small-order key A, R = S·B verifies for every message with h·A = 0: nobody holds a secret. */
static void small_order_keys(void **state)
{
    (void)state;
    unsigned real = 0;
    for (size_t i = 0; i < SMALL; i++) {
        uint8_t pk[32], sig[64];
        from_hex(small_order[i], pk, 32);
        assert_false(crypto_public_key_ok(pk));
        for (uint32_t tries = 0; tries < 64; tries++) {
            crypto_core_ed25519_scalar_random(sig + 32);
            assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(sig, sig + 32), 0);
            struct slice m = slice_of(&tries, sizeof tries);
            real += openssl_verifies(sig, m, pk);
            assert_false(crypto_verify(sig, m, pk));
        }
    }
    assert_true(real > 64); /* of 896; a quarter is to be expected */
}

/* R of small order under an honest key: with R the identity, S = h·a verifies for a verifier that does not
 * look. */
static void small_order_r(void **state)
{
    (void)state;
    uint8_t pk[32], secret[64], digest[64], a[32], h[32], sig[64];
    struct slice m = slice_str("message");
    crypto_sign_keypair(pk, secret);
    crypto_hash_sha512(digest, secret, 32);
    digest[0] &= 248;
    digest[31] = (uint8_t)((digest[31] & 127) | 64);
    memset(digest + 32, 0, 32);
    crypto_core_ed25519_scalar_reduce(a, digest);
    for (size_t i = 0; i < SMALL; i++) {
        from_hex(small_order[i], sig, 32);
        crypto_hash_sha512_state c;
        crypto_hash_sha512_init(&c);
        crypto_hash_sha512_update(&c, sig, 32);
        crypto_hash_sha512_update(&c, pk, 32);
        crypto_hash_sha512_update(&c, m.p, m.n);
        crypto_hash_sha512_final(&c, digest);
        crypto_core_ed25519_scalar_reduce(h, digest);
        crypto_core_ed25519_scalar_mul(sig + 32, h, a);
        if (i == 0)
            assert_true(openssl_verifies(sig, m, pk));
        assert_false(crypto_verify(sig, m, pk));
    }
}

static void non_canonical_s(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t pk[32], secret[64], sig[64];
    crypto_sign_keypair(pk, secret);
    crypto_sign(sig, slice_str("m"), secret);
    for (unsigned times = 1; times <= 7; times++) { /* S + times·L is the same scalar */
        unsigned carry = 0;
        for (size_t i = 0; i < 32; i++) {
            carry += sig[32 + i] + order[i];
            sig[32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_false(crypto_verify(sig, slice_str("m"), pk));
    }
}

static void odd_points(void **state)
{
    (void)state;
    uint8_t pk[32], secret[64], torsion[32], mixed[32], sig[64];
    crypto_sign_keypair(pk, secret);
    for (size_t i = 0; i < SMALL_CANONICAL; i++) { /* outside the prime subgroup, but for the identity */
        from_hex(small_order[i], torsion, 32);
        assert_int_equal(crypto_core_ed25519_add(mixed, pk, torsion), 0);
        assert_int_equal(crypto_public_key_ok(mixed), i == 0);
    }
    unsigned off_curve = 0, off_curve_refused = 0;
    for (unsigned y = 2; y < 40; y++) {
        uint8_t p[32] = {(uint8_t)y};
        if (crypto_core_ed25519_add(mixed, p, pk) == 0)
            continue;
        off_curve++;
        off_curve_refused += !crypto_public_key_ok(p);
        crypto_sign(sig, slice_str("m"), secret);
        assert_false(crypto_verify(sig, slice_str("m"), p));
    }
    assert_true(off_curve > 5);
    assert_int_equal(off_curve_refused, off_curve);
    for (unsigned y = 0xed; y <= 0xff; y++) { /* y + p for y in 0..18: a second spelling of the same point */
        uint8_t p[32];
        memset(p, 0xff, sizeof p);
        p[0] = (uint8_t)y;
        p[31] = 0x7f;
        assert_false(crypto_public_key_ok(p));
        p[31] = 0xff;
        assert_false(crypto_public_key_ok(p));
    }
}

/* What is remembered is never more than SOUND_KEYS_KEPT keys, and believed of no other bytes. */
static void remembered_keys(void **state)
{
    (void)state;
    enum { KEYS = 2 * SOUND_KEYS_KEPT };
    static struct crypto_sound_keys known;
    static uint8_t pk[KEYS][32];
    uint8_t secret[64], nothing[32] = {0}, small[32];
    assert_false(crypto_public_key_ok_again(&known, nothing)); /* as an empty place looks */
    for (size_t i = 0; i < KEYS; i++) {
        crypto_sign_keypair(pk[i], secret);
        assert_true(crypto_public_key_ok_again(&known, pk[i]));
    }
    size_t kept = 0, there = 0;
    for (size_t i = 0; i < SOUND_KEYS_KEPT; i++)
        kept += known.at[i].sound;
    for (size_t i = 0; i < KEYS; i++)
        for (size_t j = 0; j < SOUND_KEYS_KEPT; j++)
            there += known.at[j].sound && memcmp(known.at[j].key, pk[i], 32) == 0;
    assert_true(kept > SOUND_KEYS_KEPT / 2 && there == kept);
    /* One that is believed, to show that only its place is looked at; then every bit of it counts. */
    size_t place = (pk[0][0] | (size_t)pk[0][1] << 8) % SOUND_KEYS_KEPT;
    assert_true(crypto_public_key_ok_again(&known, pk[0]));
    assert_memory_equal(known.at[place].key, pk[0], 32);
    for (size_t bit = 0; bit < 256; bit++) {
        uint8_t other[32];
        memcpy(other, pk[0], 32);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(crypto_public_key_ok_again(&known, other), crypto_public_key_ok(other));
    }
    for (size_t i = 0; i < SMALL; i++)
        for (int again = 0; again < 2; again++) {
            from_hex(small_order[i], small, 32);
            assert_false(crypto_public_key_ok_again(&known, small));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8032),          cmocka_unit_test(fresh_keys),
        cmocka_unit_test(small_order_keys), cmocka_unit_test(small_order_r),
        cmocka_unit_test(non_canonical_s),  cmocka_unit_test(odd_points),
        cmocka_unit_test(remembered_keys),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
