#include "base/limits.h"
#include "base/text.h"
#include "cli.h"
#include "log_copy.h"
#include "log_source.h"
#include "pack/pack.h"
#include "packs/builtin.h"
#include "vault/vault.h"

#include <stdlib.h>

const char help_init[] =
    "bourn init CELL --domicile CC --controller NAME --origin ORIGIN [--contact TEXT] [--delay SECONDS]\n"
    "           [--pack FILE.yaml] … [--json]\n"
    "bourn init CELL --continue BACKUP --origin NEW-ORIGIN [--ledger FOLDER|URL] [--rows FOLDER]\n"
    "           [--lost] [--json]\n"
    "  Makes the folder CELL: keys, journal, an empty store, and a ledger that begins with genesis and the\n"
    "  packs pledge-2015 and home (and those of --pack).\n"
    "  --domicile    the country whose people it holds, e.g. CN\n"
    "  --controller  the legal name of who is answerable\n"
    "  --origin      the ledger's name: its address without https:// and without a slash at the end\n"
    "  --contact     how people reach the controller\n"
    "  --delay       seconds before a new or changed pack or a changed schema counts (default 86400). It\n"
    "                stands in genesis for ever; 0 is for trials, and verifiers show it as such\n"
    "  --pack        one more pack of rules that is in force from the start; may be given again\n"
    "  With --continue the cell goes on out of an old backup under a new log, which says so, and under "
    "which\n"
    "  every withdrawal and erasure counts that a later copy of the old log knows of. See\n"
    "  docs/guide/restored-backup.md before you do it.\n"
    "  --continue    the backup's folder, put back whole; it stays as it is, and must never be served again\n"
    "  --ledger      a later copy of the old log's public folder ledger/, or the address where it is served\n"
    "                (default: the one in BACKUP)\n"
    "  --rows        the folder rows/ that belongs to it\n"
    "  --lost        go on though entries are missing that nobody has a copy of; the log says how many\n"
    "  Exit: 0 made, 1 refused or failed, 64 usage, 69 the address of --ledger does not answer.\n";

enum { DOMICILE, CONTROLLER, ORIGIN, CONTACT, DELAY, PACK, JSON, CONTINUE, LEDGER, ROWS, LOST, OPTIONS };

struct init {
    const char *set[OPTIONS], *cell, *pack[PACKS_MAX];
    size_t packs_n;
    struct buf yaml[PACKS_MAX], rules[PACKS_MAX]; /* of the files */
    struct vault_pack packs[PACKS_MAX];
};

static bool origin_ok(struct slice s)
{
    if (s.n == 0 || s.n > 255 || s.p[s.n - 1] == '/' || memmem(s.p, s.n, "://", 3))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '+')
            return false;
    return true;
}

static bool line_ok(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_valid(slice_str(text));
}

static int check(const struct init *in, uint64_t *delay)
{
    const char *const *set = in->set;
    if (!in->cell || !set[DOMICILE] || !set[CONTROLLER] || !set[ORIGIN])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_init);
    if (!country_valid(slice_str(set[DOMICILE])))
        return cli_fail(CLI_USAGE, "--domicile: two capital letters are wanted, such as CN");
    if (!*set[CONTROLLER] || !line_ok(set[CONTROLLER]) || (set[CONTACT] && !line_ok(set[CONTACT])))
        return cli_fail(CLI_USAGE, "--controller and --contact: one line of UTF-8 is wanted");
    if (!origin_ok(slice_str(set[ORIGIN])))
        return cli_fail(CLI_USAGE,
                        "--origin: an address without https:// and without a slash at the end is wanted, "
                        "such as cn.example/ledger");
    if (set[DELAY] && (!decimal_get(slice_str(set[DELAY]), delay) || *delay > 31536000))
        return cli_fail(CLI_USAGE, "--delay: seconds are wanted, at most a year");
    return CLI_DONE;
}

