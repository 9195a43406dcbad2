#include "check.h"

#include "cell.h"

#include "base/text.h"
#include "cbor/entry.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "verify/verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- what is expected
 * ------------------------------------------------------------------------------------------- */

static void learn(struct known *k, const struct story *s)
{
    if (!s->told) {
        k->asked = *s;
        return;
    }
    k->told = *s;
    if (k->asked.request == s->request)
        k->asked.request = 0;
}

void expect(const struct disk *d, size_t k, struct expectation *out)
{
    struct story s;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < k; i++) {
        const struct trace_event *e = disk_event(d, i);
        if (e->type != TRACE_MARK)
            continue;
        memcpy(&s, e->rest, sizeof s);
        switch ((enum story_kind)s.kind) {
        case STORY_PERSON:
            learn(&out->people[s.number], &s);
            break;
        case STORY_PARTY:
            learn(&out->parties[s.number], &s);
            break;
        case STORY_CODE:
            learn(&out->codes[s.number], &s);
            break;
        case STORY_HEAD:
            if (s.size)
                out->heads[out->heads_n++ % HEADS] = s;
            break;
        case STORY_READY:
            out->ready = true;
            break;
        }
        if (s.told && s.receipt != UINT64_MAX && out->receipts_n < RECEIPTS) {
            out->receipts[out->receipts_n].index = s.receipt;
            out->receipts[out->receipts_n++].records = s.plaintext && s.kind == STORY_PERSON;
        }
        if (s.told && s.slot != UINT64_MAX && out->erased_n < ERASED)
            out->erased[out->erased_n++] = s.slot;
    }
}

/* --- helpers
 * ---------------------------------------------------------------------------------------------------- */

struct checking {
    struct cell cell;
    const struct expectation *e;
    const struct entries *whole;
    char *why;
    size_t why_n;
    uint64_t head_before;           /* the signer's, as the cut left it */
    const char *clinic, *lab, *dog; /* their tokens, or "" */
};

static bool wrong(struct checking *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct checking *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->why, c->why_n, format, ap);
    va_end(ap);
    return false;
}

static const char *token(const struct expectation *e, unsigned party)
{
    return e->parties[party].told.request ? e->parties[party].told.text : "";
}

static uint64_t files_size(const char *cell)
{
    char path[256], text[64] = "";
    snprintf(path, sizeof path, "%s/state/files", cell);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, text, sizeof text - 1, 0) < 0)
        text[0] = '\0';
    close(fd);
    return strtoull(text, NULL, 10);
}

static bool entry_at(struct io_dir *d, uint64_t i, uint64_t size, uint8_t hash[32], uint32_t *kind)
{
    struct buf entry, rows;
    struct arena a;
    struct entry e;
    buf_init(&entry, 1 << 16);
    buf_init(&rows, 16 << 20);
    arena_init(&a, 1 << 20);
    bool ok = ledger_read(d, i, size, &entry, &rows) == BOURN_OK &&
              entry_decode(buf_slice(&entry), &a, &e) == BOURN_OK;
    if (ok) {
        crypto_sha256(hash, (struct slice[]){buf_slice(&entry), buf_slice(&rows)}, 2);
        *kind = e.kind;
    }
    buf_release(&entry);
    buf_release(&rows);
    arena_release(&a);
    return ok;
}

size_t entries_read(const char *cell, uint8_t (*hash)[32], size_t most)
{
    struct io_dir *d;
    uint32_t kind;
    uint64_t n = 0, size = files_size(cell);
    if (io_dir_open(cell, &d) != BOURN_OK)
        return 0;
    while (n < size && n < most && entry_at(d, n, size, hash[n], &kind))
        n++;
    io_dir_close(d);
    return n == size ? n : 0;
}

/* --- before bourn touches it
 * ------------------------------------------------------------------------------------ */

/* What was erased is unreadable at once, also for somebody who takes the disk; what was seen as signed, the
 * signer remembers. */
static bool check_slots(struct checking *c, const char *path)
{
    char name[256];
    uint8_t slot[64];
    static const uint8_t zero[64];
    snprintf(name, sizeof name, "%s/keys/slots.1", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < c->e->erased_n; i++)
        if (pread(fd, slot, sizeof slot, (off_t)c->e->erased[i] * 64) > 0 &&
            memcmp(slot, zero, sizeof slot) != 0) {
            close(fd);
            return wrong(c, "the key in slot %llu is on the disk, though its person was told to be erased",
                         (unsigned long long)c->e->erased[i]);
        }
    close(fd);
    return true;
}

static bool read_head(struct checking *c, const char *path)
{
    struct io_dir *d;
    struct io_file *f = NULL;
    struct ledger_head head = {0};
    uint64_t generation;
    if (io_dir_open(path, &d) != BOURN_OK)
        return wrong(c, "%s", err_text());
    enum bourn_err err = io_open(d, "signer/head", IO_READ, &f);
    if (err == BOURN_OK)
        err = ledger_head_read(f, &head, &generation);
    io_close(f);
    io_dir_close(d);
    c->head_before = head.size;
    return err == BOURN_OK || err == BOURN_E_NOT_FOUND ? true : wrong(c, "the signer's head: %s", err_text());
}

