/* Entries and rows against tests/vectors/entries.txt, in both directions, and against every truncation and
 * every change of one byte. `test_entry print` writes the good half of that file. */
#include "base/text.h"
#include "samples.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;

static uint32_t kind_of(const char *name)
{
    for (uint32_t kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
        size_t n = strlen(entry_kind_name(kind));
        if (strncmp(name, entry_kind_name(kind), n) == 0 && (name[n] == '\0' || name[n] == '-'))
            return kind;
    }
    fail_msg("no kind is named like %s", name);
    return 0;
}

/* Decodes and, where that works, encodes again: must give the same bytes. */
static enum bourn_err again(const char *what, uint32_t kind, struct slice in)
{
    struct buf b;
    struct entry e;
    struct row r;
    bool entry = strstr(what, "entry");
    arena_reset(&arena);
    enum bourn_err err = entry ? entry_decode(in, &arena, &e) : row_decode(in, kind, &arena, &r);
    if (err)
        return err;
    buf_init(&b, 1 << 20);
    if (entry)
        entry_encode(&b, &e);
    else
        row_encode(&b, kind, &r);
    assert_int_equal(b.n, in.n);
    assert_memory_equal(b.p, in.p, in.n);
    buf_release(&b);
    return BOURN_OK;
}

/* As entry_decode, and with the same words, with a memo in which an entry like it stands. */
static void like(struct slice in, struct entry_memo *memo, struct arena *a)
{
    struct entry plain, *e;
    struct entry_front front;
    char why[512] = "";
    enum bourn_err err = entry_decode(in, a, &plain);
    if (err)
        snprintf(why, sizeof why, "%s", err_text());
    assert_int_equal(entry_decode_like(in, a, memo, &e, &front), err);
    if (err) {
        assert_string_equal(err_text(), why);
        return;
    }
    struct buf one, other;
    buf_init(&one, 1 << 20);
    buf_init(&other, 1 << 20);
    entry_encode(&one, &plain);
    entry_encode(&other, e);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&other)));
    assert_true(slice_eq(buf_slice(&one), in));
    buf_release(&one);
    buf_release(&other);
}

static void is_encoded_as(const struct entry *e, struct slice in)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    entry_encode(&b, e);
    assert_true(slice_eq(buf_slice(&b), in));
    buf_release(&b);
}

/* One entry stands for both; each front makes it that of its bytes, in any order. */
static bool share(struct slice one, struct slice other, struct arena *a)
{
    struct entry_memo memo = {0};
    struct entry *e[2];
    struct entry_front front[2];
    assert_int_equal(entry_decode_like(one, a, &memo, &e[0], &front[0]), BOURN_OK);
    assert_int_equal(entry_decode_like(other, a, &memo, &e[1], &front[1]), BOURN_OK);
    assert_true((e[0] == e[1]) == (front[0].salt != NULL));
    for (int turn = 0; turn < 2; turn++) {
        entry_front_put(e[0], &front[0]);
        is_encoded_as(e[0], one);
        entry_front_put(e[1], &front[1]);
        is_encoded_as(e[1], other);
    }
    return e[0] == e[1];
}

static void what_repeats_is_decoded_alike(void **state)
{
    (void)state;
    struct arena a;
    struct buf b, c;
    size_t shared = 0;
    buf_init(&b, 1 << 20);
    buf_init(&c, 1 << 20);
    for (size_t i = 0; i < sample_entries_n; i++) {
        arena_init(&a, 256u << 20);
        struct entry_memo memo = {0};
        struct entry e = sample_entries[i].entry;
        e.time = e.time > UINT16_MAX ? e.time : 1767225600;
        buf_clear(&b);
        entry_encode(&b, &e);
        like(buf_slice(&b), &memo, &a);
        e.time++;
        memset(e.salt, 7, sizeof e.salt);
        memset(e.root, 9, sizeof e.root);
        buf_clear(&c);
        entry_encode(&c, &e);
        like(buf_slice(&c), &memo, &a);
        shared += share(buf_slice(&b), buf_slice(&c), &a);
        for (size_t at = 0; at < c.n && at < 400; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                c.p[at] ^= (uint8_t)(1u << bit);
                struct slice changed = arena_copy(&a, buf_slice(&c));
                like(changed, &memo, &a);
                like(slice_of(changed.p, at), &memo, &a);
                c.p[at] ^= (uint8_t)(1u << bit);
            }
        arena_release(&a);
    }
    assert_true(shared > 0);
    buf_release(&b);
    buf_release(&c);
}

