/* Random bytes that are the same in every run, put in the place of the real ones at link time (--wrap), so
 * that an input means the same everywhere. Nothing here keeps a secret. */
#include "fuzz.h"

#include "crypto/crypto.h"

#include <stdatomic.h>

static _Atomic uint64_t counter;

void __wrap_crypto_random(void *out, size_t n);
void __wrap_bourn_crypto_sign_keypair(uint8_t public_key[32], uint8_t secret[64]);

void __wrap_crypto_random(void *out, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t z = (atomic_fetch_add(&counter, 1) + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        memcpy((uint8_t *)out + i, &z, n - i < 8 ? n - i : 8);
    }
}

void __wrap_bourn_crypto_sign_keypair(uint8_t public_key[32], uint8_t secret[64])
{
    uint8_t seed[32];
    __wrap_crypto_random(seed, sizeof seed);
    crypto_sign_from_seed(public_key, secret, seed);
}
