/* Where the ledger's bytes come from: a folder, or the same layout over HTTP. Everything read is hostile. */
#include "base/json.h"
#include "base/text.h"
#include "verify/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECKPOINT_BYTES_MAX = 64 << 10,
    PARTY_BYTES_MAX = 64 << 10,
    HTTP_CONNECT_S = 10,
    HTTP_STALL_S = 60,
};

static enum bourn_err read_file(struct source *s, const char *path, struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    /* A copied folder may hold anything: neither wait for a pipe nor read a device. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? err_set(BOURN_E_NOT_FOUND, "%s is not there", s->place)
                                                   : err_sys(BOURN_E_IO, "cannot open %s", s->place);
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = err_set(BOURN_E_IO, "%s is not a plain file", s->place);
        goto out;
    }
    size_t want = st.st_size > 0 ? (size_t)st.st_size : 0;
    for (;;) {
        uint8_t *to = buf_reserve(out, want + 1);
        if (!to) {
            err = err_set(BOURN_E_LIMIT, "%s is larger than %zu bytes", s->place, out->cap);
            goto out;
        }
        ssize_t n = read(fd, to, want + 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = err_sys(BOURN_E_IO, "cannot read %s", s->place);
            goto out;
        }
        out->n += (size_t)n;
        if (n == 0 || (size_t)n == want) /* one byte more than the file had was asked for */
            break;
        want = want > (size_t)n ? want - (size_t)n : 0;
    }
    err = BOURN_OK;
out:
    close(fd);
    return err;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *out = ctx;
    buf_put(out, p, size * n);
    return out->failed ? 0 : size * n;
}

/* One request; post NULL: GET. */
static enum bourn_err http(struct source *s, const char *url, bool with_token, const char *post,
                           struct buf *out)
{
    CURL *c = s->curl;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)HTTP_STALL_S);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "bourn-verify/" BOURN_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
    if (with_token)
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers);
    if (post)
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, post);
    CURLcode rc = curl_easy_perform(c);
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK)
        return out->failed ? err_set(BOURN_E_LIMIT, "%s is larger than %zu bytes", s->place, out->cap)
                           : err_set(BOURN_E_IO, "cannot read %s: %s", s->place, curl_easy_strerror(rc));
    if (status == 404)
        return err_set(BOURN_E_NOT_FOUND, "%s is not there (404)", s->place);
    if (status != 200)
        return err_set(BOURN_E_IO, "%s answered with status %ld", s->place, status);
    return BOURN_OK;
}

/* folder/path, for a hundred thousand files: snprintf would take as long as to open one of them. */
static bool set_place(struct source *s, const char *folder, const char *path)
{
    size_t folder_n = strlen(folder), path_n = strlen(path);
    if (folder_n + 1 + path_n >= sizeof s->place)
        return false;
    memcpy(s->place, folder, folder_n);
    s->place[folder_n] = '/';
    memcpy(s->place + folder_n + 1, path, path_n + 1);
    return true;
}

static enum bourn_err get(struct source *s, const char *path, struct buf *out)
{
    buf_clear(out);
    bool rows = strncmp(path, "tile/rows/", 10) == 0, apart = rows && s->o->rows;
    if (!set_place(s, apart ? s->o->rows : s->base, path + (apart ? 10 : 0)))
        return err_set(BOURN_E_LIMIT, "the path of %s is too long", path);
    bool entries = strncmp(path, "tile/entries/", 13) == 0; /* which a cell may close */
    atomic_fetch_add_explicit(s->parent ? &s->parent->fetched : &s->fetched, 1, memory_order_relaxed);
    if (s->http && !apart)
        return http(s, s->place, rows || entries, NULL, out);
    return read_file(s, s->place, out);
}

enum bourn_err source_checkpoint(struct source *s, struct buf *out)
{
    out->cap = CHECKPOINT_BYTES_MAX;
    return get(s, "checkpoint", out);
}

