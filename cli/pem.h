/* A person's signing key in a file: Ed25519 as PKCS#8 in PEM (RFC 8410 section 7, RFC 7468), mode 0600, as
 * `openssl genpkey -algorithm ed25519` writes it. */
#ifndef BOURN_CLI_PEM_H
#define BOURN_CLI_PEM_H

#include "base/buf.h"

/* Makes the file durably; BOURN_E_EXISTS if there is one. */
enum bourn_err pem_write_new(const char *path, const uint8_t seed[32]) BOURN_MUST_USE;
/* BOURN_E_FORMAT for every other key and form; BOURN_E_DENIED if others may read the file. */
enum bourn_err pem_read(const char *path, uint8_t seed[32]) BOURN_MUST_USE;
/* The text of the file, and back. */
void pem_put(struct buf *out, const uint8_t seed[32]);
enum bourn_err pem_get(struct slice text, uint8_t seed[32]) BOURN_MUST_USE;

#endif
