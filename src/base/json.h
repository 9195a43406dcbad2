/* JSON (RFC 8259), strict: a scanner that slices without building a tree, and a writer.
 * The scanner refuses duplicate names within an object (at the level that the caller walks), wrong UTF-8,
 * lone surrogates, control characters, nesting over JSON_DEPTH_MAX and anything after the value. */
#ifndef BOURN_BASE_JSON_H
#define BOURN_BASE_JSON_H

#include "base/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    struct slice raw; /* the value's own text within the input: strings with their quotes */
};

struct json_member {
    struct slice name; /* raw text of the name with its quotes */
    struct json_value value;
};

/* Checks that `text` is exactly one JSON value with optional white space around it. On failure err_text()
 * names the byte offset and the reason. */
enum bourn_err json_check(struct slice text, struct json_value *out) BOURN_MUST_USE;

/* Walks the members of an object, or elements of an array, of a value that json_check accepted.
 * Start with *at = 0; false at the end. For arrays the name is empty. */
bool json_next(struct json_value container, size_t *at, struct json_member *out);

/* Appends the decoded bytes (UTF-8) of a string value or name (raw text with quotes) to out. */
void json_string_decode(struct slice raw, struct buf *out);
/* True if the string's decoded bytes equal s. */
bool json_string_is(struct slice raw, struct slice s);

/* Finds a member by name; false if absent. */
bool json_find(struct json_value object, const char *name, struct json_value *out);

/* Writes s as a JSON string with quotes, in the form of RFC 8785 section 3.2.2.2. s must be valid UTF-8. */
void json_put_string(struct buf *b, struct slice s);

#endif
