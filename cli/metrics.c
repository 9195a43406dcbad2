/* bourn metrics: the counts of a serving cell, as Prometheus reads them. */
#include "cell.h"

const char help_metrics[] = "bourn metrics CELL\n"
                            "  Prints what monitoring reads, in Prometheus' text format: counts and sizes, "
                            "nothing about a person, a\n"
                            "  party or a token. Asks over CELL/admin.sock; `bourn serve --metrics "
                            "ADDRESS:PORT` gives the same to a\n"
                            "  scraper. docs/METRICS.md has the names.\n"
                            "  Exit: 0 printed, 64 usage, 69 not serving.\n";

int cmd_metrics(int argc, char **argv)
{
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *path = NULL;
    struct cell *cell = NULL;
    struct reply answer;
    int option, code = CLI_DONE;
    enum bourn_err err = BOURN_E_INTERNAL;
    while ((option = opt_next(&o, NULL, 0, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (path)
            return cli_fail(CLI_USAGE, "too many operands: bourn metrics CELL");
        path = value;
    }
    if (!path)
        return cli_fail(CLI_USAGE, "usage:\n%s", help_metrics);
    const struct request r = {.op = REQ_METRICS};
    TRY(cell_open(path, &cell));
    TRY(cell_send(cell, &r));
    TRY(cell_receive(cell, &answer));
    code = answer.status / 100 == 2 ? cli_out(answer.body) : cell_refused(&answer);
out:
    cell_close(cell);
    return err != BOURN_OK ? cli_err(err) : code;
}