static enum bourn_err packs(struct init *in, size_t *n)
{
    enum bourn_err err = BOURN_OK;
    size_t examples;
    for (size_t i = 0; i < builtin_packs_n; i++)
        in->packs[(*n)++] = (struct vault_pack){builtin_packs[i].yaml, builtin_packs[i].rules};
    for (size_t i = 0; i < in->packs_n; i++) {
        if (*n == PACKS_MAX)
            return err_set(BOURN_E_USAGE, "--pack: at most %d packs", PACKS_MAX);
        TRY(cli_read(in->pack[i], &in->yaml[i]));
        TRY(pack_compile(buf_slice(&in->yaml[i]), &in->rules[i]));
        TRY(pack_check_examples(buf_slice(&in->yaml[i]), &examples));
        in->packs[(*n)++] = (struct vault_pack){buf_slice(&in->yaml[i]), buf_slice(&in->rules[i])};
    }
out:
    return err;
}

static int made(const struct init *in, uint64_t delay)
{
    struct buf b;
    buf_init(&b, 64u << 10);
    if (in->set[JSON]) {
        buf_put_str(&b, "{\"cell\":");
        json_put_string(&b, utf8_valid(slice_str(in->cell)) ? slice_str(in->cell) : slice_str(""));
        buf_put_str(&b, ",\"origin\":");
        json_put_string(&b, slice_str(in->set[ORIGIN]));
        buf_printf(&b, ",\"delay_s\":%llu}\n", (unsigned long long)delay);
    } else {
        buf_printf(&b, "made the cell %s: people of %s, ledger %s\n", in->cell, in->set[DOMICILE],
                   in->set[ORIGIN]);
        buf_printf(&b, "give %s/ledger.vkey to whoever is to verify it; keep %s/keys and %s/signer secret\n",
                   in->cell, in->cell, in->cell);
    }
    if (delay == 0)
        cli_note("--delay 0 is for trials: packs and schemas change at once, and every verifier is told so");
    int code = cli_out(buf_slice(&b));
    buf_release(&b);
    return code;
}

static void put_continued(struct buf *b, const struct init *in, const struct vault_continued *d)
{
    const unsigned long long entries = d->entries, known = d->known, withdrawn = d->withdrawn,
                             erased = d->erased, ended = d->parties_ended;
    if (in->set[JSON]) {
        buf_put_str(b, "{\"cell\":");
        json_put_string(b, utf8_valid(slice_str(in->cell)) ? slice_str(in->cell) : slice_str(""));
        buf_put_str(b, ",\"origin\":");
        json_put_string(b, slice_str(in->set[ORIGIN]));
        buf_printf(b,
                   ",\"entries\":%llu,\"known\":%llu,\"withdrawn\":%llu,\"erased\":%llu,"
                   "\"parties_ended\":%llu}\n",
                   entries, known, withdrawn, erased, ended);
        return;
    }
    buf_printf(
        b,
        "made the cell %s, which goes on as %s: %llu entries of the old log, which had %llu\n"
        "carried over: %llu consents withdrawn, %llu people erased, %llu parties ended\n"
        "publish %s/ledger.vkey and what happened; %s still holds people's keys: remove it, and every\n"
        "backup of it, once %s serves\n",
        in->cell, in->set[ORIGIN], entries, known, withdrawn, erased, ended, in->cell, in->set[CONTINUE],
        in->cell);
}

/* A log behind a URL is fetched first, as far as the old key signed it. */
static enum bourn_err copy_of_url(const struct init *in, struct vault_continuation *c, struct log_copy *copy)
{
    struct merkle_vkey key;
    struct buf path, text;
    buf_init(&path, 4096);
    buf_init(&text, 4096);
    buf_printf(&path, "%s/ledger.vkey", in->set[CONTINUE]);
    buf_put_u8(&path, 0);
    enum bourn_err err = buf_check(&path);
    if (err == BOURN_OK)
        err = cli_read((char *)path.p, &text);
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&text), &key);
    if (err == BOURN_OK)
        err = log_copy_make(c->ledger, &key, in->cell, copy);
    c->ledger = copy->folder;
    buf_release(&path);
    buf_release(&text);
    return err;
}

