#include "array.h"

#include "base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA_BYTES (64u << 10)
#define END (-1)

enum bourn_err array_open(struct array *a, int fd)
{
    *a = (struct array){.fd = fd, .line = 1, .data = malloc(DATA_BYTES)};
    buf_init_secret(&a->element, RECORD_BYTES_MAX + 1);
    return a->data ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory");
}

void array_close(struct array *a)
{
    if (a->data)
        explicit_bzero(a->data, DATA_BYTES);
    free(a->data);
    buf_release(&a->element);
    *a = (struct array){.fd = -1};
}

static enum bourn_err fill(struct array *a)
{
    while (a->from == a->to && !a->end) {
        ssize_t n = read(a->fd, a->data, DATA_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(BOURN_E_IO, "cannot read the input");
        a->end = n == 0;
        a->from = 0;
        a->to = (size_t)n;
        a->bytes += (size_t)n;
    }
    return BOURN_OK;
}

/* The next byte, or END. */
static enum bourn_err next(struct array *a, int *c)
{
    enum bourn_err err = a->from == a->to ? fill(a) : BOURN_OK;
    *c = a->from < a->to ? a->data[a->from++] : END;
    a->line += *c == '\n';
    return err;
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static enum bourn_err next_token(struct array *a, int *c)
{
    enum bourn_err err;
    do
        err = next(a, c);
    while (err == BOURN_OK && is_space(*c));
    return err;
}

static enum bourn_err begin(struct array *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    int c;
    a->begun = true;
    TRY(next_token(a, &c));
    if (c == 0xef) { /* a byte order mark */
        int second, third;
        TRY(next(a, &second));
        TRY(next(a, &third));
        if (second == 0xbb && third == 0xbf)
            TRY(next_token(a, &c));
    }
    if (c != '[')
        err = err_set(
            BOURN_E_FORMAT,
            "line %llu: a JSON array of objects is wanted, which begins with [ (of one object a line: "
            "--format ndjson)",
            (unsigned long long)a->line);
out:
    return err;
}

/* Where the walk through one element stands. */
struct walk {
    unsigned depth; /* may run far: only the scanner limits nesting */
    bool string, escape, spaced, cut;
    uint8_t last; /* byte that was kept */
};

static bool is_mark(uint8_t c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ',';
}

/* Keeps a byte. Where space parted two tokens that no mark parts, one space stays: "1 2" must not become 12.
 */
static void keep(struct array *a, struct walk *w, uint8_t c)
{
    if (a->element.n >= RECORD_BYTES_MAX) {
        w->cut = true;
        return;
    }
    if (w->spaced && a->element.n && !is_mark(w->last) && !is_mark(c))
        buf_put_u8(&a->element, ' ');
    w->spaced = false;
    w->last = c;
    buf_put_u8(&a->element, c);
}

/* True if `c` ends the element: a comma, or the array's own bracket. */
static bool step(struct array *a, struct walk *w, uint8_t c)
{
    if (w->string) {
        w->string = w->escape || c != '"';
        w->escape = !w->escape && c == '\\';
        keep(a, w, c);
        return false;
    }
    if (is_space(c)) {
        w->spaced = true;
        return false;
    }
    if (w->depth == 0 && (c == ',' || c == ']'))
        return true;
    w->string = c == '"';
    w->depth += c == '{' || c == '[';
    w->depth -= w->depth && (c == '}' || c == ']');
    keep(a, w, c);
    return false;
}

static enum bourn_err no_end(const struct array_row *row)
{
    return err_set(BOURN_E_FORMAT,
                   "the array has no end: the input is cut off, or the element on line %llu lacks a closing "
                   "quote or bracket",
                   (unsigned long long)row->line);
}

static enum bourn_err nothing_behind(struct array *a)
{
    int c;
    enum bourn_err err = next_token(a, &c);
    if (err == BOURN_OK && c != END)
        err = err_set(BOURN_E_FORMAT, "line %llu: text behind the end of the array",
                      (unsigned long long)a->line);
    return err ? err : BOURN_E_NOT_FOUND;
}

static void judge(struct array *a, const struct walk *w, struct array_row *row)
{
    struct json_value v;
    row->raw = a->element.n ? buf_slice(&a->element) : slice_str("");
    if (w->cut) {
        row->reason = "longer than a record may be";
    } else if (json_check(row->raw, &v) != BOURN_OK) {
        snprintf(row->text, sizeof row->text, "%s", err_text());
        row->reason = row->text;
    } else if (v.type != JSON_OBJECT) {
        row->reason = "a JSON object is wanted";
    }
}

enum bourn_err array_next(struct array *a, struct array_row *row)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct walk w = {.depth = 0};
    bool first = !a->begun;
    int c;
    *row = (struct array_row){.line = a->line};
    if (first)
        TRY(begin(a));
    if (a->done)
        return nothing_behind(a);
    buf_clear(&a->element);
    TRY(next_token(a, &c));
    row->line = a->line;
    if (first && c == ']') {
        a->done = true;
        return nothing_behind(a);
    }
    while (c != END && !step(a, &w, (uint8_t)c))
        TRY(next(a, &c));
    if (c == END)
        return no_end(row);
    a->done = c == ']';
    judge(a, &w, row);
    err = buf_check(&a->element);
out:
    return err;
}
