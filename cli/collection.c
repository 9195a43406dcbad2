#include "base/text.h"
#include "cell.h"
#include "feed.h"
#include "infer.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>

const char help_collection_add[] =
    "bourn collection add CELL NAME --infer FILE|- | --schema FILE.yaml\n"
    "                     [--format csv|ndjson|json|export] [--rename OLD=NEW] …\n"
    "                     [--sensitive] [--retention DAYS] [--json]\n"
    "  Declares what records of a collection hold; a record with anything else is refused. The schema that\n"
    "  was made is printed as YAML (or, with --json, as the cell was given it, with its entry, version and\n"
    "  when it takes effect).\n"
    "  The same name again changes the schema in place, after the delay that the cell's genesis names. It\n"
    "  declares all fields anew: those it adds, those that it renames, without those that are retired.\n"
    "  Stored records stay as they are and readable, by the present names; what is written from then on\n"
    "  follows the new schema. A type may be tightened where stored values can be of it.\n"
    "  --infer      looks at every value of FILE (- is standard input) and takes the narrowest type that "
    "all\n"
    "               of them have as they are written; an empty value fits every type. What was guessed is\n"
    "               said. Nested objects and arrays are of type json. Of a collection that is there,\n"
    "               fields stay required, sensitive and searchable, and the retention stays\n"
    "  --schema     fields: [{name: …, type: text|integer|decimal|boolean|date|datetime|json,\n"
    "               required: true, sensitive: true, searchable: true}, …], renamed: [{from: …, to: …}, …],\n"
    "               sensitive: true, retention_days: N\n"
    "  --rename     the new schema's field NEW is what the one before calls OLD; may be given again\n"
    "  --format     of the file of --infer: csv, ndjson (one object a line), json (one array of objects), "
    "or\n"
    "               export (what `bourn export` wrote). By default the name decides: .ndjson, .jsonl,\n"
    "               .json, else CSV\n"
    "  --sensitive  the collection holds sensitive data: packs may ask for more\n"
    "  --retention  days after which a record expires by itself\n"
    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";
const char help_collection_list[] = "bourn collection list CELL [--json]\n"
                                    "  Shows the collections.\n"
                                    "  Exit: 0 done, 1 refused, 64 usage, 69 not serving.\n";

/* Looks the field up by its decoded name; makes it if it is new. NULL and an error text if it cannot be. */
static struct schema_field *field(struct schema *s, struct slice raw)
{
    for (size_t i = 0; i < s->fields_n; i++)
        if (json_string_is(raw, slice_str(s->field[i].name)))
            return &s->field[i];
    struct slice name = slice_of(raw.p + 1, raw.n - 2);
    if (!name_valid(name) || s->fields_n == FIELDS_PER_COLLECTION_MAX) {
        (void)err_set(
            BOURN_E_FORMAT,
            s->fields_n == FIELDS_PER_COLLECTION_MAX
                ? "more fields than a collection may have"
                : "a member's name is not one a field can have (up to 64 letters, digits, _ - and .)");
        return NULL;
    }
    struct schema_field *f = &s->field[s->fields_n++];
    memcpy(f->name, name.p, name.n);
    return f;
}

static enum bourn_err look(struct feed *r, const struct feed_row *row, struct schema *s, struct infer *types)
{
    if (r->format == FEED_CSV) {
        for (size_t i = 0; i < r->csv.columns; i++)
            infer_text(&types[i], row->value[i]);
        return BOURN_OK;
    }
    struct json_value v;
    struct json_member m;
    size_t at = 0;
    enum bourn_err err = json_check(row->json, &v);
    while (err == BOURN_OK && json_next(v, &at, &m)) {
        size_t before = s->fields_n;
        struct schema_field *f = field(s, m.name);
        if (!f)
            return err_set(BOURN_E_FORMAT, "line %llu: %s", (unsigned long long)row->line, err_text());
        struct infer *t = &types[f - s->field];
        if (s->fields_n > before)
            infer_init(t);
        infer_json(t, m.value);
    }
    return err;
}

/* "537 rows; guessed of 8 fields: bio json, id json, … (no value was seen: …)". */
static void guessed(const struct schema *s, const struct infer *types, uint64_t rows)
{
    struct buf b;
    size_t unseen = 0;
    buf_init(&b, 64u << 10);
    for (size_t i = 0; i < s->fields_n; i++) {
        unseen += !types[i].any;
        buf_printf(&b, "%s%s %s", i ? ", " : "", s->field[i].name, schema_type_name(s->field[i].type));
    }
    cli_note("%llu rows; guessed of %zu fields: %.*s", (unsigned long long)rows, s->fields_n,
             SLICE_ARG(buf_slice(&b)));
    buf_clear(&b);
    for (size_t i = 0; unseen && i < s->fields_n; i++)
        if (!types[i].any)
            buf_printf(&b, " %s", s->field[i].name);
    if (unseen)
        cli_note("no value was seen of these, so text is no more than a default:%.*s",
                 SLICE_ARG(buf_slice(&b)));
    buf_release(&b);
}

