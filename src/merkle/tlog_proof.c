/* C2SP tlog-proof: everything that shows offline that an entry is in a log. */
#include "base/text.h"
#include "merkle/note_internal.h"

static const char kind[] = "c2sp.org/tlog-proof@v1";

void merkle_tlog_proof_put(struct buf *out, uint64_t index, const struct merkle_hash *proof, size_t n,
                           struct slice checkpoint)
{
    buf_printf(out, "%s\nindex %llu\n", kind, (unsigned long long)index);
    for (size_t i = 0; i < n; i++) {
        base64_put(out, slice_of(proof[i].b, sizeof proof[i].b));
        buf_put_str(out, "\n");
    }
    buf_put_str(out, "\n");
    buf_put_slice(out, checkpoint);
}

static bool starts(struct slice line, const char *word)
{
    size_t n = strlen(word);
    return line.n > n && memcmp(line.p, word, n) == 0;
}

/* The opaque `extra` line is not looked at: nothing vouches for it. */
static bool head_get(struct slice *rest, uint64_t *index)
{
    static const char word[] = "index ";
    struct slice line;
    if (!note_line(rest, &line) || !slice_is(line, kind) || !note_line(rest, &line))
        return false;
    if (starts(line, "extra ") && !note_line(rest, &line))
        return false;
    return starts(line, word) &&
           decimal_get(slice_of(line.p + sizeof word - 1, line.n - (sizeof word - 1)), index);
}

enum bourn_err merkle_tlog_proof_open(struct slice text, const struct merkle_vkey *log_key,
                                      const struct merkle_hash *leaf, struct merkle_receipt *out)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_checkpoint cp;
    struct slice rest = text, line;
    uint64_t index = 0;
    size_t n = 0;
    *out = (struct merkle_receipt){0};
    bool good = head_get(&rest, &index);
    while (good && (good = note_line(&rest, &line)) && line.n) {
        good = n < MERKLE_PROOF_MAX && merkle_hash_get(line, &proof[n]);
        n++;
    }
    if (!good)
        return err_set(BOURN_E_FORMAT, "malformed proof: %s, an index, and at most %d hashes were expected",
                       kind, MERKLE_PROOF_MAX);
    enum bourn_err err = merkle_checkpoint_open(rest, log_key, &cp);
    if (err)
        return err;
    if (!merkle_verify_inclusion(index, cp.size, leaf, proof, n, &cp.root))
        return err_set(BOURN_E_CRYPTO,
                       "the proof does not lead from this entry to the root of its checkpoint");
    *out = (struct merkle_receipt){index, cp.size, *leaf, cp.root};
    return BOURN_OK;
}
