/* Confinement of a role by the kernel: no new privileges, no core dump, Landlock, then seccomp with an allow
 * list of its own (violation: the process is killed). On by default; a debug build (BOURN_DEBUG) can switch
 * it off with BOURN_SANDBOX=off, which sanitizers need. A release build has no switch and refuses to start
 * where the kernel lacks seccomp or Landlock. */
#ifndef BOURN_SANDBOX_SANDBOX_H
#define BOURN_SANDBOX_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum sandbox_role {
    SANDBOX_PARENT,
    SANDBOX_FRONT,
    SANDBOX_VAULT,
    SANDBOX_SIGNER,
    SANDBOX_PARENT_TLS, /* a parent that may read the certificate again */
    SANDBOX_RELAY,      /* HTTP out to given ports, and what the look-up of names reads */
    SANDBOX_WITNESS,    /* a witness: HTTP like front, and the folder of what it signed */
};

/* Call after everything the role may not do any more (opening, binding, mapping its rings) and before its
 * threads start. `writable`: the one folder that vault or a witness may use (NULL for the
 * others). */
enum bourn_err sandbox_enter(enum sandbox_role role, const char *writable) BOURN_MUST_USE;
/* The same for SANDBOX_PARENT_TLS: files below these folders (NULL at the end) may be opened for reading. */
enum bourn_err sandbox_enter_reading(enum sandbox_role role, const char *const *folders) BOURN_MUST_USE;
/* The same for SANDBOX_RELAY: it may connect to these TCP ports (0 at the end). */
enum bourn_err sandbox_enter_relay(const uint16_t *ports) BOURN_MUST_USE;
/* Whether sandbox_enter would confine: false only in a debug build that was told so. */
bool sandbox_on(void);

#endif
