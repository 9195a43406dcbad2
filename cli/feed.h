/* The rows of an input, CSV, NDJSON, a JSON array or what `bourn export` wrote, one after the other: each as
 * a JSON object, or bad with a reason. */
#ifndef BOURN_CLI_FEED_H
#define BOURN_CLI_FEED_H

#include "array.h"
#include "base/json.h"
#include "csv.h"

#define FEED_NAME_MAX 64

/* FEED_EXPORT is NDJSON whose rows are {"collection","id","version","data"}. */
enum feed_format { FEED_CSV, FEED_NDJSON, FEED_JSON, FEED_EXPORT };
struct feed {
    enum feed_format format;
    struct csv csv;
    struct array array;
    char (*name)[FEED_NAME_MAX + 1]; /* CSV: the header, csv.columns of them */
    struct buf json;
    uint8_t *data; /* NDJSON: a window on the input */
    size_t from, to;
    int fd;
    bool end, started;
    uint64_t line, bytes;
};
struct feed_row {
    uint64_t line;
    const char *reason;        /* bad; NULL: good */
    char text[256];            /* room for the reason */
    struct slice raw;          /* of a bad row: its bytes */
    struct slice json;         /* of a good row: an object on one line */
    struct slice collection;   /* export: the name that stands there */
    const struct slice *value; /* CSV: the values, csv.columns of them */
};

/* "csv", "ndjson", "json", "export", or NULL: by the end of the path (.ndjson, .jsonl, .json; everything else
 * is CSV). */
enum bourn_err feed_format(const char *path, const char *word, enum feed_format *out) BOURN_MUST_USE;
/* Reads the header of a CSV. The descriptor stays the caller's. */
enum bourn_err feed_open(struct feed *r, int fd, enum feed_format format) BOURN_MUST_USE;
void feed_close(struct feed *r);
enum bourn_err feed_next(struct feed *r,
                         struct feed_row *row) BOURN_MUST_USE; /* BOURN_E_NOT_FOUND at the end */
bool feed_has(const struct feed *r, const char *column);       /* CSV: the header names it; else true */
uint64_t feed_bytes(const struct feed *r);                     /* read so far */

#endif
