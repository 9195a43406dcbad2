#include "api/api.h"

static const char *const types[] = {
    [REPLY_NONE] = NULL,
    [REPLY_JSON] = "application/json",
    [REPLY_OCTETS] = "application/octet-stream",
    [REPLY_TEXT] = "text/plain; charset=utf-8",
    [REPLY_CBOR_SEQ] = "application/cbor-seq",
    [REPLY_NDJSON] = "application/x-ndjson",
};

/* The public files: a tile never changes under its name, a checkpoint (text) lives for a second. Everything
 * else, the entries of a closed cell too, is not kept by anybody on the way. */
static void caching(uint32_t op, const struct reply *reply, struct http_response *r)
{
    if (op == REQ_LEDGER_FILE && reply->immutable)
        http_header(r, "Cache-Control", "public, max-age=31536000, immutable");
    else if (op == REQ_LEDGER_FILE && reply->type == REPLY_TEXT)
        http_header(r, "Cache-Control", "public, max-age=1");
    else
        http_header(r, "Cache-Control", "no-store");
}

void api_response(uint32_t op, const struct reply *reply, struct buf *scratch, struct http_response *r)
{
    if (reply->status >= 400) {
        http_problem(r, scratch, reply->status, reply->code, reply->detail, reply->missing);
        if (reply->status == 401)
            http_header(r, "WWW-Authenticate", "Bearer realm=\"bourn\", error=\"invalid_token\"");
    } else {
        *r = (struct http_response){.status = reply->status, .type = types[reply->type], .body = reply->body};
        if (op == REQ_HEALTH) {
            r->type = types[REPLY_JSON];
            r->body = slice_str("{\"status\":\"ok\"}\n");
        }
        caching(op, reply, r);
    }
    if (reply->receipt != REPLY_NO_RECEIPT)
        http_header(r, "Bourn-Receipt", "%llu", (unsigned long long)reply->receipt);
    if (reply->etag)
        http_header(r, "ETag", "\"%llu\"", (unsigned long long)reply->etag);
}
