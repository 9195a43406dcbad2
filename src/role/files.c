/* The public files of the ledger as HTTP serves them: entity tags, parts, gzip for bundles. Their bytes come
 * from vault; full tiles and bundles are kept, so that a crowd of readers costs vault nothing. */
#include "role/front_internal.h"

#include "api/api.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "role/kept_files.h"

#include <stdlib.h>
#include <zlib.h>

enum { WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 }; /* + 16: in the gzip format (RFC 1952) */

struct files {
    struct kept_files *kept;
    z_stream z;
    bool z_ready;
    struct buf gzip;
    size_t turn_bytes; /* compressed in this turn */
};

enum bourn_err files_new(struct files **out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct files *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_set(BOURN_E_MEMORY, "out of memory for the ledger's files");
    buf_init(&s->gzip, GZIP_FILE_BYTES_MAX);
    s->z_ready =
        deflateInit2(&s->z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    if (!s->z_ready)
        TRY(err_set(BOURN_E_MEMORY, "out of memory for zlib"));
    TRY(kept_files_new(&s->kept));
out:
    return err;
}

void files_free(struct files *s)
{
    if (!s)
        return;
    if (s->z_ready)
        deflateEnd(&s->z);
    buf_release(&s->gzip);
    kept_files_free(s->kept);
    free(s);
}

void files_turn(struct files *s)
{
    s->turn_bytes = 0;
}

/* Into s->gzip; empty where it would be no gain, or too much work for this turn. */
static struct slice compress_bundle(struct files *s, struct slice bytes)
{
    if (bytes.n < 2 || bytes.n > GZIP_FILE_BYTES_MAX || s->turn_bytes + bytes.n > GZIP_TURN_BYTES_MAX)
        return slice_of(NULL, 0);
    s->turn_bytes += bytes.n;
    buf_clear(&s->gzip);
    uint8_t *to = buf_reserve(&s->gzip, bytes.n);
    if (!to || deflateReset(&s->z) != Z_OK)
        return slice_of(NULL, 0);
    s->z.next_in = (Bytef *)bytes.p;
    s->z.avail_in = (uInt)bytes.n;
    s->z.next_out = to;
    s->z.avail_out = (uInt)bytes.n - 1; /* not smaller: no gain */
    if (deflate(&s->z, Z_FINISH) != Z_STREAM_END)
        return slice_of(NULL, 0);
    return slice_of(to, bytes.n - 1 - s->z.avail_out);
}

/* `immutable` as vault said it: what is neither that nor the checkpoint is not for everybody. */
static struct api_file describe(struct slice path, bool immutable, struct slice bytes,
                                const uint8_t hash[API_ETAG_BYTES])
{
    static const char bundles[] = "tile/entries/";
    bool checkpoint = slice_is(path, "checkpoint");
    struct api_file f = {
        .type = checkpoint ? "text/plain; charset=utf-8" : "application/octet-stream",
        .caching = immutable    ? "public, max-age=31536000, immutable"
                   : checkpoint ? "public, max-age=1"
                                : "no-store",
        .varies = path.n >= sizeof bundles && memcmp(path.p, bundles, sizeof bundles - 1) == 0,
        .bytes = bytes,
    };
    memcpy(f.hash, hash, API_ETAG_BYTES);
    return f;
}

/* `kept`: where the bytes are kept, or NULL. */
static void respond(struct front *f, const struct api_conditions *c, struct api_file *file,
                    struct kept_file *kept, struct buf *scratch, struct http_response *r)
{
    if (kept && kept->gzip)
        file->gzip = slice_of(kept->gzip, kept->gzip_n);
    else if (api_file_wants_gzip(c, file))
        file->gzip = compress_bundle(f->files, file->bytes);
    if (kept && file->gzip.n)
        kept_files_put_gzip(f->files->kept, kept, file->gzip);
    api_file_response(c, file, scratch, r);
}

bool file_request(struct front *f, uint64_t id, const struct http_request *q, const struct request *request,
                  struct http_response *r, struct buf *body)
{
    struct api_conditions c;
    struct kept_file *kept = kept_files_get(f->files->kept, request->path);
    api_conditions_read(q, &c);
    if (kept) {
        struct api_file file = describe(request->path, true, slice_of(kept->bytes, kept->n), kept->hash);
        respond(f, &c, &file, kept, body, r);
        return true;
    }
    struct kept *k = kept_new(f, id, request);
    if (k)
        k->conditions = c;
    if (k && front_send(f, request) == BOURN_OK)
        return false;
    http_problem(r, body, 503, slice_str("overloaded"), slice_str("Too many requests wait; try again later."),
                 slice_of(NULL, 0));
    return true;
}

/* A full tile or bundle that anybody may read. */
static bool is_kept(const struct request *q, const struct reply *reply)
{
    return reply->immutable && !q->token.n && !memmem(q->path.p, q->path.n, ".p/", 3);
}

void file_reply(struct front *f, const struct reply *reply)
{
    struct http_response r;
    struct request q;
    uint8_t hash[32];
    struct kept *k = kept_of(f, reply->id);
    if (!k)
        return;
    if (reply->status >= 400) {
        api_response(REQ_LEDGER_FILE, reply, &f->scratch, &r);
        http_answer(f->http, reply->id, &r);
        return;
    }
    bourn_assert(request_decode(buf_slice(&k->request), REQ_FROM_FRONT, &q) == BOURN_OK);
    crypto_sha256_1(hash, reply->body);
    struct api_file file = describe(q.path, reply->immutable != 0, reply->body, hash);
    struct kept_file *kept =
        is_kept(&q, reply) ? kept_files_put(f->files->kept, q.path, reply->body, hash) : NULL;
    respond(f, &k->conditions, &file, kept, &f->scratch, &r);
    http_answer(f->http, reply->id, &r);
}
