/* Routes to messages and replies to responses, without a socket. */
#include "api/api.h"
#include "api/routes.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf scratch;

static struct http_request ask(const char *method, const char *path)
{
    return (struct http_request){.method = slice_str(method),
                                 .path = slice_str(path),
                                 .headers = {slice_str("Bearer tok-1"), slice_str("dpv:X")}};
}

static struct http_request with_body(const char *method, const char *path, const char *body)
{
    struct http_request q = ask(method, path);
    q.body = slice_str(body);
    q.headers[2] = slice_str("application/json");
    return q;
}

static struct request got;
static struct http_response answer;

static bool run(struct http_request q)
{
    memset(&got, 0, sizeof got);
    memset(&answer, 0, sizeof answer);
    return api_request(&q, &scratch, &got, &answer);
}

static struct http_request with_patch(const char *path, const char *body)
{
    struct http_request q = with_body("PATCH", path, body);
    q.headers[2] = slice_str("application/merge-patch+json");
    return q;
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < answer.headers_n; i++)
        if (strcmp(answer.headers[i].name, name) == 0)
            return answer.headers[i].value;
    return "";
}

static void refused(struct http_request q, uint32_t status, const char *code)
{
    char want[128];
    assert_false(run(q));
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.type, "application/problem+json");
    assert_string_equal(header("Cache-Control"), "no-store");
    snprintf(want, sizeof want, "{\"type\":\"/problems/%s\",\"title\":\"", code);
    assert_true(answer.body.n > strlen(want));
    assert_memory_equal(answer.body.p, want, strlen(want));
}

