/* Merkle tree of RFC 6962 section 2.1 with SHA-256: pure math, no I/O.
 * Leaf = H(0x00 || data), node = H(0x01 || left || right). */
#ifndef BOURN_MERKLE_MERKLE_H
#define BOURN_MERKLE_MERKLE_H

#include "base/json.h"

#define MERKLE_PROOF_MAX 64 /* hashes in any proof of a tree below 2^63 leaves */

struct merkle_hash {
    uint8_t b[32];
};

void merkle_leaf(struct merkle_hash *out, struct slice data);
/* n of them, data[i] to *out[i]: cheaper than one by one. */
void merkle_leaves(const struct slice *data, struct merkle_hash *const *out, size_t n);
void merkle_node(struct merkle_hash *out, const struct merkle_hash *left, const struct merkle_hash *right);
/* The nodes above n pairs of hashes that lie side by side; `out` may be where `in` begins. */
void merkle_nodes(struct merkle_hash *out, const struct merkle_hash *in, size_t n);
void merkle_empty(struct merkle_hash *out); /* root of no leaves */
/* From base64; false if that is not 32 bytes. */
bool merkle_hash_get(struct slice base64, struct merkle_hash *out);
/* A proof as the API gives it: the member `name` of the object, an array of hashes in base64. */
bool merkle_proof_get(struct json_value object, const char *name, struct merkle_hash proof[MERKLE_PROOF_MAX],
                      size_t *n);
/* Root over n leaf hashes in memory (n may be 0). */
void merkle_root_of(struct merkle_hash *out, const struct merkle_hash *leaves, size_t n);

/* The compact right edge of a growing tree: append leaves, take the root. 64 * 32 bytes of state. */
struct merkle_edge {
    uint64_t size;
    struct merkle_hash
        node[64]; /* node[h]: root of the complete subtree of height h, if bit h of size is set */
};
void merkle_edge_init(struct merkle_edge *e);
void merkle_edge_append(struct merkle_edge *e, const struct merkle_hash *leaf);
void merkle_edge_root(const struct merkle_edge *e, struct merkle_hash *out);

/* Reads stored hashes: the root of the complete subtree over leaves [index << height, (index+1) << height).
 */
typedef enum bourn_err (*merkle_read)(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out);

/* Inclusion proof of leaf `index` in the tree of `size` (RFC 6962 2.1.1), from sibling to root. */
enum bourn_err merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_read read, void *ctx,
                                      struct merkle_hash *proof, size_t *n) BOURN_MUST_USE;
/* Consistency proof from old to size (2.1.2). Empty for old == 0 or old == size. */
enum bourn_err merkle_prove_consistency(uint64_t old, uint64_t size, merkle_read read, void *ctx,
                                        struct merkle_hash *proof, size_t *n) BOURN_MUST_USE;
enum bourn_err merkle_root_at(uint64_t size, merkle_read read, void *ctx,
                              struct merkle_hash *out) BOURN_MUST_USE;
/* Leaves that are all in memory, with the subtrees over them, for many proofs: the rows of an entry. */
struct merkle_leaves {
    struct merkle_hash *node; /* malloc: level 0, then the complete subtrees of level 1, 2, … */
    size_t n;
};
/* Takes room for n leaves, which the caller writes into node[0..n-1]; then merkle_leaves_grow. */
enum bourn_err merkle_leaves_init(struct merkle_leaves *l, size_t n) BOURN_MUST_USE;
void merkle_leaves_grow(struct merkle_leaves *l);
void merkle_leaves_release(struct merkle_leaves *l);
enum bourn_err merkle_leaves_prove(struct merkle_leaves *l, size_t index, struct merkle_hash *proof,
                                   size_t *n) BOURN_MUST_USE;
bool merkle_verify_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                             const struct merkle_hash *proof, size_t n, const struct merkle_hash *root);
bool merkle_verify_consistency(uint64_t old, const struct merkle_hash *old_root, uint64_t size,
                               const struct merkle_hash *root, const struct merkle_hash *proof, size_t n);

/* Tiles (C2SP tlog-tiles). Path of tile N: 3-digit groups, all but the last prefixed x: "x001/x234/067". */
#define MERKLE_TILE_WIDTH 256
void merkle_tile_name(struct buf *out, uint64_t n); /* without "tile/L/" and ".p/W" */
/* Parses "L/N[.p/W]" or "entries/N[.p/W]" or "rows/N[.p/W]" (what follows "tile/"). width 256 for full tiles.
 */
enum merkle_tile_kind { MERKLE_TILE_HASHES, MERKLE_TILE_ENTRIES, MERKLE_TILE_ROWS };
struct merkle_tile {
    enum merkle_tile_kind kind;
    unsigned level; /* 0..63, hashes only */
    uint64_t n;
    unsigned width; /* 1..256 */
};
bool merkle_tile_parse(struct slice path, struct merkle_tile *out);
/* Partial width at `level` for a tree of `size`: floor(size / 256^level) mod 256; and the number of full
 * tiles. */
