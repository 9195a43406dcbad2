/* Records as they change: by a patch, and by a schema that calls a field otherwise.
 * JSON Merge Patch (RFC 7396) without a tree: both sides were checked, so they are walked as they stand. */
#include "vault/internal.h"

static bool member(struct json_value object, struct slice raw_name, struct json_value *out)
{
    struct json_member m;
    struct buf name;
    size_t at = 0;
    bool found = false;
    buf_init_secret(&name, raw_name.n);
    json_string_decode(raw_name, &name);
    while (!found && object.type == JSON_OBJECT && json_next(object, &at, &m)) {
        found = json_string_is(m.name, buf_slice(&name));
        if (found)
            *out = m.value;
    }
    buf_release(&name);
    return found;
}

static void put_member(struct buf *out, const char **comma, struct slice name)
{
    buf_put_str(out, *comma);
    buf_put_slice(out, name);
    buf_put_str(out, ":");
    *comma = ",";
}

void json_merge(struct buf *out, struct json_value target, struct json_value patch)
{
    static const struct json_value nothing = {.type = JSON_NULL};
    struct json_member m;
    struct json_value change, old;
    const char *comma = "";
    size_t at = 0;
    if (patch.type != JSON_OBJECT) {
        buf_put_slice(out, patch.raw);
        return;
    }
    buf_put_str(out, "{");
    while (target.type == JSON_OBJECT && json_next(target, &at, &m)) {
        bool changed = member(patch, m.name, &change);
        if (changed && change.type == JSON_NULL)
            continue;
        put_member(out, &comma, m.name);
        if (changed)
            json_merge(out, m.value, change);
        else
            buf_put_slice(out, m.value.raw);
    }
    for (at = 0; json_next(patch, &at, &m);) {
        if (m.value.type == JSON_NULL || member(target, m.name, &old))
            continue;
        put_member(out, &comma, m.name);
        json_merge(out, nothing, m.value);
    }
    buf_put_str(out, "}");
}

static bool declared(const struct world_collection *c, struct slice name)
{
    for (size_t i = 0; i < c->fields_n; i++)
        if (slice_eq(c->fields[i].name, name))
            return true;
    return false;
}

void record_present(struct buf *out, const struct world_collection *c, struct json_value record,
                    bool declared_only)
{
    struct json_member m;
    struct buf text;
    const char *comma = "";
    size_t at = 0;
    buf_init_secret(&text, RECORD_BYTES_MAX);
    buf_put_str(out, "{");
    while (json_next(record, &at, &m)) {
        buf_clear(&text);
        json_string_decode(m.name, &text);
        struct slice name = buf_slice(&text);
        for (size_t i = 0; i < c->renames_n; i++)
            if (slice_eq(c->renames[i].was, name))
                name = c->renames[i].now;
        if (declared_only && !declared(c, name))
            continue;
        buf_put_str(out, comma);
        json_put_string(out, name);
        buf_put_str(out, ":");
        buf_put_slice(out, m.value.raw);
        comma = ",";
    }
    buf_put_str(out, "}");
    buf_release(&text);
}
