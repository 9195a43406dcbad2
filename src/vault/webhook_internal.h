/* What the files about webhooks share. */
#ifndef BOURN_VAULT_WEBHOOK_INTERNAL_H
#define BOURN_VAULT_WEBHOOK_INTERNAL_H

#include "cbor/entry.h"
#include "vault/internal.h"

enum told { TOLD_NEVER, TOLD, TOLD_SILENT, TOLD_REFUSED, TOLD_DAMAGED }; /* of the last try */

struct webhook {    /* a place; one whose answer is still out is not given to another party */
    uint64_t party; /* index of its entry; 0: none */
    uint64_t since; /* index of the entry that began it: told of what stands behind */
    uint64_t mark;  /* entries below were looked at, and the party has answered */
    char url[WEBHOOK_URL_BYTES_MAX + 1];
    struct wish *wish;  /* the event of the entry at the mark, while it is signed … */
    struct buf event;   /* … and from then on until the party has answered 2xx */
    bool posted, stale; /* its answer is out; it is not about this event any more */
    uint64_t asked;     /* the party that was posted to last */
    uint64_t due_ms;    /* not before */
    unsigned failures;  /* in a row */
    enum told told;
};
struct webhooks {
    struct webhook of[WEBHOOKS_MAX];
    uint8_t key[32];    /* seals URLs in the store */
    struct buf origins; /* that the relay was started for, a line each */
    size_t first;       /* looks at entries first in the next turn */
    uint64_t rest_until_ns;
    uint64_t signed_size; /* as last seen */
    struct arena arena;   /* of the entry at hand */
    struct buf bytes, group, lines;
    struct buf bundle; /* that entries were looked for in last; empty: none */
    size_t bundle_at;  /* in it: of the entry `bundle_next` */
    uint64_t bundle_next;
};

/* webhook_event.c. Looks at the entry at the mark: learns from it whose people are whose, and leaves in
 * `lines` what the party is told of it, nothing if it is not told. */
enum bourn_err webhook_look(struct vault *v, const struct webhook *h, uint64_t flushed) BOURN_MUST_USE;
/* The mark is kept with what was learned below it: both are in the store, and in no frame of the journal. */
enum bourn_err webhook_mark_read(struct vault *v, struct webhook *h) BOURN_MUST_USE;
enum bourn_err webhook_mark_write(struct vault *v, const struct webhook *h) BOURN_MUST_USE;

/* webhook.c. The place is set, its party lives, and its URL is one that the relay can reach. */
bool webhook_lives(const struct vault *v, const struct webhook *h);
bool webhook_reachable(const struct webhooks *w, const struct webhook *h);

#endif