unsigned merkle_tile_partial(uint64_t size, unsigned level);
uint64_t merkle_tile_full(uint64_t size, unsigned level);

/* Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint). */
#define MERKLE_ORIGIN_BYTES_MAX 255
enum { MERKLE_KEY_LOG = 0x01, MERKLE_KEY_COSIGNATURE = 0x04 }; /* types of keys */
struct merkle_checkpoint {
    struct slice origin; /* borrowed from the text */
    uint64_t size;
    struct merkle_hash root;
    struct slice body; /* the signed text with its last newline, borrowed */
};
struct merkle_vkey {
    char name[MERKLE_ORIGIN_BYTES_MAX + 1];
    uint8_t id[4];
    uint8_t type; /* MERKLE_KEY_LOG: Ed25519; MERKLE_KEY_COSIGNATURE: cosignature/v1 */
    uint8_t key[32];
};
/* "name+hex8(keyID)+base64(type || pk)": writes and parses (checks the key id and that the key is a sound
 * point). One newline at the end of the text is allowed, as files have it. A name is printable ASCII without
 * space and plus. */
void merkle_vkey_put(struct buf *out, const struct merkle_vkey *k);
enum bourn_err merkle_vkey_get(struct slice text, struct merkle_vkey *out) BOURN_MUST_USE;
void merkle_vkey_init(struct merkle_vkey *k, const char *name, uint8_t type, const uint8_t pk[32]);
/* Body: "origin\nsize\nbase64(root)\n". */
void merkle_checkpoint_body(struct buf *out, struct slice origin, uint64_t size,
                            const struct merkle_hash *root);
/* Appends the signature line "— name base64(id || signature)\n". A note is body, "\n", signature lines. */
void merkle_note_sign_line(struct buf *out, const struct merkle_vkey *k, struct slice signature);
/* Parses a signed checkpoint and verifies the log key's signature on it. Its origin must be the name of that
 * key, its text three lines without extensions, its signatures at most COSIGNATURES_MAX + 1, and one by this
 * key; those of other keys are skipped. BOURN_E_FORMAT / BOURN_E_LIMIT / BOURN_E_CRYPTO. */
enum bourn_err merkle_checkpoint_open(struct slice note, const struct merkle_vkey *log_key,
                                      struct merkle_checkpoint *out) BOURN_MUST_USE;
/* Any signed note: verifies the log key's signature on it; *text is what is signed, with its last newline.
 * The same errors. */
enum bourn_err merkle_note_open(struct slice note, const struct merkle_vkey *log_key,
                                struct slice *text) BOURN_MUST_USE;
/* Verifies one cosignature/v1 of `witness` on an opened checkpoint's note; *time_s is its time.
 * BOURN_E_NOT_FOUND if there is none, BOURN_E_CRYPTO if it is not good. `signature` of its line is the time,
 * 8 bytes, and 64 bytes. */
enum bourn_err merkle_cosignature_check(struct slice note, const struct merkle_vkey *witness,
                                        uint64_t *time_s) BOURN_MUST_USE;

/* Receipts (docs/formats/receipts.md): the log's key says that its tree of `size` and `root` holds `leaf` at
 * `index`. A signed note with a text of its own kind, which is no checkpoint. */
struct merkle_receipt {
    uint64_t index, size;
    struct merkle_hash leaf, root;
};
void merkle_receipt_text(struct buf *out, struct slice origin, const struct merkle_receipt *r);
/* Parses and verifies; the origin must be the name of the key. BOURN_E_FORMAT / _LIMIT / _CRYPTO. */
enum bourn_err merkle_receipt_open(struct slice note, const struct merkle_vkey *log_key,
                                   struct merkle_receipt *out) BOURN_MUST_USE;

/* Events (docs/formats/events.md): a receipt under a first line of its own, with more lines behind: what the
 * cell says of the entry. The lines are printable ASCII, each with its newline, none empty. */
void merkle_event_text(struct buf *out, struct slice origin, const struct merkle_receipt *r,
                       struct slice lines);
bool merkle_event_lines_ok(struct slice lines); /* at least one line, EVENT_LINES_BYTES_MAX */
bool merkle_is_event(struct slice note);        /* by its first line */
/* As merkle_receipt_open; *lines borrows from the note. */
enum bourn_err merkle_event_open(struct slice note, const struct merkle_vkey *log_key,
                                 struct merkle_receipt *out, struct slice *lines) BOURN_MUST_USE;

/* C2SP tlog-proof: index, inclusion proof, checkpoint. */
void merkle_tlog_proof_put(struct buf *out, uint64_t index, const struct merkle_hash *proof, size_t n,
                           struct slice checkpoint);
/* Parses, verifies the checkpoint, and that its tree holds `leaf` at the proof's index: *out says where.
 * BOURN_E_FORMAT / _LIMIT / _CRYPTO. */
enum bourn_err merkle_tlog_proof_open(struct slice text, const struct merkle_vkey *log_key,
                                      const struct merkle_hash *leaf,
                                      struct merkle_receipt *out) BOURN_MUST_USE;

#endif