/* Every route of docs/api/README.md, with the operation it becomes and the fields it takes. */
static void test_every_route(void **state)
{
    (void)state;
    enum {
        T = 1,
        P = 2,
        S = 4,
        C = 8,
        N = 16,
        B = 32,
        F = 64,
        M = 128,  /* a merge patch */
        K = 256,  /* takes Idempotency-Key */
        V = 512,  /* takes If-Match */
        Q = 1024, /* takes ?cursor= */
        L = 2048, /* takes ?fields= */
        O = 8192, /* takes a token that may be absent */
        X = 4096, /* takes Bourn-Statement, which becomes the body */
    };
    static const struct {
        const char *method, *path;
        uint32_t op;
        unsigned fields;
    } all[] = {
        {"GET", "/healthz", REQ_HEALTH, 0},
        {"HEAD", "/healthz", REQ_HEALTH, 0},
        {"GET", "/v1/subjects/a/records/c", REQ_RECORDS, T | P | S | C | Q | L},
        {"HEAD", "/v1/subjects/a/records/c", REQ_RECORDS, T | P | S | C | Q | L},
        {"POST", "/v1/subjects/a/records/c", REQ_RECORD_NEW, T | P | S | C | B | K},
        {"GET", "/v1/subjects/a/records/c/7", REQ_RECORD, T | P | S | C | N | L},
        {"PUT", "/v1/subjects/a/records/c/7", REQ_RECORD_PUT, T | P | S | C | N | B | K | V},
        {"PATCH", "/v1/subjects/a/records/c/7", REQ_RECORD_PATCH, T | P | S | C | N | M | K | V},
        {"DELETE", "/v1/subjects/a/records/c/7", REQ_RECORD_DELETE, T | P | S | C | N | K | V},
        {"POST", "/v1/search", REQ_SEARCH, T | P | B | Q},
        {"POST", "/v1/disclose", REQ_DISCLOSE, T | P | B},
        {"POST", "/v1/subjects", REQ_SUBJECT_NEW, T | B | K},
        {"POST", "/v1/subjects/lookup", REQ_LOOKUP, T | B},
        {"POST", "/v1/subjects/a/identifiers", REQ_IDENTIFIER, T | S | B | K},
        {"DELETE", "/v1/subjects/a", REQ_ERASE, T | S | K},
        {"POST", "/v1/subjects/a/enrolments", REQ_ENROLMENT, T | S},
        {"POST", "/v1/enrolments/lookup", REQ_ENROLMENT_LOOK, B},
        {"POST", "/v1/enrolments", REQ_ENROLMENT_DONE, B},
        {"POST", "/v1/subjects/a/consent-requests", REQ_CONSENT_REQUEST, T | S | B},
        {"POST", "/v1/subjects/a/consents", REQ_CONSENT, T | S | B | K},
        {"GET", "/v1/subjects/a/consents", REQ_CONSENTS, T | S},
        {"DELETE", "/v1/subjects/a/consents/7", REQ_WITHDRAW, T | S | N | K},
        {"POST", "/v1/export", REQ_EXPORT, B},
        {"GET", "/v1/party", REQ_WHOAMI, T},
        {"GET", "/ledger/checkpoint", REQ_LEDGER_FILE, F},
        {"GET", "/v1/subjects/a/history", REQ_HISTORY, S | X | Q},
        {"GET", "/v1/ledger/receipt/7", REQ_RECEIPT, T | N},
        {"GET", "/v1/ledger/proof/7", REQ_PROOF, T | N},
        {"GET", "/ledger/tile/0/x001/234", REQ_LEDGER_FILE, F | O},
        {"GET", "/ledger/tile/entries/000.p/3", REQ_LEDGER_FILE, F | O},
        {"GET", "/ledger/tile/rows/000", REQ_ROWS_FILE, T | F},
        {"POST", "/ledger/evidence", REQ_EVIDENCE, T | P | B},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        unsigned f = all[i].fields;
        struct http_request q = f & M   ? with_patch(all[i].path, "{}")
                                : f & B ? with_body(all[i].method, all[i].path, "{}")
                                        : ask(all[i].method, all[i].path);
        q.headers[3] = slice_str("\"9\""); /* routes that do not take them pay no heed */
        q.headers[4] = slice_str("once");
        q.headers[5] = slice_str("e30");
        if (!run(q))
            print_error("%s %s\n", all[i].method, all[i].path);
        assert_int_equal(got.op, all[i].op);
        assert_int_equal(got.token.n > 0, (f & (T | O)) > 0);
        assert_int_equal(got.purpose.n > 0, (f & P) > 0);
        assert_int_equal(got.subject.n > 0, (f & S) > 0);
        assert_int_equal(got.collection.n > 0, (f & C) > 0);
        assert_int_equal(got.number, f & N ? 7 : 0);
        assert_int_equal(got.body.n > 0, (f & (B | M | X)) > 0);
        assert_int_equal(got.key.n, f & K ? 4 : 0);
        assert_int_equal(got.version, f & V ? 9 : 0);
        assert_int_equal(got.path.n > 0, (f & F) > 0);
        /* What api accepts, vault's strict reader accepts too. */
        struct buf b;
        struct request back;
        buf_init(&b, 1u << 16);
        request_encode(&b, &got);
        assert_int_equal(request_decode(buf_slice(&b), REQ_FROM_FRONT, &back), BOURN_OK);
        buf_release(&b);
        if (f & T) {
            q.headers[0] = slice_of(NULL, 0);
            refused(q, 401, "token_required");
            assert_string_equal(header("WWW-Authenticate"), "Bearer realm=\"bourn\"");
            q.headers[0] = slice_str("Bearer tok-1");
        }
        if (f & P) {
            q.headers[1] = slice_of(NULL, 0);
            refused(q, 400, "purpose_required");
            q.headers[1] = slice_str("two words");
            refused(q, 400, "purpose_malformed");
            q.headers[1] = slice_str("dpv:X");
        }
        if (f & (B | M)) {
            q.headers[2] = slice_of(NULL, 0);
            refused(q, 415, "content_type_unsupported");
            q.headers[2] =
                slice_str(f & M ? "application/json" : "application/merge-patch+json"); /* the other's */
            refused(q, 415, "content_type_unsupported");
            q.headers[2] = slice_str(f & M ? "application/merge-patch+json; charset=utf-8"
                                           : "application/json; charset=utf-8");
            assert_true(run(q));
            q.body = slice_of(NULL, 0);
            refused(q, 400, "body_required");
        } else {
            q.body = slice_str("x");
            refused(q, 400, "body_unexpected");
        }
        q = f & M   ? with_patch(all[i].path, "{}")
            : f & B ? with_body(all[i].method, all[i].path, "{}")
                    : ask(all[i].method, all[i].path);
        q.headers[5] = slice_str("e30");
        q.query = slice_str("cursor=5");
        if (f & Q) {
            assert_true(run(q));
            assert_int_equal(got.number, 5);
        } else {
            refused(q, 400, "query_malformed");
        }
        q.query = slice_str("size=9&cursor=5");
        if (f & X) {
            assert_true(run(q));
            assert_true(got.number == 5 && got.version == 9 && slice_is(got.body, "{}"));
            static const char *const bad[] = {"", "e", "e30=", "{}", "e30 "};
            for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
                q.headers[5] = slice_str(bad[k]);
                refused(q, 400, "statement_required");
            }
            q.headers[5] = slice_of(NULL, 0);
            refused(q, 400, "statement_required");
            q.headers[5] = slice_str("e30");
        } else {
            refused(q, 400, "query_malformed");
        }
        q.query = slice_str("fields=a,b");
        if (f & L) {
            assert_true(run(q));
            assert_true(slice_is(got.fields, "a,b"));
        } else {
            refused(q, 400, "query_malformed");
        }
    }
    assert_true(run(ask("GET", "/ledger/tile/0/x001/234")));
    assert_true(slice_is(got.path, "tile/0/x001/234"));
}

