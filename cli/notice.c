#include "base/limits.h"
#include "base/text.h"
#include "cell.h"

const char help_notice_add[] =
    "bourn notice add CELL NAME --language LANG --text TEXT | --file FILE [--json]\n"
    "  Registers a text that people are shown before they consent; a consent names it by version and hash.\n"
    "  The same name and language again makes the next version.\n"
    "  --language  a tag such as en, zh or pt-BR\n"
    "  --text      the text itself\n"
    "  --file      a file that holds it (- is standard input)\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

static bool language_ok(const char *tag)
{
    size_t n = strlen(tag);
    for (const char *p = tag; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-'))
            return false;
    return n >= 2 && n <= 35;
}

int cmd_notice_add(int argc, char **argv)
{
    enum { LANGUAGE, TEXT, FROM, JSON };
    static const struct opt options[] = {{"language", true}, {"text", true}, {"file", true}, {"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *set[4] = {NULL}, *words[2] = {NULL, NULL};
    size_t n = 0;
    int option;
    while ((option = opt_next(&o, options, 4, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option >= 0)
            set[option] = value;
        else if (n < 2)
            words[n++] = value;
        else
            return cli_fail(CLI_USAGE, "too many operands: bourn notice add CELL NAME …");
    }
    if (n != 2 || !set[TEXT] == !set[FROM] || !set[LANGUAGE])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_notice_add);
    if (!name_valid(slice_str(words[1])))
        return cli_fail(CLI_USAGE, "%s is not a name: up to 64 letters, digits, _ - and .", words[1]);
    if (!language_ok(set[LANGUAGE]))
        return cli_fail(CLI_USAGE, "--language: %s is not a language tag, such as en", set[LANGUAGE]);
    struct buf text, body;
    buf_init(&text, NOTICE_TEXT_BYTES_MAX);
    buf_init(&body, REQUEST_BODY_BYTES_MAX);
    enum bourn_err err = BOURN_OK;
    if (set[FROM])
        err = cli_read(set[FROM], &text);
    else
        buf_put_str(&text, set[TEXT]);
    int code = CLI_DONE;
    if (err != BOURN_OK || (err = buf_check(&text)) != BOURN_OK)
        code = cli_err(err);
    else if (text.n == 0 || !utf8_valid(buf_slice(&text)) || memchr(text.p, 0, text.n))
        code = cli_fail(CLI_USAGE, "the text of a notice is UTF-8 and not empty");
    if (code == CLI_DONE) {
        buf_put_str(&body, "{\"name\":");
        json_put_string(&body, slice_str(words[1]));
        buf_put_str(&body, ",\"language\":");
        json_put_string(&body, slice_str(set[LANGUAGE]));
        buf_put_str(&body, ",\"text\":");
        json_put_string(&body, buf_slice(&text));
        buf_put_str(&body, "}");
        struct request r = {.id = 1, .op = REQ_ADMIN_NOTICE, .body = buf_slice(&body)};
        code = cell_show(words[0], &r, set[JSON] != NULL);
    }
    buf_release(&text);
    buf_release(&body);
    return code;
}
