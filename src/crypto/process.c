#include <sodium.h>

#include "crypto/crypto.h"
#include "crypto/process.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

/* Leak checking attaches to its own process, which a process that is not dumpable forbids. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

static void from_kernel(uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        /* Without random numbers nothing that follows would be safe, in no caller. */
        bourn_assert(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/* Salts and nonces are asked for a few bytes at a time, several a request: the thread that called crypto_init
 * gets them from a pool in guarded memory. What is handed out is wiped there; a child that is forked starts
 * with an empty one. Keys always come from the kernel itself. */
enum { POOL_BYTES = 2048, POOL_SHARE_MAX = 24 };
static _Thread_local uint8_t *pool;
static _Thread_local size_t pool_left;

static void drop_pool(void)
{
    if (pool)
        sodium_memzero(pool, POOL_BYTES);
    pool_left = 0;
}

static enum bourn_err make_pool(void)
{
    static bool registered;
    if (!registered && pthread_atfork(NULL, NULL, drop_pool) != 0)
        return err_set(BOURN_E_MEMORY, "no memory to guard the pool of random bytes");
    registered = true;
    if (!pool)
        pool = crypto_secret_alloc(POOL_BYTES);
    return pool ? BOURN_OK : err_set(BOURN_E_MEMORY, "no guarded memory for the pool of random bytes");
}

void crypto_random(void *out, size_t n)
{
    if (!pool || n > POOL_SHARE_MAX) {
        from_kernel(out, n);
        return;
    }
    if (pool_left < n) {
        from_kernel(pool, POOL_BYTES);
        pool_left = POOL_BYTES;
    }
    pool_left -= n;
    memcpy(out, pool + pool_left, n);
    sodium_memzero(pool + pool_left, n);
}

/* libsodium's own source opens /dev/urandom on its first use, which the sandbox forbids. */
static const char *random_name(void)
{
    return "getrandom";
}
static uint32_t random_word(void)
{
    uint32_t v;
    crypto_random(&v, sizeof v);
    return v;
}
static void random_bytes(void *const out, const size_t n)
{
    crypto_random(out, n);
}
static struct randombytes_implementation random_source = {
    .implementation_name = random_name, .random = random_word, .buf = random_bytes};

static enum bourn_err forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return err_sys(BOURN_E_INTERNAL, "cannot forbid core dumps (setrlimit RLIMIT_CORE)");
    if (!UNDER_SANITIZER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_sys(BOURN_E_INTERNAL, "cannot forbid core dumps (prctl PR_SET_DUMPABLE)");
    return BOURN_OK;
}

enum bourn_err crypto_init(void)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(forbid_dumps());
    if (randombytes_set_implementation(&random_source) != 0 || sodium_init() < 0)
        return err_set(BOURN_E_CRYPTO, "libsodium does not initialise; reinstall it");
    /* The system's openssl.cnf may name engines and providers; the vault takes none of them. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1)
        return err_set(BOURN_E_CRYPTO, "OpenSSL does not initialise; reinstall it");
    TRY(aead_init());
    TRY(make_pool());
out:
    return err;
}

void crypto_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

void *crypto_secret_alloc(size_t n)
{
    /* The block ends at a guard page, so only a rounded size keeps it aligned. */
    return n <= SIZE_MAX - 15 ? sodium_malloc((n + 15) & ~(size_t)15) : NULL;
}

void crypto_secret_free(void *p)
{
    sodium_free(p);
}
