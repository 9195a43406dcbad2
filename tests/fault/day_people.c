/* Steps of a workload: people come with several names, bind keys, consent and go; parties and schemas change.
 */
#include "day.h"

#include "picture.h"
#include "recorder.h"

#include "base/text.h"
#include "consent/consent.h"
#include "crypto/crypto.h"

#include <stdio.h>
#include <string.h>

void do_person(void)
{
    size_t who = day_somebody(false);
    struct person p = {.is.there = true, .next = 1};
    if (who == PEOPLE)
        return;
    struct request *r = day_next(REQ_SUBJECT_NEW, day->clinic, "", 201);
    p.is.aliases = (uint32_t)day_below(ALIASES);
    size_t n = (size_t)snprintf(day_body(), REQUEST_BYTES, "{\"identifiers\":[\"p%02zu\"", who);
    for (uint32_t i = 1; i <= p.is.aliases; i++)
        n += (size_t)snprintf(day_body() + n, REQUEST_BYTES - n, ",\"p%02zu.%u\"", who, i);
    snprintf(day_body() + n, REQUEST_BYTES - n, "]}");
    day_person(who)->busy = true;
    day_add_once(r, who, &p);
}

void do_alias(void)
{
    size_t who = day_somebody(true);
    if (who == PEOPLE || day_person(who)->is.aliases == ALIASES)
        return;
    struct person p = *day_person(who);
    struct request *r = day_next(REQ_IDENTIFIER, day->clinic, "", 201);
    snprintf(day_body(), REQUEST_BYTES, "{\"identifier\":\"p%02zu.%u\"}", who, ++p.is.aliases);
    day_of(r, who, NULL);
    day_add_once(r, who, &p);
}

void do_erase(void)
{
    size_t who = day_somebody(true);
    struct person gone = {0};
    if (who == PEOPLE)
        return;
    day_send(); /* alone: which slot becomes zero must be seen */
    struct request *r = day_next(REQ_ERASE, day->clinic, "", 200);
    day_of(r, who, NULL);
    day_add_once(r, who, &gone);
    day_send();
}

static void enrol(size_t who)
{
    char code[64], label[64];
    struct key_statement k = {.origin = slice_str(ORIGIN), .time = day->now};
    struct buf statement, json;
    uint8_t signature[64], public_key[32];
    struct person *p = day_person(who);
    struct request *r = day_next(REQ_ENROLMENT, day->clinic, "", 201);
    day_of(r, who, NULL);
    day_story()->kind = STORY_CODE;
    day_story()->number = (uint32_t)who;
    cell_member(day_one(r), "code", code, sizeof code);
    r = day_next(REQ_ENROLMENT_LOOK, "", "", 200);
    snprintf(day_body(), REQUEST_BYTES, "{\"code\":\"%s\"}", code);
    cell_member(day_one(r), "label", label, sizeof label);
    crypto_sign_keypair(public_key, p->secret);
    if (!hex_get(slice_str(label), k.label, 16))
        day_fail("the label of an enrolment");
    crypto_sha256_1(k.code_hash, slice_str(code));
    memcpy(k.public_key, public_key, 32);
    buf_init(&statement, 1 << 16);
    buf_init(&json, 1 << 16);
    key_statement_put(&statement, &k);
    consent_sign(signature, buf_slice(&statement), p->secret);
    struct signed_statement ss = {buf_slice(&statement), slice_of(signature, 64), slice_of(public_key, 32)};
    signed_statement_put(&json, &ss);
    r = day_next(REQ_ENROLMENT_DONE, "", "", 201);
    day_story()->kind = STORY_CODE; /* a code that was used up: nothing is expected of it */
    day_story()->number = (uint32_t)who;
    recorder_mark(day_story(), sizeof *day_story());
    snprintf(day_body(), REQUEST_BYTES, "{\"code\":\"%s\",%.*s", code, (int)json.n - 1,
             (const char *)json.p + 1);
    day_one(r);
    memcpy(p->label, k.label, 16);
    p->key = true;
    p->busy = false;
    buf_release(&statement);
    buf_release(&json);
}

