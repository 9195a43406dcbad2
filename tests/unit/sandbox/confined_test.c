/* Each role's sandbox as in a release: a child enters it and tries one thing. */
#include "attempts.h"

#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef BOURN_DEBUG
#error "this test shows what a release does"
#endif

static char root[] = "/tmp/bourn-sandbox-XXXXXX";
static char cell[64], folder[80];

static int tcp_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 4) ||
        getsockname(s, (struct sockaddr *)&at, &n) || connect(c, (struct sockaddr *)&at, sizeof at))
        return -1;
    return s;
}

static int unix_listener(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/admin.%d", folder, (int)getpid());
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
        c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 4) ||
        connect(c, (struct sockaddr *)&at, sizeof at))
        return -1;
    return s;
}

static bool prepare(struct ground *g)
{
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    g->folder = folder;
    g->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g->listener = tcp_listener();
    g->admin = unix_listener();
    g->event = eventfd(0, EFD_CLOEXEC);
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    snprintf(path, sizeof path, "%s/victim", root);
    int victim = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    /* The child ends when this process does: by a pipe, because Landlock does not even let the kernel's
     * parent-death signal out of a confined process. */
    int life[2];
    char c;
    if (pipe2(life, O_CLOEXEC) != 0)
        return false;
    g->child = fork();
    if (g->child == 0) {
        close(life[1]);
        while (read(life[0], &c, 1) > 0)
            continue;
        _exit(0);
    }
    close(life[0]);
    return g->file >= 0 && g->listener >= 0 && g->admin >= 0 && g->event >= 0 && g->epoll >= 0 &&
           g->child > 0 && victim >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, g->pair) == 0;
}

enum { EXIT_WORKED = 10, EXIT_ERROR = 11, EXIT_NOT_PREPARED = 12, EXIT_NOT_ENTERED = 13 };

static enum bourn_err enter(enum sandbox_role role)
{
    static const uint16_t ports[] = {443, 0};
    switch (role) {
    case SANDBOX_VAULT:
        return sandbox_enter_vault(cell); /* `folder` is one that it may use */
    case SANDBOX_WITNESS:
        return sandbox_enter_witness(folder);
    case SANDBOX_RELAY:
        return sandbox_enter_relay(ports);
    default:
        return sandbox_enter(role);
    }
}

static int in_child(enum sandbox_role role, attempt_fn run)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct ground g;
        if (!prepare(&g))
            _exit(EXIT_NOT_PREPARED);
        if (enter(role) != BOURN_OK)
            _exit(EXIT_NOT_ENTERED);
        _exit(run(&g) < 0 ? EXIT_ERROR : EXIT_WORKED);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static char outcome(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? 'k' : '!';
    switch (WEXITSTATUS(status)) {
    case EXIT_WORKED:
        return '+';
    case EXIT_ERROR:
        return 'e';
    case EXIT_NOT_PREPARED:
        return 'p';
    default:
        return 's';
    }
}

static void try_all(enum sandbox_role role)
{
    static const unsigned columns[] = {[SANDBOX_FRONT] = 1,
                                       [SANDBOX_VAULT] = 2,
                                       [SANDBOX_SIGNER] = 3,
                                       [SANDBOX_RELAY] = 4,
                                       [SANDBOX_WITNESS] = 5};
    unsigned wrong = 0;
    for (const struct attempt *a = attempts; a->name; a++) {
        char got = outcome(in_child(role, a->run)), want = a->want[columns[role]];
        if (got != want) {
            print_error("%s: expected '%c', got '%c'\n", a->name, want, got);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_parent(void **state)
{
    (void)state;
    try_all(SANDBOX_PARENT);
}
static void test_front(void **state)
{
    (void)state;
    try_all(SANDBOX_FRONT);
}
static void test_vault(void **state)
{
    (void)state;
    try_all(SANDBOX_VAULT);
}
static void test_signer(void **state)
{
    (void)state;
    try_all(SANDBOX_SIGNER);
}

static void test_relay(void **state)
{
    (void)state;
    try_all(SANDBOX_RELAY);
}
static void test_witness(void **state)
{
    (void)state;
    try_all(SANDBOX_WITNESS);
}

/* Without a sandbox everything of the list that is not about privileges works: the attempts themselves are
 * sound. */
static void test_attempts_work_outside(void **state)
{
    (void)state;
    static const char *const must_work[] = {"open a file of the cell",
                                            "open /etc/passwd",
                                            "make a file beside the cell",
                                            "socket TCP",
                                            "fork",
                                            "map executable memory",
                                            "make memory executable",
                                            "kill a child",
                                            "unlink beside the cell",
                                            "execve",
                                            "become dumpable again"};
    for (size_t i = 0; i < sizeof must_work / sizeof must_work[0]; i++) {
        const struct attempt *a = attempts;
        while (a->name && strcmp(a->name, must_work[i]) != 0)
            a++;
        assert_non_null(a->name);
        pid_t pid = fork();
        if (pid == 0) {
            struct ground g;
            _exit(!prepare(&g) ? EXIT_NOT_PREPARED : a->run(&g) < 0 ? EXIT_ERROR : 0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void test_release_has_no_switch(void **state)
{
    (void)state;
    assert_int_equal(setenv("BOURN_SANDBOX", "off", 1), 0);
    assert_true(sandbox_on());
    for (const struct attempt *a = attempts; a->name; a++)
        if (strcmp(a->name, "open /etc/passwd") == 0)
            assert_int_equal(outcome(in_child(SANDBOX_FRONT, a->run)), 'k');
    unsetenv("BOURN_SANDBOX");
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(cell, sizeof cell, "%s/cell", root);
    snprintf(folder, sizeof folder, "%s/state", cell);
    return mkdir(cell, 0700) || mkdir(folder, 0700);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts_work_outside),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_vault),
        cmocka_unit_test(test_signer),
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_witness),
        cmocka_unit_test(test_release_has_no_switch),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
