#include "gate/event.h"

#include "base/limits.h"
#include "base/text.h"
#include "gate/gate.h"

enum { LABEL_BYTES = 16, LABEL_LINE_BYTES = 1 + 2 * LABEL_BYTES + 1 };

static void put_line(struct buf *b, const char *name, struct slice value)
{
    buf_printf(b, "%s %.*s\n", name, SLICE_ARG(value));
}

void event_head_put(struct buf *out, uint64_t told, const struct entry *e, uint64_t people)
{
    const char *operation = gate_operation_name(e->operation);
    buf_printf(out, "told %llu\ntime ", (unsigned long long)told);
    time_put(out, e->time);
    buf_printf(out, "\nparty %llu\n", (unsigned long long)e->party);
    put_line(out, "destination", e->destination);
    put_line(out, "operation", slice_str(operation ? operation : ""));
    put_line(out, "purpose", e->purpose);
    if (entry_has(e, E_COLLECTION))
        put_line(out, "collection", e->collection);
    buf_printf(out, "people %llu\n", (unsigned long long)people);
}

void event_label_put(struct buf *out, const uint8_t label[LABEL_BYTES])
{
    buf_put_str(out, "~");
    hex_put(out, slice_of(label, LABEL_BYTES));
    buf_put_str(out, "\n");
}

/* The number in the first line. */
static bool told_get(struct slice lines, uint64_t *told)
{
    static const char name[] = "told ";
    const size_t n = sizeof name - 1;
    const uint8_t *end = lines.n > n ? memchr(lines.p, '\n', lines.n) : NULL;
    return end && (size_t)(end - lines.p) > n && memcmp(lines.p, name, n) == 0 &&
           decimal_get(slice_of(lines.p + n, (size_t)(end - lines.p) - n), told);
}

/* The label of a row: rows are canonical, so each begins with the head of its map, key 1, and the head of 16
 * bytes. They ascend, and so do those that are looked for: *at goes on. */
static bool next_row_is(struct slice rows, size_t *at, const uint8_t label[LABEL_BYTES])
{
    struct slice row;
    while (rows_next(rows, at, &row))
        if (row_is_of(row, label))
            return true;
    return false;
}

static bool labels_are_of(struct slice lines, struct slice rows)
{
    uint8_t label[LABEL_BYTES], before[LABEL_BYTES];
    size_t at = 0;
    for (size_t i = 0; i < lines.n; i += LABEL_LINE_BYTES) {
        const uint8_t *line = lines.p + i;
        bool good = line[0] == '~' && line[LABEL_LINE_BYTES - 1] == '\n' &&
                    hex_get(slice_of(line + 1, 2 * LABEL_BYTES), label, LABEL_BYTES);
        if (!good || (i && memcmp(before, label, LABEL_BYTES) >= 0) ||
            (rows.p && !next_row_is(rows, &at, label)))
            return false;
        memcpy(before, label, LABEL_BYTES);
    }
    return true;
}

bool event_is_of(struct slice lines, const struct entry *e, struct slice rows)
{
    uint64_t told;
    const uint8_t *labels = lines.n ? memmem(lines.p, lines.n, "\n~", 2) : NULL;
    labels += labels != NULL;
    struct slice head = slice_of(lines.p, labels ? (size_t)(labels - lines.p) : lines.n);
    struct slice rest = slice_of(lines.p + head.n, lines.n - head.n);
    struct buf want;
    if (e->kind != ENTRY_DISCLOSED || !rest.n || rest.n % LABEL_LINE_BYTES || !told_get(head, &told))
        return false;
    buf_init(&want, EVENT_LINES_BYTES_MAX);
    event_head_put(&want, told, e, rest.n / LABEL_LINE_BYTES);
    bool good = !want.failed && slice_eq(buf_slice(&want), head) && labels_are_of(rest, rows);
    buf_release(&want);
    return good;
}
