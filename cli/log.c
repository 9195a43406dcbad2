/* bourn log: the entries of a ledger in lines that a person reads, from a folder or from anywhere over HTTP.
 */
#include "base/text.h"
#include "cbor/entry.h"
#include "cli.h"
#include "log_line.h"
#include "log_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char help_log[] =
    "bourn log CELL|FOLDER|URL [--from INDEX] [--follow] [--every SECONDS] [--key VKEY] [--ca FILE]\n"
    "         [--json]\n"
    "  Shows the entries of a ledger up to its last checkpoint: index, time, kind, and what the entry says.\n"
    "  Nothing in them is about a person. The ledger is that of a cell's folder, a copy of its public "
    "folder,\n"
    "  or any address in front of /checkpoint, such as https://cn.example/ledger.\n"
    "  Each entry is held against its hash, and all of them against the root in the checkpoint. Whether "
    "what\n"
    "  they say was allowed is not looked at here: use bourn-verify.\n"
    "  --from    the first entry to show; those before it are read too, and checked\n"
    "  --follow  goes on: shows what is new with each new checkpoint, which must extend what was read, and\n"
    "            stops when it does not. While there is no answer it says so and waits\n"
    "  --every   seconds between looks with --follow (2)\n"
    "  --key     the log's public key, as text (name+id+key) or as a file: its signature is checked each "
    "time.\n"
    "            Without it, whoever answers could have made up the whole log\n"
    "  --ca      certificates to trust instead of the system's\n"
    "  --json    one object a line\n"
    "  Exit: 0 done, 1 not readable or not sound, 64 usage, 69 no answer.\n";

enum { EVERY_S = 2, EVERY_S_MAX = 86400, KEY_BYTES_MAX = 1024 };

struct log {
    struct log_parties parties;
    uint64_t from, every_s;
    bool json, follow;
    const char *where, *ca;
    struct merkle_vkey key;
    bool have_key;
    struct arena arena;
    struct buf line;
};

static enum bourn_err show_entry(void *ctx, uint64_t index, struct slice bytes)
{
    struct log *l = ctx;
    struct entry e;
    arena_reset(&l->arena);
    enum bourn_err err = entry_decode(bytes, &l->arena, &e);
    if (err != BOURN_OK && err != BOURN_E_UNAVAILABLE)
        return err_set(BOURN_E_CORRUPT, "entry %llu does not decode: bourn-verify says more",
                       (unsigned long long)index);
    TRY(log_parties_keep(&l->parties, index, &e));
    if (index < l->from)
        return BOURN_OK;
    buf_clear(&l->line);
    if (l->json)
        log_line_json(&l->line, &l->parties, index, &e);
    else
        log_line_text(&l->line, &l->parties, index, &e);
    TRY(buf_check(&l->line));
    if (fwrite(l->line.p, 1, l->line.n, stdout) != l->line.n)
        return err_sys(BOURN_E_IO, "cannot write to standard output");
out:
    return err;
}

static enum bourn_err flush(void)
{
    return fflush(stdout) == 0 ? BOURN_OK : err_sys(BOURN_E_IO, "cannot write to standard output");
}

/* Looks again and again. Only no answer is no reason to stop; it is said once until there is one. */
static enum bourn_err follow(struct log *l, struct log_reader *r)
{
    bool silent = false;
    for (;;) {
        enum bourn_err err = log_reader_run(r, show_entry, l), flushed = flush();
        if (flushed != BOURN_OK)
            return flushed;
        if (err != BOURN_OK && err != BOURN_E_UNAVAILABLE)
            return err;
        if (err == BOURN_E_UNAVAILABLE && !silent)
            cli_note("%s; asking on", err_text());
        else if (err == BOURN_OK && silent)
            cli_note("answers again");
        silent = err == BOURN_E_UNAVAILABLE;
        sleep((unsigned)l->every_s);
    }
}

static enum bourn_err show(struct log *l)
{
    struct log_source *source = NULL;
    struct log_reader r;
    enum bourn_err err = BOURN_E_INTERNAL;
    log_reader_init(&r, NULL, l->have_key ? &l->key : NULL);
    TRY(log_source_open(l->where, l->ca, &source));
    r.source = source;
    if (l->follow)
        TRY(follow(l, &r));
    err = log_reader_run(&r, show_entry, l);
    enum bourn_err flushed = flush();
    err = err ? err : flushed;
out:
    log_reader_release(&r);
    log_source_close(source);
    return err;
}

static enum bourn_err take_key(struct log *l, const char *value)
{
    struct buf text;
    enum bourn_err err = BOURN_OK;
    buf_init(&text, KEY_BYTES_MAX);
    if (access(value, R_OK) == 0)
        err = cli_read(value, &text);
    else
        buf_put_str(&text, value);
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&text), &l->key);
    if (err == BOURN_OK && l->key.type != 0x01)
        err = err_set(BOURN_E_FORMAT, "this is no key of a log");
    l->have_key = err == BOURN_OK;
    buf_release(&text);
    return err;
}

/* CLI_DONE, or what to end with. */
static int take_options(struct log *l, int argc, char **argv)
{
    static const struct opt table[] = {{"json", false}, {"from", true}, {"follow", false},
                                       {"every", true}, {"key", true},  {"ca", true}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value;
    int option;
    while ((option = opt_next(&o, table, sizeof table / sizeof *table, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0)
            l->json = true;
        else if (option == 1 && !decimal_get(slice_str(value), &l->from))
            return cli_fail(CLI_USAGE, "--from: an index is wanted");
        else if (option == 2)
            l->follow = true;
        else if (option == 3 &&
                 (!decimal_get(slice_str(value), &l->every_s) || l->every_s < 1 || l->every_s > EVERY_S_MAX))
            return cli_fail(CLI_USAGE, "--every: 1 to %d seconds", EVERY_S_MAX);
        else if (option == 4 && take_key(l, value) != BOURN_OK)
            return cli_fail(CLI_USAGE, "--key: %s", err_text());
        else if (option == 5)
            l->ca = value;
        else if (option == OPT_OPERAND && l->where)
            return cli_fail(CLI_USAGE, "usage:\n%s", help_log);
        else if (option == OPT_OPERAND)
            l->where = value;
    }
    return l->where ? CLI_DONE : cli_fail(CLI_USAGE, "usage:\n%s", help_log);
}

int cmd_log(int argc, char **argv)
{
    struct log l = {.every_s = EVERY_S};
    int code = take_options(&l, argc, argv);
    if (code != CLI_DONE)
        return code;
    arena_init(&l.arena, 16u << 20);
    buf_init(&l.line, 1u << 20);
    enum bourn_err err = show(&l);
    free(l.parties.p);
    arena_release(&l.arena);
    buf_release(&l.line);
    return err != BOURN_OK ? cli_err(err) : CLI_DONE;
}
