/* What the operator does over admin.sock: parties, collections, notices, packs, status. Each is an entry;
 * none returns plaintext of any person. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"

struct slice text_decoded(struct vault *v, struct json_value value)
{
    if (value.type != JSON_STRING)
        return slice_of(NULL, 0);
    struct buf b;
    buf_init(&b, value.raw.n);
    json_string_decode(value.raw, &b);
    struct slice s = arena_copy(&v->arena, buf_slice(&b));
    buf_release(&b);
    return s;
}

struct slice body_text(struct vault *v, struct json_value object, const char *name, const char *otherwise)
{
    struct json_value value;
    if (!json_find(object, name, &value) || value.type != JSON_STRING)
        return otherwise ? slice_str(otherwise) : slice_of(NULL, 0);
    return text_decoded(v, value);
}

uint64_t body_number(struct json_value object, const char *name, uint64_t otherwise)
{
    struct json_value value;
    uint64_t n;
    return json_find(object, name, &value) && decimal_get(value.raw, &n) ? n : otherwise;
}

bool entry_writable(const struct entry *e, struct answer *a)
{
    if (entry_check(e) == BOURN_OK)
        return true;
    answer_problem(a, 422, "entry_malformed", "%s", err_text());
    return false;
}

bool body_flag(struct json_value object, const char *name)
{
    struct json_value value;
    return json_find(object, name, &value) && slice_is(value.raw, "true");
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
    e.name = body_text(v, body, "name", "");
    e.language = body_text(v, body, "language", "");
    struct slice text = body_text(v, body, "text", "");
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
    if (!entry_writable(&e, a))
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
    if (!entry_writable(&e, a))
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
