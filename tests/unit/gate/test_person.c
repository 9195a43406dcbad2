#include "build.h"
#include "crypto/crypto.h"

static const uint8_t label[16] = {7};

/* A person being told by rows; `row` is filled by the helpers and applied at index `at`. */
struct tale {
    struct person p;
    struct entry e;
    struct row r;
    const char *clause;
};

static void begin(struct tale *t)
{
    memset(t, 0, sizeof *t);
    person_init(&t->p, label);
}

static enum bourn_err tell(struct tale *t, uint64_t at, uint32_t kind)
{
    t->e.kind = kind;
    t->e.time = T0;
    memcpy(t->r.label, label, sizeof label);
    t->r.prev = t->p.head;
    t->clause = NULL;
    enum bourn_err err = person_apply(&t->p, at, &t->e, &t->r, &t->clause);
    t->r = (struct row){0};
    return err;
}

static enum bourn_err key(struct tale *t, uint64_t at, uint32_t action, uint64_t meant, uint32_t voucher,
                          uint64_t ref)
{
    t->r.action = action;
    t->r.key = meant;
    t->r.voucher = voucher;
    t->r.voucher_ref = ref;
    if (action != 1)
        row_set(&t->r, R_KEY);
    return tell(t, at, ENTRY_KEY);
}

static enum bourn_err consent(struct tale *t, uint64_t at, uint32_t grade, uint64_t key_index,
                              uint64_t expires)
{
    static const struct slice purposes[] = {{(const uint8_t *)"dpv:A", 5}, {(const uint8_t *)"dpv:B", 5}};
    static const struct slice countries[] = {{(const uint8_t *)"US", 2}};
    static const struct slice collections[] = {{(const uint8_t *)"people", 6}};
    static const uint64_t recipients[] = {3, 4};
    t->r.grade = grade;
    t->r.issued = T0 - 1;
    t->r.expires = expires;
    t->r.purposes = purposes;
    t->r.purposes_n = 2;
    t->r.destinations = countries;
    t->r.collections = collections;
    t->r.destinations_n = t->r.collections_n = 1;
    t->r.recipients = recipients;
    t->r.recipients_n = 2;
    if (key_index) {
        t->r.key = key_index;
        row_set(&t->r, R_KEY);
    }
    return tell(t, at, ENTRY_CONSENT);
}

static enum bourn_err withdraw(struct tale *t, uint64_t at, uint64_t meant)
{
    t->r.consent = meant;
    return tell(t, at, ENTRY_WITHDRAWN);
}

/* The row is refused, and the state is as it was. */
#define UNCHANGED(t, call, word)                                                                             \
    do {                                                                                                     \
        struct buf before_, after_;                                                                          \
        buf_init(&before_, 1 << 20);                                                                         \
        buf_init(&after_, 1 << 20);                                                                          \
        person_encode(&before_, &(t)->p);                                                                    \
        REFUSED(call, t, word);                                                                              \
        person_encode(&after_, &(t)->p);                                                                     \
        assert_true(slice_eq(buf_slice(&before_), buf_slice(&after_)));                                      \
        buf_release(&before_);                                                                               \
        buf_release(&after_);                                                                                \
    } while (0)

static void the_chain_has_no_gap(void **state)
{
    (void)state;
    struct tale t;
    begin(&t);
    UNCHANGED(&t, tell(&t, 5, ENTRY_STORED), "C3"); /* before the enrolment */
    assert_int_equal(tell(&t, 5, ENTRY_ENROLLED), BOURN_OK);
    assert_int_equal(t.p.enrolled, 5);
    UNCHANGED(&t, tell(&t, 6, ENTRY_ENROLLED), "C3");
    assert_int_equal(tell(&t, 6, ENTRY_STORED), BOURN_OK);
    UNCHANGED(&t, tell(&t, 6, ENTRY_STORED), "V3"); /* the same entry again */
    t.r.prev = 5;
    memcpy(t.r.label, label, sizeof label);
    t.e.kind = ENTRY_DISCLOSED;
    assert_int_equal(person_apply(&t.p, 7, &t.e, &t.r, &t.clause), BOURN_E_CONFLICT); /* prev skips a row */
    assert_string_equal(t.clause, "V3");
    t.r.prev = 6;
    t.r.label[0]++;
    assert_int_equal(person_apply(&t.p, 7, &t.e, &t.r, &t.clause), BOURN_E_CONFLICT);
    t.r = (struct row){0};
    t.e.asked_by = 2;
    row_set(&t.r, R_COLLECTIONS); /* one collection alone: the person goes on */
    assert_int_equal(tell(&t, 8, ENTRY_ERASED), BOURN_OK);
    assert_false(t.p.erased);
    assert_int_equal(tell(&t, 9, ENTRY_ERASED), BOURN_OK);
    assert_true(t.p.erased);
    assert_int_equal(t.p.erased_index, 9);
    assert_int_equal(t.p.erased_by, 2);
    UNCHANGED(&t, tell(&t, 10, ENTRY_STORED), "C3");
    UNCHANGED(&t, tell(&t, 10, ENTRY_ENROLLED), "C3");
    person_release(&t.p);
}

