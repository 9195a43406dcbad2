/* Private to src/crypto: what crypto_init prepares for the other files. */
#ifndef BOURN_CRYPTO_PROCESS_H
#define BOURN_CRYPTO_PROCESS_H

#include "base/err.h"

/* Fetches the cipher once, so that no later call looks for providers or files. Idempotent. */
enum bourn_err aead_init(void) BOURN_MUST_USE;

#endif
