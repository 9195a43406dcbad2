/* Signing and verifying statements, and the form in which they travel. */
#include "base/limits.h"
#include "base/text.h"
#include "consent/consent.h"
#include "consent/jsonc.h"
#include "crypto/crypto.h"

void consent_digest(uint8_t out[32], struct slice canonical)
{
    crypto_sha256_1(out, canonical);
}

void consent_sign(uint8_t signature[64], struct slice canonical, const uint8_t secret[64])
{
    uint8_t digest[32];
    consent_digest(digest, canonical);
    crypto_sign(signature, slice_of(digest, sizeof digest), secret);
}

static bool fit(struct crypto_sound_keys *known, struct slice public_key)
{
    return public_key.n == CRYPTO_SIGN_PUBLIC_BYTES &&
           (known ? crypto_public_key_ok_again(known, public_key.p) : crypto_public_key_ok(public_key.p));
}

enum bourn_err consent_verify_again(struct crypto_sound_keys *known, struct slice canonical,
                                    struct slice signature, struct slice public_key)
{
    uint8_t digest[32];
    if (!fit(known, public_key))
        return err_set(BOURN_E_CRYPTO, "statement: the public key is not a sound Ed25519 key");
    consent_digest(digest, canonical);
    if (signature.n != CRYPTO_SIGNATURE_BYTES ||
        !crypto_verify(signature.p, slice_of(digest, sizeof digest), public_key.p))
        return err_set(BOURN_E_CRYPTO,
                       "statement: the signature is not that of this key over this statement");
    return BOURN_OK;
}

enum bourn_err consent_verify(struct slice canonical, struct slice signature, struct slice public_key)
{
    return consent_verify_again(NULL, canonical, signature, public_key);
}

static enum bourn_err get_bytes(const json_t *v, const char *name, size_t n, struct arena *a,
                                struct slice *out)
{
    uint8_t *to = arena_alloc(a, n);
    struct buf b;
    buf_init(&b, n);
    bool good = json_is_string(v) && base64url_get(jsonc_string(v), &b) && b.n == n;
    if (good && to)
        *out = slice_of(memcpy(to, b.p, n), n);
    buf_release(&b);
    if (!good)
        return err_set(BOURN_E_FORMAT, "signed statement: %zu bytes in base64url were expected at \"/%s\"", n,
                       name);
    return to ? BOURN_OK : err_set(BOURN_E_MEMORY, "signed statement: no memory left in the arena");
}

enum bourn_err signed_statement_get(struct slice json, struct arena *a, struct signed_statement *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf canonical;
    *out = (struct signed_statement){0};
    buf_init(&canonical, STATEMENT_BYTES_MAX);
    json_t *v = jsonc_load(json);
    const json_t *statement = json_object_get(v, "statement"), *key = json_object_get(v, "public_key"),
                 *signature = json_object_get(v, "signature");
    if (!v)
        return BOURN_E_FORMAT;
    if (!json_is_object(statement) || !key != !signature || json_object_size(v) != (key ? 3 : 1)) {
        err =
            err_set(BOURN_E_FORMAT, "signed statement: an object with \"statement\", and \"public_key\" and "
                                    "\"signature\" together or neither, was expected");
        goto out;
    }
    TRY(jsonc_canonical(statement, &canonical));
    if (key) {
        TRY(get_bytes(key, "public_key", CRYPTO_SIGN_PUBLIC_BYTES, a, &out->public_key));
        TRY(get_bytes(signature, "signature", CRYPTO_SIGNATURE_BYTES, a, &out->signature));
    }
    out->canonical = arena_copy(a, buf_slice(&canonical));
    err = out->canonical.p ? BOURN_OK
                           : err_set(BOURN_E_MEMORY, "signed statement: no memory left in the arena");
out:
    buf_release(&canonical);
    json_decref(v);
    return err;
}

void signed_statement_put(struct buf *out, const struct signed_statement *s)
{
    buf_put_u8(out, '{');
    if (s->signature.n) {
        buf_put_str(out, "\"public_key\":\"");
        base64url_put(out, s->public_key);
        buf_put_str(out, "\",\"signature\":\"");
        base64url_put(out, s->signature);
        buf_put_str(out, "\",");
    }
    buf_put_str(out, "\"statement\":");
    buf_put_slice(out, s->canonical);
    buf_put_u8(out, '}');
}
