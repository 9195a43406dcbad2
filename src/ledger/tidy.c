/* What a crash left in the folders of the edge: files beyond the mark (their bytes may never have reached the
 * disk; the journal brings them back), temporary names, and partials that nobody remembers. Looks at the
 * folder of the edge and the one before it, 1,000 tiles each: more than is written in the time that a partial
 * is kept. */
#include "base/text.h"
#include "ledger/internal.h"

#include <stdio.h>

enum { GROUP = 1000 };

struct place {
    struct ledger *l;
    struct merkle_tile edge; /* the tile that holds l->size, and its width at l->size */
    struct merkle_tile at;   /* the tile whose partials are listed */
    uint64_t group;          /* tiles of the folder start here */
    char path[TILES_PATH_BYTES_MAX];
};

static enum bourn_err remove_below(const struct place *p, const char *name)
{
    char path[2 * TILES_PATH_BYTES_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", p->path, name);
    return n > 0 && (size_t)n < sizeof path ? io_unlink(p->l->cell, path) : BOURN_OK;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static enum bourn_err on_partial(void *ctx, const char *name)
{
    struct place *p = ctx;
    p->at.width = tiles_width_of(name);
    bool beyond = p->at.n > p->edge.n || (p->at.n == p->edge.n && p->at.width > p->edge.width);
    if (ends_with(name, ".new") || (p->at.width && beyond))
        return remove_below(p, name);
    return p->at.width ? partials_add(&p->l->partials, &p->at) : BOURN_OK;
}

/* The partials of tile n. */
static enum bourn_err list_partials(const struct place *group, uint64_t n)
{
    struct place p = *group;
    struct io_dir *d = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    p.at.n = n;
    tiles_partials_path(&p.at, p.path);
    TRY(io_dir_at(p.l->cell, p.path, false, &d));
    TRY(io_dir_list(d, on_partial, &p));
    p.at.width = n == p.edge.n ? p.edge.width : MERKLE_TILE_WIDTH;
    if (n < p.edge.n || p.at.kind == MERKLE_TILE_ROWS)
        partials_supersede(&p.l->partials, &p.at);
out:
    io_dir_close(d);
    return err;
}

static enum bourn_err on_name(void *ctx, const char *name)
{
    struct place *p = ctx;
    unsigned n = 0;
    for (int i = 0; i < 3; i++) {
        if (name[i] < '0' || name[i] > '9')
            return BOURN_OK;
        n = n * 10 + (unsigned)(name[i] - '0');
    }
    const char *rest = name + 3;
    if (strcmp(rest, ".p") == 0)
        return list_partials(p, p->group + n);
    if (strcmp(rest, ".new") == 0 || (!*rest && p->group + n >= p->edge.n))
        return remove_below(p, name);
    return BOURN_OK;
}

static enum bourn_err tidy_group(struct ledger *l, struct merkle_tile edge, uint64_t group)
{
    struct place p = {.l = l, .edge = edge, .at = edge, .group = group};
    struct io_dir *d = NULL;
    p.at.n = group;
    tiles_partials_path(&p.at, p.path);
    *strrchr(p.path, '/') = '\0';
    enum bourn_err err = io_dir_at(l->cell, p.path, false, &d);
    if (!err)
        err = io_dir_list(d, on_name, &p);
    io_dir_close(d);
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

static enum bourn_err tidy_edge(struct ledger *l, enum merkle_tile_kind kind, unsigned level)
{
    struct merkle_tile edge = {kind, level, merkle_tile_full(l->size, level),
                               merkle_tile_partial(l->size, level)};
    uint64_t group = edge.n / GROUP * GROUP;
    enum bourn_err err = group ? tidy_group(l, edge, group - GROUP) : BOURN_OK;
    return err ? err : tidy_group(l, edge, group);
}

enum bourn_err ledger_tidy(struct ledger *l)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    l->partials.n = 0; /* all are found again */
    TRY(tidy_edge(l, MERKLE_TILE_ENTRIES, 0));
    TRY(tidy_edge(l, MERKLE_TILE_ROWS, 0));
    for (unsigned level = 0; level < LEDGER_LEVELS; level++)
        TRY(tidy_edge(l, MERKLE_TILE_HASHES, level));
out:
    return err;
}
