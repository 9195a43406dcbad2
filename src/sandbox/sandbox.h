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

/* One of these, after everything that the role may not do any more (opening, binding, mapping its rings) and
 * before its threads start. Parent, front and signer reach no file. */
enum bourn_err sandbox_enter(enum sandbox_role role) BOURN_MUST_USE;
/* Vault: the folders of its cell, but of the signer's the head alone. */
enum bourn_err sandbox_enter_vault(const char *cell) BOURN_MUST_USE;
/* SANDBOX_WITNESS: the folder of what it signed. */
enum bourn_err sandbox_enter_witness(const char *state) BOURN_MUST_USE;
/* SANDBOX_PARENT_TLS: files below these folders (NULL at the end) may be opened for reading. */
enum { SANDBOX_FOLDERS_MAX = 4 };
enum bourn_err sandbox_enter_reading(const char *const *folders) BOURN_MUST_USE;
/* SANDBOX_RELAY: it may connect to these TCP ports (0 at the end). */
enum bourn_err sandbox_enter_relay(const uint16_t *ports) BOURN_MUST_USE;
/* Whether sandbox_enter would confine: false only in a debug build that was told so. */
bool sandbox_on(void);

#endif
