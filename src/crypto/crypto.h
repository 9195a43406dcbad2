/* Cryptography: thin over OpenSSL 3 (AES-256-GCM, SHA-256, HMAC) and libsodium (Ed25519, random, guarded
 * memory). Contexts are per thread and reused. Every function is safe to call from any thread. */
#ifndef BOURN_CRYPTO_CRYPTO_H
#define BOURN_CRYPTO_CRYPTO_H

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

#define CRYPTO_HASH_BYTES 32
#define CRYPTO_KEY_BYTES 32
#define CRYPTO_NONCE_BYTES 12
#define CRYPTO_TAG_BYTES 16
#define CRYPTO_SEAL_OVERHEAD (CRYPTO_NONCE_BYTES + CRYPTO_TAG_BYTES)
#define CRYPTO_SIGN_PUBLIC_BYTES 32
#define CRYPTO_SIGN_SECRET_BYTES 64 /* libsodium's form: seed and public key */
#define CRYPTO_SIGNATURE_BYTES 64

/* Once per process before anything else (again does no harm). Afterwards no function here opens a file. Also
 * disables core dumps of the process: RLIMIT_CORE 0, PR_SET_DUMPABLE 0 (left alone under sanitizers, which
 * need to attach). */
enum bourn_err crypto_init(void) BOURN_MUST_USE;

void crypto_random(void *out, size_t n); /* getrandom(2); aborts if the kernel gives none */
void crypto_wipe(void *p, size_t n);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */

/* Guarded, locked memory for long-lived secrets, aligned to 16; NULL out of memory. Freed (and wiped) by
 * crypto_secret_free. */
void *crypto_secret_alloc(size_t n);
void crypto_secret_free(void *p);

/* SHA-256 (FIPS 180-4) of the concatenation of up to n parts. */
void crypto_sha256(uint8_t out[32], const struct slice *parts, size_t n);
static inline void crypto_sha256_1(uint8_t out[32], struct slice a)
{
    crypto_sha256(out, &a, 1);
}
/* Of one byte and data: what leaves and nodes of a tree are. Not for secrets: nothing is wiped. */
void crypto_sha256_prefixed(uint8_t out[32], uint8_t prefix, struct slice data);
/* n of them, data[i] to out[i]: cheaper than one by one. */
void crypto_sha256_prefixed_all(uint8_t *const *out, uint8_t prefix, const struct slice *data, size_t n);
void crypto_sha256_pair(uint8_t out[32], uint8_t prefix, const uint8_t a[32], const uint8_t b[32]);
/* Of n pairs that lie side by side, 64 bytes each, to 32 bytes each; `out` may be where `in` begins. */
void crypto_sha256_pairs(uint8_t *out, uint8_t prefix, const uint8_t *in, size_t n);

/* HMAC-SHA256 (RFC 2104) of the concatenation of n parts. `struct crypto_mac` keeps the hashed pads of one
 * key (105 ns a call instead of 2,400 through EVP HKDF); wipe it with crypto_wipe. */
struct crypto_mac {
    uint32_t inner[8], outer[8]; /* SHA-256 states after the pads */
};
void crypto_mac_init(struct crypto_mac *m, const uint8_t *key, size_t key_len);
void crypto_mac(const struct crypto_mac *m, uint8_t out[32], const struct slice *parts, size_t n);
/* One-shot forms. */
void crypto_hmac(uint8_t out[32], struct slice key, const struct slice *parts, size_t n);
/* Subkey: HMAC-SHA256(key, "bourn key v1" || 0x00 || use || 0x00 || context). `use` is a short constant word.
 */
void crypto_derive(uint8_t out[32], const uint8_t key[32], const char *use, struct slice context);

/* AES-256-GCM (NIST SP 800-38D) with a fresh random 96-bit nonce. Output: nonce || ciphertext || tag, plain.n
 * + CRYPTO_SEAL_OVERHEAD bytes. `out` must not overlap. */
enum bourn_err crypto_seal(uint8_t *out, const uint8_t key[32], struct slice aad,
                           struct slice plain) BOURN_MUST_USE;
/* Opens what crypto_seal made into out (sealed.n - overhead bytes). BOURN_E_CRYPTO if key, aad or bytes
 * differ, or too short; out is zeroed then. */
enum bourn_err crypto_open(uint8_t *out, const uint8_t key[32], struct slice aad,
                           struct slice sealed) BOURN_MUST_USE;

/* libsodium exports functions of these names with other parameters; at link time ours must not stand in for
 * them. */
#define crypto_sign bourn_crypto_sign
#define crypto_sign_keypair bourn_crypto_sign_keypair

/* Ed25519 (RFC 8032). Verification refuses small-order public keys and R, non-canonical S and points. */
void crypto_sign_keypair(uint8_t public_key[32], uint8_t secret[64]);
void crypto_sign_from_seed(uint8_t public_key[32], uint8_t secret[64], const uint8_t seed[32]);
void crypto_sign(uint8_t signature[64], struct slice message, const uint8_t secret[64]);
bool crypto_verify(const uint8_t signature[64], struct slice message, const uint8_t public_key[32]);
/* False for public keys that are of small order, off the curve, not canonical, or outside the prime-order
 * subgroup: such a key must never be enrolled, and a replay checks it again at each `key` entry. */
bool crypto_public_key_ok(const uint8_t public_key[32]);
/* The same for who meets keys again: those that were sound the last time are remembered, each in the one
 * place that its bytes choose, so that only the same 32 bytes are believed. Starts zeroed; one thread's. How
 * long it takes tells whether a key was seen before: not for where that is a secret. */
struct crypto_sound_keys {
    struct {
        uint8_t key[32];
        bool sound;
    } at[SOUND_KEYS_KEPT];
};
bool crypto_public_key_ok_again(struct crypto_sound_keys *known, const uint8_t public_key[32]);

#endif
