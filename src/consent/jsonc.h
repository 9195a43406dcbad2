/* jansson as this folder uses it. Internal to consent. base/json.h cannot stand beside it: both name
 * JSON_OBJECT. */
#ifndef BOURN_CONSENT_JSONC_H
#define BOURN_CONSENT_JSONC_H

#include "consent/line.h"

#include <jansson.h>

/* Parses strictly: no duplicate names, nothing after the value, UTF-8, no NUL in strings. NULL with
 * err_text() set; json_decref what it returns. */
json_t *jsonc_load(struct slice text);
/* Appends the canonical form (RFC 8785). */
enum bourn_err jsonc_canonical(const json_t *v, struct buf *out) BOURN_MUST_USE;
static inline struct slice jsonc_string(const json_t *v)
{
    return slice_of(json_string_value(v), json_string_length(v));
}

#endif
