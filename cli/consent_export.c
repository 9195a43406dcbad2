/* bourn consent export: a person's own copy, asked for with their key and nothing else. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "consent/consent.h"
#include "consent_cli.h"
#include "crypto/crypto.h"
#include "outfile.h"
#include "post.h"

const char help_consent_export[] =
    "bourn consent export URL --key FILE --label LABEL [--origin ORIGIN] [--out FILE|-] [--json]\n"
    "  Asks the cell behind URL for a copy of all that it holds about you: signs the request, sends it, and\n"
    "  writes the records, one JSON object a line: {\"collection\",\"id\",\"version\",\"data\"}. `bourn "
    "import\n"
    "  --format export` takes the file, in any cell. No party and no token takes part; the ledger keeps "
    "that\n"
    "  you took a copy. What is signed counts once and for a day, and for whoever sends it first. If the "
    "copy\n"
    "  does not come whole, no file is left.\n"
    "  --key     the signing key that is enrolled for you\n"
    "  --label   your label there, which `bourn consent enrol` told: 32 hex digits\n"
    "  --origin  of the cell's log; by default what its checkpoint says\n"
    "  --out     the file, which is made with mode 0600 and must not be there yet; - is standard output, "
    "and\n"
    "            the default\n"
    "  --json    the counts as JSON (on standard output; only with a file)\n"
    "  Exit: 0 whole, 1 refused or failed, 64 usage, 69 no answer.\n";

enum { KEY, LABEL, ORIGIN, OUT, JSON, OPTIONS };
struct command {
    const char *set[OPTIONS], *url;
    struct outfile file;
    struct buf line; /* the one that is being read */
    struct buf body, answer;
    uint64_t records, receipt;
    bool broken_off; /* `line` says why */
};

/* Whole lines alone are written. One that is no record ends the stream, and says what went wrong. */
static bool take(void *ctx, struct slice piece)
{
    static const char error[] = "{\"error\":";
    struct command *x = ctx;
    while (piece.n && !x->broken_off) {
        const uint8_t *end = memchr(piece.p, '\n', piece.n);
        size_t n = end ? (size_t)(end - piece.p) + 1 : piece.n;
        buf_put(&x->line, piece.p, n);
        piece = slice_of(piece.p + n, piece.n - n);
        if (!end || x->line.failed)
            continue;
        if (x->line.n > sizeof error && memcmp(x->line.p, error, sizeof error - 1) == 0) {
            x->broken_off = true;
            break;
        }
        if (fwrite(x->line.p, 1, x->line.n, x->file.f) != x->line.n)
            return false;
        x->records++;
        buf_clear(&x->line);
    }
    return !x->line.failed;
}

/* A problem (RFC 9457) in the server's words; of a 503, which may pass, BOURN_E_UNAVAILABLE. */
static enum bourn_err refused(const struct command *x, const char *what, struct slice problem)
{
    struct json_value v, status = {JSON_NULL, slice_of(NULL, 0)};
    struct buf why, text;
    buf_init(&why, 8192);
    buf_init(&text, 16384);
    if (json_check(problem, &v) == BOURN_OK && cli_member(v, "detail", &why)) {
        buf_put_str(&why, " (");
        cli_member(v, "code", &why);
        buf_put_str(&why, ")");
        (void)json_find(v, "status", &status);
    } else {
        buf_put_str(&why, "no reason given: is this the address of a cell?");
    }
    cli_printable(&text, buf_slice(&why));
    buf_put_u8(&text, 0);
    enum bourn_err err = err_set(slice_is(status.raw, "503") ? BOURN_E_UNAVAILABLE : BOURN_E_DENIED,
                                 "%s %s: %s", x->url, what, text.failed ? "" : (char *)text.p);
    buf_release(&why);
    buf_release(&text);
    return err;
}

/* The first line of the cell's checkpoint. */
static enum bourn_err find_origin(struct command *x, struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    long status = 0;
    TRY(post_get(x->url, "/ledger/checkpoint", &status, &x->answer));
    const uint8_t *end = x->answer.n ? memchr(x->answer.p, '\n', x->answer.n) : NULL;
    struct slice origin = slice_of(x->answer.p, end ? (size_t)(end - x->answer.p) : 0);
    if (status != 200 || !origin.n || !consent_line_ok(origin))
        return err_set(BOURN_E_UNAVAILABLE,
                       "%s shows no checkpoint that names the log's origin: name it with --origin", x->url);
    buf_put_slice(out, origin);
    buf_clear(&x->answer);
    err = buf_check(out);
out:
    return err;
}

