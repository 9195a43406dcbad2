/* The world: everything a verdict reads that is not about a person, built from entries alone by one function
 * that the vault and the verifier share. */
#ifndef BOURN_GATE_WORLD_H
#define BOURN_GATE_WORLD_H

#include "gate/gate.h"

struct world_collection {
    uint64_t index; /* of its first entry */
    struct slice name;
    uint64_t version;
    bool sensitive;
    uint64_t retention;
    const struct entry_field *fields;
    size_t fields_n;
    const struct entry_rename *renames; /* of all versions so far, in their order */
    size_t renames_n;
};
struct world_notice {
    uint64_t index, version;
    struct slice name, language;
    uint8_t hash[32];
};
struct world; /* opaque */

struct world *world_new(void);
void world_free(struct world *w);

/* Takes the entry at `index` into account. Kinds that are not policy, collection, config, party, notice or
 * genesis only move the clock. `bytes` is the entry's encoding; the world keeps its own copy. On a violation
 * (first entry not genesis, a second genesis, time earlier than the last, a name in use, an unknown party
 * ended, a pack that does not decode) BOURN_E_CONFLICT or BOURN_E_FORMAT with the reason, and the world is
 * unchanged. *clause is then the pledge clause that is violated, e.g. "S3" (a constant string). */
enum bourn_err world_apply(struct world *w, uint64_t index, const struct entry *e, struct slice bytes,
                           const char **clause) BOURN_MUST_USE;

uint64_t world_time(const struct world *w); /* of the last entry */
struct slice world_origin(const struct world *w);
struct slice world_domicile(const struct world *w);
struct slice world_controller(const struct world *w, struct slice *contact);
uint64_t world_delay_s(const struct world *w);
const struct entry *world_genesis(const struct world *w); /* NULL before it */
/* The entry by which the log took over from another one, NULL if it did not (of several the last): its index,
 * and that of the last `carried` entry behind it. world_origin is the name since then. */
const struct entry *world_continued(const struct world *w, uint64_t *index, uint64_t *carried_until);
const struct entry *world_before_continued(const struct world *w); /* what named that log: its keys */
bool world_log_key(const struct world *w, const uint8_t key[32]);  /* one of the log, by genesis or since */

/* By index of the entry; NULL if there is none. Ended parties are found: look at ->ended. */
const struct gate_party *world_party(const struct world *w, uint64_t index);
/* By name, the live one; NULL if none. */
const struct gate_party *world_party_named(const struct world *w, struct slice name);
/* The schema in force at `time`; NULL if none by that name. */
const struct world_collection *world_collection(const struct world *w, struct slice name, uint64_t time);
/* The newest schema by that name, in force or not yet; NULL if none. */
const struct world_collection *world_collection_newest(const struct world *w, struct slice name);
const struct world_notice *world_notice(const struct world *w, uint64_t index);
const struct world_notice *world_notice_named(const struct world *w, struct slice name,
                                              struct slice language);
struct slice world_setting(const struct world *w, const char *name); /* p NULL if unset */

/* The packs in force at `time` for an entry at `index` (of each name the newest whose delay has run),
 * ascending by index, at most PACKS_MAX; and for comparison with E_POLICY their indices. Valid until the next
 * world_apply. */
size_t world_packs(const struct world *w, uint64_t index, uint64_t time, const struct gate_pack **packs,
                   uint64_t *indices);
/* Iterates over all parties, collections (first entries) and packs ever, by position; NULL at the end. */
const struct gate_party *world_party_at(const struct world *w, size_t i);
const struct world_collection *world_collection_at(const struct world *w, size_t i);
struct world_policy {
    uint64_t index, takes_effect; /* POSIX seconds */
    const struct gate_pack *pack;
    uint8_t pin[32]; /* SHA-256("bourn pack v1\n" || uint32 BE length of yaml || yaml || rules) */
};
const struct world_policy *world_policy_at(const struct world *w, size_t i);
/* The pin of a pack, as the verifier's user names it. */
enum bourn_err world_pin(uint8_t out[32], struct slice yaml, struct slice rules) BOURN_MUST_USE;

#endif
