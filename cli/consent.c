/* bourn consent: what runs on the person's machine. */
#include "consent/consent.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli.h"
#include "crypto/crypto.h"
#include "pem.h"
#include "post.h"

#include <stdio.h>

const char help_consent_key[] =
    "bourn consent key new FILE [--json]\n"
    "  Makes a signing key (Ed25519, PKCS#8 in PEM, mode 0600) and prints its public key. An\n"
    "  existing file is never written over. Whoever has this file can sign as the person.\n";
const char help_consent_enrol[] = "bourn consent enrol URL --code CODE --key FILE [--json]\n"
                                  "  Makes the key in FILE the person's at the cell behind URL: signs a "
                                  "proof of possession over the code that an app\n"
                                  "  handed over. The ledger keeps who vouched for it.\n";
const char help_consent_sign[] =
    "bourn consent sign STATEMENT.json|- --key FILE\n"
    "  Offline. Shows the statement in words on standard error, signs it, and writes the signed statement to "
    "standard\n"
    "  output, ready for POST …/consents. STATEMENT.json is the answer of POST …/consent-requests.\n";
const char help_consent_show[] = "bourn consent show STATEMENT.json|-\n"
                                 "  Shows a statement in words; of a signed one, checks the signature.\n";

#define ARENA_BYTES (1u << 20)

