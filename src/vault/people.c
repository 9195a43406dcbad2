/* Enrolment codes, keys of people, erasure, and the sweep that follows it. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"
#include "consent/consent.h"

#define CODE_BYTES 12 /* random; shown as 20 characters of base 32 in groups of four */

struct code { /* what STORE_CODE holds: number (8), party (8), expiry (8) */
    uint64_t number, party, expires;
};

/* Crockford's base 32: no I, L, O, U. 12 bytes are 96 bits: 19.2 characters, so 20. */
static void code_text(struct buf *out, const uint8_t random[CODE_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned bits = 0, at = 0;
    uint32_t v = 0;
    for (unsigned i = 0; i < 20; i++) {
        if (bits < 5) {
            v = v << 8 | (at < CODE_BYTES ? random[at] : 0);
            at++;
            bits += 8;
        }
        bits -= 5;
        if (i && i % 4 == 0)
            buf_put_u8(out, '-');
        buf_put_u8(out, (uint8_t)digits[v >> bits & 31]);
    }
}

enum bourn_err handle_enrolment(struct vault *v, const struct request *r, const struct gate_party *p,
                                struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct subject s;
    uint8_t random[CODE_BYTES], hash[32], value[24];
    struct buf text;
    err = subject_find(v, r->subject, &s);
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        return BOURN_OK;
    }
    if (err)
        return err;
    buf_init_secret(&text, 64);
    crypto_random(random, sizeof random);
    code_text(&text, random);
    crypto_sha256_1(hash, buf_slice(&text));
    be_put(value, s.number, 8);
    be_put(value + 8, p->index, 8);
    be_put(value + 16, v->now + ENROLMENT_CODE_TTL_S, 8);
    TRY(batch_put(v, STORE_CODE, slice_of(hash, 32), slice_of(value, sizeof value)));
    answer_json(a, 201);
    buf_put_str(&a->body, "{\"code\":\"");
    buf_put_slice(&a->body, buf_slice(&text));
    buf_put_str(&a->body, "\",\"expires\":\"");
    time_put(&a->body, v->now + ENROLMENT_CODE_TTL_S);
    buf_put_str(&a->body, "\"}");
    err = BOURN_OK;
out:
    buf_release(&text);
    crypto_wipe(random, sizeof random);
    subject_release(&s);
    return err;
}

/* Reads {"code":…} and finds what it stands for; false with one and the same answer for every kind of
 * failure. */
static enum bourn_err find_code(struct vault *v, struct json_value body, uint8_t hash[32], struct code *out,
                                struct subject *s, struct answer *a, bool *found)
{
    struct json_value value;
    struct slice row;
    *found = false;
    answer_problem(a, 404, "code_unknown", "the code is unknown, used or expired: ask for a new one");
    answer_hold(a, 1);
    if (!json_find(body, "code", &value) || value.type != JSON_STRING ||
        memchr(value.raw.p, '\\', value.raw.n))
        return BOURN_OK;
    crypto_sha256_1(hash, slice_of(value.raw.p + 1, value.raw.n - 2));
    enum bourn_err err = store_get(v->store, STORE_CODE, slice_of(hash, 32), &row);
    if (err == BOURN_E_NOT_FOUND)
        return BOURN_OK;
    if (err)
        return err;
    if (row.n != 24)
        return err_set(BOURN_E_CORRUPT, "an enrolment code's row is malformed");
    *out = (struct code){be_get(row.p, 8), be_get(row.p + 8, 8), be_get(row.p + 16, 8)};
    const struct gate_party *p = world_party(v->world, out->party);
    if (out->expires <= v->now || !p || p->ended != UINT64_MAX)
        return BOURN_OK;
    err = subject_load(v, out->number, s);
    if (err == BOURN_E_NOT_FOUND)
        return BOURN_OK;
    *found = err == BOURN_OK;
    if (*found)
        a->hold_ns = 0;
    return err;
}

enum bourn_err handle_enrolment_look(struct vault *v, const struct request *r, const struct gate_party *none,
                                     struct answer *a)
{
    struct json_value body;
    struct code code;
    struct subject s;
    uint8_t hash[32];
    bool found;
    (void)none;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    enum bourn_err err = find_code(v, body, hash, &code, &s, a, &found);
    if (err || !found)
        return err;
    const struct gate_party *p = world_party(v->world, code.party);
    buf_clear(&a->detail);
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"origin\":");
    json_put_string(&a->body, world_origin(v->world));
    buf_put_str(&a->body, ",\"label\":\"");
    hex_put(&a->body, slice_of(s.person.label, 16));
    buf_put_str(&a->body, "\",\"vouched_by\":{\"kind\":");
    json_put_string(&a->body, p->kind);
    buf_put_str(&a->body, ",\"name\":");
    json_put_string(&a->body, p->name);
    buf_put_str(&a->body, "}}");
    subject_release(&s);
    return BOURN_OK;
}

