/* bourn export: what collections hold about people, read through the HTTP interface as any party reads: the
 * gate decides, and every answer is a disclosure with an entry of its own. */
#include "base/limits.h"
#include "base/text.h"
#include "cell.h"
#include "fetch.h"
#include "outfile.h"

#include <stdlib.h>

const char help_export[] =
    "bourn export CELL SUBJECT|- --collection NAME … --purpose TERM --out FILE|-\n"
    "             [--url URL] [--ca FILE] [--json]\n"
    "  Writes a person's records, one JSON object a line: {\"collection\",\"id\",\"version\",\"data\"}. For "
    "- the\n"
    "  identifiers of people are read from standard input, one a line. It acts as the party whose token\n"
    "  stands in BOURN_TOKEN, which needs the right `read` and whatever the gate asks for; each read is a\n"
    "  disclosure in the ledger. `bourn import --format export` takes the file, in this cell or another.\n"
    "  If anything is refused, no file is left.\n"
    "  --collection  which ones; may be given again\n"
    "  --purpose     why, as one of the party's purposes: dpv:ServiceProvision\n"
    "  --out         the file, which is made with mode 0600 and must not be there yet; - is standard output\n"
    "  --url         the cell's address; by default that at which the cell is serving on this machine\n"
    "  --ca          certificates to trust instead of the system's, in PEM\n"
    "  --json        the counts as JSON (on standard output; not with --out -)\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

enum { COLLECTION, PURPOSE, OUT, URL, CA, JSON, OPTIONS };
#define COLLECTIONS_MOST 64

struct export
{
    const char *set[OPTIONS], *word[2], *collection[COLLECTIONS_MOST];
    size_t words_n, collections_n;
    struct fetch *fetch;
    FILE *out;
    struct buf answer, line;
    uint64_t people, records, disclosures;
};

/* Writes the records of one answer; *next is where the next page goes on, 0 at the end. */
static enum bourn_err put_page(struct export *x, const char *collection, struct json_value page,
                               uint64_t *next)
{
    enum bourn_err err = BOURN_OK;
    struct json_value list, id, version, data, cursor;
    struct json_member m;
    size_t at = 0;
    *next = 0;
    if (!json_find(page, "records", &list) || list.type != JSON_ARRAY || !json_find(page, "next", &cursor) ||
        (cursor.type != JSON_NULL && !decimal_get(cursor.raw, next)))
        return err_set(BOURN_E_FORMAT, "the answer is no list of records: is this the address of a cell?");
    for (; json_next(list, &at, &m); x->records++) {
        if (!json_find(m.value, "id", &id) || !json_find(m.value, "version", &version) ||
            !json_find(m.value, "data", &data))
            return err_set(BOURN_E_FORMAT, "a record of the answer lacks its id, version or data");
        buf_clear(&x->line);
        buf_printf(&x->line, "{\"collection\":\"%s\",\"id\":%.*s,\"version\":%.*s,\"data\":", collection,
                   SLICE_ARG(id.raw), SLICE_ARG(version.raw));
        buf_put_slice(&x->line, data.raw);
        buf_put_str(&x->line, "}\n");
        TRY(buf_check(&x->line));
        if (fwrite(x->line.p, 1, x->line.n, x->out) != x->line.n)
            return err_sys(BOURN_E_IO, "cannot write the export");
    }
out:
    return err;
}

static enum bourn_err one_person(struct export *x, struct slice subject)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value page;
    struct buf path;
    uint64_t receipt;
    buf_init_secret(&path, 4096);
    for (size_t i = 0; i < x->collections_n; i++) {
        uint64_t next = 0;
        do {
            buf_clear(&path);
            buf_put_str(&path, "/v1/subjects/");
            fetch_put_segment(&path, subject);
            buf_printf(&path, "/records/%s", x->collection[i]);
            if (next)
                buf_printf(&path, "?cursor=%llu", (unsigned long long)next);
            TRY(buf_check(&path));
            TRY(fetch_json(x->fetch, buf_slice(&path), &x->answer, &page, &receipt));
            x->disclosures += receipt != UINT64_MAX;
            TRY(put_page(x, x->collection[i], page, &next));
        } while (next);
    }
    x->people++;
out:
    buf_release(&path);
    return err;
}

static enum bourn_err check_subject(struct slice s, uint64_t line)
{
    if (s.n > 0 && s.n <= SUBJECT_ID_BYTES_MAX && utf8_valid(s) && !memchr(s.p, 0, s.n))
        return BOURN_OK;
    return err_set(BOURN_E_USAGE, "%s %llu: an identifier has 1 to %d bytes of UTF-8",
                   line ? "standard input, line" : "operand", (unsigned long long)(line ? line : 2),
                   SUBJECT_ID_BYTES_MAX);
}