static void keys_are_added_replaced_revoked(void **state)
{
    (void)state;
    struct tale t;
    begin(&t);
    assert_int_equal(tell(&t, 1, ENTRY_ENROLLED), BOURN_OK);
    UNCHANGED(&t, key(&t, 2, 2, 1, VOUCHER_APP, 3), "C2");
    UNCHANGED(&t, key(&t, 2, 1, 0, VOUCHER_KEY, 1), "C2"); /* vouched for by no key of the person */
    assert_int_equal(key(&t, 2, 1, 0, VOUCHER_APP, 3), BOURN_OK);
    assert_int_equal(key(&t, 3, 1, 0, VOUCHER_KEY, 2), BOURN_OK);
    assert_int_equal(key(&t, 4, 2, 2, VOUCHER_KEY, 2), BOURN_OK); /* 4 replaces 2 */
    assert_int_equal(person_key(&t.p, 2)->ended, 4);
    UNCHANGED(&t, key(&t, 5, 3, 2, VOUCHER_NONE, 0), "C2");
    UNCHANGED(&t, key(&t, 5, 1, 0, VOUCHER_KEY, 2), "C2"); /* a dead key vouches for nothing */
    assert_int_equal(key(&t, 5, 3, 3, VOUCHER_NONE, 0), BOURN_OK);
    assert_int_equal(person_key(&t.p, 3)->ended, 5);
    assert_int_equal(person_key(&t.p, 4)->ended, UINT64_MAX);
    assert_null(person_key(&t.p, 5));
    UNCHANGED(&t, key(&t, 6, 4, 4, VOUCHER_APP, 3), "C2");
    for (uint64_t i = 0; i < KEYS_PER_SUBJECT_MAX - 3; i++)
        assert_int_equal(key(&t, 6 + i, 1, 0, VOUCHER_APP, 3), BOURN_OK);
    UNCHANGED(&t, key(&t, 99, 1, 0, VOUCHER_APP, 3), "C2");
    person_release(&t.p);
}

static void consents_come_and_go(void **state)
{
    (void)state;
    struct tale t;
    begin(&t);
    assert_int_equal(tell(&t, 1, ENTRY_ENROLLED), BOURN_OK);
    assert_int_equal(key(&t, 2, 1, 0, VOUCHER_REGISTRAR, 9), BOURN_OK);
    UNCHANGED(&t, consent(&t, 3, GRADE_SUBJECT_SIGNED, 0, T0 + 9), "C2");
    UNCHANGED(&t, consent(&t, 3, GRADE_SUBJECT_SIGNED, 1, T0 + 9), "C2");
    UNCHANGED(&t, consent(&t, 3, GRADE_OPERATOR_ATTESTED, 2, T0 + 9), "C2");
    UNCHANGED(&t, consent(&t, 3, GRADE_AUTHORITY_SIGNED, 0, T0 + 9), "C2");
    assert_int_equal(consent(&t, 3, GRADE_SUBJECT_SIGNED, 2, T0 + 9), BOURN_OK);
    const struct gate_basis *b = person_consent(&t.p, 3);
    assert_int_equal(b->voucher, VOUCHER_REGISTRAR);
    assert_int_equal(b->from, T0 - 1);
    assert_int_equal(b->until, T0 + 9);
    assert_int_equal(b->withdrawn, UINT64_MAX);
    assert_true(slice_is(b->purposes.v[1], "dpv:B") && slice_is(b->collections.v[0], "people"));
    assert_int_equal(b->recipients[1], 4);
    assert_int_equal(consent(&t, 4, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), BOURN_OK);
    assert_int_equal(person_consent(&t.p, 4)->voucher, VOUCHER_NONE);
    UNCHANGED(&t, withdraw(&t, 5, 2), "H1");
    assert_int_equal(withdraw(&t, 5, 3), BOURN_OK);
    assert_int_equal(person_consent(&t.p, 3)->withdrawn, 5);
    UNCHANGED(&t, withdraw(&t, 6, 3), "H1");
    assert_int_equal(key(&t, 6, 3, 2, VOUCHER_NONE, 0), BOURN_OK);
    UNCHANGED(&t, consent(&t, 7, GRADE_SUBJECT_SIGNED, 2, T0 + 9), "C2");
    assert_null(person_consent(&t.p, 7));
    person_release(&t.p);
}

