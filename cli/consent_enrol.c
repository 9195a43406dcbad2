/* bourn consent enrol: a key becomes a person's by proof of possession. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "consent/consent.h"
#include "consent_cli.h"
#include "crypto/crypto.h"
#include "post.h"

#include <stdio.h>

const char help_consent_enrol[] =
    "bourn consent enrol URL --code CODE --key FILE [--json]\n"
    "  Makes the key in FILE the person's at the cell behind URL: signs a proof of possession over the code\n"
    "  that an app handed over. The ledger keeps who vouched for it.\n"
    "  --code  the code\n"
    "  --key   the person's signing key\n"
    "  Exit: 0 enrolled, 1 refused, 64 usage, 69 no answer.\n";

/* POSTs and reads the answer; a refusal is said in the server's words, as BOURN_E_DENIED. */
static enum bourn_err ask(const char *url, const char *path, struct slice body, struct buf *answer,
                          struct json_value *v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    long status = 0;
    struct buf why, text;
    buf_init(&why, REQUEST_BODY_BYTES_MAX);
    buf_init(&text, REQUEST_BODY_BYTES_MAX);
    buf_clear(answer);
    TRY(post_json(url, path, body, &status, answer));
    bool readable = json_check(buf_slice(answer), v) == BOURN_OK;
    if (status / 100 != 2) {
        if (!readable || !cli_member(*v, "detail", &why))
            buf_put_str(&why, "no reason given: is this the address of a cell?");
        cli_printable(&text, buf_slice(&why));
        err = err_set(
            status == 503 ? BOURN_E_UNAVAILABLE : BOURN_E_DENIED, "%s answered %ld: %.300s", url, status,
            buf_check(&text) == BOURN_OK && text.n < 300 ? (buf_put_u8(&text, 0), (char *)text.p) : "");
    } else if (!readable) {
        err = err_set(BOURN_E_FORMAT, "%s answered what is not JSON: is this the address of a cell?", url);
    }
out:
    buf_release(&why);
    buf_release(&text);
    return err;
}

/* {"code":…,"public_key":…,"signature":…,"statement":…} over what the look-up answered. */
static enum bourn_err proof(struct buf *out, const struct consent_args *a, struct json_value look,
                            const uint8_t public_key[32], const uint8_t secret[64])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf origin, label, statement;
    struct key_statement s = {.time = clock_wall_s()};
    uint8_t signature[64];
    buf_init(&origin, 1024);
    buf_init(&label, 64);
    buf_init(&statement, STATEMENT_BYTES_MAX);
    if (!cli_member(look, "origin", &origin) || !cli_member(look, "label", &label) ||
        !hex_get(buf_slice(&label), s.label, sizeof s.label)) {
        err = err_set(BOURN_E_FORMAT, "the cell's answer to the code lacks origin or label");
        goto out;
    }
    s.origin = buf_slice(&origin);
    crypto_sha256_1(s.code_hash, slice_str(a->code));
    memcpy(s.public_key, public_key, 32);
    key_statement_put(&statement, &s);
    TRY(buf_check(&statement));
    consent_sign(signature, buf_slice(&statement), secret);
    buf_put_str(out, "{\"code\":");
    json_put_string(out, slice_str(a->code));
    consent_put_base64url(out, ",\"public_key\":\"", public_key, 32);
    consent_put_base64url(out, "\",\"signature\":\"", signature, sizeof signature);
    buf_put_str(out, "\",\"statement\":");
    buf_put_slice(out, buf_slice(&statement));
    buf_put_str(out, "}");
    TRY(buf_check(out));
out:
    buf_release(&origin);
    buf_release(&label);
    buf_release(&statement);
    return err;
}

static void put_voucher(struct buf *b, struct json_value answer)
{
    struct json_value by;
    if (!json_find(answer, "vouched_by", &by))
        return;
    if (by.type == JSON_STRING) {
        cli_member(answer, "vouched_by", b);
        return;
    }
    cli_member(by, "kind", b);
    buf_put_str(b, " ");
    cli_member(by, "name", b);
}

static int enrolled(struct json_value answer, const struct consent_args *a, const uint8_t public_key[32])
{
    struct buf raw, b;
    struct json_value index = {JSON_NULL, slice_str("?")};
    buf_init(&raw, 8192);
    buf_init(&b, 16384);
    if (a->json) {
        buf_put_slice(&b, answer.raw);
    } else {
        consent_put_base64url(&raw, "enrolled: key ", public_key, 32);
        buf_put_str(&raw, " is now yours at ");
        cli_member(answer, "origin", &raw);
        (void)json_find(answer, "key", &index);
        buf_printf(&raw, " (entry %.*s; vouched for by: ", SLICE_ARG(index.raw));
        put_voucher(&raw, answer);
        buf_put_str(&raw, ")");
        cli_printable(&b, buf_slice(&raw));
    }
    buf_put_u8(&b, '\n');
    int code = cli_out(buf_slice(&b));
    buf_clear(&raw);
    if (!a->json && cli_member(answer, "label", &raw)) {
        buf_clear(&b);
        cli_printable(&b, buf_slice(&raw));
        cli_note("keep your label there, with which you ask for a copy: %.*s", SLICE_ARG(buf_slice(&b)));
    }
    buf_release(&raw);
    buf_release(&b);
    return code;
}

int cmd_consent_enrol(int argc, char **argv)
{
    struct consent_args a;
    int code = consent_args_read(&a, argc, argv, help_consent_enrol);
    if (code != CLI_DONE)
        return code;
    if (!a.word || a.word2 || !a.key || !a.code || !*a.code)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_enrol);
    if (!utf8_valid(slice_str(a.code)))
        return cli_fail(CLI_USAGE, "--code: not a code");
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32], secret[64];
    struct json_value v;
    struct buf body, answer;
    buf_init_secret(&body, REQUEST_BODY_BYTES_MAX);
    buf_init(&answer, REQUEST_BODY_BYTES_MAX);
    TRY(consent_key_load(a.key, public_key, secret));
    buf_put_str(&body, "{\"code\":");
    json_put_string(&body, slice_str(a.code));
    buf_put_str(&body, "}");
    TRY(ask(a.word, "/v1/enrolments/lookup", buf_slice(&body), &answer, &v));
    buf_clear(&body);
    TRY(proof(&body, &a, v, public_key, secret));
    TRY(ask(a.word, "/v1/enrolments", buf_slice(&body), &answer, &v));
    code = enrolled(v, &a, public_key);
out:
    crypto_wipe(secret, sizeof secret);
    buf_release(&body);
    buf_release(&answer);
    return err != BOURN_OK ? cli_err(err) : code;
}
