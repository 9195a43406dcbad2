#include "cell.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "cbor/entry.h"
#include "consent/consent.h"
#include "crypto/crypto.h"
#include "io/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct cell c;
static char clinic[128], lab[128], dog[128];

static struct request as(uint32_t op, const char *token, const char *purpose)
{
    return (struct request){.op = op, .token = slice_str(token), .purpose = slice_str(purpose)};
}

static void party(const char *json, char token[128])
{
    struct request r = {.op = REQ_ADMIN_PARTY, .body = slice_str(json)};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    cell_member(&c, "token", token, 128);
}

static int setup(void **state)
{
    (void)state;
    cell_make(&c);
    struct request r = {
        .op = REQ_ADMIN_COLLECTION,
        .body = slice_str("{\"name\":\"people\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"},"
                          "{\"name\":\"name\",\"type\":\"text\"},{\"name\":\"born\",\"type\":\"date\"}]}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    r = (struct request){
        .op = REQ_ADMIN_NOTICE,
        .body = slice_str("{\"name\":\"research\",\"language\":\"en\",\"text\":\"Lab studies\"}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    party("{\"name\":\"clinic\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
          "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"consent\","
          "\"enrol\","
          "\"erase\"]}",
          clinic);
    party("{\"name\":\"lab\",\"kind\":\"app\",\"jurisdiction\":\"US\",\"purposes\":[{\"purpose\":"
          "\"dpv:ResearchAndDevelopment\"}]}",
          lab);
    party("{\"name\":\"watchdog\",\"kind\":\"auditor\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
          "\"dpv:LegalCompliance\",\"ground\":\"dpv:LegalObligation\"}],\"rights\":[\"audit\"]}",
          dog);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cell_close(&c);
    cell_remove(&c);
    return 0;
}

static void import(const char *rows, const char *expect)
{
    struct request r = as(REQ_IMPORT, clinic, "dpv:ServiceProvision");
    r.collection = slice_str("people");
    r.path = slice_str("id");
    r.body = slice_str(rows);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, expect);
}

static void read_as(const char *token, const char *purpose, const char *subject)
{
    struct request r = as(REQ_RECORDS, token, purpose);
    r.subject = slice_str(subject);
    r.collection = slice_str("people");
    cell_ask(&c, &r);
}

static void reads_at_home(const char *subject, const char *body)
{
    read_as(clinic, "dpv:ServiceProvision", subject);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, body);
    assert_true(c.receipt != REPLY_NO_RECEIPT);
}

static void lab_is(uint32_t status, const char *subject)
{
    read_as(lab, "dpv:ResearchAndDevelopment", subject);
    assert_int_equal(c.status, status);
}

static void test_import_and_read(void **state)
{
    (void)state;
    import("{\"id\":\"a\",\"name\":\"Ada\",\"born\":\"1815-12-10\"}\n{\"id\":\"b\",\"name\":\"Bob\",\"born\":"
           "\"\"}\n"
           "{\"id\":\"c\",\"name\":\"Cy\",\"born\":\"yesterday\"}\n{\"id\":\"a\",\"name\":\"Ada\",\"born\":"
           "\"1815-12-10\"}\n",
           "{\"stored\":2,\"skipped\":1,\"rejected\":[{\"row\":2,\"reason\":\"/born: not of the declared "
           "type date\"}]}");
    import("{\"id\":\"b\",\"name\":\"Bob\",\"born\":\"\"}\n{\"id\":\"b\",\"name\":\"Bobby\",\"born\":\"\"}\n",
           "{\"stored\":1,\"skipped\":1,\"rejected\":[]}");
    reads_at_home("a",
                  "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"a\",\"name\":\"Ada\",\"born\":"
                  "\"1815-12-10\"}}],\"next\":null}");
    read_as(clinic, "dpv:ServiceProvision", "nobody");
    assert_int_equal(c.status, 404);
    read_as("bourn_wrong", "dpv:ServiceProvision", "a");
    assert_int_equal(c.status, 401);
    lab_is(403, "a");
    assert_string_equal(c.code, "basis_missing");
    assert_non_null(strstr(c.missing, "subject_consent"));
    char missing[4096];
    memcpy(missing, c.missing, sizeof missing);
    lab_is(403, "nobody");
    assert_string_equal(c.missing, missing);
}

