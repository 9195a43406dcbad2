/* What the operator does over admin.sock: parties, collections, notices, packs, status. Each is an entry;
 * none returns plaintext of any person. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"
#include "consent/consent.h"

static const struct {
    const char *name;
    uint32_t bit;
} rights[] = {{"read", RIGHT_READ},   {"write", RIGHT_WRITE}, {"consent", RIGHT_CONSENT},
              {"enrol", RIGHT_ENROL}, {"erase", RIGHT_ERASE}, {"search", RIGHT_SEARCH},
              {"link", RIGHT_LINK},   {"audit", RIGHT_AUDIT}};

/* A text member, decoded; `otherwise` if it is absent (NULL: p is NULL then). */
static struct slice text_of(struct vault *v, struct json_value object, const char *name,
                            const char *otherwise)
{
    struct json_value value;
    struct buf b;
    if (!json_find(object, name, &value) || value.type != JSON_STRING)
        return otherwise ? slice_str(otherwise) : slice_of(NULL, 0);
    buf_init(&b, value.raw.n);
    json_string_decode(value.raw, &b);
    struct slice s = arena_copy(&v->arena, buf_slice(&b));
    buf_release(&b);
    return s;
}

static uint64_t number_of(struct json_value object, const char *name, uint64_t otherwise)
{
    struct json_value value;
    uint64_t n;
    return json_find(object, name, &value) && decimal_get(value.raw, &n) ? n : otherwise;
}

/* What goes into the ledger must be readable for ever: a last look by the table of its kind. */
static bool writable(const struct entry *e, struct answer *a)
{
    if (entry_check(e) == BOURN_OK)
        return true;
    answer_problem(a, 422, "entry_malformed", "%s", err_text());
    return false;
}

static bool flag_of(struct json_value object, const char *name)
{
    struct json_value value;
    return json_find(object, name, &value) && slice_is(value.raw, "true");
}

static bool party_purposes(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0, n = 0;
    struct entry_purpose *out = arena_alloc(&v->arena, PURPOSES_PER_PARTY_MAX * sizeof *out);
    if (out && json_find(body, "purposes", &list) && list.type == JSON_ARRAY)
        while (json_next(list, &at, &m)) {
            struct slice purpose = text_of(v, m.value, "purpose", NULL),
                         ground = text_of(v, m.value, "ground", "");
            bool twice = false;
            for (size_t i = 0; i < n; i++)
                twice = twice || slice_eq(out[i].purpose, purpose);
            if (n == PURPOSES_PER_PARTY_MAX || !term_valid(purpose) || (ground.n && !term_valid(ground)) ||
                twice) {
                answer_problem(a, 422, "purpose_malformed",
                               "/purposes/%zu: not a purpose term, named twice, or over %d", n,
                               PURPOSES_PER_PARTY_MAX);
                return false;
            }
            out[n++] = (struct entry_purpose){purpose, ground};
        }
    e->purposes = out;
    e->purposes_n = n;
    if (n == 0)
        answer_problem(a, 422, "purpose_required", "/purposes: a party has at least one purpose");
    return n > 0;
}

static bool party_rights(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0;
    (void)v;
    e->rights = 0;
    if (!json_find(body, "rights", &list)) {
        e->rights = RIGHT_READ;
        return true;
    }
    while (list.type == JSON_ARRAY && json_next(list, &at, &m)) {
        uint32_t bit = 0;
        for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
            if (m.value.type == JSON_STRING && json_string_is(m.value.raw, slice_str(rights[i].name)))
                bit = rights[i].bit;
        if (!bit) {
            answer_problem(
                a, 422, "right_unknown",
                "/rights: known rights are read, write, consent, enrol, erase, search, link, audit");
            return false;
        }
        e->rights |= bit;
    }
    if (!e->rights)
        answer_problem(a, 422, "right_unknown", "/rights: a list of at least one right is needed");
    return e->rights != 0;
}

