/* A streaming reader of CSV (RFC 4180) in constant memory: comma, double quotes, quotes doubled inside, line
 * ends LF or CRLF, also within quotes; a UTF-8 byte order mark is skipped, and lines without any byte too.
 *
 * What is not a row of that form is a *bad row*: reported with its line and a reason that holds none of its
 * values, and skipped. After a quote gone wrong the next row is looked for on the next line, so one stray
 * quote spoils one line and what looks like a continuation is reported by its own line. */
#ifndef BOURN_CLI_CSV_H
#define BOURN_CLI_CSV_H

#include "base/buf.h"
#include "base/limits.h"

#define CSV_ROW_BYTES_MAX RECORD_BYTES_MAX

struct csv {
    int fd;
    uint8_t *data; /* holds at least one whole row of the largest size */
    size_t from, to;
    bool end, started;
    uint64_t line;  /* of the byte at `from`, from 1 */
    uint64_t bytes; /* taken from the input so far */
    size_t columns; /* 0 until the first row: then every row must have as many */
    struct buf values;
    struct slice *value; /* FIELDS_PER_COLLECTION_MAX of them */
};
struct csv_row {
    uint64_t line;      /* where it starts */
    const char *reason; /* of a bad row; NULL for a good one */
    char reason_text[160];
    struct slice raw;          /* its bytes, without the line end (a bad row: its first line, perhaps cut) */
    const struct slice *value; /* `columns` decoded values; none of a bad row */
    size_t columns;
};

enum bourn_err csv_open(struct csv *c, int fd) BOURN_MUST_USE; /* the descriptor stays the caller's */
void csv_close(struct csv *c);
/* The next row, good or bad; its slices live until the next call. BOURN_E_NOT_FOUND at the end. The first
 * good row sets the number of columns. */
enum bourn_err csv_next(struct csv *c, struct csv_row *row) BOURN_MUST_USE;

#endif
