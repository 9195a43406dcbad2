/* Collections, over admin.sock: their fields, and how a declaration may follow the one before. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"

static const char *const type_names[] = {"",        "text", "integer",  "decimal",
                                         "boolean", "date", "datetime", "json"};

static bool one_field(struct vault *v, struct json_value value, struct entry_field *f)
{
    struct slice type = body_text(v, value, "type", "text");
    f->name = body_text(v, value, "name", "");
    f->type = 0;
    for (uint32_t i = FIELD_TEXT; i <= FIELD_JSON; i++)
        if (slice_is(type, type_names[i]))
            f->type = i;
    f->flags = (body_flag(value, "required") ? FIELD_REQUIRED : 0u) |
               (body_flag(value, "sensitive") ? FIELD_SENSITIVE : 0u) |
               (body_flag(value, "searchable") ? FIELD_SEARCHABLE : 0u);
    return name_valid(f->name) && f->type;
}

static bool schema_fields(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0, n = 0;
    struct entry_field *out = arena_alloc(&v->arena, FIELDS_PER_COLLECTION_MAX * sizeof *out);
    if (!out || !json_find(body, "fields", &list) || list.type != JSON_ARRAY)
        list.type = JSON_NULL;
    while (list.type == JSON_ARRAY && json_next(list, &at, &m)) {
        bool twice = false;
        bool good = n < FIELDS_PER_COLLECTION_MAX && one_field(v, m.value, &out[n]);
        for (size_t i = 0; good && i < n; i++)
            twice = twice || slice_eq(out[i].name, out[n].name);
        if (!good || twice) {
            answer_problem(a, 422, "field_malformed",
                           "/fields/%zu: a valid name, used once, a type of text, integer, decimal, boolean, "
                           "date, datetime, "
                           "json, and at most %d fields",
                           n, FIELDS_PER_COLLECTION_MAX);
            return false;
        }
        n++;
    }
    e->fields_declared = out;
    e->fields_declared_n = n;
    if (n == 0)
        answer_problem(a, 422, "fields_required", "/fields: a schema declares at least one field");
    return n > 0;
}

/* "renamed": [{"from":"old","to":"new"}]. */
static bool schema_renames(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0, n = 0;
    if (!json_find(body, "renamed", &list))
        return true;
    struct entry_rename *out = arena_alloc(&v->arena, RENAMES_PER_COLLECTION_MAX * sizeof *out);
    bool good = out && list.type == JSON_ARRAY && e->version > 1;
    while (good && json_next(list, &at, &m)) {
        good = n < RENAMES_PER_COLLECTION_MAX;
        if (good)
            out[n] =
                (struct entry_rename){body_text(v, m.value, "from", ""), body_text(v, m.value, "to", "")};
        good = good && name_valid(out[n].was) && name_valid(out[n].now);
        n += good;
    }
    if (!good || n == 0) {
        answer_problem(a, 422, "rename_malformed",
                       "/renamed: of a collection that exists, a list of 1 to %d pairs from, to",
                       RENAMES_PER_COLLECTION_MAX);
        return false;
    }
    e->renamed = out;
    e->renamed_n = n;
    entry_set(e, E_RENAMED);
    return true;
}

static const struct entry_field *field_of(const struct entry_field *f, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(f[i].name, name))
            return &f[i];
    return NULL;
}

static bool type_follows(uint32_t from, uint32_t to)
{
    bool any = from == FIELD_TEXT || from == FIELD_JSON || to == FIELD_TEXT || to == FIELD_JSON;
    return from == to || any || (from == FIELD_DECIMAL && to == FIELD_INTEGER) ||
           (from == FIELD_INTEGER && to == FIELD_DECIMAL);
}

