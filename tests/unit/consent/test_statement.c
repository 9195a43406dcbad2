/* Statements against tests/vectors/statements.txt (which `test_statement print` writes) and against every way
 * of breaking one. */
#include "base/limits.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static uint8_t public_key[32], secret[64];

enum { MADE = 14 };
struct made { /* everything that the vectors hold, made from the fixtures */
    struct buf text[MADE];
};
static const char *const names[MADE] = {
    "public_key",       "consent_statement", "consent_digest", "consent_signature", "signed_statement",
    "key_statement",    "key_digest",        "key_signature",  "export_statement",  "export_digest",
    "export_signature", "history_statement", "history_digest", "history_signature"};

static void put_signed(struct buf *digest, struct buf *hex, uint8_t signature[64],
                       const struct buf *statement)
{
    uint8_t d[32];
    consent_digest(d, buf_slice(statement));
    consent_sign(signature, buf_slice(statement), secret);
    hex_put(digest, slice_of(d, 32));
    hex_put(hex, slice_of(signature, 64));
}

static struct made make(void)
{
    struct made m;
    uint8_t signature[64];
    struct consent_statement s = fixture_consent();
    struct key_statement k = fixture_key(public_key);
    struct own_statement x = fixture_export();
    struct own_statement h = fixture_history();
    for (size_t i = 0; i < MADE; i++)
        buf_init(&m.text[i], 1 << 16);
    hex_put(&m.text[0], slice_of(public_key, 32));
    key_statement_put(&m.text[5], &k);
    put_signed(&m.text[6], &m.text[7], signature, &m.text[5]);
    export_statement_put(&m.text[8], &x);
    put_signed(&m.text[9], &m.text[10], signature, &m.text[8]);
    history_statement_put(&m.text[11], &h);
    put_signed(&m.text[12], &m.text[13], signature, &m.text[11]);
    consent_statement_put(&m.text[1], &s);
    put_signed(&m.text[2], &m.text[3], signature, &m.text[1]);
    struct signed_statement wire = {buf_slice(&m.text[1]), slice_of(signature, 64), slice_of(public_key, 32)};
    signed_statement_put(&m.text[4], &wire);
    return m;
}

static void release(struct made *m)
{
    for (size_t i = 0; i < MADE; i++)
        buf_release(&m->text[i]);
}

static void vectors_hold(void **state)
{
    (void)state;
    struct made m = make();
    for (size_t i = 0; i < MADE; i++) {
        char *want = fixture_vector(names[i]);
        if (!slice_is(buf_slice(&m.text[i]), want))
            fail_msg("%s is now %.*s", names[i], SLICE_ARG(buf_slice(&m.text[i])));
        free(want);
    }
    release(&m);
}

