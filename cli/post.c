#include "post.h"

#include "base/text.h"

#include <curl/curl.h>

bool post_url_ok(const char *url)
{
    static const char *const local[] = {"127.0.0.1", "localhost", "[::1]"};
    bool ok = false;
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER) {
        ok = strcmp(scheme, "https") == 0;
        for (size_t i = 0; strcmp(scheme, "http") == 0 && i < 3; i++)
            ok = ok || strcmp(host, local[i]) == 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(u);
    return ok;
}

struct exchange {
    CURL *curl;
    post_take take; /* NULL: everything goes into *answer */
    void *ctx;
    struct buf *answer;
    const char *header; /* of a GET, "Name: value"; NULL: none */
    bool gave_up;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    long status = 0;
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (x->take && status == 200) {
        x->gave_up = !x->take(x->ctx, slice_of(p, size * n));
        return x->gave_up ? 0 : size * n;
    }
    buf_put(x->answer, p, size * n);
    return x->answer->failed ? 0 : size * n;
}

/* POSTs a body, or GETs without one. */
static enum bourn_err perform(struct exchange *x, const char *url, const char *path, struct slice body,
                              long *status)
{
    size_t n = strlen(url);
    while (n && url[n - 1] == '/')
        n--;
    if (!post_url_ok(url))
        return err_set(BOURN_E_USAGE, "%s: an https:// address is wanted (http:// only to this machine)",
                       url);
    struct buf to;
    buf_init(&to, 4096);
    buf_put(&to, url, n);
    buf_put_str(&to, path);
    buf_put_u8(&to, 0);
    struct curl_slist *headers =
        curl_slist_append(NULL, x->header ? x->header : "Content-Type: application/json");
    CURL *c = x->curl;
    enum bourn_err err =
        !c || !headers || to.failed ? err_set(BOURN_E_MEMORY, "cannot prepare the request") : BOURN_OK;
    if (err == BOURN_OK) {
        curl_easy_setopt(c, CURLOPT_URL, (char *)to.p);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        if (body.n || x->header)
            curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        if (body.n) {
            curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body.p);
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        }
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
        if (x->take) { /* as long as something comes */
            curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
            curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 60L);
        } else {
            curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
        }
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        if (strncmp(url, "http:", 5) == 0)
            curl_easy_setopt(c, CURLOPT_PROXY, ""); /* never by way of another machine */
        CURLcode got = curl_easy_perform(c);
        if (x->gave_up)
            err = err_set(BOURN_E_IO, "cannot write what %s answers", url);
        else if (got != CURLE_OK)
            err = err_set(BOURN_E_UNAVAILABLE, "no answer from %s, or only a part of it: %s", url,
                          curl_easy_strerror(got));
        else
            curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    }
    curl_slist_free_all(headers);
    buf_release(&to);
    return err;
}

enum bourn_err post_json(const char *url, const char *path, struct slice body, long *status,
                         struct buf *answer)
{
    struct exchange x = {.curl = curl_easy_init(), .answer = answer};
    enum bourn_err err = perform(&x, url, path, body, status);
    curl_easy_cleanup(x.curl);
    return err;
}

enum bourn_err post_stream(const char *url, const char *path, struct slice body, post_take take, void *ctx,
                           long *status, struct buf *answer, uint64_t *receipt)
{
    struct exchange x = {.curl = curl_easy_init(), .take = take, .ctx = ctx, .answer = answer};
    struct curl_header *h;
    enum bourn_err err = perform(&x, url, path, body, status);
    *receipt = UINT64_MAX;
    if (err == BOURN_OK && curl_easy_header(x.curl, "Bourn-Receipt", 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
        !decimal_get(slice_str(h->value), receipt))
        *receipt = UINT64_MAX;
    curl_easy_cleanup(x.curl);
    return err;
}

enum bourn_err post_get(const char *url, const char *path, long *status, struct buf *answer)
{
    return post_json(url, path, slice_of(NULL, 0), status, answer);
}

enum bourn_err post_get_signed(const char *url, const char *path, const char *header, long *status,
                               struct buf *answer)
{
    struct exchange x = {.curl = curl_easy_init(), .answer = answer, .header = header};
    enum bourn_err err = perform(&x, url, path, slice_of(NULL, 0), status);
    curl_easy_cleanup(x.curl);
    return err;
}
