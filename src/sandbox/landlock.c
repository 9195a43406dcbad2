#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The interface of the kernel, written out here: build machines have older headers than the kernels that run
 * this. */
struct ruleset {
    uint64_t fs, net, scoped;
};
struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

enum { NR_CREATE_RULESET = 444, NR_ADD_RULE = 445, NR_RESTRICT_SELF = 446 };
struct net_port {
    uint64_t allowed, port;
};
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

#define FS_EXECUTE (1u << 0)
#define FS_WRITE_FILE (1u << 1)
#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_DIR (1u << 4)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_DIR (1u << 7)
#define FS_MAKE_REG (1u << 8)
#define FS_REFER (1u << 13)
#define FS_TRUNCATE (1u << 14)
#define FS_ALL_ABI_1 ((1u << 13) - 1)
#define NET_ALL_ABI_4 3u /* TCP bind and connect */
#define NET_CONNECT 2u
#define SCOPE_ALL_ABI_6 3u /* abstract sockets, signals */
#define SCOPE_ABSTRACT 1u

static struct ruleset everything(long abi, int may_signal)
{
    struct ruleset all = {.fs = FS_ALL_ABI_1};
    if (abi >= 2)
        all.fs |= FS_REFER;
    if (abi >= 3)
        all.fs |= FS_TRUNCATE;
    if (abi >= 4)
        all.net = NET_ALL_ABI_4;
    if (abi >= 5)
        all.fs |= 1u << 15; /* ioctl on devices */
    if (abi >= 6)
        all.scoped = may_signal ? SCOPE_ABSTRACT : SCOPE_ALL_ABI_6;
    return all;
}

static enum bourn_err allow(int ruleset, const struct landlock_path *p, const struct ruleset *all)
{
    static const uint64_t rights[] = {
        [LANDLOCK_READ] = FS_READ_FILE,
        [LANDLOCK_LIST] = FS_READ_DIR | FS_REMOVE_FILE,
        [LANDLOCK_USE] = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
                         FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE,
    };
    struct path_beneath rule = {.allowed = rights[p->right] & all->fs,
                                .parent_fd = open(p->path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0 && errno == ENOENT)
        return BOURN_OK;
    if (rule.parent_fd < 0)
        return err_sys(BOURN_E_IO, "cannot open what the sandbox allows");
    enum bourn_err err = BOURN_OK;
    if (syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        err = err_sys(BOURN_E_IO, "Landlock does not take the rule for a path");
    close(rule.parent_fd);
    return err;
}

/* Kernels before 6.7 (ABI 4) cannot tell ports apart: there seccomp alone says that it may connect. */
static enum bourn_err allow_ports(int ruleset, const struct ruleset *all, const uint16_t *ports)
{
    for (; ports && *ports && all->net; ports++) {
        struct net_port rule = {.allowed = NET_CONNECT, .port = *ports};
        if (syscall(NR_ADD_RULE, ruleset, RULE_NET_PORT, &rule, 0) != 0)
            return err_sys(BOURN_E_IO, "Landlock does not take the rule for a port");
    }
    return BOURN_OK;
}

enum bourn_err landlock_restrict(const struct landlock_path *paths, const uint16_t *ports, int may_signal)
{
    long abi = syscall(NR_CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
    if (abi < 1)
        return err_sys(
            BOURN_E_UNAVAILABLE,
            "this kernel has no Landlock, which confines bourn's processes; start a kernel 5.13 or newer "
            "with \"landlock\" among its lsm= modules");
    struct ruleset all = everything(abi, may_signal);
    /* Older kernels accept the longer structure as long as what they don't know is 0. */
    int ruleset = (int)syscall(NR_CREATE_RULESET, &all, sizeof all, 0);
    if (ruleset < 0)
        return err_sys(BOURN_E_UNAVAILABLE, "cannot make a Landlock ruleset");
    enum bourn_err err = BOURN_OK;
    for (; !err && paths->path; paths++)
        err = allow(ruleset, paths, &all);
    if (!err)
        err = allow_ports(ruleset, &all, ports);
    if (!err && syscall(NR_RESTRICT_SELF, ruleset, 0) != 0)
        err = err_sys(BOURN_E_UNAVAILABLE, "cannot enter the Landlock ruleset");
    close(ruleset);
    return err;
}
