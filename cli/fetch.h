/* HTTP GET as a party: several from one address over one connection. https anywhere, http to loopback only;
 * no redirects, so that the token goes nowhere else; answers of limited size. */
#ifndef BOURN_CLI_FETCH_H
#define BOURN_CLI_FETCH_H

#include "base/buf.h"
#include "base/json.h"

struct fetch;

/* `ca` is a file of certificates to trust instead of the system's, or NULL. BOURN_E_USAGE for a URL that is
 * not allowed. */
enum bourn_err fetch_open(const char *url, const char *token, const char *purpose, const char *ca,
                          struct fetch **out) BOURN_MUST_USE;
void fetch_close(struct fetch *f); /* NULL is allowed */
/* The JSON that stands at `path`, in *answer (which is cleared; make it a secret buffer). BOURN_E_UNAVAILABLE
 * if there is no answer or a 503; BOURN_E_DENIED for another refusal, in the server's words. *receipt is the
 * index of the entry, or UINT64_MAX. */
enum bourn_err fetch_json(struct fetch *f, struct slice path, struct buf *answer, struct json_value *v,
                          uint64_t *receipt) BOURN_MUST_USE;
/* Appends a segment of a path with everything but unreserved characters escaped (RFC 3986). */
void fetch_put_segment(struct buf *out, struct slice text);

#endif
