/* Numbers of people who were looked up lately, by the keyed hash of their identifier: what a walk through the
 * tree of identifiers would find. It only guesses: of a hash it keeps some bits, and nobody tells it who was
 * erased. So whoever takes a number from it loads the person and looks for the identifier in their sealed
 * state. */
#ifndef BOURN_VAULT_KNOWN_H
#define BOURN_VAULT_KNOWN_H

#include "base/err.h"
#include "base/slice.h"

#define KNOWN_NONE UINT64_MAX

struct known; /* of one size, whatever the number of people: KNOWN_PEOPLE_MAX */

enum bourn_err known_new(struct known **out) BOURN_MUST_USE;
void known_free(struct known *k);
void known_prefetch(const struct known *k, const uint8_t hash[32]); /* it will be asked for soon: a hint */
/* KNOWN_NONE: ask the store. */
uint64_t known_get(const struct known *k, const uint8_t hash[32], uintptr_t *near);
void known_put(struct known *k, const uint8_t hash[32], uint64_t number, uintptr_t near);
/* The row at `near` and the one behind it, which lies below it in LMDB's pages, will be read soon. */
void known_prefetch_row(uintptr_t near);

#endif
