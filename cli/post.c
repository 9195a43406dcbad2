#include "post.h"

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

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;
    buf_put(b, p, size * n);
    return b->failed ? 0 : size * n;
}

enum bourn_err post_json(const char *url, const char *path, struct slice body, long *status,
                         struct buf *answer)
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
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *c = curl_easy_init();
    enum bourn_err err =
        !c || !headers || to.failed ? err_set(BOURN_E_MEMORY, "cannot prepare the request") : BOURN_OK;
    if (err == BOURN_OK) {
        curl_easy_setopt(c, CURLOPT_URL, (char *)to.p);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body.p);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
        curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        if (strncmp(url, "http:", 5) == 0)
            curl_easy_setopt(c, CURLOPT_PROXY, ""); /* never by way of another machine */
        CURLcode got = curl_easy_perform(c);
        if (got != CURLE_OK)
            err = err_set(BOURN_E_UNAVAILABLE, "no answer from %s: %s", url, curl_easy_strerror(got));
        else
            curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    buf_release(&to);
    return err;
}
