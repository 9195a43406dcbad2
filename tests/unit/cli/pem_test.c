/* Key files: the vector of RFC 8410, the form of openssl, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 8410 section 10.3, and the public key of section 10.1. */
#define RFC_KEY                                                                                              \
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"        \
    "-----END PRIVATE KEY-----\n"

static void test_rfc(void **state)
{
    (void)state;
    uint8_t seed[32], public_key[32], secret[64];
    struct buf again, der;
    assert_int_equal(pem_get(slice_str(RFC_KEY), seed), BOURN_OK);
    crypto_sign_from_seed(public_key, secret, seed);
    buf_init(&der, 64);
    assert_true(base64_get(slice_str("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="), &der));
    assert_int_equal(der.n, 44);
    assert_memory_equal(der.p + 12, public_key, 32);
    buf_init(&again, 4096);
    pem_put(&again, seed);
    assert_true(slice_is(buf_slice(&again), RFC_KEY));
    buf_release(&again);
    buf_release(&der);
}

static void refused(const char *text)
{
    uint8_t seed[32];
    assert_int_equal(pem_get(slice_str(text), seed), BOURN_E_FORMAT);
}

static void test_refused(void **state)
{
    (void)state;
    refused("");
    refused("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n");
    refused("-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n");
    refused("-----BEGIN PRIVATE KEY-----");
    /* X25519 (1.3.101.110) instead of Ed25519, one byte short, trailing bytes, no base64 */
    refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
            "-----END PRIVATE KEY-----\n");
    refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVg=\n"
            "-----END PRIVATE KEY-----\n");
    refused(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCAA==\n"
        "-----END PRIVATE KEY-----\n");
    refused("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n");
    refused("-----BEGIN ENCRYPTED PRIVATE "
            "KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
            "-----END ENCRYPTED PRIVATE KEY-----\n");
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/bourn-pem-XXXXXX", path[64];
    uint8_t seed[32] = {1, 2, 3}, other[32] = {9}, got[32];
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    assert_int_equal(pem_read(path, got), BOURN_E_NOT_FOUND);
    assert_int_equal(pem_write_new(path, seed), BOURN_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pem_write_new(path, other), BOURN_E_EXISTS);
    assert_int_equal(pem_read(path, got), BOURN_OK);
    assert_memory_equal(got, seed, 32);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(pem_read(path, got), BOURN_E_DENIED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    if (crypto_init() != BOURN_OK)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
