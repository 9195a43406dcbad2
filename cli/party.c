#include "base/limits.h"
#include "base/text.h"
#include "cell.h"

#include <stdio.h>

const char help_party_add[] =
    "bourn party add CELL NAME --kind app|processor|cell|authority|auditor|registrar --jurisdiction CC\n"
    "                --purpose TERM [--ground TERM] …\n"
    "                [--rights read,write,consent,enrol,erase,search,link,audit]\n"
    "                [--legal-name NAME] [--contact TEXT] [--days N] [--json]\n"
    "  Lets a party in. Its token is printed once, alone on standard output, and kept nowhere: only its "
    "hash\n"
    "  is stored.\n"
    "  --kind          what it is: app, processor, cell, authority, auditor or registrar\n"
    "  --jurisdiction  the country whose law it is under, e.g. CN\n"
    "  --purpose       a term of the Data Privacy Vocabulary, e.g. dpv:ServiceProvision; may be given again\n"
    "  --ground        the legal ground that the party declares for the purpose before it, e.g. "
    "dpv:Contract\n"
    "  --rights        what the token may do, joined by commas (default: read)\n"
    "  --legal-name    as people read it in a consent (default: NAME)\n"
    "  --contact       how people reach the party\n"
    "  --days          until the token expires, at most 3660 (default: 365)\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";
const char help_party_end[] = "bourn party end CELL NAME [--json]\n"
                              "  Ends a party: from the next request on its token is refused.\n"
                              "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";
const char help_party_list[] = "bourn party list CELL [--json]\n"
                               "  Shows the parties, without their tokens.\n"
                               "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

enum { P_KIND, P_JURISDICTION, P_PURPOSE, P_GROUND, P_RIGHTS, P_LEGAL, P_CONTACT, P_DAYS, P_JSON };
static const struct opt add_options[] = {{"kind", true},    {"jurisdiction", true}, {"purpose", true},
                                         {"ground", true},  {"rights", true},       {"legal-name", true},
                                         {"contact", true}, {"days", true},         {"json", false}};

struct party {
    const char *cell, *name, *kind, *jurisdiction, *rights, *legal_name, *contact;
    const char *purposes[PURPOSES_PER_PARTY_MAX], *grounds[PURPOSES_PER_PARTY_MAX];
    size_t purposes_n;
    uint64_t days;
    bool json;
};

static bool one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static int add_option(struct party *p, int option, const char *value)
{
    switch (option) {
    case P_KIND:
        p->kind = value;
        break;
    case P_JURISDICTION:
        p->jurisdiction = value;
        break;
    case P_PURPOSE:
        if (!term_valid(slice_str(value)))
            return cli_fail(CLI_USAGE, "--purpose: %s is not a term, such as dpv:ServiceProvision", value);
        if (p->purposes_n == PURPOSES_PER_PARTY_MAX)
            return cli_fail(CLI_USAGE, "a party has at most %d purposes", PURPOSES_PER_PARTY_MAX);
        p->purposes[p->purposes_n++] = value;
        break;
    case P_GROUND:
        if (p->purposes_n == 0 || p->grounds[p->purposes_n - 1])
            return cli_fail(CLI_USAGE, "--ground belongs to the --purpose before it, one for each");
        if (!term_valid(slice_str(value)))
            return cli_fail(CLI_USAGE, "--ground: %s is not a term, such as dpv:Contract", value);
        p->grounds[p->purposes_n - 1] = value;
        break;
    case P_RIGHTS:
        p->rights = value;
        break;
    case P_LEGAL:
        p->legal_name = value;
        break;
    case P_CONTACT:
        p->contact = value;
        break;
    case P_DAYS:
        if (!decimal_get(slice_str(value), &p->days) || p->days == 0 || p->days > TOKEN_TTL_DAYS_MAX)
            return cli_fail(CLI_USAGE, "--days: a number from 1 to %d is wanted", TOKEN_TTL_DAYS_MAX);
        break;
    case P_JSON:
        p->json = true;
        break;
    default:
        if (p->cell && p->name)
            return cli_fail(CLI_USAGE, "too many operands: bourn party add CELL NAME …");
        *(p->cell ? &p->name : &p->cell) = value;
    }
    return CLI_DONE;
}

static int add_check(const struct party *p)
{
    static const char *const kinds[] = {"app",     "processor", "cell", "authority",
                                        "auditor", "registrar", NULL};
    if (!p->cell || !p->name)
        return cli_fail(CLI_USAGE, "bourn party add CELL NAME …: --help shows the rest");
    if (!name_valid(slice_str(p->name)))
        return cli_fail(CLI_USAGE, "%s is not a name: up to 64 letters, digits, _ - and .", p->name);
    if (!p->kind || !one_of(p->kind, kinds))
        return cli_fail(CLI_USAGE, "--kind is wanted: app, processor, cell, authority, auditor or registrar");
    if (!p->jurisdiction || !country_valid(slice_str(p->jurisdiction)))
        return cli_fail(CLI_USAGE, "--jurisdiction is wanted: two capital letters, such as CN");
    if (p->purposes_n == 0)
        return cli_fail(CLI_USAGE, "--purpose is wanted: a party without a purpose could do nothing");
    if ((p->legal_name && !utf8_valid(slice_str(p->legal_name))) ||
        (p->contact && !utf8_valid(slice_str(p->contact))))
        return cli_fail(CLI_USAGE, "--legal-name and --contact must be UTF-8");
    return CLI_DONE;
}

