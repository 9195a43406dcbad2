/* bourn witness: a witness for logs, this program's or others'. */
#include "witness/witness.h"
#include "base/limits.h"
#include "cli.h"
#include "role/role.h"

const char help_witness[] =
    "bourn witness DIR --listen ADDRESS:PORT [--tls-cert FILE --tls-key FILE]\n"
    "  Serves the witness in DIR (bourn witness init makes one) until SIGTERM or SIGINT: POST "
    "/add-checkpoint\n"
    "  as C2SP tlog-witness says, for every log that it trusts. It cosigns a checkpoint only if that "
    "extends\n"
    "  the last one it cosigned, and keeps it durably before it answers. Prints \"listening on\n"
    "  http://ADDRESS:PORT\" (or https://) when it is ready. Keep DIR: without what it signed it could sign "
    "a\n"
    "  fork.\n"
    "  --listen    where; port 0 takes a free one. Without TLS only loopback addresses are allowed\n"
    "  --tls-cert  PEM file of a certificate chain: TLS 1.3\n"
    "  --tls-key   PEM file of the certificate's key\n"
    "  Exit: 0 drained, 64 usage, 69 cannot start, 70 its disk failed.\n";

const char help_witness_init[] =
    "bourn witness init DIR --name NAME [--log VKEY-FILE] … [--json]\n"
    "  Makes the folder DIR with a fresh key, and prints its public key (vkey), which logs and verifiers "
    "name in\n"
    "  their policies.\n"
    "  --name  name of the witness, by custom an address without https://, such as witness.example/w1\n"
    "  --log   public key of a log that it trusts (a cell's ledger.vkey); may be given again\n"
    "  Exit: 0 made, 1 refused or failed, 64 usage.\n";

const char help_witness_trust[] =
    "bourn witness trust DIR VKEY-FILE [--json]\n"
    "  Lets the witness in DIR trust one more log, by its public key (a cell's ledger.vkey). A witness that "
    "is\n"
    "  serving learns of it when it starts again. To trust one no longer, take its line out of DIR/logs.\n"
    "  Exit: 0 done, 1 refused or failed, 64 usage.\n";

/* {"vkey":…} */
static void as_json(struct buf *vkey)
{
    struct buf b;
    buf_init(&b, 8192);
    size_t n = vkey->n && vkey->p[vkey->n - 1] == '\n' ? vkey->n - 1 : vkey->n;
    buf_put_str(&b, "{\"vkey\":");
    json_put_string(&b, slice_of(vkey->p, n));
    buf_put_str(&b, "}\n");
    buf_clear(vkey);
    buf_put_slice(vkey, buf_slice(&b));
    buf_release(&b);
}

static int trust(const char *dir, const char *file, bool json)
{
    struct buf text;
    buf_init(&text, 4096);
    enum bourn_err err = cli_read(file, &text);
    if (err == BOURN_OK)
        err = witness_trust(dir, buf_slice(&text));
    int code = err == BOURN_OK ? CLI_DONE : cli_err(err);
    if (code == CLI_DONE && json) {
        as_json(&text);
        code = cli_out(buf_slice(&text));
    }
    buf_release(&text);
    return code;
}

int cmd_witness_init(int argc, char **argv)
{
    enum { NAME, LOG, JSON, OPTIONS };
    static const struct opt options[OPTIONS] = {{"name", true}, {"log", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *dir = NULL, *name = NULL, *logs[64];
    size_t logs_n = 0;
    bool json = false;
    int option, code = CLI_DONE;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if ((option == OPT_OPERAND && dir) || (option == LOG && logs_n == sizeof logs / sizeof *logs))
            return cli_fail(CLI_USAGE, "too many operands or logs (bourn witness trust adds more)");
        if (option == JSON)
            json = true;
        else if (option == LOG)
            logs[logs_n++] = value;
        else
            *(option == NAME ? &name : &dir) = value;
    }
    if (!dir || !name)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_witness_init);
    struct buf vkey;
    buf_init(&vkey, 4096);
    enum bourn_err err = witness_create(dir, name, &vkey);
    for (size_t i = 0; i < logs_n && err == BOURN_OK && code == CLI_DONE; i++)
        code = trust(dir, logs[i], false);
    if (err != BOURN_OK)
        code = cli_err(err);
    if (json)
        as_json(&vkey);
    if (code == CLI_DONE)
        code = cli_out(buf_slice(&vkey));
    buf_release(&vkey);
    return code;
}

int cmd_witness_trust(int argc, char **argv)
{
    static const struct opt options[] = {{"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *dir = NULL, *file = NULL;
    bool json = false;
    int option;
    while ((option = opt_next(&o, options, 1, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0) {
            json = true;
            continue;
        }
        if (file)
            return cli_fail(CLI_USAGE, "too many operands: bourn witness trust DIR VKEY-FILE");
        *(dir ? &file : &dir) = value;
    }
    if (!dir || !file)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_witness_trust);
    return trust(dir, file, json);
}

int cmd_witness(int argc, char **argv)
{
    enum { LISTEN, TLS_CERT, TLS_KEY, OPTIONS };
    static const struct opt options[OPTIONS] = {{"listen", true}, {"tls-cert", true}, {"tls-key", true}};
    struct opts o = {.argc = argc, .argv = argv};
    struct role_witness_options r = {0};
    const char **const to[OPTIONS] = {&r.listen, &r.tls_cert, &r.tls_key}, *value;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && r.dir)
            return cli_fail(CLI_USAGE, "too many operands: bourn witness DIR --listen ADDRESS:PORT");
        *(option == OPT_OPERAND ? &r.dir : to[option]) = value;
    }
    if (!r.dir || !r.listen)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_witness);
    return role_witness(&r);
}
