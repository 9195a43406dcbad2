/* What the files of bourn-verify share. */
#ifndef BOURN_CLI_VERIFY_COMMAND_H
#define BOURN_CLI_VERIFY_COMMAND_H

#include "kept.h"
#include "merkle/policy.h"
#include "verify/verify.h"

#include <time.h>

enum { EX_UNREADABLE = 2, EX_USAGE_ = 64, HEADS_MAX = 64, PINS_MAX = 256, FILE_BYTES_MAX = 64 << 10 };
enum { INTERVAL_S_DEFAULT = 10, INTERVAL_S_MAX = 86400 };

struct command {
    struct verify_options o;
    const char *key, *head_file[HEADS_MAX], *save_head, *policy_file;
    struct merkle_policy policy;
    struct kept kept;
    struct buf head_text[HEADS_MAX];
    struct slice head[HEADS_MAX];
    uint8_t pin[PINS_MAX][32];
    size_t heads_n, pins_n;
    bool json, help, version;
    bool follow;                 /* --follow, and what goes with it */
    const char *state, *command; /* files; NULL: none */
    unsigned interval_s;
    struct timespec shown; /* when the bar of progress was drawn last */
};

/* files.c */
enum bourn_err read_small(const char *path, struct buf *out) BOURN_MUST_USE;
/* By a temporary name beside it, so that a head which was kept is never half of one. */
enum bourn_err write_small(const char *path, struct slice text) BOURN_MUST_USE;
/* verify_options.progress; ctx is the time when it drew last. On a terminal, five times a second. */
void show_progress(void *ctx, uint64_t entries, uint64_t size);

/* follow.c: stays until something is violated or it is told to end; the exit code. */
int follow(struct command *c);

#endif
