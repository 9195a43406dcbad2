#include "workload.h"

#include "cell.h"
#include "disk.h"
#include "recorder.h"
#include "story.h"

#include "base/text.h"
#include "consent/consent.h"
#include "crypto/crypto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 3, REQUEST_BYTES = 16 << 10, SLOT = 64, SLOTS_SEEN = 512 };
#define HOME "dpv:ServiceProvision"
#define RESEARCH "dpv:ResearchAndDevelopment"

struct person {
    bool there, key, lab, busy; /* busy: something about the person is in the open batch */
    uint64_t consent;
    uint64_t next;
    struct {
        uint64_t id, version, value;
    } record[RECORDS];
    size_t records_n;
    uint8_t secret[64];
};
/* What the clients know. In shared memory: each phase is a process. */
struct model {
    uint64_t random, value;
    uint32_t request;
    unsigned parties;
    bool alive[PARTIES];
    struct person people[PEOPLE];
    char clinic[128], lab[128], dog[128], other[PARTIES][128];
};
static struct model *m;
static struct cell *cell;

/* The batch being made up. */
static struct request asked[ASKED_MAX];
static char bodies[ASKED_MAX][REQUEST_BYTES], subjects[ASKED_MAX][16];
static struct story stories[ASKED_MAX];
static struct person planned[ASKED_MAX]; /* the person after the request; who: stories[].number */
static uint8_t slots_before[SLOTS_SEEN * SLOT];
static uint32_t expected[ASKED_MAX];
static size_t asked_n;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "workload: %s: %s\n", what, err_text());
    _exit(1);
}

static uint64_t below(uint64_t n)
{
    return fault_random(&m->random) % n;
}

/* --- what clients know
 * ------------------------------------------------------------------------------------------ */

static void put_record(char *out, size_t n, size_t who, uint64_t value)
{
    snprintf(out, n, "{\"id\":\"p%02zu\",\"name\":\"%0*llu\"}", who, (int)(8 + value % 53 * 16),
             (unsigned long long)value);
}

static void tell_person(struct story *s, size_t who, const struct person *p)
{
    size_t n = 0;
    s->kind = STORY_PERSON;
    s->number = (uint32_t)who;
    s->lab = p->there && p->lab;
    s->alive = p->there;
    s->text[0] = '\0';
    for (size_t i = 0; p->there && i < p->records_n; i++) {
        put_record(s->text + n, sizeof s->text - n, who, p->record[i].value);
        n += strlen(s->text + n);
    }
}