/* docs/api/README.md lists exactly the routes that there are: each row is found, and there are as many. */
static void test_documented(void **state)
{
    (void)state;
    char path[4096], line[1024];
    const char *source = getenv("BOURN_SOURCE");
    snprintf(path, sizeof path, "%s/docs/api/README.md", source ? source : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    const struct route *seen[64];
    size_t n = 0;
    while (fgets(line, sizeof line, f)) {
        char method[16], route[256];
        if (sscanf(line, "| `%15[A-Z]` | `%255[^`]`", method, route) != 2)
            continue;
        char *rest = strstr(route, "{path}"), *number;
        if (rest)
            memcpy(rest, "000.p/", 7);
        while ((number = strstr(route, "{record}")) || (number = strstr(route, "{consent}")))
            memset(number, '7', strcspn(number, "}") + 1);
        struct route_match m;
        route_find(slice_str(method), slice_str(route), &m);
        if (!m.route)
            print_error("%s %s\n", method, route);
        assert_non_null(m.route);
        for (size_t i = 0; i < n; i++)
            assert_ptr_not_equal(seen[i], m.route);
        assert_true(n < 64);
        seen[n++] = m.route;
    }
    fclose(f);
    assert_int_equal(n, route_count());
}

static void test_import(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "collection=c",
                                      "subject=f",
                                      "collection=c&subject=",
                                      "collection=c&subject=f&",
                                      "collection=c&subject=f&subject=f",
                                      "collection=c&subject=f&x=y",
                                      "collection=%63&subject=f"};
    struct http_request q = ask("POST", "/v1/import");
    assert_true(api_upload(&q));
    q.headers[2] = slice_str("application/x-ndjson");
    q.query = slice_str("subject=f&collection=c");
    assert_true(run(q));
    assert_int_equal(got.op, REQ_IMPORT);
    assert_true(slice_is(got.collection, "c") && slice_is(got.path, "f"));
    assert_int_equal(got.body.n, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        q.query = slice_str(bad[i]);
        refused(q, 400, "query_malformed");
    }
    q.query = slice_str("subject=f&collection=c");
    q.headers[2] = slice_str("application/json");
    refused(q, 415, "content_type_unsupported");
    q = ask("GET", "/v1/import");
    assert_false(api_upload(&q));
    q = ask("POST", "/v1/search");
    assert_false(api_upload(&q));
}

static void test_no_such_route(void **state)
{
    (void)state;
    static const char *const paths[] = {"/",
                                        "",
                                        "/v1",
                                        "/v1/",
                                        "/v1/party/",
                                        "//v1/party",
                                        "/v1/subjects/",
                                        "/v1/subjects/a/",
                                        "/v1/subjects/a/records",
                                        "/v1/subjects/a/records/c/",
                                        "/v1/subjects/a/records/c/7/",
                                        "/v1/subjects/a/records/c/7/8",
                                        "/v1/subjects/a/b/records/c",
                                        "/v1/%70arty",
                                        "/healthz/",
                                        "/healthzz",
                                        "/ledger/",
                                        "/ledger/tile/",
                                        "/ledger/checkpoint/x",
                                        "/ledger/checkpoints",
                                        "/ledger/../keys/root.key",
                                        "/ledger/tile/%2e%2e/keys",
                                        "/keys/root.key"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (run(ask("GET", paths[i])))
            print_error("%s\n", paths[i]);
        refused(ask("GET", paths[i]), 404, "route_unknown");
    }
    refused(ask("POST", "/v1/subjects/a/records/c/7"), 405, "method_not_allowed");
    assert_string_equal(header("Allow"), "GET, HEAD, PUT, PATCH, DELETE");
    refused(ask("GET", "/v1/subjects"), 405, "method_not_allowed");
    assert_string_equal(header("Allow"), "POST");
    refused(ask("GET", "/v1/enrolments"), 405, "method_not_allowed");
    assert_string_equal(header("Allow"), "POST");
    refused(ask("POST", "/v1/party"), 405, "method_not_allowed");
    assert_string_equal(header("Allow"), "GET, HEAD");
}

