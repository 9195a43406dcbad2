/* The parts of the compiler that its files share; internal to pack. */
#ifndef BOURN_PACK_COMPILE_H
#define BOURN_PACK_COMPILE_H

#include "gate/gate.h"
#include "pack/tree.h"

/* Builds the pack from its tree; everything lies in the arena. */
enum bourn_err compile_pack(const struct node *root, struct arena *a, struct gate_pack *out) BOURN_MUST_USE;
/* `require` of a rule into expressions in prefix order (expr.c). */
enum bourn_err compile_require(const struct node *n, struct arena *a, struct gate_rule *rule) BOURN_MUST_USE;
/* A list of words, each once, sorted; never empty. `what` says what an item must be. */
enum bourn_err compile_list(const struct node *n, struct arena *a, bool (*valid)(struct slice),
                            const char *what, struct gate_list *out) BOURN_MUST_USE;
/* One word of a table, `name` gives the word of a code; codes run from 1 to most. */
enum bourn_err compile_word(const struct node *n, const char *(*name)(uint32_t), uint32_t codes,
                            uint32_t *out) BOURN_MUST_USE;

#define A_COUNTRY "a country (two capital letters, ISO 3166)"
#define A_NAME "a name (1 to 64 of a-z A-Z 0-9 _ - .)"
#define A_TERM "a term (for example dpv:Contract)"

#endif
