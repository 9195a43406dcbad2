/* The allow list of system calls of each role. */
#ifndef BOURN_SANDBOX_SECCOMP_H
#define BOURN_SANDBOX_SECCOMP_H

#include "sandbox/sandbox.h"

/* Loads the role's filter for all threads of the process. Whatever is not on the list kills the process. */
enum bourn_err seccomp_restrict(enum sandbox_role role) BOURN_MUST_USE;

#endif
