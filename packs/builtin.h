/* The packs that ship with bourn, compiled at build time from the YAML files of packs/; ascending by name. */
#ifndef BOURN_PACKS_BUILTIN_H
#define BOURN_PACKS_BUILTIN_H

#include "base/slice.h"

struct builtin_pack {
    const char *name;
    struct slice yaml, rules;
    uint8_t pin[32]; /* world_pin(yaml, rules) */
};
extern const struct builtin_pack builtin_packs[];
extern const size_t builtin_packs_n;

#endif