static void test_segments(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want; /* NULL: refused */
    } all[] = {
        {"B000944", "B000944"},
        {"a%2Fb", "a/b"}, /* a separator that was escaped is data */
        {"%25", "%"},
        {"a%20b", "a b"},
        {"j%C3%BCrgen%40example.com", "j\xc3\xbcrgen@example.com"},
        {"..", ".."},
        {"%2e%2e", ".."},
        {"%00", NULL},
        {"a%00b", NULL},
        {"%", NULL},
        {"%4", NULL},
        {"%4g", NULL},
        {"%zz", NULL},
        {"%ff", NULL},           /* no UTF-8 */
        {"%c0%af", NULL},        /* an overlong form */
        {"%ed%a0%80", NULL},     /* a surrogate */
        {"j\xc3\xbcrgen", NULL}, /* not escaped */
        {"a b", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, "/v1/subjects/%s/consents", all[i].raw);
        if (all[i].want) {
            assert_true(run(ask("GET", path)));
            assert_true(slice_is(got.subject, all[i].want));
        } else {
            refused(ask("GET", path), 400, "path_malformed");
        }
    }
    /* The limit counts decoded bytes. */
    char path[2048] = "/v1/subjects/";
    for (int i = 0; i < SUBJECT_ID_BYTES_MAX; i++)
        strcat(path, "%41");
    size_t n = strlen(path);
    strcat(path, "/consents");
    assert_true(run(ask("GET", path)));
    assert_int_equal(got.subject.n, SUBJECT_ID_BYTES_MAX);
    strcpy(path + n, "A/consents");
    refused(ask("GET", path), 400, "path_malformed");
    refused(ask("GET", "/v1/subjects/a/records/no%20name"), 400, "path_malformed");
    static const char *const numbers[] = {"07", "-1", "x", "1.0", "18446744073709551616", "%37"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(path, sizeof path, "/v1/subjects/a/records/c/%s", numbers[i]);
        refused(ask("GET", path), 400, "number_malformed");
    }
}

static void test_query_and_if_match(void **state)
{
    (void)state;
    struct http_request q = ask("GET", "/v1/subjects/a/records/c");
    q.query = slice_str("cursor=120");
    assert_true(run(q));
    assert_int_equal(got.number, 120);
    static char fields[FIELD_LIST_BYTES_MAX + 16] = "fields=";
    memset(fields + 7, 'a', FIELD_LIST_BYTES_MAX);
    q.query = slice_str(fields);
    assert_true(run(q));
    assert_int_equal(got.fields.n, FIELD_LIST_BYTES_MAX);
    q.query = slice_str("fields=name,note&cursor=3");
    assert_true(run(q));
    assert_true(slice_is(got.fields, "name,note") && got.number == 3);
    fields[7 + FIELD_LIST_BYTES_MAX] = 'a';
    const char *const bad[] = {"cursor=",
                               "cursor=-1",
                               "cursor=1&x=2",
                               "limit=3",
                               "x",
                               "cursor=1&cursor=2",
                               "fields=",
                               "fields=a&",
                               "fields=a&fields=b",
                               "fields=%61",
                               "fields=a&&cursor=1",
                               fields};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        q.query = slice_str(bad[i]);
        refused(q, 400, "query_malformed");
    }
    q = ask("GET", "/v1/party");
    q.query = slice_str("cursor=1");
    refused(q, 400, "query_malformed");

    q = with_body("PUT", "/v1/subjects/a/records/c/7", "{}");
    q.headers[3] = slice_str("\"3\"");
    assert_true(run(q));
    assert_int_equal(got.version, 3);
    static const char *const tags[] = {"3", "\"\"", "W/\"3\"", "*", "\"0\"", "\"3\", \"4\""};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        q.headers[3] = slice_str(tags[i]);
        refused(q, 400, "if_match_malformed");
    }
}

