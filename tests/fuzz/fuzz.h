/* Fuzz targets: what reads bytes that bourn did not write itself, each as a function of one input that aborts
 * on a finding. One program holds them all: under libFuzzer it runs the target that BOURN_FUZZ_TARGET names;
 * built without, it replays files and runs every target over its seeds and random damage to them (main.c). */
#ifndef BOURN_TESTS_FUZZ_H
#define BOURN_TESTS_FUZZ_H

#include "base/buf.h"

struct fuzz_target {
    const char *name;
    void (*run)(struct slice in);
    void (*seeds)(void);  /* gives its seeds to fuzz_seed; NULL: none */
    size_t bytes_max;     /* of an input */
    unsigned test_rounds; /* damaged seeds in the unit test */
};
/* One table a file, ended by a NULL name. */
extern const struct fuzz_target fuzz_text[], fuzz_cbor[], fuzz_merkle[], fuzz_gate[], fuzz_consent[],
    fuzz_ipc[], fuzz_api[], fuzz_cli[], fuzz_files[], fuzz_verify[], fuzz_vault[], fuzz_log[], fuzz_kept[],
    fuzz_witness[];

/* A finding: what was promised is not so. */
#define fuzz_check(cond) bourn_assert(cond)
void fuzz_ok(enum bourn_err err); /* aborts with err_text() */

void fuzz_seed(struct slice s);
/* The good and bad vectors of a file below tests/vectors: hex in the column `column` of lines that begin with
 * `word`; before each one stands the byte `prefix` unless it is negative. */
void fuzz_seed_vectors(const char *file, const char *word, unsigned column, int prefix);
void fuzz_seed_file(const char *path_in_tree);
/* Whole file; false if absent. `out` is appended to. */
bool fuzz_read(const char *path, struct buf *out);
void fuzz_write(const char *path, struct slice bytes);

/* Takes an input apart. At its end come zeros. */
struct dice {
    struct slice left;
};
uint8_t dice_u8(struct dice *d);
uint64_t dice_number(struct dice *d, unsigned bytes); /* big-endian */
size_t dice_below(struct dice *d, size_t n);          /* one byte for n <= 256, else two; 0 for n 0 */
struct slice dice_take(struct dice *d, size_t most);  /* a length of one byte (two where most > 255), bytes */
/* Numbers at the edges that parsers get wrong. */
uint64_t dice_edge(struct dice *d);
/* Changes b as the next bytes of the input say: a number of edits, each set, flip, insert, remove, cut, copy.
 */
void dice_edit(struct dice *d, struct buf *b);

/* A folder in memory: what lies on disk is put back from it between two inputs. */
struct fuzz_file {
    char *path; /* relative */
    struct buf bytes;
};
struct fuzz_tree {
    struct fuzz_file *v;
    size_t n;
};
/* A new folder for the process, removed at exit; in memory where there is /dev/shm. */
const char *fuzz_dir(void);
void fuzz_tree_load(struct fuzz_tree *t, const char *dir);
void fuzz_tree_store(const struct fuzz_tree *t, const char *dir); /* removes what else is there */
void fuzz_remove(const char *path);                               /* with everything below; absent is fine */

#endif