static bool party_fields(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    static const char *const kinds[] = {"app", "processor", "cell", "authority", "auditor", "registrar"};
    bool known = false;
    e->name = text_of(v, body, "name", "");
    e->party_kind = text_of(v, body, "kind", "");
    e->jurisdiction = text_of(v, body, "jurisdiction", "");
    e->legal_name = text_of(v, body, "legal_name", NULL);
    if (!e->legal_name.n)
        e->legal_name = e->name;
    e->contact = text_of(v, body, "contact", "");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        known = known || slice_is(e->party_kind, kinds[i]);
    if (!name_valid(e->name))
        answer_problem(a, 422, "name_malformed",
                       "/name: 1 to 64 letters, digits, '_', '-', '.', first a letter or digit");
    else if (!known)
        answer_problem(a, 422, "kind_unknown",
                       "/kind: app, processor, cell, authority, auditor or registrar");
    else if (!country_valid(e->jurisdiction))
        answer_problem(a, 422, "country_malformed", "/jurisdiction: an ISO 3166 code of two capital letters");
    else if (e->legal_name.n > 256 || e->contact.n > 256 || !consent_line_ok(e->legal_name) ||
             !consent_line_ok(e->contact))
        answer_problem(a, 422, "text_malformed", "/legal_name, /contact: one line of at most 256 bytes");
    else if (world_party_named(v->world, e->name))
        answer_problem(a, 409, "party_exists",
                       "a party of this name exists: end it first, or choose another name");
    else
        return party_purposes(v, body, e, a) && party_rights(v, body, e, a);
    return false;
}

enum bourn_err handle_party(struct vault *v, const struct request *r, const struct gate_party *none,
                            struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body;
    struct entry e = {.kind = ENTRY_PARTY, .time = v->now};
    struct buf token;
    uint8_t secret[32], hash[32], value[16];
    static const enum entry_key keys[] = {E_NAME,       E_LEGAL_NAME, E_CONTACT,  E_JURISDICTION,
                                          E_PARTY_KIND, E_RIGHTS,     E_PURPOSES, E_KEYS};
    (void)none;
    if (!body_object(r, &body, a) || !party_fields(v, body, &e, a))
        return BOURN_OK;
    uint64_t days = number_of(body, "days", TOKEN_TTL_DAYS_DEFAULT);
    if (days == 0 || days > TOKEN_TTL_DAYS_MAX) {
        answer_problem(a, 422, "days_malformed", "/days: a token lives 1 to %d days", TOKEN_TTL_DAYS_MAX);
        return BOURN_OK;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        entry_set(&e, keys[i]);
    if (!writable(&e, a))
        return BOURN_OK;
    buf_init_secret(&token, 128);
    crypto_random(secret, sizeof secret);
    buf_put_str(&token, "bourn_");
    base64url_put(&token, slice_of(secret, sizeof secret));
    crypto_sha256_1(hash, buf_slice(&token));
    TRY(batch_entry(v, &e, NULL, 0, &a->receipt));
    be_put(value, a->receipt, 8);
    be_put(value + 8, v->now + days * 86400, 8);
    TRY(batch_put(v, STORE_TOKEN, slice_of(hash, 32), slice_of(value, sizeof value)));
    answer_json(a, 201);
    buf_put_str(&a->body, "{\"token\":\"");
    buf_put_slice(&a->body, buf_slice(&token));
    buf_printf(&a->body, "\",\"index\":%llu,\"expires\":\"", (unsigned long long)a->receipt);
    time_put(&a->body, v->now + days * 86400);
    buf_put_str(&a->body, "\"}");
    err = BOURN_OK;
out:
    crypto_wipe(secret, sizeof secret);
    buf_release(&token);
    return err;
}

enum bourn_err handle_party_end(struct vault *v, const struct request *r, const struct gate_party *none,
                                struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct entry e = {.kind = ENTRY_PARTY, .time = v->now};
    const struct gate_party *p = world_party_named(v->world, r->path);
    (void)none;
    if (!p) {
        answer_problem(a, 404, "party_unknown", "there is no living party of this name");
        return BOURN_OK;
    }
    e.ends = p->index;
    entry_set(&e, E_ENDS);
    TRY(batch_entry(v, &e, NULL, 0, &a->receipt));
    TRY(webhooks_end(v, e.ends));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"ended\":%llu}", (unsigned long long)e.ends);
    err = BOURN_OK;
out:
    return err;
}

