#include "api/conditions.h"

#include "api/headers.h"
#include "base/text.h"

#include <strings.h>

enum { Q_ONE = 1000, Q_UNSAID = -1 };

static struct slice trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The part of s before the separator, trimmed; *s is what follows it. */
static struct slice cut(struct slice *s, char separator)
{
    const uint8_t *at = s->n ? memchr(s->p, separator, s->n) : NULL;
    struct slice first = slice_of(s->p, at ? (size_t)(at - s->p) : s->n);
    *s = at ? slice_of(at + 1, s->n - first.n - 1) : slice_of(NULL, 0);
    return trim(first);
}

static bool is_word(struct slice s, const char *word)
{
    return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

/* A weight (RFC 9110 section 12.4.2) in thousandths; what is none counts as 0. */
static int weight(struct slice parameters)
{
    while (parameters.n) {
        struct slice one = cut(&parameters, ';');
        if (one.n < 3 || (one.p[0] | 0x20) != 'q' || one.p[1] != '=')
            continue;
        int q = one.p[2] - '0', digits = 0;
        if ((q != 0 && q != 1) || one.n > 7 || (one.n > 3 && one.p[3] != '.'))
            return 0;
        for (size_t i = 4; i < one.n; i++, digits++) {
            if (one.p[i] < '0' || one.p[i] > '9')
                return 0;
            q = q * 10 + (one.p[i] - '0');
        }
        for (; digits < 3; digits++)
            q *= 10;
        return q <= Q_ONE ? q : 0;
    }
    return Q_ONE;
}

static bool takes_gzip(struct slice codings)
{
    int gzip = Q_UNSAID, identity = Q_UNSAID, others = Q_UNSAID;
    while (codings.n) {
        struct slice parameters = cut(&codings, ',');
        struct slice name = cut(&parameters, ';');
        int q = weight(parameters);
        if (is_word(name, "gzip") || is_word(name, "x-gzip"))
            gzip = q;
        else if (is_word(name, "identity"))
            identity = q;
        else if (is_word(name, "*"))
            others = q;
    }
    if (gzip == Q_UNSAID)
        gzip = others;
    return gzip > 0 && gzip >= identity;
}

/* An entity tag of ours; `weak` allows one that a cache on the way made weak. */
static bool etag(struct slice s, bool weak, struct api_etag *out)
{
    static const char suffix[] = "-gzip";
    size_t hex = 2 * (size_t)API_ETAG_BYTES, more = sizeof suffix - 1;
    if (weak && s.n > 2 && s.p[0] == 'W' && s.p[1] == '/')
        s = slice_of(s.p + 2, s.n - 2);
    if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return false;
    s = slice_of(s.p + 1, s.n - 2);
    out->gzip = s.n == hex + more && memcmp(s.p + hex, suffix, more) == 0;
    return (out->gzip || s.n == hex) && hex_get(slice_of(s.p, hex), out->hash, API_ETAG_BYTES);
}

static void read_none_match(struct slice list, struct api_conditions *out)
{
    out->has_any = is_word(trim(list), "*");
    while (list.n && out->has_n < API_ETAGS_MAX) /* no comma stands in an entity tag of ours */
        out->has_n += etag(cut(&list, ','), true, &out->has[out->has_n]);
}

/* A place in a file (section 14.1.2): leading zeros are allowed, and what is beyond any file is beyond this
 * one. False if it is no number. */
static bool place(struct slice s, uint64_t *out)
{
    bool beyond = false;
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        beyond = beyond || __builtin_mul_overflow(*out, 10, out) ||
                 __builtin_add_overflow(*out, (uint64_t)(s.p[i] - '0'), out);
    }
    if (beyond)
        *out = UINT64_MAX;
    return s.n > 0;
}

/* "bytes=0-99", "bytes=100-", "bytes=-100"; one range, as several are no condition here. */
static void read_range(struct slice s, struct api_conditions *out)
{
    if (!is_word(cut(&s, '='), "bytes"))
        return;
    s = trim(s);
    const uint8_t *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
    if (!dash)
        return;
    struct slice from = trim(slice_of(s.p, (size_t)(dash - s.p)));
    struct slice to = trim(slice_of(dash + 1, s.n - (size_t)(dash - s.p) - 1));
    uint64_t first = 0, last = UINT64_MAX;
    bool ok = (!from.n || place(from, &first)) && (!to.n || place(to, &last)) && (from.n || to.n);
    if (!ok || (from.n && first > last))
        return;
    out->range = from.n ? API_RANGE_FROM : API_RANGE_LAST;
    out->first = first;
    out->last = last;
}