static void reading_gives_what_was_written(void **state)
{
    (void)state;
    struct consent_statement s, want = fixture_consent();
    struct key_statement k;
    struct own_statement x;
    struct own_statement h;
    struct buf again;
    buf_init(&again, 1 << 16);
    char *text = fixture_vector("consent_statement");
    assert_int_equal(consent_statement_get(slice_str(text), &arena, &s), BOURN_OK);
    consent_statement_put(&again, &s);
    assert_true(slice_is(buf_slice(&again), text));
    assert_true(slice_eq(s.origin, want.origin) && slice_eq(s.domicile, want.domicile));
    assert_true(slice_eq(s.controller, want.controller) &&
                slice_eq(s.controller_contact, want.controller_contact));
    assert_memory_equal(s.label, want.label, 16);
    assert_memory_equal(s.nonce, want.nonce, 16);
    assert_memory_equal(s.notice_hash, want.notice_hash, 32);
    assert_true(s.issued == want.issued && s.expires == want.expires && s.notice_version == 1);
    assert_true(s.purposes_n == 2 && slice_eq(s.purposes[1].term, want.purposes[1].term));
    assert_true(s.recipients_n == 2 && slice_is(s.recipients[0].legal_name, "Lab \"North\" Inc."));
    assert_true(s.recipients[1].contact.n == 0 && s.recipients[1].party_hash[31] == 0x12);
    assert_true(s.destinations_n == 2 && slice_is(s.destinations[0], "DE"));
    assert_true(s.collections_n == 2 && slice_is(s.collections[1], "visits"));
    free(text);
    buf_release(&again);

    text = fixture_vector("key_statement");
    assert_int_equal(key_statement_get(slice_str(text), &arena, &k), BOURN_OK);
    assert_memory_equal(k.public_key, public_key, 32);
    assert_true(k.code_hash[31] == 0x33 && k.time == 1795255200 && slice_is(k.origin, "cn.example/ledger"));
    assert_int_equal(consent_statement_get(slice_str(text), &arena, &s), BOURN_E_FORMAT); /* the other kind */
    assert_int_equal(export_statement_get(slice_str(text), &arena, &x), BOURN_E_FORMAT);
    free(text);

    text = fixture_vector("export_statement");
    assert_int_equal(export_statement_get(slice_str(text), &arena, &x), BOURN_OK);
    assert_true(x.label[15] == 0x1f && x.nonce[0] == 0xb0 && x.issued == 1795255200);
    assert_true(slice_is(x.origin, "cn.example/ledger"));
    assert_int_equal(key_statement_get(slice_str(text), &arena, &k), BOURN_E_FORMAT);
    assert_int_equal(history_statement_get(slice_str(text), &arena, &h), BOURN_E_FORMAT);
    free(text);

    text = fixture_vector("history_statement");
    assert_int_equal(history_statement_get(slice_str(text), &arena, &h), BOURN_OK);
    assert_true(h.label[15] == 0x1f && h.issued == 1795255200 && slice_is(h.origin, "cn.example/ledger"));
    assert_int_equal(export_statement_get(slice_str(text), &arena, &x), BOURN_E_FORMAT);
    free(text);
}