/* The signed key statement fits the code, the person, the cell and the clock; false with the answer made. */
static bool key_statement_ok(struct vault *v, const struct signed_statement *ss, const uint8_t code_hash[32],
                             const struct subject *s, struct answer *a)
{
    struct key_statement k;
    buf_clear(&a->detail);
    if (key_statement_get(ss->canonical, &v->arena, &k) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
        return false;
    }
    uint64_t skew = k.time > v->now ? k.time - v->now : v->now - k.time;
    if (!slice_eq(k.origin, world_origin(v->world)) || memcmp(k.label, s->person.label, 16) != 0 ||
        memcmp(k.code_hash, code_hash, 32) != 0 || skew > KEY_STATEMENT_SKEW_S_MAX || !ss->public_key.n ||
        !slice_eq(slice_of(k.public_key, 32), ss->public_key)) {
        answer_problem(a, 422, "statement_mismatch",
                       "/statement: not for this cell, code, key or time (clocks may differ by %d s)",
                       KEY_STATEMENT_SKEW_S_MAX);
        return false;
    }
    if (consent_verify(ss->canonical, ss->signature, ss->public_key) != BOURN_OK) {
        answer_problem(a, 403, "signature_invalid", "the proof of possession does not verify: %s",
                       err_text());
        return false;
    }
    size_t live = 0;
    for (size_t i = 0; i < s->person.keys_n; i++) {
        live += s->person.keys[i].ended == UINT64_MAX;
        if (memcmp(s->person.keys[i].public_key, k.public_key, 32) == 0) {
            answer_problem(a, 409, "key_known",
                           "this key was enrolled for the person before: make a new one");
            return false;
        }
    }
    if (live >= KEYS_PER_SUBJECT_MAX) {
        answer_problem(a, 409, "keys_limit", "a person has at most %d keys", KEYS_PER_SUBJECT_MAX);
        return false;
    }
    return true;
}

static enum bourn_err stage_key(struct vault *v, const struct code *code, struct subject *s,
                                const struct signed_statement *ss, struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *clause = "";
    const struct gate_party *p = world_party(v->world, code->party);
    struct entry e = {.kind = ENTRY_KEY, .time = v->now, .party = p->index};
    struct staged_row staged = {.number = s->number, .generation = ++s->generation};
    struct evidence ev = {2, ss->canonical, ss->signature, ss->public_key};
    entry_set(&e, E_PARTY);
    row_begin(&staged.row, s);
    staged.row.action = 1;
    staged.row.voucher = slice_is(p->kind, "registrar") ? VOUCHER_REGISTRAR : VOUCHER_APP;
    staged.row.voucher_ref = p->index;
    row_set(&staged.row, R_ACTION);
    row_set(&staged.row, R_VOUCHER);
    row_set(&staged.row, R_EVIDENCE);
    TRY(person_apply(&s->person, v->next_index, &e, &staged.row, &clause));
    TRY(subject_put_evidence(v, s, v->next_index, &ev, staged.row.evidence));
    struct person_key *k = &s->person.keys[s->person.keys_n - 1];
    memcpy(k->public_key, ss->public_key.p, 32);
    k->known = true;
    TRY(subject_save(v, s));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_json(a, 201);
    buf_printf(&a->body, "{\"key\":%llu,\"label\":\"", (unsigned long long)a->receipt);
    hex_put(&a->body, slice_of(s->person.label, 16));
    buf_put_str(&a->body, "\",\"origin\":");
    json_put_string(&a->body, world_origin(v->world));
    buf_put_str(&a->body, ",\"vouched_by\":{\"kind\":");
    json_put_string(&a->body, p->kind);
    buf_put_str(&a->body, ",\"name\":");
    json_put_string(&a->body, p->name);
    buf_put_str(&a->body, "}}");
    err = BOURN_OK;
out:
    return err;
}

/* Takes the member `code` out, so that the rest is the wire form of a signed statement. */
static enum bourn_err without_code(struct vault *v, struct json_value body, struct slice *out)
{
    size_t at = 0, n = 0;
    struct json_member m;
    struct buf b;
    buf_init(&b, REQUEST_BODY_BYTES_MAX);
    buf_put_str(&b, "{");
    while (json_next(body, &at, &m)) {
        if (json_string_is(m.name, slice_str("code")))
            continue;
        buf_put_str(&b, n++ ? "," : "");
        buf_put_slice(&b, m.name);
        buf_put_str(&b, ":");
        buf_put_slice(&b, m.value.raw);
    }
    buf_put_str(&b, "}");
    *out = arena_copy(&v->arena, buf_slice(&b));
    enum bourn_err err = out->p ? buf_check(&b) : err_set(BOURN_E_MEMORY, "out of memory for a request");
    buf_release(&b);
    return err;
}

enum bourn_err handle_enrolment_done(struct vault *v, const struct request *r, const struct gate_party *none,
                                     struct answer *a)
{
    struct json_value body;
    struct code code;
    struct subject s;
    struct signed_statement ss;
    struct slice rest;
    uint8_t hash[32];
    bool found;
    (void)none;
    if (!body_object(r, &body, a))
        return BOURN_OK;
    enum bourn_err err = find_code(v, body, hash, &code, &s, a, &found);
    if (err || !found)
        return err;
    TRY(without_code(v, body, &rest));
    if (signed_statement_get(rest, &v->arena, &ss) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
    } else if (key_statement_ok(v, &ss, hash, &s, a)) {
        TRY(stage_key(v, &code, &s, &ss, a));
        TRY(batch_del(v, STORE_CODE, slice_of(hash, 32)));
    }
    err = BOURN_OK;
out:
    subject_release(&s);
    return err;
}

