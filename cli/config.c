#include "base/limits.h"
#include "base/text.h"
#include "cell.h"

const char help_config[] =
    "bourn config CELL [--witness-policy FILE] [--release-after LEVEL] [--transfer-release-after LEVEL]\n"
    "             [--witness-lag-max SECONDS] [--json]\n"
    "  Shows the cell's settings; with options it changes them first. Each change is a `config` entry of "
    "the\n"
    "  ledger, and counts at once.\n"
    "  --witness-policy          file of a C2SP tlog-policy: the witnesses with their URLs (https, or http "
    "on\n"
    "                            loopback), groups and the quorum; an empty file takes it away. The process "
    "that\n"
    "                            reaches them is started with the cell: restart `bourn serve` when URLs "
    "change\n"
    "  --release-after           what a disclosure in the country waits for: durable (its entry is on disk; "
    "the\n"
    "                            default), signed (a checkpoint covers it) or cosigned (a quorum of "
    "witnesses\n"
    "                            has cosigned that)\n"
    "  --transfer-release-after  the same for one that crosses the border: signed (the default) or cosigned\n"
    "  --witness-lag-max         seconds that the quorum may be behind before disclosures stop, from 5 to "
    "86400\n"
    "                            (default 60); writes, withdrawals and erasures go on\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

enum { POLICY, RELEASE, TRANSFER, LAG, JSON, OPTIONS };

/* The members of the request's body; CLI_DONE, or a code after a message. */
static int members(const char *const set[OPTIONS], struct buf *body)
{
    static const char *const names[] = {"witness_policy", "release_after", "transfer_release_after",
                                        "witness_lag_max_s"};
    struct buf file;
    int code = CLI_DONE;
    buf_init(&file, POLICY_BYTES_MAX);
    buf_put_str(body, "{");
    for (int i = 0; i < JSON && code == CLI_DONE; i++) {
        struct slice value = slice_str(set[i] ? set[i] : "");
        if (!set[i])
            continue;
        if (i == POLICY) {
            enum bourn_err err = cli_read(set[i], &file);
            if (err != BOURN_OK)
                code = cli_err(err);
            value = buf_slice(&file);
        }
        if (code == CLI_DONE && !utf8_valid(value))
            code = cli_fail(CLI_USAGE, "%s is not UTF-8", i == POLICY ? set[i] : names[i]);
        buf_printf(body, "%s\"%s\":", body->n > 1 ? "," : "", names[i]);
        json_put_string(body, value);
    }
    buf_put_str(body, "}");
    buf_release(&file);
    return code;
}

int cmd_config(int argc, char **argv)
{
    static const struct opt options[OPTIONS] = {{"witness-policy", true},
                                                {"release-after", true},
                                                {"transfer-release-after", true},
                                                {"witness-lag-max", true},
                                                {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *set[OPTIONS] = {NULL}, *cell = NULL;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && cell)
            return cli_fail(CLI_USAGE, "too many operands: bourn config CELL …");
        *(option == OPT_OPERAND ? &cell : &set[option]) = value;
    }
    if (!cell)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_config);
    struct buf body;
    buf_init(&body, REQUEST_BODY_BYTES_MAX);
    int code = members(set, &body);
    if (code == CLI_DONE) {
        struct request r = {.id = 1, .op = REQ_ADMIN_CONFIG, .body = buf_slice(&body)};
        code = cell_show(cell, &r, set[JSON] != NULL);
    }
    buf_release(&body);
    return code;
}
