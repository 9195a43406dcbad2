/* What the commands of `bourn` share: the table of commands, exit codes, options, and how they speak.
 *
 * Results go to standard output, everything else to standard error. A command never prints a key, and prints
 * a token only when it makes one. */
#ifndef BOURN_CLI_CLI_H
#define BOURN_CLI_CLI_H

#include "base/buf.h"
#include "base/json.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1,      /* refused, or failed here (the sentence says which) */
    CLI_REJECTED = 2,     /* an import left rows out */
    CLI_USAGE = 64,       /* EX_USAGE */
    CLI_UNAVAILABLE = 69, /* EX_UNAVAILABLE: not serving now; may work later */
};

struct cli_command {
    const char *group, *name;          /* name is "" where the group is the command */
    int (*run)(int argc, char **argv); /* argv[0] is the first word behind the command's name */
    const char *brief, *help;
};
/* One function a command; the table stands in main.c. */
int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_party_add(int argc, char **argv);
int cmd_party_end(int argc, char **argv);
int cmd_party_list(int argc, char **argv);
int cmd_party_webhook(int argc, char **argv);
int cmd_collection_add(int argc, char **argv);
int cmd_collection_list(int argc, char **argv);
int cmd_notice_add(int argc, char **argv);
int cmd_pack_add(int argc, char **argv);
int cmd_pack_check(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_consent_key(int argc, char **argv);
int cmd_consent_enrol(int argc, char **argv);
int cmd_consent_export(int argc, char **argv);
int cmd_consent_history(int argc, char **argv);
int cmd_consent_sign(int argc, char **argv);
int cmd_consent_show(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_scrub(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_witness(int argc, char **argv);
int cmd_witness_init(int argc, char **argv);
int cmd_witness_trust(int argc, char **argv);
extern const char help_init[], help_serve[], help_party_add[], help_party_end[], help_party_list[],
    help_party_webhook[], help_collection_add[], help_collection_list[], help_notice_add[], help_pack_add[],
    help_pack_check[], help_import[], help_export[], help_consent_key[], help_consent_enrol[],
    help_consent_export[], help_consent_history[], help_consent_sign[], help_consent_show[], help_status[],
    help_scrub[], help_metrics[], help_log[], help_witness[], help_config[], help_witness_init[],
    help_witness_trust[];

/* Options: "--name VALUE", "--name=VALUE" and "--flag", before, between or behind the operands; "--" ends
 * them. */
struct opt {
    const char *name; /* without dashes */
    bool value;       /* takes one */
};
struct opts {
    int argc, at;
    char **argv;
    bool ended; /* "--" was seen */
};
enum { OPT_END = -1, OPT_OPERAND = -2, OPT_BAD = -3 };
/* The next word: the option's place in the table (of n), OPT_OPERAND, OPT_END, or OPT_BAD after a message.
 * *value is set to the option's value or the operand. */
int opt_next(struct opts *o, const struct opt *table, size_t n, const char **value);

/* Says "bourn: …" on standard error and returns `code`. */
int cli_fail(enum cli_exit code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for an error that left its sentence in err_text(). */
int cli_err(enum bourn_err err);
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes all of it to standard output; CLI_DONE, or CLI_REFUSED with a message (a full disk, a closed pipe).
 */
int cli_out(struct slice text);

/* Opens a file to read, standard input for "-"; cli_close leaves that open. */
enum bourn_err cli_open(const char *path, int *fd) BOURN_MUST_USE;
void cli_close(int fd); /* -1: nothing */
/* A whole file, or standard input for "-", up to the cap of the buffer. */
enum bourn_err cli_read(const char *path, struct buf *out) BOURN_MUST_USE;

/* The string member `name` of an object, decoded and appended to out; false if it is not there or no string.
 */
bool cli_member(struct json_value object, const char *name, struct buf *out);
/* A JSON object or array in lines that a person reads; control characters are shown as '?'. */
void cli_show(struct buf *out, struct json_value v);
/* Text from elsewhere, for a terminal: control characters become '?'. */
void cli_printable(struct buf *out, struct slice text);

#endif
