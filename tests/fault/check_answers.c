/* What a cell must answer after a power cut: parties, codes, schemas, what was asked for once, time. */
#include "check_internal.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

static uint64_t below(struct checking *c, uint64_t n)
{
    return fault_random(&c->random) % n;
}

static bool asked_once(const struct known *k)
{
    return k->asked.request && k->asked.once.op;
}

/* --- time
 * -------------------------------------------------------------------------------------------------------- */

static bool pending_once(const struct checking *c)
{
    for (size_t who = 0; who < PEOPLE; who++)
        if (asked_once(&c->e->people[who]))
            return true;
    return false;
}

void check_clock(struct checking *c)
{
    if (!pending_once(c) &&
        below(c, 3) == 0) /* else later: what is done again is done at the time of the cut */
        c->now += below(c, 2 * RETENTION_S);
    cell_clock(c->now);
}

/* Some time goes by while the cell runs, and what it has to sweep is swept. */
static bool let_time_pass(struct checking *c)
{
    char body[24];
    struct request r = {.op = REQ_ADMIN_STATUS};
    if (below(c, 3) == 0)
        c->now += below(c, 2 * RETENTION_S);
    cell_clock(c->now);
    for (unsigned i = 0; i < 400; i++) {
        struct json_value status, n;
        if (cell_tick(&c->cell) != BOURN_OK || cell_ask(&c->cell, &r, 1) != BOURN_OK)
            return check_wrong(c, "its periodic work: %s", err_text());
        const struct asked_answer *a = &c->cell.answers[0];
        if (json_check(slice_of(a->body, a->n), &status) != BOURN_OK ||
            !json_find(status, "erased_rows_pending", &n))
            return check_wrong(c, "no status");
        snprintf(body, sizeof body, "%.*s", SLICE_ARG(n.raw));
        if (strcmp(body, "0") == 0)
            return true;
    }
    return check_wrong(c, "what erased people left behind is never swept");
}

/* --- what happens once
 * -------------------------------------------------------------------------------------------- */

static struct request again(const struct checking *c, const struct story *s)
{
    return (struct request){.op = s->once.op,
                            .token = slice_str(c->clinic),
                            .purpose = slice_str(s->once.purpose),
                            .subject = slice_str(s->once.subject),
                            .collection = slice_str(s->once.collection),
                            .path = slice_str(s->once.path),
                            .number = s->once.id,
                            .version = s->once.version,
                            .key = slice_str(s->once.key),
                            .body = slice_str(s->text)};
}

/* A client that was answered makes its request again: it gets the same answer, and nothing happens. */
static bool once_told(struct checking *c, const struct story *s, bool mismatch)
{
    struct request r = again(c, s);
    const struct asked_answer *a = &c->cell.answers[0];
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK)
        return check_wrong(c, "making a request again: %s", err_text());
    if (a->status != s->once.status || a->receipt != s->receipt ||
        strncmp(a->body, s->once.answer, sizeof s->once.answer - 1) != 0)
        return check_wrong(c, "%s %s once more: %u %s %llu %.80s instead of %u %llu %s",
                           request_op_name(r.op), s->once.key, a->status, a->code,
                           (unsigned long long)a->receipt, a->body, s->once.status,
                           (unsigned long long)s->receipt, s->once.answer);
    if (!mismatch)
        return true;
    r.body = slice_str("{\"another\":1}\n");
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || a->status != 422 ||
        strcmp(a->code, "idempotency_mismatch") != 0)
        return check_wrong(c, "a used key with another body: %u %s", a->status, a->code);
    return true;
}

/* One that was not answered makes it again: whether or not it had come about, it has now, and once. */
static bool once_asked(struct checking *c, size_t who)
{
    const struct story *s = &c->e->people[who].asked;
    struct request r = again(c, s);
    const struct asked_answer *a = &c->cell.answers[0];
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || a->status != s->once.status)
        return check_wrong(c, "%s %s, never answered, once more: %u %s %s", request_op_name(r.op),
                           s->once.key, a->status, a->code, a->body);
    c->may_told[who] = false;
    return true;
}

static bool check_once(struct checking *c)
{
    size_t n = c->e->onces_n < ONCES ? c->e->onces_n : ONCES;
    for (size_t i = 0; i < n; i++)
        if (!once_told(c, &c->e->once[i], i == 0))
            return false;
    for (size_t who = 0; who < PEOPLE; who++)
        if (asked_once(&c->e->people[who]) && !once_asked(c, who))
            return false;
    return true;
}

/* --- parties, codes, schemas
 * -------------------------------------------------------------------------------------- */

