/* A file that appears under its name, with mode 0600, once it is whole, and never over another; or standard
 * output. */
#ifndef BOURN_CLI_OUTFILE_H
#define BOURN_CLI_OUTFILE_H

#include "base/buf.h"

#include <stdio.h>

struct outfile {
    FILE *f;
    const char *to;  /* the caller's; "-" is standard output */
    struct buf part; /* the name that it has until it is whole */
    int fd;
};
enum bourn_err outfile_open(struct outfile *o, const char *to) BOURN_MUST_USE;
enum bourn_err outfile_done(struct outfile *o) BOURN_MUST_USE; /* it is whole */
void outfile_close(struct outfile *o); /* after outfile_open, whatever that said; what is not whole is gone */

#endif
