/* What an event says of a `disclosed` entry (docs/formats/events.md): written by the vault, compared by the
 * verifier. */
#ifndef BOURN_GATE_EVENT_H
#define BOURN_GATE_EVENT_H

#include "cbor/entry.h"

/* The lines before the labels: told is the index of the party's entry, people the number of labels. */
void event_head_put(struct buf *out, uint64_t told, const struct entry *e, uint64_t people);
void event_label_put(struct buf *out, const uint8_t label[16]);
/* Whether the lines are an event of this entry, and the labels ascend. With its rows (a rows_next stream; p
 * NULL: not given) whether each label is in them. */
bool event_is_of(struct slice lines, const struct entry *e, struct slice rows);

#endif