/* `path` holds the name of a full tile, `full` long. */
static enum bourn_err get_width(struct source *s, char path[128], int full, unsigned width, struct buf *out)
{
    path[full] = '\0';
    if (width < MERKLE_TILE_WIDTH)
        snprintf(path + full, 128 - (size_t)full, ".p/%u", width);
    return get(s, path, out);
}

_Static_assert(VERIFY_LEVELS <= 10, "a level is one digit");

/* "tile/entries/", "tile/rows/" or "tile/<level>/". */
static void put_kind(struct buf *out, struct merkle_tile t)
{
    const char level[] = {'t', 'i', 'l', 'e', '/', (char)('0' + t.level), '/', '\0'};
    buf_put_str(out, t.kind == MERKLE_TILE_ENTRIES ? "tile/entries/"
                     : t.kind == MERKLE_TILE_ROWS  ? "tile/rows/"
                                                   : level);
}

enum bourn_err source_tile(struct source *s, struct merkle_tile t, struct buf *out)
{
    char path[128];
    buf_clear(&s->name);
    put_kind(&s->name, t);
    merkle_tile_name(&s->name, t.n);
    enum bourn_err err = buf_check(&s->name);
    if (err != BOURN_OK)
        return err;
    int full = (int)s->name.n;
    bourn_assert(s->name.n < sizeof path);
    memcpy(path, s->name.p, s->name.n);
    err = get_width(s, path, full, t.width, out);
    /* A partial tile may be gone once the full one or a wider one is there, whose front is the same. */
    s->wider = err == BOURN_E_NOT_FOUND && t.width < MERKLE_TILE_WIDTH;
    if (s->wider)
        err = get_width(s, path, full, MERKLE_TILE_WIDTH, out);
    for (unsigned w = t.width + 1; err == BOURN_E_NOT_FOUND && w < MERKLE_TILE_WIDTH; w++)
        err = get_width(s, path, full, w, out);
    if (err == BOURN_E_NOT_FOUND && s->wider) /* once more, for what the error names */
        err = get_width(s, path, full, t.width, out);
    return err;
}