/* Whatever stands published, the signer has remembered before. */
static bool check_head(struct checking *c, const char *path)
{
    char name[256], text[256] = "";
    snprintf(name, sizeof name, "%s/ledger/checkpoint", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, text, sizeof text - 1, 0) < 0)
        text[0] = '\0';
    close(fd);
    const char *line = strchr(text, '\n');
    uint64_t published = line ? strtoull(line + 1, NULL, 10) : 0;
    if (published > c->head_before)
        return wrong(c, "the signer remembers a head of %llu entries, but one of %llu is published",
                     (unsigned long long)c->head_before, (unsigned long long)published);
    for (size_t i = 0; i < c->e->heads_n && i < HEADS; i++)
        if (c->e->heads[i].size > c->head_before)
            return wrong(c, "the signer remembers a head of %llu entries, but a client has seen one of %llu",
                         (unsigned long long)c->head_before, (unsigned long long)c->e->heads[i].size);
    return true;
}

/* --- asking
 * ----------------------------------------------------------------------------------------------------- */

static bool as_story(const struct asked_answer *a, const struct story *s, bool lab)
{
    char text[TEXT_BYTES];
    if (lab && (!s->lab || !s->alive))
        return a->status == 403;
    if (!s->alive)
        return a->status == 404;
    cell_records(a, text, sizeof text);
    return a->status == 200 && strcmp(text, s->text) == 0;
}

static bool check_person(struct checking *c, size_t who, bool lab, const struct asked_answer *a)
{
    const struct known *k = &c->e->people[who];
    char got[400];
    struct story nobody = {.alive = false};
    const struct story *told = k->told.request ? &k->told : &nobody;
    if (as_story(a, told, lab) || (k->asked.request && as_story(a, &k->asked, lab)))
        return true;
    cell_records(a, got, sizeof got);
    return wrong(c, "p%02zu as %s reads it: %u %s %s; told (request %u) was %s%s%s", who,
                 lab ? "the lab" : "the clinic", a->status, a->code, got, told->request,
                 told->alive ? "" : "nobody ", told->lab ? "consent " : "", told->text);
}

static bool check_people(struct checking *c, bool lab)
{
    enum { TOGETHER = 12 };
    struct request r[TOGETHER];
    char id[TOGETHER][16];
    for (size_t who = 0; who < PEOPLE; who += TOGETHER) {
        for (size_t i = 0; i < TOGETHER; i++) {
            snprintf(id[i], sizeof id[i], "p%02zu", who + i);
            r[i] = (struct request){
                .op = REQ_RECORDS,
                .token = slice_str(lab ? c->lab : c->clinic),
                .purpose = slice_str(lab ? "dpv:ResearchAndDevelopment" : "dpv:ServiceProvision"),
                .subject = slice_str(id[i]),
                .collection = slice_str("people")};
        }
        if (cell_ask(&c->cell, r, TOGETHER) != BOURN_OK)
            return wrong(c, "reading records: %s", err_text());
        for (size_t i = 0; i < TOGETHER; i++)
            if (!check_person(c, who + i, lab, &c->cell.answers[i]))
                return false;
    }
    return true;
}

static bool check_parties(struct checking *c)
{
    for (unsigned i = 0; i < PARTIES; i++) {
        const struct known *k = &c->e->parties[i];
        if (!k->told.request || k->asked.request)
            continue;
        struct request r = {.op = REQ_WHOAMI, .token = slice_str(k->told.text)};
        if (cell_ask(&c->cell, &r, 1) != BOURN_OK)
            return wrong(c, "asking who a party is: %s", err_text());
        if (c->cell.answers[0].status != (k->told.alive ? 200u : 401u))
            return wrong(c, "party %u: %u instead of %s", i, c->cell.answers[0].status,
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
            return wrong(c, "an enrolment code that was handed out is gone (%u)", c->cell.answers[0].status);
    }
    return true;
}

static bool ask_everything(struct checking *c)
{
    if (!check_parties(c) || !check_codes(c))
        return false;
    if ((c->clinic[0] && !check_people(c, false)) || (c->lab[0] && !check_people(c, true)))
        return false;
    if (!c->clinic[0])
        return true;
    /* and it goes on working */
    struct request r = {.op = REQ_RECORD_NEW,
                        .token = slice_str(c->clinic),
                        .purpose = slice_str("dpv:ServiceProvision"),
                        .subject = slice_str("after"),
                        .collection = slice_str("people"),
                        .body = slice_str("{\"id\":\"after\"}")};
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || c->cell.answers[0].status != 201)
        return wrong(c, "a new record: %u %s", c->cell.answers[0].status, c->cell.answers[0].code);
    return true;
}

