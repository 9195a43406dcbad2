/* HTTP from a person's machine, without a token: https anywhere, http to loopback only, no redirects. */
#ifndef BOURN_CLI_POST_H
#define BOURN_CLI_POST_H

#include "base/buf.h"

/* POSTs JSON; one answer of limited size. BOURN_E_USAGE for a URL that is not allowed, BOURN_E_UNAVAILABLE if
 * there is no answer. */
enum bourn_err post_json(const char *url, const char *path, struct slice body, long *status,
                         struct buf *answer) BOURN_MUST_USE;
/* The same with an answer of any length: the body of a 200 goes to `take` as it comes, which says false to
 * give up; any other answer into *answer. *receipt is the index of the entry, or UINT64_MAX.
 * BOURN_E_UNAVAILABLE also for an answer that was cut. */
typedef bool (*post_take)(void *ctx, struct slice piece);
enum bourn_err post_stream(const char *url, const char *path, struct slice body, post_take take, void *ctx,
                           long *status, struct buf *answer, uint64_t *receipt) BOURN_MUST_USE;
/* GETs what is public at `path`. */
enum bourn_err post_get(const char *url, const char *path, long *status, struct buf *answer) BOURN_MUST_USE;
/* The same with one header more, "Name: value". */
enum bourn_err post_get_signed(const char *url, const char *path, const char *header, long *status,
                               struct buf *answer) BOURN_MUST_USE;
bool post_url_ok(const char *url); /* exposed for its test */

#endif
