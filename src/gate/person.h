/* One person as the rows tell it: state that the vault keeps sealed and the verifier rebuilds, changed by the
 * same function in both. */
#ifndef BOURN_GATE_PERSON_H
#define BOURN_GATE_PERSON_H

#include "gate/world.h"

struct person_key {
    uint64_t index; /* of its key entry */
    uint32_t voucher;
    uint64_t voucher_ref;
    uint64_t ended; /* index of the entry that replaced or revoked it; UINT64_MAX while live */
    uint8_t public_key[32];
    bool known; /* public_key is set: always in the vault, in the verifier once the evidence was opened */
};
struct person {
    uint8_t label[16];
    uint64_t enrolled,
        head; /* indices: first entry, last entry with a row; head UINT64_MAX before the first */
    bool erased;
    uint64_t erased_index;
    uint32_t erased_by; /* enum of E_ASKED_BY */
    struct person_key *keys;
    size_t keys_n;
    struct gate_basis *bases; /* consents, ascending by index; each owns one allocation */
    size_t bases_n;
};
void person_init(struct person *p, const uint8_t label[16]);
void person_release(struct person *p);
/* Takes a row of entry `index` into account: chain, keys, consents, withdrawals, erasure. An `erased` row
 * that names collections is a step of the chain and no end. Where CONSENTS_PER_SUBJECT_MAX is reached,
 * withdrawn and expired consents are forgotten: they can satisfy nothing any more. Refuses (BOURN_E_CONFLICT,
 * *clause set, person unchanged) a wrong prev, anything before `enrolled` or after erasure, a second
 * enrolment, a withdrawal of what is not a live consent, an unknown or dead key. Does not run the gate. */
enum bourn_err person_apply(struct person *p, uint64_t index, const struct entry *e, const struct row *r,
                            const char **clause) BOURN_MUST_USE;
const struct gate_basis *person_consent(const struct person *p, uint64_t index); /* NULL if unknown */
const struct person_key *person_key(const struct person *p, uint64_t index);
/* Canonical CBOR of keys and bases (for the vault's sealed row), and back. */
void person_encode(struct buf *out, const struct person *p);
enum bourn_err person_decode(struct slice in, struct person *p) BOURN_MUST_USE;

/* What a consent row must agree with, in the world before its entry: recipients that are living parties,
 * destinations that are exactly their jurisdictions, collections and a notice that exist, issued <= the
 * entry's time < expires, and the limits of a statement's age and length. BOURN_E_CONFLICT with *clause set.
 */
enum bourn_err person_consent_check(const struct world *w, const struct entry *e, const struct row *r,
                                    const char **clause) BOURN_MUST_USE;

#endif
