#include "feed.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA_BYTES (2 * (size_t)RECORD_BYTES_MAX)

static bool ends(const char *path, const char *with)
{
    size_t n = strlen(path), m = strlen(with);
    return n > m && strcmp(path + n - m, with) == 0;
}

enum bourn_err feed_format(const char *path, const char *word, enum feed_format *out)
{
    static const char *const words[] = {"csv", "ndjson", "json", "export"};
    *out = ends(path, ".ndjson") || ends(path, ".jsonl") ? FEED_NDJSON
           : ends(path, ".json")                         ? FEED_JSON
                                                         : FEED_CSV;
    for (unsigned i = 0; word && i < 4; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (enum feed_format)i;
            return BOURN_OK;
        }
    return word ? err_set(BOURN_E_USAGE, "--format: csv, ndjson, json or export is wanted") : BOURN_OK;
}

static enum bourn_err header(struct feed *r)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct csv_row row;
    err = csv_next(&r->csv, &row);
    if (err == BOURN_E_NOT_FOUND)
        return err_set(BOURN_E_FORMAT, "the input is empty: a CSV begins with a line of column names");
    TRY(err);
    if (row.reason)
        return err_set(BOURN_E_FORMAT, "line %llu, the column names: %s", (unsigned long long)row.line,
                       row.reason);
    r->name = calloc(row.columns, sizeof *r->name);
    if (!r->name)
        return err_set(BOURN_E_MEMORY, "out of memory");
    for (size_t i = 0; i < row.columns; i++) {
        if (!name_valid(row.value[i]))
            return err_set(
                BOURN_E_FORMAT,
                "line %llu: the name of column %zu is not one a field can have (up to 64 letters, digits, "
                "_ - and .): change it there",
                (unsigned long long)row.line, i + 1);
        memcpy(r->name[i], row.value[i].p, row.value[i].n);
        for (size_t k = 0; k < i; k++)
            if (strcmp(r->name[k], r->name[i]) == 0)
                return err_set(BOURN_E_FORMAT, "line %llu: columns %zu and %zu are both named %s",
                               (unsigned long long)row.line, k + 1, i + 1, r->name[i]);
    }
out:
    return err;
}

enum bourn_err feed_open(struct feed *r, int fd, enum feed_format format)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    *r = (struct feed){.format = format, .fd = fd, .line = 1, .csv.fd = -1};
    buf_init_secret(&r->json, RECORD_BYTES_MAX);
    if (format == FEED_JSON) {
        TRY(array_open(&r->array, fd));
    } else if (format == FEED_CSV) {
        TRY(csv_open(&r->csv, fd));
        TRY(header(r));
    } else {
        r->data = malloc(DATA_BYTES);
        err = r->data ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory");
    }
out:
    if (err != BOURN_OK)
        feed_close(r);
    return err;
}

void feed_close(struct feed *r)
{
    if (r->format == FEED_CSV)
        csv_close(&r->csv);
    if (r->format == FEED_JSON)
        array_close(&r->array);
    if (r->data)
        explicit_bzero(r->data, DATA_BYTES);
    free(r->data);
    free(r->name);
    buf_release(&r->json);
    r->data = NULL;
    r->name = NULL;
}

static enum bourn_err next_csv(struct feed *r, struct feed_row *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct csv_row row;
    TRY(csv_next(&r->csv, &row));
    out->line = row.line;
    out->raw = row.raw;
    if (row.reason) {
        snprintf(out->text, sizeof out->text, "%s", row.reason);
        out->reason = out->text;
        return BOURN_OK;
    }
    out->value = row.value;
    buf_clear(&r->json);
    for (size_t i = 0; i < row.columns; i++) {
        buf_printf(&r->json, "%c\"%s\":", i ? ',' : '{', r->name[i]);
        json_put_string(&r->json, row.value[i]);
    }
    buf_put_u8(&r->json, '}');
    out->json = buf_slice(&r->json);
    if (r->json.failed)
        out->reason = "longer than a record may be";
out:
    return err;
}