static enum bourn_err copy(struct tale *t, uint64_t at, uint64_t key_index, uint64_t goes_on)
{
    t->r.key = key_index;
    row_set(&t->r, R_KEY);
    t->r.copy = goes_on;
    row_set(&t->r, goes_on ? R_COPY : R_EVIDENCE);
    return tell(t, at, ENTRY_EXPORTED);
}

static void a_copy_needs_a_living_key(void **state)
{
    (void)state;
    struct tale t;
    begin(&t);
    assert_int_equal(tell(&t, 1, ENTRY_ENROLLED), BOURN_OK);
    UNCHANGED(&t, copy(&t, 2, 0, 0), "C2");
    assert_int_equal(key(&t, 2, 1, 0, VOUCHER_APP, 3), BOURN_OK);
    UNCHANGED(&t, copy(&t, 3, 1, 0), "C2");
    assert_int_equal(copy(&t, 3, 2, 0), BOURN_OK);
    assert_int_equal(copy(&t, 4, 2, 3), BOURN_OK);
    assert_int_equal(key(&t, 5, 3, 2, VOUCHER_NONE, 0), BOURN_OK); /* revoked: also in the middle of a copy */
    UNCHANGED(&t, copy(&t, 6, 2, 3), "C2");
    UNCHANGED(&t, copy(&t, 6, 2, 0), "C2");
    assert_int_equal(tell(&t, 6, ENTRY_ERASED), BOURN_OK);
    UNCHANGED(&t, copy(&t, 7, 2, 0), "C3");
    person_release(&t.p);
}

static void dead_consents_make_room(void **state)
{
    (void)state;
    struct tale t;
    begin(&t);
    assert_int_equal(tell(&t, 1, ENTRY_ENROLLED), BOURN_OK);
    for (uint64_t i = 0; i < CONSENTS_PER_SUBJECT_MAX;
         i++) /* the last two are expired by the next entry's time */
        assert_int_equal(
            consent(&t, 2 + i, GRADE_OPERATOR_ATTESTED, 0, i < CONSENTS_PER_SUBJECT_MAX - 2 ? T0 + 9 : T0),
            BOURN_OK);
    assert_int_equal(consent(&t, 500, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), BOURN_OK);
    assert_int_equal(t.p.bases_n, CONSENTS_PER_SUBJECT_MAX - 1);
    assert_int_equal(consent(&t, 501, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), BOURN_OK);
    UNCHANGED(&t, consent(&t, 502, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), "C1");
    assert_int_equal(withdraw(&t, 502, 501), BOURN_OK);
    assert_int_equal(consent(&t, 503, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), BOURN_OK);
    assert_null(person_consent(&t.p, 501));
    assert_non_null(person_consent(&t.p, 2));
    person_release(&t.p);
}

static void the_state_comes_back_the_same(void **state)
{
    (void)state;
    struct tale t;
    struct buf one, two;
    struct person p;
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    begin(&t);
    person_encode(&one, &t.p);
    assert_int_equal(person_decode(buf_slice(&one), &p), BOURN_OK);
    assert_int_equal(p.head, UINT64_MAX);
    person_release(&p);
    buf_clear(&one);
    assert_int_equal(tell(&t, 1, ENTRY_ENROLLED), BOURN_OK);
    assert_int_equal(key(&t, 2, 1, 0, VOUCHER_APP, 9), BOURN_OK);
    assert_int_equal(key(&t, 3, 2, 2, VOUCHER_KEY, 2), BOURN_OK);
    t.p.keys[1].known = true;
    t.p.keys[1].public_key[31] = 5;
    assert_int_equal(consent(&t, 4, GRADE_SUBJECT_SIGNED, 3, T0 + 9), BOURN_OK);
    assert_int_equal(consent(&t, 5, GRADE_OPERATOR_ATTESTED, 0, T0 + 9), BOURN_OK);
    assert_int_equal(withdraw(&t, 6, 4), BOURN_OK);
    assert_int_equal(tell(&t, 7, ENTRY_ERASED), BOURN_OK);
    person_encode(&one, &t.p);
    assert_int_equal(person_decode(buf_slice(&one), &p), BOURN_OK);
    assert_true(p.erased && p.keys[1].known && !p.keys[0].known && p.keys[1].public_key[31] == 5);
    assert_int_equal(p.bases[0].withdrawn, 6);
    person_encode(&two, &p);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    person_release(&p);
    for (size_t n = 0; n < one.n; n++) /* and every torn form is refused, without a leak */
        assert_int_equal(person_decode(slice_of(one.p, n), &p), BOURN_E_FORMAT);
    for (size_t i = 0; i < one.n; i++) {
        one.p[i] ^= 0x21;
        if (person_decode(buf_slice(&one), &p) == BOURN_OK) {
            buf_clear(&two);
            person_encode(&two, &p);
            assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
            person_release(&p);
        }
        one.p[i] ^= 0x21;
    }
    person_release(&t.p);
    buf_release(&one);
    buf_release(&two);
}

