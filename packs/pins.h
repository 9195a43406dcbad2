/* Names and pins alone of the packs that ship with bourn, for bourn-verify: what it accepts without being
 * told. */
#ifndef BOURN_PACKS_PINS_H
#define BOURN_PACKS_PINS_H

#include "base/slice.h"

struct builtin_pin {
    const char *name;
    uint8_t pin[32]; /* world_pin of the pack's YAML and compiled rules */
};
extern const struct builtin_pin builtin_pins[];
extern const size_t builtin_pins_n;

#endif
