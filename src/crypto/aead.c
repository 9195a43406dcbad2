#include <sodium.h>

#include "crypto/crypto.h"
#include "crypto/process.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>

/* Setting a key costs OpenSSL 400 ns or more, several times what a short text takes. Up to this length
 * libsodium is faster, where the processor has the instructions that it needs: the bytes are the same. */
enum { SHORT_BYTES_MAX = 640 };
static bool short_fast;
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == CRYPTO_NONCE_BYTES &&
                   crypto_aead_aes256gcm_ABYTES == CRYPTO_TAG_BYTES,
               "nonce and tag are those of libsodium");

static EVP_CIPHER *cipher;
static pthread_key_t at_thread_end;
/* One context a thread, re-keyed for each call: making one costs as much as sealing a kilobyte. It holds the
 * last key until the next call or the end of the thread; OpenSSL wipes it then. */
static _Thread_local EVP_CIPHER_CTX *thread_ctx;

static void free_ctx(void *ctx)
{
    EVP_CIPHER_CTX_free(ctx);
}

enum bourn_err aead_init(void)
{
    if (cipher)
        return BOURN_OK;
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!fetched)
        return err_set(BOURN_E_CRYPTO, "OpenSSL offers no AES-256-GCM; its default provider is missing");
    if (pthread_key_create(&at_thread_end, free_ctx) != 0) {
        EVP_CIPHER_free(fetched);
        return err_set(BOURN_E_MEMORY, "no thread key left for the cipher context");
    }
    cipher = fetched;
    short_fast = crypto_aead_aes256gcm_is_available();
    return BOURN_OK;
}

static EVP_CIPHER_CTX *get_ctx(void)
{
    bourn_assert(cipher); /* crypto_init comes first */
    if (thread_ctx)
        return thread_ctx;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL) == 1 &&
        pthread_setspecific(at_thread_end, ctx) == 0)
        return thread_ctx = ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* Everything after the key: aad, text, and in the end the tag, made or checked. */
static bool run(EVP_CIPHER_CTX *ctx, struct slice aad, struct slice in, uint8_t *out)
{
    int n = 0;
    uint8_t none[1];
    if (aad.n && EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1)
        return false;
    if (in.n && (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1 || n != (int)in.n))
        return false;
    return EVP_CipherFinal_ex(ctx, none, &n) == 1 && n == 0;
}

static bool too_long(struct slice aad, struct slice text)
{
    return aad.n > INT_MAX || text.n > INT_MAX;
}

enum bourn_err crypto_seal(uint8_t *out, const uint8_t key[32], struct slice aad, struct slice plain)
{
    EVP_CIPHER_CTX *ctx = get_ctx();
    if (!ctx)
        return err_set(BOURN_E_MEMORY, "no memory for a cipher context");
    if (too_long(aad, plain))
        return err_set(BOURN_E_LIMIT, "one sealed text holds at most %d bytes", INT_MAX);
    crypto_random(out, CRYPTO_NONCE_BYTES);
    uint8_t *text = out + CRYPTO_NONCE_BYTES;
    if (short_fast && plain.n <= SHORT_BYTES_MAX &&
        crypto_aead_aes256gcm_encrypt(text, NULL, plain.p, plain.n, aad.p, aad.n, NULL, out, key) == 0)
        return BOURN_OK;
    if (EVP_EncryptInit_ex(ctx, NULL, NULL, key, out) == 1 && run(ctx, aad, plain, text) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_BYTES, text + plain.n) == 1)
        return BOURN_OK;
    crypto_wipe(out, plain.n + CRYPTO_SEAL_OVERHEAD);
    return err_set(BOURN_E_INTERNAL, "AES-256-GCM failed to seal");
}

static enum bourn_err does_not_open(uint8_t *out, size_t n)
{
    crypto_wipe(out, n);
    return err_set(BOURN_E_CRYPTO, "sealed bytes do not open: another key, other context, or altered bytes");
}

enum bourn_err crypto_open(uint8_t *out, const uint8_t key[32], struct slice aad, struct slice sealed)
{
    if (sealed.n < CRYPTO_SEAL_OVERHEAD)
        return err_set(BOURN_E_CRYPTO, "sealed bytes are too short: %zu of at least %d", sealed.n,
                       CRYPTO_SEAL_OVERHEAD);
    struct slice text = slice_of(sealed.p + CRYPTO_NONCE_BYTES, sealed.n - CRYPTO_SEAL_OVERHEAD);
    if (short_fast && text.n <= SHORT_BYTES_MAX) {
        if (crypto_aead_aes256gcm_decrypt(out, NULL, NULL, text.p, text.n + CRYPTO_TAG_BYTES, aad.p, aad.n,
                                          sealed.p, key) == 0)
            return BOURN_OK;
        return does_not_open(out, text.n);
    }
    EVP_CIPHER_CTX *ctx = get_ctx();
    if (!ctx) {
        crypto_wipe(out, text.n);
        return err_set(BOURN_E_MEMORY, "no memory for a cipher context");
    }
    uint8_t tag[CRYPTO_TAG_BYTES];
    memcpy(tag, text.p + text.n, sizeof tag);
    if (!too_long(aad, text) && EVP_DecryptInit_ex(ctx, NULL, NULL, key, sealed.p) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_BYTES, tag) == 1 &&
        run(ctx, aad, text, out))
        return BOURN_OK;
    return does_not_open(out, text.n);
}
