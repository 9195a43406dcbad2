/* Routes and messages: an HTTP request becomes a request for vault, its reply becomes an HTTP response. Pure.
 */
#ifndef BOURN_API_API_H
#define BOURN_API_API_H

#include "http/http.h"
#include "ipc/request.h"

/* The headers that are read: for http_start, in the order of struct http_request's `headers`. */
extern const char *const api_headers[];

/* Finds the route and takes its fields out of the request; *out borrows from q and from `scratch` (decoded
 * segments). False: the request is refused, r is the answer and borrows from `scratch`. out->id is left
 * alone. */
bool api_request(const struct http_request *q, struct buf *scratch, struct request *out,
                 struct http_response *r);

/* Whether the request's body may have any length: then api_request is called once with its head alone. */
bool api_upload(const struct http_request *q);

/* The response to a request of operation `op`; borrows from the reply and from `scratch`. */
void api_response(uint32_t op, const struct reply *reply, struct buf *scratch, struct http_response *r);

#endif
