#include "http/http_internal.h"

#include <strings.h>

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool usual = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (!usual && (c == '\0' || !strchr("!#$%&'*+.^_`|~", c)))
            return false;
    }
    return n > 0;
}

/* Most names differ in their length already. */
static bool is_name(const char *name, size_t n, struct slice want)
{
    return n == want.n && strncasecmp(name, (const char *)want.p, n) == 0;
}

/* Lists that may go on in a second header of the same name (RFC 9110 section 5.3), and of which a part is
 * enough: then the answer is only longer than it had to be. */
static bool is_list(const char *name, size_t n)
{
    return is_name(name, n, slice_str("Accept-Encoding")) || is_name(name, n, slice_str("If-None-Match"));
}

static enum MHD_Result one_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                  const char *value, size_t value_n)
{
    (void)kind;
    struct headers *all = ctx;
    all->bytes += name_n + value_n + 4; /* ": " and the line's end */
    struct slice text = slice_of(value ? value : "", value ? value_n : 0);
    all->malformed = all->malformed || !is_token(name, name_n);
    if (is_name(name, name_n, slice_str("Host")) && all->hosts++)
        all->repeated = "Host";
    bool length = is_name(name, name_n, slice_str("Content-Length"));
    if (length || is_name(name, name_n, slice_str("Transfer-Encoding"))) {
        *(length ? &all->length : &all->encoding) = text;
        all->framings++;
    }
    for (size_t i = 0; i < all->h->wanted_n; i++) {
        if (!is_name(name, name_n, all->h->wanted[i]))
            continue;
        if (!all->found[i].p)
            all->found[i] = text;
        else if (!is_list(name, name_n))
            all->repeated = (const char *)all->h->wanted[i].p;
    }
    return MHD_YES;
}

void headers_collect(const struct http *h, struct MHD_Connection *c, struct headers *out)
{
    *out = (struct headers){.h = h};
    MHD_get_connection_values_n(c, MHD_HEADER_KIND, one_header, out);
}