static size_t read_slots(uint8_t *out)
{
    char path[256];
    snprintf(path, sizeof path, "%s/keys/slots.1", cell->path);
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

/* An answer is there: the client knows now. */
static void told(struct cell *c, uint64_t route)
{
    const struct asked_answer *a = &c->answers[route];
    struct story *s = &stories[route];
    s->told = true;
    s->receipt = a->receipt;
    if (a->status != expected[route]) {
        fprintf(stderr, "workload: request %s: %u %s instead of %u\n", request_op_name(asked[route].op),
                a->status, a->code, expected[route]);
        _exit(1);
    }
    s->plaintext = a->status == 200 && (asked[route].op == REQ_RECORDS || asked[route].op == REQ_EVIDENCE);
    if (asked[route].op == REQ_ERASE)
        s->slot = zeroed_slot();
    if (asked[route].op == REQ_ENROLMENT)
        cell_member(a, "code", s->text, sizeof s->text);
    if (asked[route].op == REQ_ADMIN_PARTY)
        cell_member(a, "token", s->text, sizeof s->text);
    recorder_mark(s, sizeof *s);
}

/* --- requests
 * --------------------------------------------------------------------------------------------------- */

static struct request *next(uint32_t op, const char *token, const char *purpose, uint32_t expect)
{
    struct request *r = &asked[asked_n];
    *r = (struct request){.op = op, .token = slice_str(token), .purpose = slice_str(purpose)};
    stories[asked_n] = (struct story){.request = ++m->request, .slot = UINT64_MAX, .receipt = UINT64_MAX};
    expected[asked_n] = expect;
    bodies[asked_n][0] = '\0';
    return r;
}

static void of_person(struct request *r, size_t who, bool records)
{
    snprintf(subjects[asked_n], sizeof subjects[0], "p%02zu", who);
    r->subject = slice_str(subjects[asked_n]);
    if (records)
        r->collection = slice_str("people");
    planned[asked_n] = m->people[who];
    m->people[who].busy = true;
}

/* The request is made up; `after` is what it will make of the person. */
static void add(struct request *r, size_t who, const struct person *after)
{
    if (!r->body.n)
        r->body = slice_str(bodies[asked_n]);
    if (after) {
        planned[asked_n] = *after;
        tell_person(&stories[asked_n], who, after);
    }
    if (stories[asked_n].kind)
        recorder_mark(&stories[asked_n], sizeof stories[0]);
    asked_n++;
}

static void send_batch(void)
{
    if (asked_n == 0)
        return;
    if (cell_ask(cell, asked, asked_n) != BOURN_OK)
        fail("a batch");
    for (size_t i = 0; i < asked_n; i++)
        if (stories[i].kind == STORY_PERSON)
            m->people[stories[i].number] = planned[i];
    for (size_t i = 0; i < PEOPLE; i++)
        m->people[i].busy = false;
    asked_n = 0;
}

static const struct asked_answer *send_one(struct request *r)
{
    if (!r->body.n)
        r->body = slice_str(bodies[asked_n]);
    asked_n++;
    if (cell_ask(cell, asked, asked_n) != BOURN_OK)
        fail("a request");
    asked_n = 0;
    return &cell->answers[0];
}

/* A free person of the wished kind, or PEOPLE. */
static size_t somebody(bool there)
{
    for (unsigned i = 0; i < 40; i++) {
        size_t who = below(PEOPLE);
        if (!m->people[who].busy && m->people[who].there == there)
            return who;
    }
    return PEOPLE;
}

static void new_record(struct person *p)
{
    p->record[p->records_n].id = p->next++;
    p->record[p->records_n].version = 1;
    p->record[p->records_n++].value = ++m->value;
}

static void do_import(void)
{
    size_t rows = 1 + below(4), at = 0;
    for (size_t i = 0; i < rows && asked_n < 6;
         i++) { /* each in a request of its own: they share the batch */
        size_t who = somebody(false);
        if (who == PEOPLE)
            return;
        struct request *r = next(REQ_IMPORT, m->clinic, HOME, 200);
        struct person p = {.there = true, .next = 1};
        new_record(&p);
        r->collection = slice_str("people");
        r->path = slice_str("id");
        put_record(bodies[asked_n], REQUEST_BYTES, who, p.record[0].value);
        at = strlen(bodies[asked_n]);
        bodies[asked_n][at] = '\n';
        bodies[asked_n][at + 1] = '\0';
        m->people[who].busy = true;
        add(r, who, &p);
    }
}

static void do_write(void)
{
    size_t who = somebody(true);
    if (who == PEOPLE)
        return;
    struct person p = m->people[who];
    p.busy = false;
    size_t which = p.records_n ? below(p.records_n) : 0;
    unsigned what = (unsigned)below(4);
    struct request *r;
    if (p.records_n && what == 0) {
        r = next(REQ_RECORD_DELETE, m->clinic, HOME, 200);
        r->number = p.record[which].id;
        memmove(&p.record[which], &p.record[which + 1], (p.records_n - which - 1) * sizeof p.record[0]);
        p.records_n--;
    } else if (p.records_n && (what == 1 || p.records_n == RECORDS)) {
        r = next(REQ_RECORD_PUT, m->clinic, HOME, 200);
        r->number = p.record[which].id;
        r->version = p.record[which].version++;
        p.record[which].value = ++m->value;
        put_record(bodies[asked_n], REQUEST_BYTES, who, m->value);
    } else {
        r = next(REQ_RECORD_NEW, m->clinic, HOME, 201);
        new_record(&p);
        put_record(bodies[asked_n], REQUEST_BYTES, who, m->value);
    }
    of_person(r, who, true);
    add(r, who, &p);
}

static void do_read(bool lab)
{
    size_t who = below(PEOPLE);
    struct person p = m->people[who];
    if (p.busy)
        return;
    uint32_t expect = lab ? (p.there && p.lab ? 200 : 403) : p.there ? 200 : 404;
    struct request *r =
        lab ? next(REQ_RECORDS, m->lab, RESEARCH, expect) : next(REQ_RECORDS, m->clinic, HOME, expect);
    of_person(r, who, true);
    p.busy = false;
    add(r, who, &p);
}

static void do_erase(void)
{
    size_t who = somebody(true);
    struct person gone = {0};
    if (who == PEOPLE)
        return;
    send_batch(); /* alone: which slot becomes zero must be seen */
    read_slots(slots_before);
    struct request *r = next(REQ_ERASE, m->clinic, "", 200);
    of_person(r, who, false);
    add(r, who, &gone);
    send_batch();
}

static void do_enrol(size_t who)
{
    char code[64], label[64];
    struct key_statement k = {.origin = slice_str(ORIGIN)};
    struct buf statement, json;
    uint8_t signature[64], public_key[32];
    struct person p = m->people[who];
    struct request *r = next(REQ_ENROLMENT, m->clinic, "", 201);
    of_person(r, who, false);
    stories[0].kind = STORY_CODE;
    stories[0].number = (uint32_t)who;
    cell_member(send_one(r), "code", code, sizeof code);
    r = next(REQ_ENROLMENT_LOOK, "", "", 200);
    snprintf(bodies[0], REQUEST_BYTES, "{\"code\":\"%s\"}", code);
    cell_member(send_one(r), "label", label, sizeof label);
    crypto_sign_keypair(public_key, p.secret);
    if (!hex_get(slice_str(label), k.label, 16))
        fail("the label of an enrolment");
    crypto_sha256_1(k.code_hash, slice_str(code));
    memcpy(k.public_key, public_key, 32);
    k.time = (uint64_t)time(NULL);
    buf_init(&statement, 1 << 16);
    buf_init(&json, 1 << 16);
    key_statement_put(&statement, &k);
    consent_sign(signature, buf_slice(&statement), p.secret);
    struct signed_statement ss = {buf_slice(&statement), slice_of(signature, 64), slice_of(public_key, 32)};
    signed_statement_put(&json, &ss);
    r = next(REQ_ENROLMENT_DONE, "", "", 201);
    stories[0].kind = STORY_CODE; /* a code that was used up: nothing is expected of it */
    stories[0].number = (uint32_t)who;
    recorder_mark(&stories[0], sizeof stories[0]);
    snprintf(bodies[0], REQUEST_BYTES, "{\"code\":\"%s\",%.*s", code, (int)json.n - 1,
             (const char *)json.p + 1);
    send_one(r);
    p.key = true;
    p.busy = false;
    m->people[who] = p;
    buf_release(&statement);
    buf_release(&json);
}

static void do_consent(void)
{
    size_t who = somebody(true);
    uint8_t signature[64];
    struct signed_statement ss;
    struct arena arena;
    struct buf json;
    send_batch();
    if (who == PEOPLE || m->people[who].lab)
        return;
    if (!m->people[who].key)
        do_enrol(who);
    struct person p = m->people[who];
    struct request *r = next(REQ_CONSENT_REQUEST, m->clinic, "", 200);
    of_person(r, who, false);
    r->body =
        slice_str("{\"purposes\":[\"" RESEARCH "\"],\"recipients\":[\"lab\"],\"collections\":[\"people\"],"
                  "\"expires\":\"2031-01-01\",\"notice\":\"research\"}");
    const struct asked_answer *a = send_one(r);
    arena_init(&arena, 1 << 20);
    if (signed_statement_get(slice_of(a->body, a->n), &arena, &ss) != BOURN_OK)
        fail("a statement to sign");
    consent_sign(signature, ss.canonical, p.secret);
    ss.signature = slice_of(signature, 64);
    ss.public_key = slice_of(p.secret + 32, 32);
    buf_init(&json, 1 << 16);
    signed_statement_put(&json, &ss);
    r = next(REQ_CONSENT, m->clinic, "", 201);
    of_person(r, who, false);
    r->body = buf_slice(&json);
    p.lab = true;
    p.busy = false;
    add(r, who, &p);
    send_batch();
    m->people[who].consent = cell->answers[0].receipt;
    buf_release(&json);
    arena_release(&arena);
}

static void do_withdraw(void)
{
    for (size_t who = 0; who < PEOPLE; who++) {
        struct person p = m->people[who];
        if (!p.there || !p.lab || p.busy)
            continue;
        struct request *r = next(REQ_WITHDRAW, m->clinic, "", 200);
        of_person(r, who, false);
        r->number = p.consent;
        p.lab = p.busy = false;
        add(r, who, &p);
        return;
    }
}

static void party(const char *name, const char *more, char token[128], unsigned number)
{
    struct request *r = next(REQ_ADMIN_PARTY, "", "", 201);
    snprintf(bodies[asked_n], REQUEST_BYTES, "{\"name\":\"%s\",%s}", name, more);
    stories[asked_n].kind = STORY_PARTY;
    stories[asked_n].number = number;
    stories[asked_n].alive = true;
    recorder_mark(&stories[asked_n], sizeof stories[0]);
    cell_member(send_one(r), "token", token, 128);
}

static void do_party(void)
{
    char name[32];
    send_batch();
    if (m->parties > 4 && below(2)) {
        unsigned which = 3 + (unsigned)below(m->parties - 3);
        if (!m->alive[which])
            return;
        struct request *r = next(REQ_ADMIN_PARTY_END, "", "", 200);
        snprintf(name, sizeof name, "other%u", which);
        r->path = slice_str(name);
        stories[0].kind = STORY_PARTY;
        stories[0].number = which;
        snprintf(stories[0].text, sizeof stories[0].text, "%s", m->other[which]);
        m->alive[which] = false;
        add(r, 0, NULL);
        send_batch();
    } else if (m->parties < PARTIES) {
        unsigned which = m->parties++;
        snprintf(name, sizeof name, "other%u", which);
        m->alive[which] = true;
        party(name, "\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:Marketing\"}]",
              m->other[which], which);
    }
}

static uint64_t seen_size; /* entries under the last checkpoint seen */

static void see_checkpoint(void)
{
    static char last[TEXT_BYTES];
    send_batch();
    struct request *r = next(REQ_LEDGER_FILE, "", "", 200);
    r->path = slice_str("checkpoint");
    const struct asked_answer *a = send_one(r);
    const char *line = strchr(a->body, '\n');
    if (a->n >= TEXT_BYTES || !line || strcmp(last, a->body) == 0)
        return;
    struct story s = {.kind = STORY_HEAD, .told = true, .slot = UINT64_MAX, .receipt = UINT64_MAX};
    s.size = strtoull(line + 1, NULL, 10);
    seen_size = s.size;
    memcpy(s.text, a->body, a->n + 1);
    memcpy(last, a->body, a->n + 1);
    recorder_mark(&s, sizeof s);
}

static void see_evidence(void)
{
    send_batch();
    if (!seen_size)
        return;
    struct request *r = next(REQ_EVIDENCE, m->dog, "dpv:LegalCompliance", 200);
    snprintf(bodies[0], REQUEST_BYTES, "{\"from\":0,\"to\":%llu}",
             (unsigned long long)(seen_size < 64 ? seen_size : 64));
    stories[0].kind = STORY_HEAD; /* the receipt is all that is asked of it */
    send_one(r);
}

static void first_things(void)
{
    struct request *r = next(REQ_ADMIN_COLLECTION, "", "", 201);
    r->body = slice_str("{\"name\":\"people\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"},"
                        "{\"name\":\"name\",\"type\":\"text\"}]}");
    send_one(r);
    r = next(REQ_ADMIN_NOTICE, "", "", 201);
    r->body = slice_str("{\"name\":\"research\",\"language\":\"en\",\"text\":\"Lab studies\"}");
    send_one(r);
    party("clinic",
          "\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"" HOME
          "\",\"ground\":\"dpv:Contract\"}],"
          "\"rights\":[\"read\",\"write\",\"consent\",\"enrol\",\"erase\"]",
          m->clinic, 0);
    party("lab", "\"kind\":\"app\",\"jurisdiction\":\"US\",\"purposes\":[{\"purpose\":\"" RESEARCH "\"}]",
          m->lab, 1);
    party("watchdog",
          "\"kind\":\"auditor\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:LegalCompliance\","
          "\"ground\":"
          "\"dpv:LegalObligation\"}],\"rights\":[\"audit\"]",
          m->dog, 2);
    m->parties = 3;
}

