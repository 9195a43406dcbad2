/* Verdicts and exit codes from counts; people and their records; evidence read from a file; packs that are
 * not pinned. */
#include "verify/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct replay *settled(struct verify_report *r)
{
    struct replay *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->rep = r;
    clauses_settle(v);
    return v;
}

static void expect(struct verify_report *r, enum verify_clause c, enum verify_verdict verdict, int code)
{
    r->have_checkpoint = true;
    free(settled(r));
    assert_int_equal(r->verdict[c], verdict);
    assert_int_equal(verify_exit_code(r), code);
    assert_int_equal(r->verdict[CLAUSE_P0], VERDICT_NOT_PROVABLE);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct verify_report r = {0};
    expect(&r, CLAUSE_S3, VERDICT_NO_ENTRIES, 0);
    r.count[CLAUSE_S3].examined = 5;
    expect(&r, CLAUSE_S3, VERDICT_HOLDS, 0);
    r.count[CLAUSE_S3].erased[2] = 1;
    expect(&r, CLAUSE_S3, VERDICT_ERASED, 0);
    r.count[CLAUSE_S3].unpinned = 1;
    expect(&r, CLAUSE_S3, VERDICT_NOT_PROVABLE, 2);
    r.count[CLAUSE_S3].not_examined = 1;
    expect(&r, CLAUSE_S3, VERDICT_NOT_EXAMINED, 2);
    r.count[CLAUSE_S3].violated = r.violations = 1;
    expect(&r, CLAUSE_S3, VERDICT_VIOLATED, 1);
}

static void test_heads(void **state)
{
    (void)state;
    struct verify_report r = {0};
    r.count[CLAUSE_V1].examined = r.count[CLAUSE_S1].examined = 1;
    expect(&r, CLAUSE_V1, VERDICT_NOT_PROVABLE, 0);
    expect(&r, CLAUSE_S1, VERDICT_NOT_PROVABLE, 0);
    r.heads = 1;
    expect(&r, CLAUSE_V1, VERDICT_HOLDS, 0);
}

static void test_what_cannot_be_read_holds_nowhere(void **state)
{
    (void)state;
    struct verify_report r = {.error = "tile/0/000 is not there"};
    r.count[CLAUSE_K1].examined = 9;
    expect(&r, CLAUSE_K1, VERDICT_NOT_EXAMINED, 2);
    r.violations = 1;
    assert_int_equal(verify_exit_code(&r), 1);
    r = (struct verify_report){0};
    assert_int_equal(verify_exit_code(&r), 2); /* no checkpoint at all */
}

static void test_findings_are_bounded_and_the_lowest_stay(void **state)
{
    (void)state;
    struct verify_report r = {0};
    struct replay *v = settled(&r);
    for (uint64_t i = 0; i < 300; i++)
        finding_at(v, CLAUSE_C3, false, (i * 7919) % 300, "%s", "wrong");
    assert_int_equal(r.violations, 300);
    assert_int_equal(r.findings_n, VERIFY_FINDINGS_MAX);
    for (uint64_t i = 0; i < VERIFY_FINDINGS_MAX; i++)
        assert_int_equal(r.finding[i].at, i);
    free(v);
}

static void test_people(void **state)
{
    (void)state;
    struct people p;
    struct subject *s;
    struct record *r;
    uint8_t label[16] = {0};
    assert_int_equal(people_init(&p), BOURN_OK);
    enum { PEOPLE = 140000 }; /* several chunks, and a table that lies on huge pages */
    for (unsigned i = 0; i < PEOPLE; i++) {
        be_put(label, i, 8);
        uint64_t hash = people_hash(&p, label);
        assert_null(people_find(&p, hash, label));
        assert_int_equal(people_add(&p, hash, label, &s), BOURN_OK);
        people_fetch_slot(&p, hash);
        assert_true(people_fetch(&p, hash, true) == s || people_fetch(&p, hash, true) == NULL ||
                    memcmp(people_fetch(&p, hash, true)->person.label, label, 16) != 0);
    }
    assert_int_equal(p.n, PEOPLE);
    for (unsigned i = 0; i < PEOPLE; i++) {
        be_put(label, i, 8);
        assert_ptr_equal(people_find(&p, people_hash(&p, label), label), people_at(&p, i));
    }
    be_put(label, 4321, 8);
    s = people_find(&p, people_hash(&p, label), label);
    assert_non_null(s);
    assert_memory_equal(s->person.label, label, 16);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(subject_record_add(&p, s, i % 3, (i * 37) % 100, &r), BOURN_OK);
    for (unsigned i = 0; i < 100; i++)
        assert_non_null(subject_record(s, i % 3, (i * 37) % 100));
    assert_null(subject_record(s, 3, 1));
    bool fresh;
    assert_int_equal(subject_use(s, label, &fresh), BOURN_OK);
    assert_true(fresh);
    assert_int_equal(subject_use(s, label, &fresh), BOURN_OK);
    assert_false(fresh);
    people_release(&p);
}

