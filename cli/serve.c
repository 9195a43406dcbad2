#include "cli.h"
#include "role/role.h"

const char help_serve[] =
    "bourn serve CELL --listen ADDRESS:PORT [--tls-cert FILE --tls-key FILE] [--metrics ADDRESS:PORT]\n"
    "  Serves the cell until SIGTERM or SIGINT, which drain it. Prints \"listening on http://ADDRESS:PORT\" "
    "(or\n"
    "  https://) when it is ready. It takes no part in the background by itself: use your service manager,\n"
    "  or `&`.\n"
    "  --listen    where; port 0 takes a free one. Without TLS only loopback addresses are allowed\n"
    "  --tls-cert  PEM file of a certificate chain: TLS 1.3. SIGHUP reads it and its key again for new\n"
    "              connections; a pair that does not read or go together is refused with a message, and the\n"
    "              old one stays\n"
    "  --tls-key   PEM file of the certificate's key\n"
    "  --metrics: a loopback address of its own that answers GET /metrics (Prometheus) and nothing else\n"
    "  Exit: 0 drained, 64 usage, 69 cannot start, 70 a role died (nothing is restarted silently).\n";

int cmd_serve(int argc, char **argv)
{
    enum { LISTEN, TLS_CERT, TLS_KEY, METRICS, OPTIONS };
    static const struct opt options[OPTIONS] = {
        {"listen", true}, {"tls-cert", true}, {"tls-key", true}, {"metrics", true}};
    struct opts o = {.argc = argc, .argv = argv};
    struct role_options r = {0};
    const char **const to[OPTIONS] = {&r.listen, &r.tls_cert, &r.tls_key, &r.metrics}, *value;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && r.cell)
            return cli_fail(CLI_USAGE, "too many operands: bourn serve CELL --listen ADDRESS:PORT");
        *(option == OPT_OPERAND ? &r.cell : to[option]) = value;
    }
    if (!r.cell || !r.listen)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_serve);
    return role_parent(&r);
}
