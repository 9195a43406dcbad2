/* relay: brings requests to witnesses, and events to webhooks. It sees checkpoints, proofs, cosignatures and
 * labels, nothing else; it has no folder and no key, and connects to the ports of their URLs alone. What
 * comes back is for vault to judge; of a webhook's answer only the status does. */
#include "role/role_internal.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/url.h"
#include "sandbox/sandbox.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PLACES = COSIGNATURES_MAX + WEBHOOKS_MAX, /* of witnesses, then of webhooks */
    URL_BYTES_MAX =
        WITNESS_URL_BYTES_MAX > WEBHOOK_URL_BYTES_MAX ? WITNESS_URL_BYTES_MAX : WEBHOOK_URL_BYTES_MAX,
    CA_BYTES_MAX = 4 << 20,
    DNS_PORT = 53,
};

struct post { /* one to each of them at a time */
    bool busy;
    CURL *curl; /* kept, and with it the connection */
    struct buf body, answer;
    char url[URL_BYTES_MAX + 20];
};
struct relay {
    struct ring *ring;
    CURLM *multi;
    struct curl_slist *headers;
    char origin[PLACES][URL_BYTES_MAX + 1]; /* where it may post to: scheme, host and port */
    size_t origins_n;
    struct post post[PLACES];
    struct buf ca, message;
};

static size_t take_answer(char *p, size_t one, size_t n, void *ctx)
{
    struct post *o = ctx;
    buf_put(&o->answer, p, one * n);
    return o->answer.failed ? 0 : one * n; /* 0: too much, cut it */
}

static bool known(const struct relay *r, const char *url)
{
    for (size_t i = 0; url_ok(url) && i < r->origins_n; i++)
        if (slice_is(url_origin(url), r->origin[i]))
            return true;
    return false;
}

static enum bourn_err answer(struct relay *r, uint32_t place, uint32_t status, struct slice body)
{
    buf_clear(&r->message);
    buf_put_be(&r->message, place, 4);
    buf_put_be(&r->message, status, 4);
    buf_put_slice(&r->message, body);
    enum bourn_err err = buf_check(&r->message);
    return err ? err : ring_send(r->ring, IPC_POSTED, buf_slice(&r->message));
}

static void set_options(struct relay *r, struct post *o)
{
    struct curl_blob ca = {r->ca.p, r->ca.n, CURL_BLOB_NOCOPY};
    CURL *c = o->curl;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, o->url);
    curl_easy_setopt(c, CURLOPT_PRIVATE, o);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)WITNESS_POST_MS_MAX);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, o->body.p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "bourn/" BOURN_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, o);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (r->ca.n)
        curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
}

static enum bourn_err begin(struct relay *r, struct slice m)
{
    uint32_t place = m.n >= 6 ? (uint32_t)be_get(m.p, 4) : UINT32_MAX;
    size_t url_n = m.n >= 6 ? (size_t)be_get(m.p + 4, 2) : 0;
    if (place >= PLACES || url_n > m.n - 6 || url_n > URL_BYTES_MAX || memchr(m.p + 6, 0, url_n))
        return err_set(BOURN_E_FORMAT, "vault sent a malformed request to post");
    struct post *o = &r->post[place];
    if (o->busy) { /* of another policy: vault does not want its answer any more */
        curl_multi_remove_handle(r->multi, o->curl);
        o->busy = false;
    }
    snprintf(o->url, sizeof o->url, "%.*s", (int)url_n, (const char *)m.p + 6);
    if (!known(r, o->url)) { /* the policy has changed since this relay was started */
        log_warning(
            "a witness or webhook is not among those that this relay was started for: restart the cell");
        return answer(r, place, 0, slice_of(NULL, 0));
    }
    if (place < COSIGNATURES_MAX)
        snprintf(o->url + url_n, sizeof o->url - url_n, "%sadd-checkpoint",
                 o->url[url_n - 1] == '/' ? "" : "/");
    buf_clear(&o->body);
    buf_clear(&o->answer);
    buf_put(&o->body, m.p + 6 + url_n, m.n - 6 - url_n);
    if (!o->curl)
        o->curl = curl_easy_init();
    if (!o->curl || buf_check(&o->body) != BOURN_OK)
        return err_set(BOURN_E_MEMORY, "out of memory for a request to post");
    set_options(r, o);
    if (curl_multi_add_handle(r->multi, o->curl) != CURLM_OK)
        return err_set(BOURN_E_MEMORY, "out of memory for a request to post");
    o->busy = true;
    return BOURN_OK;
}

static enum bourn_err take_requests(struct relay *r)
{
    for (;;) {
        uint32_t type;
        struct slice m;
        enum bourn_err err = ring_receive(r->ring, &type, &m);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        if (err == BOURN_OK && type != IPC_POST)
            err = err_set(BOURN_E_FORMAT, "vault sent a message of type %u, which it may not", type);
        if (err == BOURN_OK)
            err = begin(r, m);
        if (err)
            return err;
    }
}

