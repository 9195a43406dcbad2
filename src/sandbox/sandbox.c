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

static enum bourn_err enter(enum sandbox_role role, const char *writable, const char *const *readable,
                            const uint16_t *ports)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    /* No core dump, and no other process of this user can attach or read its memory. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot forbid core dumps");
    if (!sandbox_on())
        return BOURN_OK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot give up new privileges");
    TRY(landlock_restrict(writable, readable, ports, role == SANDBOX_PARENT || role == SANDBOX_PARENT_TLS));
    TRY(seccomp_restrict(role));
out:
    return err;
}

enum bourn_err sandbox_enter(enum sandbox_role role, const char *writable)
{
    static const char *const none[] = {NULL};
    bourn_assert((role == SANDBOX_VAULT || role == SANDBOX_WITNESS) == (writable != NULL) &&
                 role != SANDBOX_PARENT_TLS && role != SANDBOX_RELAY);
    return enter(role, writable, none, NULL);
}

enum bourn_err sandbox_enter_reading(enum sandbox_role role, const char *const *folders)
{
    bourn_assert(role == SANDBOX_PARENT_TLS);
    return enter(role, NULL, folders, NULL);
}

enum bourn_err sandbox_enter_relay(const uint16_t *ports)
{
    static const char *const names[] = {
        "/etc/hosts",    "/etc/resolv.conf", "/etc/nsswitch.conf",   "/etc/host.conf",
        "/etc/gai.conf", "/etc/services",    "/etc/ssl/openssl.cnf", NULL};
    return enter(SANDBOX_RELAY, NULL, names, ports);
}
