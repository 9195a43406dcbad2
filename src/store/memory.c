/* The memory backend: a skip list for each space, and an undo list for abort. Simple before fast: it is what
 * the LMDB backend is tested against. */
#include "store/backend.h"

#include <stdlib.h>

enum { LEVELS = 16, POISON = 0xdb };

struct node {
    struct node *next[LEVELS]; /* only the first `levels` are used */
    uint8_t *value;
    size_t key_n, value_n;
    uint8_t key[STORE_KEY_BYTES_MAX];
};

/* How to take one change back: the value that the key had, or that it had none. */
struct undo {
    struct undo *older;
    enum store_space space;
    bool present;
    uint8_t *value;
    size_t key_n, value_n;
    uint8_t key[STORE_KEY_BYTES_MAX];
};

/* A copy that was lent by get or seek and dies at the next change. */
struct loan {
    struct loan *next;
    size_t n;
    uint8_t bytes[];
};

struct store_memory {
    struct store base;
    struct node *heads[STORE_SPACES][LEVELS];
    uint64_t counts[STORE_SPACES];
    struct undo *undo;
    struct loan *loans;
    uint64_t dice;
};

static struct store_memory *self(struct store *s)
{
    return (struct store_memory *)s;
}

static enum bourn_err no_memory(void)
{
    return err_set(BOURN_E_MEMORY, "out of memory in the memory store");
}

static unsigned roll_levels(struct store_memory *m)
{
    m->dice = m->dice * 6364136223846793005u + 1442695040888963407u;
    unsigned levels = 1;
    for (uint64_t bits = m->dice >> 32; (bits & 3) == 0 && levels < LEVELS; bits >>= 2)
        levels++;
    return levels;
}

static struct slice key_of(const struct node *n)
{
    return slice_of(n->key, n->key_n);
}

/* Sets before[l] to the link on level l that points at the first node with a key >= key; returns that node.
 */
static struct node *find(struct store_memory *m, enum store_space space, struct slice key,
                         struct node **before[LEVELS])
{
    struct node **links = m->heads[space];
    for (int l = LEVELS - 1; l >= 0; l--) {
        while (links[l] && slice_cmp(key_of(links[l]), key) < 0)
            links = links[l]->next;
        before[l] = &links[l];
    }
    return *before[0];
}

static struct node *find_exact(struct store_memory *m, enum store_space space, struct slice key,
                               struct node **before[LEVELS])
{
    struct node *n = find(m, space, key, before);
    return n && slice_eq(key_of(n), key) ? n : NULL;
}

