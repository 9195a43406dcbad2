/* The clients of a workload: what they know, their batch, and the marks that they leave. */
#include "day.h"

#include "disk.h"
#include "recorder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOT = 64, SLOTS_SEEN = 512 };

struct day *day;
struct cell *day_cell;

static struct request asked[ASKED_MAX];
static char bodies[ASKED_MAX][REQUEST_BYTES], subjects[ASKED_MAX][16];
static struct story stories[ASKED_MAX];
static struct person planned[ASKED_MAX]; /* the person after the request; who: stories[].number */
static uint8_t slots_before[SLOTS_SEEN * SLOT];
static uint32_t expected[ASKED_MAX];
static size_t asked_n;

_Noreturn void day_fail(const char *what)
{
    fprintf(stderr, "workload: %s: %s\n", what, err_text());
    _exit(1);
}

uint64_t day_below(uint64_t n)
{
    return fault_random(&day->random) % n;
}

void day_pass(uint64_t seconds)
{
    struct story s = {.kind = STORY_CLOCK, .slot = UINT64_MAX, .receipt = UINT64_MAX};
    day->now += seconds;
    s.now = day->now;
    cell_clock(day->now);
    recorder_mark(&s, sizeof s);
    for (size_t who = 0; who < PEOPLE; who++) {
        struct story_person *p = &day->people[who].is;
        uint32_t n = 0;
        for (uint32_t i = 0; i < p->records_n; i++)
            if (!p->record[i].expires || p->record[i].expires > day->now)
                p->record[n++] = p->record[i];
        p->records_n = n;
    }
}

unsigned day_schema(void)
{
    unsigned version = 1;
    for (unsigned i = 1; i < day->schemas; i++)
        if (day->schema[i] <= day->now)
            version = i + 1;
    return version;
}

struct person *day_person(size_t who)
{
    return &day->people[who];
}

size_t day_somebody(bool there)
{
    for (unsigned i = 0; i < 40; i++) {
        size_t who = day_below(PEOPLE);
        if (!day->people[who].busy && day->people[who].is.there == there)
            return who;
    }
    return PEOPLE;
}

/* --- what answers tell
 * -------------------------------------------------------------------------------------------- */

static size_t read_slots(uint8_t *out)
{
    char path[256];
    snprintf(path, sizeof path, "%s/keys/slots.1", day_cell->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, out, SLOTS_SEEN * SLOT, 0);
    close(fd);
    return n > 0 ? (size_t)n / SLOT : 0;
}

static uint64_t zeroed_slot(void)
{
    static uint8_t after[SLOTS_SEEN * SLOT], zero[SLOT];
    size_t n = read_slots(after);
    for (size_t i = 0; i < n; i++)
        if (memcmp(after + i * SLOT, zero, SLOT) == 0 && memcmp(slots_before + i * SLOT, zero, SLOT) != 0)
            return i;
    return UINT64_MAX;
}

static bool holds_records(uint32_t op)
{
    return op == REQ_RECORDS || op == REQ_RECORD || op == REQ_SEARCH || op == REQ_DISCLOSE;
}

void day_told(struct cell *c, uint64_t route)
{
    const struct asked_answer *a = &c->answers[route];
    struct story *s = &stories[route];
    s->told = true;
    s->receipt = a->receipt;
    if (a->status != expected[route]) {
        fprintf(stderr, "workload: request %s: %u %s instead of %u: %.300s\n",
                request_op_name(asked[route].op), a->status, a->code, expected[route], a->body);
        _exit(1);
    }
    s->copy = a->status == 200 && asked[route].op == REQ_EXPORT;
    s->plaintext = s->copy || (a->status == 200 && holds_records(asked[route].op));
    if (asked[route].op == REQ_ERASE)
        s->slot = zeroed_slot();
    if (asked[route].op == REQ_ENROLMENT)
        cell_member(a, "code", s->text, sizeof s->text);
    if (asked[route].op == REQ_ADMIN_PARTY)
        cell_member(a, "token", s->text, sizeof s->text);
    if (s->once.op)
        snprintf(s->once.answer, sizeof s->once.answer, "%.79s", a->body);
    recorder_mark(s, sizeof *s);
}