/* Operands and --key, --code, --json of these commands. */
struct args {
    const char *word, *word2, *key, *code;
    bool json;
};
static int args_read(struct args *a, int argc, char **argv, const char *help)
{
    static const struct opt options[] = {{"key", true}, {"code", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value;
    int option;
    *a = (struct args){NULL};
    while ((option = opt_next(&o, options, 3, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && a->word && a->word2)
            return cli_fail(CLI_USAGE, "usage:\n%s", help);
        if (option == OPT_OPERAND)
            *(a->word ? &a->word2 : &a->word) = value;
        else if (option == 2)
            a->json = true;
        else
            *(option == 0 ? &a->key : &a->code) = value;
    }
    return CLI_DONE;
}

static void put_base64url(struct buf *b, const char *before, const void *p, size_t n)
{
    buf_put_str(b, before);
    base64url_put(b, slice_of(p, n));
}

static int out_public(const uint8_t public_key[32], bool json)
{
    struct buf b;
    buf_init(&b, 256);
    put_base64url(&b, json ? "{\"public_key\":\"" : "", public_key, 32);
    buf_put_str(&b, json ? "\"}\n" : "\n");
    int code = cli_out(buf_slice(&b));
    buf_release(&b);
    return code;
}

int cmd_consent_key(int argc, char **argv)
{
    struct args a;
    int code = args_read(&a, argc, argv, help_consent_key);
    if (code != CLI_DONE)
        return code;
    if (!a.word || strcmp(a.word, "new") != 0 || !a.word2 || a.key || a.code)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_key);
    uint8_t seed[32], secret[64], public_key[32];
    crypto_random(seed, sizeof seed);
    crypto_sign_from_seed(public_key, secret, seed);
    enum bourn_err err = pem_write_new(a.word2, seed);
    crypto_wipe(seed, sizeof seed);
    crypto_wipe(secret, sizeof secret);
    if (err != BOURN_OK)
        return cli_err(err);
    cli_note("made %s; keep it: whoever has it can sign as you. Its public key:", a.word2);
    return out_public(public_key, a.json);
}

static enum bourn_err key_load(const char *path, uint8_t public_key[32], uint8_t secret[64])
{
    uint8_t seed[32];
    enum bourn_err err = pem_read(path, seed);
    if (err == BOURN_OK)
        crypto_sign_from_seed(public_key, secret, seed);
    crypto_wipe(seed, sizeof seed);
    return err;
}

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
static enum bourn_err proof(struct buf *out, const struct args *a, struct json_value look,
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
    put_base64url(out, ",\"public_key\":\"", public_key, 32);
    put_base64url(out, "\",\"signature\":\"", signature, sizeof signature);
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

static int enrolled(struct json_value answer, const struct args *a, const uint8_t public_key[32])
{
    struct buf raw, b;
    struct json_value index = {JSON_NULL, slice_str("?")};
    buf_init(&raw, 8192);
    buf_init(&b, 16384);
    if (a->json) {
        buf_put_slice(&b, answer.raw);
    } else {
        put_base64url(&raw, "enrolled: key ", public_key, 32);
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
    buf_release(&raw);
    buf_release(&b);
    return code;
}

int cmd_consent_enrol(int argc, char **argv)
{
    struct args a;
    int code = args_read(&a, argc, argv, help_consent_enrol);
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
    TRY(key_load(a.key, public_key, secret));
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

/* Reads {"statement":{…},…}: the canonical bytes, what they say, and that in words. */
static enum bourn_err statement_read(const char *path, struct buf *text, struct buf *canonical,
                                     struct arena *arena, struct buf *words)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value v, statement;
    struct consent_statement s;
    struct buf plain;
    buf_init(&plain, 256u << 10);
    TRY(cli_read(path, text));
    TRY(json_check(buf_slice(text), &v));
    if (!json_find(v, "statement", &statement) || statement.type != JSON_OBJECT) {
        err = err_set(BOURN_E_FORMAT,
                      "%s: an object with the member `statement` is wanted, as POST …/consent-requests "
                      "answers it",
                      path);
        goto out;
    }
    TRY(consent_canonical(statement.raw, canonical));
    TRY(consent_statement_get(buf_slice(canonical), arena, &s));
    consent_in_words(&plain, &s);
    TRY(buf_check(&plain));
    /* Line by line, so that nothing in the statement can move the cursor or hide a line. */
    for (const uint8_t *p = plain.p, *end = p + plain.n; p < end;) {
        const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
        cli_printable(words, slice_of(p, n));
        buf_put_u8(words, '\n');
        p += n + 1;
    }
    TRY(buf_check(words));
out:
    buf_release(&plain);
    return err;
}

struct reading {
    struct buf text, canonical, words;
    struct arena arena;
};
static void reading_init(struct reading *r)
{
    buf_init(&r->text, 4 * STATEMENT_BYTES_MAX);
    buf_init(&r->canonical, STATEMENT_BYTES_MAX);
    buf_init(&r->words, 256u << 10);
    arena_init(&r->arena, ARENA_BYTES);
}
static void reading_release(struct reading *r)
{
    buf_release(&r->text);
    buf_release(&r->canonical);
    buf_release(&r->words);
    arena_release(&r->arena);
}

int cmd_consent_sign(int argc, char **argv)
{
    struct args a;
    int code = args_read(&a, argc, argv, help_consent_sign);
    if (code != CLI_DONE)
        return code;
    if (!a.word || a.word2 || !a.key || a.code)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_sign);
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32], secret[64], signature[64];
    struct reading r;
    struct buf out;
    reading_init(&r);
    buf_init(&out, 2 * STATEMENT_BYTES_MAX);
    TRY(statement_read(a.word, &r.text, &r.canonical, &r.arena, &r.words));
    TRY(key_load(a.key, public_key, secret));
    consent_sign(signature, buf_slice(&r.canonical), secret);
    crypto_wipe(secret, sizeof secret);
    const struct signed_statement s = {buf_slice(&r.canonical), slice_of(signature, 64),
                                       slice_of(public_key, 32)};
    signed_statement_put(&out, &s);
    buf_put_u8(&out, '\n');
    TRY(buf_check(&out));
    cli_note("You sign:\n%.*s", SLICE_ARG(buf_slice(&r.words)));
    code = cli_out(buf_slice(&out));
out:
    reading_release(&r);
    buf_release(&out);
    return err != BOURN_OK ? cli_err(err) : code;
}

int cmd_consent_show(int argc, char **argv)
{
    struct args a;
    int code = args_read(&a, argc, argv, help_consent_show);
    if (code != CLI_DONE)
        return code;
    if (!a.word || a.word2 || a.key || a.code)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_show);
    enum bourn_err err = BOURN_E_INTERNAL;
    struct reading r;
    struct json_value v, signature;
    struct signed_statement s;
    reading_init(&r);
    TRY(statement_read(a.word, &r.text, &r.canonical, &r.arena, &r.words));
    TRY(json_check(buf_slice(&r.text), &v));
    if (json_find(v, "signature", &signature)) {
        TRY(signed_statement_get(buf_slice(&r.text), &r.arena, &s));
        TRY(consent_verify(s.canonical, s.signature, s.public_key));
        put_base64url(&r.words, "signed by the key ", s.public_key.p, s.public_key.n);
        buf_put_str(&r.words, ": the signature holds\n");
    } else {
        buf_put_str(&r.words, "not signed\n");
    }
    code = cli_out(buf_slice(&r.words));
out:
    reading_release(&r);
    return err != BOURN_OK ? cli_err(err) : code;
}
