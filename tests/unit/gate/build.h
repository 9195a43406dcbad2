/* Entries and packs for the tests of world and person. */
#ifndef BOURN_TESTS_GATE_BUILD_H
#define BOURN_TESTS_GATE_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gate/person.h"

#define T0 1795255200u /* 2026-11-21T10:00:00Z */
#define DELAY 86400u

struct build {
    struct world *w;
    struct arena arena;
    uint64_t next, time;
    const char *clause;
};

void build_init(struct build *b); /* a world with genesis: domicile CN, delay DELAY */
void build_release(struct build *b);

/* Encodes, applies at index `next` and time `time`; `next` moves on if it was accepted. */
enum bourn_err build_apply(struct build *b, struct entry *e);
/* The same, of the kinds below; lists are literals. */
enum bourn_err build_party(struct build *b, const char *name, const char *country);
enum bourn_err build_end(struct build *b, uint64_t party);
enum bourn_err build_collection(struct build *b, const char *name, uint64_t version);
enum bourn_err build_notice(struct build *b, const char *name, const char *language, uint64_t version);
enum bourn_err build_policy(struct build *b, const char *name, uint64_t version, uint64_t from, uint64_t to);
enum bourn_err build_config(struct build *b, const char *name, const char *value);

#define REFUSED(call, b, word)                                                                               \
    do {                                                                                                     \
        assert_int_equal(call, BOURN_E_CONFLICT);                                                            \
        assert_string_equal((b)->clause, word);                                                              \
    } while (0)

#endif
