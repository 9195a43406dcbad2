/* Receipts: what the log's key says of one entry, in a text that nobody can take for a checkpoint: whatever
 * the log is called, its third line is no hash, and the second one no size. An event is a receipt under
 * another first line, with more lines behind. */
#include "base/limits.h"
#include "base/text.h"
#include "merkle/note_internal.h"

static const char receipt_kind[] = "bourn-receipt/v1\n", event_kind[] = "bourn-disclosure/v1\n";

static void put_hash(struct buf *out, const char *name, const struct merkle_hash *hash)
{
    buf_put_str(out, name);
    base64_put(out, slice_of(hash->b, sizeof hash->b));
    buf_put_str(out, "\n");
}

static void put_text(struct buf *out, const char *kind, struct slice origin, const struct merkle_receipt *r)
{
    buf_put_str(out, kind);
    buf_put_slice(out, origin);
    buf_printf(out, "\nindex %llu\n", (unsigned long long)r->index);
    put_hash(out, "leaf ", &r->leaf);
    buf_printf(out, "size %llu\n", (unsigned long long)r->size);
    put_hash(out, "root ", &r->root);
}

void merkle_receipt_text(struct buf *out, struct slice origin, const struct merkle_receipt *r)
{
    put_text(out, receipt_kind, origin, r);
}

void merkle_event_text(struct buf *out, struct slice origin, const struct merkle_receipt *r,
                       struct slice lines)
{
    put_text(out, event_kind, origin, r);
    buf_put_slice(out, lines);
}

bool merkle_event_lines_ok(struct slice lines)
{
    uint8_t before = '\n';
    for (size_t i = 0; i < lines.n; i++) {
        uint8_t c = lines.p[i];
        if (c > '~' || (c < ' ' && c != '\n') || (c == '\n' && before == '\n'))
            return false;
        before = c;
    }
    return lines.n && lines.n <= EVENT_LINES_BYTES_MAX && before == '\n';
}

/* What follows `name` and a space on the next line. */
static bool member(struct slice *rest, const char *name, struct slice *value)
{
    struct slice line;
    size_t n = strlen(name);
    if (!note_line(rest, &line) || line.n <= n || memcmp(line.p, name, n) != 0 || line.p[n] != ' ')
        return false;
    *value = slice_of(line.p + n + 1, line.n - n - 1);
    return true;
}

static bool number(struct slice *rest, const char *name, uint64_t *out)
{
    struct slice value;
    return member(rest, name, &value) && decimal_get(value, out);
}

static bool hash(struct slice *rest, const char *name, struct merkle_hash *out)
{
    struct slice value;
    return member(rest, name, &value) && merkle_hash_get(value, out);
}

/* *lines is what stands behind the six lines that receipt and event share. */
static enum bourn_err open_text(struct slice note, const char *kind, const struct merkle_vkey *log_key,
                                struct merkle_receipt *out, struct slice *lines)
{
    struct slice rest, first, origin;
    *out = (struct merkle_receipt){0};
    struct merkle_receipt r = {0};
    enum bourn_err err = merkle_note_open(note, log_key, &rest);
    if (err)
        return err;
    if (!note_line(&rest, &first) || first.n + 1 != strlen(kind) || memcmp(first.p, kind, first.n) != 0)
        return err_set(BOURN_E_FORMAT, "not a receipt: the first line is not %.*s", (int)strlen(kind) - 1,
                       kind);
    if (!note_line(&rest, &origin) || !slice_is(origin, log_key->name))
        return err_set(BOURN_E_FORMAT, "a receipt of another log: its origin is not the name of this key");
    if (!number(&rest, "index", &r.index) || !hash(&rest, "leaf", &r.leaf) ||
        !number(&rest, "size", &r.size) || !hash(&rest, "root", &r.root) || r.size >> 63 || r.index >= r.size)
        return err_set(BOURN_E_FORMAT,
                       "malformed receipt: index, leaf, size and root, one a line, were expected, and an "
                       "index below the size");
    *out = r;
    *lines = rest;
    return BOURN_OK;
}

enum bourn_err merkle_receipt_open(struct slice note, const struct merkle_vkey *log_key,
                                   struct merkle_receipt *out)
{
    struct slice rest;
    enum bourn_err err = open_text(note, receipt_kind, log_key, out, &rest);
    if (err || !rest.n)
        return err;
    *out = (struct merkle_receipt){0};
    return err_set(BOURN_E_FORMAT, "malformed receipt: something stands behind root");
}

bool merkle_is_event(struct slice note)
{
    return note.n >= strlen(event_kind) && memcmp(note.p, event_kind, strlen(event_kind)) == 0;
}

enum bourn_err merkle_event_open(struct slice note, const struct merkle_vkey *log_key,
                                 struct merkle_receipt *out, struct slice *lines)
{
    enum bourn_err err = open_text(note, event_kind, log_key, out, lines);
    if (err || merkle_event_lines_ok(*lines))
        return err;
    *out = (struct merkle_receipt){0};
    return err_set(BOURN_E_FORMAT, "malformed event: printable lines were expected behind root");
}
