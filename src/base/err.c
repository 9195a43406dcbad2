#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char text[512];

__attribute__((format(printf, 1, 0))) static void set_v(const char *fmt, va_list ap)
{
    char now[sizeof text]; /* a sentence may hold the one before it */
    if (vsnprintf(now, sizeof now, fmt, ap) < 0)
        now[0] = '\0';
    memcpy(text, now, strlen(now) + 1);
}

enum bourn_err err_set(enum bourn_err code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_v(fmt, ap);
    va_end(ap);
    return code;
}

enum bourn_err err_sys(enum bourn_err code, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    set_v(fmt, ap);
    va_end(ap);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", strerror(saved));
    errno = saved;
    return saved == ENOSPC || saved == EDQUOT ? BOURN_E_FULL : code;
}

const char *err_text(void)
{
    return text;
}

const char *err_name(enum bourn_err code)
{
    static const char *const names[] = {
        [BOURN_OK] = "ok",           [BOURN_E_INTERNAL] = "internal",       [BOURN_E_MEMORY] = "memory",
        [BOURN_E_LIMIT] = "limit",   [BOURN_E_FORMAT] = "format",           [BOURN_E_NOT_FOUND] = "not_found",
        [BOURN_E_EXISTS] = "exists", [BOURN_E_DENIED] = "denied",           [BOURN_E_IO] = "io",
        [BOURN_E_FULL] = "full",     [BOURN_E_CORRUPT] = "corrupt",         [BOURN_E_CRYPTO] = "crypto",
        [BOURN_E_CLOCK] = "clock",   [BOURN_E_UNAVAILABLE] = "unavailable", [BOURN_E_CONFLICT] = "conflict",
        [BOURN_E_USAGE] = "usage",
    };
    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "internal";
}

_Noreturn void err_abort(const char *file, int line, const char *what)
{
    fprintf(stderr, "bourn: broken invariant at %s:%d: %s\n", file, line, what);
    abort();
}
