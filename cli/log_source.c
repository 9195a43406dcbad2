#include "log_source.h"

#include "io/io.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECKPOINT_BYTES_MAX 65536
enum { PLACE_BYTES = 2048, WAIT_S = 60, CONNECT_S = 10 };

struct log_source {
    struct io_dir *dir; /* or */
    CURL *curl;
    char *base; /* the URL without slashes at its end, or the folder */
    char place[PLACE_BYTES];
};

bool log_source_is_url(const char *where)
{
    return strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;
}

/* The folder with `checkpoint`: the one that is named, or its ledger/. */
static enum bourn_err open_folder(struct log_source *s)
{
    struct io_dir *below = NULL;
    enum bourn_err err = io_dir_open(s->base, &s->dir);
    if (err == BOURN_OK && io_dir_at(s->dir, "ledger", false, &below) == BOURN_OK) {
        io_dir_close(s->dir);
        s->dir = below;
    }
    return err;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;
    buf_put(b, p, size * n);
    return b->failed ? 0 : size * n;
}

static enum bourn_err open_url(struct log_source *s, const char *ca)
{
    s->curl = curl_easy_init();
    if (!s->curl)
        return err_set(BOURN_E_MEMORY, "out of memory");
    curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(s->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "bourn-log/" BOURN_VERSION);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, (long)WAIT_S);
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    if (ca)
        curl_easy_setopt(s->curl, CURLOPT_CAINFO, ca);
    return BOURN_OK;
}

enum bourn_err log_source_open(const char *where, const char *ca, struct log_source **out)
{
    struct log_source *s = calloc(1, sizeof *s);
    enum bourn_err err = err_set(BOURN_E_MEMORY, "out of memory");
    if (s)
        s->base = strdup(where);
    if (s && s->base) {
        for (size_t n = strlen(s->base); n > 1 && s->base[n - 1] == '/'; n--)
            s->base[n - 1] = '\0';
        err = log_source_is_url(where) ? open_url(s, ca) : open_folder(s);
    }
    if (err) {
        log_source_close(s);
        s = NULL;
    }
    *out = s;
    return err;
}

void log_source_close(struct log_source *s)
{
    if (!s)
        return;
    if (s->dir)
        io_dir_close(s->dir);
    curl_easy_cleanup(s->curl);
    free(s->base);
    free(s);
}

static enum bourn_err over_http(struct log_source *s, const char *path, struct buf *out)
{
    long status = 0;
    size_t before = out->n;
    int n = snprintf(s->place, sizeof s->place, "%s/%s", s->base, path);
    if (n < 0 || (size_t)n >= sizeof s->place)
        return err_set(BOURN_E_LIMIT, "the address of %s is too long", path);
    curl_easy_setopt(s->curl, CURLOPT_URL, s->place);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, out);
    CURLcode got = curl_easy_perform(s->curl);
    if (got != CURLE_OK && out->failed)
        return err_set(BOURN_E_LIMIT, "%s is larger than %zu bytes", s->place, out->cap);
    if (got != CURLE_OK)
        return err_set(BOURN_E_UNAVAILABLE, "no answer for %s: %s", s->place, curl_easy_strerror(got));
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        return BOURN_OK;
    out->n = before; /* the page of an error */
    if (status == 404)
        return err_set(BOURN_E_NOT_FOUND, "%s is not there: a log's address ends in front of /checkpoint",
                       s->place);
    return err_set(status >= 500 || status == 429 ? BOURN_E_UNAVAILABLE : BOURN_E_DENIED,
                   "%s answered with status %ld", s->place, status);
}

static enum bourn_err get(struct log_source *s, const char *path, struct buf *out)
{
    return s->dir ? io_read_all(s->dir, path, out) : over_http(s, path, out);
}

enum bourn_err log_source_checkpoint(struct log_source *s, struct buf *out)
{
    out->cap = CHECKPOINT_BYTES_MAX;
    enum bourn_err err = get(s, "checkpoint", out);
    if (err == BOURN_E_NOT_FOUND && s->dir)
        err = err_set(err,
                      "%s is neither a cell nor a ledger's folder, or has no checkpoint yet: serve it once",
                      s->base);
    return err;
}

enum bourn_err log_source_tile(struct log_source *s, const struct merkle_tile *t, struct buf *out)
{
    struct buf path;
    buf_init(&path, 128);
    if (t->kind == MERKLE_TILE_ENTRIES)
        buf_put_str(&path, "tile/entries/");
    else
        buf_printf(&path, "tile/%u/", t->level);
    merkle_tile_name(&path, t->n);
    size_t full = path.n;
    if (t->width < MERKLE_TILE_WIDTH)
        buf_printf(&path, ".p/%u", t->width);
    buf_put_u8(&path, 0);
    enum bourn_err err = buf_check(&path);
    if (err == BOURN_OK)
        err = get(s, (char *)path.p, out);
    if (err == BOURN_E_NOT_FOUND && t->width < MERKLE_TILE_WIDTH) {
        path.p[full] = '\0';
        err = get(s, (char *)path.p, out);
    }
    buf_release(&path);
    return err;
}