static void put_party(struct buf *b, const struct gate_party *p)
{
    buf_printf(b, "{\"index\":%llu,\"name\":", (unsigned long long)p->index);
    json_put_string(b, p->name);
    buf_put_str(b, ",\"legal_name\":");
    json_put_string(b, p->legal_name);
    buf_put_str(b, ",\"contact\":");
    json_put_string(b, p->contact);
    buf_put_str(b, ",\"kind\":");
    json_put_string(b, p->kind);
    buf_put_str(b, ",\"jurisdiction\":");
    json_put_string(b, p->jurisdiction);
    buf_put_str(b, ",\"rights\":[");
    const char *comma = "";
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        if (p->rights & rights[i].bit) {
            buf_printf(b, "%s\"%s\"", comma, rights[i].name);
            comma = ",";
        }
    buf_put_str(b, "],\"purposes\":[");
    for (size_t i = 0; i < p->purposes_n; i++) {
        buf_printf(b, "%s{\"purpose\":", i ? "," : "");
        json_put_string(b, p->purposes[i].purpose);
        buf_put_str(b, ",\"ground\":");
        if (p->purposes[i].ground.n)
            json_put_string(b, p->purposes[i].ground);
        else
            buf_put_str(b, "null");
        buf_put_str(b, "}");
    }
    buf_printf(b, "],\"ended\":%s}", p->ended == UINT64_MAX ? "false" : "true");
}

enum bourn_err handle_whoami(struct vault *v, const struct request *r, const struct gate_party *p,
                             struct answer *a)
{
    (void)v;
    (void)r;
    answer_json(a, 200);
    put_party(&a->body, p);
    return BOURN_OK;
}

enum bourn_err handle_parties(struct vault *v, const struct request *r, const struct gate_party *none,
                              struct answer *a)
{
    const struct gate_party *p;
    (void)r;
    (void)none;
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"parties\":[");
    for (size_t i = 0; (p = world_party_at(v->world, i)); i++) {
        buf_put_str(&a->body, i ? "," : "");
        put_party(&a->body, p);
    }
    buf_put_str(&a->body, "]}");
    return BOURN_OK;
}

/* --- collections
 * ------------------------------------------------------------------------------------------------ */

static const char *const type_names[] = {"",        "text", "integer",  "decimal",
                                         "boolean", "date", "datetime", "json"};

