#include "csv.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Room for the longest row, its line end, and as much again to read ahead. */
#define DATA_BYTES (2 * (size_t)CSV_ROW_BYTES_MAX + 4)

enum bourn_err csv_open(struct csv *c, int fd)
{
    *c = (struct csv){.fd = fd, .line = 1};
    buf_init_secret(&c->values, CSV_ROW_BYTES_MAX + 1);
    c->data = malloc(DATA_BYTES);
    c->value = calloc(FIELDS_PER_COLLECTION_MAX, sizeof *c->value);
    if (c->data && c->value)
        return BOURN_OK;
    csv_close(c);
    return err_set(BOURN_E_MEMORY, "out of memory");
}

void csv_close(struct csv *c)
{
    if (c->data)
        explicit_bzero(c->data, DATA_BYTES);
    free(c->data);
    free(c->value);
    buf_release(&c->values);
    *c = (struct csv){.fd = -1};
}

/* Reads until `want` bytes stand behind `from` or the input ends. */
static enum bourn_err fill(struct csv *c, size_t want)
{
    if (c->end || c->to - c->from >= want)
        return BOURN_OK;
    memmove(c->data, c->data + c->from, c->to - c->from);
    c->to -= c->from;
    c->from = 0;
    while (c->to < want && !c->end) {
        ssize_t n = read(c->fd, c->data + c->to, DATA_BYTES - c->to);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(BOURN_E_IO, "cannot read the input");
        c->end = n == 0;
        c->to += (size_t)n;
        c->bytes += (size_t)n;
    }
    return BOURN_OK;
}

