/* The kinds of statement as tables of members, and one writer and one reader that follow them. The reader
 * ends by writing what it read and comparing: only canonical bytes pass, and nothing in them was overlooked.
 */
#include "base/limits.h"
#include "base/text.h"
#include "consent/consent.h"
#include "consent/jsonc.h"

#include <stdio.h>

_Static_assert(CONSENT_ITEMS_MAX == CONSENT_LIST_MAX, "one limit, two names");

enum type {
    SCHEMA, /* fixed words: `schema` */
    HEX16,
    HEX32,
    KEY,
    LINE,
    NAME,
    TERM,
    COUNTRY,
    TIME,
    VERSION,
    OBJECT,
    OBJECTS,
    ONE_OBJECT
};
enum { LIST = true };
struct member {
    const char *name;
    enum type type;
    bool list;         /* of slices or objects at `at`, their number at n_at; ascending if slices */
    bool may_be_empty; /* LINE */
    size_t at, n_at, size;
    const struct member *sub; /* OBJECT…: members, ended by a NULL name */
    const char *schema;
};

#define AT(s, m) .at = offsetof(struct s, m)
#define N_AT(s, m) .n_at = offsetof(struct s, m##_n)
/* Members stand in canonical order. */
static const struct member controller_members[] = {
    {"party_contact", LINE, AT(consent_statement, controller_contact), .may_be_empty = true},
    {"party_name", LINE, AT(consent_statement, controller)},
    {.name = NULL},
};
static const struct member notice_members[] = {
    {"hash", HEX32, AT(consent_statement, notice_hash)},
    {"language", NAME, AT(consent_statement, notice_language)},
    {"name", NAME, AT(consent_statement, notice_name)},
    {"version", VERSION, AT(consent_statement, notice_version)},
    {.name = NULL},
};
static const struct member purpose_members[] = {
    {"purpose", TERM, AT(consent_purpose, term)},
    {"purpose_description", LINE, AT(consent_purpose, description)},
    {.name = NULL},
};
static const struct member recipient_members[] = {
    {"party_contact", LINE, AT(consent_recipient, contact), .may_be_empty = true},
    {"party_country", COUNTRY, AT(consent_recipient, country)},
    {"party_entry", HEX32, AT(consent_recipient, party_hash)},
    {"party_id", NAME, AT(consent_recipient, name)},
    {"party_name", LINE, AT(consent_recipient, legal_name)},
    {.name = NULL},
};
static const struct member consent_members[] = {
    {"event_time", TIME, AT(consent_statement, issued)},
    {"expiry_time", TIME, AT(consent_statement, expires)},
    {"jurisdiction", COUNTRY, AT(consent_statement, domicile)},
    {"origin", LINE, AT(consent_statement, origin)},
    {"pii_controllers", ONE_OBJECT, .sub = controller_members},
    {"pii_information", NAME, LIST, AT(consent_statement, collections), N_AT(consent_statement, collections)},
    {"pii_principal_id", HEX16, AT(consent_statement, label)},
    {"privacy_notice", OBJECT, .sub = notice_members},
    {"processing_locations", COUNTRY, LIST, AT(consent_statement, destinations),
     N_AT(consent_statement, destinations)},
    {"purposes", OBJECTS, LIST, AT(consent_statement, purposes), N_AT(consent_statement, purposes),
     .size = sizeof(struct consent_purpose), .sub = purpose_members},
    {"recipient_third_parties", OBJECTS, LIST, AT(consent_statement, recipients),
     N_AT(consent_statement, recipients), .size = sizeof(struct consent_recipient), .sub = recipient_members},
    {"record_id", HEX16, AT(consent_statement, nonce)},
    {"schema_version", SCHEMA, .schema = "bourn-consent/1"},
    {.name = NULL},
};
static const struct member key_members[] = {
    {"enrolment_code_hash", HEX32, AT(key_statement, code_hash)},
    {"event_time", TIME, AT(key_statement, time)},
    {"origin", LINE, AT(key_statement, origin)},
    {"pii_principal_id", HEX16, AT(key_statement, label)},
    {"public_key", KEY, AT(key_statement, public_key)},
    {"schema_version", SCHEMA, .schema = "bourn-key/1"},
    {.name = NULL},
};
static const struct member export_members[] = {
    {"event_time", TIME, AT(own_statement, issued)},
    {"origin", LINE, AT(own_statement, origin)},
    {"pii_principal_id", HEX16, AT(own_statement, label)},
    {"record_id", HEX16, AT(own_statement, nonce)},
    {"request", SCHEMA, .schema = "a copy of all records about me"},
    {"schema_version", SCHEMA, .schema = "bourn-export/1"},
    {.name = NULL},
};

