/* bourn-verify: options, files in and out, exit code. docs/formats/verify.md */
#include "base/limits.h"
#include "base/text.h"
#include "command.h"
#include "crypto/crypto.h"
#include "kept.h"
#include "merkle/policy.h"

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
    "       bourn-verify --key VKEY-FILE (--receipt FILE | --proof FILE)... [--json]\n"
    "Replays a ledger and says, clause by clause, what holds. Without one, checks receipts and proofs "
    "offline.\n"
    "  --key FILE            public key of the log (vkey)\n"
    "  --rows FOLDER         the rows, for auditors (a cell's rows/)\n"
    "  --evidence FILE       evidence saved by --save-evidence\n"
    "  --head FILE           an earlier signed checkpoint; may be repeated\n"
    "  --continues FOLDER|URL    a copy of the log that this one says it continues: nothing that was "
    "withdrawn\n"
    "                        or erased there may be left out\n"
    "  --continues-rows FOLDER   the rows of that copy\n"
    "  --receipt FILE        a receipt, or an event of a webhook, from earlier; may be repeated\n"
    "  --proof FILE          an answer of GET /v1/ledger/proof/INDEX from earlier; may be repeated\n"
    "  --policy FILE         the witnesses that you trust, and how many of them (C2SP tlog-policy): V1 and "
    "S1\n"
    "                        hold only if such a quorum has cosigned the checkpoint\n"
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
        {"key", 1, NULL, 'k'},
        {"rows", 1, NULL, 'r'},
        {"evidence", 1, NULL, 'e'},
        {"head", 1, NULL, 'h'},
        {"pin", 1, NULL, 'p'},
        {"save-head", 1, NULL, 's'},
        {"purpose", 1, NULL, 'u'},
        {"save-evidence", 1, NULL, 'v'},
        {"json", 0, NULL, 'j'},
        {"continues", 1, NULL, 'c'},
        {"continues-rows", 1, NULL, 'R'},
        {"receipt", 1, NULL, 'K'},
        {"proof", 1, NULL, 'P'},
        {"policy", 1, NULL, 'w'},
        {"jobs", 1, NULL, 'J'},
        {"structure", 0, NULL, 'S'},
        {"follow", 0, NULL, 'f'},
        {"interval", 1, NULL, 'i'},
        {"state", 1, NULL, 'a'},
        {"exec", 1, NULL, 'x'},
        {"help", 0, NULL, 'H'},
        {"version", 0, NULL, 'V'},
        {NULL, 0, NULL, 0},
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
        case 'K':
        case 'P':
            err = kept_add(&c->kept, optarg, opt == 'P');
            break;
        case 's':
            c->save_head = optarg;
            break;
        case 'w':
            c->policy_file = optarg;
            break;
        case 'u':
            c->o.purpose = optarg;
            break;
        case 'v':
            c->o.save_evidence = optarg;
            break;
        case 'c':
            c->o.continues = optarg;
            break;
        case 'R':
            c->o.continues_rows = optarg;
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
    if (err == BOURN_OK && c->key && optind == argc && c->kept.n)
        return BOURN_OK; /* offline: no source */
    if (err == BOURN_OK && (optind != argc - 1 || !c->key))
        return err_set(BOURN_E_USAGE, "one folder or URL and --key are needed");
    c->o.source = argv[optind];
    return err;
}

/* A policy that lists logs must list this one. */
static enum bourn_err read_policy(struct command *c)
{
    struct buf text;
    bool listed = false;
    buf_init(&text, POLICY_BYTES_MAX + 4096);
    enum bourn_err err = read_small(c->policy_file, &text);
    if (err == BOURN_OK)
        err = merkle_policy_get(buf_slice(&text), &c->policy);
    for (size_t i = 0; i < c->policy.logs_n; i++)
        listed |= memcmp(&c->policy.log[i].key, &c->o.key, sizeof c->o.key) == 0;
    if (err == BOURN_OK && c->policy.logs_n && !listed)
        err = err_set(BOURN_E_USAGE, "the policy %s lists logs, and this one is not among them",
                      c->policy_file);
    c->o.policy = &c->policy;
    buf_release(&text);
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
    if (c->follow && c->o.continues) {
        err = err_set(BOURN_E_USAGE, "--continues is for a single run, not for --follow");
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
    TRY(kept_read(&c->kept, &c->o.key));
    if (c->policy_file)
        TRY(read_policy(c));
    for (size_t i = 0; i < c->heads_n; i++) {
        buf_init(&c->head_text[i], FILE_BYTES_MAX);
        TRY(read_small(c->head_file[i], &c->head_text[i]));
        c->head[i] = buf_slice(&c->head_text[i]);
    }
    add_shipped_pins(c);
    c->o.heads = c->head;
    c->o.heads_n = c->heads_n;
    c->o.kept = c->kept.said;
    c->o.kept_events = c->kept.event;
    c->o.kept_n = c->kept.n;
    c->o.pins = (const uint8_t(*)[32])c->pin;
    c->o.pins_n = c->pins_n;
    err = BOURN_OK;
out:
    buf_release(&key);
    return err;
}

/* Receipts and proofs by themselves: what the log's key said. 1: one does not hold. */
static int offline(struct command *c)
{
    struct buf key, text;
    buf_init(&key, FILE_BYTES_MAX);
    buf_init(&text, 1 << 20);
    enum bourn_err err = read_small(c->key, &key);
    if (err == BOURN_OK)
        err = merkle_vkey_get(buf_slice(&key), &c->o.key);
    if (err == BOURN_OK)
        err = kept_read(&c->kept, &c->o.key);
    int code = err == BOURN_OK ? 0 : err == BOURN_E_CRYPTO ? 1 : EX_UNREADABLE;
    if (err == BOURN_OK) {
        kept_report(&text, &c->kept, c->json);
        fwrite(text.p, 1, text.n, stdout);
        code = fflush(stdout) != 0 || text.failed ? EX_UNREADABLE : 0;
    } else {
        fprintf(stderr, "bourn-verify: %s\n", err_text());
    }
    buf_release(&key);
    buf_release(&text);
    return code;
}

static int verify(struct command *c)
{
    struct buf text, head;
    buf_init(&text, 8 << 20);
    buf_init(&head, FILE_BYTES_MAX);
    c->o.save_head = c->save_head ? &head : NULL;
    c->o.ends = true;
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
    else if (err == BOURN_OK && !c->o.source)
        code = offline(c);
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
    kept_release(&c->kept);
    free(c);
    curl_global_cleanup();
    return code;
}
