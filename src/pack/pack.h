/* Packs as people write them: YAML (docs/formats/packs.md) to compiled rules, and the examples that each pack
 * carries as its own test. The vault and the verifier read only what is compiled; this folder is for commands
 * and the build. */
#ifndef BOURN_PACK_PACK_H
#define BOURN_PACK_PACK_H

#include "base/buf.h"

/* Appends the canonical CBOR of the pack (gate_pack_encode). BOURN_E_FORMAT with "line L, column C: what is
 * wrong and what to write instead"; BOURN_E_LIMIT over PACK_YAML_BYTES_MAX. `rules` is unchanged on failure.
 */
enum bourn_err pack_compile(struct slice yaml, struct buf *rules) BOURN_MUST_USE;

/* Runs the pack's `examples` through gate_decide, with this pack alone in force; *n is how many there are. If
 * one differs: BOURN_E_CONFLICT with its line, what it says and what the gate says. Errors of pack_compile
 * otherwise. */
enum bourn_err pack_check_examples(struct slice yaml, size_t *n) BOURN_MUST_USE;

#endif
