/* What a continued log carries over from a later copy of the old one. Read vault/internal.h first. */
#ifndef BOURN_VAULT_CARRY_H
#define BOURN_VAULT_CARRY_H

#include "merkle/merkle.h"
#include "vault/internal.h"

struct lost { /* an entry of the old log that the cell's own data does not reach, and that has to be heeded */
    uint64_t index, ends;
    uint32_t kind, asked_by;
};
struct old_log {
    struct io_dir *dir;     /* with ledger/ and rows/ */
    struct merkle_vkey key; /* of the old log */
    uint64_t size;          /* of its checkpoint */
    struct merkle_hash root;
    struct lost *lost;
    size_t lost_n;
};
/* Reads the whole copy: every entry against the root that its checkpoint signs, and its first `here` entries
 * against the cell's own root. Collects what has to be carried over. BOURN_E_CORRUPT with the reason. */
enum bourn_err old_log_read(struct old_log *o, uint64_t here, const struct merkle_hash *own) BOURN_MUST_USE;
/* One `carried` entry for each withdrawal and erasure of people who are here, then the parties that ended. */
enum bourn_err carry_over(struct vault *v, struct old_log *o, uint64_t here,
                          struct vault_continued *out) BOURN_MUST_USE;
void old_log_release(struct old_log *o);

#endif