/* The subject's identifier may lie within nested members: a path of names joined by dots leads there. */
static void test_import_by_path(void **state)
{
    (void)state;
    static const char rows[] =
        "{\"id\":{\"a\":\"n1\"}}\n{\"id\":{\"a\":{\"b\":\"n2\"},\"a.b\":17}}\n"
        "{\"id\":{\"a.b\":\"n3\"},\"id.a\":\"n4\"}\n{\"id\":\"n5\"}\n{\"id\":[\"n6\"]}\n";
    struct request r = {.op = REQ_ADMIN_COLLECTION,
                        .body =
                            slice_str("{\"name\":\"nested\",\"fields\":[{\"name\":\"id\",\"type\":\"json\"},"
                                      "{\"name\":\"id.a\",\"type\":\"text\"}]}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    static const struct {
        const char *path, *expect, *subject;
    } cases[] = {
        {"id.a",
         "{\"stored\":2,\"skipped\":0,\"rejected\":["
         "{\"row\":1,\"reason\":\"the subject's field is missing, empty or too long\"},"
         "{\"row\":3,\"reason\":\"the subject's field is missing, empty or too long\"},"
         "{\"row\":4,\"reason\":\"the subject's field is missing, empty or too long\"}]}",
         "n4"},
        {"id.a.b",
         "{\"stored\":2,\"skipped\":0,\"rejected\":["
         "{\"row\":0,\"reason\":\"the subject's field is missing, empty or too long\"},"
         "{\"row\":3,\"reason\":\"the subject's field is missing, empty or too long\"},"
         "{\"row\":4,\"reason\":\"the subject's field is missing, empty or too long\"}]}",
         "17"},
    };
    for (size_t i = 0; i < 2; i++) {
        r = as(REQ_IMPORT, clinic, "dpv:ServiceProvision");
        r.collection = slice_str("nested");
        r.path = slice_str(cases[i].path);
        r.body = slice_str(rows);
        cell_ask(&c, &r);
        assert_int_equal(c.status, 200);
        assert_string_equal(c.body, cases[i].expect);
        r = as(REQ_RECORDS, clinic, "dpv:ServiceProvision");
        r.subject = slice_str(cases[i].subject);
        r.collection = slice_str("nested");
        cell_ask(&c, &r);
        assert_int_equal(c.status, 200);
    }
}

static void test_write_one(void **state)
{
    (void)state;
    struct request r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("w");
    r.collection = slice_str("people");
    r.body = slice_str("{\"id\":\"w\",\"nickname\":\"x\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 422);
    assert_string_equal(c.code, "field_undeclared");
    assert_int_equal(strncmp(c.detail, "/nickname", 9), 0);
    r.body = slice_str("{\"id\":\"w\",\"name\":\"Wu\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    r.op = REQ_RECORD_PUT;
    r.number = 1;
    r.version = 7;
    cell_ask(&c, &r);
    assert_int_equal(c.status, 412);
    r.version = 1;
    r.body = slice_str("{\"id\":\"w\",\"name\":\"Wu Li\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    reads_at_home(
        "w",
        "{\"records\":[{\"id\":1,\"version\":2,\"data\":{\"id\":\"w\",\"name\":\"Wu Li\"}}],\"next\":null}");
    r = as(REQ_RECORD_DELETE, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("w");
    r.collection = slice_str("people");
    r.number = 1;
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    reads_at_home("w", "{\"records\":[],\"next\":null}");
}

static uint8_t public_key[32], secret[64];
static char enrolled_label[64];

static void enrol(const char *subject)
{
    struct request r = as(REQ_ENROLMENT, clinic, "");
    char code[64], label[64], origin[64], body[128];
    struct key_statement k = {0};
    struct buf statement, json;
    uint8_t signature[64];
    r.subject = slice_str(subject);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    cell_member(&c, "code", code, sizeof code);
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
    r = (struct request){.op = REQ_ENROLMENT_LOOK, .body = slice_str(body)};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    cell_member(&c, "label", label, sizeof label);
    cell_member(&c, "origin", origin, sizeof origin);
    memcpy(enrolled_label, label, sizeof label);
    crypto_sign_keypair(public_key, secret);
    k.origin = slice_str(origin);
    assert_true(hex_get(slice_str(label), k.label, 16));
    crypto_sha256_1(k.code_hash, slice_str(code));
    memcpy(k.public_key, public_key, 32);
    k.time = (uint64_t)time(NULL);
    buf_init(&statement, 1 << 16);
    buf_init(&json, 1 << 16);
    key_statement_put(&statement, &k);
    consent_sign(signature, buf_slice(&statement), secret);
    struct signed_statement ss = {buf_slice(&statement), slice_of(signature, 64), slice_of(public_key, 32)};
    signed_statement_put(&json, &ss);
    bourn_assert(json.p[0] == '{');
    struct buf with;
    buf_init(&with, 1 << 16);
    buf_printf(&with, "{\"code\":\"%s\",%.*s", code, (int)json.n - 1, (const char *)json.p + 1);
    r = (struct request){.op = REQ_ENROLMENT_DONE, .body = buf_slice(&with)};
    cell_ask(&c, &r);
    if (c.status != 201)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 404); /* a code is used once */
    buf_release(&statement);
    buf_release(&json);
    buf_release(&with);
}

static uint64_t consent(const char *subject, const uint8_t *key, uint32_t expect)
{
    struct request r = as(REQ_CONSENT_REQUEST, clinic, "");
    struct arena a;
    struct signed_statement ss;
    uint8_t signature[64], pk[32];
    struct buf json;
    r.subject = slice_str(subject);
    r.body =
        slice_str("{\"purposes\":[\"dpv:ResearchAndDevelopment\"],\"recipients\":[\"lab\"],\"collections\":"
                  "[\"people\"],\"expires\":\"2031-01-01\",\"notice\":\"research\"}");
    cell_ask(&c, &r);
    if (c.status != 200)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    arena_init(&a, 1 << 20);
    assert_int_equal(signed_statement_get(slice_of(c.body, c.body_n), &a, &ss), BOURN_OK);
    if (key) {
        consent_sign(signature, ss.canonical, key);
        memcpy(pk, key + 32, 32);
        ss.signature = slice_of(signature, 64);
        ss.public_key = slice_of(pk, 32);
    }
    buf_init(&json, 1 << 16);
    signed_statement_put(&json, &ss);
    r = as(REQ_CONSENT, clinic, "");
    r.subject = slice_str(subject);
    r.body = buf_slice(&json);
    cell_ask(&c, &r);
    if (c.status != expect)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    uint64_t id = c.receipt;
    if (expect == 201) {
        cell_ask(&c, &r);
        assert_int_equal(c.status, 409); /* a statement counts once */
    }
    buf_release(&json);
    arena_release(&a);
    return id;
}

static void withdraw(const char *subject, uint64_t id, uint32_t expect)
{
    struct request r = as(REQ_WITHDRAW, clinic, "");
    r.subject = slice_str(subject);
    r.number = id;
    cell_ask(&c, &r);
    assert_int_equal(c.status, expect);
}

static void test_consent(void **state)
{
    (void)state;
    uint8_t other_public[32], other[64];
    import("{\"id\":\"k\",\"name\":\"Kim\",\"born\":\"1990-01-02\"}\n",
           "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    lab_is(403, "k");
    enrol("k");
    crypto_sign_keypair(other_public, other);
    consent("k", other, 403);
    lab_is(403, "k");
    uint64_t attested = consent("k", NULL, 201);
    lab_is(403, "k"); /* not enough for a transfer */
    uint64_t id = consent("k", secret, 201);
    lab_is(200, "k");
    assert_non_null(strstr(c.body, "\"Kim\""));
    withdraw("k", id, 200);
    withdraw("k", id, 409);
    withdraw("k", attested, 200);
    lab_is(403, "k");
    consent("k", secret, 201);
    lab_is(200, "k");
}

static void restart(void)
{
    cell_close(&c);
    cell_open(&c);
}

static void test_restart_and_erase(void **state)
{
    (void)state;
    import("{\"id\":\"e\",\"name\":\"Eve\",\"born\":\"1991-01-02\"}\n",
           "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    enrol("e");
    consent("e", secret, 201);
    lab_is(200, "e");
    restart();
    lab_is(200, "e");
    reads_at_home("e",
                  "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"e\",\"name\":\"Eve\",\"born\":"
                  "\"1991-01-02\"}}],\"next\":null}");
    struct request r = as(REQ_ERASE, clinic, "");
    r.subject = slice_str("e");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    lab_is(403, "e");
    read_as(clinic, "dpv:ServiceProvision", "e");
    assert_int_equal(c.status, 404);
    restart();
    read_as(clinic, "dpv:ServiceProvision", "e");
    assert_int_equal(c.status, 404);
    import("{\"id\":\"e\",\"name\":\"New\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    lab_is(403, "e");
}

static void test_evidence(void **state)
{
    (void)state;
    struct request r = as(REQ_EVIDENCE, dog, "dpv:LegalCompliance");
    char body[64];
    import("{\"id\":\"v\",\"name\":\"Vi\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    enrol("v");
    uint64_t key_entry = consent("v", secret, 201) - 1;
    lab_is(200, "v"); /* waits for a checkpoint over all of it */
    snprintf(body, sizeof body, "{\"from\":%llu,\"to\":%llu}", (unsigned long long)key_entry,
             (unsigned long long)key_entry + 2);
    r.body = slice_str(body);
    cell_ask(&c, &r);
    if (c.status != 200)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    assert_true(c.receipt != REPLY_NO_RECEIPT);
    struct slice in = slice_of(c.body, c.body_n);
    struct opened o;
    size_t n = 0;
    while (opened_next(&in, &o) == BOURN_OK) {
        assert_int_equal(o.status, EVIDENCE_OPENED);
        n++;
    }
    assert_int_equal(n, 2);
    r.token = slice_str(lab);
    r.purpose = slice_str("dpv:ResearchAndDevelopment");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 403);
}

static void test_revoked(void **state)
{
    (void)state;
    char token[128];
    party("{\"name\":\"temp\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:"
          "Marketing\"}]}",
          token);
    read_as(token, "dpv:Marketing", "a");
    assert_int_equal(c.status, 403);
    struct request r = {.op = REQ_ADMIN_PARTY_END, .path = slice_str("temp")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    read_as(token, "dpv:Marketing", "a");
    assert_int_equal(c.status, 401);
}

static void ask_json(uint32_t op, const char *token, const char *purpose, const char *subject,
                     const char *body)
{
    struct request r = as(op, token, purpose);
    r.subject = slice_str(subject);
    r.body = slice_str(body);
    cell_ask(&c, &r);
}

static void test_search(void **state)
{
    (void)state;
    struct request r = {
        .op = REQ_ADMIN_COLLECTION,
        .body =
            slice_str("{\"name\":\"found\",\"fields\":[{\"name\":\"id\"},{\"name\":\"name\",\"searchable\":"
                      "true},{\"name\":\"born\",\"type\":\"date\",\"searchable\":true}]}")};
    char searcher[128];
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    party("{\"name\":\"desk\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:"
          "ServiceProvision\","
          "\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"search\"]}",
          searcher);
    r = as(REQ_IMPORT, clinic, "dpv:ServiceProvision");
    r.collection = slice_str("found");
    r.path = slice_str("id");
    r.body = slice_str("{\"id\":\"s1\",\"name\":\"Kim\",\"born\":\"1990-01-01\"}\n"
                       "{\"id\":\"s2\",\"name\":\"Kim\",\"born\":\"1991-01-01\"}\n"
                       "{\"id\":\"s3\",\"name\":\"Lee\",\"born\":\"1990-01-01\"}\n");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Kim\"},\"fields\":[\"id\"]}");
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.body, "\"data\":{\"id\":\"s1\"}"));
    assert_non_null(strstr(c.body, "\"data\":{\"id\":\"s2\"}"));
    assert_null(strstr(c.body, "s3"));
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"born\":\"1990-01-01\",\"name\":\"Lee\"}}");
    assert_non_null(strstr(c.body, "s3"));
    assert_null(strstr(c.body, "s1"));
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Nobody\"}}");
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "{\"records\":[],\"next\":null}");
    assert_true(c.receipt != REPLY_NO_RECEIPT); /* a search that finds nobody is an entry too */
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"id\":\"s1\"}}");
    assert_int_equal(c.status, 422);
    ask_json(REQ_SEARCH, clinic, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Kim\"}}");
    assert_int_equal(c.status, 403);
    /* a changed record is found by its new value alone */
    r = as(REQ_RECORD_PATCH, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("s1");
    r.collection = slice_str("found");
    r.number = 1;
    r.body = slice_str("{\"name\":\"Park\",\"born\":null}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Kim\"}}");
    assert_null(strstr(c.body, "s1"));
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Park\"}}");
    assert_non_null(strstr(c.body, "\"data\":{\"id\":\"s1\",\"name\":\"Park\"}"));
    /* bulk: by list, unknown and forbidden alike; by search */
    ask_json(REQ_DISCLOSE, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"subjects\":[\"s2\",\"zz\",\"s3\"],\"fields\":[\"name\"]}");
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "{\"subject\":\"s2\",\"id\":1,\"version\":1,\"data\":{\"name\":\"Kim\"}}\n"
                                "{\"subject\":\"zz\",\"code\":\"not_disclosed\"}\n"
                                "{\"subject\":\"s3\",\"id\":1,\"version\":1,\"data\":{\"name\":\"Lee\"}}\n");
    ask_json(REQ_DISCLOSE, lab, "dpv:ResearchAndDevelopment", "",
             "{\"collection\":\"found\",\"subjects\":[\"s2\",\"zz\"]}");
    assert_string_equal(c.body, "{\"subject\":\"s2\",\"code\":\"not_disclosed\"}\n"
                                "{\"subject\":\"zz\",\"code\":\"not_disclosed\"}\n");
    struct request erase = as(REQ_ERASE, clinic, "");
    erase.subject = slice_str("s2");
    cell_ask(&c, &erase);
    ask_json(REQ_SEARCH, searcher, "dpv:ServiceProvision", "",
             "{\"collection\":\"found\",\"where\":{\"name\":\"Kim\"}}");
    assert_string_equal(c.body, "{\"records\":[],\"next\":null}");
}

