/* bourn-verify: options, files in and out, exit code. docs/formats/verify.md */
#include "base/limits.h"
#include "base/text.h"
#include "command.h"
#include "crypto/crypto.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef BOURN_PACK_PINS
#include "packs/pins.h"
#endif

static const char usage[] =
    "usage: bourn-verify FOLDER|URL --key VKEY-FILE [options]\n"
    "Replays a ledger and says, clause by clause, what holds.\n"
    "  --key FILE            public key of the log (vkey)\n"
    "  --rows FOLDER         the rows, for auditors (a cell's rows/)\n"
    "  --evidence FILE       evidence saved by --save-evidence\n"
    "  --head FILE           an earlier signed checkpoint; may be repeated\n"
    "  --pin HEX             pin of a pack to trust beside those that ship; may be repeated\n"
    "  --save-head FILE      keep the checkpoint that was verified, for the next --head\n"
    "  --save-evidence FILE  keep what a URL opened (mode 0600)\n"
    "  --purpose TERM        with a token whose party has several purposes\n"
    "  --structure           hashes, canonical form, rows and chains alone; the rest is not examined\n"
    "  --jobs N              threads; all cores without it\n"
    "  --json                report as JSON; with --follow one object a line\n"
    "  --follow              stay: read the checkpoint again and again, hold it against the one before, "
    "replay\n"
    "                        what is new; ends at the first violation\n"
    "  --interval S          with --follow: seconds between two looks (10)\n"
    "  --state FILE          with --follow: keeps the signed head there, and begins with it\n"
    "  --exec COMMAND        with --follow: run by sh at the violation, with BOURN_SOURCE, BOURN_ORIGIN,\n"
    "                        BOURN_CLAUSE, BOURN_POSITION (entry or size), BOURN_AT, BOURN_REASON in its\n"
    "                        environment, and BOURN_HELD and BOURN_READ: files with the two heads\n"
    "With BOURN_TOKEN set, a URL is asked for rows and evidence too.\n"
    "exit: 0 nothing violated, only erasure left anything undecided; 1 violated; 2 something was not read, "
    "not\n"
    "examined or is not pinned; 64 usage\n";

static enum bourn_err add_pin(struct command *c, const char *hex)
{
    if (c->pins_n == PINS_MAX || !hex_get(slice_str(hex), c->pin[c->pins_n], 32))
        return err_set(BOURN_E_USAGE, "--pin takes 64 digits of lower-case hex");
    c->pins_n++;
    return BOURN_OK;
}

static void add_shipped_pins(struct command *c)
{
#ifdef BOURN_PACK_PINS
    for (size_t i = 0; i < builtin_pins_n && c->pins_n < PINS_MAX; i++)
        memcpy(c->pin[c->pins_n++], builtin_pins[i].pin, 32);
#else
    (void)c;
#endif
}

static enum bourn_err get_number(const char *option, const char *text, unsigned most, unsigned *out)
{
    uint64_t n;
    if (!decimal_get(slice_str(text), &n) || n < 1 || n > most)
        return err_set(BOURN_E_USAGE, "%s takes a number from 1 to %u", option, most);
    *out = (unsigned)n;
    return BOURN_OK;
}