struct damage {
    const char *from, *to, *reason;
};
static const struct damage consent_damage[] = {
    {"bourn-consent/1", "bourn-consent/2", "another kind or version of statement at \"/schema_version\""},
    {"{\"event_time\"", "{\"event_time\":\"2026-11-21T10:00:00Z\",\"event_time\"", "twice"},
    {"{\"event_time\"", "{ \"event_time\"", "not in canonical form"},
    {"\"schema_version\":\"bourn-consent/1\"}", "\"schema_version\":\"bourn-consent/1\",\"x\":1}",
     "unknown member"},
    {"\"party_name\":\"Clinic Ltd\"}", "\"party_name\":\"Clinic Ltd\",\"x\":1}",
     "unknown member at \"/pii_controllers\""},
    {"\"record_id\":\"a0", "\"record_id\":\"A0", "/record_id"},
    {"\"record_id\":\"a0", "\"record_id\":\"", "/record_id"},
    {"\"jurisdiction\":\"CN\",", "", "a member is missing at \"/jurisdiction\""},
    {"\"CN\"", "\"cn\"", "not a country code at \"/jurisdiction\""},
    {"\"CN\"", "7", "a string was expected at \"/jurisdiction\""},
    {"\"CN\"", "null", "a string was expected at \"/jurisdiction\""},
    {"2026-11-21T10:00:00Z", "2026-11-21T10:00:00+00:00", "/event_time"},
    {"2026-11-21T10:00:00Z", "2031-01-01T00:00:00Z", "expiry before issue"},
    {"[\"DE\",\"US\"]", "[\"US\",\"DE\"]", "does not ascend at \"/processing_locations/1\""},
    {"[\"DE\",\"US\"]", "[\"US\",\"US\"]", "does not ascend at \"/processing_locations/1\""},
    {"[\"DE\",\"US\"]", "[]", "1 to 16 items was expected at \"/processing_locations\""},
    {"[\"DE\",\"US\"]", "\"US\"", "/processing_locations"},
    {"[\"DE\",\"US\"]", "{\"0\":\"US\"}", "/processing_locations"},
    {"[\"people\",\"visits\"]", "[\"people\",\"people\"]", "/pii_information/1"},
    {"[\"people\",\"visits\"]", "[\"Peo ple\"]", "not a name at \"/pii_information/0\""},
    {"\"version\":1", "\"version\":1.0", "/privacy_notice/version"},
    {"\"version\":1", "\"version\":0", "/privacy_notice/version"},
    {"\"version\":1", "\"version\":\"1\"", "/privacy_notice/version"},
    {"\"version\":1", "\"version\":9007199254740992", "/privacy_notice/version"},
    {"\"research and development\"", "\"your treatment\"", "not the words of this purpose at \"/purposes/0"},
    {"\"dpv:LegalCompliance\",\"purpose_description\":\"complying with the law\"",
     "\"dpv:ResearchAndDevelopment\",\"purpose_description\":\"research and development\"",
     "a purpose twice"},
    {"\"complying with the law\"", "\"\"", "/purposes/1/purpose_description"},
    {"Institut f\xc3\xbcr Statistik", "", "plain line at \"/recipient_third_parties/1/party_name\""},
    {"Institut f\xc3\xbcr Statistik", "Institut\\nfor: nothing", "plain line at"},
    {"Institut f\xc3\xbcr Statistik", "Institut \xe2\x80\xaekitsitatS", "plain line at"},
    {"Institut f\xc3\xbcr Statistik", "Institut\xc2\x85", "plain line at"},
    {"Institut f\xc3\xbcr Statistik", "Institut \xd8\x9c.", "plain line at"},
    {"Institut f\xc3\xbcr Statistik", "Institut\x7f", "plain line at"},
    {"Institut f\xc3\xbcr Statistik", "Institut f\\u00fcr Statistik", "not in canonical form"},
    {"Institut f\xc3\xbcr Statistik", "Institut \xff", "malformed"},
    {"Institut f\xc3\xbcr Statistik", "Institut \\u0000", "malformed"},
    {"\"origin\":\"cn.example/ledger\"", "\"origin\":\"\"", "/origin"},
    {"[{\"party_contact\":\"mail@clinic.example\"", "[{},{\"party_contact\":\"mail@clinic.example\"",
     "exactly one item was expected at \"/pii_controllers\""},
};
static const struct damage key_damage[] = {
    {"bourn-key/1", "bourn-key/0", "another kind or version"},
    {"\"public_key\":\"", "\"public_key\":\"A", "32 bytes in base64url were expected at \"/public_key\""},
    {"\"enrolment_code_hash\":\"dd", "\"enrolment_code_hash\":\"", "/enrolment_code_hash"},
    {"\"origin\"", "\"Origin\"", "a member is missing at \"/origin\""},
    {"}", "", "malformed"},
    {"{", "[", "malformed"},
};

static const struct damage export_damage[] = {
    {"bourn-export/1", "bourn-consent/1", "another kind or version of statement at \"/schema_version\""},
    {"a copy of all records about me", "a copy of some",
     "another kind or version of statement at \"/request\""},
    {"\"request\":\"a copy of all records about me\",", "", "a member is missing at \"/request\""},
    {"\"record_id\":\"b0", "\"record_id\":\"B0", "/record_id"},
    {"2026-11-21T10:00:00Z", "2026-11-21", "/event_time"},
    {"{", "{\"a\":1,", "an unknown member"},
};

static const struct damage history_damage[] = {
    {"bourn-history/1", "bourn-export/1", "another kind or version of statement at \"/schema_version\""},
    {"\"record_id\":\"c0", "\"record_id\":\"C0", "/record_id"},
    {"every row of the ledger about me", "every row", "another kind or version of statement at \"/request\""},
    {"\"pii_principal_id\":\"10", "\"pii_principal_id\":\"1", "/pii_principal_id"},
    {"2026-11-21T10:00:00Z", "2026-11-21", "/event_time"},
    {"{", "{\"a\":1,", "an unknown member"},
};

static enum bourn_err get_any(const char *vector, struct slice in)
{
    struct consent_statement s;
    struct key_statement k;
    struct own_statement x;
    struct own_statement h;
    return vector[0] == 'c'   ? consent_statement_get(in, &arena, &s)
           : vector[0] == 'k' ? key_statement_get(in, &arena, &k)
           : vector[0] == 'h' ? history_statement_get(in, &arena, &h)
                              : export_statement_get(in, &arena, &x);
}