/* Plain http carries a token only to this very machine. */
static bool safe_for_token(const char *url)
{
    bool safe = strncmp(url, "https://", 8) == 0;
    CURLU *u = curl_url();
    char *host = NULL;
    if (!safe && u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        safe = strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
    curl_free(host);
    curl_url_cleanup(u);
    return safe;
}

static enum bourn_err add_header(struct source *s, const char *name, const char *value)
{
    struct buf line;
    buf_init_secret(&line, 4096);
    buf_printf(&line, "%s: %s", name, value);
    buf_put_u8(&line, 0);
    struct curl_slist *more = line.failed ? NULL : curl_slist_append(s->headers, (const char *)line.p);
    buf_release(&line);
    if (!more)
        return err_set(BOURN_E_LIMIT, "the value of %s is too long", name);
    s->headers = more;
    return BOURN_OK;
}

/* Who the token is: the party's entry, and the purpose of the requests, given or the party's only one. */
static enum bourn_err learn_party(struct source *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf body, text;
    buf_init(&body, PARTY_BYTES_MAX);
    buf_init(&text, sizeof s->purpose - 1);
    size_t n = strlen(s->base), at = 0;
    if (n < 7 || strcmp(s->base + n - 7, "/ledger") != 0) {
        err = err_set(BOURN_E_USAGE, "%s does not end in /ledger: a token is of no use there", s->base);
        goto out;
    }
    snprintf(s->place, sizeof s->place, "%.*s/v1/party", (int)(n - 7), s->base);
    TRY(http(s, s->place, true, NULL, &body));
    struct json_value party, index, list, term;
    struct json_member one, two;
    TRY(json_check(buf_slice(&body), &party));
    if (party.type != JSON_OBJECT || !json_find(party, "index", &index) ||
        !decimal_get(index.raw, &s->party) || !json_find(party, "purposes", &list) ||
        list.type != JSON_ARRAY) {
        err = err_set(BOURN_E_FORMAT, "%s does not describe a party", s->place);
        goto out;
    }
    err = BOURN_OK;
    if (s->o->purpose) {
        snprintf(s->purpose, sizeof s->purpose, "%s", s->o->purpose);
        goto out;
    }
    if (!json_next(list, &at, &one) || one.value.type != JSON_OBJECT ||
        !json_find(one.value, "purpose", &term) || term.type != JSON_STRING || json_next(list, &at, &two)) {
        err = err_set(BOURN_E_USAGE, "the token's party has not exactly one purpose: give --purpose");
        goto out;
    }
    json_string_decode(term.raw, &text);
    if (text.failed || !term_valid(buf_slice(&text)))
        err = err_set(BOURN_E_FORMAT, "%s names a purpose that is not a term", s->place);
    else
        snprintf(s->purpose, sizeof s->purpose, "%.*s", SLICE_ARG(buf_slice(&text)));
out:
    buf_release(&body);
    buf_release(&text);
    return err;
}

enum bourn_err source_open(struct source *s, const struct verify_options *o)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    *s = (struct source){.o = o};
    buf_init(&s->name, 64);
    size_t n = strlen(o->source);
    while (n > 1 && o->source[n - 1] == '/')
        n--;
    if (n >= sizeof s->base)
        return err_set(BOURN_E_USAGE, "the name of the ledger is too long");
    memcpy(s->base, o->source, n);
    s->http = strncmp(s->base, "http://", 7) == 0 || strncmp(s->base, "https://", 8) == 0;
    if (!s->http)
        return BOURN_OK;
    s->curl = curl_easy_init();
    if (!s->curl)
        return err_set(BOURN_E_MEMORY, "out of memory");
    if (!o->token)
        return BOURN_OK;
    if (!safe_for_token(s->base))
        return err_set(BOURN_E_USAGE, "a token goes over https, or over http to this machine alone");
    char auth[2100];
    if (o->purpose && !term_valid(slice_str(o->purpose)))
        return err_set(BOURN_E_USAGE, "--purpose is not a term");
    if (strlen(o->token) > 2000 || strpbrk(o->token, "\r\n"))
        return err_set(BOURN_E_USAGE, "the token is malformed");
    snprintf(auth, sizeof auth, "Bearer %s", o->token);
    TRY(add_header(s, "Authorization", auth));
    TRY(learn_party(s));
    TRY(add_header(s, "Bourn-Purpose", s->purpose));
    TRY(add_header(s, "Content-Type", "application/json"));
    err = BOURN_OK;
out:
    crypto_wipe(auth, sizeof auth);
    return err;
}

void source_close(struct source *s)
{
    for (struct curl_slist *h = s->parent ? NULL : s->headers; h; h = h->next)
        crypto_wipe(h->data, strlen(h->data));
    if (!s->parent)
        curl_slist_free_all(s->headers);
    if (s->curl)
        curl_easy_cleanup(s->curl);
    buf_release(&s->name);
    *s = (struct source){0};
}

enum bourn_err source_clone(struct source *s, struct source *of)
{
    *s = *of;
    buf_init(&s->name, 64);
    s->curl = s->http ? curl_easy_init() : NULL;
    s->parent = of;
    return s->http && !s->curl ? err_set(BOURN_E_MEMORY, "out of memory") : BOURN_OK;
}

enum bourn_err source_evidence(struct source *s, uint64_t from, uint64_t to, struct buf *out)
{
    char body[80];
    snprintf(body, sizeof body, "{\"from\":%llu,\"to\":%llu}", (unsigned long long)from,
             (unsigned long long)to);
    snprintf(s->place, sizeof s->place, "%s/evidence", s->base);
    buf_clear(out);
    return http(s, s->place, true, body, out);
}
