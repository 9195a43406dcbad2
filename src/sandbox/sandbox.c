#include "sandbox/sandbox.h"

#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

bool sandbox_on(void)
{
#ifdef BOURN_DEBUG
    const char *word = getenv("BOURN_SANDBOX");
    return !word || strcmp(word, "off") != 0;
#else
    return true;
#endif
}

enum bourn_err sandbox_enter(enum sandbox_role role, const char *writable)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    bourn_assert((role == SANDBOX_VAULT) == (writable != NULL));
    /* No core dump, and no other process of this user can attach or read its memory. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot forbid core dumps");
    if (!sandbox_on())
        return BOURN_OK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot give up new privileges");
    TRY(landlock_restrict(writable, role == SANDBOX_PARENT));
    TRY(seccomp_restrict(role));
out:
    return err;
}
