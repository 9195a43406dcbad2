/* Receipts and proofs of single entries, for the party that acted and for auditors. To everybody else an
 * entry of another party, one that is not signed yet and one that does not exist are the same answer. */
#include "vault/internal.h"

#include "base/text.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

struct found {
    struct buf bytes, group;
    struct entry e;
};

/* Who may have the receipt: who acted; of a withdrawal or an erasure whoever has the right to it, for such a
 * party answers for the person; auditors. */
static bool may_have(const struct gate_party *p, uint64_t index, const struct entry *e, bool proof)
{
    if (p->rights & RIGHT_AUDIT || p->index == index || (entry_has(e, E_PARTY) && e->party == p->index))
        return true;
    return !proof && ((e->kind == ENTRY_WITHDRAWN && p->rights & RIGHT_CONSENT) ||
                      (e->kind == ENTRY_ERASED && p->rights & RIGHT_ERASE));
}

/* Reads a signed entry that the party may see; *found false with the answer made. */
static enum bourn_err find(struct vault *v, const struct request *r, const struct gate_party *p,
                           struct found *f, struct answer *a, bool *found)
{
    struct worker_state ws;
    enum bourn_err err = BOURN_OK;
    buf_init(&f->bytes, ENTRY_BYTES_MAX);
    buf_init(&f->group, ROWS_BYTES_MAX);
    worker_state(v->worker, &ws);
    *found = r->number < ws.signed_size;
    if (*found) {
        TRY(ledger_read(v->cell, r->number, ws.files_size, &f->bytes, &f->group));
        TRY(entry_decode(buf_slice(&f->bytes), &v->arena, &f->e));
        *found = may_have(p, r->number, &f->e, r->op == REQ_PROOF);
    }
    if (!*found)
        answer_problem(a, 404, "entry_unknown",
                       "there is no such entry, it is not signed yet, or it is not the party's");
out:
    return err;
}

static void found_release(struct found *f)
{
    buf_release(&f->bytes);
    buf_release(&f->group);
}

static enum bourn_err receipt_signed(struct vault *v, struct answer *a, bool *ready)
{
    struct slice note;
    (void)v;
    *ready = wish_done(a->wish);
    if (!*ready)
        return BOURN_OK;
    if (wish_note(a->wish, &note) == BOURN_OK) {
        a->type = REPLY_TEXT;
        buf_put_slice(&a->body, note);
    } else {
        answer_problem(a, 500, "record_damaged",
                       "what the ledger's files hold is not what was signed; the operator was told");
    }
    wish_drop(a->wish);
    a->wish = NULL;
    a->later = NULL;
    return BOURN_OK;
}

enum bourn_err handle_receipt(struct vault *v, const struct request *r, const struct gate_party *p,
                              struct answer *a)
{
    struct found f;
    struct merkle_hash leaf;
    bool found;
    enum bourn_err err = find(v, r, p, &f, a, &found);
    if (err == BOURN_OK && found) {
        merkle_leaf(&leaf, buf_slice(&f.bytes));
        err = worker_receipt(v->worker, r->number, &leaf, slice_of(NULL, 0), &a->wish);
        if (err == BOURN_OK) {
            a->status = 200; /* a batch that is rolled back refuses it */
            a->code = "";
            a->later = receipt_signed;
            a->deadline_ms = v->now_ms + SIGNED_WAIT_MS_MAX;
        }
    }
    found_release(&f);
    return err;
}

enum bourn_err checkpoint_published(struct vault *v, struct buf *note, struct merkle_checkpoint *cp)
{
    struct merkle_vkey key;
    const struct entry *g = world_genesis(v->world);
    bourn_assert(g && g->keys_n && g->keys[0].n == 32);
    merkle_vkey_init(&key, v->origin, 0x01, g->keys[0].p);
    enum bourn_err err = ledger_file(v->cell, slice_str("checkpoint"), note);
    if (err == BOURN_OK)
        err = merkle_checkpoint_open(buf_slice(note), &key, cp);
    return err ? err_set(BOURN_E_CORRUPT, "ledger/checkpoint does not verify under ledger.vkey") : BOURN_OK;
}

void base64_member(struct buf *out, const char *before, struct slice bytes)
{
    buf_put_str(out, before);
    buf_put_str(out, "\"");
    base64_put(out, bytes);
    buf_put_str(out, "\"");
}

void hashes_put(struct buf *out, const struct merkle_hash *h, size_t n)
{
    buf_put_str(out, "[");
    for (size_t i = 0; i < n; i++)
        base64_member(out, i ? "," : "", slice_of(h[i].b, sizeof h[i].b));
    buf_put_str(out, "]");
}

enum bourn_err rows_tree(struct slice group, struct merkle_leaves *out)
{
    struct slice row;
    size_t n = 0, at = 0;
    *out = (struct merkle_leaves){0};
    while (rows_next(group, &at, &row))
        n++;
    if (at != group.n)
        return err_set(BOURN_E_CORRUPT, "the rows of an entry are cut");
    enum bourn_err err = merkle_leaves_init(out, n);
    if (err)
        return err;
    at = n = 0;
    while (rows_next(group, &at, &row))
        merkle_leaf(&out->node[n++], row);
    merkle_leaves_grow(out);
    return BOURN_OK;
}

enum bourn_err row_put(struct buf *out, struct merkle_leaves *tree, size_t i, struct slice row)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    enum bourn_err err = merkle_leaves_prove(tree, i, proof, &n);
    if (err)
        return err;
    buf_printf(out, "{\"index\":%zu,", i);
    base64_member(out, "\"row\":", row);
    buf_put_str(out, ",\"proof\":");
    hashes_put(out, proof, n);
    buf_put_str(out, "}");
    return BOURN_OK;
}

static enum bourn_err rows_put(struct buf *out, struct slice group)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_leaves tree;
    struct slice row;
    size_t at = 0;
    TRY(rows_tree(group, &tree));
    for (size_t i = 0; rows_next(group, &at, &row); i++) {
        buf_put_str(out, i ? "," : "");
        TRY(row_put(out, &tree, i, row));
    }
    err = BOURN_OK;
out:
    merkle_leaves_release(&tree);
    return err;
}

enum bourn_err handle_proof(struct vault *v, const struct request *r, const struct gate_party *p,
                            struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct found f;
    struct merkle_checkpoint cp;
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct ledger_prover *prover = NULL;
    struct buf note, text;
    size_t n = 0;
    bool found;
    buf_init(&note, 65536);
    buf_init(&text, 2 * 65536);
    TRY(find(v, r, p, &f, a, &found));
    if (!found)
        goto out;
    TRY(checkpoint_published(v, &note, &cp));
    TRY(ledger_prover_new(v->cell, cp.size, &prover));
    TRY(ledger_prove(prover, r->number, proof, &n));
    merkle_tlog_proof_put(&text, r->number, proof, n, buf_slice(&note));
    TRY(buf_check(&text));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"index\":%llu,", (unsigned long long)r->number);
    base64_member(&a->body, "\"entry\":", buf_slice(&f.bytes));
    buf_put_str(&a->body, ",\"rows\":[");
    TRY(rows_put(&a->body, buf_slice(&f.group)));
    buf_put_str(&a->body, "],\"proof\":");
    json_put_string(&a->body, buf_slice(&text));
    buf_put_str(&a->body, "}");
    err = BOURN_OK;
out:
    ledger_prover_free(prover);
    found_release(&f);
    buf_release(&note);
    buf_release(&text);
    return err;
}