static enum bourn_err fill(struct feed *r)
{
    memmove(r->data, r->data + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    while (r->to < DATA_BYTES && !r->end) {
        ssize_t n = read(r->fd, r->data + r->to, DATA_BYTES - r->to);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(BOURN_E_IO, "cannot read the input");
        r->end = n == 0;
        r->to += (size_t)n;
        r->bytes += (size_t)n;
    }
    if (!r->started && r->to >= 3 && memcmp(r->data, "\xef\xbb\xbf", 3) == 0)
        r->from = 3;
    r->started = true;
    return BOURN_OK;
}

/* The next line without its end. One that is too long is cut, and the rest of it passed over. */
static enum bourn_err next_line(struct feed *r, struct slice *line, bool *cut)
{
    enum bourn_err err = BOURN_OK;
    uint8_t *nl = r->from < r->to ? memchr(r->data + r->from, '\n', r->to - r->from) : NULL;
    if (!nl && !r->end) {
        TRY(fill(r));
        nl = memchr(r->data + r->from, '\n', r->to - r->from);
    }
    if (r->from == r->to)
        return BOURN_E_NOT_FOUND;
    size_t n = nl ? (size_t)(nl - (r->data + r->from)) : r->to - r->from;
    *line = slice_of(r->data + r->from, n);
    r->from += n + (nl != NULL);
    *cut = n > RECORD_BYTES_MAX;
    if (!nl && !r->end) { /* the window is full of this one line */
        buf_clear(&r->json);
        buf_put(&r->json, line->p, RECORD_BYTES_MAX);
        *line = buf_slice(&r->json);
        *cut = true;
        while (!nl && !r->end) {
            r->from = r->to;
            TRY(fill(r));
            nl = memchr(r->data, '\n', r->to);
        }
        r->from = nl ? (size_t)(nl - r->data) + 1 : r->to;
    }
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
out:
    return err;
}

static enum bourn_err next_ndjson(struct feed *r, struct feed_row *out)
{
    struct slice line;
    bool cut;
    do {
        enum bourn_err err = next_line(r, &line, &cut);
        if (err != BOURN_OK)
            return err;
        out->line = r->line++;
    } while (line.n == 0);
    out->raw = slice_of(line.p, line.n < RECORD_BYTES_MAX ? line.n : RECORD_BYTES_MAX);
    struct json_value v;
    if (cut) {
        out->reason = "longer than a record may be";
    } else if (out->line == 1 && line.p[0] == '[') {
        out->reason = "a JSON array: one object a line is wanted (--format json takes an array)";
    } else if (json_check(line, &v) != BOURN_OK) {
        snprintf(out->text, sizeof out->text, "%s", err_text());
        out->reason = out->text;
    } else if (v.type != JSON_OBJECT) {
        out->reason = "a JSON object is wanted";
    } else {
        out->json = v.raw;
    }
    return BOURN_OK;
}

static enum bourn_err next_json(struct feed *r, struct feed_row *out)
{
    struct array_row row;
    enum bourn_err err = array_next(&r->array, &row);
    if (err != BOURN_OK)
        return err;
    out->line = row.line;
    out->raw = row.raw;
    if (row.reason) {
        snprintf(out->text, sizeof out->text, "%s", row.reason);
        out->reason = out->text;
    } else {
        out->json = row.raw;
    }
    return BOURN_OK;
}

/* Of a line that `bourn export` wrote: the record in it, and its collection. */
static enum bourn_err next_export(struct feed *r, struct feed_row *out)
{
    struct json_value line, name, data, number;
    enum bourn_err err = next_ndjson(r, out);
    if (err != BOURN_OK || out->reason)
        return err;
    if (json_check(out->json, &line) != BOURN_OK || !json_find(line, "collection", &name) ||
        name.type != JSON_STRING || !name_valid(slice_of(name.raw.p + 1, name.raw.n - 2)) ||
        !json_find(line, "id", &number) || !json_find(line, "version", &number) ||
        !json_find(line, "data", &data) || data.type != JSON_OBJECT) {
        out->reason = "no line of an export: {\"collection\",\"id\",\"version\",\"data\"} is wanted";
        out->json = slice_of(NULL, 0);
        return BOURN_OK;
    }
    out->collection = slice_of(name.raw.p + 1, name.raw.n - 2);
    out->json = data.raw;
    return BOURN_OK;
}

enum bourn_err feed_next(struct feed *r, struct feed_row *row)
{
    *row = (struct feed_row){.line = 0};
    switch (r->format) {
    case FEED_CSV:
        return next_csv(r, row);
    case FEED_JSON:
        return next_json(r, row);
    case FEED_EXPORT:
        return next_export(r, row);
    default:
        return next_ndjson(r, row);
    }
}

bool feed_has(const struct feed *r, const char *column)
{
    if (r->format != FEED_CSV)
        return true;
    for (size_t i = 0; i < r->csv.columns; i++)
        if (strcmp(r->name[i], column) == 0)
            return true;
    return false;
}

uint64_t feed_bytes(const struct feed *r)
{
    return r->format == FEED_CSV ? r->csv.bytes : r->format == FEED_JSON ? r->array.bytes : r->bytes;
}
