/* An HTTP request, already split into its parts by the library, on its way to vault: whatever it says, the
 * message must be one that vault takes from front, or vault would drop front; and a reply on its way out. */
#include "fuzz.h"

#include "api/api.h"
#include "api/conditions.h"
#include "api/headers.h"
#include "base/json.h"
#include "base/limits.h"

enum { PARTS = 4 };

/* Parts are separated by a newline: method, path?query, headers in the order of api_headers; what follows the
 * empty line is the body. A header that is missing is absent, and one that is "-" is empty. */
static struct slice line(struct slice *in)
{
    const uint8_t *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
    struct slice first = slice_of(in->p, end ? (size_t)(end - in->p) : in->n);
    *in = end ? slice_of(end + 1, in->n - first.n - 1) : slice_of(NULL, 0);
    return first;
}

static void check_response(const struct http_response *r)
{
    struct json_value v, code;
    fuzz_check(r->status >= 200 && r->status <= 599 && r->headers_n <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < r->headers_n; i++)
        fuzz_check(!strpbrk(r->headers[i].value, "\r\n"));
    if (r->status >= 400) {
        fuzz_check(json_check(r->body, &v) == BOURN_OK && v.type == JSON_OBJECT);
        fuzz_check(json_find(v, "code", &code) && code.type == JSON_STRING);
    }
}

static void run_request(struct slice in)
{
    struct http_request q = {0};
    struct http_response r = {0};
    struct request out = {.id = 1}, got;
    struct buf scratch, message;
    q.method = line(&in);
    struct slice target = line(&in);
    const uint8_t *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    q.path = slice_of(target.p, mark ? (size_t)(mark - target.p) : target.n);
    q.query = mark ? slice_of(mark + 1, target.n - q.path.n - 1) : slice_of(NULL, 0);
    for (int i = 0; i < HTTP_WANTED_MAX && api_headers[i]; i++) {
        struct slice h = line(&in);
        if (h.n)
            q.headers[i] = slice_is(h, "-") ? slice_of(h.p, 0) : h;
    }
    q.body = in;
    buf_init(&scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    buf_init(&message, IPC_MESSAGE_BYTES_MAX);
    if (api_request(&q, &scratch, &out, &r)) {
        request_encode(&message, &out);
        fuzz_ok(request_decode(buf_slice(&message), REQ_FROM_FRONT, &got));
        fuzz_check(got.op == out.op && slice_eq(got.subject, out.subject) && slice_eq(got.body, out.body));
    } else {
        fuzz_check(r.status >= 400 && r.status < 500);
        check_response(&r);
    }
    buf_release(&scratch);
    buf_release(&message);
}

static void seeds_request(void)
{
    static const char *const paths[] = {"/healthz",
                                        "/metrics",
                                        "/v1/subjects/B000944/records/people",
                                        "/v1/subjects/B%2f%C3%A9/records/people/7",
                                        "/v1/subjects/x/records/people?cursor=9",
                                        "/v1/subjects/x",
                                        "/v1/subjects/x/enrolments",
                                        "/v1/enrolments/lookup",
                                        "/v1/enrolments",
                                        "/v1/subjects/x/consent-requests",
                                        "/v1/subjects/x/consents",
                                        "/v1/subjects/x/consents/9",
                                        "/v1/party",
                                        "/ledger/tile/rows/000.p/5",
                                        "/ledger/checkpoint",
                                        "/ledger/tile/0/x001/000.p/255",
                                        "/ledger/tile/entries/000",
                                        "/ledger/evidence",
                                        "/v1/subjects",
                                        "/v1/search",
                                        "/v1/import",
                                        "/v1/disclosures"};
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
    struct buf b;
    buf_init(&b, 4096);
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++)
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
            buf_clear(&b);
            buf_printf(&b, "%s\n%s\n", methods[m], paths[p]);
            for (int i = 0; i < HTTP_WANTED_MAX && api_headers[i]; i++) {
                const char *h = api_headers[i];
                buf_printf(&b, "%s\n",
                           strcmp(h, "Authorization") == 0   ? "Bearer bourn_abc"
                           : strcmp(h, "Bourn-Purpose") == 0 ? "dpv:ServiceProvision"
                           : strcmp(h, "Content-Type") == 0
                               ? (m == 3 ? "application/merge-patch+json" : "application/json")
                           : strcmp(h, "If-Match") == 0        ? (p & 1 ? "\"3\"" : "")
                           : strcmp(h, "Idempotency-Key") == 0 ? (p & 2 ? "k-1" : "")
                                                               : "");
            }
            if (m == 1 || m == 2 || m == 3)
                buf_put_str(&b, "{\"from\":0,\"to\":9}");
            fuzz_seed(buf_slice(&b));
        }
    buf_release(&b);
}