static enum bourn_err infer_rows(struct feed *r, struct schema *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct infer *types = calloc(FIELDS_PER_COLLECTION_MAX, sizeof *types);
    struct feed_row row;
    uint64_t bad = 0, rows = 0, first = 0;
    if (!types)
        return err_set(BOURN_E_MEMORY, "out of memory");
    for (size_t i = 0; r->format == FEED_CSV && i < r->csv.columns; i++) {
        snprintf(s->field[i].name, sizeof s->field[i].name, "%s", r->name[i]);
        infer_init(&types[i]);
        s->fields_n++;
    }
    while ((err = feed_next(r, &row)) == BOURN_OK) {
        if (row.reason && bad++ == 0)
            first = row.line;
        if (row.reason)
            continue;
        rows++;
        TRY(look(r, &row, s, types));
    }
    if (err != BOURN_E_NOT_FOUND)
        goto out;
    err = BOURN_OK;
    for (size_t i = 0; i < s->fields_n; i++)
        s->field[i].type = infer_type(&types[i]);
    if (s->fields_n)
        guessed(s, types, rows);
    if (bad)
        cli_note("%llu bad rows were left out, the first on line %llu: the import will report them",
                 (unsigned long long)bad, (unsigned long long)first);
    if (s->fields_n == 0)
        err = err_set(BOURN_E_FORMAT, "there is nothing to infer a schema from");
out:
    free(types);
    return err;
}

enum bourn_err schema_infer(const char *path, const char *format, struct schema *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    enum feed_format f;
    struct feed r;
    int fd = -1;
    *out = (struct schema){.fields_n = 0};
    TRY(feed_format(path, format, &f));
    TRY(cli_open(path, &fd));
    err = feed_open(&r, fd, f);
    if (err == BOURN_OK) {
        err = infer_rows(&r, out);
        feed_close(&r);
    }
out:
    cli_close(fd);
    return err;
}

/* A refusal names a place of the schema by its number: which field that is. */
static void name_place(const struct schema *s, struct slice detail)
{
    unsigned i;
    char text[40];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(detail));
    if (sscanf(text, "/fields/%u", &i) == 1 && i < s->fields_n)
        cli_note("/fields/%u is %s, type %s", i, s->field[i].name, schema_type_name(s->field[i].type));
    else if (sscanf(text, "/renamed/%u", &i) == 1 && i < s->renamed_n)
        cli_note("/renamed/%u is from %s to %s", i, s->renamed[i].was, s->renamed[i].now);
}

/* "collection people: version 2, entry 17; takes effect at 2026-12-01T00:00:00Z". */
static void say_added(const char *name, struct json_value answer)
{
    struct json_value index, version;
    struct buf at;
    buf_init(&at, 64);
    if (json_find(answer, "index", &index) && json_find(answer, "version", &version) &&
        cli_member(answer, "takes_effect", &at))
        cli_note("collection %s: version %.*s, entry %.*s; takes effect at %.*s", name,
                 SLICE_ARG(version.raw), SLICE_ARG(index.raw), SLICE_ARG(buf_slice(&at)));
    buf_release(&at);
}

static int send_schema(const char *cell, const char *name, const struct schema *s, bool json)
{
    struct buf body, answer, text;
    struct json_value v;
    buf_init(&body, REQUEST_BODY_BYTES_MAX);
    buf_init(&answer, REQUEST_BODY_BYTES_MAX);
    buf_init(&text, REQUEST_BODY_BYTES_MAX);
    schema_put_json(&body, s, name);
    struct request r = {.id = 1, .op = REQ_ADMIN_COLLECTION, .body = buf_slice(&body)};
    int code = cell_call(cell, &r, &answer, &v);
    if (code != CLI_DONE) {
        name_place(s, buf_slice(&answer));
    } else {
        say_added(name, v);
        if (json) { /* one object of both */
            buf_put(&text, body.p, body.n - 1);
            buf_put_str(&text, ",");
            buf_put(&text, v.raw.p + 1, v.raw.n - 1);
            buf_put_u8(&text, '\n');
        } else {
            schema_put_yaml(&text, s);
        }
        code = cli_out(buf_slice(&text));
    }
    buf_release(&body);
    buf_release(&answer);
    buf_release(&text);
    return code;
}

/* "OLD=NEW". */
static enum bourn_err rename_field(struct schema *s, const char *word)
{
    const char *equals = strchr(word, '=');
    char from[65];
    if (!equals || (size_t)(equals - word) >= sizeof from)
        return err_set(BOURN_E_USAGE, "--rename: OLD=NEW is wanted");
    snprintf(from, sizeof from, "%.*s", (int)(equals - word), word);
    return schema_rename(s, from, equals + 1);
}

