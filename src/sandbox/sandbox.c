#include "sandbox/sandbox.h"

#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

#include <limits.h>
#include <stdio.h>
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

static enum bourn_err enter(enum sandbox_role role, const struct landlock_path *paths, const uint16_t *ports)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    /* No core dump, and no other process of this user can attach or read its memory. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot forbid core dumps");
    if (!sandbox_on())
        return BOURN_OK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot give up new privileges");
    TRY(landlock_restrict(paths, ports, role == SANDBOX_PARENT || role == SANDBOX_PARENT_TLS));
    TRY(seccomp_restrict(role));
out:
    return err;
}

enum bourn_err sandbox_enter(enum sandbox_role role)
{
    static const struct landlock_path none[] = {{NULL, LANDLOCK_READ}};
    bourn_assert(role == SANDBOX_PARENT || role == SANDBOX_FRONT || role == SANDBOX_SIGNER);
    return enter(role, none, NULL);
}

enum bourn_err sandbox_enter_vault(const char *cell)
{
    /* Of the signer's folder the head alone: the log's key is the signer's. */
    static const struct landlock_path within[] = {
        {"", LANDLOCK_LIST},
        {"/journal", LANDLOCK_USE},
        {"/keys", LANDLOCK_USE},
        {"/ledger", LANDLOCK_USE},
        {"/rows", LANDLOCK_USE},
        {"/state", LANDLOCK_USE},
        {"/store", LANDLOCK_USE},
        {"/bourn.yaml", LANDLOCK_READ},
        {"/ledger.vkey", LANDLOCK_READ},
        {"/signer/head", LANDLOCK_READ},
    };
    enum { N = sizeof within / sizeof within[0] };
    struct landlock_path paths[N + 1] = {0};
    char names[N][PATH_MAX];
    for (size_t i = 0; i < N; i++) {
        if (snprintf(names[i], sizeof names[i], "%s%s", cell, within[i].path) >= PATH_MAX)
            return err_set(BOURN_E_USAGE, "the path of the cell is too long");
        paths[i] = (struct landlock_path){names[i], within[i].right};
    }
    return enter(SANDBOX_VAULT, paths, NULL);
}

enum bourn_err sandbox_enter_witness(const char *state)
{
    const struct landlock_path paths[] = {{state, LANDLOCK_USE}, {NULL, LANDLOCK_READ}};
    return enter(SANDBOX_WITNESS, paths, NULL);
}

enum bourn_err sandbox_enter_reading(const char *const *folders)
{
    struct landlock_path paths[SANDBOX_FOLDERS_MAX + 1] = {0};
    for (size_t i = 0; i < SANDBOX_FOLDERS_MAX && folders[i]; i++)
        paths[i] = (struct landlock_path){folders[i], LANDLOCK_READ};
    return enter(SANDBOX_PARENT_TLS, paths, NULL);
}

enum bourn_err sandbox_enter_relay(const uint16_t *ports)
{
    static const struct landlock_path names[] = {
        {"/etc/hosts", LANDLOCK_READ},           {"/etc/resolv.conf", LANDLOCK_READ},
        {"/etc/nsswitch.conf", LANDLOCK_READ},   {"/etc/host.conf", LANDLOCK_READ},
        {"/etc/gai.conf", LANDLOCK_READ},        {"/etc/services", LANDLOCK_READ},
        {"/etc/ssl/openssl.cnf", LANDLOCK_READ}, {NULL, LANDLOCK_READ}};
    return enter(SANDBOX_RELAY, names, ports);
}