static void test_idempotency_key(void **state)
{
    (void)state;
    static char longest[IDEMPOTENCY_KEY_BYTES_MAX + 2];
    struct http_request q = with_body("POST", "/v1/subjects/a/records/c", "{}");
    assert_true(run(q));
    assert_int_equal(got.key.n, 0);
    memset(longest, 'k', IDEMPOTENCY_KEY_BYTES_MAX);
    static const char *const good[] = {"8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", "~", longest};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        q.headers[4] = slice_str(good[i]);
        assert_true(run(q));
        assert_true(slice_is(got.key, good[i]));
    }
    static char over[IDEMPOTENCY_KEY_BYTES_MAX + 2];
    memset(over, 'k', IDEMPOTENCY_KEY_BYTES_MAX + 1);
    static const char *const bad[] = {"", "two words", "tab\there", "\x7f", "\xc3\xbc", over};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        q.headers[4] = slice_str(bad[i]);
        refused(q, 400, "idempotency_key_malformed");
    }
}

static void test_tokens(void **state)
{
    (void)state;
    struct http_request q = ask("GET", "/v1/party");
    q.headers[0] = slice_str("bearer abc");
    assert_true(run(q));
    assert_true(slice_is(got.token, "abc"));
    static const char *const bad[] = {"Basic abc",  "Bearer",      "Bearer ",
                                      "Bearer a b", "Bearer a\"b", "Bearer a,b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        q.headers[0] = slice_str(bad[i]);
        refused(q, 401, "token_required");
    }
    static char longest[TOKEN_BYTES_MAX + 16] = "Bearer ";
    memset(longest + 7, 'a', TOKEN_BYTES_MAX);
    q.headers[0] = slice_str(longest);
    assert_true(run(q));
    longest[7 + TOKEN_BYTES_MAX] = 'a';
    q.headers[0] = slice_str(longest);
    refused(q, 401, "token_required");
}

static void test_responses(void **state)
{
    (void)state;
    struct reply r = {
        .status = 200, .type = REPLY_JSON, .receipt = 41, .etag = 3, .body = slice_str("{\"data\":1}")};
    api_response(REQ_RECORD, &r, &scratch, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.type, "application/json");
    assert_string_equal(header("Bourn-Receipt"), "41");
    assert_string_equal(header("ETag"), "\"3\"");
    assert_string_equal(header("Cache-Control"), "no-store");
    assert_true(slice_is(answer.body, "{\"data\":1}"));

    r = (struct reply){.status = 403,
                       .receipt = REPLY_NO_RECEIPT,
                       .code = slice_str("basis_missing"),
                       .detail = slice_str("say \"why\""),
                       .missing = slice_str("[{\"any_of\":[]}]")};
    api_response(REQ_RECORD, &r, &scratch, &answer);
    assert_string_equal(header("Bourn-Receipt"), "");
    assert_true(
        slice_is(answer.body,
                 "{\"type\":\"/problems/basis_missing\",\"title\":\"Forbidden\",\"status\":403,\"detail\":"
                 "\"say \\\"why\\\"\",\"code\":\"basis_missing\",\"missing\":[{\"any_of\":[]}]}\n"));
    r.missing = slice_str("[1,"); /* no JSON: left out, not passed on */
    api_response(REQ_RECORD, &r, &scratch, &answer);
    assert_null(memmem(answer.body.p, answer.body.n, "missing\":", 9));

    r = (struct reply){.status = 401, .receipt = REPLY_NO_RECEIPT, .code = slice_str("token_invalid")};
    api_response(REQ_WHOAMI, &r, &scratch, &answer);
    assert_string_equal(header("WWW-Authenticate"), "Bearer realm=\"bourn\", error=\"invalid_token\"");

    r = (struct reply){.status = 200, .type = REPLY_OCTETS, .receipt = REPLY_NO_RECEIPT, .immutable = 1};
    api_response(REQ_ROWS_FILE, &r, &scratch, &answer);
    assert_string_equal(answer.type, "application/octet-stream");
    assert_string_equal(header("Cache-Control"), "no-store");
}

int main(void)
{
    buf_init_secret(&scratch, 1u << 17);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route),     cmocka_unit_test(test_documented),
        cmocka_unit_test(test_import),          cmocka_unit_test(test_no_such_route),
        cmocka_unit_test(test_segments),        cmocka_unit_test(test_query_and_if_match),
        cmocka_unit_test(test_idempotency_key), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_responses),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&scratch);
    return rc;
}
