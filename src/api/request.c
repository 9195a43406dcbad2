#include "api/api.h"
#include "api/headers.h"
#include "api/routes.h"

#include "base/limits.h"
#include "base/text.h"

#include <strings.h>

const char *const api_headers[] = {
    [H_AUTHORIZATION] = "Authorization",
    [H_PURPOSE] = "Bourn-Purpose",
    [H_CONTENT_TYPE] = "Content-Type",
    [H_IF_MATCH] = "If-Match",
    [H_KEY] = "Idempotency-Key",
    [H_STATEMENT] = "Bourn-Statement",
    [H_ACCEPT_ENCODING] = "Accept-Encoding",
    [H_IF_NONE_MATCH] = "If-None-Match",
    [H_RANGE] = "Range",
    [H_IF_RANGE] = "If-Range",
    NULL,
};

struct refusal {
    uint32_t status;
    const char *code, *detail;
};

static const struct refusal unknown_route = {404, "route_unknown", "There is no such path."};
static const struct refusal wrong_method = {405, "method_not_allowed",
                                            "This path does not have that method."};
static const struct refusal no_token = {401, "token_required",
                                        "Send the party's token: Authorization: Bearer TOKEN."};
static const struct refusal no_purpose = {400, "purpose_required",
                                          "Name the purpose in the header Bourn-Purpose."};
static const struct refusal bad_purpose = {400, "purpose_malformed",
                                           "Bourn-Purpose takes one term such as dpv:ServiceProvision."};
static const struct refusal bad_path = {
    400, "path_malformed", "A segment of the path is empty, too long, or not UTF-8 with %XX escapes."};
static const struct refusal bad_number = {400, "number_malformed",
                                          "A number is decimal, without sign or leading zeros."};
static const struct refusal bad_query = {400, "query_malformed", "This path takes no such query parameter."};
static const struct refusal bad_match = {400, "if_match_malformed",
                                         "If-Match takes one ETag that bourn gave: \"3\"."};
static const struct refusal bad_type = {415, "content_type_unsupported",
                                        "The body must be application/json."};
static const struct refusal bad_patch_type = {415, "content_type_unsupported",
                                              "The body must be application/merge-patch+json (RFC 7396)."};
static const struct refusal bad_lines_type = {415, "content_type_unsupported",
                                              "The body must be application/x-ndjson."};
static const struct refusal no_names = {
    400, "query_malformed",
    "Name the collection and the field that holds the subject: ?collection=people&subject=id."};
static const struct refusal bad_key = {400, "idempotency_key_malformed",
                                       "Idempotency-Key takes 1 to 255 printable ASCII characters."};
static const struct refusal no_statement = {
    400, "statement_required",
    "Send what the person signed in the header Bourn-Statement: the JSON, in base64url without padding."};
static const struct refusal no_body = {400, "body_required", "This path needs a JSON body."};
static const struct refusal stray_body = {400, "body_unexpected", "This path takes no body."};

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One path segment (RFC 3986 section 3.3): escapes decoded once, strictly; the result is UTF-8 without NUL
 * and may hold any other character, '/' too. */
static bool decode(struct slice raw, size_t most, struct buf *scratch, struct slice *out)
{
    size_t from = scratch->n;
    if (raw.n > 3 * most)
        return false;
    for (size_t i = 0; i < raw.n; i++) {
        uint8_t c = raw.p[i];
        if (c == '%') {
            int hi = raw.n - i > 2 ? hex_digit(raw.p[i + 1]) : -1,
                lo = hi >= 0 ? hex_digit(raw.p[i + 2]) : -1;
            if (lo < 0)
                return false;
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        } else if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#?", c)) {
            return false;
        }
        if (c == 0)
            return false;
        buf_put_u8(scratch, c);
    }
    *out = slice_of(scratch->p + from, scratch->n - from);
    return !scratch->failed && out->n > 0 && out->n <= most && utf8_valid(*out);
}