static void write_items(const char *path, const uint64_t *indices, size_t n)
{
    struct buf b;
    static uint8_t evidence[16000];
    buf_init(&b, 1 << 26);
    for (size_t i = 0; i < n; i++) {
        struct opened o = {
            .index = indices[i], .status = EVIDENCE_OPENED, .evidence = slice_of(evidence, sizeof evidence)};
        opened_encode(&b, &o);
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
    buf_release(&b);
}

static void test_evidence_file(void **state)
{
    (void)state;
    char path[] = "/tmp/bourn-evidence-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    uint64_t indices[400];
    for (unsigned i = 0; i < 400; i++)
        indices[i] = 2 * i;
    write_items(path, indices, 400); /* 6 MB: read in several pieces */
    struct verify_options o = {.evidence = path};
    struct evidence_reader r;
    struct opened item;
    uint8_t label[16] = {0};
    bool found;
    assert_int_equal(evidence_open(&r, &o), BOURN_OK);
    for (unsigned i = 0; i < 810; i += 3) {
        assert_int_equal(evidence_find(&r, NULL, i, 810, label, &item, &found), BOURN_OK);
        assert_int_equal(found, i % 2 == 0 && i < 800);
    }
    evidence_close(&r);
    uint64_t swapped = indices[4];
    indices[4] = indices[5];
    indices[5] = swapped;
    write_items(path, indices, 400);
    assert_int_equal(evidence_open(&r, &o), BOURN_OK);
    assert_int_equal(evidence_find(&r, NULL, 100, 810, label, &item, &found), BOURN_E_FORMAT);
    evidence_close(&r);
    unlink(path);
}

/* Whoever pins nothing gets no verdict from the gate; one good pin is not enough where two packs are in
 * force. */
static void test_pins(void **state)
{
    (void)state;
    char dir[] = "/tmp/bourn-verify-XXXXXX", command[600], ledger[100], rows[100], key[100];
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command, "'%s/forge-make' %s --entries 60", getenv("BOURN_BIN"), dir);
    assert_int_equal(system(command), 0);
    snprintf(ledger, sizeof ledger, "%s/ledger", dir);
    snprintf(rows, sizeof rows, "%s/rows", dir);
    snprintf(key, sizeof key, "%s/ledger.vkey", dir);
    uint8_t text[512];
    FILE *f = fopen(key, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    struct verify_options o = {.source = ledger, .rows = rows};
    static struct verify_report r;
    uint8_t pins[2][32];
    assert_int_equal(merkle_vkey_get(slice_of(text, n), &o.key), BOURN_OK);
    for (size_t with = 0; with <= 2; with++) {
        o.pins = (const uint8_t(*)[32])pins;
        o.pins_n = with;
        assert_int_equal(verify_run(&o, &r), BOURN_OK);
        assert_string_equal(r.error, "");
        assert_int_equal(r.violations, 0);
        assert_int_equal(r.packs_n, 2);
        assert_int_equal(r.verdict[CLAUSE_S2], with == 2 ? VERDICT_HOLDS : VERDICT_NOT_PROVABLE);
        assert_int_equal(r.verdict[CLAUSE_K3], VERDICT_HOLDS);
        assert_int_equal(r.count[CLAUSE_C3].unpinned > 0, with < 2);
        assert_int_equal(verify_exit_code(&r), 2); /* evidence is not given either */
        for (int i = 0; i < 2; i++)
            memcpy(pins[i], r.pack[i].pin, 32);
    }
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_what_cannot_be_read_holds_nowhere),
        cmocka_unit_test(test_findings_are_bounded_and_the_lowest_stay),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_evidence_file),
        cmocka_unit_test(test_pins),
    };
    return crypto_init() == BOURN_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
