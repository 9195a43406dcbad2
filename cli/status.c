/* bourn status: how a serving cell is. */
#include "base/text.h"
#include "cell.h"

#include <stdio.h>

const char help_status[] =
    "bourn status CELL [--json]\n"
    "  How a serving cell is: where it is serving, what it holds, how far the ledger is signed, what waits.\n"
    "  Counts of disclosures and refusals are those since it started. Nothing in it is about a person.\n"
    "  --json  all of it as one object; members may be added with time\n"
    "  Exit: 0 serving, 64 usage, 69 not serving.\n";

/* What a person reads, in this order. Members without a line here follow as they are named. */
static const struct line {
    const char *member, *words;
} lines[] = {
    {"origin", "ledger"},
    {"domicile", "domicile"},
    {"url", "address"},
    {"disclosing", "disclosing"},
    {"people", "people"},
    {"people_ever", "people, with those erased"},
    {"records", "records"},
    {"entries", "entries in the ledger"},
    {"signed", "of them signed"},
    {"disclosures", "disclosures since the start"},
    {"refusals", "refusals since the start"},
    {"erased_rows_pending", "erased people still to sweep"},
    {"journal_free_bytes", "free in the journal, MiB"},
    {"witnesses_asked", "a quorum of witnesses answered"},
    {"delay_s", "delay of new rules, seconds"},
};
#define LINES_N (sizeof lines / sizeof *lines)

static void put_line(struct buf *out, const char *words, struct json_value v)
{
    uint64_t bytes;
    buf_printf(out, "%-30s ", words);
    if (strstr(words, "MiB") && decimal_get(v.raw, &bytes))
        buf_printf(out, "%llu\n", (unsigned long long)(bytes >> 20));
    else if (strcmp(words, "disclosing") == 0)
        buf_put_str(out, slice_is(v.raw, "true") ? "yes\n"
                                                 : "no: the disk is full, or the witnesses do not answer\n");
    else
        cli_show(out, v);
}

static bool has_line(struct slice name)
{
    for (size_t i = 0; i < LINES_N; i++)
        if (json_string_is(name, slice_str(lines[i].member)))
            return true;
    return false;
}

static void put_text(struct buf *out, struct json_value status)
{
    struct json_value v;
    struct json_member m;
    struct buf name;
    size_t at = 0;
    for (size_t i = 0; i < LINES_N; i++)
        if (json_find(status, lines[i].member, &v))
            put_line(out, lines[i].words, v);
    buf_init(&name, 256);
    while (json_next(status, &at, &m)) {
        if (has_line(m.name))
            continue;
        buf_clear(&name);
        json_string_decode(m.name, &name);
        buf_printf(out, "%-30.*s ", SLICE_ARG(buf_slice(&name)));
        cli_show(out, m.value);
    }
    buf_release(&name);
}

/* The vault's own words, with the address, which it does not know. */
static int status(const char *cell, bool json)
{
    struct request r = {.id = 1, .op = REQ_ADMIN_STATUS};
    struct buf body, whole, url, text;
    struct json_value v;
    buf_init(&body, 1u << 20);
    buf_init(&whole, 2u << 20);
    buf_init(&url, 1024);
    buf_init(&text, 2u << 20);
    int code = cell_call(cell, &r, &body, &v);
    if (code == CLI_DONE && v.type != JSON_OBJECT)
        code = cli_fail(CLI_REFUSED, "the cell answered what is no status");
    if (code != CLI_DONE)
        goto out;
    buf_put_slice(&whole, slice_of(v.raw.p, v.raw.n - 1));
    if (cell_address(cell, &url)) {
        buf_put_str(&whole, v.raw.n > 2 ? ",\"url\":" : "\"url\":");
        json_put_string(&whole, buf_slice(&url));
    }
    buf_put_str(&whole, "}");
    enum bourn_err err = json_check(buf_slice(&whole), &v);
    if (err != BOURN_OK) {
        code = cli_err(err);
        goto out;
    }
    if (json) {
        buf_put_slice(&text, v.raw);
        buf_put_u8(&text, '\n');
    } else {
        put_text(&text, v);
    }
    code = cli_out(buf_slice(&text));
out:
    buf_release(&body);
    buf_release(&whole);
    buf_release(&url);
    buf_release(&text);
    return code;
}

int cmd_status(int argc, char **argv)
{
    static const struct opt options[] = {{"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *cell = NULL;
    bool json = false;
    int option;
    while ((option = opt_next(&o, options, 1, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && cell)
            return cli_fail(CLI_USAGE, "too many operands; usage:\n%s", help_status);
        if (option == OPT_OPERAND)
            cell = value;
        else
            json = true;
    }
    return cell ? status(cell, json) : cli_fail(CLI_USAGE, "usage:\n%s", help_status);
}
