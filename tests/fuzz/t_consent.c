/* What people sign, and the wire form of it. */
#include "fuzz.h"

#include "base/limits.h"
#include "consent/consent.h"

#include <stdio.h>
#include <stdlib.h>

/* As canonical bytes: what is taken is written again to the same bytes. */
static void as_statement(struct slice in)
{
    struct arena a;
    struct consent_statement s;
    struct key_statement k;
    struct own_statement x;
    struct own_statement h;
    struct buf again, words;
    arena_init(&a, 8u << 20);
    buf_init(&again, 1u << 20);
    buf_init(&words, 1u << 20);
    if (consent_statement_get(in, &a, &s) == BOURN_OK) {
        fuzz_check(in.n <= STATEMENT_BYTES_MAX);
        consent_statement_put(&again, &s);
        fuzz_check(slice_eq(in, buf_slice(&again)));
        consent_in_words(&words, &s);
        fuzz_check(words.n > 0);
    }
    buf_clear(&again);
    if (key_statement_get(in, &a, &k) == BOURN_OK) {
        key_statement_put(&again, &k);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&again);
    if (export_statement_get(in, &a, &x) == BOURN_OK) {
        export_statement_put(&again, &x);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&again);
    if (history_statement_get(in, &a, &h) == BOURN_OK) {
        history_statement_put(&again, &h);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_release(&again);
    buf_release(&words);
    arena_release(&a);
}

static void run_canonical(struct slice in)
{
    struct buf once, twice;
    buf_init(&once, 1u << 20);
    buf_init(&twice, 1u << 20);
    as_statement(in);
    if (consent_canonical(in, &once) == BOURN_OK) {
        fuzz_ok(consent_canonical(buf_slice(&once), &twice));
        fuzz_check(slice_eq(buf_slice(&once), buf_slice(&twice)));
        as_statement(buf_slice(&once));
    }
    buf_release(&once);
    buf_release(&twice);
}

static void run_signed(struct slice in)
{
    struct arena a;
    struct signed_statement s, t;
    struct buf again, canonical;
    arena_init(&a, 8u << 20);
    buf_init(&again, 1u << 20);
    buf_init(&canonical, 1u << 20);
    if (signed_statement_get(in, &a, &s) == BOURN_OK) {
        fuzz_ok(consent_canonical(s.canonical, &canonical));
        fuzz_check(slice_eq(s.canonical, buf_slice(&canonical)));
        fuzz_check((s.signature.n == 64 && s.public_key.n == 32) || (!s.signature.n && !s.public_key.n));
        signed_statement_put(&again, &s);
        fuzz_ok(signed_statement_get(buf_slice(&again), &a, &t));
        fuzz_check(slice_eq(s.canonical, t.canonical) && slice_eq(s.signature, t.signature) &&
                   slice_eq(s.public_key, t.public_key));
        if (s.signature.n)
            fuzz_check(consent_verify(s.canonical, s.signature, s.public_key) != BOURN_E_INTERNAL);
        as_statement(s.canonical);
    }
    buf_release(&again);
    buf_release(&canonical);
    arena_release(&a);
}

/* The vectors: "name value" a line. */
static void vectors(bool sign)
{
    char path[4096], *line = NULL;
    size_t size = 0;
    const char *root = getenv("BOURN_SOURCE");
    snprintf(path, sizeof path, "%s/tests/vectors/statements.txt", root ? root : ".");
    FILE *f = fopen(path, "r");
    fuzz_check(f);
    while (getline(&line, &size, f) > 0) {
        char *brace = strchr(line, '{');
        if (line[0] == '#' || !brace)
            continue;
        brace[strcspn(brace, "\n")] = '\0';
        bool wire = strstr(brace, "\"statement\":{") != NULL;
        if (wire == sign)
            fuzz_seed(slice_str(brace));
    }
    free(line);
    fclose(f);
}

static void seeds_canonical(void)
{
    vectors(false);
    fuzz_seed(
        slice_str("{\"b\":[1,-2,9007199254740991],\"a\":\"\\u20ac\\n\\u0001\",\"\\ud83d\\ude00\":null}"));
}
static void seeds_signed(void)
{
    vectors(true);
    fuzz_seed(slice_str("{\"statement\":{}}"));
}

const struct fuzz_target fuzz_consent[] = {
    {"statement", run_canonical, seeds_canonical, 4096, 10000},
    {"signed", run_signed, seeds_signed, 4096, 10000},
    {0},
};
