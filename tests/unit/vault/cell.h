/* A cell in a temporary folder, driven without processes: requests go straight to the vault, a signer in the
 * same thread signs for its worker. */
#ifndef BOURN_TESTS_CELL_H
#define BOURN_TESTS_CELL_H

#include "ipc/request.h"
#include "vault/vault.h"

struct cell {
    char path[128];
    struct vault *vault;
    const struct vault_relay *relay; /* NULL: witnesses are not reached */
    uint8_t secret[64];
    uint64_t head_size;
    uint8_t head_root[32];
    /* the last answer */
    bool answered;
    uint32_t status;
    uint64_t receipt, next;
    char code[64], detail[512], missing[4096];
    char body[1 << 17];
    size_t body_n;
    uint64_t answers;
};

/* Around a test of cmocka: a new cell before it; closed, if the test left it open, and removed behind it. */
extern struct cell cell;
int cell_setup(void **state);
int cell_teardown(void **state);

void cell_make(struct cell *c); /* vault_create and open; fails the test on any error */
void cell_open(struct cell *c);
void cell_close(struct cell *c);
void cell_remove(struct cell *c);
/* Hands in one request and waits for its answer. */
void cell_ask(struct cell *c, const struct request *r);
/* Text of a JSON string member of the last body, copied into out. */
void cell_member(const struct cell *c, const char *name, char *out, size_t out_n);

#endif
