/* Parties, over admin.sock: who they are, what they may do, until when. */
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

static bool party_purposes(struct vault *v, struct json_value body, struct entry *e, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0, n = 0;
    struct entry_purpose *out = arena_alloc(&v->arena, PURPOSES_PER_PARTY_MAX * sizeof *out);
    if (out && json_find(body, "purposes", &list) && list.type == JSON_ARRAY)
        while (json_next(list, &at, &m)) {
            struct slice purpose = body_text(v, m.value, "purpose", NULL),
                         ground = body_text(v, m.value, "ground", "");
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
    e->name = body_text(v, body, "name", "");
    e->party_kind = body_text(v, body, "kind", "");
    e->jurisdiction = body_text(v, body, "jurisdiction", "");
    e->legal_name = body_text(v, body, "legal_name", NULL);
    if (!e->legal_name.n)
        e->legal_name = e->name;
    e->contact = body_text(v, body, "contact", "");
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
    uint64_t days = body_number(body, "days", TOKEN_TTL_DAYS_DEFAULT);
    if (days == 0 || days > TOKEN_TTL_DAYS_MAX) {
        answer_problem(a, 422, "days_malformed", "/days: a token lives 1 to %d days", TOKEN_TTL_DAYS_MAX);
        return BOURN_OK;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        entry_set(&e, keys[i]);
    if (!entry_writable(&e, a))
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