static void assert_damage_refused(const char *vector, const struct damage *d, size_t n)
{
    char *text = fixture_vector(vector);
    for (size_t i = 0; i < n; i++) {
        struct buf b;
        const char *at = strstr(text, d[i].from);
        assert_non_null(at);
        buf_init(&b, 1 << 16);
        buf_put(&b, text, (size_t)(at - text));
        buf_put_str(&b, d[i].to);
        buf_put_str(&b, at + strlen(d[i].from));
        enum bourn_err err = get_any(vector, buf_slice(&b));
        if (err != BOURN_E_FORMAT || !strstr(err_text(), d[i].reason))
            fail_msg("%s -> %s: said \"%s\"", d[i].from, d[i].to, err ? err_text() : "fine");
        buf_release(&b);
    }
    free(text);
}

static void damage_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_damage_refused("consent_statement", consent_damage,
                          sizeof consent_damage / sizeof consent_damage[0]);
    assert_damage_refused("key_statement", key_damage, sizeof key_damage / sizeof key_damage[0]);
    assert_damage_refused("export_statement", export_damage, sizeof export_damage / sizeof export_damage[0]);
    assert_damage_refused("history_statement", history_damage,
                          sizeof history_damage / sizeof history_damage[0]);
    struct consent_statement s = fixture_consent(), out;
    struct buf b;
    buf_init(&b, 1 << 16);
    memcpy(s.recipients[1].party_hash, s.recipients[0].party_hash, 32);
    consent_statement_put(&b, &s);
    assert_int_equal(consent_statement_get(buf_slice(&b), &arena, &out), BOURN_E_FORMAT);
    assert_non_null(strstr(err_text(), "a recipient twice"));
    buf_release(&b);
}

/* No byte of a signed statement can change without its signature failing or the bytes being refused. */
static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    char *text = fixture_vector("consent_statement");
    uint8_t signature[64];
    struct slice in = slice_str(text);
    struct consent_statement s;
    consent_sign(signature, in, secret);
    for (size_t i = 0; i < in.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            arena_reset(&arena);
            if (consent_statement_get(in, &arena, &s) == BOURN_OK) {
                struct buf again;
                buf_init(&again, 1 << 16);
                consent_statement_put(&again, &s);
                assert_true(slice_eq(buf_slice(&again), in));
                buf_release(&again);
                assert_int_equal(consent_verify(in, slice_of(signature, 64), slice_of(public_key, 32)),
                                 BOURN_E_CRYPTO);
            }
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    assert_int_equal(consent_verify(in, slice_of(signature, 64), slice_of(public_key, 32)), BOURN_OK);
    free(text);
}

static void verifies_this_signature_alone(void **state)
{
    (void)state;
    struct slice in = slice_str("{}");
    uint8_t signature[64], other_public[32], other_secret[64], zero[32] = {0}, one[32] = {1};
    consent_sign(signature, in, secret);
    struct slice sig = slice_of(signature, 64), key = slice_of(public_key, 32);
    assert_int_equal(consent_verify(in, sig, key), BOURN_OK);
    assert_int_equal(consent_verify(slice_str("{ }"), sig, key), BOURN_E_CRYPTO);
    assert_int_equal(consent_verify(in, slice_of(signature, 63), key), BOURN_E_CRYPTO);
    assert_int_equal(consent_verify(in, (struct slice){0}, key), BOURN_E_CRYPTO);
    assert_int_equal(consent_verify(in, sig, slice_of(public_key, 31)), BOURN_E_CRYPTO);
    assert_int_equal(consent_verify(in, sig, (struct slice){0}), BOURN_E_CRYPTO);
    crypto_sign_keypair(other_public, other_secret);
    assert_int_equal(consent_verify(in, sig, slice_of(other_public, 32)), BOURN_E_CRYPTO);
    /* small-order points: with them a signature can be made that holds for any message */
    assert_int_equal(consent_verify(in, slice_of((uint8_t[64]){1}, 64), slice_of(one, 32)), BOURN_E_CRYPTO);
    assert_int_equal(consent_verify(in, slice_of((uint8_t[64]){0}, 64), slice_of(zero, 32)), BOURN_E_CRYPTO);
    /* signed is the digest, not the statement */
    crypto_sign(signature, in, secret);
    assert_int_equal(consent_verify(in, sig, key), BOURN_E_CRYPTO);
}