static const struct member history_members[] = {
    {"event_time", TIME, AT(own_statement, issued)},
    {"origin", LINE, AT(own_statement, origin)},
    {"pii_principal_id", HEX16, AT(own_statement, label)},
    {"record_id", HEX16, AT(own_statement, nonce)},
    {"request", SCHEMA, .schema = "every row of the ledger about me"},
    {"schema_version", SCHEMA, .schema = "bourn-history/1"},
    {.name = NULL},
};

static void put_members(struct buf *out, const struct member *m, const uint8_t *s);

static void put_value(struct buf *out, const struct member *m, const uint8_t *v)
{
    uint64_t number;
    struct slice text;
    switch (m->type) {
    case VERSION:
        memcpy(&number, v, sizeof number);
        buf_printf(out, "%llu", (unsigned long long)number);
        return;
    case OBJECT:
    case OBJECTS:
        put_members(out, m->sub, v);
        return;
    case ONE_OBJECT:
        buf_put_u8(out, '[');
        put_members(out, m->sub, v);
        buf_put_u8(out, ']');
        return;
    case LINE:
    case NAME:
    case TERM:
    case COUNTRY:
        memcpy(&text, v, sizeof text);
        line_put_json(out, text);
        return;
    default:
        break;
    }
    buf_put_u8(out, '"'); /* what follows needs no escapes */
    if (m->type == SCHEMA) {
        buf_put_str(out, m->schema);
    } else if (m->type == TIME) {
        memcpy(&number, v, sizeof number);
        time_put(out, number);
    } else if (m->type == KEY) {
        base64url_put(out, slice_of(v, 32));
    } else {
        hex_put(out, slice_of(v, m->type == HEX16 ? 16 : 32));
    }
    buf_put_u8(out, '"');
}

static size_t item_size(const struct member *m)
{
    return m->size ? m->size : sizeof(struct slice);
}

static void put_members(struct buf *out, const struct member *m, const uint8_t *s)
{
    for (const struct member *first = m; m->name; m++) {
        size_t n = 1;
        buf_put_u8(out, m == first ? '{' : ',');
        buf_printf(out, "\"%s\":%s", m->name, m->list ? "[" : "");
        if (m->list)
            memcpy(&n, s + m->n_at, sizeof n);
        for (size_t i = 0; i < n; i++) {
            if (i)
                buf_put_u8(out, ',');
            put_value(out, m, s + m->at + i * item_size(m));
        }
        if (m->list)
            buf_put_u8(out, ']');
    }
    buf_put_u8(out, '}');
}

struct reader {
    struct arena *arena;
    char path[128]; /* JSON pointer */
};

static enum bourn_err refuse(const struct reader *r, const char *why)
{
    return err_set(BOURN_E_FORMAT, "statement: %s at \"%s\"", why, r->path);
}

static enum bourn_err get_members(struct reader *r, const json_t *v, const struct member *m, uint8_t *s);