static uint8_t *copy_bytes(struct slice s)
{
    uint8_t *p = malloc(s.n ? s.n : 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static void end_loans(struct store_memory *m)
{
    while (m->loans) {
        struct loan *l = m->loans;
        m->loans = l->next;
        memset(l->bytes, POISON, l->n);
        free(l);
    }
}

/* What the caller gets to see: in debug builds a copy, so that a use after the next change is noticed. */
static enum bourn_err lend(struct store_memory *m, struct slice *s)
{
#ifdef BOURN_DEBUG
    struct loan *l = malloc(sizeof *l + s->n);
    if (!l)
        return no_memory();
    l->n = s->n;
    if (s->n)
        memcpy(l->bytes, s->p, s->n);
    l->next = m->loans;
    m->loans = l;
    s->p = l->bytes;
#else
    (void)m;
    (void)s;
#endif
    return BOURN_OK;
}

/* Changes a key without an undo record. value is taken over; NULL deletes. Returns false out of memory. */
static bool apply(struct store_memory *m, enum store_space space, struct slice key, uint8_t *value,
                  size_t value_n)
{
    struct node **before[LEVELS];
    struct node *n = find_exact(m, space, key, before);
    if (n && value) {
        free(n->value);
    } else if (n) {
        for (unsigned l = 0; l < LEVELS; l++)
            if (*before[l] == n)
                *before[l] = n->next[l];
        free(n->value);
        free(n);
        m->counts[space]--;
        return true;
    } else if (value) {
        n = calloc(1, sizeof *n);
        if (!n)
            return false;
        memcpy(n->key, key.p, key.n);
        n->key_n = key.n;
        for (unsigned l = 0, levels = roll_levels(m); l < levels; l++) {
            n->next[l] = *before[l];
            *before[l] = n;
        }
        m->counts[space]++;
    } else {
        return true;
    }
    n->value = value;
    n->value_n = value_n;
    return true;
}

static enum bourn_err change(struct store_memory *m, enum store_space space, struct slice key,
                             const struct slice *value)
{
    struct node **before[LEVELS];
    struct undo *u = calloc(1, sizeof *u);
    uint8_t *copy = value ? copy_bytes(*value) : NULL;
    if (!u || (value && !copy))
        goto no_memory;
    struct node *old = find_exact(m, space, key, before);
    *u = (struct undo){.older = m->undo, .space = space, .present = old != NULL, .key_n = key.n};
    memcpy(u->key, key.p, key.n);
    if (old) {
        u->value_n = old->value_n;
        u->value = copy_bytes(slice_of(old->value, old->value_n));
        if (!u->value)
            goto no_memory;
    }
    if (!apply(m, space, key, copy, value ? value->n : 0))
        goto no_memory;
    m->undo = u;
    end_loans(m);
    return BOURN_OK;
no_memory:
    if (u)
        free(u->value);
    free(u);
    free(copy);
    return no_memory();
}

static enum bourn_err memory_get(struct store *s, enum store_space space, struct slice key,
                                 struct slice *value)
{
    struct node **before[LEVELS];
    struct node *n = find_exact(self(s), space, key, before);
    if (!n)
        return store_absent();
    *value = slice_of(n->value, n->value_n);
    return lend(self(s), value);
}

static enum bourn_err memory_put(struct store *s, enum store_space space, struct slice key,
                                 struct slice value)
{
    return change(self(s), space, key, &value);
}

static enum bourn_err memory_del(struct store *s, enum store_space space, struct slice key)
{
    return change(self(s), space, key, NULL);
}

static enum bourn_err memory_seek(struct store *s, enum store_space space, struct slice from,
                                  struct slice *key, struct slice *value)
{
    struct node **before[LEVELS];
    struct node *n = find(self(s), space, from, before);
    if (!n)
        return store_absent();
    *key = key_of(n);
    *value = slice_of(n->value, n->value_n);
    enum bourn_err err = lend(self(s), key);
    return err ? err : lend(self(s), value);
}

static uint64_t memory_count(struct store *s, enum store_space space)
{
    return self(s)->counts[space];
}

static void forget_undo(struct store_memory *m)
{
    while (m->undo) {
        struct undo *u = m->undo;
        m->undo = u->older;
        free(u->value);
        free(u);
    }
}

static enum bourn_err memory_commit(struct store *s)
{
    end_loans(self(s));
    forget_undo(self(s));
    return BOURN_OK;
}

static enum bourn_err memory_abort(struct store *s)
{
    struct store_memory *m = self(s);
    end_loans(m);
    for (struct undo *u = m->undo; u; u = u->older) {
        if (!apply(m, u->space, slice_of(u->key, u->key_n), u->present ? u->value : NULL, u->value_n))
            return no_memory();
        u->value = NULL; /* the node has it now */
    }
    forget_undo(m);
    return BOURN_OK;
}

static void memory_close(struct store *s)
{
    struct store_memory *m = self(s);
    end_loans(m);
    forget_undo(m);
    for (unsigned i = 0; i < STORE_SPACES; i++) {
        for (struct node *n = m->heads[i][0]; n;) {
            struct node *next = n->next[0];
            free(n->value);
            free(n);
            n = next;
        }
    }
    free(m);
}

static const struct store_backend memory_backend = {
    .close = memory_close,
    .get = memory_get,
    .put = memory_put,
    .del = memory_del,
    .seek = memory_seek,
    .count = memory_count,
    .commit = memory_commit,
    .abort = memory_abort,
};

enum bourn_err store_open_memory(struct store **out)
{
    struct store_memory *m = calloc(1, sizeof *m);
    if (!m)
        return no_memory();
    m->base.backend = &memory_backend;
    m->dice = 1;
    *out = &m->base;
    return BOURN_OK;
}
