/* Rows of a space whose keys are hashes, held back so that they enter the tree in its order: one behind the
 * other a tree takes them for half of what it costs at random places. They are found here until then. */
#ifndef BOURN_STORE_LATER_H
#define BOURN_STORE_LATER_H

#include "base/err.h"
#include "base/slice.h"

enum { LATER_KEY_BYTES_MAX = 32, LATER_VALUE_BYTES = 8, LATER_ROWS_MAX = 1 << 16 };

struct later_row {
    uint8_t key[LATER_KEY_BYTES_MAX], value[LATER_VALUE_BYTES];
    uint8_t key_n;
};
struct later {
    struct later_row *rows;
    uint32_t *table; /* hash table over rows: position + 1 */
    uint32_t n, room;
};

void later_release(struct later *l);
/* Whether such a row can be held back; others go to the tree at once. */
bool later_fits(struct slice key, struct slice value);
/* Adds or replaces; BOURN_E_LIMIT if it is full: the rows have to go to the tree first. */
enum bourn_err later_put(struct later *l, struct slice key, struct slice value) BOURN_MUST_USE;
const struct later_row *later_find(const struct later *l, struct slice key); /* NULL: it is not here */
void later_sort(struct later *l); /* rows by key; then they go, and later_clear */
void later_clear(struct later *l);

#endif
