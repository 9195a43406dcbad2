#include "store/later.h"

#include "base/buf.h"

#include <stdlib.h>

enum { ROOM_FIRST = 1024 };

static struct slice key_of(const struct later_row *r)
{
    return slice_of(r->key, r->key_n);
}

bool later_fits(struct slice key, struct slice value)
{
    return key.n >= 8 && key.n <= LATER_KEY_BYTES_MAX && value.n == LATER_VALUE_BYTES;
}

void later_release(struct later *l)
{
    free(l->rows);
    free(l->table);
    *l = (struct later){0};
}

/* The row's place in the table, or the empty one where it would stand. The table has twice as many places as
 * rows have room; keys are hashes already. */
static uint32_t *place(const struct later *l, struct slice key)
{
    uint32_t mask = 2 * l->room - 1, at = (uint32_t)be_get(key.p + 4, 4) & mask;
    while (l->table[at] && !slice_eq(key_of(&l->rows[l->table[at] - 1]), key))
        at = (at + 1) & mask;
    return &l->table[at];
}

static enum bourn_err enlarge(struct later *l)
{
    struct later more = {.room = l->room ? 2 * l->room : ROOM_FIRST, .n = l->n};
    if (l->n == LATER_ROWS_MAX)
        return err_set(BOURN_E_LIMIT, "%u rows are held back", l->n);
    more.rows = calloc(more.room, sizeof *more.rows);
    more.table = calloc(2 * (size_t)more.room, sizeof *more.table);
    if (!more.rows || !more.table) {
        later_release(&more);
        return err_set(BOURN_E_MEMORY, "out of memory for rows of the store");
    }
    for (uint32_t i = 0; i < l->n; i++) {
        more.rows[i] = l->rows[i];
        *place(&more, key_of(&more.rows[i])) = i + 1;
    }
    later_release(l);
    *l = more;
    return BOURN_OK;
}

enum bourn_err later_put(struct later *l, struct slice key, struct slice value)
{
    bourn_assert(later_fits(key, value));
    enum bourn_err err = l->n == l->room ? enlarge(l) : BOURN_OK;
    if (err)
        return err;
    uint32_t *at = place(l, key);
    if (!*at) {
        struct later_row *r = &l->rows[l->n++];
        memcpy(r->key, key.p, key.n);
        r->key_n = (uint8_t)key.n;
        *at = l->n;
    }
    memcpy(l->rows[*at - 1].value, value.p, LATER_VALUE_BYTES);
    return BOURN_OK;
}

const struct later_row *later_find(const struct later *l, struct slice key)
{
    if (!l->n || key.n < 8)
        return NULL;
    uint32_t at = *place(l, key);
    return at ? &l->rows[at - 1] : NULL;
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(key_of(a), key_of(b));
}

void later_sort(struct later *l)
{
    if (l->n)
        qsort(l->rows, l->n, sizeof *l->rows, by_key);
}

void later_clear(struct later *l)
{
    if (l->n)
        memset(l->table, 0, 2 * (size_t)l->room * sizeof *l->table);
    l->n = 0;
}
