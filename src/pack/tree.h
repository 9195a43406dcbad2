/* A YAML document as a tree of nodes with line and column; internal to pack. libyaml parses; this keeps only
 * what packs need and refuses the rest: anchors, aliases, tags, a second document, doubled keys, deep
 * nesting. */
#ifndef BOURN_PACK_TREE_H
#define BOURN_PACK_TREE_H

#include "base/arena.h"
#include "base/err.h"

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };
struct node {
    enum node_type type;
    unsigned line, column; /* from 1 */
    struct slice text;     /* scalar */
    bool quoted;           /* "null" is a word, null is none */
    struct slice key;      /* of this node within its map */
    unsigned key_line, key_column;
    struct node *first, *next; /* children in order; next sibling */
};

/* Nodes and text live in the arena. BOURN_E_FORMAT with line and column. */
enum bourn_err tree_parse(struct slice yaml, struct arena *a, struct node **root) BOURN_MUST_USE;

const struct node *tree_get(const struct node *map, const char *key); /* NULL if absent */
size_t tree_count(const struct node *n);                              /* of children */
bool tree_is_null(const struct node *n);

/* Sets "line L, column C: …" at the node; returns BOURN_E_FORMAT. */
enum bourn_err tree_error(const struct node *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* BOURN_E_FORMAT if `map` is no map or has a key that is none of the NULL-terminated list. `where` names it.
 */
enum bourn_err tree_check_keys(const struct node *map, const char *where,
                               const char *const *known) BOURN_MUST_USE;

enum bourn_err tree_bool(const struct node *n, bool *out) BOURN_MUST_USE;
enum bourn_err tree_number(const struct node *n, uint64_t *out) BOURN_MUST_USE;
enum bourn_err tree_time(const struct node *n, uint64_t *out) BOURN_MUST_USE;
/* A scalar that `valid` accepts; `what` says in words what it must be: "a country (two capital letters)". */
enum bourn_err tree_text(const struct node *n, bool (*valid)(struct slice), const char *what,
                         struct slice *out) BOURN_MUST_USE;

/* Places and texts of untrusted scalars in errors: at most so many bytes of them, and printable. */
struct slice tree_shown(const struct node *n);

#endif
