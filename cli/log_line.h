/* One ledger entry as a line: for a person, or as JSON. */
#ifndef BOURN_CLI_LOG_LINE_H
#define BOURN_CLI_LOG_LINE_H

#include "cbor/entry.h"

struct log_party {
    uint64_t index;
    char name[65];
};
/* The parties met so far, so that entries can name them. */
struct log_parties {
    struct log_party *p; /* malloc */
    size_t n;
};
enum bourn_err log_parties_keep(struct log_parties *l, uint64_t index, const struct entry *e) BOURN_MUST_USE;
/* Append a line with its end. */
void log_line_text(struct buf *out, const struct log_parties *l, uint64_t index, const struct entry *e);
void log_line_json(struct buf *out, const struct log_parties *l, uint64_t index, const struct entry *e);

#endif