static enum bourn_err finish(struct relay *r)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(r->multi, &left))) {
        struct post *o = NULL;
        long status = 0;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &o);
        if (m->data.result == CURLE_OK)
            curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(r->multi, o->curl);
        o->busy = false;
        uint32_t place = (uint32_t)(o - r->post);
        bool wanted = status && place < COSIGNATURES_MAX;
        enum bourn_err err =
            answer(r, place, (uint32_t)status, wanted ? buf_slice(&o->answer) : slice_of(NULL, 0));
        if (err)
            return err;
    }
    return BOURN_OK;
}

static enum bourn_err serve(struct relay *r, int control)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    for (;;) {
        int running;
        struct curl_waitfd extra[] = {{ring_wait_fd(r->ring), CURL_WAIT_POLLIN, 0},
                                      {control, CURL_WAIT_POLLIN, 0}};
        TRY(take_requests(r));
        if (curl_multi_perform(r->multi, &running) != CURLM_OK)
            TRY(err_set(BOURN_E_UNAVAILABLE, "the HTTP client fails"));
        TRY(finish(r));
        TRY(ring_kick(r->ring));
        if (curl_multi_poll(r->multi, extra, 2, 1000, NULL) != CURLM_OK)
            TRY(err_set(BOURN_E_UNAVAILABLE, "cannot wait for events"));
        if (extra[1].revents)
            return BOURN_OK;
    }
out:
    return err;
}

/* --- start */

/* The authorities that the system trusts, read while files may still be opened. */
static void read_authorities(struct relay *r)
{
    int fd = open("/etc/ssl/certs/ca-certificates.crt", O_RDONLY | O_CLOEXEC);
    for (ssize_t n = fd < 0 ? 0 : 1; n > 0;) {
        uint8_t *to = buf_reserve(&r->ca, 65536);
        n = to ? read(fd, to, 65536) : 0;
        r->ca.n += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    if (!r->ca.n)
        log_warning("there is no /etc/ssl/certs/ca-certificates.crt: nobody can be reached over https");
}

/* The beginnings of URLs with a space between them, and the ports that go with them. */
static enum bourn_err take_origins(struct relay *r, const char *text, uint16_t ports[PLACES + 2])
{
    size_t ports_n = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (r->origins_n == PLACES || n == 0 || n > URL_BYTES_MAX)
            return err_set(BOURN_E_FORMAT,
                           "the parent process gives URLs that this relay does not understand");
        char *url = r->origin[r->origins_n++];
        memcpy(url, text, n);
        text += n + (text[n] == ' ');
        if (!url_ok(url))
            return err_set(BOURN_E_FORMAT, "a URL of a witness or webhook cannot be posted to");
        ports[ports_n++] = url_port(url);
    }
    ports[ports_n++] = DNS_PORT;
    ports[ports_n] = 0;
    return BOURN_OK;
}

static enum bourn_err start(struct relay *r, const struct ring_fds *vault, int control, const char *urls)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint16_t ports[PLACES + 2];
    signal(SIGPIPE, SIG_IGN);
    buf_init(&r->ca, CA_BYTES_MAX);
    buf_init(&r->message, WITNESS_ANSWER_BYTES_MAX + 64);
    for (size_t i = 0; i < PLACES; i++) {
        buf_init(&r->post[i].body, 4 * WITNESS_CHECKPOINT_BYTES_MAX);
        buf_init(&r->post[i].answer, WITNESS_ANSWER_BYTES_MAX);
    }
    TRY(take_origins(r, urls, ports));
    TRY(ring_open(vault, &r->ring));
    read_authorities(r);
    r->headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
    r->headers = curl_slist_append(r->headers, "Expect:");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(r->multi = curl_multi_init()) || !r->headers)
        TRY(err_set(BOURN_E_UNAVAILABLE, "cannot start the HTTP client"));
    TRY(sandbox_enter_relay(ports));
    TRY(role_ready(control, ""));
out:
    return err;
}

static void stop(struct relay *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        struct post *o = &r->post[i];
        if (o->busy)
            curl_multi_remove_handle(r->multi, o->curl);
        curl_easy_cleanup(o->curl);
        buf_release(&o->body);
        buf_release(&o->answer);
    }
    curl_multi_cleanup(r->multi);
    curl_slist_free_all(r->headers);
    curl_global_cleanup();
    buf_release(&r->ca);
    buf_release(&r->message);
    ring_close(r->ring);
    free(r);
}

int role_relay(const struct ring_fds *vault, int control, const char *urls)
{
    struct relay *r = calloc(1, sizeof *r);
    log_init("relay", LOG_LEVEL_INFO);
    enum bourn_err err =
        r ? start(r, vault, control, urls) : err_set(BOURN_E_MEMORY, "out of memory for the relay");
    int code = err ? ROLE_EXIT_UNAVAILABLE : 0;
    if (!err && (err = serve(r, control)) != BOURN_OK)
        code = ROLE_EXIT_FAILED;
    if (err)
        log_error("%s", err_text());
    stop(r);
    return code;
}
