/* One HTTP POST of JSON. https anywhere, http to loopback only; no redirects, one answer of limited size. */
#ifndef BOURN_CLI_POST_H
#define BOURN_CLI_POST_H

#include "base/buf.h"

/* BOURN_E_USAGE for a URL that is not allowed, BOURN_E_UNAVAILABLE if there is no answer. */
enum bourn_err post_json(const char *url, const char *path, struct slice body, long *status,
                         struct buf *answer) BOURN_MUST_USE;
bool post_url_ok(const char *url); /* exposed for its test */

#endif