static enum bourn_err parse(int argc, char **argv, struct command *c)
{
    static const struct option options[] = {
        {"key", 1, NULL, 'k'},      {"rows", 1, NULL, 'r'},          {"evidence", 1, NULL, 'e'},
        {"head", 1, NULL, 'h'},     {"pin", 1, NULL, 'p'},           {"save-head", 1, NULL, 's'},
        {"purpose", 1, NULL, 'u'},  {"save-evidence", 1, NULL, 'v'}, {"json", 0, NULL, 'j'},
        {"jobs", 1, NULL, 'J'},     {"structure", 0, NULL, 'S'},     {"follow", 0, NULL, 'f'},
        {"interval", 1, NULL, 'i'}, {"state", 1, NULL, 'a'},         {"exec", 1, NULL, 'x'},
        {"help", 0, NULL, 'H'},     {"version", 0, NULL, 'V'},       {NULL, 0, NULL, 0},
    };
    enum bourn_err err = BOURN_OK;
    for (int opt; err == BOURN_OK && (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (opt) {
        case 'k':
            c->key = optarg;
            break;
        case 'r':
            c->o.rows = optarg;
            break;
        case 'e':
            c->o.evidence = optarg;
            break;
        case 'h':
            if (c->heads_n == HEADS_MAX)
                return err_set(BOURN_E_USAGE, "more than %d earlier heads", HEADS_MAX);
            c->head_file[c->heads_n++] = optarg;
            break;
        case 'p':
            err = add_pin(c, optarg);
            break;
        case 's':
            c->save_head = optarg;
            break;
        case 'u':
            c->o.purpose = optarg;
            break;
        case 'v':
            c->o.save_evidence = optarg;
            break;
        case 'j':
            c->json = true;
            break;
        case 'J':
            err = get_number("--jobs", optarg, VERIFY_JOBS_MAX, &c->o.jobs);
            break;
        case 'i':
            err = get_number("--interval", optarg, INTERVAL_S_MAX, &c->interval_s);
            break;
        case 'f':
            c->follow = true;
            break;
        case 'a':
            c->state = optarg;
            break;
        case 'x':
            c->command = optarg;
            break;
        case 'S':
            c->o.structure = true;
            break;
        case 'H':
            c->help = true;
            return BOURN_OK;
        case 'V':
            c->version = true;
            return BOURN_OK;
        default:
            return err_set(BOURN_E_USAGE, "an option is wrong");
        }
    }
    if (err == BOURN_OK && (optind != argc - 1 || !c->key))
        return err_set(BOURN_E_USAGE, "one folder or URL and --key are needed");
    c->o.source = argv[optind];
    return err;
}

/* What fits together, and the small files that the options name. */
static enum bourn_err prepare(struct command *c)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf key;
    buf_init(&key, FILE_BYTES_MAX);
    bool url = strncmp(c->o.source, "http://", 7) == 0 || strncmp(c->o.source, "https://", 8) == 0;
    const char *token = getenv("BOURN_TOKEN");
    c->o.token = url && token && token[0] ? token : NULL;
    if (c->o.save_evidence && (!c->o.token || c->o.evidence)) {
        err =
            err_set(BOURN_E_USAGE, "--save-evidence keeps what a URL opens: it needs a URL and BOURN_TOKEN");
        goto out;
    }
    if (c->o.evidence && !c->o.rows && !c->o.token) {
        err = err_set(BOURN_E_USAGE, "--evidence says nothing without the rows: give --rows too");
        goto out;
    }
    if (!c->follow && (c->state || c->command || c->interval_s)) {
        err = err_set(BOURN_E_USAGE, "--interval, --state and --exec go with --follow");
        goto out;
    }
    if (c->follow && (c->o.evidence || c->save_head)) {
        err = err_set(BOURN_E_USAGE,
                      "--follow takes evidence from a URL alone, for a saved file does not grow; "
                      "and keeps the head by --state");
        goto out;
    }
    TRY(read_small(c->key, &key));
    TRY(merkle_vkey_get(buf_slice(&key), &c->o.key));
    for (size_t i = 0; i < c->heads_n; i++) {
        buf_init(&c->head_text[i], FILE_BYTES_MAX);
        TRY(read_small(c->head_file[i], &c->head_text[i]));
        c->head[i] = buf_slice(&c->head_text[i]);
    }
    add_shipped_pins(c);
    c->o.heads = c->head;
    c->o.heads_n = c->heads_n;
    c->o.pins = (const uint8_t(*)[32])c->pin;
    c->o.pins_n = c->pins_n;
    err = BOURN_OK;
out:
    buf_release(&key);
    return err;
}

static int verify(struct command *c)
{
    struct buf text, head;
    buf_init(&text, 8 << 20);
    buf_init(&head, FILE_BYTES_MAX);
    c->o.save_head = c->save_head ? &head : NULL;
    struct verify_report *r = calloc(1, sizeof *r);
    enum bourn_err err = r ? verify_run(&c->o, r) : BOURN_E_MEMORY;
    int code = EX_UNREADABLE;
    if (err == BOURN_OK) {
        code = verify_exit_code(r);
        (c->json ? verify_report_json : verify_report_text)(&text, r);
        fwrite(text.p, 1, text.n, stdout);
        if (fflush(stdout) != 0 || text.failed)
            code = code == 1 ? 1 : EX_UNREADABLE;
    } else {
        fprintf(stderr, "bourn-verify: %s\n", err_text());
        code = err == BOURN_E_USAGE ? EX_USAGE_ : EX_UNREADABLE;
    }
    if (head.n && (err = write_small(c->save_head, buf_slice(&head))) != BOURN_OK) {
        fprintf(stderr, "bourn-verify: %s\n", err_text());
        code = code == 1 ? 1 : EX_UNREADABLE;
    }
    free(r);
    buf_release(&text);
    buf_release(&head);
    return code;
}

int main(int argc, char **argv)
{
    struct command *c = calloc(1, sizeof *c);
    if (!c || crypto_init() != BOURN_OK || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return EX_UNREADABLE;
    int code = 0;
    enum bourn_err err = parse(argc, argv, c);
    if (err == BOURN_OK && c->help)
        fputs(usage, stdout);
    else if (err == BOURN_OK && c->version)
        puts("bourn-verify " BOURN_VERSION);
    else if (err != BOURN_OK || (err = prepare(c)) != BOURN_OK) {
        fprintf(stderr, "bourn-verify: %s\n%s", err_text(), err == BOURN_E_USAGE ? usage : "");
        code = err == BOURN_E_USAGE ? EX_USAGE_ : EX_UNREADABLE;
    } else {
        c->o.progress = isatty(STDERR_FILENO) ? show_progress : NULL;
        c->o.ctx = &c->shown;
        code = c->follow ? follow(c) : verify(c);
    }
    for (size_t i = 0; i < c->heads_n; i++)
        buf_release(&c->head_text[i]);
    free(c);
    curl_global_cleanup();
    return code;
}