static void every_byte_counts(uint32_t kind, const struct row *r)
{
    struct buf b;
    buf_init(&b, 4096);
    row_encode(&b, kind, r);
    assert_int_equal(again("row", kind, buf_slice(&b)), BOURN_OK);
    for (size_t at = 0; at < b.n; at++) {
        assert_int_equal(again("row", kind, slice_of(b.p, at)), BOURN_E_FORMAT);
        for (unsigned value = 0; value < 256; value++) {
            uint8_t was = b.p[at];
            b.p[at] = (uint8_t)value;
            enum bourn_err err = again("row", kind, buf_slice(&b));
            assert_true(err == BOURN_OK || err == BOURN_E_FORMAT);
            b.p[at] = was;
        }
    }
    buf_release(&b);
}

/* Numbers and hashes in lists are read by a way of their own: no byte of a row may pass as another. */
static void every_byte_of_a_plain_list_counts(void **state)
{
    (void)state;
    static const struct row_basis basis[] = {{GRADE_GROUND, 4}};
    static const struct row_record record[] = {{.id = 3, .version = 1, .commit = {1, 2, 3}},
                                               {.id = 200, .version = 24, .commit = {[31] = 0xff}},
                                               {.id = 70000, .version = 256},
                                               {.id = 1ull << 33, .version = 65536},
                                               {.id = 9, .version = 1ull << 40}};
    struct row r = {.prev = 1 << 20, .bases = basis, .bases_n = 1, .records = record, .records_n = 5};
    row_set(&r, R_BASES);
    row_set(&r, R_RECORDS);
    every_byte_counts(ENTRY_DISCLOSED, &r);
    struct row s = {.prev = 1 << 20, .bases = basis, .bases_n = 1, .stored = record, .stored_n = 3};
    row_set(&s, R_BASES);
    row_set(&s, R_STORED);
    every_byte_counts(ENTRY_STORED, &s);
}

static void check_vectors(const char *path, size_t good_least, size_t bad_least)
{
    size_t n, good = 0, bad = 0;
    struct vector *v = vectors_load(path, &n);
    for (size_t i = 0; i < n; i++) {
        enum bourn_err err = again(v[i].what, kind_of(v[i].name), v[i].bytes);
        if (strncmp(v[i].what, "bad-", 4) == 0) {
            bad++;
            if (err != BOURN_E_FORMAT || !strstr(err_text(), v[i].reason))
                fail_msg("%s %s: %s: said \"%s\"", v[i].what, v[i].name, v[i].reason,
                         err ? err_text() : "fine");
        } else {
            good++;
            if (err != BOURN_OK)
                fail_msg("%s %s: %s", v[i].what, v[i].name, err_text());
        }
    }
    assert_in_range(good, good_least, n);
    assert_in_range(bad, bad_least, n);
    vectors_free(v, n);
}

static void vectors_hold(void **state)
{
    (void)state;
    check_vectors("tests/vectors/entries.txt", sample_entries_n + sample_rows_n, 60);
}

static void examples_of_the_document_hold(void **state)
{
    (void)state;
    check_vectors("docs/formats/ledger.md", 4, 1);
}

static struct slice find(const struct vector *v, size_t n, const char *what, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].what, what) == 0 && strcmp(v[i].name, name) == 0)
            return v[i].bytes;
    fail_msg("%s %s is not among the vectors", what, name);
    return (struct slice){0};
}

static void samples_encode_to_the_vectors(void **state)
{
    (void)state;
    size_t n;
    struct vector *v = vectors_load("tests/vectors/entries.txt", &n);
    struct buf b;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sample_entries_n; i++, buf_clear(&b)) {
        entry_encode(&b, &sample_entries[i].entry);
        assert_true(slice_eq(buf_slice(&b), find(v, n, "entry", sample_entries[i].name)));
    }
    for (size_t i = 0; i < sample_rows_n; i++, buf_clear(&b)) {
        row_encode(&b, sample_rows[i].kind, &sample_rows[i].row);
        assert_true(slice_eq(buf_slice(&b), find(v, n, "row", sample_rows[i].name)));
    }
    buf_release(&b);
    vectors_free(v, n);
}

static void every_kind_that_is_written_has_a_sample(void **state)
{
    (void)state;
    for (uint32_t kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
        struct entry e = {.kind = kind};
        size_t entries = 0, rows = 0;
        for (size_t i = 0; i < sample_entries_n; i++)
            entries += sample_entries[i].entry.kind == kind;
        for (size_t i = 0; i < sample_rows_n; i++)
            rows += sample_rows[i].kind == kind;
        enum bourn_err err = entry_check(&e);
        assert_int_equal(err, BOURN_E_FORMAT);
        assert_int_equal(entries > 0, strstr(err_text(), "reserved") == NULL);
        assert_int_equal(rows > 0, entry_kind_has_rows(kind));
    }
    assert_null(entry_kind_name(ENTRY_KIND_MAX + 1));
    assert_null(entry_kind_name(0));
    assert_false(entry_kind_has_rows(UINT32_MAX));
}

