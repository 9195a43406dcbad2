#include "cell.h"

#include "base/json.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"
#include "packs/builtin.h"

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void answer(void *ctx, uint64_t route, const struct reply *r)
{
    struct cell *c = ctx;
    (void)route;
    c->answered = true;
    c->answers++;
    c->status = r->status;
    c->receipt = r->receipt;
    c->next = r->next;
    snprintf(c->code, sizeof c->code, "%.*s", SLICE_ARG(r->code));
    snprintf(c->detail, sizeof c->detail, "%.*s", SLICE_ARG(r->detail));
    snprintf(c->missing, sizeof c->missing, "%.*s", SLICE_ARG(r->missing));
    c->body_n = r->body.n < sizeof c->body - 1 ? r->body.n : sizeof c->body - 1;
    memcpy(c->body, r->body.p ? (const void *)r->body.p : "", c->body_n);
    c->body[c->body_n] = '\0';
}

static enum bourn_err head(void *ctx, uint64_t *size, uint8_t root[32])
{
    struct cell *c = ctx;
    *size = c->head_size;
    memcpy(root, c->head_root, 32);
    return BOURN_OK;
}

static enum bourn_err sign(void *ctx, uint64_t size, const uint8_t root[32], const uint8_t *proof,
                           size_t proof_n, uint8_t signature[64])
{
    struct cell *c = ctx;
    struct merkle_hash old, now, hashes[MERKLE_PROOF_MAX];
    struct buf body;
    memcpy(old.b, c->head_root, 32);
    memcpy(now.b, root, 32);
    for (size_t i = 0; i < proof_n; i++)
        memcpy(hashes[i].b, proof + 32 * i, 32);
    if (c->head_size && !merkle_verify_consistency(c->head_size, &old, size, &now, hashes, proof_n))
        return err_set(BOURN_E_DENIED, "does not extend");
    c->head_size = size;
    memcpy(c->head_root, root, 32);
    buf_init(&body, 1024);
    merkle_checkpoint_body(&body, slice_str("cn.example/ledger"), size, &now);
    crypto_sign(signature, buf_slice(&body), c->secret);
    buf_release(&body);
    return BOURN_OK;
}

static enum bourn_err receipt(void *ctx, const struct merkle_receipt *r, const struct merkle_hash *proof,
                              size_t proof_n, struct slice lines, uint8_t signature[64])
{
    const struct cell *c = ctx;
    struct buf text;
    if (!merkle_verify_inclusion(r->index, r->size, &r->leaf, proof, proof_n, &r->root))
        return err_set(BOURN_E_DENIED, "not in the tree");
    buf_init(&text, 1024 + lines.n);
    if (lines.n)
        merkle_event_text(&text, slice_str("cn.example/ledger"), r, lines);
    else
        merkle_receipt_text(&text, slice_str("cn.example/ledger"), r);
    crypto_sign(signature, buf_slice(&text), c->secret);
    buf_release(&text);
    return BOURN_OK;
}

void cell_open(struct cell *c)
{
    struct vault_signer signer = {c, head, sign, receipt};
    char name[160];
    uint8_t seed[32], public_key[32];
    int lock;
    snprintf(name, sizeof name, "%s/signer/log.key", c->path);
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    assert_int_equal(fread(seed, 1, 32, f), 32);
    fclose(f);
    crypto_sign_from_seed(public_key, c->secret, seed);
    enum bourn_err err = vault_lock(c->path, &lock);
    if (err == BOURN_OK)
        err = vault_open(c->path, lock, answer, c, &c->vault);
    if (err == BOURN_OK && c->relay)
        vault_use_relay(c->vault, c->relay);
    if (err == BOURN_OK)
        err = vault_start(c->vault, &signer);
    if (err != BOURN_OK)
        fail_msg("open: %s", err_text());
}

void cell_make(struct cell *c)
{
    struct vault_pack packs[8];
    *c = (struct cell){0};
    snprintf(c->path, sizeof c->path, "/tmp/bourn-vault-test-%d", getpid());
    cell_remove(c);
    assert_int_equal(crypto_init(), BOURN_OK);
    for (size_t i = 0; i < builtin_packs_n; i++)
        packs[i] = (struct vault_pack){builtin_packs[i].yaml, builtin_packs[i].rules};
    struct vault_genesis g = {"cn.example/ledger", "CN", "Clinic Ltd", "", 0, packs, builtin_packs_n};
    merkle_empty((struct merkle_hash *)c->head_root);
    if (vault_create(c->path, &g) != BOURN_OK)
        fail_msg("create: %s", err_text());
    cell_open(c);
}

void cell_close(struct cell *c)
{
    vault_close(c->vault);
    c->vault = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void cell_remove(struct cell *c)
{
    nftw(c->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct cell cell;

int cell_setup(void **state)
{
    (void)state;
    cell_make(&cell);
    return 0;
}

int cell_teardown(void **state)
{
    (void)state;
    if (cell.vault)
        cell_close(&cell);
    cell_remove(&cell);
    return 0;
}

void cell_ask(struct cell *c, const struct request *r)
{
    unsigned ms;
    c->answered = false;
    enum bourn_err err = vault_handle(c->vault, r, 1);
    if (err == BOURN_OK)
        err = vault_commit(c->vault);
    for (int i = 0; i < 2000 && err == BOURN_OK && !c->answered; i++) {
        usleep(1000);
        err = vault_published(c->vault);
        if (err == BOURN_OK)
            err = vault_release_held(c->vault);
    }
    if (err == BOURN_OK)
        err = vault_tick(c->vault, &ms);
    if (err != BOURN_OK)
        fail_msg("%s: %s", request_op_name(r->op), err_text());
    assert_true(c->answered);
}

void cell_member(const struct cell *c, const char *name, char *out, size_t out_n)
{
    struct json_value body, value;
    struct buf b;
    buf_init(&b, out_n - 1);
    assert_int_equal(json_check(slice_of(c->body, c->body_n), &body), BOURN_OK);
    assert_true(json_find(body, name, &value));
    if (value.type == JSON_STRING)
        json_string_decode(value.raw, &b);
    else
        buf_put_slice(&b, value.raw);
    assert_false(b.failed);
    snprintf(out, out_n, "%.*s", SLICE_ARG(buf_slice(&b)));
    buf_release(&b);
}
