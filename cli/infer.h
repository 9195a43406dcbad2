/* What a column holds, found by looking at all its values and changing none: the narrowest type that every
 * value has exactly as it is written (base/text.h has the forms; "007" and "+1" are text). Empty values say
 * nothing. */
#ifndef BOURN_CLI_INFER_H
#define BOURN_CLI_INFER_H

#include "base/json.h"
#include "cbor/entry.h"

/* Bit per enum field_type that all values seen so far allow; text always stays (json for NDJSON). */
struct infer {
    unsigned types;
    bool any; /* a value that is not empty was seen */
};
void infer_init(struct infer *f);
void infer_text(struct infer *f, struct slice value);      /* a CSV value */
void infer_json(struct infer *f, struct json_value value); /* an NDJSON value; null says nothing */
uint32_t infer_type(const struct infer *f);                /* enum field_type; text if nothing was seen */

#endif