static int go_on(const struct init *in)
{
    static const int others[] = {DOMICILE, CONTROLLER, CONTACT, DELAY};
    struct vault_continuation c = {in->set[CONTINUE], in->set[ORIGIN], in->set[LEDGER], in->set[ROWS],
                                   in->set[LOST] != NULL};
    struct log_copy copy = {.folder = ""};
    struct vault_continued done;
    struct buf b;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (in->set[others[i]] || in->packs_n)
            return cli_fail(CLI_USAGE, "--continue takes what stands in the old log: only --origin is new");
    if (!in->cell || !in->set[ORIGIN] || !origin_ok(slice_str(in->set[ORIGIN])))
        return cli_fail(CLI_USAGE,
                        "--continue needs --origin, a name that the old log did not have; usage:\n%s",
                        help_init);
    enum bourn_err err = c.ledger && log_source_is_url(c.ledger) ? copy_of_url(in, &c, &copy) : BOURN_OK;
    if (err == BOURN_OK)
        err = vault_continue(in->cell, &c, &done);
    log_copy_remove(&copy);
    if (err)
        return cli_err(err);
    buf_init(&b, 64u << 10);
    put_continued(&b, in, &done);
    int code = cli_out(buf_slice(&b));
    buf_release(&b);
    return code;
}

static int run(struct init *in, int argc, char **argv)
{
    static const struct opt options[] = {{"domicile", true}, {"controller", true}, {"origin", true},
                                         {"contact", true},  {"delay", true},      {"pack", true},
                                         {"json", false},    {"continue", true},   {"ledger", true},
                                         {"rows", true},     {"lost", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value;
    uint64_t delay = POLICY_DELAY_S_DEFAULT;
    size_t n = 0;
    int option, code;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && in->cell)
            return cli_fail(CLI_USAGE, "too many operands: bourn init CELL …");
        if (option == PACK && in->packs_n == PACKS_MAX)
            return cli_fail(CLI_USAGE, "--pack: at most %d packs", PACKS_MAX);
        if (option == OPT_OPERAND)
            in->cell = value;
        else if (option == PACK)
            in->pack[in->packs_n++] = value;
        else
            in->set[option] = value;
    }
    if (in->set[CONTINUE])
        return go_on(in);
    if (in->set[LEDGER] || in->set[ROWS] || in->set[LOST])
        return cli_fail(CLI_USAGE, "--ledger, --rows and --lost belong to --continue");
    if ((code = check(in, &delay)) != CLI_DONE)
        return code;
    enum bourn_err err = packs(in, &n);
    const struct vault_genesis g = {
        .origin = in->set[ORIGIN],
        .domicile = in->set[DOMICILE],
        .controller = in->set[CONTROLLER],
        .contact = in->set[CONTACT] ? in->set[CONTACT] : "",
        .delay_s = delay,
        .packs = in->packs,
        .packs_n = n,
    };
    if (err == BOURN_OK)
        err = vault_create(in->cell, &g);
    return err != BOURN_OK ? cli_err(err) : made(in, delay);
}

int cmd_init(int argc, char **argv)
{
    struct init *in = calloc(1, sizeof *in);
    if (!in)
        return cli_fail(CLI_REFUSED, "out of memory");
    for (size_t i = 0; i < PACKS_MAX; i++) {
        buf_init(&in->yaml[i], PACK_YAML_BYTES_MAX);
        buf_init(&in->rules[i], PACK_YAML_BYTES_MAX);
    }
    int code = run(in, argc, argv);
    for (size_t i = 0; i < PACKS_MAX; i++) {
        buf_release(&in->yaml[i]);
        buf_release(&in->rules[i]);
    }
    free(in);
    return code;
}