static bool says(struct json_value object, const char *name)
{
    struct json_value v;
    return json_find(object, name, &v) && v.type == JSON_BOOL && v.raw.p[0] == 't';
}

static void keep_field(struct schema *s, struct json_value old)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {
        {"required", FIELD_REQUIRED}, {"sensitive", FIELD_SENSITIVE}, {"searchable", FIELD_SEARCHABLE}};
    struct json_value name;
    for (size_t i = 0; json_find(old, "name", &name) && i < s->fields_n; i++)
        for (size_t k = 0; k < 3; k++)
            if (json_string_is(name.raw, slice_str(s->field[i].name)) && says(old, flags[k].name)) {
                s->field[i].flags |= flags[k].flag;
                cli_note("%s stays %s, as the collection says now", s->field[i].name, flags[k].name);
            }
}

/* Data says nothing about what is searchable, sensitive or how long it is kept: of a collection that is
 * there, an inferred schema takes that over. */
static int keep_what_data_cannot_say(const char *cell, const char *name, struct schema *s)
{
    struct request r = {.id = 1, .op = REQ_ADMIN_COLLECTIONS};
    struct json_value v, list, named, fields, seconds;
    struct json_member c, f;
    struct buf answer;
    size_t at = 0;
    buf_init(&answer, REPLY_BYTES_MAX);
    int code = cell_call(cell, &r, &answer, &v);
    while (code == CLI_DONE && json_find(v, "collections", &list) && json_next(list, &at, &c)) {
        if (!json_find(c.value, "name", &named) || !json_string_is(named.raw, slice_str(name)))
            continue;
        for (size_t k = 0; json_find(c.value, "fields", &fields) && json_next(fields, &k, &f);)
            keep_field(s, f.value);
        s->sensitive = s->sensitive || says(c.value, "sensitive");
        if (json_find(c.value, "retention_s", &seconds) && decimal_get(seconds.raw, &s->retention_s) &&
            s->retention_s)
            cli_note("the retention stays %llu s, as the collection says now",
                     (unsigned long long)s->retention_s);
    }
    buf_release(&answer);
    return code;
}

int cmd_collection_add(int argc, char **argv)
{
    enum { INFER, SCHEMA, FORMAT, SENSITIVE, RETENTION, JSON, RENAME, OPTIONS };
    static const struct opt options[] = {{"infer", true},      {"schema", true},    {"format", true},
                                         {"sensitive", false}, {"retention", true}, {"json", false},
                                         {"rename", true}};
    static struct schema s; /* some 30 KB */
    struct opts o = {.argc = argc, .argv = argv};
    const char *value, *set[OPTIONS] = {NULL}, *words[2] = {NULL, NULL};
    const char *renames[RENAMES_PER_COLLECTION_MAX];
    uint64_t days = 0;
    size_t n = 0, renames_n = 0;
    int option;
    while ((option = opt_next(&o, options, OPTIONS, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == RENAME && renames_n < RENAMES_PER_COLLECTION_MAX)
            renames[renames_n++] = value;
        else if (option == RENAME)
            return cli_fail(CLI_USAGE, "--rename: at most %d times", RENAMES_PER_COLLECTION_MAX);
        else if (option >= 0)
            set[option] = value;
        else if (n < 2)
            words[n++] = value;
        else
            return cli_fail(CLI_USAGE, "too many operands: bourn collection add CELL NAME …");
    }
    if (n != 2 || !set[INFER] == !set[SCHEMA])
        return cli_fail(CLI_USAGE, "usage:\n%s", help_collection_add);
    if (!name_valid(slice_str(words[1])))
        return cli_fail(CLI_USAGE, "%s is not a name: up to 64 letters, digits, _ - and .", words[1]);
    if (set[RETENTION] && (!decimal_get(slice_str(set[RETENTION]), &days) || days == 0 || days > 365000))
        return cli_fail(CLI_USAGE, "--retention: a number of days from 1 to 365000 is wanted");
    enum bourn_err err =
        set[INFER] ? schema_infer(set[INFER], set[FORMAT], &s) : schema_read(set[SCHEMA], &s);
    for (size_t i = 0; err == BOURN_OK && i < renames_n; i++)
        err = rename_field(&s, renames[i]);
    if (err != BOURN_OK)
        return cli_err(err);
    int code = set[INFER] ? keep_what_data_cannot_say(words[0], words[1], &s) : CLI_DONE;
    if (code != CLI_DONE)
        return code;
    s.sensitive = s.sensitive || set[SENSITIVE];
    if (days)
        s.retention_s = days * 86400;
    return send_schema(words[0], words[1], &s, set[JSON] != NULL);
}
