#include "base/json.h"
#include "base/text.h"
#include "http/http.h"

#include <stdarg.h>
#include <stdio.h>

void http_header(struct http_response *r, const char *name, const char *fmt, ...)
{
    bourn_assert(r->headers_n < HTTP_HEADERS_MAX);
    struct http_header *h = &r->headers[r->headers_n++];
    h->name = name;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(h->value, sizeof h->value, fmt, ap);
    va_end(ap);
    bourn_assert(n >= 0 && (size_t)n < sizeof h->value);
}

const char *http_status_title(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return status < 500 ? "Request Refused" : "Server Error";
}

void http_problem(struct http_response *r, struct buf *body, uint32_t status, struct slice code,
                  struct slice detail, struct slice missing)
{
    struct json_value array;
    buf_clear(body);
    buf_put_str(body, "{\"type\":\"/problems/");
    buf_put_slice(body, code);
    buf_put_str(body, "\",\"title\":");
    json_put_string(body, slice_str(http_status_title(status)));
    buf_printf(body, ",\"status\":%u", status);
    if (detail.n && utf8_valid(detail)) {
        buf_put_str(body, ",\"detail\":");
        json_put_string(body, detail);
    }
    buf_put_str(body, ",\"code\":");
    json_put_string(body, code);
    if (missing.n && json_check(missing, &array) == BOURN_OK && array.type == JSON_ARRAY) {
        buf_put_str(body, ",\"missing\":");
        buf_put_slice(body, array.raw);
    }
    buf_put_str(body, "}\n");
    *r =
        (struct http_response){.status = status, .type = "application/problem+json", .body = buf_slice(body)};
    http_header(r, "Cache-Control", "no-store");
}
