#include "pack/pack.h"
#include "base/limits.h"
#include "base/text.h"
#include "cell.h"
#include "gate/world.h"

const char help_pack_add[] =
    "bourn pack add CELL FILE.yaml [--json]\n"
    "  Compiles a pack, tries its examples, and enters it in the ledger. It counts after the delay that the\n"
    "  cell's genesis names; packs add up, none can loosen another. Whoever verifies the ledger must pin it\n"
    "  to trust verdicts under it: the pin is printed.\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";
const char help_pack_check[] = "bourn pack check FILE.yaml [--json]\n"
                               "  Compiles a pack and tries its examples; prints its pin.\n"
                               "  Exit: 0 it holds, 1 it does not, 64 usage.\n";

/* Reads, compiles, tries the examples. Appends to yaml and rules. */
static enum bourn_err load(const char *path, struct buf *yaml, struct buf *rules, uint8_t pin[32],
                           size_t *examples)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(cli_read(path, yaml));
    TRY(pack_compile(buf_slice(yaml), rules));
    TRY(pack_check_examples(buf_slice(yaml), examples));
    TRY(world_pin(pin, buf_slice(yaml), buf_slice(rules)));
    return BOURN_OK;
out:
    if (yaml->n) { /* the sentence names line and column of the file */
        char why[400];
        memcpy(why, err_text(), strnlen(err_text(), sizeof why - 1) + 1);
        why[sizeof why - 1] = 0;
        return err_set(err, "%s: %s", path, why);
    }
    return err;
}

static int say_pin(const uint8_t pin[32], size_t examples, bool json)
{
    struct buf b;
    buf_init(&b, 256);
    buf_put_str(&b, json ? "{\"pin\":\"" : "pin ");
    hex_put(&b, slice_of(pin, 32));
    buf_printf(&b, json ? "\",\"examples\":%zu}\n" : "\n%zu examples hold\n", examples);
    int code = cli_out(buf_slice(&b));
    buf_release(&b);
    return code;
}

/* The cell's answer, with pin and examples among its members. */
static int add_json(const char *cell, const struct request *r, const uint8_t pin[32], size_t examples)
{
    struct buf answer;
    struct json_value v;
    buf_init(&answer, REQUEST_BODY_BYTES_MAX);
    int code = cell_call(cell, r, &answer, &v);
    if (code == CLI_DONE && v.type == JSON_OBJECT) {
        struct buf b;
        buf_init(&b, REQUEST_BODY_BYTES_MAX);
        buf_put_slice(&b, slice_of(v.raw.p, v.raw.n - 1));
        buf_put_str(&b, v.raw.n > 2 ? ",\"pin\":\"" : "\"pin\":\"");
        hex_put(&b, slice_of(pin, 32));
        buf_printf(&b, "\",\"examples\":%zu}\n", examples);
        code = cli_out(buf_slice(&b));
        buf_release(&b);
    }
    buf_release(&answer);
    return code;
}

static int run(int argc, char **argv, size_t words_n, const char *help)
{
    static const struct opt options[] = {{"json", false}};
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *words[2] = {NULL, NULL};
    bool json = false;
    size_t n = 0, examples = 0;
    int option, code = CLI_DONE;
    while ((option = opt_next(&o, options, 1, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == 0)
            json = true;
        else if (n == words_n)
            return cli_fail(CLI_USAGE, "usage:\n%s", help);
        else
            words[n++] = value;
    }
    if (n != words_n)
        return cli_fail(CLI_USAGE, "usage:\n%s", help);
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t pin[32];
    struct buf yaml, rules, body;
    buf_init(&yaml, PACK_YAML_BYTES_MAX);
    buf_init(&rules, PACK_YAML_BYTES_MAX);
    buf_init(&body, REQUEST_BODY_BYTES_MAX);
    TRY(load(words[words_n - 1], &yaml, &rules, pin, &examples));
    if (words_n == 2) {
        buf_put_be(&body, yaml.n, 4);
        buf_put_slice(&body, buf_slice(&yaml));
        buf_put_slice(&body, buf_slice(&rules));
        TRY(buf_check(&body));
        struct request r = {.id = 1, .op = REQ_ADMIN_PACK, .body = buf_slice(&body)};
        code = json ? add_json(words[0], &r, pin, examples) : cell_show(words[0], &r, false);
    }
    if (code == CLI_DONE && !(json && words_n == 2))
        code = say_pin(pin, examples, json);
out:
    buf_release(&yaml);
    buf_release(&rules);
    buf_release(&body);
    return err != BOURN_OK ? cli_err(err) : code;
}

int cmd_pack_add(int argc, char **argv)
{
    return run(argc, argv, 2, help_pack_add);
}
int cmd_pack_check(int argc, char **argv)
{
    return run(argc, argv, 1, help_pack_check);
}