/* Everything that an auditor can open, as a file for the verifier. */
static bool save_evidence(struct checking *c, const char *path)
{
    char body[64];
    struct request r = {.op = REQ_LEDGER_FILE, .path = slice_str("checkpoint")};
    if (cell_ask(&c->cell, &r, 1) != BOURN_OK || c->cell.answers[0].status != 200)
        return wrong(c, "no checkpoint after the start");
    const char *line = strchr(c->cell.answers[0].body, '\n');
    uint64_t size = strtoull(line ? line + 1 : "0", NULL, 10);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (uint64_t at = 0; ok && at < size; at += 1024) {
        snprintf(body, sizeof body, "{\"from\":%llu,\"to\":%llu}", (unsigned long long)at,
                 (unsigned long long)(at + 1024 < size ? at + 1024 : size));
        r = (struct request){.op = REQ_EVIDENCE,
                             .token = slice_str(c->dog),
                             .purpose = slice_str("dpv:LegalCompliance"),
                             .body = slice_str(body)};
        ok = cell_ask(&c->cell, &r, 1) == BOURN_OK && c->cell.answers[0].status == 200 &&
             write(fd, c->cell.answers[0].body, c->cell.answers[0].n) == (ssize_t)c->cell.answers[0].n;
    }
    close(fd);
    return ok ? true
              : wrong(c, "opening evidence: %u %s", c->cell.answers[0].status, c->cell.answers[0].code);
}

/* --- afterwards
 * ------------------------------------------------------------------------------------------------- */

static bool check_receipts(struct checking *c, const char *path)
{
    struct io_dir *d;
    uint64_t size = files_size(path);
    uint8_t hash[32];
    uint32_t kind = 0;
    bool ok = true;
    if (io_dir_open(path, &d) != BOURN_OK)
        return wrong(c, "%s", err_text());
    for (size_t i = 0; ok && i < c->e->receipts_n; i++) {
        uint64_t at = c->e->receipts[i].index;
        if (!entry_at(d, at, size, hash, &kind))
            ok = wrong(c, "entry %llu, whose index a client was given, is not there", (unsigned long long)at);
        else if (at < c->whole->n && memcmp(hash, c->whole->hash[at], 32) != 0)
            ok = wrong(c, "entry %llu is another than when a client was given its index",
                       (unsigned long long)at);
        else if (c->e->receipts[i].records && kind != ENTRY_DISCLOSED)
            ok = wrong(c, "entry %llu is no disclosure, but records left with its index",
                       (unsigned long long)at);
    }
    io_dir_close(d);
    return ok;
}

static bool check_ledger(struct checking *c, const char *path, const char *evidence)
{
    static struct verify_report report;
    char ledger[256], rows[256];
    struct slice heads[HEADS];
    size_t n = c->e->heads_n < HEADS ? c->e->heads_n : HEADS;
    for (size_t i = 0; i < n; i++)
        heads[i] = slice_str(c->e->heads[i].text);
    snprintf(ledger, sizeof ledger, "%s/ledger", path);
    snprintf(rows, sizeof rows, "%s/rows", path);
    struct verify_options o = {.source = ledger,
                               .rows = rows,
                               .evidence = evidence,
                               .key = c->cell.vkey,
                               .heads = heads,
                               .heads_n = n};
    if (verify_run(&o, &report) != BOURN_OK)
        return wrong(c, "the verifier: %s", err_text());
    if (report.violations)
        return wrong(c, "the verifier: %s at %llu: %s", verify_clause_id(report.finding[0].clause),
                     (unsigned long long)report.finding[0].at, report.finding[0].reason);
    if (report.error[0])
        return wrong(c, "the verifier: %s", report.error);
    if (evidence && (report.evidence_missing || report.evidence_refused))
        return wrong(c, "the verifier: %llu pieces of evidence withheld, %llu refused",
                     (unsigned long long)report.evidence_missing,
                     (unsigned long long)report.evidence_refused);
    return true;
}

bool check_cell(const char *path, const struct expectation *e, const struct entries *whole, char *why,
                size_t why_n)
{
    struct checking *c = calloc(1, sizeof *c);
    char evidence[256];
    if (!c)
        return false;
    c->e = e;
    c->whole = whole;
    c->why = why;
    c->why_n = why_n;
    c->clinic = token(e, 0);
    c->lab = token(e, 1);
    c->dog = token(e, 2);
    snprintf(evidence, sizeof evidence, "%s.evidence", path);
    if (!check_slots(c, path) || !read_head(c, path) || !check_head(c, path))
        return false;
    if (cell_open(&c->cell, path) != BOURN_OK)
        return wrong(c, "it does not start: %s", err_text());
    if (!ask_everything(c))
        return false;
    if (c->dog[0] && !save_evidence(c, evidence))
        return false;
    cell_close(&c->cell);
    bool ok =
        check_receipts(c, path) && check_ledger(c, path, c->dog[0] ? evidence : NULL) && check_slots(c, path);
    unlink(evidence);
    return ok;
}
