#include "ledger/partials.h"

#include "base/log.h"
#include "ledger/tiles.h"

#include <stdlib.h>

enum { FIRST_SIZE = 64 };

void partials_release(struct partials *s)
{
    free(s->p);
    *s = (struct partials){0};
}

enum bourn_err partials_add(struct partials *s, const struct merkle_tile *t)
{
    if (s->n == s->size) {
        size_t size = s->size ? 2 * s->size : FIRST_SIZE;
        struct partial *p = reallocarray(s->p, size, sizeof *p);
        if (!p)
            return err_set(BOURN_E_MEMORY, "no memory for the list of %zu partial tiles", size);
        s->p = p;
        s->size = size;
    }
    s->p[s->n++] = (struct partial){.tile = *t};
    return BOURN_OK;
}

void partials_supersede(struct partials *s, const struct merkle_tile *t)
{
    for (size_t i = 0; i < s->n; i++) {
        struct partial *p = &s->p[i];
        if (p->superseded || p->tile.kind != t->kind || p->tile.level != t->level || p->tile.n != t->n ||
            p->tile.width == t->width)
            continue;
        p->superseded = true;
        p->published = s->published;
    }
}

static bool is_due(struct partial *p, uint64_t published, uint64_t now_ms)
{
    if (!p->superseded || published - p->published < PARTIALS_KEPT_CHECKPOINTS)
        return false;
    if (!p->due_ms)
        p->due_ms = now_ms + PARTIALS_KEPT_MS;
    return p->due_ms <= now_ms;
}

void partials_publish(struct partials *s, struct io_dir *cell, uint64_t now_ms)
{
    size_t kept = 0;
    s->published++;
    for (size_t i = 0; i < s->n; i++) {
        char path[TILES_PATH_BYTES_MAX];
        if (!is_due(&s->p[i], s->published, now_ms)) {
            s->p[kept++] = s->p[i];
            continue;
        }
        tiles_path(&s->p[i].tile, path);
        if (io_unlink(cell, path) != BOURN_OK)
            log_warning("a superseded tile stays on disk: %s", err_text());
    }
    s->n = kept;
}