static void a_cut_or_changed_vector_never_passes_as_another_form(void **state)
{
    (void)state;
    size_t n;
    struct vector *v = vectors_load("tests/vectors/entries.txt", &n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(v[i].what, "bad-", 4) == 0)
            continue;
        uint32_t kind = kind_of(v[i].name);
        uint8_t *p = (uint8_t *)(uintptr_t)v[i].bytes.p;
        for (size_t cut = 0; cut < v[i].bytes.n; cut++)
            assert_int_equal(again(v[i].what, kind, slice_of(p, cut)), BOURN_E_FORMAT);
        for (size_t at = 0; at < v[i].bytes.n; at++) {
            uint8_t was = p[at];
            for (unsigned byte = 0; byte < 256; byte++) {
                p[at] = (uint8_t)byte;
                enum bourn_err err = again(v[i].what, kind, v[i].bytes);
                assert_true(err == BOURN_OK || err == BOURN_E_FORMAT ||
                            ((at == 2 || at == 3) && err == BOURN_E_UNAVAILABLE));
            }
            p[at] = was;
        }
    }
    vectors_free(v, n);
}

/* Every value of the struct that decoding gives, for one entry and one row with much in them. */
static void decoding_gives_the_values(void **state)
{
    (void)state;
    struct buf b;
    struct entry e;
    struct row r;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sample_entries_n; i++, buf_clear(&b)) {
        if (strcmp(sample_entries[i].name, "party") != 0)
            continue;
        entry_encode(&b, &sample_entries[i].entry);
        assert_int_equal(entry_decode(buf_slice(&b), &arena, &e), BOURN_OK);
        assert_int_equal(e.kind, ENTRY_PARTY);
        assert_int_equal(e.time, 1795255200);
        assert_int_equal(e.salt[15], 0xaf);
        assert_true(entry_has(&e, E_KIND) && entry_has(&e, E_SALT) && entry_has(&e, E_NAME));
        assert_false(entry_has(&e, E_ENDS));
        assert_true(slice_is(e.name, "clinic") && slice_is(e.contact, "mail@clinic.example"));
        assert_true(slice_is(e.jurisdiction, "CN") && slice_is(e.party_kind, "app"));
        assert_int_equal(e.rights, RIGHT_READ | RIGHT_WRITE | RIGHT_ERASE);
        assert_int_equal(e.purposes_n, 2);
        assert_true(slice_is(e.purposes[0].ground, "dpv:Contract") && e.purposes[1].ground.n == 0);
        assert_int_equal(e.keys_n, 2);
        assert_int_equal(e.keys[1].p[0], 0xbb);
        assert_true(e.name.p >= b.p && e.name.p < b.p + b.n); /* borrowed, not copied */
    }
    for (size_t i = 0; i < sample_rows_n; i++, buf_clear(&b)) {
        if (strcmp(sample_rows[i].name, "stored") != 0)
            continue;
        row_encode(&b, ENTRY_STORED, &sample_rows[i].row);
        assert_int_equal(row_decode(buf_slice(&b), ENTRY_STORED, &arena, &r), BOURN_OK);
        assert_int_equal(r.prev, 300);
        assert_int_equal(r.stored_n, 2);
        assert_true(r.stored[1].id == 4294967296 && r.stored[1].version == 2 &&
                    r.stored[1].commit[31] == 0x22);
        assert_int_equal(r.bases_n, 2);
        assert_true(r.bases[0].grade == GRADE_SUBJECT_SIGNED && r.bases[0].index == 310);
    }
    buf_release(&b);
}

