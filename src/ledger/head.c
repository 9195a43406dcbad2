/* The signer's head (docs/formats/head.md): two slots, written in turn, each in a block of its own, so that a
 * write cut off by a power failure spoils only the older one. */
#include "crypto/crypto.h"
#include "io/io.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

enum {
    SLOT_BYTES = 128,
    SLOT_DISTANCE = 4096, /* a disk tears at sectors; no sector holds parts of both */
    AT_GENERATION = 8,
    AT_SIZE = 16,
    AT_ROOT = 24,
    AT_CHECKSUM = 96, /* over all before it; 56..95 are zero */
};
static const char magic[] = "bournhd1";

static void checksum(const uint8_t slot[SLOT_BYTES], uint8_t out[32])
{
    crypto_sha256_1(out, slice_of(slot, AT_CHECKSUM));
}

static void encode(uint8_t slot[SLOT_BYTES], const struct ledger_head *h, uint64_t generation)
{
    memset(slot, 0, SLOT_BYTES);
    memcpy(slot, magic, AT_GENERATION);
    be_put(slot + AT_GENERATION, generation, 8);
    be_put(slot + AT_SIZE, h->size, 8);
    memcpy(slot + AT_ROOT, h->root, sizeof h->root);
    checksum(slot, slot + AT_CHECKSUM);
}

/* Takes the slot if it is valid and newer than what was found. */
static void decode(const uint8_t slot[SLOT_BYTES], unsigned which, struct ledger_head *out,
                   uint64_t *generation)
{
    uint8_t sum[32];
    checksum(slot, sum);
    uint64_t g = be_get(slot + AT_GENERATION, 8);
    if (memcmp(slot, magic, AT_GENERATION) != 0 || memcmp(sum, slot + AT_CHECKSUM, sizeof sum) != 0 ||
        g % 2 != which || g <= *generation)
        return;
    *generation = g;
    out->size = be_get(slot + AT_SIZE, 8);
    memcpy(out->root, slot + AT_ROOT, sizeof out->root);
}

enum bourn_err ledger_head_read(struct io_file *f, struct ledger_head *out, uint64_t *generation)
{
    static const uint8_t zero[SLOT_BYTES];
    uint8_t slot[2][SLOT_BYTES] = {{0}, {0}};
    uint64_t bytes = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash empty;
    merkle_empty(&empty);
    out->size = *generation = 0;
    memcpy(out->root, empty.b, sizeof out->root);
    TRY(io_size(f, &bytes));
    for (unsigned i = 0; i < 2; i++) {
        uint64_t start = (uint64_t)i * SLOT_DISTANCE, left = bytes > start ? bytes - start : 0;
        if (left)
            TRY(io_read(f, start, slot[i], left < SLOT_BYTES ? (size_t)left : SLOT_BYTES));
        decode(slot[i], i, out, generation);
    }
    /* The first write goes to slot 1: if it was cut off, slot 0 is untouched and nothing was ever signed. */
    if (*generation == 0 && memcmp(slot[0], zero, SLOT_BYTES) != 0)
        err = err_set(BOURN_E_CORRUPT,
                      "the signer's head is unreadable in both slots; restore the signer's folder");
out:
    return err;
}

enum bourn_err ledger_head_write(struct io_file *f, const struct ledger_head *h, uint64_t *generation)
{
    uint8_t slot[SLOT_BYTES];
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t next = *generation + 1;
    bourn_assert(next != 0);
    encode(slot, h, next);
    TRY(io_write(f, next % 2 * SLOT_DISTANCE, slot, sizeof slot));
    TRY(io_datasync(f));
    *generation = next;
out:
    return err;
}

enum bourn_err ledger_head_extend(const struct ledger_head *head, uint64_t size, const uint8_t root[32],
                                  const struct merkle_hash *proof, size_t n)
{
    struct merkle_hash old, new;
    memcpy(old.b, head->root, sizeof old.b);
    memcpy(new.b, root, sizeof new.b);
    if (n <= MERKLE_PROOF_MAX && merkle_verify_consistency(head->size, &old, size, &new, proof, n))
        return BOURN_OK;
    return err_set(
        BOURN_E_DENIED,
        "a tree of %llu entries does not extend the last signed one of %llu: a restored backup or a fork; "
        "nothing is signed (docs/guide/restored-backup.md)",
        (unsigned long long)size, (unsigned long long)head->size);
}