/* --- requests
 * --------------------------------------------------------------------------------------------------- */

struct request *day_next(uint32_t op, const char *token, const char *purpose, uint32_t expect)
{
    struct request *r = &asked[asked_n];
    *r = (struct request){.op = op, .token = slice_str(token), .purpose = slice_str(purpose)};
    stories[asked_n] =
        (struct story){.request = ++day->request, .slot = UINT64_MAX, .receipt = UINT64_MAX, .now = day->now};
    expected[asked_n] = expect;
    bodies[asked_n][0] = '\0';
    if (op == REQ_ERASE)
        read_slots(slots_before);
    return r;
}

char *day_body(void)
{
    return bodies[asked_n];
}

struct story *day_story(void)
{
    return &stories[asked_n];
}

size_t day_asked(void)
{
    return asked_n;
}

void day_of(struct request *r, size_t who, const char *collection)
{
    const struct person *p = &day->people[who];
    uint32_t name = p->is.there ? (uint32_t)day_below(p->is.aliases + 1) : 0; /* by any name */
    snprintf(subjects[asked_n], sizeof subjects[0], name ? "p%02zu.%u" : "p%02zu", who, name);
    r->subject = slice_str(subjects[asked_n]);
    if (collection)
        r->collection = slice_str(collection);
    day->people[who].busy = true;
}

void day_add(struct request *r, size_t who, const struct person *after)
{
    struct story *s = &stories[asked_n];
    if (!r->body.n)
        r->body = slice_str(bodies[asked_n]);
    if (after) {
        planned[asked_n] = *after;
        s->kind = STORY_PERSON;
        s->number = (uint32_t)who;
        s->person = after->is;
        s->alive = after->is.there;
    }
    if (s->kind)
        recorder_mark(s, sizeof *s);
    asked_n++;
}

static void copy_text(char *out, size_t n, struct slice s)
{
    bourn_assert(s.n < n);
    snprintf(out, n, "%.*s", SLICE_ARG(s));
}

void day_add_once(struct request *r, size_t who, const struct person *after)
{
    struct story *s = &stories[asked_n];
    if (day_below(3) == 0 && strlen(bodies[asked_n]) < sizeof s->text) {
        s->once.op = r->op;
        s->once.status = expected[asked_n];
        s->once.id = r->number;
        s->once.version = r->version;
        snprintf(s->once.key, sizeof s->once.key, "key-%u", s->request);
        copy_text(s->once.purpose, sizeof s->once.purpose, r->purpose);
        copy_text(s->once.collection, sizeof s->once.collection, r->collection);
        copy_text(s->text, sizeof s->text, slice_str(bodies[asked_n]));
        copy_text(s->once.subject, sizeof s->once.subject, r->subject);
        copy_text(s->once.path, sizeof s->once.path, r->path);
        r->key = slice_str(s->once.key);
    }
    day_add(r, who, after);
}

void day_send(void)
{
    if (asked_n == 0)
        return;
    if (cell_ask(day_cell, asked, asked_n) != BOURN_OK)
        day_fail("a batch");
    for (size_t i = 0; i < asked_n; i++)
        if (stories[i].kind == STORY_PERSON) {
            day->people[stories[i].number] = planned[i];
            day->people[stories[i].number].busy = false;
        }
    for (size_t i = 0; i < PEOPLE; i++)
        day->people[i].busy = false;
    asked_n = 0;
}

const struct asked_answer *day_one(struct request *r)
{
    bourn_assert(asked_n == 0);
    if (!r->body.n)
        r->body = slice_str(bodies[asked_n]);
    asked_n++;
    if (cell_ask(day_cell, asked, asked_n) != BOURN_OK)
        day_fail("a request");
    asked_n = 0;
    return &day_cell->answers[0];
}
