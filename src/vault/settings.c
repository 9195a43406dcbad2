/* bourn.yaml: what an operator may set that no verdict reads. It is read when the cell is opened, and
 * strictly: a name that is misspelt would leave open what was meant to be closed. */
#include "vault/internal.h"

#include "base/text.h"

static enum bourn_err bad_line(unsigned line, const char *why)
{
    return err_set(BOURN_E_FORMAT, "bourn.yaml, line %u: %s", line, why);
}

static struct slice trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

/* Up to a `#` that begins the line or follows a space. */
static struct slice without_comment(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '#' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
            return slice_of(s.p, i);
    return s;
}

static enum bourn_err take(struct slice name, struct slice value, unsigned line, struct settings *out)
{
    if (slice_is(name, "version")) {
        if (out->version || !slice_is(value, "1"))
            return bad_line(line, "version: 1 is wanted, once");
        out->version = 1;
        return BOURN_OK;
    }
    if (!slice_is(name, "entries"))
        return bad_line(line, "there is no such setting; there are version and entries");
    if (out->entries_set || (!slice_is(value, "public") && !slice_is(value, "closed")))
        return bad_line(line, "entries is public or closed, and stands once");
    out->entries_set = true;
    out->entries_closed = slice_is(value, "closed");
    return BOURN_OK;
}

enum bourn_err settings_parse(struct slice text, struct settings *out)
{
    unsigned line = 0;
    *out = (struct settings){.version = 0};
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct slice one = slice_of(text.p, end ? (size_t)(end - text.p) : text.n);
        text = slice_of(text.p + one.n + (end != NULL), text.n - one.n - (end != NULL));
        line++;
        one = trim(without_comment(one));
        if (!one.n)
            continue;
        const uint8_t *colon = memchr(one.p, ':', one.n);
        if (!colon)
            return bad_line(line, "a setting is written `name: value`");
        size_t n = (size_t)(colon - one.p);
        enum bourn_err err =
            take(trim(slice_of(one.p, n)), trim(slice_of(colon + 1, one.n - n - 1)), line, out);
        if (err)
            return err;
    }
    return out->version ? BOURN_OK : bad_line(line, "version: 1 is missing");
}

enum bourn_err settings_read(struct io_dir *cell, struct settings *out)
{
    struct buf text;
    buf_init(&text, SETTINGS_BYTES_MAX);
    enum bourn_err err = io_read_all(cell, "bourn.yaml", &text);
    if (err == BOURN_E_NOT_FOUND)
        err = err_set(BOURN_E_CORRUPT,
                      "bourn.yaml is missing: put it back; without it nobody knows whether the "
                      "cell's entries are closed");
    if (err == BOURN_OK)
        err = settings_parse(buf_slice(&text), out);
    buf_release(&text);
    return err;
}