static void wire_form_round_trips(void **state)
{
    (void)state;
    struct signed_statement s;
    struct buf again;
    char *wire = fixture_vector("signed_statement"), *statement = fixture_vector("consent_statement");
    buf_init(&again, 1 << 16);
    assert_int_equal(signed_statement_get(slice_str(wire), &arena, &s), BOURN_OK);
    assert_true(slice_is(s.canonical, statement));
    assert_int_equal(consent_verify(s.canonical, s.signature, s.public_key), BOURN_OK);
    signed_statement_put(&again, &s);
    assert_true(slice_is(buf_slice(&again), wire));
    buf_clear(&again);

    /* white space and order on the way do not matter: what is signed is the canonical form */
    buf_printf(&again, " {\"statement\" : %s } ", statement);
    assert_int_equal(signed_statement_get(buf_slice(&again), &arena, &s), BOURN_OK);
    assert_true(slice_is(s.canonical, statement) && s.signature.n == 0 && s.public_key.n == 0);
    buf_clear(&again);
    signed_statement_put(&again, &s);
    assert_int_equal(again.n, strlen("{\"statement\":}") + strlen(statement));

    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"statement\":1}",
        "{\"statement\":{},\"x\":1}",
        "{\"statement\":{},\"statement\":{}}",
        "{\"statement\":{\"a\":1.5}}",
        "{\"statement\":{},\"public_key\":\"AA\",\"signature\":\"AA\"}",
        "{\"statement\":{},\"public_key\":1,\"signature\":2}",
        "{\"statement\":{},\"signature\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAA\"}",
        "{\"statement\":{},\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (signed_statement_get(slice_str(bad[i]), &arena, &s) != BOURN_E_FORMAT)
            fail_msg("%s passed", bad[i]);
    buf_release(&again);
    free(wire);
    free(statement);
}

static void limits_hold_at_their_edge(void **state)
{
    (void)state;
    struct consent_statement s = fixture_consent(), out;
    struct buf b;
    static char countries[CONSENT_LIST_MAX][3];
    buf_init(&b, 1 << 20);
    s.destinations_n = CONSENT_LIST_MAX;
    for (size_t i = 0; i < CONSENT_LIST_MAX; i++) {
        snprintf(countries[i], sizeof countries[i], "A%c", (char)('A' + i));
        s.destinations[i] = slice_str(countries[i]);
    }
    consent_statement_put(&b, &s);
    assert_int_equal(consent_statement_get(buf_slice(&b), &arena, &out), BOURN_OK);
    char *text = strndup((const char *)b.p, b.n), *at = strstr(text, "\"AP\"");
    assert_non_null(at);
    buf_clear(&b);
    buf_put(&b, text, (size_t)(at - text));
    buf_put_str(&b, "\"AP\",\"AQ\"");
    buf_put_str(&b, at + 4);
    assert_int_equal(consent_statement_get(buf_slice(&b), &arena, &out), BOURN_E_FORMAT);
    free(text);

    static char contact[STATEMENT_BYTES_MAX];
    memset(contact, 'c', sizeof contact);
    s = fixture_consent();
    buf_clear(&b);
    s.controller_contact = slice_of(contact, 1);
    consent_statement_put(&b, &s);
    size_t rest = STATEMENT_BYTES_MAX - b.n;
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&b);
        s.controller_contact = slice_of(contact, 1 + rest + over);
        consent_statement_put(&b, &s);
        assert_int_equal(consent_statement_get(buf_slice(&b), &arena, &out), over ? BOURN_E_LIMIT : BOURN_OK);
    }
    buf_release(&b);
}