void do_consent(void)
{
    size_t who = day_somebody(true);
    uint8_t signature[64];
    struct signed_statement ss;
    struct arena arena;
    struct buf json;
    day_send();
    if (who == PEOPLE || day_person(who)->is.lab)
        return;
    if (!day_person(who)->key)
        enrol(who);
    struct person p = *day_person(who);
    struct request *r = day_next(REQ_CONSENT_REQUEST, day->clinic, "", 200);
    day_of(r, who, NULL);
    snprintf(day_body(), REQUEST_BYTES,
             "{\"purposes\":[\"" RESEARCH "\"],\"recipients\":[\"lab\"],\"collections\":[\"people\"],"
             "\"expires\":\"2031-01-01\",\"notice\":\"research\"}");
    const struct asked_answer *a = day_one(r);
    arena_init(&arena, 1 << 20);
    if (signed_statement_get(slice_of(a->body, a->n), &arena, &ss) != BOURN_OK)
        day_fail("a statement to sign");
    consent_sign(signature, ss.canonical, p.secret);
    ss.signature = slice_of(signature, 64);
    ss.public_key = slice_of(p.secret + 32, 32);
    buf_init(&json, 1 << 16);
    signed_statement_put(&json, &ss);
    r = day_next(REQ_CONSENT, day->clinic, "", 201);
    day_of(r, who, NULL);
    r->body = buf_slice(&json);
    p.is.lab = true;
    day_add(r, who, &p);
    day_send();
    day_person(who)->consent = day_cell->answers[0].receipt;
    buf_release(&json);
    arena_release(&arena);
}

void do_withdraw(void)
{
    for (size_t who = 0; who < PEOPLE; who++) {
        struct person p = *day_person(who);
        if (!p.is.there || !p.is.lab || p.busy)
            continue;
        struct request *r = day_next(REQ_WITHDRAW, day->clinic, "", 200);
        day_of(r, who, NULL);
        r->number = p.consent;
        p.is.lab = false;
        day_add(r, who, &p);
        return;
    }
}

/* A person takes their own copy, page by page; their files are those that do_write and do_visit made. */
void do_copy(void)
{
    size_t who = day_somebody(true);
    uint8_t signature[64];
    char text[TEXT_BYTES];
    struct buf statement, json;
    day_send();
    if (who == PEOPLE)
        return;
    if (!day_person(who)->key)
        enrol(who);
    const struct person *p = day_person(who);
    struct own_statement x = {.origin = slice_str(ORIGIN), .issued = day->now};
    memcpy(x.label, p->label, 16);
    crypto_random(x.nonce, 16);
    buf_init(&statement, TEXT_BYTES);
    buf_init(&json, TEXT_BYTES);
    export_statement_put(&statement, &x);
    consent_sign(signature, buf_slice(&statement), p->secret);
    struct signed_statement ss = {buf_slice(&statement), slice_of(signature, 64),
                                  slice_of(p->secret + 32, 32)};
    signed_statement_put(&json, &ss);
    bourn_assert(!json.failed && json.n < TEXT_BYTES);
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(buf_slice(&json)));
    uint64_t page = 0;
    do {
        struct request *r = day_next(REQ_EXPORT, "", "", 200);
        struct story *s = day_story();
        r->body = slice_str(text);
        r->number = page;
        s->kind = page ? STORY_ANSWER : STORY_COPY;
        s->number = (uint32_t)who;
        snprintf(s->text, sizeof s->text, "%s", page ? "" : text);
        recorder_mark(s, sizeof *s);
        page = day_one(r)->next;
    } while (page);
    buf_release(&statement);
    buf_release(&json);
}

/* --- what the operator changes
 * ------------------------------------------------------------------------------------ */

void day_party(const char *name, const char *more, char token[128], unsigned number)
{
    struct request *r = day_next(REQ_ADMIN_PARTY, "", "", 201);
    struct story *s = day_story();
    snprintf(day_body(), REQUEST_BYTES, "{\"name\":\"%s\",%s}", name, more);
    s->kind = STORY_PARTY;
    s->number = number;
    s->alive = true;
    recorder_mark(s, sizeof *s);
    cell_member(day_one(r), "token", token, 128);
}

void do_party(void)
{
    char name[32];
    day_send();
    if (day->parties > 4 && day_below(2)) {
        unsigned which = 3 + (unsigned)day_below(day->parties - 3);
        if (!day->alive[which])
            return;
        struct request *r = day_next(REQ_ADMIN_PARTY_END, "", "", 200);
        snprintf(name, sizeof name, "other%u", which);
        r->path = slice_str(name);
        day_story()->kind = STORY_PARTY;
        day_story()->number = which;
        snprintf(day_story()->text, TEXT_BYTES, "%s", day->other[which]);
        day->alive[which] = false;
        day_add(r, 0, NULL);
        day_send();
    } else if (day->parties < PARTIES) {
        unsigned which = day->parties++;
        snprintf(name, sizeof name, "other%u", which);
        day->alive[which] = true;
        day_party(name,
                  "\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:Marketing\"}]",
                  day->other[which], which);
    }
}

void do_schema(void)
{
    if (day->schemas == SCHEMAS)
        return;
    day_send();
    struct request *r = day_next(REQ_ADMIN_COLLECTION, "", "", 201);
    struct story *s = day_story();
    picture_schema(day_body(), REQUEST_BYTES, day->schemas + 1);
    s->kind = STORY_SCHEMA;
    s->number = day->schemas + 1;
    s->size = day->schemas ? day->now + DELAY_S : day->now;
    day_add(r, 0, NULL);
    day_send();
    day->schema[day->schemas++] = s->size;
}
