/* bourn import: rows from a file or standard input to a serving cell, in batches, two of them under way, in
 * constant memory. What was acknowledged is stored for good; a row equal to one that is stored is skipped, so
 * an import that broke off is simply run again. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "cell.h"
#include "crypto/crypto.h"
#include "feed.h"
#include "rejects.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char help_import[] =
    "bourn import CELL FILE|- --subject FIELD --purpose TERM [--collection NAME]\n"
    "             [--format csv|ndjson|json|export] [--json]\n"
    "  Stores the rows of FILE (or of standard input) as records, as the party whose token stands in\n"
    "  BOURN_TOKEN, which needs the right `write`. CSV values are stored as strings, exactly as they are.\n"
    "  Rows equal to a stored record are skipped: an import that broke off may be run again. Rows that are\n"
    "  left out go to FILE.rejects with line and reason (from standard input: ./import.rejects).\n"
    "  --subject     the field that identifies the person; a path such as id.bioguide leads into nested\n"
    "                objects\n"
    "  --purpose     why, as one of the party's purposes: dpv:ServiceProvision\n"
    "  --collection  where the records go. What `bourn export` wrote names it in each line: there it "
    "chooses\n"
    "                the lines of one collection, and without it all are taken\n"
    "  --format      csv, ndjson (one object a line), json (one array of objects), or export (what\n"
    "                `bourn export` wrote). By default the name decides: .ndjson, .jsonl, .json, else CSV\n"
    "  Exit: 0 all stored or skipped, 2 rows were rejected, 1 refused, 64 usage, 69 not serving.\n";

#define UNDER_WAY 2

struct batch {
    uint64_t id; /* 0: free */
    struct buf body;
    char collection[FEED_NAME_MAX + 1];
    uint64_t line[IMPORT_BATCH_ROWS_MAX];
    size_t at[IMPORT_BATCH_ROWS_MAX + 1]; /* where row k starts in the body */
    size_t n;
};
struct import {
    const char *cell, *input, *collection, *subject, *purpose, *format, *token;
    bool json, bar;
    struct cell *admin;
    struct feed rows;
    struct rejects rejects;
    struct batch batch[UNDER_WAY];
    uint64_t last_id, read, stored, skipped, others, size, shown_ms; /* others: of other collections */
};

static void progress(struct import *m, bool last)
{
    uint64_t now = clock_mono_ms();
    if (!m->bar || (!last && now - m->shown_ms < 100))
        return;
    m->shown_ms = now;
    uint64_t done = feed_bytes(&m->rows);
    if (last) {
        fputs("\r\033[K", stderr);
    } else if (m->size) {
        int width = 30, full = (int)(done >= m->size ? width : (int)(done * (uint64_t)width / m->size));
        fprintf(stderr, "\r[%.*s%*s] %3llu%%  %llu rows", full, "##############################",
                width - full, "", (unsigned long long)(done >= m->size ? 100 : done * 100 / m->size),
                (unsigned long long)m->read);
    } else {
        fprintf(stderr, "\r%llu rows", (unsigned long long)m->read);
    }
    fflush(stderr);
}

static bool count(struct json_value v, const char *name, uint64_t most, uint64_t *out)
{
    struct json_value n;
    return json_find(v, name, &n) && decimal_get(n.raw, out) && *out <= most;
}

/* Takes the answer to a batch: {"stored":n,"skipped":n,"rejected":[{"row":k,"reason":"…"}…]}, and checks that
 * it accounts for every row. */
static enum bourn_err account(struct import *m, const struct batch *b, struct slice body)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value v, list;
    struct json_member item;
    uint64_t stored, skipped, rejected = 0, row;
    size_t at = 0;
    struct buf reason;
    buf_init(&reason, 4096);
    TRY(json_check(body, &v));
    if (!count(v, "stored", b->n, &stored) || !count(v, "skipped", b->n, &skipped) ||
        !json_find(v, "rejected", &list) || list.type != JSON_ARRAY)
        goto wrong;
    for (; json_next(list, &at, &item); rejected++) {
        buf_clear(&reason);
        if (!count(item.value, "row", b->n - 1, &row) || !cli_member(item.value, "reason", &reason))
            goto wrong;
        if (m->bar)
            fputs("\r\033[K", stderr);
        struct slice text = slice_of(b->body.p + b->at[row], b->at[row + 1] - b->at[row] - 1);
        rejects_add(&m->rejects, b->line[row], buf_slice(&reason), text, true);
    }
    if (stored + skipped + rejected != b->n)
        goto wrong;
    m->stored += stored;
    m->skipped += skipped;
