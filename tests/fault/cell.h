/* A cell without processes: requests go straight to the vault; the signer's part, with its real head file, is
 * played in the worker's thread as src/role/signer.c does it. */
#ifndef BOURN_FAULT_CELL_H
#define BOURN_FAULT_CELL_H

#include "base/buf.h"
#include "ipc/request.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"
#include "vault/vault.h"

enum { ASKED_MAX = 16, BODY_BYTES = 1 << 20 };
#define ORIGIN "cn.example/ledger"

struct asked_answer {
    bool there;
    uint32_t status;
    uint64_t receipt, next; /* next: asks for the page behind this one; 0: there is none */
    char code[64];
    size_t n;
    char body[BODY_BYTES];
};

struct cell {
    char path[200];
    struct vault *vault;
    struct io_dir *dir;
    struct io_file *head_file;
    struct ledger_head head;
    uint64_t generation;
    uint8_t secret[64];
    struct merkle_vkey vkey;
    void (*told)(struct cell *c, uint64_t route); /* called when answers[route] is there; may be NULL */
    void *ctx;
    struct asked_answer answers[ASKED_MAX];
};

/* vault_create with the built-in packs; delay_s: until a changed policy or schema takes effect. */
enum bourn_err cell_make(const char *path, uint64_t delay_s) BOURN_MUST_USE;
void cell_clock(uint64_t second); /* of this process, from now on: it stands still until it is set again */
enum bourn_err cell_open(struct cell *c, const char *path) BOURN_MUST_USE; /* signer, recovery, start */
void cell_close(struct cell *c);
/* Hands in n requests as one batch, and waits for the answers, at answers[0] … */
enum bourn_err cell_ask(struct cell *c, const struct request *r, size_t n) BOURN_MUST_USE;
enum bourn_err cell_tick(struct cell *c) BOURN_MUST_USE;
/* The text of a string member of an answer; empty if it is not there. */
void cell_member(const struct asked_answer *a, const char *name, char *out, size_t out_n);
/* The data of an answer's records, one behind the other. */
void cell_records(const struct asked_answer *a, char *out, size_t out_n);

#endif
