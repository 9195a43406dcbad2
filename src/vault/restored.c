/* An old backup that was put back: what the log's key has signed reaches further than what is here. Looked
 * for before recovery writes or removes anything, so that a start which is refused changes no file of the
 * ledger. What is compared: the journal's end against the signer's head, the checkpoint that was published,
 * and one from elsewhere that the operator gave (`bourn serve --head`, state/seen). docs/formats/head.md */
#include "vault/internal.h"

#include "ledger/ledger.h"
#include "merkle/merkle.h"

enum bourn_err restored_checkpoint(struct io_dir *cell, const char *path, const struct merkle_vkey *key,
                                   uint64_t *size, uint8_t root[32])
{
    struct merkle_checkpoint cp;
    struct buf note;
    *size = 0;
    buf_init(&note, 64u << 10);
    enum bourn_err err = io_read_all(cell, path, &note);
    if (err == BOURN_OK && merkle_checkpoint_open(buf_slice(&note), key, &cp) == BOURN_OK) {
        *size = cp.size; /* one that this key did not sign says nothing */
        memcpy(root, cp.root.b, 32);
    }
    buf_release(&note);
    return err == BOURN_E_NOT_FOUND || err == BOURN_E_LIMIT ? BOURN_OK : err;
}

static enum bourn_err count_frame(void *ctx, uint64_t sequence, struct slice payload)
{
    uint64_t *entries = ctx;
    (void)sequence;
    if (payload.n >= 12 && be_get(payload.p + 8, 4))
        *entries = be_get(payload.p, 8) + be_get(payload.p + 8, 4);
    return BOURN_OK;
}

/* Entries that the cell has: up to the marks, and what the journal adds to that. */
static enum bourn_err entries_here(struct vault *v, uint64_t files_size, uint64_t low, uint64_t *out)
{
    *out = v->next_index > files_size ? v->next_index : files_size;
    uint64_t journal = 0;
    enum bourn_err err = journal_replay(v->journal, low, count_frame, &journal);
    *out = journal > *out ? journal : *out;
    return err;
}

enum bourn_err restored_shorter(const char *what, uint64_t size, uint64_t here)
{
    return err_set(
        BOURN_E_CORRUPT,
        "%s says that %llu entries were signed, but only %llu are here: an old backup was put back. "
        "Nothing new was signed. " RESTORED_GO_ON,
        what, (unsigned long long)size, (unsigned long long)here);
}

enum bourn_err restored_check(struct vault *v, uint64_t files_size, uint64_t low)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct ledger_head head = {0};
    struct merkle_vkey key;
    struct io_file *f = NULL;
    struct buf text;
    uint64_t here, published, seen, generation;
    uint8_t root[32];
    buf_init(&text, 1024);
    TRY(io_read_all(v->cell, "ledger.vkey", &text));
    TRY(merkle_vkey_get(buf_slice(&text), &key));
    TRY(entries_here(v, files_size, low, &here));
    TRY(restored_checkpoint(v->cell, RESTORED_PUBLISHED, &key, &published, root));
    TRY(restored_checkpoint(v->cell, RESTORED_SEEN, &key, &seen, root));
    err = io_open(v->cell, "signer/head", IO_READ, &f);
    if (err == BOURN_OK)
        err = ledger_head_read(f, &head, &generation);
    if (err && err != BOURN_E_NOT_FOUND)
        goto out;
    err = seen > here        ? restored_shorter("a checkpoint from elsewhere (--head)", seen, here)
          : head.size > here ? restored_shorter("signer/head", head.size, here)
          : published > here ? restored_shorter("ledger/checkpoint", published, here)
                             : BOURN_OK;
out:
    io_close(f);
    buf_release(&text);
    return err;
}
