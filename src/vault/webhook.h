/* Parties at home that are told of each disclosure about their people (docs/formats/events.md). Nothing is
 * queued: each webhook has a mark in the ledger, and what it is told is made anew from the entry there,
 * signed by the log's key, and brought by the relay; the mark moves once the party has answered 2xx. Owned by
 * the vault's thread. */
#ifndef BOURN_VAULT_WEBHOOK_H
#define BOURN_VAULT_WEBHOOK_H

#include "base/buf.h"

struct vault;
struct webhooks;

enum bourn_err webhooks_new(struct vault *v) BOURN_MUST_USE; /* as v->webhooks; none set */
void webhooks_free(struct webhooks *w);                      /* before the worker: an event may be with it */
/* Takes over what the store says; also after it was rolled back: what is under way is told again. */
enum bourn_err webhooks_load(struct vault *v) BOURN_MUST_USE;
/* Stages that nobody is told for this party any more, which ends. */
enum bourn_err webhooks_end(struct vault *v, uint64_t party) BOURN_MUST_USE;
/* A bounded piece of work, while no batch is open: entries looked at, an event asked for, signed or posted.
 */
enum bourn_err webhooks_turn(struct vault *v) BOURN_MUST_USE;
/* When webhooks_turn wants to be called again at the latest, in ms; UINT_MAX while it does not matter. */
unsigned webhooks_next_ms(const struct vault *v);
/* The answer of one; status 0: there was none. */
enum bourn_err webhooks_posted(struct vault *v, uint32_t place, uint32_t status) BOURN_MUST_USE;
void webhooks_origins(struct vault *v, struct buf *out); /* as vault_relay_urls */
void webhooks_status(const struct vault *v, struct buf *out);
void webhooks_metrics(const struct vault *v, struct buf *out);

#endif
