/* Where a person's machine may send an enrolment code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "post.h"

static void test_urls(void **state)
{
    (void)state;
    assert_true(post_url_ok("http://127.0.0.1:7700"));
    assert_true(post_url_ok("http://localhost:7700/x"));
    assert_true(post_url_ok("http://[::1]:7700"));
    assert_true(post_url_ok("https://cn.example"));
    assert_false(post_url_ok("http://cn.example"));
    assert_false(post_url_ok("http://127.0.0.1.example"));
    assert_false(post_url_ok("http://127.0.0.1@cn.example"));
    assert_false(post_url_ok("https://user@cn.example"));
    assert_false(post_url_ok("file:///etc/passwd"));
    assert_false(post_url_ok("cn.example"));
    assert_false(post_url_ok(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
