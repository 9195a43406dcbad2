/* The CSV reader: what is a row, what is a bad row, on which line, and where the next one starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csv.h"

#include <stdio.h>
#include <stdlib.h>
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

/* Reads all of `text` and compares with `want`: a line per row, "3:a|b" or "3!reason". */
static void expect_n(struct slice text, const char *want)
{
    struct csv c;
    struct csv_row row;
    struct buf got;
    int fd = input(text);
    buf_init(&got, 1u << 20);
    assert_int_equal(csv_open(&c, fd), BOURN_OK);
    enum bourn_err err;
    while ((err = csv_next(&c, &row)) == BOURN_OK) {
        buf_printf(&got, "%llu", (unsigned long long)row.line);
        if (row.reason)
            buf_printf(&got, "!%s", row.reason);
        for (size_t i = 0; i < row.columns; i++)
            buf_printf(&got, "%s%.*s", i ? "|" : ":", SLICE_ARG(row.value[i]));
        buf_put_u8(&got, '\n');
    }
    assert_int_equal(err, BOURN_E_NOT_FOUND);
    assert_int_equal(c.bytes, text.n);
    buf_put_u8(&got, 0);
    assert_string_equal((char *)got.p, want);
    buf_release(&got);
    csv_close(&c);
    close(fd);
}
static void expect(const char *text, const char *want)
{
    expect_n(slice_str(text), want);
}

static void test_rows(void **state)
{
    (void)state;
    expect("", "");
    expect("\n\r\n\n", "");
    expect("a,b\n1,2\n", "1:a|b\n2:1|2\n");
    expect("a,b\r\n1,2", "1:a|b\n2:1|2\n");
    expect("\xef\xbb\xbf"
           "a,b\n,\n",
           "1:a|b\n2:|\n");
    expect("a,b\n\"x,y\",\"he said \"\"no\"\"\"\n", "1:a|b\n2:x,y|he said \"no\"\n");
    expect("a,b\n\"x\r\ny\",2\n\n3,4\n", "1:a|b\n2:x\r\ny|2\n5:3|4\n");
    expect("a,b\n 1 ,\"\"\n", "1:a|b\n2: 1 |\n");
    expect("a\n\"\"\nx\n", "1:a\n2:\n3:x\n");
    expect("n\xc3\xa4me,b\n\xe4\xb8\xad,\xf0\x9f\x98\x80\n",
           "1:n\xc3\xa4me|b\n2:\xe4\xb8\xad|\xf0\x9f\x98\x80\n");
}

static void test_bad_rows(void **state)
{
    (void)state;
    expect("a,b\n1\n2,3\n", "1:a|b\n2!1 columns where the header has 2\n3:2|3\n");
    expect("a,b\n1,2,3\n2,3\n", "1:a|b\n2!3 columns where the header has 2\n3:2|3\n");
    expect("a,b\nx\"y,2\n2,3\n", "1:a|b\n2!a quote inside a value that does not start with one\n3:2|3\n");
    expect("a,b\n\"x\"y,2\n2,3\n", "1:a|b\n2!text behind a closing quote\n3:2|3\n");
    expect("a,b\n\"x,2\n2,3\n4,5\n", "1:a|b\n2!a quote is opened and not closed\n3:2|3\n4:4|5\n");
    expect("a,b\n1,x\ry\n2,3\n", "1:a|b\n2!a carriage return inside a value without quotes\n3:2|3\n");
    expect("a,b\n1,\xff\n2,3\n", "1:a|b\n2!bytes that are not UTF-8\n3:2|3\n");
    expect("a,b\n\xc3,\xa4\n2,3\n", "1:a|b\n2!bytes that are not UTF-8\n3:2|3\n");
    expect("a,b\n\xc3\xa4,\"\xc3\"\n2,3\n", "1:a|b\n2!bytes that are not UTF-8\n3:2|3\n");
    static const char nul[] = "a,b\n1,\0\n2,3\n";
    expect_n(slice_of(nul, sizeof nul - 1), "1:a|b\n2!a NUL byte\n3:2|3\n");
    /* A ragged row that spans lines is one row: its second line is not looked at again. */
    expect("a,b\n\"1\n9,9\"\n2,3\n", "1:a|b\n2!1 columns where the header has 2\n4:2|3\n");
    /* A stray quote spoils its line; the quote that it ran into is looked at afresh. */
    expect("a,b\n\"x,1\n\"y\",2\n3,4\n", "1:a|b\n2!text behind a closing quote\n3:y|2\n4:3|4\n");
}

