/* bourn consent history: all that a ledger says about a person, asked for with their key and checked here. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "consent/consent.h"
#include "consent_cli.h"
#include "crypto/crypto.h"
#include "history.h"
#include "outfile.h"
#include "post.h"

#include <stdio.h>
#include <unistd.h>

const char help_consent_history[] =
    "bourn consent history URL --key FILE --label LABEL --log-key VKEY [--save-head FILE] [--json]\n"
    "  Asks the cell behind URL for every row of its ledger about you, and checks here what it answers: the\n"
    "  checkpoint's signature, that each entry stands under it and each row under its entry, that every row "
    "is\n"
    "  yours, and that the chain of rows has no gap from the newest one down to the one by which you "
    "entered.\n"
    "  Then it shows them in plain words, the oldest first: when, which party, purpose, country, "
    "collection.\n"
    "  No party and no token takes part. What it signs is good for a quarter of an hour, for rows alone; "
    "that "
    "you\n"
    "  read your history is an entry itself, which the next history shows.\n"
    "  Rows that the cell left out at the new end do not show here: SECURITY.md says what does.\n"
    "  --key        the signing key that is enrolled for you\n"
    "  --label      your label there, which `bourn consent enrol` told: 32 hex digits\n"
    "  --log-key    file with the public key of the log (ledger.vkey)\n"
    "  --save-head  keep the checkpoint, for a later `bourn-verify --head`; a file that is there is left "
    "alone\n"
    "  --json       one object a line\n"
    "  Exit: 0 whole and right, 1 refused, or something does not hold, 64 usage, 69 no answer.\n";

enum { KEY, LABEL, LOG_KEY, SAVE_HEAD, JSON, OPTIONS, PAGE_BYTES_MAX = 8 << 20, LATE_TRIES = 5 };
struct command {
    const char *set[OPTIONS], *url;
    uint8_t label[16];
    struct merkle_vkey log_key;
    struct history history;
    struct buf header, answer, path;
};

static enum bourn_err read_log_key(struct command *x)
{
    struct buf text;
    buf_init(&text, 4096);
    enum bourn_err err = cli_read(x->set[LOG_KEY], &text);
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&text), &x->log_key);
    buf_release(&text);
    return err;
}

/* "Bourn-Statement: base64url", of what the person signs now. */
static enum bourn_err sign(struct command *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32], secret[64] = {0}, signature[64];
    struct own_statement s = {.origin = slice_str(x->log_key.name), .issued = clock_wall_s()};
    struct buf statement, wire;
    buf_init(&statement, STATEMENT_BYTES_MAX);
    buf_init(&wire, 2 * STATEMENT_BYTES_MAX);
    memcpy(s.label, x->label, sizeof s.label);
    crypto_random(s.nonce, sizeof s.nonce);
    history_statement_put(&statement, &s);
    TRY(buf_check(&statement));
    TRY(consent_key_load(x->set[KEY], public_key, secret));
    consent_sign(signature, buf_slice(&statement), secret);
    struct signed_statement signed_by = {buf_slice(&statement), slice_of(signature, 64),
                                         slice_of(public_key, 32)};
    signed_statement_put(&wire, &signed_by);
    TRY(buf_check(&wire));
    buf_put_str(&x->header, "Bourn-Statement: ");
    base64url_put(&x->header, buf_slice(&wire));
    buf_put_u8(&x->header, 0);
    err = buf_check(&x->header);
out:
    crypto_wipe(secret, sizeof secret);
    buf_release(&statement);
    buf_release(&wire);
    return err;
}