static int put_rights(struct buf *b, const char *rights)
{
    static const char *const all[] = {"read",   "write", "consent", "enrol", "erase",
                                      "search", "link",  "audit",   NULL};
    buf_put_str(b, ",\"rights\":[");
    for (const char *at = rights;; at++) {
        size_t n = strcspn(at, ",");
        char word[16];
        snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : 0, at);
        if (!one_of(word, all))
            return cli_fail(CLI_USAGE,
                            "--rights: %.*s is no right; there are read, write, consent, enrol, erase, "
                            "search, link and audit",
                            (int)n, at);
        buf_printf(b, "%s\"%s\"", at == rights ? "" : ",", word);
        at += n;
        if (*at == 0)
            break;
    }
    buf_put_str(b, "]");
    return CLI_DONE;
}

static int add_body(struct buf *b, const struct party *p)
{
    const char *const members[][2] = {{"name", p->name},
                                      {"kind", p->kind},
                                      {"jurisdiction", p->jurisdiction},
                                      {"legal_name", p->legal_name ? p->legal_name : p->name},
                                      {"contact", p->contact ? p->contact : ""}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        buf_printf(b, "%s\"%s\":", i ? "," : "{", members[i][0]);
        json_put_string(b, slice_str(members[i][1]));
    }
    buf_put_str(b, ",\"purposes\":[");
    for (size_t i = 0; i < p->purposes_n; i++) {
        buf_put_str(b, i ? ",{\"purpose\":" : "{\"purpose\":");
        json_put_string(b, slice_str(p->purposes[i]));
        if (p->grounds[i]) {
            buf_put_str(b, ",\"ground\":");
            json_put_string(b, slice_str(p->grounds[i]));
        }
        buf_put_str(b, "}");
    }
    buf_put_str(b, "]");
    int code = put_rights(b, p->rights);
    buf_printf(b, ",\"days\":%llu}", (unsigned long long)p->days);
    return code;
}

int cmd_party_add(int argc, char **argv)
{
    struct party p = {.rights = "read", .days = TOKEN_TTL_DAYS_DEFAULT};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value;
    int option, code;
    while ((option = opt_next(&o, add_options, sizeof add_options / sizeof *add_options, &value)) != OPT_END)
        if (option == OPT_BAD || (code = add_option(&p, option, value)) != CLI_DONE)
            return CLI_USAGE;
    if ((code = add_check(&p)) != CLI_DONE)
        return code;
    struct buf body, answer, token;
    struct json_value v, index;
    buf_init(&body, REQUEST_BODY_BYTES_MAX);
    buf_init_secret(&answer, 64u << 10);
    buf_init_secret(&token, 64u << 10);
    code = add_body(&body, &p);
    struct request r = {.id = 1, .op = REQ_ADMIN_PARTY, .body = buf_slice(&body)};
    if (code == CLI_DONE)
        code = cell_call(p.cell, &r, &answer, &v);
    if (code == CLI_DONE && p.json) {
        buf_put_u8(&answer, '\n');
        code = cli_out(buf_slice(&answer));
    } else if (code == CLI_DONE && !cli_member(v, "token", &token)) {
        code = cli_fail(CLI_REFUSED, "the cell answered without a token");
    } else if (code == CLI_DONE) {
        bool known = json_find(v, "index", &index);
        buf_put_u8(&token, '\n');
        code = cli_out(buf_slice(&token));
        if (code == CLI_DONE && known)
            cli_note("%s is entry %.*s of the ledger; its token stands on standard output, this once", p.name,
                     SLICE_ARG(index.raw));
    }
    buf_release(&body);
    buf_release(&answer);
    buf_release(&token);
    return code;
}

/* "CELL [NAME] [--json]": sends `op`, with the name as its path. */
static int simple(int argc, char **argv, uint32_t op, bool named, const char *help)
{
    static const struct opt options[] = {{"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *words[2] = {NULL, NULL};
    bool json = false;
    size_t n = 0;
    int option;
    while ((option = opt_next(&o, options, 1, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0)
            json = true;
        else if (n == 2)
            return cli_fail(CLI_USAGE, "too many operands; usage:\n%s", help);
        else
            words[n++] = value;
    }
    if (n != (named ? 2u : 1u))
        return cli_fail(CLI_USAGE, "usage:\n%s", help);
    struct request r = {.id = 1, .op = op};
    if (named)
        r.path = slice_str(words[1]);
    return cell_show(words[0], &r, json);
}

int cmd_party_end(int argc, char **argv)
{
    return simple(argc, argv, REQ_ADMIN_PARTY_END, true, help_party_end);
}
int cmd_party_list(int argc, char **argv)
{
    return simple(argc, argv, REQ_ADMIN_PARTIES, false, help_party_list);
}
int cmd_collection_list(int argc, char **argv)
{
    return simple(argc, argv, REQ_ADMIN_COLLECTIONS, false, help_collection_list);
}