static enum bourn_err people_of_input(struct export *x)
{
    enum bourn_err err = BOURN_OK;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    for (uint64_t number = 1; err == BOURN_OK && (n = getline(&line, &room, stdin)) > 0; number++) {
        struct slice s = slice_of(line, (size_t)n);
        while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
            s.n--;
        if (s.n == 0)
            continue;
        TRY(check_subject(s, number));
        TRY(one_person(x, s));
    }
    if (err == BOURN_OK && ferror(stdin))
        err = err_sys(BOURN_E_IO, "cannot read standard input");
out:
    if (line)
        explicit_bzero(line, room);
    free(line);
    return err;
}

/* The address that the serving cell left, once its socket answered: an old file does not mislead. */
static enum bourn_err find_url(const char *cell, struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct cell *a = NULL;
    TRY(cell_open(cell, &a));
    if (!cell_address(cell, out))
        err = err_set(BOURN_E_UNAVAILABLE, "%s does not say where it is serving: name it with --url", cell);
    buf_put_u8(out, 0);
out:
    cell_close(a);
    return err;
}

static enum bourn_err write_file(struct export *x, struct slice subject)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct outfile file;
    TRY(outfile_open(&file, x->set[OUT]));
    x->out = file.f;
    TRY(subject.p ? one_person(x, subject) : people_of_input(x));
    TRY(outfile_done(&file));
out:
    outfile_close(&file);
    return err;
}

static int summary(const struct export *x)
{
    unsigned long long n[] = {x->people, x->records, x->disclosures};
    struct buf b;
    buf_init(&b, 256);
    if (x->set[JSON])
        buf_printf(&b, "{\"people\":%llu,\"records\":%llu,\"disclosures\":%llu}\n", n[0], n[1], n[2]);
    int code = cli_out(buf_slice(&b));
    if (!x->set[JSON])
        cli_note("people %llu, records %llu, disclosures in the ledger %llu", n[0], n[1], n[2]);
    buf_release(&b);
    return code;
}

static int run(struct export *x, const char *token)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf url;
    struct slice subject = slice_of(NULL, 0);
    buf_init(&url, 1024);
    buf_init_secret(&x->answer, REPLY_BYTES_MAX + (1u << 20));
    buf_init_secret(&x->line, 2 * RECORD_BYTES_MAX);
    if (strcmp(x->word[1], "-") != 0) {
        subject = slice_str(x->word[1]);
        TRY(check_subject(subject, 0));
    }
    if (!x->set[URL])
        TRY(find_url(x->word[0], &url));
    TRY(fetch_open(x->set[URL] ? x->set[URL] : (char *)url.p, token, x->set[PURPOSE], x->set[CA], &x->fetch));
    TRY(write_file(x, subject));
out:
    fetch_close(x->fetch);
    buf_release(&url);
    buf_release(&x->answer);
    buf_release(&x->line);
    return err != BOURN_OK ? cli_err(err) : summary(x);
}

int cmd_export(int argc, char **argv)
{
    static const struct opt options[] = {{"collection", true}, {"purpose", true}, {"out", true},
                                         {"url", true},        {"ca", true},      {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    struct export x = {.words_n = 0};
    const char *value, *token = getenv("BOURN_TOKEN");
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && x.words_n == 2)
            return cli_fail(CLI_USAGE, "too many operands: bourn export CELL SUBJECT …");
        if (option == COLLECTION && x.collections_n == COLLECTIONS_MOST)
            return cli_fail(CLI_USAGE, "at most %d times --collection", COLLECTIONS_MOST);
        if (option == COLLECTION && !name_valid(slice_str(value)))
            return cli_fail(CLI_USAGE, "--collection: %s is not a name", value);
        if (option == OPT_OPERAND)
            x.word[x.words_n++] = value;
        else if (option == COLLECTION)
            x.collection[x.collections_n++] = value;
        else
            x.set[option] = value;
    }
    if (x.words_n != 2 || !x.collections_n || !x.set[PURPOSE] || !x.set[OUT])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_export);
    if (!term_valid(slice_str(x.set[PURPOSE])))
        return cli_fail(CLI_USAGE, "--purpose: %s is not a term, such as dpv:ServiceProvision",
                        x.set[PURPOSE]);
    if (x.set[JSON] && strcmp(x.set[OUT], "-") == 0)
        return cli_fail(CLI_USAGE, "--json: with --out - the records stand on standard output");
    if (!token || !*token)
        return cli_fail(CLI_USAGE, "BOURN_TOKEN is not set: the token of a party with the right `read`");
    return run(&x, token);
}