/* RFC 6750 section 2.1. */
static bool bearer(struct slice header, struct slice *token)
{
    static const char scheme[] = "Bearer ";
    size_t n = sizeof scheme - 1;
    if (header.n <= n || strncasecmp((const char *)header.p, scheme, n) != 0 ||
        header.n - n > TOKEN_BYTES_MAX)
        return false;
    *token = slice_of(header.p + n, header.n - n);
    for (size_t i = 0; i < token->n; i++) {
        uint8_t c = token->p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == 0 || !strchr("-._~+/=", c)))
            return false;
    }
    return true;
}

static bool is_type(struct slice type, const char *want)
{
    size_t n = strlen(want);
    return type.n >= n && strncasecmp((const char *)type.p, want, n) == 0 &&
           (type.n == n || type.p[n] == ';' || type.p[n] == ' ');
}

/* "3", with its quotes. */
static bool etag(struct slice s, uint64_t *version)
{
    return s.n > 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' &&
           decimal_get(slice_of(s.p + 1, s.n - 2), version) && *version > 0;
}

static bool starts(struct slice s, const char *name, struct slice *rest)
{
    size_t n = strlen(name);
    if (s.n <= n || memcmp(s.p, name, n) != 0)
        return false;
    *rest = slice_of(s.p + n, s.n - n);
    return true;
}

/* "cursor=12&fields=name,birthday" or "cursor=12&size=70": what the route takes, each at most once. Names of
 * fields need no escapes.
 */
static bool take_query(struct slice query, unsigned flags, struct request *out)
{
    bool cursor = flags & ROUTE_CURSOR, fields = flags & ROUTE_FIELDS, size = flags & ROUTE_SIZE;
    while (query.n) {
        const uint8_t *amp = memchr(query.p, '&', query.n);
        struct slice one = slice_of(query.p, amp ? (size_t)(amp - query.p) : query.n), value;
        query = amp ? slice_of(amp + 1, query.n - one.n - 1) : slice_of(NULL, 0);
        if (amp && !query.n)
            return false;
        if (cursor && starts(one, "cursor=", &value) && decimal_get(value, &out->number)) {
            cursor = false;
        } else if (size && starts(one, "size=", &value) && decimal_get(value, &out->version)) {
            size = false;
        } else if (fields && starts(one, "fields=", &value) && value.n <= FIELD_LIST_BYTES_MAX &&
                   !memchr(value.p, '%', value.n)) {
            fields = false;
            out->fields = value;
        } else {
            return false;
        }
    }
    return true;
}

/* "collection=people&subject=id", both, in any order. Names need no escapes. */
static bool take_names(struct slice query, struct request *out)
{
    while (query.n) {
        const uint8_t *amp = memchr(query.p, '&', query.n);
        struct slice one = slice_of(query.p, amp ? (size_t)(amp - query.p) : query.n), value;
        query = amp ? slice_of(amp + 1, query.n - one.n - 1) : slice_of(NULL, 0);
        struct slice *to = starts(one, "collection=", &value) ? &out->collection
                           : starts(one, "subject=", &value)  ? &out->path
                                                              : NULL;
        if (!to || to->n || !name_valid(value) || (amp && !query.n))
            return false;
        *to = value;
    }
    return out->collection.n && out->path.n;
}

static bool key_ok(struct slice key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] <= ' ' || key.p[i] > '~')
            return false;
    return key.n > 0 && key.n <= IDEMPOTENCY_KEY_BYTES_MAX;
}

static const struct refusal *take_path(const struct route_match *m, struct buf *scratch, struct request *out)
{
    if (m->subject.p && !decode(m->subject, SUBJECT_ID_BYTES_MAX, scratch, &out->subject))
        return &bad_path;
    if (m->collection.p &&
        (!decode(m->collection, NAME_BYTES_MAX, scratch, &out->collection) || !name_valid(out->collection)))
        return &bad_path;
    if (m->number.p && !decimal_get(m->number, &out->number))
        return &bad_number;
    for (size_t i = 0; i < m->rest.n; i++)
        if (m->rest.n > LEDGER_PATH_BYTES_MAX || m->rest.p[i] <= ' ' || m->rest.p[i] >= 0x7f ||
            m->rest.p[i] == '%')
            return &unknown_route;
    if (m->rest.n)
        out->path = m->rest;
    return NULL;
}

