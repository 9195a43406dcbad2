/* Linked into a copy of `bourn`: its wall clock is off by CLOCK_SHIFT_S seconds. For tests of what happens
 * when the clock goes backwards, or when time has gone by. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);
    if (rc == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += CLOCK_SHIFT_S;
    return rc;
}
