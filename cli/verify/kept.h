/* Receipts, events and proofs that a party kept: read, and checked by themselves. */
#ifndef BOURN_CLI_VERIFY_KEPT_H
#define BOURN_CLI_VERIFY_KEPT_H

#include "merkle/merkle.h"

enum { KEPT_MAX = 1024 };
struct kept {
    struct merkle_receipt said[KEPT_MAX];
    const char *file[KEPT_MAX];
    bool proof[KEPT_MAX];
    struct slice event[KEPT_MAX]; /* its lines, given back by kept_release; none: it is no event */
    uint64_t rows[KEPT_MAX];      /* of a proof */
    size_t n;
};
enum bourn_err kept_add(struct kept *k, const char *file,
                        bool proof) BOURN_MUST_USE; /* only notes the name */
/* Reads all of them and checks each against the key. BOURN_E_CRYPTO: one does not hold. */
enum bourn_err kept_read(struct kept *k, const struct merkle_vkey *key) BOURN_MUST_USE;
void kept_release(struct kept *k);
void kept_report(struct buf *out, const struct kept *k, bool json);

#endif
