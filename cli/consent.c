/* bourn consent: what runs on the person's machine. */
#include "consent/consent.h"
#include "base/limits.h"
#include "base/text.h"
#include "consent_cli.h"
#include "crypto/crypto.h"
#include "pem.h"

#include <stdio.h>

const char help_consent_key[] =
    "bourn consent key new FILE [--json]\n"
    "  Makes a signing key (Ed25519, PKCS#8 in PEM, mode 0600) and prints its public key. An\n"
    "  existing file is never written over. Whoever has this file can sign as the person.\n"
    "  Exit: 0 made, 1 refused or failed, 64 usage.\n";
const char help_consent_sign[] =
    "bourn consent sign STATEMENT.json|- --key FILE\n"
    "  Offline. Shows the statement in words on standard error, signs it, and writes the signed statement, "
    "as\n"
    "  JSON, to standard output, ready for POST …/consents. STATEMENT.json is the answer of\n"
    "  POST …/consent-requests.\n"
    "  --key  the person's signing key\n"
    "  Exit: 0 signed, 1 refused or failed, 64 usage.\n";
const char help_consent_show[] =
    "bourn consent show STATEMENT.json|- [--json]\n"
    "  Shows a statement in words; of a signed one, checks the signature.\n"
    "  --json  {\"words\",\"signed\",\"public_key\"}: the key is null if it is not signed\n"
    "  Exit: 0 readable, and the signature holds if there is one; 1 not; 64 usage.\n";

#define ARENA_BYTES (1u << 20)

int consent_args_read(struct consent_args *a, int argc, char **argv, const char *help)
{
    static const struct opt options[] = {{"key", true}, {"code", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value;
    int option;
    *a = (struct consent_args){.word = NULL};
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

void consent_put_base64url(struct buf *b, const char *before, const void *p, size_t n)
{
    buf_put_str(b, before);
    base64url_put(b, slice_of(p, n));
}

static int out_public(const uint8_t public_key[32], bool json)
{
    struct buf b;
    buf_init(&b, 256);
    consent_put_base64url(&b, json ? "{\"public_key\":\"" : "", public_key, 32);
    buf_put_str(&b, json ? "\"}\n" : "\n");
    int code = cli_out(buf_slice(&b));
    buf_release(&b);
    return code;
}

int cmd_consent_key(int argc, char **argv)
{
    struct consent_args a;
    int code = consent_args_read(&a, argc, argv, help_consent_key);
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

enum bourn_err consent_key_load(const char *path, uint8_t public_key[32], uint8_t secret[64])
{
    uint8_t seed[32];
    enum bourn_err err = pem_read(path, seed);
    if (err == BOURN_OK)
        crypto_sign_from_seed(public_key, secret, seed);
    crypto_wipe(seed, sizeof seed);
    return err;
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
    struct consent_args a;
    int code = consent_args_read(&a, argc, argv, help_consent_sign);
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
    TRY(consent_key_load(a.key, public_key, secret));
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

/* `key` is that of a signature that holds, or NULL. */
static void put_shown(struct buf *out, struct slice words, const struct slice *key, bool json)
{
    if (json) {
        buf_put_str(out, "{\"words\":");
        json_put_string(out, words);
        buf_printf(out, ",\"signed\":%s,\"public_key\":", key ? "true" : "false");
        if (key)
            consent_put_base64url(out, "\"", key->p, key->n);
        buf_put_str(out, key ? "\"}\n" : "null}\n");
        return;
    }
    buf_put_slice(out, words);
    if (key)
        consent_put_base64url(out, "signed by the key ", key->p, key->n);
    buf_put_str(out, key ? ": the signature holds\n" : "not signed\n");
}

int cmd_consent_show(int argc, char **argv)
{
    struct consent_args a;
    int code = consent_args_read(&a, argc, argv, help_consent_show);
    if (code != CLI_DONE)
        return code;
    if (!a.word || a.word2 || a.key || a.code)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_consent_show);
    enum bourn_err err = BOURN_E_INTERNAL;
    struct reading r;
    struct json_value v, signature;
    struct signed_statement s;
    struct buf out;
    bool is_signed = false;
    reading_init(&r);
    buf_init(&out, 1u << 20);
    TRY(statement_read(a.word, &r.text, &r.canonical, &r.arena, &r.words));
    TRY(json_check(buf_slice(&r.text), &v));
    if (json_find(v, "signature", &signature)) {
        TRY(signed_statement_get(buf_slice(&r.text), &r.arena, &s));
        TRY(consent_verify(s.canonical, s.signature, s.public_key));
        is_signed = true;
    }
    put_shown(&out, buf_slice(&r.words), is_signed ? &s.public_key : NULL, a.json);
    TRY(buf_check(&out));
    code = cli_out(buf_slice(&out));
out:
    reading_release(&r);
    buf_release(&out);
    return err != BOURN_OK ? cli_err(err) : code;
}