static bool one_field(struct vault *v, struct json_value value, struct entry_field *f)
{
    struct slice type = text_of(v, value, "type", "text");
    f->name = text_of(v, value, "name", "");
    f->type = 0;
    for (uint32_t i = FIELD_TEXT; i <= FIELD_JSON; i++)
        if (slice_is(type, type_names[i]))
            f->type = i;
    f->flags = (flag_of(value, "required") ? FIELD_REQUIRED : 0u) |
               (flag_of(value, "sensitive") ? FIELD_SENSITIVE : 0u) |
               (flag_of(value, "searchable") ? FIELD_SEARCHABLE : 0u);
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
            out[n] = (struct entry_rename){text_of(v, m.value, "from", ""), text_of(v, m.value, "to", "")};
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
    e.name = text_of(v, body, "name", "");
    e.retention = number_of(body, "retention_s", 0);
    e.sensitive = flag_of(body, "sensitive");
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
    if (!writable(&e, a))
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

enum bourn_err handle_notice(struct vault *v, const struct request *r, const struct gate_party *none,
                             struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value body;
    struct entry e = {.kind = ENTRY_NOTICE, .time = v->now};
    uint8_t key[8];
    static const enum entry_key keys[] = {E_NAME, E_VERSION, E_LANGUAGE, E_HASH};
    (void)none;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    e.name = text_of(v, body, "name", "");
    e.language = text_of(v, body, "language", "");
    struct slice text = text_of(v, body, "text", "");
    if (!name_valid(e.name) || !name_valid(e.language) || e.language.n > 16 || !text.n ||
        text.n > NOTICE_TEXT_BYTES_MAX) {
        answer_problem(a, 422, "notice_malformed",
                       "/name, /language (a tag such as en), /text (1 to %u bytes) are needed",
                       NOTICE_TEXT_BYTES_MAX);
        return BOURN_OK;
    }
    const struct world_notice *old = world_notice_named(v->world, e.name, e.language);
    e.version = old ? old->version + 1 : 1;
    crypto_sha256_1(e.hash, text);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        entry_set(&e, keys[i]);
    if (!writable(&e, a))
        return BOURN_OK;
    TRY(batch_entry(v, &e, NULL, 0, &a->receipt));
    be_put(key, a->receipt, 8);
    TRY(batch_put(v, STORE_NOTICE, slice_of(key, 8), text));
    answer_json(a, 201);
    buf_printf(&a->body, "{\"index\":%llu,\"version\":%llu}", (unsigned long long)a->receipt,
               (unsigned long long)e.version);
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err handle_pack(struct vault *v, const struct request *r, const struct gate_party *none,
                           struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct entry e = {.kind = ENTRY_POLICY, .time = v->now};
    struct gate_pack pack;
    const struct world_policy *old;
    static const enum entry_key keys[] = {E_NAME, E_VERSION, E_YAML, E_RULES};
    (void)none;
    size_t yaml_n = r->body.n >= 4 ? (size_t)be_get(r->body.p, 4) : SIZE_MAX;
    if (yaml_n > PACK_YAML_BYTES_MAX || r->body.n < 4 + yaml_n) {
        answer_problem(a, 400, "pack_malformed", "the pack's text is missing or over %u bytes",
                       PACK_YAML_BYTES_MAX);
        return BOURN_OK;
    }
    e.yaml = slice_of(r->body.p + 4, yaml_n);
    e.rules = slice_of(r->body.p + 4 + yaml_n, r->body.n - 4 - yaml_n);
    if (gate_pack_decode(e.rules, &v->arena, &pack) != BOURN_OK) {
        answer_problem(a, 422, "pack_malformed", "%s", err_text());
        return BOURN_OK;
    }
    e.name = pack.name;
    e.version = pack.version;
    for (size_t i = 0; (old = world_policy_at(v->world, i)); i++)
        if (slice_eq(old->pack->name, pack.name) && old->pack->version >= pack.version) {
            answer_problem(a, 409, "pack_version", "this pack is there at version %llu: raise `version`",
                           (unsigned long long)old->pack->version);
            return BOURN_OK;
        }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        entry_set(&e, keys[i]);
    if (!writable(&e, a))
        return BOURN_OK;
    TRY(batch_entry(v, &e, NULL, 0, &a->receipt));
    answer_json(a, 201);
    buf_printf(&a->body, "{\"index\":%llu,\"takes_effect\":\"", (unsigned long long)a->receipt);
    time_put(&a->body, v->now + world_delay_s(v->world));
    buf_put_str(&a->body, "\"}");
    err = BOURN_OK;
out:
    return err;
}

enum bourn_err handle_status(struct vault *v, const struct request *r, const struct gate_party *none,
                             struct answer *a)
{
    struct worker_state ws;
    struct buf *b = &a->body;
    (void)r;
    (void)none;
    worker_state(v->worker, &ws);
    answer_json(a, 200);
    buf_put_str(b, "{\"origin\":");
    json_put_string(b, world_origin(v->world));
    buf_put_str(b, ",\"domicile\":");
    json_put_string(b, world_domicile(v->world));
    buf_printf(b,
               ",\"entries\":%llu,\"signed\":%llu,\"people\":%llu,\"people_ever\":%llu,\"records\":%llu,"
               "\"disclosures\":%llu,\"refusals\":%llu,\"journal_free_bytes\":%llu,\"delay_s\":%llu,"
               "\"disclosing\":%s,\"erased_rows_pending\":%llu",
               (unsigned long long)v->next_index, (unsigned long long)ws.signed_size,
               (unsigned long long)prev_living(v->prev), (unsigned long long)prev_count(v->prev),
               (unsigned long long)records_count(v), (unsigned long long)v->disclosures,
               (unsigned long long)v->refusals_counted,
               (unsigned long long)journal_free_bytes(v->journal, false),
               (unsigned long long)world_delay_s(v->world),
               v->now_ms < v->full_until_ms || witnesses_late(v) || !vault_asked(v) ? "false" : "true",
               (unsigned long long)store_count(v->store, STORE_SWEEP));
    witnesses_status(v, b);
    webhooks_status(v, b);
    buf_put_str(b, "}");
    return BOURN_OK;
}
