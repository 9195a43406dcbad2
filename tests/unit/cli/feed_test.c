/* Rows of an input as JSON objects, or bad with line and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feed.h"

#include <stdio.h>
#include <unistd.h>

static int input(struct slice text)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fflush(f), 0);
    int fd = dup(fileno(f));
    fclose(f);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void expect_n(enum feed_format format, struct slice text, const char *want)
{
    struct feed r;
    struct feed_row row;
    struct buf got;
    int fd = input(text);
    buf_init(&got, 1u << 20);
    enum bourn_err err = feed_open(&r, fd, format);
    while (err == BOURN_OK && (err = feed_next(&r, &row)) == BOURN_OK) {
        buf_printf(&got, "%llu%s%s", (unsigned long long)row.line, row.reason ? "!" : ":",
                   row.reason ? row.reason : "");
        buf_put_slice(&got, row.json);
        buf_put_u8(&got, '\n');
    }
    assert_int_equal(err, BOURN_E_NOT_FOUND);
    assert_int_equal(feed_bytes(&r), text.n);
    buf_put_u8(&got, 0);
    assert_string_equal((char *)got.p, want);
    buf_release(&got);
    feed_close(&r);
    close(fd);
}
static void expect(enum feed_format format, const char *text, const char *want)
{
    expect_n(format, slice_str(text), want);
}

static void test_csv(void **state)
{
    (void)state;
    expect(FEED_CSV, "a,b\n1,\"x \"\"y\"\"\n\tz\"\n,007\n",
           "2:{\"a\":\"1\",\"b\":\"x \\\"y\\\"\\n\\tz\"}\n4:{\"a\":\"\",\"b\":\"007\"}\n");
    expect(FEED_CSV, "a,b\n1\n2,3\n", "2!1 columns where the header has 2\n3:{\"a\":\"2\",\"b\":\"3\"}\n");
}

static void refused(const char *text, const char *why)
{
    struct feed r;
    int fd = input(slice_str(text));
    assert_int_equal(feed_open(&r, fd, FEED_CSV), BOURN_E_FORMAT);
    if (!strstr(err_text(), why))
        fail_msg("%s: not %s", err_text(), why);
    close(fd);
}

static void test_headers(void **state)
{
    (void)state;
    refused("", "empty");
    refused("a,a\n", "columns 1 and 2");
    refused("a,\n", "column 2");
    refused("a,b c\n", "column 2");
    refused("a,\"b\n", "quote");
}

static void test_ndjson(void **state)
{
    (void)state;
    expect(FEED_NDJSON, "", "");
    expect(FEED_NDJSON, "\xef\xbb\xbf{\"a\":1}\r\n\n {\"a\":[1, 2]} \n{}",
           "1:{\"a\":1}\n3:{\"a\":[1, 2]}\n4:{}\n");
    expect(FEED_NDJSON, "[1]\n3\n{\"a\":1,\"a\":2}\n{\"a\":01}\n{}{}\n{}\n",
           "1!a JSON array: one object a line is wanted (--format json takes an array)\n"
           "2!a JSON object is wanted\n3!JSON: duplicate name at byte 7\n4!JSON: number with a leading zero "
           "at byte 6\n"
           "5!JSON: bytes after the value at byte 2\n6:{}\n");
    static const char nul[] = "{\"a\":\"\0\"}\n{}\n";
    expect_n(FEED_NDJSON, slice_of(nul, sizeof nul - 1),
             "1!JSON: control character in a string at byte 7\n2:{}\n");
}

/* Lines around the limit, and many times over it: the next line is found. */
static void test_long(void **state)
{
    (void)state;
    for (int times = 0; times < 4; times++) {
        struct buf b;
        size_t n = times == 0   ? RECORD_BYTES_MAX
                   : times == 1 ? RECORD_BYTES_MAX + 1
                                : (size_t)times * RECORD_BYTES_MAX;
        buf_init(&b, n + 64);
        buf_put_str(&b, "{}\n[\"");
        uint8_t *p = buf_reserve(&b, n - 4);
        assert_non_null(p);
        memset(p, 'x', n - 4);
        b.n += n - 4;
        buf_put_str(&b, "\"]\n{}\n");
        expect_n(FEED_NDJSON, buf_slice(&b),
                 times == 0 ? "1:{}\n2!a JSON object is wanted\n3:{}\n"
                            : "1:{}\n2!longer than a record may be\n3:{}\n");
        buf_release(&b);
    }
}

static void test_array(void **state)
{
    (void)state;
    expect(FEED_JSON, "[]", "");
    expect(FEED_JSON, "\xef\xbb\xbf \n [ ]\n", "");
    expect(FEED_JSON, "[\n {\n  \"a\": {\"b\": [1, 2, \"x ] \\\" ,\\\\\"]}\n },\n{}\n]\n",
           "2:{\"a\":{\"b\":[1,2,\"x ] \\\" ,\\\\\"]}}\n5:{}\n");
    /* White space that parts two tokens does not join them, and bad elements do not take good ones with them.
     */
    expect(FEED_JSON, "[{\"a\":1 2},{\"a\":tr ue},\n[{}],7,\"x\",{\"a\":1,\"a\":2},{}{},{}\n,]",
           "1!JSON: ',' or '}' was expected at byte 7\n1!JSON: unknown literal at byte 5\n"
           "2!a JSON object is wanted\n2!a JSON object is wanted\n2!a JSON object is wanted\n"
           "2!JSON: duplicate name at byte 7\n2!JSON: bytes after the value at byte 2\n2:{}\n"
           "3!JSON: a value was expected at byte 0\n");
    expect(FEED_JSON, "[,{}]", "1!JSON: a value was expected at byte 0\n1:{}\n");
    expect(FEED_JSON, "[{\"a\":[1}],{\"b\":\"\t\"},{\"c\":\"\xff\"},,{}]",
           "1!JSON: ',' or ']' was expected at byte 7\n1!JSON: control character in a string at byte 7\n"
           "1!JSON: string is not UTF-8 at byte 7\n1!JSON: a value was expected at byte 0\n1:{}\n");
}

