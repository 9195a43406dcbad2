/* What a backend gives to store.c. To add one: fill this table, and let its open function hand out a struct
 * that begins with a struct store. store.c has checked keys and counts changes. */
#ifndef BOURN_STORE_BACKEND_H
#define BOURN_STORE_BACKEND_H

#include "store/store.h"

struct store_backend {
    void (*close)(struct store *s);
    enum bourn_err (*get)(struct store *s, enum store_space space, struct slice key, struct slice *value);
    enum bourn_err (*put)(struct store *s, enum store_space space, struct slice key, struct slice value);
    enum bourn_err (*del)(struct store *s, enum store_space space, struct slice key);
    /* First key >= from, whatever it begins with. */
    enum bourn_err (*seek)(struct store *s, enum store_space space, struct slice from, struct slice *key,
                           struct slice *value);
    uint64_t (*count)(struct store *s, enum store_space space);
    enum bourn_err (*commit)(struct store *s);
    enum bourn_err (*abort)(struct store *s);
};

struct store {
    const struct store_backend *backend;
    uint64_t changed_rows;
    bool failed; /* a commit or abort failed: there is no transaction any more */
};

/* A constant sentence: this is the common answer of a look-up. */
static inline enum bourn_err store_absent(void)
{
    return err_set(BOURN_E_NOT_FOUND, "no such row");
}

#endif