static void a_newer_kind_is_told_apart(void **state)
{
    (void)state;
    uint8_t in[64];
    struct entry e;
    /* {1: 24 (epoch, reserved), 2: 5, 3: salt, 99: [1, {2: "x"}]} */
    static const char head[] = "a401181802050350000102030405060708090a0b0c0d0e0f",
                      rest[] = "18638201a1026178";
    assert_true(hex_get(slice_str(head), in, 24) && hex_get(slice_str(rest), in + 24, 8));
    assert_int_equal(entry_decode(slice_of(in, 32), &arena, &e), BOURN_E_UNAVAILABLE);
    assert_true(e.kind == ENTRY_EPOCH && e.time == 5 && e.salt[15] == 15);
    assert_int_equal(entry_decode(slice_of(in, 31), &arena, &e), BOURN_E_FORMAT);
    in[31] = 0xff; /* text that is not UTF-8: malformed even where the kind is unknown */
    assert_int_equal(entry_decode(slice_of(in, 32), &arena, &e), BOURN_E_FORMAT);
    in[31] = 'x';
    in[3] = 0xff; /* kind 255 */
    assert_int_equal(entry_decode(slice_of(in, 32), &arena, &e), BOURN_E_UNAVAILABLE);
    in[4] = 4; /* no time */
    assert_int_equal(entry_decode(slice_of(in, 32), &arena, &e), BOURN_E_FORMAT);
}

static void an_arena_that_is_full_is_no_format_error(void **state)
{
    (void)state;
    struct arena small;
    struct buf b;
    struct row r;
    arena_init(&small, 16);
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sample_rows_n; i++)
        if (strcmp(sample_rows[i].name, "stored") == 0)
            row_encode(&b, ENTRY_STORED, &sample_rows[i].row);
    assert_int_equal(row_decode(buf_slice(&b), ENTRY_STORED, &small, &r), BOURN_E_MEMORY);
    arena_release(&small);
    buf_release(&b);
}

static void what_could_not_be_read_is_refused_before_it_is_written(void **state)
{
    (void)state;
    static uint8_t yaml[48 << 10], rules[16500];
    memset(yaml, 'y', sizeof yaml);
    struct entry e = sample_entries[1].entry;
    assert_int_equal(entry_check(&e), BOURN_OK);
    e.yaml = slice_of(yaml, sizeof yaml);
    assert_int_equal(entry_check(&e), BOURN_OK);
    e.rules = slice_of(rules, sizeof rules); /* each within its limit, together over 65,535 bytes */
    assert_int_equal(entry_check(&e), BOURN_E_LIMIT);
    e = sample_entries[1].entry;
    e.yaml = slice_str("\xff");
    assert_int_equal(entry_check(&e), BOURN_E_FORMAT);
    e.yaml = slice_str("y");
    e.version = 0;
    assert_int_equal(entry_check(&e), BOURN_E_FORMAT);
    assert_non_null(strstr(err_text(), "version"));
    e.version = 1ull << 53;
    assert_int_equal(entry_check(&e), BOURN_E_FORMAT);
    e.version = 1;
    entry_set(&e, E_PARTY);
    assert_int_equal(entry_check(&e), BOURN_E_FORMAT);

    struct row r = sample_rows[0].row;
    assert_int_equal(row_check(ENTRY_ENROLLED, &r), BOURN_OK);
    assert_int_equal(row_check(ENTRY_STORED, &r), BOURN_E_FORMAT);
    assert_int_equal(row_check(ENTRY_POLICY, &r), BOURN_E_FORMAT);
    r.domicile = slice_str("cn");
    assert_int_equal(row_check(ENTRY_ENROLLED, &r), BOURN_E_FORMAT);
}

static void print(void)
{
    struct buf b, hex;
    buf_init(&b, 1 << 16);
    buf_init(&hex, 1 << 17);
    for (size_t i = 0; i < sample_entries_n + sample_rows_n; i++) {
        bool entry = i < sample_entries_n;
        const struct sample_row *row = &sample_rows[entry ? 0 : i - sample_entries_n];
        if (entry)
            entry_encode(&b, &sample_entries[i].entry);
        else
            row_encode(&b, row->kind, &row->row);
        hex_put(&hex, buf_slice(&b));
        printf("%s %s %.*s\n", entry ? "entry" : "row", entry ? sample_entries[i].name : row->name,
               SLICE_ARG(buf_slice(&hex)));
        buf_clear(&b);
        buf_clear(&hex);
    }
    buf_release(&b);
    buf_release(&hex);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(examples_of_the_document_hold),
        cmocka_unit_test(samples_encode_to_the_vectors),
        cmocka_unit_test(every_kind_that_is_written_has_a_sample),
        cmocka_unit_test(a_cut_or_changed_vector_never_passes_as_another_form),
        cmocka_unit_test(decoding_gives_the_values),
        cmocka_unit_test(what_repeats_is_decoded_alike),
        cmocka_unit_test(every_byte_of_a_plain_list_counts),
        cmocka_unit_test(a_newer_kind_is_told_apart),
        cmocka_unit_test(an_arena_that_is_full_is_no_format_error),
        cmocka_unit_test(what_could_not_be_read_is_refused_before_it_is_written),
    };
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        print();
        return 0;
    }
    arena_init(&arena, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