static void words_follow_from_the_term(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"dpv:ResearchAndDevelopment", "research and development"},
        {"dpv:ServiceProvision", "providing the service you asked for"},
        {"dpv:LegalCompliance", "complying with the law"},
        {"dpv:SellProducts", "sell products"},
        {"https://w3id.org/dpv#VerifyIDDocument2", "verify id document2"},
        {"clinic:follow_up-Care", "follow up care"},
        {"HTTP", "http"},
        {"x:", "x:"},
        {"a", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 200);
        consent_purpose_words(&b, slice_str(cases[i][0]));
        if (!slice_is(buf_slice(&b), cases[i][1]))
            fail_msg("%s became \"%.*s\"", cases[i][0], SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

/* Canonical forms of the examples in docs/formats/statements.md are the vectors. */
static void examples_of_the_document_hold(void **state)
{
    (void)state;
    char path[4096], text[1 << 16];
    snprintf(path, sizeof path, "%s/docs/formats/statements.md", getenv("BOURN_SOURCE"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f), found = 0;
    fclose(f);
    text[n] = '\0';
    for (char *at = text; (at = strstr(at, "```json\n{\n")); found++) {
        static const char *const order[] = {"consent_statement", "key_statement", "export_statement",
                                            "history_statement"};
        assert_in_range(found, 0, 3);
        char *end = strstr(at += 8, "```"), *want = fixture_vector(order[found]);
        struct buf b;
        buf_init(&b, 1 << 16);
        assert_non_null(end);
        assert_int_equal(consent_canonical(slice_of(at, (size_t)(end - at)), &b), BOURN_OK);
        assert_true(slice_is(buf_slice(&b), want));
        buf_release(&b);
        free(want);
    }
    assert_int_equal(found, 4);
    size_t rows = 0;
    for (char *at = text; (at = strstr(at, "\n| `dpv:")); rows++) {
        char *term = at + 4, *words = strstr(term, "` | ");
        struct buf b;
        buf_init(&b, 200);
        consent_purpose_words(&b, slice_of(term, (size_t)(words - term)));
        assert_true(
            slice_eq(buf_slice(&b), slice_of(words + 4, (size_t)(strstr(words, " |\n") - words - 4))));
        buf_release(&b);
        at = words;
    }
    assert_in_range(rows, 10, 100);
}

static void the_statement_in_words_names_everything(void **state)
{
    (void)state;
    struct consent_statement s = fixture_consent();
    struct buf b;
    buf_init(&b, 1 << 16);
    consent_in_words(&b, &s);
    buf_put_u8(&b, 0);
    static const char *const parts[] = {"Clinic Ltd",
                                        "mail@clinic.example",
                                        "CN",
                                        "cn.example/ledger",
                                        "people, visits",
                                        "Lab \"North\" Inc. (lab) in US, contact: https://lab.example",
                                        "Institut f\xc3\xbcr Statistik (institut) in DE\n",
                                        "DE, US",
                                        "research and development (dpv:ResearchAndDevelopment)",
                                        "complying with the law (dpv:LegalCompliance)",
                                        "2026-11-21T10:00:00Z",
                                        "2031-01-01T00:00:00Z",
                                        "research, version 1, in en",
                                        "1000000000000000000000000000001f"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr((const char *)b.p, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], (const char *)b.p);
    buf_release(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(reading_gives_what_was_written),
        cmocka_unit_test(damage_is_refused_with_its_place),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(verifies_this_signature_alone),
        cmocka_unit_test(wire_form_round_trips),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(words_follow_from_the_term),
        cmocka_unit_test(examples_of_the_document_hold),
        cmocka_unit_test(the_statement_in_words_names_everything),
    };
    if (crypto_init() != BOURN_OK)
        return 1;
    crypto_sign_from_seed(public_key, secret, fixture_seed);
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        struct made m = make();
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            printf("%s %.*s\n", names[i], SLICE_ARG(buf_slice(&m.text[i])));
        release(&m);
        return 0;
    }
    arena_init(&arena, 1 << 22);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
