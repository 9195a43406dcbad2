/* Bytes of a reply, all numbers big-endian: id (8) status (4) type (4) receipt (8) etag (8) immutable (4)
 * next (8), then code, detail, missing and body, each as length (4) and bytes. */
#include "base/limits.h"
#include "ipc/codec.h"
#include "ipc/request.h"

void reply_encode_head(struct buf *out, const struct reply *r)
{
    buf_put_be(out, r->id, 8);
    buf_put_be(out, r->status, 4);
    buf_put_be(out, r->type, 4);
    buf_put_be(out, r->receipt, 8);
    buf_put_be(out, r->etag, 8);
    buf_put_be(out, r->immutable, 4);
    buf_put_be(out, r->next, 8);
    codec_put_bytes(out, r->code);
    codec_put_bytes(out, r->detail);
    codec_put_bytes(out, r->missing);
    buf_put_be(out, r->body.n, 4);
}

void reply_encode(struct buf *out, const struct reply *r)
{
    reply_encode_head(out, r);
    buf_put_slice(out, r->body);
}

/* A word of lower-case letters, digits and underscores: it stands in a header and a URI without escapes. */
static bool word(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_')
            return false;
    return true;
}

enum bourn_err reply_decode(struct slice in, struct reply *r)
{
    struct codec c = {in, true};
    *r = (struct reply){.id = codec_number(&c, 8)};
    r->status = (uint32_t)codec_number(&c, 4);
    r->type = (uint32_t)codec_number(&c, 4);
    r->receipt = codec_number(&c, 8);
    r->etag = codec_number(&c, 8);
    r->immutable = (uint32_t)codec_number(&c, 4);
    r->next = codec_number(&c, 8);
    r->code = codec_bytes(&c, 0, NAME_BYTES_MAX);
    r->detail = codec_bytes(&c, 0, PROBLEM_DETAIL_BYTES_MAX);
    r->missing = codec_bytes(&c, 0, PROBLEM_MISSING_BYTES_MAX);
    r->body = codec_bytes(&c, 0, REPLY_BYTES_MAX);
    if (!codec_end(&c))
        return err_set(BOURN_E_FORMAT,
                       "a malformed reply: a length over its limit, cut off, or bytes left over");
    bool problem = r->status >= 400;
    if (r->status < 200 || r->status > 599 || r->type > REPLY_NDJSON || r->immutable > 1 || !word(r->code) ||
        problem != (r->code.n > 0) || (!problem && (r->detail.n || r->missing.n)))
        return err_set(BOURN_E_FORMAT, "a reply with a field out of its range");
    return BOURN_OK;
}
