/* The elements of one JSON array, one after the other, in constant memory: only the element at hand is kept,
 * on one line, without the white space around its tokens. The end of an element is found by counting brackets
 * outside of strings; whether it is a JSON object is then the strict scanner's word (base/json.h).
 *
 * An element that is none is a *bad row*: reported with the line it begins on and a reason that holds none of
 * its values. What is wrong with the array itself (no bracket at its start, none at its end, text behind it)
 * is an error, since nothing more can be read then. */
#ifndef BOURN_CLI_ARRAY_H
#define BOURN_CLI_ARRAY_H

#include "base/buf.h"
#include "base/json.h"

struct array {
    int fd;
    uint8_t *data;
    size_t from, to;
    uint64_t line, bytes; /* line of the byte at `from`, from 1; bytes taken from the input so far */
    bool end, begun, done;
    struct buf element;
};
struct array_row {
    uint64_t line;
    const char *reason; /* of a bad row; NULL for a good one */
    char text[256];     /* room for it */
    struct slice raw;   /* the element on one line (of one that is too long, its beginning) */
};

enum bourn_err array_open(struct array *a, int fd) BOURN_MUST_USE; /* the descriptor stays the caller's */
void array_close(struct array *a);
/* The next element, good or bad; its slices live until the next call. BOURN_E_NOT_FOUND at the end. */
enum bourn_err array_next(struct array *a, struct array_row *row) BOURN_MUST_USE;

#endif
