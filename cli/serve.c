#include "cli.h"
#include "role/role.h"

const char help_serve[] =
    "bourn serve CELL --listen ADDRESS:PORT\n"
    "  Serves the cell until SIGTERM or SIGINT, which drain it. Prints \"listening on http://ADDRESS:PORT\" when it\n"
    "  is ready. It takes no part in the background by itself: use your service manager, or `&`.\n"
    "  --listen    where; port 0 takes a free one. Without TLS only loopback addresses are allowed\n"
    "  Exit: 0 drained, 64 usage, 69 cannot start, 70 a role died (nothing is restarted silently).\n";

int cmd_serve(int argc, char **argv)
{
    static const struct opt options[] = {{"listen", true}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *cell = NULL, *listen = NULL;
    int option;
    while ((option = opt_next(&o, options, 1, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && cell)
            return cli_fail(CLI_USAGE, "too many operands: bourn serve CELL --listen ADDRESS:PORT");
        *(option == OPT_OPERAND ? &cell : &listen) = value;
    }
    if (!cell || !listen)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_serve);
    return role_parent(cell, listen);
}
