#include "build.h"

static void set(struct entry *e, const unsigned *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        entry_set(e, (enum entry_key)keys[i]);
}
#define SET(e, ...)                                                                                          \
    set(e, (const unsigned[]){__VA_ARGS__}, sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

enum bourn_err build_apply(struct build *b, struct entry *e)
{
    struct buf bytes;
    struct entry read;
    buf_init(&bytes, ENTRY_BYTES_MAX);
    e->time = b->time;
    SET(e, E_KIND, E_TIME, E_SALT);
    entry_encode(&bytes, e);
    assert_int_equal(entry_decode(buf_slice(&bytes), &b->arena, &read), BOURN_OK);
    b->clause = NULL;
    enum bourn_err err = world_apply(b->w, b->next, &read, buf_slice(&bytes), &b->clause);
    if (err == BOURN_OK)
        b->next++;
    memset(bytes.p, 0xff, bytes.n); /* the world has its own copy */
    buf_release(&bytes);
    return err;
}

void build_init(struct build *b)
{
    static const uint8_t key[32] = {1};
    static const struct slice keys[] = {{key, sizeof key}};
    *b = (struct build){.w = world_new(), .time = T0};
    assert_non_null(b->w);
    arena_init(&b->arena, 1 << 24);
    struct entry e = {.kind = ENTRY_GENESIS,
                      .origin = slice_str("cn.example/ledger"),
                      .domicile = slice_str("CN"),
                      .legal_name = slice_str("Clinic Ltd"),
                      .contact = slice_str("+86"),
                      .keys = keys,
                      .keys_n = 1,
                      .delay = DELAY,
                      .format = 1};
    SET(&e, E_ORIGIN, E_DOMICILE, E_LEGAL_NAME, E_CONTACT, E_KEYS, E_DELAY, E_FORMAT);
    assert_int_equal(build_apply(b, &e), BOURN_OK);
}

void build_release(struct build *b)
{
    world_free(b->w);
    arena_release(&b->arena);
}

enum bourn_err build_party(struct build *b, const char *name, const char *country)
{
    static const struct entry_purpose purposes[] = {
        {{(const uint8_t *)"dpv:A", 5}, {(const uint8_t *)"dpv:Contract", 12}}};
    struct entry e = {.kind = ENTRY_PARTY,
                      .name = slice_str(name),
                      .legal_name = slice_str(name),
                      .jurisdiction = slice_str(country),
                      .party_kind = slice_str("app"),
                      .rights = RIGHT_READ,
                      .purposes = purposes,
                      .purposes_n = 1};
    SET(&e, E_NAME, E_LEGAL_NAME, E_CONTACT, E_JURISDICTION, E_PARTY_KIND, E_KEYS, E_RIGHTS, E_PURPOSES);
    return build_apply(b, &e);
}

enum bourn_err build_end(struct build *b, uint64_t party)
{
    struct entry e = {.kind = ENTRY_PARTY, .ends = party};
    SET(&e, E_ENDS);
    return build_apply(b, &e);
}

enum bourn_err build_collection(struct build *b, const char *name, uint64_t version)
{
    static const struct entry_field fields[] = {{{(const uint8_t *)"field", 5}, FIELD_TEXT, 0}};
    struct entry e = {.kind = ENTRY_COLLECTION,
                      .name = slice_str(name),
                      .version = version,
                      .fields_declared = fields,
                      .fields_declared_n = 1,
                      .sensitive = version > 1};
    SET(&e, E_NAME, E_VERSION, E_FIELDS_DECLARED, E_RETENTION, E_SENSITIVE);
    return build_apply(b, &e);
}

enum bourn_err build_notice(struct build *b, const char *name, const char *language, uint64_t version)
{
    struct entry e = {.kind = ENTRY_NOTICE,
                      .name = slice_str(name),
                      .language = slice_str(language),
                      .version = version,
                      .hash = {(uint8_t)version}};
    SET(&e, E_NAME, E_VERSION, E_LANGUAGE, E_HASH);
    return build_apply(b, &e);
}

enum bourn_err build_policy(struct build *b, const char *name, uint64_t version, uint64_t from, uint64_t to)
{
    static const struct gate_expr expr[] = {{.op = EXPR_GROUND}};
    const struct gate_rule rule = {
        .id = slice_str("r"), .clause = slice_str("C3"), .expr = expr, .expr_n = 1};
    const struct gate_pack p = {.name = slice_str(name),
                                .version = version,
                                .effective_from = from,
                                .effective_to = to,
                                .rules = &rule,
                                .rules_n = 1};
    struct buf rules;
    buf_init(&rules, 1 << 12);
    gate_pack_encode(&rules, &p);
    struct entry e = {.kind = ENTRY_POLICY,
                      .name = slice_str(name),
                      .version = version,
                      .yaml = slice_str("pack: x"),
                      .rules = buf_slice(&rules)};
    SET(&e, E_NAME, E_VERSION, E_YAML, E_RULES);
    enum bourn_err err = build_apply(b, &e);
    buf_release(&rules);
    return err;
}

enum bourn_err build_config(struct build *b, const char *name, const char *value)
{
    const struct entry_setting settings[] = {{slice_str(name), slice_str(value)}};
    struct entry e = {.kind = ENTRY_CONFIG, .settings = settings, .settings_n = 1};
    SET(&e, E_SETTINGS);
    return build_apply(b, &e);
}
