/* What counts as a good answer, and what the histogram says: figures rest on both. */
#include "answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum answer_state look(const char *text, const char *word, size_t *n)
{
    return answer_look(text, strlen(text), word, word ? strlen(word) : 0, n);
}

static void test_answers(void **state)
{
    size_t n = 0;
    (void)state;
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", NULL, &n), ANSWER_GOOD);
    assert_int_equal(n, 5);
    assert_int_equal(look("HTTP/1.1 201 Created\r\nX: y\r\ncontent-length:5\r\nZ: 1\r\n\r\nhello", "ell", &n),
                     ANSWER_GOOD);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, &n), ANSWER_GOOD);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NULL, &n), ANSWER_PART);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Le", NULL, &n), ANSWER_PART);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", NULL, &n), ANSWER_BAD);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "word", &n), ANSWER_BAD);
    assert_int_equal(look("HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello", NULL, &n), ANSWER_BAD);
    assert_int_equal(look("HTTP/1.1 200 OK\r\nX-Content-Length: 5\r\n\r\nhello", NULL, &n), ANSWER_BAD);
}

static void test_histogram(void **state)
{
    static struct histogram h;
    (void)state;
    for (uint64_t us = 1; us <= 1000; us++)
        histogram_add(&h, us * 1000);
    assert_int_equal(h.n, 1000);
    assert_int_equal(h.max, 1000000);
    assert_in_range(histogram_at(&h, 0.5), 490000, 511000);
    assert_in_range(histogram_at(&h, 0.99), 975000, 1000000);
    assert_int_equal(histogram_at(&h, 1.0), 1000000 / 8192 * 8192); /* the step that holds the longest */
    memset(&h, 0, sizeof h);
    histogram_add(&h, 7);
    assert_int_equal(histogram_at(&h, 0.5), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_histogram)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
