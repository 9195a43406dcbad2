/* Build-time program: compiles the packs that it is given, runs their examples, and writes them as C.
 * packs-embed builtin|pins OUT.c PACK.yaml…   (pins: names and pins alone) */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "gate/world.h"
#include "pack/pack.h"

static enum bourn_err read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_sys(BOURN_E_IO, "cannot open the file");
    uint8_t piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_put(out, piece, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    return bad ? err_set(BOURN_E_IO, "cannot read the file") : buf_check(out);
}

static void put_bytes(FILE *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        fprintf(out, "%s0x%02x,", i % 20 ? "" : "\n    ", s.p[i]);
}

static void put_array(FILE *out, const char *what, unsigned number, struct slice s)
{
    fprintf(out, "static const uint8_t %s_%u[] = {", what, number);
    put_bytes(out, s);
    fputs("\n};\n", out);
}

/* Compiles one pack; its arrays go to `out`, its line of the table to `table`. */
static enum bourn_err embed(FILE *out, struct buf *table, const char *path, unsigned number, bool whole)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf yaml, rules;
    struct arena a;
    struct gate_pack p;
    uint8_t pin[32];
    size_t examples;
    buf_init(&yaml, PACK_YAML_BYTES_MAX);
    buf_init(&rules, ENTRY_BYTES_MAX);
    arena_init(&a, (size_t)8 << 20);
    TRY(read_file(path, &yaml));
    TRY(pack_compile(buf_slice(&yaml), &rules));
    TRY(pack_check_examples(buf_slice(&yaml), &examples));
    TRY(gate_pack_decode(buf_slice(&rules), &a, &p));
    TRY(world_pin(pin, buf_slice(&yaml), buf_slice(&rules)));
    const char *slash = strrchr(path, '/');
    struct slice file = slice_str(slash ? slash + 1 : path);
    if (file.n != p.name.n + 5 || !slice_eq(slice_of(file.p, p.name.n), p.name)) {
        err = err_set(BOURN_E_FORMAT, "pack %.*s must stand in %.*s.yaml", SLICE_ARG(p.name),
                      SLICE_ARG(p.name));
        goto out;
    }
    if (examples == 0) {
        err = err_set(BOURN_E_FORMAT, "a pack that ships with bourn needs examples");
        goto out;
    }
    buf_printf(table, "    {.name = \"%.*s\", ", SLICE_ARG(p.name));
    if (whole) {
        put_array(out, "yaml", number, buf_slice(&yaml));
        put_array(out, "rules", number, buf_slice(&rules));
        buf_printf(table, ".yaml = {yaml_%u, sizeof yaml_%u}, .rules = {rules_%u, sizeof rules_%u}, ", number,
                   number, number, number);
    }
    buf_put_str(table, ".pin = {");
    for (size_t i = 0; i < sizeof pin; i++)
        buf_printf(table, "%s0x%02x", i ? ", " : "", pin[i]);
    buf_put_str(table, "}},\n");
    err = buf_check(table);
out:
    buf_release(&yaml);
    buf_release(&rules);
    arena_release(&a);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "builtin") != 0 && strcmp(argv[1], "pins") != 0)) {
        fprintf(stderr, "usage: packs-embed builtin|pins OUT.c PACK.yaml...\n");
        return 64;
    }
    bool whole = strcmp(argv[1], "builtin") == 0;
    const char *type = whole ? "pack" : "pin";
    FILE *out = fopen(argv[2], "wb");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    struct buf table;
    buf_init(&table, 1 << 20);
    fprintf(out, "#include \"packs/%s.h\"\n", whole ? "builtin" : "pins");
    int status = 0;
    for (int i = 3; i < argc && status == 0; i++) {
        if (embed(out, &table, argv[i], (unsigned)i, whole) != BOURN_OK) {
            fprintf(stderr, "%s: %s\n", argv[i], err_text());
            status = 1;
        }
    }
    fprintf(out, "const struct builtin_%s builtin_%ss[] = {\n%.*s};\n", type, type,
            SLICE_ARG(buf_slice(&table)));
    fprintf(out, "const size_t builtin_%ss_n = sizeof builtin_%ss / sizeof builtin_%ss[0];\n", type, type,
            type);
    if (fclose(out) != 0 || status != 0) {
        remove(argv[2]);
        status = 1;
    }
    buf_release(&table);
    return status;
}