static enum bourn_err get_text(struct reader *r, const json_t *v, const struct member *m, struct slice *out)
{
    struct slice text = jsonc_string(v);
    bool good = m->type == NAME      ? name_valid(text)
                : m->type == TERM    ? term_valid(text)
                : m->type == COUNTRY ? country_valid(text)
                                     : line_ok(text) && (text.n > 0 || m->may_be_empty);
    if (!good)
        return refuse(r, m->type == NAME      ? "not a name"
                         : m->type == TERM    ? "not a term"
                         : m->type == COUNTRY ? "not a country code"
                                              : "empty, or text that is not one plain line");
    *out = arena_copy(r->arena, text);
    return out->p ? BOURN_OK : err_set(BOURN_E_MEMORY, "statement: no memory left in the arena");
}

static bool get_key(struct slice text, uint8_t out[32])
{
    struct buf b;
    buf_init(&b, 32);
    bool good = base64url_get(text, &b) && b.n == 32;
    if (good)
        memcpy(out, b.p, 32);
    buf_release(&b);
    return good;
}

static enum bourn_err get_value(struct reader *r, const json_t *v, const struct member *m, uint8_t *to)
{
    struct slice text = {0}, copy;
    uint64_t number = 0;
    enum bourn_err err;
    if (m->type == OBJECT || m->type == OBJECTS)
        return get_members(r, v, m->sub, to);
    if (m->type == ONE_OBJECT)
        return json_is_array(v) && json_array_size(v) == 1 ? get_members(r, json_array_get(v, 0), m->sub, to)
                                                           : refuse(r, "exactly one item was expected");
    if (m->type == VERSION) {
        if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) >= (json_int_t)1 << 53)
            return refuse(r, "a positive integer was expected");
        number = (uint64_t)json_integer_value(v);
        memcpy(to, &number, sizeof number);
        return BOURN_OK;
    }
    if (!json_is_string(v))
        return refuse(r, "a string was expected");
    text = jsonc_string(v);
    switch (m->type) {
    case SCHEMA:
        return slice_is(text, m->schema) ? BOURN_OK : refuse(r, "another kind or version of statement");
    case HEX16:
    case HEX32:
        return hex_get(text, to, m->type == HEX16 ? 16 : 32)
                   ? BOURN_OK
                   : refuse(r, "lower-case hex of fixed length was expected");
    case KEY:
        return get_key(text, to) ? BOURN_OK : refuse(r, "32 bytes in base64url were expected");
    case TIME:
        if (!time_get(text, &number))
            return refuse(r, "a time such as 2031-01-01T00:00:00Z was expected");
        memcpy(to, &number, sizeof number);
        return BOURN_OK;
    default:
        err = get_text(r, v, m, &copy);
        if (err == BOURN_OK)
            memcpy(to, &copy, sizeof copy);
        return err;
    }
}