/* What a consent must agree with in the world. */
static struct row sound_row(void)
{
    static const struct slice purposes[] = {{(const uint8_t *)"dpv:A", 5}};
    static const struct slice countries[] = {{(const uint8_t *)"FR", 2}, {(const uint8_t *)"US", 2}};
    static const struct slice collections[] = {{(const uint8_t *)"people", 6}};
    static const uint64_t recipients[] = {1, 2, 3};
    return (struct row){.purposes = purposes,
                        .purposes_n = 1,
                        .destinations = countries,
                        .destinations_n = 2,
                        .collections = collections,
                        .collections_n = 1,
                        .recipients = recipients,
                        .recipients_n = 3,
                        .notice = 5,
                        .issued = T0,
                        .expires = T0 + 1};
}

static void consents_agree_with_the_world(void **state)
{
    (void)state;
    static const uint64_t unknown[] = {4};
    static const struct slice us[] = {{(const uint8_t *)"US", 2}}, cn[] = {{(const uint8_t *)"CN", 2}};
    static const struct slice three[] = {
        {(const uint8_t *)"CN", 2}, {(const uint8_t *)"FR", 2}, {(const uint8_t *)"US", 2}};
    struct build b;
    struct entry e = {.kind = ENTRY_CONSENT, .time = T0};
    struct row r = sound_row();
    build_init(&b);
    assert_int_equal(build_party(&b, "one", "US"), BOURN_OK);
    assert_int_equal(build_party(&b, "two", "US"), BOURN_OK);
    assert_int_equal(build_party(&b, "three", "FR"), BOURN_OK);
    assert_int_equal(build_collection(&b, "people", 1), BOURN_OK);
    assert_int_equal(build_notice(&b, "research", "en", 1), BOURN_OK);
#define CHECK() person_consent_check(b.w, &e, &r, &b.clause)
#define BROKEN(change, word)                                                                                 \
    do {                                                                                                     \
        change;                                                                                              \
        REFUSED(CHECK(), &b, word);                                                                          \
        r = sound_row();                                                                                     \
        e.time = T0;                                                                                         \
    } while (0)
    assert_int_equal(CHECK(), BOURN_OK);
    BROKEN(r.recipients_n = 0, "C2");
    BROKEN((r.recipients = unknown, r.recipients_n = 1), "C2");
    BROKEN((r.destinations = us, r.destinations_n = 1), "S3");
    BROKEN((r.destinations = three, r.destinations_n = 3), "S3");
    BROKEN(r.recipients_n = 2, "S3"); /* FR is of no recipient then */
    BROKEN(r.collections = cn, "C1");
    BROKEN(r.purposes_n = 0, "C1");
    BROKEN(r.notice = 4, "K5");
    BROKEN(r.issued = T0 + 1, "C3");
    BROKEN(r.expires = T0, "C3");
    BROKEN((r.issued = T0 - STATEMENT_AGE_S_MAX - 1), "C3");
    BROKEN((r.expires = T0 + (uint64_t)51 * 366 * 86400), "C1");
    r.issued = T0 - STATEMENT_AGE_S_MAX;
    assert_int_equal(CHECK(), BOURN_OK);
    assert_int_equal(build_end(&b, 2), BOURN_OK);
    REFUSED(CHECK(), &b, "C2"); /* a party that has ended */
    build_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_has_no_gap),          cmocka_unit_test(keys_are_added_replaced_revoked),
        cmocka_unit_test(a_copy_needs_a_living_key),     cmocka_unit_test(consents_come_and_go),
        cmocka_unit_test(dead_consents_make_room),       cmocka_unit_test(the_state_comes_back_the_same),
        cmocka_unit_test(consents_agree_with_the_world),
    };
    return crypto_init() != BOURN_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
