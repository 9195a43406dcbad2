#include "base/limits.h"
#include "cli.h"
#include "io/io.h"
#include "merkle/merkle.h"
#include "role/role.h"

const char help_serve[] =
    "bourn serve CELL --listen ADDRESS:PORT [--tls-cert FILE --tls-key FILE] [--metrics ADDRESS:PORT]\n"
    "           [--head FILE]\n"
    "  Serves the cell until SIGTERM or SIGINT, which drain it. Prints \"listening on http://ADDRESS:PORT\" "
    "(or\n"
    "  https://) when it is ready. It takes no part in the background by itself: use your service manager,\n"
    "  or `&`.\n"
    "  --listen    where; port 0 takes a free one. Without TLS only loopback addresses are allowed\n"
    "  --tls-cert  PEM file of a certificate chain: TLS 1.3. SIGHUP reads it and its key again for new\n"
    "              connections; a pair that does not read or go together is refused with a message, and the\n"
    "              old one stays\n"
    "  --tls-key   PEM file of the certificate's key\n"
    "  --head      a checkpoint of this log that somebody kept, such as an older ledger/checkpoint: the\n"
    "              cell starts only if its log extends it. After restoring a backup, give the newest one\n"
    "              that anybody has\n"
    "  --metrics: a loopback address of its own that answers GET /metrics (Prometheus) and nothing else\n"
    "  Exit: 0 drained, 64 usage, 69 cannot start, 70 a role died (nothing is restarted silently).\n";

/* Leaves the checkpoint in state/seen, where signer and vault look at it: the newest of those given stays. */
static int see_head(const char *cell, const char *path)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct io_dir *dir = NULL;
    struct buf vkey, given, kept;
    struct merkle_vkey key;
    struct merkle_checkpoint cp, old = {0};
    buf_init(&vkey, 1024);
    buf_init(&given, 64u << 10);
    buf_init(&kept, 64u << 10);
    TRY(io_dir_open(cell, &dir));
    TRY(io_read_all(dir, "ledger.vkey", &vkey));
    TRY(merkle_vkey_get(buf_slice(&vkey), &key));
    TRY(cli_read(path, &given));
    err = merkle_checkpoint_open(buf_slice(&given), &key, &cp);
    if (err)
        err = err_set(BOURN_E_USAGE, "--head %s: not a checkpoint that this log's key signed", path);
    TRY(err);
    if (io_read_all(dir, "state/seen", &kept) != BOURN_OK ||
        merkle_checkpoint_open(buf_slice(&kept), &key, &old) != BOURN_OK || old.size <= cp.size)
        TRY(io_write_new(dir, "state/seen", buf_slice(&given), true));
out:
    io_dir_close(dir);
    buf_release(&vkey);
    buf_release(&given);
    buf_release(&kept);
    return err ? cli_err(err) : CLI_DONE;
}

int cmd_serve(int argc, char **argv)
{
    enum { LISTEN, TLS_CERT, TLS_KEY, METRICS, HEAD, OPTIONS };
    static const struct opt options[OPTIONS] = {
        {"listen", true}, {"tls-cert", true}, {"tls-key", true}, {"metrics", true}, {"head", true}};
    struct opts o = {.argc = argc, .argv = argv};
    struct role_options r = {0};
    const char *head = NULL, *value;
    const char **const to[OPTIONS] = {&r.listen, &r.tls_cert, &r.tls_key, &r.metrics, &head};
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
    int code = head ? see_head(r.cell, head) : CLI_DONE;
    return code == CLI_DONE ? role_parent(&r) : code;
}