enum bourn_err erase_rows(struct vault *v, const struct subject *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct cbor ids;
    uint8_t number[8], key[32];
    be_put(number, s->number, 8);
    cbor_init(&ids, buf_slice(&s->ids));
    for (size_t i = 0; i < s->ids_n; i++) {
        subject_id_key(v, cbor_text(&ids), key);
        TRY(batch_del(v, STORE_ID, slice_of(key, 32)));
    }
    TRY(batch_del(v, STORE_PERSON, slice_of(number, 8)));
    TRY(export_forget(v, s));
    TRY(reading_forget(v, s));
    TRY(batch_put(v, STORE_SWEEP, slice_of(number, 8), slice_of(NULL, 0)));
    buf_put(&v->erased, number, 8);
    err = buf_check(&v->erased);
out:
    return err;
}

enum bourn_err handle_erase(struct vault *v, const struct request *r, const struct gate_party *p,
                            struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct subject s;
    err = subject_find(v, r->subject, &s);
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        return BOURN_OK;
    }
    if (err)
        return err;
    struct entry e = {.kind = ENTRY_ERASED,
                      .time = v->now,
                      .party = p->index,
                      .asked_by = 2,
                      .cause = slice_str("request")};
    struct staged_row staged = {.number = s.number, .generation = PREV_ERASED};
    entry_set(&e, E_PARTY);
    entry_set(&e, E_ASKED_BY);
    entry_set(&e, E_CAUSE);
    row_begin(&staged.row, &s);
    TRY(erase_rows(v, &s));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"erased\":%llu}", (unsigned long long)a->receipt);
    err = BOURN_OK;
out:
    subject_release(&s);
    return err;
}

/* Deletes rows of `space` under the person's number, with what points at them; *left counts down. */
static enum bourn_err sweep_space(struct vault *v, enum store_space space, struct slice prefix, size_t *left)
{
    uint8_t key[STORE_KEY_BYTES_MAX];
    struct slice found, value;
    for (; *left; --*left) {
        enum bourn_err err = store_seek(v->store, space, prefix, prefix, &found, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        bourn_assert(found.n <= sizeof key);
        size_t n = found.n;
        memcpy(key, found.p, n); /* the pointer dies with the delete */
        bool record = space == STORE_PERSON && n == RECORD_KEY_BYTES;
        err = record ? record_drop(v, key) : batch_del(v, space, slice_of(key, n));
        if (err)
            return err;
    }
    return BOURN_OK;
}

/* Codes lie in the order of their hashes: a bounded piece is looked at, from where the last one ended. */
static enum bourn_err sweep_codes(struct vault *v)
{
    struct slice key, value;
    for (unsigned left = SWEEP_CODES_PER_TICK; left; left--) {
        enum bourn_err err = store_seek(v->store, STORE_CODE, slice_of(NULL, 0),
                                        slice_of(v->code_next, v->code_next_n), &key, &value);
        if (err == BOURN_E_NOT_FOUND) {
            v->code_next_n = 0;
            return BOURN_OK;
        }
        if (err)
            return err;
        if (key.n != 32 || value.n != 24) {
            err = batch_stray(v, STORE_CODE, key);
            if (err)
                return err;
            continue;
        }
        memcpy(v->code_next, key.p, 32); /* and a zero byte: what comes behind it */
        v->code_next_n = sizeof v->code_next;
        if (be_get(value.p + 16, 8) > v->now)
            continue;
        err = batch_del(v, STORE_CODE, slice_of(v->code_next, 32));
        if (err)
            return err;
    }
    return BOURN_OK;
}

/* A bounded piece of the rows that erased people left behind: they cannot be read any more, now they go. And
 * of the enrolment codes whose time is over. */
enum bourn_err sweep(struct vault *v)
{
    size_t left = SWEEP_ROWS_PER_TICK;
    uint8_t number[8];
    struct slice key, value;
    enum bourn_err err = sweep_codes(v);
    if (err)
        return err;
    while (left) {
        err = store_seek(v->store, STORE_SWEEP, slice_of(NULL, 0), slice_of(NULL, 0), &key, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        if (key.n != 8) {
            err = batch_stray(v, STORE_SWEEP, key);
            if (err)
                return err;
            left--;
            continue;
        }
        memcpy(number, key.p, 8);
        err = sweep_space(v, STORE_PERSON, slice_of(number, 8), &left);
        if (err == BOURN_OK)
            err = sweep_space(v, STORE_EVIDENCE, slice_of(number, 8), &left);
        if (err == BOURN_OK && left)
            err = batch_del(v, STORE_SWEEP, slice_of(number, 8));
        if (err)
            return err;
    }
    return BOURN_OK;
}
