/* Conditions of a request for a public file, and the answer that they make. */
#include "api/conditions.h"
#include "api/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define H16 "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
#define HEX "00112233445566778899aabbccddeeff"
#define TAG "\"" HEX "\""
#define GZIP_TAG "\"" HEX "-gzip\""
#define OTHER "\"10112233445566778899aabbccddeeff\""

static const char bytes[] = "0123456789";
static struct buf scratch;
static struct http_response r;

static struct http_request ask(const char *method, const char *encodings, const char *none_match,
                               const char *range, const char *if_range)
{
    struct http_request q = {.method = slice_str(method)};
    const char *const values[] = {encodings, none_match, range, if_range};
    for (int i = 0; i < 4; i++)
        if (values[i])
            q.headers[H_ACCEPT_ENCODING + i] = slice_str(values[i]);
    return q;
}

/* Of a bundle of ten bytes whose compressed form is at hand. */
static void get(struct http_request q, bool varies)
{
    struct api_conditions c;
    struct api_file f = {.type = "application/octet-stream",
                         .caching = "public, max-age=31536000, immutable",
                         .varies = varies,
                         .bytes = slice_of(bytes, 10),
                         .gzip = varies ? slice_str("zip") : slice_of(NULL, 0)};
    memcpy(f.hash, H16, sizeof f.hash);
    api_conditions_read(&q, &c);
    api_file_response(&c, &f, &scratch, &r);
    assert_int_equal(api_file_wants_gzip(&c, &f), r.status == 200 && slice_is(r.body, "zip"));
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < r.headers_n; i++)
        if (strcmp(r.headers[i].name, name) == 0)
            return r.headers[i].value;
    return "";
}

static void plain(void **state)
{
    (void)state;
    get(ask("GET", NULL, NULL, NULL, NULL), false);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.type, "application/octet-stream");
    assert_true(slice_is(r.body, bytes));
    assert_string_equal(header("ETag"), TAG);
    assert_string_equal(header("Cache-Control"), "public, max-age=31536000, immutable");
    assert_string_equal(header("Accept-Ranges"), "bytes");
    assert_string_equal(header("Vary"), "");
    get(ask("GET", NULL, NULL, NULL, NULL), true);
    assert_true(slice_is(r.body, bytes));
    assert_string_equal(header("Vary"), "Accept-Encoding");
    assert_string_equal(header("Content-Encoding"), "");
}

static void encodings(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool gzip;
    } cases[] = {
        {"gzip", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"*", true},
        {"br, gzip", true},
        {"gzip, identity", true},
        {"gzip;q=0.5", true},
        {" deflate\t,\t gzip ; q=0.001 ", true},
        {"identity;q=0.5, gzip;q=1.0", true},
        {"identity;q=0.5, *;q=0.7", true},
        {"gzip;q=0.5, identity;q=0.500", true},
        {"gzip;Q=1.000", true},
        {"", false},
        {"identity", false},
        {"br", false},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"*;q=1, gzip;q=0", false},
        {"*;q=0", false},
        {"identity, gzip;q=0.9", false},
        {"identity, *;q=0.9", false},
        {"gzipped", false},
        {"gzip;q=1.001", false},
        {"gzip;q=2", false},
        {"gzip;q=-1", false},
        {"gzip;q=0.0001", false},
        {"gzip;q=0x1", false},
        {"gzip;q=0,5", false},
        {"gzip;q=", true}, /* no weight at all */
        {",,,", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(ask("GET", cases[i].value, NULL, NULL, NULL), true);
        if (slice_is(r.body, "zip") != cases[i].gzip)
            fail_msg("Accept-Encoding: %s", cases[i].value);
        assert_string_equal(header("Content-Encoding"), cases[i].gzip ? "gzip" : "");
        assert_string_equal(header("ETag"), cases[i].gzip ? GZIP_TAG : TAG);
        get(ask("GET", cases[i].value, NULL, NULL, NULL), false);
        assert_true(slice_is(r.body, bytes));
    }
}

