#include "fetch.h"

#include "base/text.h"
#include "cli.h"
#include "post.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

struct fetch {
    CURL *curl;
    struct curl_slist *headers;
    const char *url; /* the caller's */
    uint64_t receipt;
};

void fetch_put_segment(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain)
            buf_put_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;
    buf_put(b, p, size * n);
    return b->failed ? 0 : size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char name[] = "bourn-receipt:";
    struct fetch *f = ctx;
    struct slice v = slice_of(p, size * n);
    if (v.n <= sizeof name - 1 || strncasecmp(p, name, sizeof name - 1) != 0)
        return size * n;
    v = slice_of(v.p + sizeof name - 1, v.n - sizeof name + 1);
    while (v.n && (v.p[0] == ' ' || v.p[0] == '\t'))
        v = slice_of(v.p + 1, v.n - 1);
    while (v.n && v.p[v.n - 1] <= ' ')
        v.n--;
    if (!decimal_get(v, &f->receipt))
        f->receipt = UINT64_MAX;
    return size * n;
}

/* "NAME: VALUE", which holds a token: wiped when it was copied. */
static void add_header(struct fetch *f, const char *name, const char *value, bool *ok)
{
    struct buf line;
    buf_init_secret(&line, 1024);
    buf_put_str(&line, name);
    buf_put_str(&line, value);
    buf_put_u8(&line, 0);
    struct curl_slist *more = line.failed ? NULL : curl_slist_append(f->headers, (char *)line.p);
    *ok = *ok && more;
    f->headers = more ? more : f->headers;
    buf_release(&line);
}

static bool header_ok(const char *value)
{
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return *value != 0;
}

enum bourn_err fetch_open(const char *url, const char *token, const char *purpose, const char *ca,
                          struct fetch **out)
{
    bool ok = true;
    if (!post_url_ok(url))
        return err_set(BOURN_E_USAGE, "%s: an https:// address is wanted (http:// only to this machine)",
                       url);
    if (!header_ok(token) || !header_ok(purpose))
        return err_set(BOURN_E_USAGE, "the token or the purpose holds characters that neither can have");
    struct fetch *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(BOURN_E_MEMORY, "out of memory");
    f->url = url;
    f->curl = curl_easy_init();
    add_header(f, "Authorization: Bearer ", token, &ok);
    add_header(f, "Bourn-Purpose: ", purpose, &ok);
    if (!f->curl || !ok) {
        fetch_close(f);
        return err_set(BOURN_E_MEMORY, "cannot prepare the requests");
    }
    curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
    if (ca)
        curl_easy_setopt(f->curl, CURLOPT_CAINFO, ca);
    if (strncmp(url, "http:", 5) == 0)
        curl_easy_setopt(f->curl, CURLOPT_PROXY, ""); /* never by way of another machine */
    *out = f;
    return BOURN_OK;
}

void fetch_close(struct fetch *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->curl);
    for (struct curl_slist *h = f->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(f->headers);
    free(f);
}

/* The problem (RFC 9457) in `answer` as one sentence with its code and what is missing. */
static enum bourn_err refused(const struct fetch *f, long status, bool readable, struct json_value v)
{
    struct json_value missing;
    struct buf why, text;
    buf_init(&why, 64u << 10);
    buf_init(&text, 64u << 10);
    if (!readable || !cli_member(v, "detail", &why)) {
        buf_put_str(&why, "no reason given: is this the address of a cell?");
    } else {
        buf_put_str(&why, " (");
        cli_member(v, "code", &why);
        buf_put_str(&why, ")");
        if (json_find(v, "missing", &missing)) {
            buf_put_str(&why, "; missing: ");
            buf_put_slice(&why, missing.raw);
        }
    }
    cli_printable(&text, buf_slice(&why));
    buf_put_u8(&text, 0);
    enum bourn_err err = err_set(status == 503 ? BOURN_E_UNAVAILABLE : BOURN_E_DENIED, "%s answered %ld: %s",
                                 f->url, status, text.failed ? "" : (char *)text.p);
    buf_release(&why);
    buf_release(&text);
    return err;
}

enum bourn_err fetch_json(struct fetch *f, struct slice path, struct buf *answer, struct json_value *v,
                          uint64_t *receipt)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    long status = 0;
    struct buf to;
    size_t n = strlen(f->url);
    while (n && f->url[n - 1] == '/')
        n--;
    buf_init_secret(&to, 8192);
    buf_put(&to, f->url, n);
    buf_put_slice(&to, path);
    buf_put_u8(&to, 0);
    TRY(buf_check(&to));
    buf_clear(answer);
    f->receipt = UINT64_MAX;
    curl_easy_setopt(f->curl, CURLOPT_URL, (char *)to.p);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, answer);
    CURLcode got = curl_easy_perform(f->curl);
    if (got != CURLE_OK) {
        err = err_set(BOURN_E_UNAVAILABLE, "no answer from %s: %s", f->url, curl_easy_strerror(got));
        goto out;
    }
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    bool readable = json_check(buf_slice(answer), v) == BOURN_OK;
    if (status != 200)
        err = refused(f, status, readable, *v);
    else if (!readable)
        err = err_set(BOURN_E_FORMAT, "%s answered what is not JSON: is this the address of a cell?", f->url);
    *receipt = f->receipt;
out:
    buf_release(&to);
    return err;
}