/* Rows of exactly the largest size, one byte over, and far over, with a good row behind each. */
static void test_sizes(void **state)
{
    (void)state;
    for (int over = -1; over <= 3; over++)
        for (int quoted = 0; quoted < 2; quoted++) {
            size_t n = over == 3 ? 5 * (size_t)CSV_ROW_BYTES_MAX : (size_t)((long)CSV_ROW_BYTES_MAX + over);
            struct buf b;
            buf_init(&b, n + 64);
            buf_put_str(&b, "a\r\n");
            uint8_t *p = buf_reserve(&b, n);
            assert_non_null(p);
            memset(p, 'x', n);
            if (quoted)
                p[0] = p[n - 1] = '"';
            b.n += n;
            buf_put_str(&b, "\r\nz\r\n");
            int fd = input(buf_slice(&b));
            struct csv c;
            struct csv_row row;
            assert_int_equal(csv_open(&c, fd), BOURN_OK);
            assert_int_equal(csv_next(&c, &row), BOURN_OK);
            assert_int_equal(csv_next(&c, &row), BOURN_OK);
            assert_int_equal(row.line, 2);
            if (over <= 0) {
                assert_null(row.reason);
                assert_int_equal(row.value[0].n, n - 2 * (size_t)quoted);
            } else {
                assert_non_null(row.reason);
                assert_true(row.raw.n <= CSV_ROW_BYTES_MAX);
            }
            assert_int_equal(csv_next(&c, &row), BOURN_OK);
            assert_null(row.reason);
            assert_int_equal(row.line, 3);
            assert_true(slice_is(row.value[0], "z"));
            assert_int_equal(csv_next(&c, &row), BOURN_E_NOT_FOUND);
            csv_close(&c);
            close(fd);
            buf_release(&b);
        }
}

static void test_many(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8u << 20);
    buf_put_str(&b, "id,text\n");
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%d,\"two\nlines %d\"\n", i, i);
    int fd = input(buf_slice(&b));
    struct csv c;
    struct csv_row row;
    assert_int_equal(csv_open(&c, fd), BOURN_OK);
    assert_int_equal(csv_next(&c, &row), BOURN_OK);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(csv_next(&c, &row), BOURN_OK);
        assert_null(row.reason);
        assert_int_equal(row.line, 2 + 2 * i);
        assert_int_equal(atoi((const char *)row.value[0].p), i);
    }
    assert_int_equal(csv_next(&c, &row), BOURN_E_NOT_FOUND);
    csv_close(&c);
    close(fd);
    buf_release(&b);
}

static void test_columns(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 16);
    for (int i = 0; i <= FIELDS_PER_COLLECTION_MAX; i++)
        buf_printf(&b, "%sc%d", i ? "," : "", i);
    buf_put_str(&b, "\na\n");
    expect_n(buf_slice(&b), "1!too many columns\n2:a\n");
    buf_release(&b);
}

static void test_utf16(void **state)
{
    (void)state;
    struct csv c;
    struct csv_row row;
    int fd = input(slice_of("\xff\xfe"
                            "a\0\n\0",
                            6));
    assert_int_equal(csv_open(&c, fd), BOURN_OK);
    assert_int_equal(csv_next(&c, &row), BOURN_E_FORMAT);
    csv_close(&c);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_many), cmocka_unit_test(test_columns),  cmocka_unit_test(test_utf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