static void test_consented(void **state)
{
    (void)state;
    import("{\"id\":\"q\",\"name\":\"Quinn\",\"born\":\"\"}\n",
           "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    enrol("q");
    uint64_t id = consent("q", secret, 201);
    ask_json(REQ_DISCLOSE, lab, "dpv:ResearchAndDevelopment", "",
             "{\"collection\":\"people\",\"consented\":true}");
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.body, "Quinn"));
    withdraw("q", id, 200);
    ask_json(REQ_DISCLOSE, lab, "dpv:ResearchAndDevelopment", "",
             "{\"collection\":\"people\",\"consented\":true}");
    assert_null(strstr(c.body, "Quinn"));
}

static void test_identifiers(void **state)
{
    (void)state;
    char id[80], opaque[80];
    ask_json(REQ_SUBJECT_NEW, clinic, "", "", "{\"identifiers\":[\"i1\",\"i2\"]}");
    assert_int_equal(c.status, 201);
    cell_member(&c, "id", id, sizeof id);
    ask_json(REQ_SUBJECT_NEW, clinic, "", "", "{\"identifiers\":[\"i9\",\"i2\"]}");
    assert_int_equal(c.status, 409);
    struct request r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("i2");
    r.collection = slice_str("people");
    r.body = slice_str("{\"id\":\"i\",\"name\":\"Ida\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    ask_json(REQ_IDENTIFIER, clinic, "", "i1", "{\"identifier\":\"i3\"}");
    assert_int_equal(c.status, 201);
    ask_json(REQ_LOOKUP, clinic, "", "", "{\"identifier\":\"i3\"}");
    cell_member(&c, "id", opaque, sizeof opaque);
    restart();
    static const char ida[] =
        "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"i\",\"name\":\"Ida\"}}],\"next\":null}";
    reads_at_home("i1", ida);
    reads_at_home("i3", ida);
    reads_at_home(id, ida);
    reads_at_home(opaque, ida);
    ask_json(REQ_LOOKUP, clinic, "", "", "{\"identifier\":\"nobody\"}");
    assert_int_equal(c.status, 200);
    cell_member(&c, "id", opaque, sizeof opaque);
    r.subject = slice_str(opaque);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 404);
    lab_is(403, opaque);
}

