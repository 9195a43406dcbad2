/* Private to src/ledger: which partial files are on disk, and when each may go.
 *
 * A partial of hashes or entries is needed until its full file exists (tlog-tiles), one of rows until a wider
 * one exists: nobody but this server serves rows, and it cuts them out of the wider file. From then on it
 * stays until two more checkpoints are published (the first of them may have been in flight already) and 60 s
 * after the second, for readers that hold a checkpoint from before. */
#ifndef BOURN_LEDGER_PARTIALS_H
#define BOURN_LEDGER_PARTIALS_H

#include "io/io.h"
#include "merkle/merkle.h"

#define PARTIALS_KEPT_MS 60000
#define PARTIALS_KEPT_CHECKPOINTS 2

struct partial {
    struct merkle_tile tile;
    bool superseded;
    uint64_t published; /* checkpoints published when it was superseded */
    uint64_t due_ms;    /* 0 until PARTIALS_KEPT_CHECKPOINTS more were */
};
struct partials {
    struct partial *p;
    size_t n, size;
    uint64_t published;
};

void partials_release(struct partials *s);
enum bourn_err partials_add(struct partials *s, const struct merkle_tile *t) BOURN_MUST_USE;
/* Those of t's tile but for t's own width are superseded. */
void partials_supersede(struct partials *s, const struct merkle_tile *t);
/* A checkpoint was published at now_ms (monotonic): removes the files that are due. */
void partials_publish(struct partials *s, struct io_dir *cell, uint64_t now_ms);

#endif
