/* The files of a log, from a cell's folder, a copy of its public folder, or a URL (C2SP tlog-tiles). All of
 * it is hostile: the answers have limits, and nothing follows a redirect. */
#ifndef BOURN_CLI_LOG_SOURCE_H
#define BOURN_CLI_LOG_SOURCE_H

#include "merkle/merkle.h"

struct log_source;

bool log_source_is_url(const char *where);
/* `ca` is a file of certificates to trust instead of the system's, or NULL; a folder takes none. */
enum bourn_err log_source_open(const char *where, const char *ca, struct log_source **out) BOURN_MUST_USE;
void log_source_close(struct log_source *s); /* NULL is allowed */
/* Appends the signed checkpoint, at most 64 KiB. BOURN_E_UNAVAILABLE: no answer now; BOURN_E_NOT_FOUND. */
enum bourn_err log_source_checkpoint(struct log_source *s, struct buf *out) BOURN_MUST_USE;
/* Appends a tile or bundle of t->width items, or the full file where the partial one is gone. */
enum bourn_err log_source_tile(struct log_source *s, const struct merkle_tile *t,
                               struct buf *out) BOURN_MUST_USE;

#endif
