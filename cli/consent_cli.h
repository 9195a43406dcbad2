/* What the commands of `bourn consent` share. */
#ifndef BOURN_CLI_CONSENT_CLI_H
#define BOURN_CLI_CONSENT_CLI_H

#include "cli.h"

/* Operands, and --key, --code, --json. */
struct consent_args {
    const char *word, *word2, *key, *code;
    bool json;
};
/* CLI_DONE, or the exit code after a message. */
int consent_args_read(struct consent_args *a, int argc, char **argv, const char *help);
/* The person's key from its file; wipe the secret. */
enum bourn_err consent_key_load(const char *path, uint8_t public_key[32], uint8_t secret[64]) BOURN_MUST_USE;
void consent_put_base64url(struct buf *b, const char *before, const void *p, size_t n);

#endif
