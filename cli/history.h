/* A person's history as a cell answers it, checked: every hash, the chain, the checkpoint's signature. Pure:
 * no network, no file. */
#ifndef BOURN_CLI_HISTORY_H
#define BOURN_CLI_HISTORY_H

#include "cbor/entry.h"
#include "merkle/merkle.h"

struct history_party {
    uint64_t index;
    char name[65], jurisdiction[3];
    struct buf legal_name;
};
struct history {
    struct merkle_vkey key; /* of the log: set by the caller, with the label */
    uint8_t label[16];
    struct merkle_checkpoint cp; /* of the first page; its slices point into `note` */
    struct buf note;
    bool begun, ended; /* a page was taken; the first row of the person was */
    uint64_t next;     /* index of the row that must come next */
    uint64_t rows, disclosures;
    struct history_party *parties; /* malloc */
    size_t parties_n;
    struct buf text; /* lines, the newest first; `ends` holds where each ends */
    uint64_t *ends;  /* malloc */
    bool json;       /* lines are JSON objects */
};
void history_init(struct history *h, const struct merkle_vkey *key, const uint8_t label[16], bool json);
void history_release(struct history *h);
/* One page, the newest first. BOURN_E_FORMAT (not what a cell answers), BOURN_E_CRYPTO (a hash or signature
 * does not hold), BOURN_E_CONFLICT (a gap in the chain, or another person's row). */
enum bourn_err history_take(struct history *h, struct slice page) BOURN_MUST_USE;
/* The lines, the oldest first. */
void history_put(struct buf *out, const struct history *h);

/* history_words.c: one row in plain words, or as JSON. */
const struct history_party *history_party(const struct history *h, uint64_t index); /* NULL: not told */
void history_words(struct buf *out, const struct history *h, uint64_t index, const struct entry *e,
                   const struct row *r);
void history_json(struct buf *out, const struct history *h, uint64_t index, const struct entry *e,
                  const struct row *r);

#endif
