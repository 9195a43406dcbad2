#include "cli.h"

int opt_next(struct opts *o, const struct opt *table, size_t n, const char **value)
{
    if (o->at >= o->argc)
        return OPT_END;
    const char *word = o->argv[o->at++];
    *value = word;
    if (o->ended || strncmp(word, "--", 2) != 0) {
        if (o->ended || word[0] != '-' || word[1] == 0)
            return OPT_OPERAND;
        cli_fail(CLI_USAGE, "there is no option %s (options are long ones: --help shows them)", word);
        return OPT_BAD;
    }
    if (word[2] == 0) {
        o->ended = true;
        return opt_next(o, table, n, value);
    }
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    for (size_t i = 0; i < n; i++) {
        if (strlen(table[i].name) != len || strncmp(table[i].name, word + 2, len) != 0)
            continue;
        if (equals && !table[i].value) {
            cli_fail(CLI_USAGE, "--%s takes no value", table[i].name);
            return OPT_BAD;
        }
        if (!table[i].value)
            return (int)i;
        if (!equals && o->at >= o->argc) {
            cli_fail(CLI_USAGE, "--%s wants a value", table[i].name);
            return OPT_BAD;
        }
        *value = equals ? equals + 1 : o->argv[o->at++];
        return (int)i;
    }
    cli_fail(CLI_USAGE, "there is no option --%.*s here (--help shows them)", (int)len, word + 2);
    return OPT_BAD;
}
