/* Where bourn may post to, and what the relay is told of it. */
#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *url, *origin;
    uint16_t port;
} good[] = {
    {"https://w.example", "https://w.example", 443},
    {"https://w.example/", "https://w.example", 443},
    {"https://w.example?a=b:c/d", "https://w.example", 443},
    {"https://w.example:8443/hook?key=1", "https://w.example:8443", 8443},
    {"https://w.example:65535", "https://w.example:65535", 65535},
    {"https://[2001:db8::1]/x", "https://[2001:db8::1]", 443},
    {"https://[2001:db8::1]:1/x", "https://[2001:db8::1]:1", 1},
    {"http://127.0.0.1/x", "http://127.0.0.1", 80},
    {"http://localhost:7700/x:1", "http://localhost:7700", 7700},
    {"http://[::1]:7700/", "http://[::1]:7700", 7700},
};
static const char *const bad[] = {
    "",
    "https",
    "https://",
    "https:///x",
    "https://?x",
    "https://:443/",
    "https://w.example:",
    "https://w.example:/x",
    "https://w.example:0/",
    "https://w.example:08/",
    "https://w.example:65536/",
    "https://w.example:443x/",
    "https://w.example:4:4/",
    "https://[::1/",
    "https://[::1]x/",
    "https://2001:db8::1/",
    "http://w.example/",
    "http://127.0.0.1.w.example/",
    "http://127.0.0.1@w.example/",
    "http://[::1].w.example/",
    "HTTP://127.0.0.1/",
    "ftp://127.0.0.1/",
    "https://me@w.example/",
    "https://w.example/#x",
    "https://w.example/a b",
    "https://w.example/\x01",
    "https://w.example/\x7f",
    "https://w.ex\xc3\xa4mple/",
    "https://w.example/\\x",
};

static void urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!url_ok(good[i].url) || !slice_is(url_origin(good[i].url), good[i].origin) ||
            url_port(good[i].url) != good[i].port || !url_ok(good[i].origin) ||
            url_port(good[i].origin) != good[i].port)
            fail_msg("%s", good[i].url);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (url_ok(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
