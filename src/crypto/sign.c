#include <sodium.h> /* first: crypto.h gives two of its names another meaning */

#include "crypto/crypto.h"

void crypto_sign_from_seed(uint8_t public_key[32], uint8_t secret[64], const uint8_t seed[32])
{
    bourn_assert(crypto_sign_ed25519_seed_keypair(public_key, secret, seed) == 0);
}

void crypto_sign_keypair(uint8_t public_key[32], uint8_t secret[64])
{
    uint8_t seed[32];
    crypto_random(seed, sizeof seed);
    crypto_sign_from_seed(public_key, secret, seed);
    crypto_wipe(seed, sizeof seed);
}

void crypto_sign(uint8_t signature[64], struct slice message, const uint8_t secret[64])
{
    bourn_assert(crypto_sign_ed25519_detached(signature, NULL, message.p, message.n, secret) == 0);
}

/* libsodium refuses S >= L, R and A of small order, and A that is not canonical or not on the curve; an R
 * that is not canonical cannot equal the one it recomputes. The tests hold it to each of these. */
bool crypto_verify(const uint8_t signature[64], struct slice message, const uint8_t public_key[32])
{
    return crypto_sign_ed25519_verify_detached(signature, message.p, message.n, public_key) == 0;
}

bool crypto_public_key_ok(const uint8_t public_key[32])
{
    /* The order L of the group's prime subgroup, little-endian. */
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t product[32];
    if (crypto_core_ed25519_is_valid_point(public_key) != 1)
        return false;
    /* Versions of libsodium let points of order 2L pass there (CVE-2025-69277). L times a point of the
     * subgroup is the identity, which the multiplication reports as an error. */
    return crypto_scalarmult_ed25519_noclamp(product, order, public_key) != 0;
}

bool crypto_public_key_ok_again(struct crypto_sound_keys *known, const uint8_t public_key[32])
{
    size_t i = (public_key[0] | (size_t)public_key[1] << 8) % SOUND_KEYS_KEPT;
    if (known->at[i].sound && memcmp(known->at[i].key, public_key, 32) == 0)
        return true;
    if (!crypto_public_key_ok(public_key))
        return false;
    memcpy(known->at[i].key, public_key, 32);
    known->at[i].sound = true;
    return true;
}
