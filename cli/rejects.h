/* Where an import puts the rows that it left out: FILE.rejects beside the input (for standard input
 * ./import.rejects), mode 0600, one JSON object a line: {"line":N,"reason":"…","row":…}. `row` is the row as
 * an object, or, where it could not be read as one, its text ("row_base64" if that is not UTF-8). The reasons
 * also go to standard error, the first twenty of them; they hold no values. */
#ifndef BOURN_CLI_REJECTS_H
#define BOURN_CLI_REJECTS_H

#include "base/buf.h"

#include <stdio.h>

#define REJECTS_SHOWN_MAX 20

struct rejects {
    char *path; /* made with the first one */
    FILE *file;
    uint64_t n;
    bool failed; /* the file could not be written: said once */
};
enum bourn_err rejects_init(struct rejects *r, const char *input) BOURN_MUST_USE;
void rejects_add(struct rejects *r, uint64_t line, struct slice reason, struct slice row, bool object);
/* Flushes and closes; false if anything of it could not be written. */
bool rejects_close(struct rejects *r);
void rejects_release(struct rejects *r);

#endif