static void broken(const char *text, size_t good, const char *why)
{
    struct feed r;
    struct feed_row row;
    int fd = input(slice_str(text));
    assert_int_equal(feed_open(&r, fd, FEED_JSON), BOURN_OK);
    for (size_t i = 0; i < good; i++)
        assert_int_equal(feed_next(&r, &row), BOURN_OK);
    assert_int_equal(feed_next(&r, &row), BOURN_E_FORMAT);
    if (!strstr(err_text(), why))
        fail_msg("%s: not %s", err_text(), why);
    feed_close(&r);
    close(fd);
}

static void test_array_broken(void **state)
{
    (void)state;
    broken("", 0, "begins with [");
    broken("\n{}", 0, "line 2");
    broken("[", 0, "no end");
    broken("[{}", 0, "no end");
    broken("[{},\n{\"a\":\"]", 1, "line 2 lacks");
    broken("[{}]]", 1, "behind the end");
    broken("[] 1", 0, "behind the end");
}

/* Elements over the edges of the window, and longer than a record. */
static void test_array_long(void **state)
{
    (void)state;
    static const size_t sizes[] = {65536 - 16, 65536, RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1,
                                   3 * RECORD_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct feed r;
        struct feed_row row;
        struct buf b;
        buf_init(&b, sizes[i] + 64);
        buf_put_str(&b, "[{\"a\":\"");
        memset(buf_reserve(&b, sizes[i] - 8), 'x', sizes[i] - 8);
        b.n += sizes[i] - 8;
        buf_put_str(&b, "\"}\n, {}]");
        int fd = input(buf_slice(&b));
        assert_int_equal(feed_open(&r, fd, FEED_JSON), BOURN_OK);
        assert_int_equal(feed_next(&r, &row), BOURN_OK);
        if (sizes[i] <= RECORD_BYTES_MAX) {
            assert_null(row.reason);
            assert_int_equal(row.json.n, sizes[i]);
        } else {
            assert_string_equal(row.reason, "longer than a record may be");
            assert_true(row.raw.n <= RECORD_BYTES_MAX);
        }
        assert_int_equal(feed_next(&r, &row), BOURN_OK);
        assert_null(row.reason);
        assert_int_equal(row.line, 2);
        assert_int_equal(feed_next(&r, &row), BOURN_E_NOT_FOUND);
        feed_close(&r);
        close(fd);
        buf_release(&b);
    }
}

static void test_export(void **state)
{
    (void)state;
    static const char no_line[] =
        "no line of an export: {\"collection\",\"id\",\"version\",\"data\"} is wanted\n";
    char want[512];
    snprintf(want, sizeof want, "1:{\"a\":{}}\n2!%s3!%s4!%s", no_line, no_line, no_line);
    expect(FEED_EXPORT,
           "{\"collection\":\"people\",\"id\":1,\"version\":2,\"data\":{\"a\":{}}}\n{\"a\":1}\n"
           "{\"collection\":\"people\",\"id\":1,\"version\":2,\"data\":[]}\n"
           "{\"collection\":\"two words\",\"id\":1,\"version\":2,\"data\":{}}\n",
           want);
    struct feed r;
    struct feed_row row;
    int fd = input(slice_str("{\"collection\":\"people\",\"id\":1,\"version\":2,\"data\":{}}"));
    assert_int_equal(feed_open(&r, fd, FEED_EXPORT), BOURN_OK);
    assert_int_equal(feed_next(&r, &row), BOURN_OK);
    assert_true(slice_is(row.collection, "people"));
    feed_close(&r);
    close(fd);
}

static void test_format(void **state)
{
    (void)state;
    enum feed_format f;
    assert_int_equal(feed_format("a.csv", NULL, &f), BOURN_OK);
    assert_int_equal(f, FEED_CSV);
    assert_int_equal(feed_format("a.ndjson", NULL, &f), BOURN_OK);
    assert_int_equal(f, FEED_NDJSON);
    assert_int_equal(feed_format("-", "ndjson", &f), BOURN_OK);
    assert_int_equal(f, FEED_NDJSON);
    assert_int_equal(feed_format("a.ndjson", "csv", &f), BOURN_OK);
    assert_int_equal(f, FEED_CSV);
    assert_int_equal(feed_format("a.json", NULL, &f), BOURN_OK);
    assert_int_equal(f, FEED_JSON);
    assert_int_equal(feed_format("a.json", "export", &f), BOURN_OK);
    assert_int_equal(f, FEED_EXPORT);
    assert_int_equal(feed_format("a", "xml", &f), BOURN_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_ndjson),     cmocka_unit_test(test_long),
        cmocka_unit_test(test_array),      cmocka_unit_test(test_array_broken),
        cmocka_unit_test(test_array_long), cmocka_unit_test(test_export),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
