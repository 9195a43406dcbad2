/* Requests to witnesses and what they sign. A witness reads the checkpoints of logs that are not bourn's, so
 * the reader here takes every form that tlog-checkpoint allows. */
#include "merkle/witness.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/note_internal.h"

static enum bourn_err bad(const char *why)
{
    return err_set(BOURN_E_FORMAT, "malformed submission: %s", why);
}

enum bourn_err merkle_checkpoint_read(struct slice note, struct merkle_checkpoint *out)
{
    struct slice body, lines, rest, size, root, extension;
    *out = (struct merkle_checkpoint){0};
    if (note.n > WITNESS_CHECKPOINT_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "a checkpoint has at most %u bytes", WITNESS_CHECKPOINT_BYTES_MAX);
    if (!note_split(note, &body, &lines))
        return bad("the checkpoint is not UTF-8 lines, an empty line, and signatures");
    rest = body;
    if (!note_line(&rest, &out->origin) || !out->origin.n || !note_line(&rest, &size) ||
        !note_line(&rest, &root))
        return bad("the checkpoint does not begin with origin, size and root");
    while (rest.n)
        if (!note_line(&rest, &extension) || !extension.n)
            return bad("a line of the checkpoint is empty or does not end");
    if (!decimal_get(size, &out->size) || out->size >> 63)
        return bad("the size is not a decimal number below 2^63 without leading zeroes");
    if (!merkle_hash_get(root, &out->root))
        return bad("the root is not the base64 of 32 bytes");
    out->body = body;
    return BOURN_OK;
}

enum bourn_err merkle_submission_get(struct slice body, struct merkle_submission *out)
{
    static const char word[] = "old ";
    struct slice line;
    *out = (struct merkle_submission){0};
    if (!note_line(&body, &line) || line.n < 5 || memcmp(line.p, word, 4) != 0 ||
        !decimal_get(slice_of(line.p + 4, line.n - 4), &out->old) || out->old >> 63)
        return bad("its first line is not \"old \" and a size");
    for (;;) {
        if (!note_line(&body, &line))
            return bad("no empty line stands before the checkpoint");
        if (!line.n)
            break;
        if (out->proof_n == WITNESS_PROOF_LINES_MAX)
            return err_set(BOURN_E_LIMIT, "a consistency proof has at most %d lines",
                           WITNESS_PROOF_LINES_MAX);
        if (!merkle_hash_get(line, &out->proof[out->proof_n++]))
            return bad("a line of the proof is not the base64 of 32 bytes");
    }
    out->note = body;
    return merkle_checkpoint_read(body, &out->cp);
}

void merkle_submission_put(struct buf *out, uint64_t old, const struct merkle_hash *proof, size_t n,
                           struct slice note)
{
    bourn_assert(n <= WITNESS_PROOF_LINES_MAX);
    buf_printf(out, "old %llu\n", (unsigned long long)old);
    for (size_t i = 0; i < n; i++) {
        base64_put(out, slice_of(proof[i].b, sizeof proof[i].b));
        buf_put_str(out, "\n");
    }
    buf_put_str(out, "\n");
    buf_put_slice(out, note);
}

enum bourn_err merkle_note_verify(struct slice note, const struct merkle_vkey *log_key)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice body, lines;
    struct buf signature;
    buf_init(&signature, NOTE_SIGNATURE_BYTES_MAX);
    if (log_key->type != MERKLE_KEY_LOG)
        TRY(err_set(BOURN_E_CRYPTO, "the key %s is not one of a log", log_key->name));
    if (!note_split(note, &body, &lines))
        TRY(bad("the checkpoint is not UTF-8 lines, an empty line, and signatures"));
    TRY(note_signature(lines, log_key, &signature));
    if (signature.n != CRYPTO_SIGNATURE_BYTES || !crypto_verify(signature.p, body, log_key->key))
        TRY(err_set(BOURN_E_CRYPTO, "the signature of %s does not verify", log_key->name));
out:
    buf_release(&signature);
    return err;
}

enum bourn_err merkle_note_line(struct buf *out, struct slice note, const struct merkle_vkey *key)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice body, lines;
    struct buf signature;
    buf_init(&signature, NOTE_SIGNATURE_BYTES_MAX);
    if (!note_split(note, &body, &lines))
        TRY(bad("not UTF-8 lines, an empty line, and signatures"));
    TRY(note_signature(lines, key, &signature));
    merkle_note_sign_line(out, key, buf_slice(&signature));
out:
    buf_release(&signature);
    return err;
}

void merkle_note_keep(struct buf *out, struct slice note, const struct merkle_vkey *log_key)
{
    struct slice body, lines;
    bourn_assert(note_split(note, &body, &lines));
    buf_put_slice(out, body);
    buf_put_str(out, "\n");
    bourn_assert(merkle_note_line(out, note, log_key) == BOURN_OK);
}

void merkle_cosign(struct buf *out, struct slice body, const struct merkle_vkey *witness,
                   const uint8_t secret[64], uint64_t time_s)
{
    uint8_t payload[8 + CRYPTO_SIGNATURE_BYTES];
    struct buf message;
    bourn_assert(witness->type == MERKLE_KEY_COSIGNATURE && time_s > 0 && time_s >> 63 == 0);
    buf_init(&message, body.n + 64);
    buf_printf(&message, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
    buf_put_slice(&message, body);
    be_put(payload, time_s, 8);
    if (message.failed)
        out->failed = true;
    else
        crypto_sign(payload + 8, buf_slice(&message), secret);
    merkle_note_sign_line(out, witness, slice_of(payload, sizeof payload));
    buf_release(&message);
}
