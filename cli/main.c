/* bourn: the commands. `bourn serve` starts its roles by running this same program with --role. */
#include "cli.h"
#include "crypto/crypto.h"
#include "role/role.h"

#include <stdio.h>

static const struct cli_command commands[] = {
    {"init", "", cmd_init, "make a cell", help_init},
    {"serve", "", cmd_serve, "serve a cell", help_serve},
    {"party", "add", cmd_party_add, "let an app, a processor, an auditor … in; prints its token once",
     help_party_add},
    {"party", "end", cmd_party_end, "end a party: its token stops working at once", help_party_end},
    {"party", "list", cmd_party_list, "show the parties", help_party_list},
    {"party", "webhook", cmd_party_webhook, "tell a party at home of each disclosure about its people",
     help_party_webhook},
    {"collection", "add", cmd_collection_add, "declare what is stored", help_collection_add},
    {"collection", "list", cmd_collection_list, "show the collections", help_collection_list},
    {"notice", "add", cmd_notice_add, "register a text shown to people", help_notice_add},
    {"pack", "add", cmd_pack_add, "put a pack of rules in force (after the cell's delay)", help_pack_add},
    {"pack", "check", cmd_pack_check, "compile a pack and try its examples", help_pack_check},
    {"import", "", cmd_import, "store many records from CSV, NDJSON or JSON", help_import},
    {"export", "", cmd_export, "write people's records to a file that imports elsewhere", help_export},
    {"consent", "key", cmd_consent_key, "make a person's signing key", help_consent_key},
    {"consent", "enrol", cmd_consent_enrol, "prove possession of a key, so that it becomes the person's",
     help_consent_enrol},
    {"consent", "export", cmd_consent_export, "take a copy of all that a cell holds about you",
     help_consent_export},
    {"consent", "history", cmd_consent_history, "see, with proofs, all that a cell's ledger says about you",
     help_consent_history},
    {"consent", "sign", cmd_consent_sign, "sign a consent, offline", help_consent_sign},
    {"consent", "show", cmd_consent_show, "show a statement in words and check its signature",
     help_consent_show},
    {"config", "", cmd_config, "witnesses, and after what disclosures are released", help_config},
    {"status", "", cmd_status, "how a serving cell is", help_status},
    {"scrub", "", cmd_scrub, "compare what a serving cell stores with its ledger", help_scrub},
    {"metrics", "", cmd_metrics, "counts of a serving cell for monitoring", help_metrics},
    {"witness", "init", cmd_witness_init, "make a witness: its key and the logs that it trusts",
     help_witness_init},
    {"witness", "trust", cmd_witness_trust, "let a witness trust one more log", help_witness_trust},
    {"witness", "", cmd_witness, "serve a witness", help_witness},
    {"log", "", cmd_log, "read the ledger of a cell, or of a copy of its public folder", help_log},
};
#define COMMANDS_N (sizeof commands / sizeof *commands)

static int usage(FILE *to)
{
    fputs("usage: bourn COMMAND …\n\n", to);
    for (size_t i = 0; i < COMMANDS_N; i++) {
        char words[32];
        snprintf(words, sizeof words, "%s %s", commands[i].group, commands[i].name);
        fprintf(to, "  %-16s %s\n", words, commands[i].brief);
    }
    fputs(
        "\nbourn COMMAND --help says more about one. `bourn-verify --help` checks a ledger.\n"
        "Exit: 0 done, 1 refused or failed, 2 rows rejected, 64 usage, 69 not serving now, 70 a role died.\n",
        to);
    return to == stdout ? CLI_DONE : CLI_USAGE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int help_group(const char *group, FILE *to)
{
    int found = 0;
    for (size_t i = 0; i < COMMANDS_N; i++)
        if (strcmp(commands[i].group, group) == 0)
            fprintf(to, "%s%s", found++ ? "\n" : "", commands[i].help);
    return to == stdout ? CLI_DONE : CLI_USAGE;
}

/* The command that these words name; *words is how many were its name. NULL: none; *group tells if the first
 * word at least is a group. */
static const struct cli_command *find(int argc, char **argv, int *words, bool *group)
{
    *group = false;
    for (size_t i = 0; i < COMMANDS_N; i++) {
        if (strcmp(commands[i].group, argv[0]) != 0)
            continue;
        *group = true;
        *words = commands[i].name[0] ? 2 : 1;
        if (*words == 1 || (argc > 1 && strcmp(commands[i].name, argv[1]) == 0))
            return &commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--role") == 0)
        return role_main(argc, argv);
    if (argc < 2)
        return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("bourn " BOURN_VERSION);
        return CLI_DONE;
    }
    bool group;
    int words;
    const struct cli_command *c = find(argc - 1, argv + 1, &words, &group);
    if (!c && !group)
        return cli_fail(CLI_USAGE, "there is no command %s: bourn --help lists them", argv[1]);
    if (!c) {
        bool help = wants_help(argc - 2, argv + 2);
        if (!help && argc > 2)
            return cli_fail(CLI_USAGE, "there is no command %s %s: bourn %s --help lists them", argv[1],
                            argv[2], argv[1]);
        return help_group(argv[1], help ? stdout : stderr);
    }
    if (wants_help(argc - 1 - words, argv + 1 + words)) {
        fputs(c->help, stdout);
        return CLI_DONE;
    }
    enum bourn_err err = crypto_init();
    return err != BOURN_OK ? cli_err(err) : c->run(argc - 1 - words, argv + 1 + words);
}