void api_conditions_read(const struct http_request *q, struct api_conditions *out)
{
    *out = (struct api_conditions){.gzip = takes_gzip(q->headers[H_ACCEPT_ENCODING])};
    read_none_match(q->headers[H_IF_NONE_MATCH], out);
    if (!slice_is(q->method, "GET")) /* ranges are defined for GET alone (section 14.2) */
        return;
    read_range(q->headers[H_RANGE], out);
    out->if_range = q->headers[H_IF_RANGE].p != NULL;
    out->if_range_known = etag(trim(q->headers[H_IF_RANGE]), false, &out->if_range_etag);
}

static bool same(const struct api_etag *e, const struct api_file *f)
{
    return memcmp(e->hash, f->hash, API_ETAG_BYTES) == 0 && (!e->gzip || f->varies);
}

/* Which form the client has already: -1 none, 0 the plain bytes, 1 the compressed ones. */
static int has(const struct api_conditions *c, const struct api_file *f)
{
    for (unsigned i = 0; i < c->has_n; i++)
        if (same(&c->has[i], f))
            return c->has[i].gzip;
    return c->has_any ? 0 : -1;
}

/* A range is one of the plain bytes; with If-Range only if the client's part is of them (section 13.1.5: a
 * strong comparison). */
static bool wants_part(const struct api_conditions *c, const struct api_file *f)
{
    return c->range != API_RANGE_NONE &&
           (!c->if_range || (c->if_range_known && !c->if_range_etag.gzip && same(&c->if_range_etag, f)));
}

bool api_file_wants_gzip(const struct api_conditions *c, const struct api_file *f)
{
    return f->varies && c->gzip && has(c, f) < 0 && !wants_part(c, f);
}

static void describe(const struct api_file *f, bool gzip, struct http_response *r)
{
    struct buf tag;
    buf_init(&tag, 2 * API_ETAG_BYTES);
    hex_put(&tag, slice_of(f->hash, API_ETAG_BYTES));
    bourn_assert(!tag.failed);
    http_header(r, "Cache-Control", "%s", f->caching);
    http_header(r, "ETag", "\"%.*s%s\"", SLICE_ARG(buf_slice(&tag)), gzip ? "-gzip" : "");
    if (f->varies)
        http_header(r, "Vary", "Accept-Encoding");
    buf_release(&tag);
}

/* False: not one byte of the range is there. */
static bool part(const struct api_conditions *c, uint64_t n, uint64_t *first, uint64_t *last)
{
    if (c->range == API_RANGE_LAST) {
        *first = c->last < n ? n - c->last : 0;
        *last = n - 1;
        return c->last > 0 && n > 0;
    }
    *first = c->first;
    *last = c->last < n ? c->last : n - 1;
    return c->first < n;
}

void api_file_response(const struct api_conditions *c, const struct api_file *f, struct buf *scratch,
                       struct http_response *r)
{
    uint64_t first, last, n = f->bytes.n;
    int known = has(c, f);
    *r = (struct http_response){.status = 200, .type = f->type, .body = f->bytes};
    if (known >= 0) {
        *r = (struct http_response){.status = 304};
        describe(f, known, r);
    } else if (wants_part(c, f) && !part(c, n, &first, &last)) {
        http_problem(r, scratch, 416, slice_str("range_not_satisfiable"),
                     slice_str("The file ends before this range."), slice_of(NULL, 0));
        http_header(r, "Content-Range", "bytes */%llu", (unsigned long long)n);
    } else if (wants_part(c, f)) {
        r->status = 206;
        r->body = slice_of(f->bytes.p + first, (size_t)(last - first + 1));
        http_header(r, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first,
                    (unsigned long long)last, (unsigned long long)n);
        describe(f, false, r);
    } else {
        bool gzip = f->gzip.p && api_file_wants_gzip(c, f);
        r->body = gzip ? f->gzip : f->bytes;
        if (gzip)
            http_header(r, "Content-Encoding", "gzip");
        http_header(r, "Accept-Ranges", "bytes");
        describe(f, gzip, r);
    }
}
