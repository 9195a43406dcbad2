#include "schema.h"

#include "base/text.h"
#include "cbor/entry.h"
#include "cli.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {"",        "text", "integer",  "decimal",
                                         "boolean", "date", "datetime", "json"};

const char *schema_type_name(uint32_t type)
{
    return type_names[type < 8 ? type : 0];
}

struct yaml_field {
    char *name;
    uint32_t type;
    bool required, sensitive, searchable;
};
struct yaml_rename {
    char *from, *to;
};
struct yaml_schema {
    struct yaml_field *fields;
    struct yaml_rename *renamed;
    unsigned fields_count, renamed_count;
    bool sensitive;
    uint32_t retention_days;
};

static const cyaml_strval_t types[] = {
    {"text", FIELD_TEXT},       {"integer", FIELD_INTEGER}, {"decimal", FIELD_DECIMAL},
    {"boolean", FIELD_BOOLEAN}, {"date", FIELD_DATE},       {"datetime", FIELD_DATETIME},
    {"json", FIELD_JSON},
};
static const cyaml_schema_field_t field_members[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct yaml_field, name, 1, 64),
    CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct yaml_field, type, types, CYAML_ARRAY_LEN(types)),
    CYAML_FIELD_BOOL("required", CYAML_FLAG_OPTIONAL, struct yaml_field, required),
    CYAML_FIELD_BOOL("sensitive", CYAML_FLAG_OPTIONAL, struct yaml_field, sensitive),
    CYAML_FIELD_BOOL("searchable", CYAML_FLAG_OPTIONAL, struct yaml_field, searchable),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t field_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_field, field_members),
};
static const cyaml_schema_field_t rename_members[] = {
    CYAML_FIELD_STRING_PTR("from", CYAML_FLAG_POINTER, struct yaml_rename, from, 1, 64),
    CYAML_FIELD_STRING_PTR("to", CYAML_FLAG_POINTER, struct yaml_rename, to, 1, 64),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rename_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_rename, rename_members),
};
static const cyaml_schema_field_t schema_members[] = {
    CYAML_FIELD_SEQUENCE("fields", CYAML_FLAG_POINTER, struct yaml_schema, fields, &field_value, 1,
                         FIELDS_PER_COLLECTION_MAX),
    CYAML_FIELD_SEQUENCE("renamed", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_schema, renamed,
                         &rename_value, 1, RENAMES_PER_COLLECTION_MAX),
    CYAML_FIELD_BOOL("sensitive", CYAML_FLAG_OPTIONAL, struct yaml_schema, sensitive),
    CYAML_FIELD_UINT("retention_days", CYAML_FLAG_OPTIONAL, struct yaml_schema, retention_days),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_schema, schema_members),
};

/* Keeps libcyaml's sentence, which names the line. */
__attribute__((format(printf, 3, 0))) static void keep(cyaml_log_t level, void *ctx, const char *fmt,
                                                       va_list args)
{
    struct buf *b = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = 0;
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    if (b->n)
        buf_put_str(b, "; ");
    buf_put_str(b, text);
}

static bool declares(const struct schema *s, const char *name)
{
    for (size_t i = 0; i < s->fields_n; i++)
        if (strcmp(s->field[i].name, name) == 0)
            return true;
    return false;
}

enum bourn_err schema_rename(struct schema *s, const char *from, const char *to)
{
    if (!name_valid(slice_str(from)) || !name_valid(slice_str(to)))
        return err_set(BOURN_E_USAGE,
                       "a rename is from one name to another: up to 64 letters, digits, _ - and .");
    if (!declares(s, to) || declares(s, from))
        return err_set(BOURN_E_USAGE,
                       "%s is to be renamed to %s: the schema declares the new name, and it alone", from, to);
    for (size_t i = 0; i < s->renamed_n; i++)
        if (strcmp(s->renamed[i].was, from) == 0 || strcmp(s->renamed[i].now, to) == 0)
            return err_set(BOURN_E_USAGE, "%s is renamed to %s: one of them is renamed already", from, to);
    if (s->renamed_n == RENAMES_PER_COLLECTION_MAX)
        return err_set(BOURN_E_USAGE, "more than %d renamed fields", RENAMES_PER_COLLECTION_MAX);
    snprintf(s->renamed[s->renamed_n].was, sizeof s->renamed[0].was, "%s", from);
    snprintf(s->renamed[s->renamed_n++].now, sizeof s->renamed[0].now, "%s", to);
    return BOURN_OK;
}