/* Whether records written under `old` stay readable and findable under `e`; false with the answer made. */
static bool schema_follows(const struct world_collection *old, const struct entry *e, struct answer *a)
{
    for (size_t i = 0; i < e->renamed_n; i++) {
        const struct entry_field *was = field_of(old->fields, old->fields_n, e->renamed[i].was);
        if (!was || was->flags & FIELD_SEARCHABLE ||
            field_of(old->fields, old->fields_n, e->renamed[i].now) ||
            !field_of(e->fields_declared, e->fields_declared_n, e->renamed[i].now) ||
            field_of(e->fields_declared, e->fields_declared_n, e->renamed[i].was)) {
            answer_problem(a, 422, "rename_refused",
                           "/renamed/%zu: from a declared field that is not searchable, to a name that is "
                           "new and declared "
                           "by this schema",
                           i);
            return false;
        }
    }
    for (size_t i = 0; i < e->fields_declared_n; i++) {
        const struct entry_field *now = &e->fields_declared[i];
        struct slice name = now->name;
        for (size_t k = 0; k < e->renamed_n; k++)
            if (slice_eq(e->renamed[k].now, name))
                name = e->renamed[k].was;
        const struct entry_field *was = field_of(old->fields, old->fields_n, name);
        if (was && !type_follows(was->type, now->type)) {
            answer_problem(a, 422, "type_refused", "/fields/%zu: what is stored cannot be of this type", i);
            return false;
        }
        if (was && now->flags & FIELD_SEARCHABLE && !(was->flags & FIELD_SEARCHABLE)) {
            answer_problem(a, 422, "searchable_refused",
                           "/fields/%zu: a stored field cannot become searchable: add a new field, and write "
                           "the records "
                           "again",
                           i);
            return false;
        }
    }
    return true;
}

enum bourn_err handle_collection(struct vault *v, const struct request *r, const struct gate_party *none,
                                 struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body;
    struct entry e = {.kind = ENTRY_COLLECTION, .time = v->now};
    static const enum entry_key keys[] = {E_NAME, E_VERSION, E_FIELDS_DECLARED, E_RETENTION, E_SENSITIVE};
    (void)none;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    e.name = body_text(v, body, "name", "");
    e.retention = body_number(body, "retention_s", 0);
    e.sensitive = body_flag(body, "sensitive");
    if (!name_valid(e.name)) {
        answer_problem(a, 422, "name_malformed",
                       "/name: 1 to 64 letters, digits, '_', '-', '.', first a letter or digit");
        return BOURN_OK;
    }
    if (!schema_fields(v, body, &e, a))
        return BOURN_OK;
    const struct world_collection *old = world_collection_newest(v->world, e.name);
    e.version = old ? old->version + 1 : 1;
    if (!schema_renames(v, body, &e, a) || (old && !schema_follows(old, &e, a)))
        return BOURN_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        entry_set(&e, keys[i]);
    if (!entry_writable(&e, a))
        return BOURN_OK;
    TRY(batch_entry(v, &e, NULL, 0, &a->receipt));
    answer_json(a, 201);
    buf_printf(&a->body, "{\"index\":%llu,\"version\":%llu,\"takes_effect\":\"",
               (unsigned long long)a->receipt, (unsigned long long)e.version);
    time_put(&a->body, old ? v->now + world_delay_s(v->world) : v->now);
    buf_put_str(&a->body, "\"}");
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err handle_collections(struct vault *v, const struct request *r, const struct gate_party *none,
                                  struct answer *a)
{
    const struct world_collection *c;
    (void)r;
    (void)none;
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"collections\":[");
    for (size_t i = 0; (c = world_collection_at(v->world, i)); i++) {
        const struct world_collection *present = world_collection(v->world, c->name, v->now);
        c = present ? present : c;
        buf_put_str(&a->body, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(&a->body, c->name);
        buf_printf(&a->body,
                   ",\"index\":%llu,\"version\":%llu,\"sensitive\":%s,\"retention_s\":%llu,\"fields\":[",
                   (unsigned long long)c->index, (unsigned long long)c->version,
                   c->sensitive ? "true" : "false", (unsigned long long)c->retention);
        for (size_t k = 0; k < c->fields_n; k++) {
            const struct entry_field *f = &c->fields[k];
            buf_put_str(&a->body, k ? ",{\"name\":" : "{\"name\":");
            json_put_string(&a->body, f->name);
            buf_printf(&a->body, ",\"type\":\"%s\",\"required\":%s,\"sensitive\":%s,\"searchable\":%s}",
                       type_names[f->type <= FIELD_JSON ? f->type : 0],
                       f->flags & FIELD_REQUIRED ? "true" : "false",
                       f->flags & FIELD_SENSITIVE ? "true" : "false",
                       f->flags & FIELD_SEARCHABLE ? "true" : "false");
        }
        buf_put_str(&a->body, "]}");
    }
    buf_put_str(&a->body, "]}");
    return BOURN_OK;
}
