#include "cell.h"

#include "base/json.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "packs/builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void answer(void *ctx, uint64_t route, const struct reply *r)
{
    struct cell *c = ctx;
    struct asked_answer *a = &c->answers[route];
    a->there = true;
    a->status = r->status;
    a->receipt = r->receipt;
    a->next = r->next;
    a->n = r->body.n < sizeof a->body - 1 ? r->body.n : sizeof a->body - 1;
    snprintf(a->code, sizeof a->code, "%.*s", SLICE_ARG(r->code));
    if (a->n)
        memcpy(a->body, r->body.p, a->n);
    a->body[a->n] = '\0';
    if (c->told)
        c->told(c, route);
}

/* --- the signer
 * ------------------------------------------------------------------------------------------------- */

static enum bourn_err head(void *ctx, uint64_t *size, uint8_t root[32])
{
    struct cell *c = ctx;
    *size = c->head.size;
    memcpy(root, c->head.root, 32);
    return BOURN_OK;
}

static enum bourn_err sign(void *ctx, uint64_t size, const uint8_t root[32], const uint8_t *proof,
                           size_t proof_n, uint8_t signature[64])
{
    struct cell *c = ctx;
    struct ledger_head next = {.size = size};
    struct merkle_hash hashes[MERKLE_PROOF_MAX], now;
    struct buf body;
    enum bourn_err err = BOURN_E_INTERNAL;
    buf_init(&body, 1024);
    memcpy(next.root, root, 32);
    memcpy(now.b, root, 32);
    for (size_t i = 0; i < proof_n; i++)
        memcpy(hashes[i].b, proof + 32 * i, 32);
    if (size != c->head.size || proof_n || memcmp(root, c->head.root, 32) != 0) {
        TRY(ledger_head_extend(&c->head, size, root, hashes, proof_n));
        if (size <= c->head.size)
            TRY(err_set(BOURN_E_DENIED, "a checkpoint that is not larger than the last one"));
        TRY(ledger_head_write(c->head_file, &next, &c->generation));
        c->head = next;
    }
    merkle_checkpoint_body(&body, slice_str(ORIGIN), size, &now);
    TRY(buf_check(&body));
    crypto_sign(signature, buf_slice(&body), c->secret);
out:
    buf_release(&body);
    return err;
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
        merkle_event_text(&text, slice_str(ORIGIN), r, lines);
    else
        merkle_receipt_text(&text, slice_str(ORIGIN), r);
    crypto_sign(signature, buf_slice(&text), c->secret);
    buf_release(&text);
    return BOURN_OK;
}

static enum bourn_err open_signer(struct cell *c)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t public_key[32];
    struct buf seed, text;
    buf_init(&seed, 32);
    buf_init(&text, 4096);
    TRY(io_dir_open(c->path, &c->dir));
    TRY(io_read_all(c->dir, "signer/log.key", &seed));
    if (seed.n != 32)
        TRY(err_set(BOURN_E_CORRUPT, "signer/log.key has not 32 bytes"));
    crypto_sign_from_seed(public_key, c->secret, seed.p);
    TRY(io_read_all(c->dir, "ledger.vkey", &text));
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    TRY(merkle_vkey_get(buf_slice(&text), &c->vkey));
    if (memcmp(c->vkey.key, public_key, 32) != 0)
        TRY(err_set(BOURN_E_CORRUPT, "ledger.vkey and signer/log.key do not belong together"));
    TRY(io_open(c->dir, "signer/head", IO_CREATE, &c->head_file));
    TRY(ledger_head_read(c->head_file, &c->head, &c->generation));
out:
    buf_release(&seed);
    buf_release(&text);
    return err;
}

/* --- the cell
 * --------------------------------------------------------------------------------------------------- */

enum bourn_err cell_make(const char *path, uint64_t delay_s)
{
    struct vault_pack packs[8];
    for (size_t i = 0; i < builtin_packs_n; i++)
        packs[i] = (struct vault_pack){builtin_packs[i].yaml, builtin_packs[i].rules};
    struct vault_genesis g = {ORIGIN, "CN", "Clinic Ltd", "", delay_s, packs, builtin_packs_n};
    return vault_create(path, &g);
}

enum bourn_err cell_open(struct cell *c, const char *path)
{
    struct vault_signer signer = {c, head, sign, receipt};
    enum bourn_err err = BOURN_E_INTERNAL;
    int lock;
    snprintf(c->path, sizeof c->path, "%s", path);
    TRY(open_signer(c));
    TRY(vault_lock(path, &lock));
    TRY(vault_open(path, lock, answer, c, &c->vault));
    TRY(vault_start(c->vault, &signer));
out:
    return err;
}

void cell_close(struct cell *c)
{
    vault_close(c->vault);
    io_close(c->head_file);
    io_dir_close(c->dir);
    c->vault = NULL;
}

static bool all_there(const struct cell *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!c->answers[i].there)
            return false;
    return true;
}

enum bourn_err cell_tick(struct cell *c)
{
    unsigned ms;
    return vault_tick(c->vault, &ms);
}

enum bourn_err cell_ask(struct cell *c, const struct request *r, size_t n)
{
    enum bourn_err err = BOURN_OK;
    bourn_assert(n <= ASKED_MAX);
    for (size_t i = 0; i < n; i++)
        c->answers[i].there = false;
    for (size_t i = 0; i < n; i++)
        TRY(vault_handle(c->vault, &r[i], i));
    TRY(vault_commit(c->vault));
    for (unsigned ms = 0; ms < 12000 && !all_there(c, n); ms++) {
        usleep(1000);
        TRY(vault_published(c->vault));
        TRY(vault_release_held(c->vault));
    }
    if (!all_there(c, n))
        TRY(err_set(BOURN_E_UNAVAILABLE, "no answer came"));
    err = cell_tick(c);
out:
    return err;
}

void cell_member(const struct asked_answer *a, const char *name, char *out, size_t out_n)
{
    struct json_value body, value;
    struct buf b;
    out[0] = '\0';
    buf_init(&b, out_n - 1);
    if (json_check(slice_of(a->body, a->n), &body) == BOURN_OK && json_find(body, name, &value) &&
        value.type == JSON_STRING) {
        json_string_decode(value.raw, &b);
        snprintf(out, out_n, "%.*s", SLICE_ARG(buf_slice(&b)));
    }
    buf_release(&b);
}

void cell_records(const struct asked_answer *a, char *out, size_t out_n)
{
    struct json_value body, list, data;
    struct json_member record;
    size_t at = 0, n = 0;
    out[0] = '\0';
    if (json_check(slice_of(a->body, a->n), &body) != BOURN_OK || !json_find(body, "records", &list))
        return;
    while (json_next(list, &at, &record))
        if (json_find(record.value, "data", &data) && n < out_n)
            n += (size_t)snprintf(out + n, out_n - n, "%.*s", SLICE_ARG(data.raw));
}
