/* A library to preload: the wall clock is off by CLOCK_SHIFT_S seconds. For tests of what happens when it
 * goes backwards. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int clock_fn(clockid_t, struct timespec *);
static clock_fn *real;
static long shift;

__attribute__((constructor)) static void begin(void)
{
    const char *word = getenv("CLOCK_SHIFT_S");
    shift = word ? atol(word) : 0;
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = real(id, ts);
    if (rc == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += shift;
    return rc;
}