static const struct refusal *take_statement(struct slice header, struct buf *scratch, struct request *out)
{
    size_t at = scratch->n;
    if (!header.n || !base64url_get(header, scratch) || scratch->n == at)
        return &no_statement;
    out->body = slice_of(scratch->p + at, scratch->n - at);
    return NULL;
}

static const struct refusal *take_fields(const struct http_request *q, unsigned flags, struct request *out)
{
    if (flags & ROUTE_TOKEN && !bearer(q->headers[H_AUTHORIZATION], &out->token))
        return &no_token;
    if (flags & ROUTE_TOKEN_MAYBE && !bearer(q->headers[H_AUTHORIZATION], &out->token))
        out->token = slice_of(NULL, 0); /* other credentials are somebody else's */
    if (flags & ROUTE_PURPOSE) {
        out->purpose = q->headers[H_PURPOSE];
        if (!out->purpose.n)
            return &no_purpose;
        if (!term_valid(out->purpose))
            return &bad_purpose;
    }
    if (flags & ROUTE_UPLOAD) {
        if (!take_names(q->query, out))
            return &no_names;
        return is_type(q->headers[H_CONTENT_TYPE], "application/x-ndjson") ? NULL : &bad_lines_type;
    }
    if (!take_query(q->query, flags, out))
        return &bad_query;
    if (flags & ROUTE_KEY && q->headers[H_KEY].p) {
        if (!key_ok(q->headers[H_KEY]))
            return &bad_key;
        out->key = q->headers[H_KEY];
    }
    if (flags & ROUTE_VERSION && q->headers[H_IF_MATCH].p && !etag(q->headers[H_IF_MATCH], &out->version))
        return &bad_match;
    if (!(flags & (ROUTE_BODY | ROUTE_PATCH)))
        return q->body.n ? &stray_body : NULL;
    if (!q->body.n)
        return &no_body;
    if (flags & ROUTE_BODY && !is_type(q->headers[H_CONTENT_TYPE], "application/json"))
        return &bad_type;
    if (flags & ROUTE_PATCH && !is_type(q->headers[H_CONTENT_TYPE], "application/merge-patch+json"))
        return &bad_patch_type;
    out->body = q->body;
    return NULL;
}

bool api_upload(const struct http_request *q)
{
    struct route_match m;
    route_find(q->method, q->path, &m);
    return m.route && m.route->flags & ROUTE_UPLOAD;
}

bool api_request(const struct http_request *q, struct buf *scratch, struct request *out,
                 struct http_response *r)
{
    struct route_match m;
    route_find(q->method, q->path, &m);
    *out = (struct request){.id = out->id, .op = m.route ? m.route->op : 0};
    buf_clear(scratch);
    bool room = buf_reserve(scratch, SUBJECT_ID_BYTES_MAX * 3 + NAME_BYTES_MAX * 3 +
                                         q->headers[H_STATEMENT].n) != NULL; /* slices stay in place */
    const struct refusal *no = !m.route ? (m.allow[0] ? &wrong_method : &unknown_route) : NULL;
    if (!no)
        no = take_fields(q, m.route->flags, out);
    if (!no && m.route->flags & ROUTE_STATEMENT)
        no = room ? take_statement(q->headers[H_STATEMENT], scratch, out) : &no_statement;
    if (!no)
        no = room ? take_path(&m, scratch, out) : &bad_path;
    if (!no)
        return true;
    http_problem(r, scratch, no->status, slice_str(no->code), slice_str(no->detail), slice_of(NULL, 0));
    if (no->status == 401)
        http_header(r, "WWW-Authenticate", "Bearer realm=\"bourn\"");
    if (no->status == 405)
        http_header(r, "Allow", "%s", m.allow);
    return false;
}