static enum bourn_err sign(struct command *x, struct own_statement *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32], secret[64] = {0}, signature[64];
    struct buf statement, words;
    buf_init(&statement, STATEMENT_BYTES_MAX);
    buf_init(&words, 4096);
    crypto_random(s->nonce, sizeof s->nonce);
    s->issued = clock_wall_s();
    export_statement_put(&statement, s);
    TRY(buf_check(&statement));
    TRY(consent_key_load(x->set[KEY], public_key, secret));
    consent_sign(signature, buf_slice(&statement), secret);
    struct signed_statement wire = {buf_slice(&statement), slice_of(signature, 64), slice_of(public_key, 32)};
    signed_statement_put(&x->body, &wire);
    TRY(buf_check(&x->body));
    cli_printable(&words, s->origin);
    cli_note("You sign: a copy of all records about me, of %.*s, under the label %s, asked for now.",
             SLICE_ARG(buf_slice(&words)), x->set[LABEL]);
out:
    crypto_wipe(secret, sizeof secret);
    buf_release(&statement);
    buf_release(&words);
    return err;
}

static enum bourn_err fetch(struct command *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value v, error;
    long status = 0;
    TRY(outfile_open(&x->file, x->set[OUT]));
    TRY(post_stream(x->url, "/v1/export", buf_slice(&x->body), take, x, &status, &x->answer, &x->receipt));
    if (status != 200) {
        err = refused(x, "refuses", buf_slice(&x->answer));
    } else if (x->broken_off) {
        bool said = json_check(buf_slice(&x->line), &v) == BOURN_OK && json_find(v, "error", &error);
        err = refused(x, "broke off", said ? error.raw : slice_of(NULL, 0));
    } else if (x->line.n) {
        err = err_set(BOURN_E_UNAVAILABLE, "the last line of what %s answered is cut", x->url);
    } else {
        err = outfile_done(&x->file);
    }
out:
    outfile_close(&x->file);
    return err;
}

static int summary(const struct command *x)
{
    unsigned long long n[] = {x->records, x->receipt};
    struct buf b;
    buf_init(&b, 256);
    if (x->set[JSON])
        buf_printf(&b, "{\"records\":%llu,\"receipt\":%llu}\n", n[0], n[1]);
    int code = cli_out(buf_slice(&b));
    if (!x->set[JSON])
        cli_note("records %llu; the copy begins with entry %llu of the ledger", n[0], n[1]);
    buf_release(&b);
    return code;
}

static int run(struct command *x, struct own_statement *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf origin;
    buf_init(&origin, 1024);
    buf_init(&x->body, 2 * STATEMENT_BYTES_MAX);
    buf_init(&x->answer, REQUEST_BODY_BYTES_MAX);
    buf_init_secret(&x->line, 2 * RECORD_BYTES_MAX);
    if (x->set[ORIGIN])
        buf_put_str(&origin, x->set[ORIGIN]);
    else
        TRY(find_origin(x, &origin));
    s->origin = buf_slice(&origin);
    TRY(sign(x, s));
    TRY(fetch(x));
out:
    buf_release(&origin);
    buf_release(&x->body);
    buf_release(&x->answer);
    buf_release(&x->line);
    return err != BOURN_OK ? cli_err(err) : summary(x);
}

int cmd_consent_export(int argc, char **argv)
{
    static const struct opt options[] = {
        {"key", true}, {"label", true}, {"origin", true}, {"out", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    struct command x = {.receipt = UINT64_MAX};
    struct own_statement s = {.issued = 0};
    const char *value;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && x.url)
            return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_export);
        *(option == OPT_OPERAND ? &x.url : &x.set[option]) = value;
    }
    if (!x.url || !x.set[KEY] || !x.set[LABEL])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_export);
    if (!hex_get(slice_str(x.set[LABEL]), s.label, sizeof s.label))
        return cli_fail(CLI_USAGE, "--label: 32 hex digits are wanted, in small letters");
    if (x.set[ORIGIN] && !consent_line_ok(slice_str(x.set[ORIGIN])))
        return cli_fail(CLI_USAGE, "--origin: not the origin of a log, such as cn.example/ledger");
    x.set[OUT] = x.set[OUT] ? x.set[OUT] : "-";
    if (x.set[JSON] && strcmp(x.set[OUT], "-") == 0)
        return cli_fail(CLI_USAGE, "--json: the records stand on standard output; name a file with --out");
    return run(&x, &s);
}
