#include "check.h"

#include "check_internal.h"

#include "base/text.h"
#include "cbor/entry.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "store/store.h"
#include "verify/verify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool check_wrong(struct checking *c, const char *format, ...)
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
            return check_wrong(c,
                               "the key in slot %llu is on the disk, though its person was told to be erased",
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
        return check_wrong(c, "%s", err_text());
    enum bourn_err err = io_open(d, "signer/head", IO_READ, &f);
    if (err == BOURN_OK)
        err = ledger_head_read(f, &head, &generation);
    io_close(f);
    io_dir_close(d);
    c->head_before = head.size;
    return err == BOURN_OK || err == BOURN_E_NOT_FOUND ? true
                                                       : check_wrong(c, "the signer's head: %s", err_text());
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
        return check_wrong(c, "the signer remembers a head of %llu entries, but one of %llu is published",
                           (unsigned long long)c->head_before, (unsigned long long)published);
    for (size_t i = 0; i < c->e->heads_n && i < HEADS; i++)
        if (c->e->heads[i].size > c->head_before)
            return check_wrong(
                c, "the signer remembers a head of %llu entries, but a client has seen one of %llu",
                (unsigned long long)c->head_before, (unsigned long long)c->e->heads[i].size);
    return true;
}

/* Everything that an auditor can open, as a file for the verifier. */
static bool save_evidence(struct checking *c, const char *path)
{
    char body[64];
    struct request r;
    uint64_t size = 0;
    for (unsigned i = 0; i == 0 || (i < 5000 && size < c->evidence_size); i++) {
        r = (struct request){.op = REQ_LEDGER_FILE, .path = slice_str("checkpoint")};
        if (i)
            usleep(1000);
        if (cell_ask(&c->cell, &r, 1) != BOURN_OK || c->cell.answers[0].status != 200)
            return check_wrong(c, "no checkpoint after the start");
        const char *line = strchr(c->cell.answers[0].body, '\n');
        size = strtoull(line ? line + 1 : "0", NULL, 10);
    }
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
              : check_wrong(c, "opening evidence: %u %s", c->cell.answers[0].status, c->cell.answers[0].code);
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
        return check_wrong(c, "%s", err_text());
    for (size_t i = 0; ok && i < c->e->receipts_n; i++) {
        uint64_t at = c->e->receipts[i].index;
        if (!entry_at(d, at, size, hash, &kind))
            ok = check_wrong(c, "entry %llu, whose index a client was given, is not there",
                             (unsigned long long)at);
        else if (at < c->whole->n && memcmp(hash, c->whole->hash[at], 32) != 0)
            ok = check_wrong(c, "entry %llu is another than when a client was given its index",
                             (unsigned long long)at);
        else if (c->e->receipts[i].records &&
                 kind != (c->e->receipts[i].copy ? ENTRY_EXPORTED : ENTRY_DISCLOSED))
            ok = check_wrong(c, "entry %llu is no disclosure, but records left with its index",
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
        return check_wrong(c, "the verifier: %s", err_text());
    if (report.violations)
        return check_wrong(c, "the verifier: %s at %llu: %s", verify_clause_id(report.finding[0].clause),
                           (unsigned long long)report.finding[0].at, report.finding[0].reason);
    if (report.error[0])
        return check_wrong(c, "the verifier: %s", report.error);
    if (evidence && (report.evidence_missing || report.evidence_refused))
        return check_wrong(c, "the verifier: %llu pieces of evidence withheld, %llu refused",
                           (unsigned long long)report.evidence_missing,
                           (unsigned long long)report.evidence_refused);
    return true;
}

/* Each record has one row by which it is found, each visit one by which it runs out, and nobody else has any.
 */
static bool check_indices(struct checking *c, const char *path)
{
    char dir[256];
    struct store *s;
    snprintf(dir, sizeof dir, "%s/store", path);
    if (store_open_lmdb(dir, &s) != BOURN_OK)
        return check_wrong(c, "%s", err_text());
    uint64_t blind = store_count(s, STORE_BLIND), expiry = store_count(s, STORE_EXPIRY);
    store_close(s);
    if (blind == c->records && expiry == c->visits)
        return true;
    return check_wrong(c, "%llu rows to find %llu records by, %llu by which %llu visits run out",
                       (unsigned long long)blind, (unsigned long long)c->records, (unsigned long long)expiry,
                       (unsigned long long)c->visits);
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
    c->now = e->now;
    c->random = e->seed;
    c->clinic = token(e, 0);
    c->lab = token(e, 1);
    c->dog = token(e, 2);
    snprintf(evidence, sizeof evidence, "%s.evidence", path);
    if (!check_slots(c, path) || !read_head(c, path) || !check_head(c, path))
        return false;
    check_clock(c);
    if (cell_open(&c->cell, path) != BOURN_OK)
        return check_wrong(c, "it does not start: %s", err_text());
    if (!check_answers(c))
        return false;
    if (c->dog[0] && !save_evidence(c, evidence))
        return false;
    cell_close(&c->cell);
    bool ok = check_receipts(c, path) && check_ledger(c, path, c->dog[0] ? evidence : NULL) &&
              check_slots(c, path) && check_indices(c, path);
    unlink(evidence);
    return ok;
}