/* What the server says of a refusal (RFC 9457). */
static enum bourn_err refused(const struct command *x, long status)
{
    struct json_value v;
    struct buf why, printable;
    buf_init(&why, 8192);
    buf_init(&printable, 16384);
    if (json_check(buf_slice(&x->answer), &v) == BOURN_OK && v.type == JSON_OBJECT &&
        cli_member(v, "detail", &why)) {
        buf_put_str(&why, " (");
        cli_member(v, "code", &why);
        buf_put_str(&why, ")");
    } else {
        buf_put_str(&why, "no reason given: is this the address of a cell?");
    }
    cli_printable(&printable, buf_slice(&why));
    buf_put_u8(&printable, 0);
    enum bourn_err err = err_set(status == 503 ? BOURN_E_UNAVAILABLE : BOURN_E_DENIED, "%s refuses: %s",
                                 x->url, printable.failed ? "" : (char *)printable.p);
    buf_release(&why);
    buf_release(&printable);
    return err;
}

static enum bourn_err get_page(struct command *x)
{
    long status = 0;
    buf_clear(&x->path);
    buf_put_str(&x->path, "/v1/subjects/~");
    hex_put(&x->path, slice_of(x->label, 16));
    buf_put_str(&x->path, "/history");
    if (x->history.begun)
        buf_printf(&x->path, "?cursor=%llu&size=%llu", (unsigned long long)x->history.next,
                   (unsigned long long)x->history.cp.size);
    buf_put_u8(&x->path, 0);
    enum bourn_err err = buf_check(&x->path);
    for (int i = 0; err == BOURN_OK && i < LATE_TRIES; i++) {
        buf_clear(&x->answer);
        err = post_get_signed(x->url, (char *)x->path.p, (char *)x->header.p, &status, &x->answer);
        if (err || status != 503)
            break;
        sleep(1);
    }
    if (err)
        return err;
    return status == 200 ? history_take(&x->history, buf_slice(&x->answer)) : refused(x, status);
}

static enum bourn_err save_head(const struct command *x)
{
    struct outfile file;
    enum bourn_err err = outfile_open(&file, x->set[SAVE_HEAD]);
    if (err != BOURN_OK)
        ;
    else if (fwrite(x->history.note.p, 1, x->history.note.n, file.f) != x->history.note.n)
        err = err_sys(BOURN_E_IO, "cannot write %s", x->set[SAVE_HEAD]);
    else
        err = outfile_done(&file);
    outfile_close(&file);
    return err;
}

static int show(struct command *x)
{
    const struct history *h = &x->history;
    struct buf out;
    buf_init(&out, h->text.n + 1);
    history_put(&out, h);
    int code = cli_out(buf_slice(&out));
    cli_note("%llu entries about you, %llu of them disclosures, without a gap down to the one by which you "
             "entered;"
             " all stand in the log of %llu entries that %s signed",
             (unsigned long long)h->rows, (unsigned long long)h->disclosures, (unsigned long long)h->cp.size,
             h->key.name);
    buf_release(&out);
    return code;
}

static int run(struct command *x)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    buf_init_secret(&x->header, 4 * STATEMENT_BYTES_MAX);
    buf_init(&x->answer, PAGE_BYTES_MAX);
    buf_init(&x->path, 1024);
    TRY(read_log_key(x));
    history_init(&x->history, &x->log_key, x->label, x->set[JSON] != NULL);
    TRY(sign(x));
    while (!x->history.ended)
        TRY(get_page(x));
    if (x->set[SAVE_HEAD])
        TRY(save_head(x));
out:
    buf_release(&x->header);
    buf_release(&x->answer);
    buf_release(&x->path);
    int code = err != BOURN_OK ? cli_err(err) : show(x);
    history_release(&x->history);
    return code;
}

int cmd_consent_history(int argc, char **argv)
{
    static const struct opt options[] = {
        {"key", true}, {"label", true}, {"log-key", true}, {"save-head", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    struct command x = {.url = NULL};
    const char *value;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && x.url)
            return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_history);
        *(option == OPT_OPERAND ? &x.url : &x.set[option]) = option == JSON ? "" : value;
    }
    if (!x.url || !x.set[KEY] || !x.set[LABEL] || !x.set[LOG_KEY])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_history);
    if (!hex_get(slice_str(x.set[LABEL]), x.label, sizeof x.label))
        return cli_fail(CLI_USAGE, "--label: 32 hex digits are wanted, in small letters");
    return run(&x);
}