static void one_step(void)
{
    uint64_t dice = below(100);
    if (dice < 22)
        do_import();
    else if (dice < 45)
        do_write();
    else if (dice < 60)
        do_read(false);
    else if (dice < 70)
        do_read(true);
    else if (dice < 78)
        do_consent();
    else if (dice < 81)
        do_withdraw();
    else if (dice < 87)
        do_erase();
    else if (dice < 90)
        do_party();
    else if (dice < 96)
        see_checkpoint();
    else if (dice < 98)
        see_evidence();
    else
        usleep((useconds_t)below(60) * 1000);
    if (asked_n >= 8 || below(3) == 0) /* a batch of one to eleven */
        send_batch();
    if (below(8) == 0)
        usleep((useconds_t)below(25) * 1000);
    if (cell_tick(cell) != BOURN_OK)
        fail("a tick");
}

/* --- phases
 * ----------------------------------------------------------------------------------------------------- */

static void phase(struct trace_head *trace, const char *path, unsigned number)
{
    cell = calloc(1, sizeof *cell);
    if (!cell)
        fail("memory");
    recorder_begin(trace);
    if (number == 0) {
        if (cell_make(path) != BOURN_OK)
            fail("make the cell");
        struct story ready = {.kind = STORY_READY, .told = true, .slot = UINT64_MAX, .receipt = UINT64_MAX};
        recorder_mark(&ready, sizeof ready);
    }
    for (size_t i = 0; i < PEOPLE; i++)
        m->people[i].busy = false;
    cell->told = told;
    if (cell_open(cell, path) != BOURN_OK)
        fail("open the cell");
    if (number == 0)
        first_things();
    see_checkpoint();
    for (uint64_t steps = 30 + below(60); steps; steps--)
        one_step();
    if (below(3) == 0)
        recorder_kill_self(); /* with a batch that was asked and never answered, perhaps */
    send_batch();
    cell_close(cell);
    _exit(0);
}

bool workload_run(struct trace_head *trace, const char *folder, uint64_t seed)
{
    char path[160];
    bool ok = true;
    snprintf(path, sizeof path, "%s/cn", folder);
    m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED)
        return false;
    m->random = seed;
    unsigned phases = 2 + (unsigned)below(3);
    for (unsigned i = 0; ok && i < phases; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            phase(trace, path, i);
        ok = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!ok)
            fprintf(stderr, "workload %llu: phase %u ended with status %x\n", (unsigned long long)seed, i,
                    (unsigned)status);
    }
    munmap(m, sizeof *m);
    return ok;
}