static void run_response(struct slice in)
{
    struct reply r;
    struct buf scratch;
    struct dice d = {in};
    uint32_t op = dice_u8(&d) % (REQ_OP_MAX + 1);
    buf_init(&scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    if (reply_decode(d.left, &r) == BOURN_OK) {
        struct http_response out;
        api_response(op, &r, &scratch, &out);
        fuzz_check(out.status == r.status);
        if (!scratch.failed)
            check_response(&out);
    }
    buf_release(&scratch);
}

static void seeds_response(void)
{
    struct buf b;
    struct reply all[] = {
        {.id = 1, .status = 200, .type = REPLY_JSON, .receipt = 9, .etag = 3, .body = slice_str("{}")},
        {.id = 2,
         .status = 403,
         .receipt = REPLY_NO_RECEIPT,
         .code = slice_str("basis_missing"),
         .detail = slice_str("no"),
         .missing = slice_str("[{}]")},
        {.id = 3, .status = 401, .receipt = REPLY_NO_RECEIPT, .code = slice_str("token_invalid")}};
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        buf_clear(&b);
        buf_put_u8(&b, (uint8_t)(2 + i));
        reply_encode(&b, &all[i]);
        fuzz_seed(buf_slice(&b));
    }
    buf_release(&b);
}

/* Accept-Encoding, If-None-Match, Range, If-Range, one a line; then the file. */
static void run_file(struct slice in)
{
    static const char *const methods[] = {"GET", "HEAD"};
    struct buf scratch;
    struct http_response r;
    struct api_conditions c;
    struct http_request q = {0};
    struct dice d = {in};
    unsigned bits = dice_u8(&d);
    q.method = slice_str(methods[bits & 1]);
    for (int i = H_ACCEPT_ENCODING; i <= H_IF_RANGE; i++) {
        struct slice h = line(&d.left);
        if (h.n)
            q.headers[i] = h;
    }
    struct api_file f = {
        .type = "application/octet-stream", .caching = "public, max-age=1", .varies = bits >> 1 & 1};
    f.bytes = d.left.n ? d.left : slice_str("x"); /* none is empty */
    f.gzip = f.varies && bits & 4 ? slice_str("zip") : slice_of(NULL, 0);
    buf_init(&scratch, PROBLEM_MISSING_BYTES_MAX + 8192);
    api_conditions_read(&q, &c);
    api_file_response(&c, &f, &scratch, &r);
    fuzz_check(r.status == 200 || r.status == 206 || r.status == 304 || r.status == 416);
    if (r.status == 200)
        fuzz_check(slice_eq(r.body, f.bytes) ||
                   (f.gzip.p && slice_eq(r.body, f.gzip) && q.headers[H_ACCEPT_ENCODING].n));
    if (r.status == 206)
        fuzz_check(q.headers[H_RANGE].n && r.body.n > 0 && r.body.p >= f.bytes.p &&
                   r.body.p + r.body.n <= f.bytes.p + f.bytes.n && !(bits & 1));
    if (r.status == 304)
        fuzz_check(q.headers[H_IF_NONE_MATCH].n && r.body.n == 0);
    buf_release(&scratch);
}

static void seeds_file(void)
{
#define ZEROS "00000000000000000000000000000000"
    static const char *const seeds[] = {
        "\2\n\n\n\n0123456789",
        "\6gzip;q=0.5, identity;q=0.1, *;q=0\n\n\n\n0123456789",
        "\6gzip\n\"x\", W/\"" ZEROS "-gzip\"\nbytes=0-3\n\n0123456789",
        "\2br\n\nbytes=2-\n\"" ZEROS "\"\n0123456789",
        "\2\n*\nbytes=-3\n\n0123456789",
        "\2\n\nbytes=12-\n\n0123456789",
        "\1gzip\n\nbytes=1-4\n\n0123456789",
    };
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        fuzz_seed(slice_str(seeds[i]));
}

const struct fuzz_target fuzz_api[] = {
    {"api-request", run_request, seeds_request, 2048, 20000},
    {"api-response", run_response, seeds_response, 2048, 10000},
    {"api-file", run_file, seeds_file, 1024, 20000},
    {0},
};
