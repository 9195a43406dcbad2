/* The statements of tests/vectors/statements.txt, as structs. */
#ifndef TESTS_CONSENT_FIXTURE_H
#define TESTS_CONSENT_FIXTURE_H

#include "consent/consent.h"

extern const uint8_t fixture_seed[32];
struct consent_statement fixture_consent(void);
struct key_statement fixture_key(const uint8_t public_key[32]);
struct own_statement fixture_export(void);
struct own_statement fixture_history(void);
/* The value of a line `<name> <value>` of the file; fails the test if there is none. Released by the caller.
 */
char *fixture_vector(const char *name);

#endif