out:
    buf_release(&reason);
    return err;
wrong:
    buf_release(&reason);
    return err_set(BOURN_E_FORMAT, "the cell's answer does not account for the rows it was sent");
}

/* Waits for one answer. *code is set, and said, if the cell refused. */
static enum bourn_err receive(struct import *m, int *code)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct reply r;
    struct batch *b = NULL;
    TRY(cell_receive(m->admin, &r));
    for (size_t i = 0; i < UNDER_WAY; i++)
        if (m->batch[i].id && m->batch[i].id == r.id)
            b = &m->batch[i];
    if (!b)
        return err_set(BOURN_E_FORMAT, "the cell answered what it was not asked");
    if (r.status / 100 != 2) {
        if (m->bar)
            fputs("\r\033[K", stderr);
        *code = cell_refused(&r);
    } else {
        TRY(account(m, b, r.body));
    }
    b->id = 0;
    b->n = 0;
    buf_clear(&b->body);
out:
    return err;
}

static enum bourn_err send_batch(struct import *m, struct batch *b)
{
    b->id = ++m->last_id;
    struct request r = {
        .id = b->id,
        .op = REQ_IMPORT,
        .number = b->line[0],
        .token = slice_str(m->token),
        .purpose = slice_str(m->purpose),
        .collection = slice_str(b->collection),
        .path = slice_str(m->subject),
        .body = buf_slice(&b->body),
    };
    return cell_send(m->admin, &r);
}

/* A free batch; waits for an answer if both are under way. */
static enum bourn_err free_batch(struct import *m, struct batch **out, int *code)
{
    for (;;) {
        for (size_t i = 0; i < UNDER_WAY; i++)
            if (!m->batch[i].id) {
                *out = &m->batch[i];
                return BOURN_OK;
            }
        enum bourn_err err = receive(m, code);
        if (err != BOURN_OK || *code != CLI_DONE)
            return err;
    }
}

static enum bourn_err add_row(struct import *m, struct batch **to, const struct feed_row *row, int *code)
{
    enum bourn_err err = BOURN_OK;
    struct batch *b = *to;
    struct slice collection = row->collection.n ? row->collection : slice_str(m->collection);
    if (b && (!slice_is(collection, b->collection) || b->n == IMPORT_BATCH_ROWS_MAX ||
              b->body.n + row->json.n + 1 > IMPORT_BATCH_BYTES_MAX)) {
        TRY(send_batch(m, b));
        b = NULL;
    }
    if (!b)
        TRY(free_batch(m, &b, code));
    if (*code != CLI_DONE)
        goto out;
    snprintf(b->collection, sizeof b->collection, "%.*s", SLICE_ARG(collection));
    b->line[b->n] = row->line;
    b->at[b->n++] = b->body.n;
    buf_put_slice(&b->body, row->json);
    buf_put_u8(&b->body, '\n');
    b->at[b->n] = b->body.n;
    TRY(buf_check(&b->body));
    *to = b;
out:
    return err;
}

static enum bourn_err run(struct import *m, int *code)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct feed_row row;
    struct batch *b = NULL;
    while (*code == CLI_DONE && (err = feed_next(&m->rows, &row)) == BOURN_OK) {
        m->read++;
        progress(m, false);
        if (row.reason) {
            if (m->bar)
                fputs("\r\033[K", stderr);
            rejects_add(&m->rejects, row.line, slice_str(row.reason), row.raw, false);
        } else if (m->collection && row.collection.n && !slice_is(row.collection, m->collection)) {
            m->others++;
        } else {
            TRY(add_row(m, &b, &row, code));
        }
    }
    if (*code == CLI_DONE && err != BOURN_E_NOT_FOUND)
        goto out;
    err = BOURN_OK;
    if (*code == CLI_DONE && b && b->n)
        TRY(send_batch(m, b));
    for (size_t i = 0; *code == CLI_DONE && i < UNDER_WAY; i++)
        while (*code == CLI_DONE && m->batch[i].id)
            TRY(receive(m, code));
out:
    return err;
}