static enum bourn_err get_list(struct reader *r, const json_t *v, const struct member *m, uint8_t *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    size_t n = json_array_size(v), used = strlen(r->path);
    if (!json_is_array(v) || n < 1 || n > CONSENT_ITEMS_MAX)
        return refuse(r, "a list of 1 to 16 items was expected");
    for (size_t i = 0; i < n; i++) {
        uint8_t *to = s + m->at + i * item_size(m);
        snprintf(r->path + used, sizeof r->path - used, "/%zu", i);
        TRY(get_value(r, json_array_get(v, i), m, to));
        struct slice pair[2]; /* the items that matter here begin with the slice that tells them apart */
        if (i > 0) {
            memcpy(&pair[0], to - item_size(m), sizeof pair[0]);
            memcpy(&pair[1], to, sizeof pair[1]);
            if (m->type != OBJECTS && slice_cmp(pair[0], pair[1]) >= 0)
                return refuse(r, "a list that does not ascend");
        }
        r->path[used] = '\0';
    }
    memcpy(s + m->n_at, &n, sizeof n);
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err get_members(struct reader *r, const json_t *v, const struct member *m, uint8_t *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    size_t used = strlen(r->path), known = 0;
    if (!json_is_object(v))
        return refuse(r, "an object was expected");
    for (; m->name; m++, known++) {
        const json_t *value = json_object_get(v, m->name);
        snprintf(r->path + used, sizeof r->path - used, "/%s", m->name);
        if (!value)
            return refuse(r, "a member is missing");
        TRY(m->list ? get_list(r, value, m, s) : get_value(r, value, m, s + m->at));
        r->path[used] = '\0';
    }
    if (json_object_size(v) != known)
        return refuse(r, "an unknown member");
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err get(struct slice canonical, struct arena *a, const struct member *members, void *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct reader r = {.arena = a};
    struct buf again;
    buf_init(&again, STATEMENT_BYTES_MAX);
    json_t *v = NULL;
    if (canonical.n > STATEMENT_BYTES_MAX)
        return err_set(BOURN_E_LIMIT, "statement: over %d bytes", STATEMENT_BYTES_MAX);
    if (!(v = jsonc_load(canonical)))
        return BOURN_E_FORMAT;
    TRY(get_members(&r, v, members, s));
    put_members(&again, members, s);
    TRY(buf_check(&again));
    err = slice_eq(buf_slice(&again), canonical) ? BOURN_OK : refuse(&r, "not in canonical form (RFC 8785)");
out:
    buf_release(&again);
    json_decref(v);
    return err;
}

/* A description that differs from the words of its term would show a person one purpose and bind them to
 * another. */
static enum bourn_err check_purposes(const struct consent_statement *s)
{
    for (size_t i = 0; i < s->purposes_n; i++) {
        struct buf words;
        buf_init(&words, STATEMENT_BYTES_MAX);
        consent_purpose_words(&words, s->purposes[i].term);
        bool same = slice_eq(buf_slice(&words), s->purposes[i].description);
        buf_release(&words);
        if (!same)
            return err_set(BOURN_E_FORMAT,
                           "statement: not the words of this purpose at "
                           "\"/purposes/%zu/purpose_description\"",
                           i);
        for (size_t j = 0; j < i; j++)
            if (slice_eq(s->purposes[i].term, s->purposes[j].term))
                return err_set(BOURN_E_FORMAT, "statement: a purpose twice at \"/purposes/%zu\"", i);
    }
    return BOURN_OK;
}

void consent_statement_put(struct buf *out, const struct consent_statement *s)
{
    put_members(out, consent_members, (const uint8_t *)s);
}

enum bourn_err consent_statement_get(struct slice canonical, struct arena *a, struct consent_statement *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    *s = (struct consent_statement){0};
    TRY(get(canonical, a, consent_members, s));
    TRY(check_purposes(s));
    if (s->expires <= s->issued)
        return err_set(BOURN_E_FORMAT, "statement: expiry before issue at \"/expiry_time\"");
    for (size_t i = 1; i < s->recipients_n; i++)
        for (size_t j = 0; j < i; j++)
            if (memcmp(s->recipients[i].party_hash, s->recipients[j].party_hash, 32) == 0)
                return err_set(BOURN_E_FORMAT,
                               "statement: a recipient twice at \"/recipient_third_parties/%zu\"", i);
    err = BOURN_OK;
out:
    return err;
}

void key_statement_put(struct buf *out, const struct key_statement *s)
{
    put_members(out, key_members, (const uint8_t *)s);
}

enum bourn_err key_statement_get(struct slice canonical, struct arena *a, struct key_statement *s)
{
    *s = (struct key_statement){0};
    return get(canonical, a, key_members, s);
}

void export_statement_put(struct buf *out, const struct own_statement *s)
{
    put_members(out, export_members, (const uint8_t *)s);
}

enum bourn_err export_statement_get(struct slice canonical, struct arena *a, struct own_statement *s)
{
    *s = (struct own_statement){0};
    return get(canonical, a, export_members, s);
}

void history_statement_put(struct buf *out, const struct own_statement *s)
{
    put_members(out, history_members, (const uint8_t *)s);
}

enum bourn_err history_statement_get(struct slice canonical, struct arena *a, struct own_statement *s)
{
    *s = (struct own_statement){0};
    return get(canonical, a, history_members, s);
}