static enum bourn_err start(struct csv *c)
{
    enum bourn_err err = fill(c, 4);
    const uint8_t *p = c->data;
    c->started = true;
    if (err == BOURN_OK && c->to >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        c->from = 3;
    if (err == BOURN_OK && c->to >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return err_set(BOURN_E_FORMAT,
                       "the input is UTF-16: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)");
    return err;
}

/* Where a row was found to be bad, and how far the scan came. */
struct scan {
    const uint8_t *p, *end;
    const char *reason;
    size_t columns;
};

static bool at_line_end(const struct scan *s)
{
    return s->p == s->end || *s->p == '\n' || (*s->p == '\r' && (s->p + 1 == s->end || s->p[1] == '\n'));
}

static void quoted(struct csv *c, struct scan *s)
{
    for (s->p++;; s->p++) {
        const uint8_t *quote = memchr(s->p, '"', (size_t)(s->end - s->p));
        if (!quote) {
            s->reason = "a quote is opened and not closed";
            s->p = s->end;
            return;
        }
        buf_put(&c->values, s->p, (size_t)(quote - s->p));
        s->p = quote + 1;
        if (s->p == s->end || *s->p != '"')
            break;
        buf_put_u8(&c->values, '"');
    }
    if (!at_line_end(s) && *s->p != ',')
        s->reason = "text behind a closing quote";
}

static void plain(struct csv *c, struct scan *s)
{
    const uint8_t *from = s->p;
    while (!at_line_end(s) && *s->p != ',') {
        if (*s->p == '"')
            s->reason = "a quote inside a value that does not start with one";
        else if (*s->p == '\r')
            s->reason = "a carriage return inside a value without quotes";
        if (s->reason)
            return;
        s->p++;
    }
    buf_put(&c->values, from, (size_t)(s->p - from));
}

/* Splits one row into c->value, offsets first since the buffer may move. */
static void split(struct csv *c, struct scan *s)
{
    buf_clear(&c->values);
    for (;;) {
        size_t from = c->values.n;
        if (s->p < s->end && *s->p == '"')
            quoted(c, s);
        else
            plain(c, s);
        if (s->reason)
            return;
        if (s->columns == FIELDS_PER_COLLECTION_MAX) {
            s->reason = "too many columns";
            return;
        }
        c->value[s->columns++] = slice_of(NULL, c->values.n - from);
        if (at_line_end(s))
            break;
        s->p++;
    }
    size_t at = 0;
    for (size_t i = 0; i < s->columns; i++) {
        c->value[i].p = c->values.p ? c->values.p + at : (const uint8_t *)"";
        at += c->value[i].n;
    }
}

static size_t count_lines(const uint8_t *p, size_t n)
{
    size_t lines = 0;
    for (const uint8_t *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* Passes over n bytes and the line end behind them. */
static void pass(struct csv *c, size_t n)
{
    c->line += count_lines(c->data + c->from, n);
    c->from += n;
    if (c->from < c->to && c->data[c->from] == '\r')
        c->from++;
    if (c->from < c->to && c->data[c->from] == '\n') {
        c->from++;
        c->line++;
    }
}

/* A bad row ends with its first line, however long that is. */
static enum bourn_err pass_line(struct csv *c, struct csv_row *row)
{
    const uint8_t *p = c->data + c->from;
    size_t have = c->to - c->from;
    const uint8_t *nl = memchr(p, '\n', have);
    size_t n = nl ? (size_t)(nl - p) : have;
    if (n && nl && p[n - 1] == '\r')
        n--;
    row->raw = slice_of(p, n < CSV_ROW_BYTES_MAX ? n : CSV_ROW_BYTES_MAX);
    /* The raw bytes must outlive the refills below: they move to the values' buffer, which a bad row does not
     * use. */
    buf_clear(&c->values);
    buf_put_slice(&c->values, row->raw);
    row->raw = buf_slice(&c->values);
    while (!nl) {
        c->from = c->to;
        enum bourn_err err = fill(c, 1);
        if (err != BOURN_OK)
            return err;
        if (c->from == c->to)
            return BOURN_OK;
        p = c->data + c->from;
        nl = memchr(p, '\n', c->to - c->from);
    }
    c->from = (size_t)(nl - c->data) + 1;
    c->line++;
    return BOURN_OK;
}

static void check_bytes(struct csv *c, struct scan *s, struct csv_row *row)
{
    struct slice all = buf_slice(&c->values);
    if (all.n && memchr(all.p, 0, all.n)) {
        s->reason = "a NUL byte";
        return;
    }
    if (!utf8_valid(all)) {
        s->reason = "bytes that are not UTF-8";
        return;
    }
    for (size_t i = 0; i < s->columns;
         i++) /* a character cut in two by a comma is valid in the whole alone */
        if (!utf8_valid(c->value[i]))
            s->reason = "bytes that are not UTF-8";
    if (!s->reason && c->columns && s->columns != c->columns) {
        snprintf(row->reason_text, sizeof row->reason_text, "%zu columns where the header has %zu",
                 s->columns, c->columns);
        s->reason = row->reason_text;
    }
}

/* Skips empty lines and makes sure that a whole row of the largest size can be seen. */
static enum bourn_err find_row(struct csv *c)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    if (!c->started)
        TRY(start(c));
    for (;;) {
        TRY(fill(c, CSV_ROW_BYTES_MAX + 2));
        if (c->from == c->to)
            return BOURN_E_NOT_FOUND;
        uint8_t first = c->data[c->from];
        if (first != '\n' && !(first == '\r' && c->from + 1 < c->to && c->data[c->from + 1] == '\n'))
            return BOURN_OK;
        pass(c, 0);
    }
out:
    return err;
}

enum bourn_err csv_next(struct csv *c, struct csv_row *row)
{
    enum bourn_err err = find_row(c);
    if (err != BOURN_OK)
        return err;
    *row = (struct csv_row){.line = c->line};
    size_t have = c->to - c->from;
    bool cut = have > CSV_ROW_BYTES_MAX + 1;
    const uint8_t *p = c->data + c->from;
    struct scan s = {.p = p, .end = p + (cut ? CSV_ROW_BYTES_MAX + 1 : have)};
    split(c, &s);
    if (!s.reason && cut && s.p == s.end)
        s.reason = "longer than a record may be";
    if (s.reason) { /* where the row ends is not known */
        row->reason = s.reason;
        return pass_line(c, row);
    }
    check_bytes(c, &s, row);
    row->reason = s.reason;
    row->raw = slice_of(p, (size_t)(s.p - p));
    pass(c, row->raw.n);
    if (!row->reason) {
        c->columns = row->columns = s.columns;
        row->value = c->value;
    }
    return BOURN_OK;
}
