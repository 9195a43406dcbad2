#include "role/kept_files.h"

#include "base/limits.h"

#include <stdlib.h>

enum { WAYS = 4 }; /* places where a path may lie */

struct kept_files {
    struct kept_file place[FILES_KEPT_MAX];
    size_t bytes; /* of all of them */
    size_t hand;  /* where the search for one to drop goes on */
};

enum bourn_err kept_files_new(struct kept_files **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory for the ledger's files");
}

static void drop(struct kept_files *k, struct kept_file *f)
{
    k->bytes -= f->n + f->gzip_n;
    free(f->path);
    free(f->bytes);
    free(f->gzip);
    *f = (struct kept_file){0};
}

void kept_files_free(struct kept_files *k)
{
    for (size_t i = 0; k && i < FILES_KEPT_MAX; i++)
        drop(k, &k->place[i]);
    free(k);
}

size_t kept_files_bytes(const struct kept_files *k)
{
    return k->bytes;
}

/* FNV-1a: paths that collide cost each other their places, and nothing else. */
static struct kept_file *places_of(struct kept_files *k, struct slice path)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < path.n; i++)
        h = (h ^ path.p[i]) * 0x100000001b3u;
    return &k->place[(h ^ h >> 32) % (FILES_KEPT_MAX / WAYS) * WAYS];
}

struct kept_file *kept_files_get(struct kept_files *k, struct slice path)
{
    struct kept_file *f = places_of(k, path);
    for (int i = 0; i < WAYS; i++) {
        if (!f[i].path || !slice_is(path, f[i].path))
            continue;
        f[i].used = true;
        return &f[i];
    }
    return NULL;
}

/* Drops files until n more bytes have room: each that nobody asked for since the hand came by last. */
static void make_room(struct kept_files *k, size_t n, const struct kept_file *but)
{
    while (k->bytes + n > FILES_KEPT_BYTES_MAX) {
        struct kept_file *f = &k->place[k->hand++ % FILES_KEPT_MAX];
        if (!f->path || f == but)
            continue;
        if (!f->used)
            drop(k, f);
        else
            f->used = false;
    }
}

static uint8_t *copy(struct slice s)
{
    uint8_t *p = s.n ? malloc(s.n) : NULL;
    if (p)
        memcpy(p, s.p, s.n);
    return p;
}

struct kept_file *kept_files_put(struct kept_files *k, struct slice path, struct slice bytes,
                                 const uint8_t hash[API_ETAG_BYTES])
{
    if (!bytes.n || bytes.n > FILE_KEPT_BYTES_MAX || kept_files_get(k, path))
        return NULL;
    struct kept_file *f = places_of(k, path), *to = NULL;
    for (int i = 0; i < WAYS && (!to || to->path); i++)
        if (!to || !f[i].path || (to->used && !f[i].used))
            to = &f[i];
    struct kept_file new = {
        .path = strndup((const char *)path.p, path.n), .bytes = copy(bytes), .n = bytes.n};
    if (!new.path || !new.bytes) {
        free(new.path);
        free(new.bytes);
        return NULL;
    }
    drop(k, to);
    make_room(k, bytes.n, NULL);
    memcpy(new.hash, hash, API_ETAG_BYTES);
    *to = new;
    k->bytes += bytes.n;
    return to;
}

void kept_files_put_gzip(struct kept_files *k, struct kept_file *f, struct slice gzip)
{
    uint8_t *p = f->gzip || gzip.n > FILE_KEPT_BYTES_MAX ? NULL : copy(gzip);
    if (!p)
        return;
    make_room(k, gzip.n, f);
    f->gzip = p;
    f->gzip_n = gzip.n;
    k->bytes += gzip.n;
}
