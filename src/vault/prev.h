/* The small state of every subject as flat arrays by subject number, in memory: index of the last entry with
 * a row of the person (the chain's head), and the generation of the sealed state row, so that a rolled-back
 * row is noticed at the next read. 12 bytes a person; a snapshot file bounds the replay.
 * docs/formats/state.md */
#ifndef BOURN_VAULT_PREV_H
#define BOURN_VAULT_PREV_H

#include "base/err.h"
#include "base/slice.h"

struct io_dir;
struct prev;                   /* growable arrays in anonymous memory */
#define PREV_NONE UINT64_MAX   /* no entry yet */
#define PREV_ERASED UINT32_MAX /* generation of an erased person */

enum bourn_err prev_new(struct prev **out) BOURN_MUST_USE;
void prev_free(struct prev *p);
uint64_t prev_count(const struct prev *p);  /* subject numbers in use: 0 .. count-1 */
uint64_t prev_living(const struct prev *p); /* of these, who is not erased */
/* Sets head and generation of `number` (<= count; equal appends). */
enum bourn_err prev_set(struct prev *p, uint64_t number, uint64_t head, uint32_t generation) BOURN_MUST_USE;
uint64_t prev_head(const struct prev *p, uint64_t number);
uint32_t prev_generation(const struct prev *p, uint64_t number);
void prev_prefetch(const struct prev *p, uint64_t number); /* both will be asked for soon: a hint */
uint64_t prev_snapshot_bytes(const struct prev *p);
/* Snapshot to state/prev (temporary name, fsync, rename, folder sync), stamped with journal sequence `mark`,
 * with a SHA-256 over it. And back: mark 0 and empty if the file is absent; BOURN_E_CORRUPT if it does not
 * check. */
enum bourn_err prev_save(const struct prev *p, struct io_dir *cell, uint64_t mark) BOURN_MUST_USE;
enum bourn_err prev_load(struct prev *p, struct io_dir *cell, uint64_t *mark) BOURN_MUST_USE;

#endif
