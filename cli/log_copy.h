/* A log behind a URL, as a folder for as long as a command needs it. */
#ifndef BOURN_CLI_LOG_COPY_H
#define BOURN_CLI_LOG_COPY_H

#include "merkle/merkle.h"

struct log_copy {
    char folder[4096]; /* "": there is none */
};
/* Fetches checkpoint and entries of the log at `url` into a new folder `beside`.copy.XXXXXX. The checkpoint
 * is one that the key signed; the entries are for the reader of the folder to check. After an error nothing
 * is left behind. */
enum bourn_err log_copy_make(const char *url, const struct merkle_vkey *key, const char *beside,
                             struct log_copy *out) BOURN_MUST_USE;
void log_copy_remove(struct log_copy *c); /* with its folder */

#endif
