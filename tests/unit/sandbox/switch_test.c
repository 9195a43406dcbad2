/* The switch of debug builds, without which sanitizers could not run. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_as_front(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(sandbox_enter(SANDBOX_FRONT) != BOURN_OK ? 1 : open("/etc/passwd", O_RDONLY) < 0 ? 2 : 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_off_only_when_told(void **state)
{
    (void)state;
    const char *words[] = {"on", "", "OFF", "0"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        setenv("BOURN_SANDBOX", words[i], 1);
        assert_true(sandbox_on());
    }
    unsetenv("BOURN_SANDBOX");
    assert_true(sandbox_on());
    int status = open_as_front();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    setenv("BOURN_SANDBOX", "off", 1);
    assert_false(sandbox_on());
    status = open_as_front();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_off_only_when_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