static void test_idempotency(void **state)
{
    (void)state;
    struct request r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("once");
    r.collection = slice_str("people");
    r.key = slice_str("k-1");
    r.body = slice_str("{\"id\":\"o\",\"name\":\"One\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    uint64_t receipt = c.receipt;
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    assert_int_equal(c.receipt, receipt);
    assert_string_equal(c.body, "{\"id\":1,\"version\":1}");
    reads_at_home(
        "once",
        "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"o\",\"name\":\"One\"}}],\"next\":null}");
    r.body = slice_str("{\"id\":\"o\",\"name\":\"Two\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 422);
    assert_string_equal(c.code, "idempotency_mismatch");
    r.subject = slice_str("other");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
}

static void collection(const char *json, uint32_t expect)
{
    struct request r = {.op = REQ_ADMIN_COLLECTION, .body = slice_str(json)};
    cell_ask(&c, &r);
    if (c.status != expect)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
}

/* The test cell's genesis names no delay, so a changed schema counts from the next entry on. */
static void test_schema_changes(void **state)
{
    (void)state;
    struct request r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    collection("{\"name\":\"grows\",\"fields\":[{\"name\":\"id\",\"searchable\":true},{\"name\":\"tel\"},{"
               "\"name\":\"age\"}]}",
               201);
    r.subject = slice_str("g");
    r.collection = slice_str("grows");
    r.body = slice_str("{\"id\":\"g\",\"tel\":\"1\",\"age\":\"7\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    collection(
        "{\"name\":\"grows\",\"renamed\":[{\"from\":\"id\",\"to\":\"key\"}],\"fields\":[{\"name\":\"key\"}]}",
        422);
    collection(
        "{\"name\":\"grows\",\"renamed\":[{\"from\":\"tel\",\"to\":\"phone\"}],\"fields\":[{\"name\":\"id\"},"
        "{\"name\":\"tel\"}]}",
        422);
    collection("{\"name\":\"grows\",\"fields\":[{\"name\":\"id\"},{\"name\":\"tel\",\"searchable\":true}]}",
               422);
    collection("{\"name\":\"grows\",\"renamed\":[{\"from\":\"tel\",\"to\":\"phone\"}],\"fields\":[{\"name\":"
               "\"id\",\"searchable\":"
               "true},{\"name\":\"phone\"},{\"name\":\"email\"},{\"name\":\"age\",\"type\":\"integer\"}]}",
               201);
    struct request get = as(REQ_RECORDS, clinic, "dpv:ServiceProvision");
    get.subject = slice_str("g");
    get.collection = slice_str("grows");
    cell_ask(&c, &get);
    assert_string_equal(
        c.body,
        "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"g\",\"phone\":\"1\",\"age\":\"7\"}}],"
        "\"next\":null}");
    get.fields = slice_str("phone");
    cell_ask(&c, &get);
    assert_string_equal(c.body,
                        "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"phone\":\"1\"}}],\"next\":null}");
    r.body = slice_str("{\"id\":\"g\",\"tel\":\"1\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 422);
    r.body = slice_str("{\"id\":\"g\",\"age\":\"old\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 422);
    collection("{\"name\":\"grows\",\"fields\":[{\"name\":\"id\",\"searchable\":true},{\"name\":\"email\"},{"
               "\"name\":\"age\","
               "\"type\":\"integer\"}]}",
               201); /* phone is retired: old records stay readable, a patch leaves it out */
    restart();
    get.fields = slice_of(NULL, 0);
    cell_ask(&c, &get);
    assert_non_null(strstr(c.body, "\"phone\":\"1\""));
    r.op = REQ_RECORD_PATCH;
    r.number = 1;
    r.body = slice_str("{\"email\":\"g@example\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    cell_ask(&c, &get);
    assert_string_equal(c.body, "{\"records\":[{\"id\":1,\"version\":2,\"data\":{\"id\":\"g\",\"age\":\"7\","
                                "\"email\":\"g@example\"}}],"
                                "\"next\":null}");
}

static void test_retention(void **state)
{
    (void)state;
    struct request r = {
        .op = REQ_ADMIN_COLLECTION,
        .body = slice_str(
            "{\"name\":\"short\",\"retention_s\":1,\"fields\":[{\"name\":\"id\",\"searchable\":true}]}")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    r.subject = slice_str("brief");
    r.collection = slice_str("short");
    r.body = slice_str("{\"id\":\"b\"}");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
    sleep(2);
    restart(); /* what fell due while nobody served */
    struct request get = as(REQ_RECORDS, clinic, "dpv:ServiceProvision");
    get.subject = slice_str("brief");
    get.collection = slice_str("short");
    cell_ask(&c, &get);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "{\"records\":[],\"next\":null}");
    struct request status = {.op = REQ_ADMIN_STATUS};
    cell_ask(&c, &status);
    cell_ask(&c, &get);
    assert_string_equal(c.body, "{\"records\":[],\"next\":null}");
}

/* The volume of the ledger's files is full while `ledger_full` is set; the journal's is not. While
 * `publish_slowly` is set, a checkpoint lies in its file for a while before the call that put it there ends.
 */
static bool ledger_full, publish_slowly;
enum bourn_err __real_io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync);
enum bourn_err __wrap_io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync);
enum bourn_err __wrap_io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync)
{
    bool derived = strncmp(path, "ledger/", 7) == 0 || strncmp(path, "rows/", 5) == 0;
    if (derived && __atomic_load_n(&ledger_full, __ATOMIC_SEQ_CST))
        return err_set(BOURN_E_FULL, "no space for %s", path);
    enum bourn_err err = __real_io_write_new(d, path, bytes, sync);
    if (strcmp(path, "ledger/checkpoint") == 0 && __atomic_load_n(&publish_slowly, __ATOMIC_SEQ_CST))
        usleep(300000);
    return err;
}

static uint64_t status_number(const char *name)
{
    struct request r = {.op = REQ_ADMIN_STATUS};
    char text[32];
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    cell_member(&c, name, text, sizeof text);
    return strtoull(text, NULL, 10);
}

/* Whatever the worker was doing when the volume filled, over a bundle's edge too: nothing acknowledged is
 * lost. */
static void test_full_ledger(void **state)
{
    (void)state;
    import("{\"id\":\"f\",\"name\":\"Fay\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    for (int round = 0; round < 4; round++) {
        uint64_t last = 0;
        bool stopped = false;
        do { /* to just before a bundle is full */
            read_as(clinic, "dpv:ServiceProvision", "f");
            assert_int_equal(c.status, 200);
        } while (c.receipt % 256 < 250 || c.receipt % 256 > 253);
        __atomic_store_n(&ledger_full, true, __ATOMIC_SEQ_CST);
        for (int i = 0; i < 150 && !stopped; i++) {
            read_as(clinic, "dpv:ServiceProvision", "f");
            if (c.status == 200)
                last = c.receipt;
            else
                stopped = c.status == 503;
            if (i % 10 == 9)
                usleep(120000);
        }
        assert_true(stopped); /* fails closed while checkpoints do not come */
        assert_string_equal(c.code, "ledger_behind");
        if (round == 2)
            cell_close(&c); /* stopped while it is full: recovery makes the files up */
        __atomic_store_n(&ledger_full, false, __ATOMIC_SEQ_CST);
        if (round == 2)
            cell_open(&c);
        for (int i = 0; i < 60 && c.status != 200; i++) {
            usleep(100000);
            read_as(clinic, "dpv:ServiceProvision", "f");
        }
        assert_int_equal(c.status, 200);
        assert_true(c.receipt > last);
        for (int i = 0; i < 60 && status_number("signed") != status_number("entries"); i++)
            usleep(100000);
        assert_int_equal(status_number("signed"), status_number("entries"));
    }
    restart();
    assert_true(status_number("signed") == status_number("entries"));
}

static uint64_t published_size(void)
{
    struct request r = {.op = REQ_LEDGER_FILE, .path = slice_str("checkpoint")};
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    const char *line = strchr(c.body, '\n');
    return line ? strtoull(line + 1, NULL, 10) : 0;
}

/* Whoever has read a checkpoint can have the evidence under it, from that moment on. */
static void test_evidence_of_a_fresh_checkpoint(void **state)
{
    (void)state;
    struct request r = as(REQ_EVIDENCE, dog, "dpv:LegalCompliance");
    char body[64];
    import("{\"id\":\"fresh\",\"name\":\"Wim\",\"born\":\"\"}\n",
           "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    __atomic_store_n(&publish_slowly, true, __ATOMIC_SEQ_CST);
    reads_at_home(
        "fresh", "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"fresh\",\"name\":\"Wim\",\"born\":"
                 "\"\"}}],\"next\":null}");
    uint64_t size = c.receipt + 1;
    for (int i = 0; i < 5000 && published_size() < size; i++)
        usleep(1000);
    size = published_size();
    snprintf(body, sizeof body, "{\"from\":%llu,\"to\":%llu}", (unsigned long long)size - 1,
             (unsigned long long)size);
    r.body = slice_str(body);
    cell_ask(&c, &r);
    __atomic_store_n(&publish_slowly, false, __ATOMIC_SEQ_CST);
    if (c.status != 200)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    snprintf(body, sizeof body, "{\"from\":%llu,\"to\":%llu}", (unsigned long long)size,
             (unsigned long long)size + 1000);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 400);
}

/* Whoever is erased while an answer about them waits for its checkpoint is left out of it. */
static void test_erased_while_an_answer_waits(void **state)
{
    (void)state;
    struct request asks[2];
    for (int i = 0; i < 2; i++) {
        import("{\"id\":\"late\",\"name\":\"Leo\",\"born\":\"\"}\n",
               "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
        enrol("late");
        consent("late", secret, 201);
        asks[i] = as(i ? REQ_RECORD : REQ_RECORDS, lab, "dpv:ResearchAndDevelopment");
        asks[i].subject = slice_str("late");
        asks[i].collection = slice_str("people");
        asks[i].number = (uint64_t)i;
        cell_ask(&c, &asks[i]);
        assert_int_equal(c.status, 200);
        assert_non_null(strstr(c.body, "Leo"));
        __atomic_store_n(&ledger_full, true, __ATOMIC_SEQ_CST);
        uint64_t before = c.answers;
        assert_int_equal(vault_handle(c.vault, &asks[i], 1), BOURN_OK);
        assert_int_equal(vault_commit(c.vault), BOURN_OK);
        assert_int_equal(c.answers, before); /* it waits */
        struct request erase = as(REQ_ERASE, clinic, "");
        erase.subject = slice_str("late");
        cell_ask(&c, &erase);
        assert_int_equal(c.status, 200);
        __atomic_store_n(&ledger_full, false, __ATOMIC_SEQ_CST);
        for (int k = 0; k < 5000 && c.answers < before + 2; k++) {
            usleep(1000);
            assert_int_equal(vault_published(c.vault), BOURN_OK);
        }
        assert_int_equal(c.answers, before + 2);
        assert_int_equal(c.status, i ? 404 : 200);
        if (i)
            assert_string_equal(c.code, "subject_unknown");
        else
            assert_string_equal(c.body, "{\"records\":[],\"next\":null}");
    }
}

/* A party that names a person twice gets one row, and the ledger stays whole. */
static void test_named_twice(void **state)
{
    (void)state;
    import("{\"id\":\"t\",\"name\":\"Tom\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    ask_json(REQ_DISCLOSE, clinic, "dpv:ServiceProvision", "",
             "{\"collection\":\"people\",\"subjects\":[\"t\",\"t\"]}");
    assert_int_equal(c.status, 200);
    assert_string_equal(
        c.body, "{\"subject\":\"t\",\"id\":1,\"version\":1,\"data\":{\"id\":\"t\",\"name\":\"Tom\",\"born\":"
                "\"\"}}\n{\"subject\":\"t\",\"code\":\"not_disclosed\"}\n");
}

/* An undeclared name of any length is refused, and the refusal holds no more than its beginning. */
static void test_long_names(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_put_str(&b, "{\"id\":\"l\",\"");
    for (int i = 0; i < 2000; i++)
        buf_put_str(&b, "\xc3\xa9");
    buf_put_str(&b, "\":1}\n");
    struct request r = as(REQ_IMPORT, clinic, "dpv:ServiceProvision");
    r.collection = slice_str("people");
    r.path = slice_str("id");
    r.body = buf_slice(&b);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.body, "\"rejected\":[{\"row\":0,\"reason\":\"/\xc3\xa9"));
    buf_release(&b);
}

/* --- answers whose time would tell
 * -------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Hands in a read and commits; the time at which its turn began lies before `*began`. */
static void ask_held(const char *token, const char *purpose, const char *subject, uint64_t *began)
{
    struct request r = as(REQ_RECORDS, token, purpose);
    r.subject = slice_str(subject);
    r.collection = slice_str("people");
    c.answered = false;
    assert_int_equal(vault_handle(c.vault, &r, 1), BOURN_OK);
    *began = now_ns();
}

static void test_held(void **state)
{
    (void)state;
    const uint64_t hold = HOLD_US * 1000ull;
    uint64_t began, before = now_ns();
    ask_held(lab, "dpv:ResearchAndDevelopment", "nobody", &began);
    assert_int_equal(vault_commit(c.vault), BOURN_OK);
    uint64_t due = vault_held_until_ns(c.vault);
    assert_true(due >= before + hold);
    if (now_ns() < began + hold) /* or else this machine was busy */
        assert_true(due <= began + hold);
    assert_int_equal(vault_release_held(c.vault), BOURN_OK);
    assert_true(!c.answered || now_ns() >= due);
    while (now_ns() < due)
        usleep(100);
    assert_int_equal(vault_release_held(c.vault), BOURN_OK);
    assert_true(c.answered);
    assert_int_equal(c.status, 403);
    assert_true(vault_held_until_ns(c.vault) == UINT64_MAX);
    /* work that took longer than that: the next multiple from where it began */
    before = now_ns();
    ask_held(lab, "dpv:ResearchAndDevelopment", "nobody", &began);
    usleep(3 * HOLD_US / 2);
    uint64_t done = now_ns();
    assert_int_equal(vault_commit(c.vault), BOURN_OK);
    due = vault_held_until_ns(c.vault);
    assert_true(due >= done);
    uint64_t phase = (due - before) % hold; /* what passed before the clock was read for it */
    assert_true(phase <= began - before);
    while (!c.answered) {
        usleep(100);
        assert_int_equal(vault_release_held(c.vault), BOURN_OK);
    }
    assert_true(now_ns() >= due);
    /* what is allowed, and who is not there for a party that may know it, go out at once */
    ask_held(clinic, "dpv:ServiceProvision", "nobody", &began);
    assert_int_equal(vault_commit(c.vault), BOURN_OK);
    assert_true(c.answered);
    assert_int_equal(c.status, 404);
}

/* A list that names many is held for longer, lets those behind it out before it, and is not lost at the end.
 */
static void test_held_in_order(void **state)
{
    (void)state;
    uint64_t began, answers;
    struct buf b;
    struct request r = as(REQ_DISCLOSE, lab, "dpv:ResearchAndDevelopment");
    buf_init(&b, 1 << 16);
    buf_put_str(&b, "{\"collection\":\"people\",\"subjects\":[\"nobody\"");
    for (int i = 0; i < 20 * HOLD_NAMES; i++)
        buf_put_str(&b, ",\"nobody\"");
    buf_put_str(&b, "]}");
    r.body = buf_slice(&b);
    answers = c.answers;
    assert_int_equal(vault_handle(c.vault, &r, 1), BOURN_OK);
    ask_held(lab, "dpv:ResearchAndDevelopment", "nobody", &began);
    assert_int_equal(vault_commit(c.vault), BOURN_OK);
    assert_int_equal(c.answers, answers);
    uint64_t due = vault_held_until_ns(c.vault);
    while (c.answers == answers) {
        usleep(100);
        assert_int_equal(vault_release_held(c.vault), BOURN_OK);
    }
    assert_int_equal(c.answers, answers + 1);
    assert_int_equal(c.status, 403);
    assert_true(vault_held_until_ns(c.vault) > due);
    assert_true(vault_held_until_ns(c.vault) != UINT64_MAX);
    cell_close(&c);
    assert_int_equal(c.answers, answers + 2);
    assert_int_equal(c.status, 200);
    cell_open(&c);
    buf_release(&b);
}

/* Whether a request's answer is held; the answer is in c afterwards. */
static bool is_held(const struct request *r)
{
    c.answered = false;
    assert_int_equal(vault_handle(c.vault, r, 1), BOURN_OK);
    assert_int_equal(vault_commit(c.vault), BOURN_OK);
    bool held = !c.answered;
    while (!c.answered) {
        usleep(100);
        assert_int_equal(vault_release_held(c.vault), BOURN_OK);
    }
    return held;
}

static void test_what_is_held(void **state)
{
    (void)state;
    char border[128], desk[128];
    party("{\"name\":\"border\",\"kind\":\"app\",\"jurisdiction\":\"US\",\"purposes\":[{\"purpose\":\"dpv:"
          "ResearchAndDevelopment\"}],\"rights\":[\"read\",\"write\",\"search\"]}",
          border);
    party("{\"name\":\"finder\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:"
          "ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"search\"]}",
          desk);
    import("{\"id\":\"h\",\"name\":\"Hal\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    static const char one[] = "{\"collection\":\"people\",\"subjects\":[\"h\"]}",
                      two[] = "{\"collection\":\"people\",\"subjects\":[\"h\",\"nobody\"]}",
                      record[] = "{\"id\":\"h\",\"name\":\"Ha\"}",
                      line[] = "{\"id\":\"h\",\"name\":\"Ha\"}\n",
                      where[] = "{\"collection\":\"found\",\"where\":{\"name\":\"Nobody\"}}";
    static const struct {
        uint32_t op, status;
        uint64_t number;
        const char *body;
        bool border, held; /* which party asks */
    } rows[] = {
        {REQ_RECORDS, 403, 0, "", true, true},
        {REQ_RECORD, 403, 1, "", true, true},
        {REQ_RECORD_NEW, 403, 0, record, true, true},
        {REQ_RECORD_PUT, 403, 1, record, true, true},
        {REQ_RECORD_PATCH, 403, 1, record, true, true},
        {REQ_RECORD_DELETE, 403, 1, "", true, true},
        {REQ_IMPORT, 200, 0, line, true, true},
        {REQ_DISCLOSE, 200, 0, one, true, true},
        {REQ_DISCLOSE, 200, 0, where, true, true},
        {REQ_SEARCH, 200, 0, where, true, true},
        {REQ_ENROLMENT_LOOK, 404, 0, "{\"code\":\"none\"}", true, true},
        {REQ_RECORDS, 200, 0, "", false, false},
        {REQ_RECORD, 404, 99, "", false, false},
        {REQ_RECORD_NEW, 201, 0, record, false, false},
        {REQ_IMPORT, 200, 0, line, false, false},
        {REQ_DISCLOSE, 200, 0, one, false, false},
        {REQ_DISCLOSE, 200, 0, two, false, true}, /* who it does not disclose may be there or not */
        {REQ_SEARCH, 200, 0, where, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request r = rows[i].border ? as(rows[i].op, border, "dpv:ResearchAndDevelopment")
                                          : as(rows[i].op, desk, "dpv:ServiceProvision");
        r.subject = slice_str("h");
        r.collection = slice_str("people");
        r.path = slice_str("id");
        r.number = rows[i].number;
        r.body = slice_str(rows[i].body);
        bool held = is_held(&r);
        if (c.status != rows[i].status || held != rows[i].held)
            fail_msg("row %zu: %s: %u %s %s, held %d", i, request_op_name(r.op), c.status, c.code, c.detail,
                     held);
    }
}

/* What is found out about people ahead of their requests is a hint: those before may erase or enrol them, and
 * others may come than were expected. */
static void test_expected(void **state)
{
    (void)state;
    static const struct {
        uint32_t op, status;
        const char *subject, *body;
    } rows[VAULT_EXPECTED_MAX] = {
        {REQ_RECORDS, 200, "x1", ""}, {REQ_ERASE, 200, "x1", ""},
        {REQ_RECORDS, 404, "x1", ""}, {REQ_WHOAMI, 200, "", ""},
        {REQ_RECORDS, 404, "x9", ""}, {REQ_RECORD_NEW, 201, "x9", "{\"id\":\"x9\",\"name\":\"Nina\"}"},
        {REQ_RECORDS, 200, "x9", ""}, {REQ_RECORDS, 200, "x2", ""},
    };
    struct request r[VAULT_EXPECTED_MAX];
    import("{\"id\":\"x1\",\"name\":\"Xi\",\"born\":\"\"}\n{\"id\":\"x2\",\"name\":\"Xu\",\"born\":\"\"}\n",
           "{\"stored\":2,\"skipped\":0,\"rejected\":[]}");
    for (size_t i = 0; i < VAULT_EXPECTED_MAX; i++) {
        r[i] = as(rows[i].op, clinic, "dpv:ServiceProvision");
        r[i].subject = slice_str(rows[i].subject);
        r[i].collection = slice_str("people");
        r[i].body = slice_str(rows[i].body);
    }
    vault_expect(c.vault, r, VAULT_EXPECTED_MAX);
    for (size_t i = 0; i < VAULT_EXPECTED_MAX; i++) {
        cell_ask(&c, &r[i]);
        if (c.status != rows[i].status)
            fail_msg("request %zu: %u %s", i, c.status, c.detail);
    }
    assert_non_null(strstr(c.body, "\"Xu\""));
    vault_expect(c.vault, r + 6, 2); /* the other one comes, and then one more */
    cell_ask(&c, &r[7]);
    assert_non_null(strstr(c.body, "\"Xu\""));
    cell_ask(&c, &r[6]);
    assert_non_null(strstr(c.body, "\"Nina\""));
    vault_expect(c.vault, r, 0);
    reads_at_home("x2", "{\"records\":[{\"id\":1,\"version\":1,\"data\":{\"id\":\"x2\",\"name\":\"Xu\","
                        "\"born\":\"\"}}],\"next\":null}");
}

/* With as many as may be held, no more is taken until the first of them left. */
static void test_held_limit(void **state)
{
    (void)state;
    uint64_t answers = c.answers, asked = 0, began;
    for (; asked < HELD_ANSWERS_MAX && c.answers == answers; asked++) {
        assert_false(vault_batch_full(c.vault));
        ask_held(lab, "dpv:ResearchAndDevelopment", "nobody", &began);
        assert_int_equal(vault_commit(c.vault), BOURN_OK);
    }
    assert_true(vault_batch_full(c.vault));
    while (c.answers < answers + asked) {
        assert_int_equal(vault_release_held(c.vault), BOURN_OK);
        usleep(100);
    }
    assert_false(vault_batch_full(c.vault));
}

static void write_note(const char *subject, const char *json)
{
    struct request r = as(REQ_RECORD_NEW, clinic, "dpv:ServiceProvision");
    r.subject = slice_str(subject);
    r.collection = slice_str("notes");
    r.body = slice_str(json);
    cell_ask(&c, &r);
    assert_int_equal(c.status, 201);
}

static uint8_t copy_label[16];

/* A request for a copy, or for the history, signed by `key` as `pk`. */
static void ask_own(struct buf *out, void (*put)(struct buf *, const struct own_statement *),
                    const uint8_t *key, const uint8_t *pk, uint64_t issued)
{
    struct own_statement s = {.origin = slice_str("cn.example/ledger"), .issued = issued};
    struct buf b;
    uint8_t signature[64];
    memcpy(s.label, copy_label, 16);
    crypto_random(s.nonce, 16);
    buf_init(&b, 1 << 16);
    buf_init(out, 1 << 16);
    put(&b, &s);
    consent_sign(signature, buf_slice(&b), key);
    struct signed_statement ss = {buf_slice(&b), slice_of(signature, 64), slice_of(pk, 32)};
    signed_statement_put(out, &ss);
    buf_release(&b);
}

static void ask_copy_of(struct buf *out, const uint8_t *key, const uint8_t *pk, uint64_t issued)
{
    ask_own(out, export_statement_put, key, pk, issued);
}

static void copy_is(const struct buf *statement, uint64_t page, uint32_t status, const char *body_or_code,
                    uint64_t next)
{
    struct request r = {.op = REQ_EXPORT, .body = buf_slice(statement), .number = page};
    cell_ask(&c, &r);
    if (c.status != status)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    assert_string_equal(status == 200 ? c.body : c.code, body_or_code);
    assert_int_equal(c.next, next);
    assert_int_equal(c.receipt != REPLY_NO_RECEIPT, status == 200);
}

static void test_own_copy(void **state)
{
    (void)state;
    static const char people[] = "{\"collection\":\"people\",\"id\":1,\"version\":1,\"data\":{\"id\":\"x\","
                                 "\"name\":\"Xi\",\"born\":\"\"}}\n";
    static const char notes[] =
        "{\"collection\":\"notes\",\"id\":2,\"version\":1,\"data\":{\"said\":\"hm\"}}\n"
        "{\"collection\":\"notes\",\"id\":3,\"version\":1,\"data\":{\"said\":\"oh\"}}\n";
    struct buf a, b, again;
    uint64_t now = (uint64_t)time(NULL);
    collection("{\"name\":\"notes\",\"fields\":[{\"name\":\"text\",\"type\":\"text\"}]}", 201);
    import("{\"id\":\"x\",\"name\":\"Xi\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    write_note("x", "{\"text\":\"hm\"}");
    write_note("x", "{\"text\":\"oh\"}");
    collection("{\"name\":\"notes\",\"fields\":[{\"name\":\"said\",\"type\":\"text\"}],\"renamed\":"
               "[{\"from\":\"text\",\"to\":\"said\"}]}",
               201);
    enrol("x");
    struct request r;
    assert_true(hex_get(slice_str(enrolled_label), copy_label, 16));

    ask_copy_of(&a, secret, public_key, now);
    copy_is(&a, 1, 409, "statement_used", 0); /* goes on with nothing */
    copy_is(&a, 0, 200, people, 1);
    copy_is(&a, 0, 409, "statement_used", 0);
    copy_is(&a, 2, 409, "statement_used", 0);
    restart(); /* how far it has come is durable */
    copy_is(&a, 1, 200, notes, 0);
    copy_is(&a, 1, 409, "statement_used", 0); /* no page twice */
    restart();
    copy_is(&a, 0, 409, "statement_used", 0);
    buf_release(&a);

    ask_copy_of(&a, secret, public_key, now);
    ask_copy_of(&b, secret, public_key, now);
    copy_is(&a, 0, 200, people, 1);
    copy_is(&b, 0, 200, people, 1);
    copy_is(&a, 1, 409, "statement_used", 0); /* a newer copy ends an older one */
    for (uint64_t id = 2; id <= 3; id++) {
        r = as(REQ_RECORD_DELETE, clinic, "dpv:ServiceProvision");
        r.subject = slice_str("x");
        r.collection = slice_str("notes");
        r.number = id;
        cell_ask(&c, &r);
        assert_int_equal(c.status, 200);
    }
    copy_is(&b, 1, 200, "", 0); /* what was to come is gone */
    buf_release(&a);
    buf_release(&b);

    uint8_t other_public[32], other[64];
    crypto_sign_keypair(other_public, other);
    ask_copy_of(&a, other, other_public, now);
    ask_copy_of(&b, other, public_key, now);
    copy_is(&a, 0, 403, "signature_invalid", 0);
    copy_is(&b, 0, 403, "signature_invalid", 0);
    buf_release(&a);
    buf_release(&b);
    static const struct {
        int64_t off;
        bool good;
    } ages[] = {{KEY_STATEMENT_SKEW_S_MAX - 30, true},
                {KEY_STATEMENT_SKEW_S_MAX + 30, false},
                {30 - EXPORT_STATEMENT_AGE_S_MAX, true},
                {-30 - EXPORT_STATEMENT_AGE_S_MAX, false}};
    for (size_t i = 0; i < 4; i++) {
        ask_copy_of(&a, secret, public_key, now + (uint64_t)ages[i].off);
        copy_is(&a, 0, ages[i].good ? 200 : 422, ages[i].good ? people : "statement_expired", 0);
        buf_release(&a);
    }
    ask_copy_of(&again, secret, public_key, now);
    r = as(REQ_ERASE, clinic, "");
    r.subject = slice_str("x");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    copy_is(&again, 0, 403, "signature_invalid", 0);
    buf_release(&again);
}

/* The entry that the reading is, if there is one. */
static uint64_t history_is(const struct buf *statement, uint64_t cursor, uint32_t status, const char *code)
{
    char subject[40] = "~";
    struct buf hex;
    buf_init(&hex, 64);
    hex_put(&hex, slice_of(copy_label, 16));
    memcpy(subject + 1, hex.p, 32);
    buf_release(&hex);
    struct request r = {.op = REQ_HISTORY,
                        .subject = slice_of((const uint8_t *)subject, 33),
                        .body = buf_slice(statement),
                        .number = cursor};
    cell_ask(&c, &r);
    if (c.status != status || strcmp(c.code, code) != 0)
        fail_msg("%u %s %s", c.status, c.code, c.detail);
    assert_int_equal(c.receipt != REPLY_NO_RECEIPT, status == 200);
    return c.receipt;
}

static void test_own_history(void **state)
{
    (void)state;
    struct buf a[HISTORY_READINGS_MAX], more, old;
    uint64_t now = (uint64_t)time(NULL), first[HISTORY_READINGS_MAX];
    import("{\"id\":\"y\",\"name\":\"Yi\",\"born\":\"\"}\n", "{\"stored\":1,\"skipped\":0,\"rejected\":[]}");
    enrol("y");
    assert_true(hex_get(slice_str(enrolled_label), copy_label, 16));
    ask_own(&old, history_statement_put, secret, public_key, now - HISTORY_STATEMENT_AGE_S_MAX - 30);
    history_is(&old, 0, 422, "statement_expired");
    buf_release(&old);
    for (size_t i = 0; i < HISTORY_READINGS_MAX; i++) {
        ask_own(&a[i], history_statement_put, secret, public_key, now);
        first[i] = history_is(&a[i], 0, 200, "");
        assert_int_equal(first[i], i ? first[i - 1] + 1 : first[0]); /* one entry each, and no other */
    }
    ask_own(&more, history_statement_put, secret, public_key, now);
    history_is(&more, 0, 429, "history_often");
    restart(); /* which are open is durable */
    history_is(&more, 0, 429, "history_often");
    for (size_t i = 0; i < HISTORY_READINGS_MAX; i++) {
        assert_int_equal(history_is(&a[i], 0, 200, ""), first[i]);
        history_is(&a[i], first[i], 400, "range_malformed"); /* its own entry is in the next one */
        if (i)
            assert_int_equal(history_is(&a[i], first[i - 1], 200, ""), first[i]);
    }
    struct request r = as(REQ_ERASE, clinic, "");
    r.subject = slice_str("y");
    cell_ask(&c, &r);
    assert_int_equal(c.status, 200);
    history_is(&a[0], 0, 403, "signature_invalid");
    for (size_t i = 0; i < HISTORY_READINGS_MAX; i++)
        buf_release(&a[i]);
    buf_release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_and_read),
        cmocka_unit_test(test_import_by_path),
        cmocka_unit_test(test_write_one),
        cmocka_unit_test(test_consent),
        cmocka_unit_test(test_restart_and_erase),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_consented),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_idempotency),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_schema_changes),
        cmocka_unit_test(test_full_ledger),
        cmocka_unit_test(test_evidence_of_a_fresh_checkpoint),
        cmocka_unit_test(test_erased_while_an_answer_waits),
        cmocka_unit_test(test_named_twice),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_in_order),
        cmocka_unit_test(test_what_is_held),
        cmocka_unit_test(test_expected),
        cmocka_unit_test(test_held_limit),
        cmocka_unit_test(test_own_copy),
        cmocka_unit_test(test_own_history),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
