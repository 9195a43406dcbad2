/* Full tiles and entry bundles, kept by their path: they never change, so nothing has to be asked again.
 * Bounded in number and bytes; what was not asked for lately goes first. */
#ifndef BOURN_ROLE_KEPT_FILES_H
#define BOURN_ROLE_KEPT_FILES_H

#include "api/conditions.h"

struct kept_file {
    char *path; /* NULL: the place is free */
    uint8_t *bytes, *gzip;
    size_t n, gzip_n;
    uint8_t hash[API_ETAG_BYTES];
    bool used;
};
struct kept_files;

enum bourn_err kept_files_new(struct kept_files **out) BOURN_MUST_USE;
void kept_files_free(struct kept_files *k);
size_t kept_files_bytes(const struct kept_files *k);
/* NULL: not kept. Valid until the next call of _put. */
struct kept_file *kept_files_get(struct kept_files *k, struct slice path);
/* Copies. NULL: too large, or out of memory; that is no error. */
struct kept_file *kept_files_put(struct kept_files *k, struct slice path, struct slice bytes,
                                 const uint8_t hash[API_ETAG_BYTES]);
/* Keeps the compressed form too (copied), unless there is one. `f` stays valid. */
void kept_files_put_gzip(struct kept_files *k, struct kept_file *f, struct slice gzip);

#endif
