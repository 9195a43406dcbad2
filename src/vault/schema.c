/* K1: a record holds what its collection declares, and nothing else. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"

static bool type_ok(uint32_t type, struct json_value v, struct slice text)
{
    switch (type) {
    case FIELD_TEXT:
        return v.type == JSON_STRING;
    case FIELD_INTEGER:
        return (v.type == JSON_STRING || v.type == JSON_NUMBER) && text_is_integer(text);
    case FIELD_DECIMAL:
        return v.type == JSON_NUMBER || (v.type == JSON_STRING && text_is_decimal(text));
    case FIELD_BOOLEAN:
        return v.type == JSON_BOOL || (v.type == JSON_STRING && text_is_boolean(text));
    case FIELD_DATE:
        return v.type == JSON_STRING && text_is_date(text);
    case FIELD_DATETIME:
        return v.type == JSON_STRING && text_is_datetime(text);
    case FIELD_JSON:
        return true;
    default:
        return false;
    }
}

static bool empty(struct json_value v)
{
    return v.type == JSON_NULL || (v.type == JSON_STRING && v.raw.n == 2);
}

/* Of a name: a longer one was never declared, and its beginning says enough. */
#define POINTER_BYTES_MAX 300

/* A JSON pointer (RFC 6901) to a member of the record. */
static void pointer(struct buf *why, struct slice raw_name)
{
    struct buf name;
    buf_init(&name, raw_name.n);
    json_string_decode(raw_name, &name);
    buf_put_u8(why, '/');
    for (size_t i = 0; i < name.n && i < POINTER_BYTES_MAX; i++) {
        if (name.p[i] == '~')
            buf_put_str(why, "~0");
        else if (name.p[i] == '/')
            buf_put_str(why, "~1");
        else
            buf_put_u8(why, name.p[i]);
    }
    buf_release(&name);
}

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"",        "text", "integer",  "decimal",
                                        "boolean", "date", "datetime", "json"};
    return names[type < 8 ? type : 0];
}

static const struct entry_field *field_named(const struct world_collection *c, struct slice raw, size_t *hint)
{
    /* Records mostly list their fields in the schema's order: try the next one first. */
    for (size_t k = 0; k < c->fields_n; k++) {
        size_t i = (*hint + k) % c->fields_n;
        if (json_string_is(raw, c->fields[i].name)) {
            *hint = i + 1;
            return &c->fields[i];
        }
    }
    return NULL;
}

bool schema_check(const struct world_collection *c, struct json_value record, struct buf *why,
                  const char **code)
{
    bool seen[FIELDS_PER_COLLECTION_MAX] = {false};
    size_t at = 0, hint = 0;
    struct json_member m;
    *code = "record_malformed";
    if (record.type != JSON_OBJECT) {
        buf_put_str(why, "a record is a JSON object");
        return false;
    }
    while (json_next(record, &at, &m)) {
        const struct entry_field *f = field_named(c, m.name, &hint);
        if (!f) {
            *code = "field_undeclared";
            pointer(why, m.name);
            buf_put_str(why, ": the collection does not declare this field: declare it, or leave it out");
            return false;
        }
        seen[f - c->fields] = !empty(m.value);
        struct slice text = m.value.raw;
        if (m.value.type == JSON_STRING)
            text = slice_of(text.p + 1, text.n - 2);
        if (!empty(m.value) && !type_ok(f->type, m.value, text)) {
            *code = "field_type";
            pointer(why, m.name);
            buf_printf(why, ": not of the declared type %s", type_name(f->type));
            return false;
        }
    }
    for (size_t i = 0; i < c->fields_n; i++)
        if (c->fields[i].flags & FIELD_REQUIRED && !seen[i]) {
            *code = "field_missing";
            buf_printf(why, "/%.*s: this field is required", SLICE_ARG(c->fields[i].name));
            return false;
        }
    return true;
}