static enum bourn_err take(const struct yaml_schema *y, struct schema *out)
{
    for (unsigned i = 0; i < y->fields_count; i++) {
        const struct yaml_field *f = &y->fields[i];
        if (!name_valid(slice_str(f->name)))
            return err_set(BOURN_E_FORMAT,
                           "the name of field %u is not one: up to 64 letters, digits, _ - and .", i + 1);
        if (declares(out, f->name))
            return err_set(BOURN_E_FORMAT, "the field %s stands there twice", f->name);
        struct schema_field *to = &out->field[out->fields_n++];
        snprintf(to->name, sizeof to->name, "%s", f->name);
        to->type = f->type;
        to->flags = (f->required ? FIELD_REQUIRED : 0u) | (f->sensitive ? FIELD_SENSITIVE : 0u) |
                    (f->searchable ? FIELD_SEARCHABLE : 0u);
    }
    out->sensitive = y->sensitive;
    out->retention_s = (uint64_t)y->retention_days * 86400;
    for (unsigned i = 0; i < y->renamed_count; i++) {
        if (schema_rename(out, y->renamed[i].from, y->renamed[i].to) != BOURN_OK)
            return BOURN_E_FORMAT;
    }
    return BOURN_OK;
}

enum bourn_err schema_read(const char *path, struct schema *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf text, why;
    struct yaml_schema *y = NULL;
    const cyaml_config_t config = {
        .log_fn = keep,
        .log_ctx = &why,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    *out = (struct schema){.fields_n = 0};
    buf_init(&text, 256u << 10);
    buf_init(&why, 400);
    TRY(cli_read(path, &text));
    cyaml_err_t got = cyaml_load_data(text.p ? text.p : (const uint8_t *)"", text.n, &config, &schema_value,
                                      (cyaml_data_t **)&y, NULL);
    if (got != CYAML_OK || !y)
        err = err_set(BOURN_E_FORMAT, "%s: %s%s%.*s", path, y ? "" : cyaml_strerror(got), why.n ? ": " : "",
                      SLICE_ARG(buf_slice(&why)));
    else
        err = take(y, out);
out:
    if (y)
        (void)cyaml_free(&config, &schema_value, y, 0);
    buf_release(&text);
    buf_release(&why);
    return err;
}

void schema_put_json(struct buf *b, const struct schema *s, const char *name)
{
    buf_put_str(b, "{\"name\":");
    json_put_string(b, slice_str(name));
    buf_put_str(b, ",\"fields\":[");
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct schema_field *f = &s->field[i];
        buf_printf(b, "%s{\"name\":\"%s\",\"type\":\"%s\"", i ? "," : "", f->name, type_names[f->type]);
        buf_printf(b, ",\"required\":%s,\"sensitive\":%s,\"searchable\":%s}",
                   f->flags & FIELD_REQUIRED ? "true" : "false",
                   f->flags & FIELD_SENSITIVE ? "true" : "false",
                   f->flags & FIELD_SEARCHABLE ? "true" : "false");
    }
    for (size_t i = 0; i < s->renamed_n; i++)
        buf_printf(b, "%s{\"from\":\"%s\",\"to\":\"%s\"}", i ? "," : "],\"renamed\":[", s->renamed[i].was,
                   s->renamed[i].now);
    buf_printf(b, "],\"retention_s\":%llu,\"sensitive\":%s}", (unsigned long long)s->retention_s,
               s->sensitive ? "true" : "false");
}

void schema_put_yaml(struct buf *b, const struct schema *s)
{
    buf_printf(b, "sensitive: %s\n", s->sensitive ? "true" : "false");
    if (s->retention_s)
        buf_printf(b, "retention_days: %llu\n", (unsigned long long)(s->retention_s / 86400));
    buf_put_str(b, "fields:\n");
    for (size_t i = 0; i < s->fields_n; i++) {
        const struct schema_field *f = &s->field[i];
        buf_printf(b, "  - { name: \"%s\", type: %s%s%s%s }\n", f->name, type_names[f->type],
                   f->flags & FIELD_REQUIRED ? ", required: true" : "",
                   f->flags & FIELD_SENSITIVE ? ", sensitive: true" : "",
                   f->flags & FIELD_SEARCHABLE ? ", searchable: true" : "");
    }
    for (size_t i = 0; i < s->renamed_n; i++)
        buf_printf(b, "%s  - { from: \"%s\", to: \"%s\" }\n", i ? "" : "renamed:\n", s->renamed[i].was,
                   s->renamed[i].now);
}
