/* The file of key slots: one fixed slot of 64 bytes a subject number, never reused. A slot holds the subject
 * key wrapped under the key epoch: epoch number (4, big-endian) || nonce (12) || wrapped key (32) || tag
 * (16). All zero: no key, or destroyed. Erasure zeroes in place. docs/formats/keys.md */
#ifndef BOURN_VAULT_SLOTS_H
#define BOURN_VAULT_SLOTS_H

#include "base/err.h"
#include "base/slice.h"

struct io_dir;
struct slots;

/* Makes keys/root.key (32 random bytes, 0600), keys/epoch.1 (an epoch key sealed under it, AAD: epoch number
 * and the cell's origin) and an empty keys/slots.1; synced. */
enum bourn_err slots_create(struct io_dir *cell, const char *origin) BOURN_MUST_USE;
/* Opens them; the epoch key lives in guarded memory. BOURN_E_DENIED if root.key's mode is not 0600,
 * BOURN_E_CORRUPT if it has not 32 bytes or the files do not belong together and to this origin. */
enum bourn_err slots_open(struct io_dir *cell, const char *origin, struct slots **out) BOURN_MUST_USE;
/* The same keys for a cell whose log has another name: a new root key, the epoch key and every slot sealed
 * anew for `to`. For a folder that is not in use yet: a crash leaves it useless. */
enum bourn_err slots_rename(struct io_dir *cell, const char *from, const char *to) BOURN_MUST_USE;
void slots_close(struct slots *s);

/* Index keys of the epoch, derived: for HMAC of identifiers, tokens etc. `use` is a short constant word. */
void slots_derive(const struct slots *s, const char *use, uint8_t out[32]);

/* Wraps `key` (32 bytes) for slot `number`; not durable before slots_sync, and neighbours go into the file
 * together, by then at the latest. AAD: origin, epoch, number. BOURN_E_FULL if the file cannot grow: nothing
 * changed, and it may be tried again. After any other error of put, zero or sync the process must exit: later
 * ones are BOURN_E_IO. */
enum bourn_err slots_put(struct slots *s, uint64_t number, const uint8_t key[32]) BOURN_MUST_USE;
/* BOURN_E_NOT_FOUND if the slot is zero or beyond the end; BOURN_E_CORRUPT if it does not open. */
enum bourn_err slots_get(struct slots *s, uint64_t number, uint8_t key[32]) BOURN_MUST_USE;
void slots_prefetch(const struct slots *s, uint64_t number); /* it will be asked for soon: a hint */
enum bourn_err slots_zero(struct slots *s, uint64_t number) BOURN_MUST_USE; /* durable after slots_sync */
/* Zeroes every slot >= count (recovery). */
enum bourn_err slots_zero_from(struct slots *s, uint64_t count) BOURN_MUST_USE;
/* One pass over the slots below count: zeroes those of erased people (an old file may have brought their keys
 * back); BOURN_E_CORRUPT if somebody who is not erased has none. */
enum bourn_err slots_reconcile(struct slots *s, uint64_t count,
                               bool (*erased)(const void *ctx, uint64_t number),
                               const void *ctx) BOURN_MUST_USE;
enum bourn_err slots_sync(struct slots *s) BOURN_MUST_USE;

#endif
