/* What a log and its witnesses say to each other (C2SP tlog-witness, tlog-cosignature): pure bytes. */
#ifndef BOURN_MERKLE_WITNESS_H
#define BOURN_MERKLE_WITNESS_H

#include "base/limits.h"
#include "merkle/merkle.h"

/* The body of POST <prefix>/add-checkpoint: "old N\n", at most 63 lines of base64 proof, an empty line, a
 * checkpoint. Slices borrow from it. */
struct merkle_submission {
    uint64_t old;
    struct merkle_hash proof[WITNESS_PROOF_LINES_MAX];
    size_t proof_n;
    struct slice note;
    struct merkle_checkpoint cp; /* of any log: merkle_checkpoint_read */
};
/* BOURN_E_FORMAT or BOURN_E_LIMIT with the reason. Nothing is verified yet. */
enum bourn_err merkle_submission_get(struct slice body, struct merkle_submission *out) BOURN_MUST_USE;
void merkle_submission_put(struct buf *out, uint64_t old, const struct merkle_hash *proof, size_t n,
                           struct slice note);

/* A checkpoint as any log may write it: its origin is one line of UTF-8, lines may follow the root
 * (tlog-checkpoint: extension lines). No signature is looked at. BOURN_E_FORMAT. */
enum bourn_err merkle_checkpoint_read(struct slice note, struct merkle_checkpoint *out) BOURN_MUST_USE;
/* The Ed25519 signature of a log's key on any note. BOURN_E_NOT_FOUND: there is none by this name and id;
 * BOURN_E_CRYPTO: there is, and it does not verify; BOURN_E_FORMAT: the note is malformed. */
enum bourn_err merkle_note_verify(struct slice note, const struct merkle_vkey *log_key) BOURN_MUST_USE;

/* Appends the note with no other signature than that of this key, which merkle_note_verify found good. */
void merkle_note_keep(struct buf *out, struct slice note, const struct merkle_vkey *log_key);

/* Appends the one signature line of this key, of either type, unverified. */
enum bourn_err merkle_note_line(struct buf *out, struct slice note,
                                const struct merkle_vkey *key) BOURN_MUST_USE;

/* Appends the line of a cosignature/v1 on a checkpoint's body at `time_s`. */
void merkle_cosign(struct buf *out, struct slice body, const struct merkle_vkey *witness,
                   const uint8_t secret[64], uint64_t time_s);

#endif
