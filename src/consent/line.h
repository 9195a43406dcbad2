/* Text in statements. Internal to consent; apart from jsonc.h, because base/json.h and jansson both name
 * JSON_OBJECT. */
#ifndef BOURN_CONSENT_LINE_H
#define BOURN_CONSENT_LINE_H

#include "base/buf.h"

/* One line of text that shows as it is: UTF-8 without control characters, line separators and marks that turn
 * the direction of writing, with which a name could pretend to be another part of what a person signs. */
bool line_ok(struct slice s);
void line_put_json(struct buf *out, struct slice s); /* json_put_string of base/json.h */

#endif