static int summary(struct import *m, int code)
{
    bool kept = rejects_close(&m->rejects);
    struct buf b;
    buf_init(&b, 8192);
    unsigned long long counts[] = {m->read, m->stored, m->skipped, m->rejects.n};
    if (m->json) {
        buf_printf(&b, "{\"rows\":%llu,\"stored\":%llu,\"skipped\":%llu,\"rejected\":%llu,\"complete\":%s",
                   counts[0], counts[1], counts[2], counts[3], code == CLI_DONE ? "true" : "false");
        if (m->rejects.n && kept && utf8_valid(slice_str(m->rejects.path))) {
            buf_put_str(&b, ",\"rejects\":");
            json_put_string(&b, slice_str(m->rejects.path));
        }
        buf_put_str(&b, "}\n");
    } else {
        buf_printf(&b, "%llu rows: %llu stored, %llu skipped, %llu rejected\n", counts[0], counts[1],
                   counts[2], counts[3]);
    }
    int said = cli_out(buf_slice(&b));
    buf_release(&b);
    if (m->others)
        cli_note("%llu of the rows are of other collections than %s", (unsigned long long)m->others,
                 m->collection);
    if (m->rejects.n && kept)
        cli_note("the rejected rows are in %s", m->rejects.path);
    if (code != CLI_DONE) {
        cli_note(
            "the import is not complete: run it again when that is mended; what is stored will be skipped");
        return code;
    }
    return said != CLI_DONE ? said : m->rejects.n ? CLI_REJECTED : CLI_DONE;
}

static int import(struct import *m)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    enum feed_format format;
    struct stat st;
    bool rows = false;
    int code = CLI_DONE, fd = -1;
    TRY(feed_format(m->input, m->format, &format));
    if (!m->collection && format != FEED_EXPORT) {
        err = err_set(BOURN_E_USAGE, "--collection is wanted: where the records go");
        goto out;
    }
    TRY(cli_open(m->input, &fd));
    TRY(cell_open(m->cell, &m->admin));
    TRY(rejects_init(&m->rejects, m->input));
    TRY(feed_open(&m->rows, fd, format));
    rows = true;
    if (!feed_has(&m->rows, m->subject)) {
        err = err_set(BOURN_E_USAGE, "--subject: the input has no column %s", m->subject);
        goto out;
    }
    m->size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    m->bar = isatty(STDERR_FILENO) == 1;
    err = run(m, &code);
    progress(m, true);
    if (err != BOURN_OK)
        code = cli_err(err);
    err = BOURN_OK;
    code = summary(m, code);
out:
    if (rows)
        feed_close(&m->rows);
    cli_close(fd);
    return err != BOURN_OK ? cli_err(err) : code;
}

int cmd_import(int argc, char **argv)
{
    enum { COLLECTION, SUBJECT, PURPOSE, FORMAT, JSON };
    static const struct opt options[] = {
        {"collection", true}, {"subject", true}, {"purpose", true}, {"format", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *set[5] = {NULL}, *words[2] = {NULL, NULL};
    size_t n = 0;
    int option;
    while ((option = opt_next(&o, options, 5, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option >= 0)
            set[option] = value;
        else if (n < 2)
            words[n++] = value;
        else
            return cli_fail(CLI_USAGE, "too many operands: bourn import CELL FILE …");
    }
    const char *token = getenv("BOURN_TOKEN");
    if (n != 2 || !set[SUBJECT] || !set[PURPOSE])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_import);
    if (!name_valid(slice_str(set[SUBJECT])) || (set[COLLECTION] && !name_valid(slice_str(set[COLLECTION]))))
        return cli_fail(CLI_USAGE,
                        "--subject and --collection: a name is wanted, up to 64 letters, digits, _ - and .");
    if (!term_valid(slice_str(set[PURPOSE])))
        return cli_fail(CLI_USAGE, "--purpose: %s is not a term, such as dpv:ServiceProvision", set[PURPOSE]);
    if (!token || !*token)
        return cli_fail(CLI_USAGE, "BOURN_TOKEN is not set: the token of a party with the right `write`");
    struct import *m = calloc(1, sizeof *m);
    if (!m)
        return cli_fail(CLI_REFUSED, "out of memory");
    *m = (struct import){.cell = words[0],
                         .input = words[1],
                         .collection = set[COLLECTION],
                         .subject = set[SUBJECT],
                         .purpose = set[PURPOSE],
                         .format = set[FORMAT],
                         .token = token,
                         .json = set[JSON] != NULL};
    for (size_t i = 0; i < UNDER_WAY; i++)
        buf_init_secret(&m->batch[i].body, IMPORT_BATCH_BYTES_MAX + 1);
    int code = import(m);
    for (size_t i = 0; i < UNDER_WAY; i++)
        buf_release(&m->batch[i].body);
    cell_close(m->admin);
    rejects_release(&m->rejects);
    free(m);
    return code;
}