static void has_it_already(void **state)
{
    (void)state;
    static const struct {
        const char *value, *tag; /* "" : the whole file */
    } cases[] = {
        {TAG, TAG},
        {"W/" TAG, TAG},
        {"*", TAG},
        {" * ", TAG},
        {OTHER ", " TAG, TAG},
        {"\"x,y\", " TAG, TAG},
        {"," TAG ",", TAG},
        {GZIP_TAG, GZIP_TAG},
        {"W/" GZIP_TAG, GZIP_TAG},
        {OTHER, ""},
        {HEX, ""},
        {"", ""},
        {"\"\"", ""},
        {"\"", ""},
        {"w/" TAG, ""},
        {"*, *", ""},
        {"\"00112233445566778899AABBCCDDEEFF\"", ""},
        {"\"00112233445566778899aabbccddeef\"", ""},
        {"\"" HEX "-gzi\"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 2; k++) { /* it goes before a range and before gzip */
            get(ask(k ? "HEAD" : "GET", k ? "gzip" : NULL, cases[i].value, k ? NULL : "bytes=1-2", NULL),
                true);
            uint32_t other = k ? 200 : 206;
            if (r.status != (cases[i].tag[0] ? 304 : other))
                fail_msg("If-None-Match: %s gives %u", cases[i].value, r.status);
            if (r.status != 304)
                continue;
            assert_string_equal(header("ETag"), cases[i].tag);
            assert_string_equal(header("Vary"), "Accept-Encoding");
            assert_string_equal(header("Cache-Control"), "public, max-age=31536000, immutable");
            assert_int_equal(r.body.n, 0);
            assert_null(r.type);
        }
    get(ask("GET", NULL, GZIP_TAG, NULL, NULL), false); /* a file that has no such form */
    assert_int_equal(r.status, 200);
}

/* As many entity tags as are read, and one more. */
static void many_tags(void **state)
{
    (void)state;
    char list[2048] = "";
    for (int i = 0; i < API_ETAGS_MAX - 1; i++)
        strcat(list, OTHER ", ");
    strcat(list, TAG);
    get(ask("GET", NULL, list, NULL, NULL), false);
    assert_int_equal(r.status, 304);
    memmove(list + strlen(OTHER) + 2, list, strlen(list) + 1);
    memcpy(list, OTHER ", ", strlen(OTHER) + 2);
    get(ask("GET", NULL, list, NULL, NULL), false);
    assert_int_equal(r.status, 200);
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *value, *body, *where; /* body NULL: 416; where NULL: the whole file */
    } cases[] = {
        {"bytes=0-0", "0", "bytes 0-0/10"},
        {"bytes=0-9", bytes, "bytes 0-9/10"},
        {"bytes=2-4", "234", "bytes 2-4/10"},
        {"bytes=9-9", "9", "bytes 9-9/10"},
        {"bytes=9-10", "9", "bytes 9-9/10"},
        {"bytes=5-99999999999999999999999", "56789", "bytes 5-9/10"},
        {"bytes=8-", "89", "bytes 8-9/10"},
        {"bytes=-1", "9", "bytes 9-9/10"},
        {"bytes=-10", bytes, "bytes 0-9/10"},
        {"bytes=-11", bytes, "bytes 0-9/10"},
        {"bytes=-99999999999999999999999", bytes, "bytes 0-9/10"},
        {"Bytes = 007 - 008", "78", "bytes 7-8/10"},
        {"bytes=10-", NULL, "bytes */10"},
        {"bytes=10-11", NULL, "bytes */10"},
        {"bytes=99999999999999999999999-", NULL, "bytes */10"},
        {"bytes=-0", NULL, "bytes */10"},
        {"bytes=4-2", bytes, NULL},
        {"bytes=", bytes, NULL},
        {"bytes=-", bytes, NULL},
        {"bytes", bytes, NULL},
        {"bytes=x-1", bytes, NULL},
        {"bytes=1-x", bytes, NULL},
        {"bytes=+1-2", bytes, NULL},
        {"bytes=0x1-2", bytes, NULL},
        {"bytes=1 2-3", bytes, NULL},
        {"bytes=1-99999999999999999999999x", bytes, NULL},
        {"bytes=0-1,4-5", bytes, NULL},
        {"lines=0-1", bytes, NULL},
        {"", bytes, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(ask("GET", NULL, NULL, cases[i].value, NULL), true);
        uint32_t want = !cases[i].body ? 416 : cases[i].where ? 206 : 200;
        if (r.status != want || (want != 416 && !slice_is(r.body, cases[i].body)))
            fail_msg("Range: %s gives %u", cases[i].value, r.status);
        assert_string_equal(header("Content-Range"), cases[i].where ? cases[i].where : "");
        assert_string_equal(header("ETag"), want == 416 ? "" : TAG);
        assert_string_equal(r.type, want == 416 ? "application/problem+json" : "application/octet-stream");
        get(ask("HEAD", NULL, NULL, cases[i].value, NULL), true); /* ranges are for GET alone */
        assert_int_equal(r.status, 200);
    }
    /* A part is one of the plain bytes. */
    get(ask("GET", "gzip", NULL, "bytes=2-4", NULL), true);
    assert_int_equal(r.status, 206);
    assert_true(slice_is(r.body, "234"));
    assert_string_equal(header("Content-Encoding"), "");
}

static void only_of_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool part;
    } cases[] = {
        {TAG, true},
        {"W/" TAG, false}, /* strong comparison alone */
        {OTHER, false},
        {GZIP_TAG, false}, /* its part is of other bytes */
        {"*", false},
        {TAG ", " TAG, false},
        {"Sat, 29 Nov 2026 01:00:00 GMT", false}, /* no date was given out */
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(ask("GET", NULL, NULL, "bytes=2-4", cases[i].value), true);
        if (r.status != (cases[i].part ? 206 : 200) || !slice_is(r.body, cases[i].part ? "234" : bytes))
            fail_msg("If-Range: %s gives %u", cases[i].value, r.status);
        get(ask("GET", NULL, NULL, "bytes=20-", cases[i].value), true);
        assert_int_equal(r.status, cases[i].part ? 416 : 200);
    }
    get(ask("GET", "gzip", NULL, "bytes=2-4", OTHER), true);
    assert_true(slice_is(r.body, "zip")); /* the whole file, in the form that it would have had */
}

int main(void)
{
    buf_init(&scratch, 4096);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),     cmocka_unit_test(encodings), cmocka_unit_test(has_it_already),
        cmocka_unit_test(many_tags), cmocka_unit_test(ranges),    cmocka_unit_test(only_of_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
