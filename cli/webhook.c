#include "base/limits.h"
#include "base/text.h"
#include "base/url.h"
#include "cell.h"

const char help_party_webhook[] =
    "bourn party webhook CELL NAME URL|- [--json]\n"
    "       bourn party webhook CELL NAME --off [--json]\n"
    "  Tells a party of the cell's own country of each disclosure about its people, from now on: those whom "
    "it\n"
    "  enrolled or wrote records of. Each is posted to URL (https, or http on loopback) as a text that the "
    "log's\n"
    "  key signed, with labels and no personal data, at least once and in order, until URL answers 2xx.\n"
    "  That the party is told becomes an entry; URL does not, and is kept sealed. - reads it from standard\n"
    "  input, where no other user of this machine sees it. The process that reaches URLs is started with "
    "the\n"
    "  cell: restart `bourn serve` for the first webhook, and for a host or port that no URL had before.\n"
    "  --off   the party is not told any more\n"
    "  --json  party, whether it is told, and whether URL can be reached before a restart\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

enum { W_OFF, W_JSON, W_OPTIONS };

/* The URL from standard input: one line. */
static int read_url(struct buf *url)
{
    enum bourn_err err = cli_read("-", url);
    while (url->n && url->p[url->n - 1] == '\n')
        url->n--;
    return err ? cli_err(err) : CLI_DONE;
}

static int check_url(struct buf *url)
{
    if (url->n > WEBHOOK_URL_BYTES_MAX)
        return cli_fail(CLI_USAGE, "a URL has at most %d bytes", WEBHOOK_URL_BYTES_MAX);
    buf_put_u8(url, 0);
    if (buf_check(url) != BOURN_OK || strlen((const char *)url->p) + 1 != url->n ||
        !url_ok((const char *)url->p))
        return cli_fail(CLI_USAGE,
                        "URL: https, or http on loopback, is wanted, without user info and fragment");
    url->n--;
    return CLI_DONE;
}

int cmd_party_webhook(int argc, char **argv)
{
    static const struct opt options[W_OPTIONS] = {{"off", false}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *words[3] = {NULL};
    bool given[W_OPTIONS] = {false};
    size_t n = 0;
    int option, code = CLI_DONE;
    while ((option = opt_next(&o, options, W_OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && n == 3)
            return cli_fail(CLI_USAGE, "too many operands; usage:\n%s", help_party_webhook);
        if (option == OPT_OPERAND)
            words[n++] = value;
        else
            given[option] = true;
    }
    if (n != (given[W_OFF] ? 2u : 3u) || !name_valid(slice_str(words[1])))
        return cli_fail(CLI_USAGE, "usage:\n%s", help_party_webhook);
    struct buf url;
    buf_init_secret(&url, 2 * WEBHOOK_URL_BYTES_MAX);
    if (!given[W_OFF] && strcmp(words[2], "-") == 0)
        code = read_url(&url);
    else if (!given[W_OFF])
        buf_put_str(&url, words[2]);
    if (code == CLI_DONE && !given[W_OFF])
        code = check_url(&url);
    struct request r = {
        .id = 1, .op = REQ_ADMIN_WEBHOOK, .path = slice_str(words[1]), .body = buf_slice(&url)};
    if (code == CLI_DONE)
        code = cell_show(words[0], &r, given[W_JSON]);
    buf_release(&url);
    return code;
}
