/* The cell as a client of witnesses: which there are (a `config` entry says so), what each has cosigned, and
 * what waits for that. Requests leave by way of the relay; what comes back is trusted only once its signature
 * was checked here. Owned by the vault's thread. */
#ifndef BOURN_VAULT_WITNESS_H
#define BOURN_VAULT_WITNESS_H

#include "base/buf.h"

struct vault;
struct witnesses;

enum release_level { RELEASE_DURABLE, RELEASE_SIGNED, RELEASE_COSIGNED };
/* Names of settings in `config` entries. */
#define SETTING_POLICY "witness_policy"                   /* C2SP tlog-policy, or empty */
#define SETTING_RELEASE "release_after"                   /* of disclosures in the country */
#define SETTING_RELEASE_TRANSFER "transfer_release_after" /* of those that cross the border */
#define SETTING_LAG "witness_lag_max_s"
/* The level of this name; false if there is none. */
bool release_level_get(struct slice name, enum release_level *out);

enum bourn_err witnesses_new(struct vault *v) BOURN_MUST_USE; /* as v->witnesses; no policy */
void witnesses_free(struct witnesses *w);
/* Reads the settings that are in force. Call it when a `config` entry was staged or taken back. */
enum bourn_err witnesses_configure(struct vault *v) BOURN_MUST_USE;
enum release_level witnesses_release(const struct vault *v, bool transfer);

/* Before the worker runs: from now on, until a quorum has cosigned the head, vault_asked is false. */
void witnesses_begin(struct vault *v);
/* A checkpoint was published, or time went by: posts what is due. */
enum bourn_err witnesses_turn(struct vault *v) BOURN_MUST_USE;
/* The same now and then, while no batch is open; also logs what the quorum signed, once it is time. */
enum bourn_err witnesses_tick(struct vault *v) BOURN_MUST_USE;
/* The quorum's reach: entries below this are cosigned; UINT64_MAX where no quorum is wanted. */
uint64_t witnesses_cosigned(const struct vault *v);
/* Since when the quorum is behind, in ms; 0 while it is not. */
uint64_t witnesses_lag_ms(const struct vault *v);
bool witnesses_late(const struct vault *v);                     /* longer than the setting allows */
void witnesses_status(const struct vault *v, struct buf *out);  /* members of a JSON object, comma first */
void witnesses_metrics(const struct vault *v, struct buf *out); /* Prometheus text */

#endif