static bool check_parties(struct checking *c)
{
    for (unsigned i = 0; i < PARTIES; i++) {
        const struct known *k = &c->e->parties[i];
        if (!k->told.request || k->asked.request)
            continue;
        struct request r = {.op = REQ_WHOAMI, .token = slice_str(k->told.text)};
        if (cell_ask(&c->cell, &r, 1) != BOURN_OK)
            return check_wrong(c, "asking who a party is: %s", err_text());
        if (c->cell.answers[0].status != (k->told.alive ? 200u : 401u))
            return check_wrong(c, "party %u: %u instead of %s", i, c->cell.answers[0].status,
                               k->told.alive ? "200" : "401");
    }
    return true;
}

static bool check_codes(struct checking *c)
{
    char body[128];
    for (size_t who = 0; who < PEOPLE; who++) {
        const struct known *k = &c->e->codes[who], *p = &c->e->people[who];
        if (!k->told.request || k->asked.request || !k->told.text[0] || !p->told.alive ||
            p->told.request > k->told.request || p->asked.request > k->told.request)
            continue;
        snprintf(body, sizeof body, "{\"code\":\"%.100s\"}", k->told.text);
        struct request r = {.op = REQ_ENROLMENT_LOOK, .body = slice_str(body)};
        if (cell_ask(&c->cell, &r, 1) != BOURN_OK || c->cell.answers[0].status != 200)
            return check_wrong(c, "an enrolment code that was handed out is gone (%u)",
                               c->cell.answers[0].status);
    }
    return true;
}

/* A statement that began a copy begins no other; one that was never answered may, once. */
static bool check_copies(struct checking *c)
{
    const struct asked_answer *a = &c->cell.answers[0];
    for (size_t who = 0; who < PEOPLE; who++) {
        const struct known *k = &c->e->copies[who];
        bool again = false;
        const char *statement = k->asked.request ? k->asked.text : k->told.text;
        struct request r = {.op = REQ_EXPORT, .body = slice_str(statement)};
        if (!statement[0])
            continue;
        do {
            if (cell_ask(&c->cell, &r, 1) != BOURN_OK)
                return check_wrong(c, "a person's copy: %s", err_text());
            if (a->status == 200 && !again && !k->asked.request)
                return check_wrong(c, "person %zu got a second copy by one statement", who);
            if (a->status != 200 && (again || (a->status != 403 && a->status != 409)))
                return check_wrong(c, "person %zu's copy: %u %s", who, a->status, a->code);
            c->evidence_size = a->status == 200 ? a->receipt + 1 : c->evidence_size;
            again = true;
            r.number = a->next;
        } while (a->status == 200 && a->next);
    }
    return true;
}

/* Whether `people` declares the field that the version calls its own. */
static bool in_force(struct checking *c, unsigned version, bool *out)
{
    char body[100];
    const struct asked_answer *a = &c->cell.answers[0];
    snprintf(body, sizeof body, "{\"collection\":\"people\",\"fields\":[\"n%u\"],\"subjects\":[\"nobody\"]}",
             version);
    struct request r = {.op = REQ_DISCLOSE,
                        .token = slice_str(c->clinic),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .body = slice_str(body)};
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || (a->status != 200 && a->status != 422))
        return check_wrong(c, "asking for n%u: %u %s", version, a->status, a->code);
    *out = a->status == 200;
    return true;
}

/* The version of `people` in force is the newest whose time has come. */
static bool check_schema(struct checking *c)
{
    const struct story *asked = &c->e->schema_asked;
    bool yes = false, early = false;
    for (unsigned i = 0; i < c->e->schemas; i++)
        if (c->e->schema[i] <= c->now)
            c->schema = i + 1;
    if (asked->request && asked->size <= c->now) {
        if (!in_force(c, asked->number, &yes))
            return false;
        c->schema = yes ? asked->number : c->schema;
    }
    if (!in_force(c, c->schema, &yes) || !in_force(c, c->schema + 1, &early))
        return false;
    return yes && !early ? true
                         : check_wrong(c, "version %u of `people` is %s", early ? c->schema + 1 : c->schema,
                                       early ? "in force before its time" : "not in force");
}

bool check_answers(struct checking *c)
{
    for (size_t who = 0; who < PEOPLE; who++) {
        c->may_told[who] = true;
        c->may_asked[who] = c->e->people[who].asked.request != 0;
    }
    if (c->lab[0] && !pending_once(c) && !check_visits(c)) /* before anything was swept */
        return false;
    if (!check_parties(c) || !check_codes(c) || (c->clinic[0] && !check_once(c)) || !let_time_pass(c))
        return false;
    if (!c->clinic[0])
        return true;
    if (!check_schema(c) || !check_people(c) || !check_copies(c))
        return false;
    /* and it goes on working */
    struct request r = {.op = REQ_RECORD_NEW,
                        .token = slice_str(c->clinic),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str("after"),
                        .collection = slice_str("people"),
                        .body = slice_str("{\"id\":\"after\"}")};
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || c->cell.answers[0].status != 201)
        return check_wrong(c, "a new record: %u %s", c->cell.answers[0].status, c->cell.answers[0].code);
    return true;
}
