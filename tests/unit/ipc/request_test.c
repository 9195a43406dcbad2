/* The codec of requests and replies: round trips of every operation, and everything that must be refused. */
#include "base/limits.h"
#include "ipc/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t filler[REQUEST_BODY_BYTES_MAX + 1];

static struct request records(void)
{
    return (struct request){.id = 7,
                            .op = REQ_RECORDS,
                            .number = 12,
                            .token = slice_str("tok"),
                            .purpose = slice_str("dpv:X"),
                            .subject = slice_str("B000944"),
                            .collection = slice_str("people")};
}

static enum bourn_err again(const struct request *r, enum req_sender from, struct request *out, struct buf *b)
{
    buf_init(b, 8u << 20);
    request_encode(b, r);
    assert_false(b->failed);
    return request_decode(buf_slice(b), from, out);
}

static void same(const struct request *a, const struct request *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->version, b->version);
    assert_true(slice_eq(a->token, b->token) && slice_eq(a->purpose, b->purpose));
    assert_true(slice_eq(a->subject, b->subject) && slice_eq(a->collection, b->collection));
    assert_true(slice_eq(a->path, b->path) && slice_eq(a->body, b->body));
    assert_true(slice_eq(a->fields, b->fields) && slice_eq(a->key, b->key));
}

static void test_round_trip_and_bytes(void **state)
{
    (void)state;
    struct request r = records(), got;
    struct buf b;
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    same(&r, &got);
    static const uint8_t golden[] = "\0\0\0\0\0\0\0\7"
                                    "\0\0\0\2"
                                    "\0\x3d"
                                    "\0\0\0\0\0\0\0\x0c"
                                    "\0\0\0\3tok"
                                    "\0\0\0\5"
                                    "dpv:X"
                                    "\0\0\0\7"
                                    "B000944"
                                    "\0\0\0\6people";
    assert_int_equal(b.n, sizeof golden - 1);
    assert_memory_equal(b.p, golden, b.n);
    buf_release(&b);
    /* The fields whose bits stand in the upper byte. */
    r.fields = slice_str("name,note");
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    same(&r, &got);
    static const uint8_t fields[] = "\0\0\0\x09name,note";
    assert_int_equal(b.n, sizeof golden - 1 + sizeof fields - 1);
    assert_int_equal(b.p[12], 1);
    assert_memory_equal(b.p + sizeof golden - 1, fields, sizeof fields - 1);
    buf_release(&b);
    r = (struct request){
        .op = REQ_ERASE, .token = slice_str("t"), .subject = slice_str("s"), .key = slice_str("once")};
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    same(&r, &got);
    static const uint8_t erase[] = "\0\0\0\0\0\0\0\0"
                                   "\0\0\0\7"
                                   "\2\x14"
                                   "\0\0\0\1t"
                                   "\0\0\0\1s"
                                   "\0\0\0\4once";
    assert_int_equal(b.n, sizeof erase - 1);
    assert_memory_equal(b.p, erase, b.n);
    buf_release(&b);
}

/* A subject is text: what is not would stand in answers that have to be JSON. */
static void test_subject_is_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool text;
    } subjects[] = {
        {"caf\xc3\xa9", 5, true},   {"\xf0\x9f\x98\x80", 4, true},
        {"a b", 3, true},           {"\xff", 1, false},
        {"a\0b", 3, false},         {"\0", 1, false},
        {"caf\xc3", 4, false},      {"\xc0\x80", 2, false},
        {"\xed\xa0\x80", 3, false}, {"\xf4\x90\x80\x80", 4, false},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        struct request r = {.op = REQ_ERASE,
                            .token = slice_str("t"),
                            .subject = slice_of(subjects[i].bytes, subjects[i].n)},
                       got;
        struct buf b;
        assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), subjects[i].text ? BOURN_OK : BOURN_E_FORMAT);
        if (!subjects[i].text)
            assert_non_null(strstr(err_text(), "a subject that is not text"));
        buf_release(&b);
    }
}

/* Who may send what, with which fields: said a second time, so that no slip in the one table goes unseen. */
enum { N = 1, V = 2, T = 4, P = 8, S = 16, C = 32, F = 64, B = 128, L = 256, K = 512, SETS = 1024 };
static const struct {
    unsigned senders, needs, may;
} carried[REQ_OP_MAX + 1] = {
    [REQ_HEALTH] = {REQ_FROM_FRONT | REQ_FROM_ADMIN, 0, 0},
    [REQ_RECORDS] = {REQ_FROM_FRONT, T | P | S | C, N | L},
    [REQ_RECORD] = {REQ_FROM_FRONT, T | P | S | C | N, L},
    [REQ_RECORD_NEW] = {REQ_FROM_FRONT, T | P | S | C | B, K},
    [REQ_RECORD_PUT] = {REQ_FROM_FRONT, T | P | S | C | N | B, V | K},
    [REQ_RECORD_PATCH] = {REQ_FROM_FRONT, T | P | S | C | N | B, V | K},
    [REQ_RECORD_DELETE] = {REQ_FROM_FRONT, T | P | S | C | N, V | K},
    [REQ_ERASE] = {REQ_FROM_FRONT, T | S, K},
    [REQ_ENROLMENT] = {REQ_FROM_FRONT, T | S, 0},
    [REQ_ENROLMENT_LOOK] = {REQ_FROM_FRONT, B, 0},
    [REQ_ENROLMENT_DONE] = {REQ_FROM_FRONT, B, 0},
    [REQ_CONSENT_REQUEST] = {REQ_FROM_FRONT, T | S | B, 0},
    [REQ_CONSENT] = {REQ_FROM_FRONT, T | S | B, K},
    [REQ_CONSENTS] = {REQ_FROM_FRONT, T | S, 0},
    [REQ_WITHDRAW] = {REQ_FROM_FRONT, T | S | N, K},
    [REQ_WHOAMI] = {REQ_FROM_FRONT, T, 0},
    [REQ_LEDGER_FILE] = {REQ_FROM_FRONT, F, T},
    [REQ_ROWS_FILE] = {REQ_FROM_FRONT, T | F, N},
    [REQ_EVIDENCE] = {REQ_FROM_FRONT, T | P | B, 0},
    [REQ_SEARCH] = {REQ_FROM_FRONT, T | P | B, N},
    [REQ_DISCLOSE] = {REQ_FROM_FRONT, T | P | B, N},
    [REQ_LOOKUP] = {REQ_FROM_FRONT, T | B, 0},
    [REQ_SUBJECT_NEW] = {REQ_FROM_FRONT, T | B, K},
    [REQ_IDENTIFIER] = {REQ_FROM_FRONT, T | S | B, K},
    [REQ_IMPORT] = {REQ_FROM_FRONT | REQ_FROM_ADMIN, T | P | C | F | B | N, 0},
    [REQ_ADMIN_STATUS] = {REQ_FROM_ADMIN, 0, 0},
    [REQ_ADMIN_PARTY] = {REQ_FROM_ADMIN, B, 0},
    [REQ_ADMIN_PARTY_END] = {REQ_FROM_ADMIN, F, 0},
    [REQ_ADMIN_PARTIES] = {REQ_FROM_ADMIN, 0, 0},
    [REQ_ADMIN_COLLECTION] = {REQ_FROM_ADMIN, B, 0},
    [REQ_ADMIN_COLLECTIONS] = {REQ_FROM_ADMIN, 0, 0},
    [REQ_ADMIN_NOTICE] = {REQ_FROM_ADMIN, B, 0},
    [REQ_ADMIN_PACK] = {REQ_FROM_ADMIN, B, 0},
    [REQ_ADMIN_SCRUB] = {REQ_FROM_ADMIN, V, N},
    [REQ_METRICS] = {REQ_FROM_FRONT | REQ_FROM_ADMIN, 0, 0},
    [REQ_EXPORT] = {REQ_FROM_FRONT, B, N},
    [REQ_RECEIPT] = {REQ_FROM_FRONT, T | N, 0},
    [REQ_PROOF] = {REQ_FROM_FRONT, T | N, 0},
    [REQ_HISTORY] = {REQ_FROM_FRONT, S | B, N | V},
    [REQ_ADMIN_CONFIG] = {REQ_FROM_ADMIN, B, 0},
    [REQ_ADMIN_WEBHOOK] = {REQ_FROM_ADMIN, F, B},
};

/* Bytes with exactly these fields, made here: the encoder alone would leave out a number that is 0. */
static struct slice bytes_of(struct buf *b, uint32_t op, unsigned set)
{
    buf_clear(b);
    buf_put_be(b, 1, 8);
    buf_put_be(b, op, 4);
    buf_put_be(b, set, 2);
    for (unsigned field = N; field <= V; field <<= 1)
        if (set & field)
            buf_put_be(b, 3, 8);
    for (unsigned field = T; field < SETS; field <<= 1)
        if (set & field) {
            buf_put_be(b, 1, 4);
            buf_put_str(b, "x");
        }
    return buf_slice(b);
}

/* Of all sets of fields, from both senders, exactly those that the operation carries pass. */
static void test_every_operation(void **state)
{
    (void)state;
    struct buf b, back;
    struct request got;
    buf_init(&b, 1024);
    buf_init(&back, 1024);
    for (uint32_t op = 1; op <= REQ_OP_MAX; op++) {
        unsigned needs = carried[op].needs, may = needs | carried[op].may;
        assert_int_not_equal(carried[op].senders, 0); /* a new operation stands in this table */
        assert_string_not_equal(request_op_name(op), "unknown");
        for (unsigned set = 0; set < 2 * SETS; set++) {
            bool fits = set < SETS && (set & needs) == needs && (set & ~may) == 0;
            struct slice in = bytes_of(&b, op, set);
            for (int from = REQ_FROM_FRONT; from <= REQ_FROM_ADMIN; from++) {
                bool heard = carried[op].senders & (unsigned)from;
                enum bourn_err e = request_decode(in, (enum req_sender)from, &got);
                assert_int_equal(e, !heard ? BOURN_E_DENIED : fits ? BOURN_OK : BOURN_E_FORMAT);
                if (e != BOURN_OK)
                    continue;
                buf_clear(&back);
                request_encode(&back, &got);
                assert_true(slice_eq(buf_slice(&back), in));
            }
        }
    }
    buf_release(&b);
    buf_release(&back);
    assert_string_equal(request_op_name(0), "unknown");
    assert_string_equal(request_op_name(REQ_OP_MAX + 1), "unknown");
}

static void test_cut_and_left_over(void **state)
{
    (void)state;
    struct request r = records(), got;
    struct buf b;
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(request_decode(slice_of(b.p, n), REQ_FROM_FRONT, &got), BOURN_E_FORMAT);
    buf_put_u8(&b, 0);
    assert_int_equal(request_decode(buf_slice(&b), REQ_FROM_FRONT, &got), BOURN_E_FORMAT);
    b.n--;
    b.p[11] = REQ_OP_MAX + 1;
    assert_int_equal(request_decode(buf_slice(&b), REQ_FROM_FRONT, &got), BOURN_E_FORMAT);
    buf_release(&b);
}

static void test_not_canonical(void **state)
{
    (void)state;
    struct request r = records(), got;
    struct buf b;
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    memset(b.p + 14, 0, 8); /* an optional number that is there and 0 */
    assert_int_equal(request_decode(buf_slice(&b), REQ_FROM_FRONT, &got), BOURN_E_FORMAT);
    buf_release(&b);
    /* A slice that is there and empty. */
    static const uint8_t empty[] = "\0\0\0\0\0\0\0\1\0\0\0\x0f\0\x04\0\0\0\0";
    assert_int_equal(empty[11], REQ_WHOAMI);
    assert_int_equal(request_decode(slice_of(empty, sizeof empty - 1), REQ_FROM_FRONT, &got), BOURN_E_FORMAT);
    static const uint8_t full[] = "\0\0\0\0\0\0\0\1\0\0\0\x0f\0\x04\0\0\0\1a";
    assert_int_equal(request_decode(slice_of(full, sizeof full - 1), REQ_FROM_FRONT, &got), BOURN_OK);
    /* A needed number may be 0. */
    struct request one = records();
    one.op = REQ_RECORD;
    one.number = 0;
    assert_int_equal(again(&one, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    buf_release(&b);
}

static void test_limits(void **state)
{
    (void)state;
    struct {
        size_t offset, limit;
    } cases[] = {{offsetof(struct request, token), TOKEN_BYTES_MAX},
                 {offsetof(struct request, purpose), TERM_BYTES_MAX},
                 {offsetof(struct request, subject), SUBJECT_ID_BYTES_MAX},
                 {offsetof(struct request, collection), NAME_BYTES_MAX},
                 {offsetof(struct request, body), REQUEST_BODY_BYTES_MAX},
                 {offsetof(struct request, key), IDEMPOTENCY_KEY_BYTES_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t over = 0; over < 2; over++) {
            struct request r = records(), got;
            r.op = REQ_RECORD_NEW;
            r.number = 0;
            r.body = slice_str("{}");
            *(struct slice *)(void *)((char *)&r + cases[i].offset) = slice_of(filler, cases[i].limit + over);
            struct buf b;
            assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), over ? BOURN_E_FORMAT : BOURN_OK);
            buf_release(&b);
        }
    }
    for (size_t over = 0; over < 2; over++) {
        struct request r = records(), got;
        struct buf b;
        r.fields = slice_of(filler, FIELD_LIST_BYTES_MAX + over);
        assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), over ? BOURN_E_FORMAT : BOURN_OK);
        buf_release(&b);
    }
    struct request file = {.op = REQ_LEDGER_FILE};
    file.path = slice_of(filler, LEDGER_PATH_BYTES_MAX + 1);
    struct request got;
    struct buf b;
    assert_int_equal(again(&file, REQ_FROM_FRONT, &got, &b), BOURN_E_FORMAT);
    buf_release(&b);
}

static struct reply allowed(void)
{
    return (struct reply){.id = 9,
                          .status = 200,
                          .type = REPLY_JSON,
                          .receipt = 41,
                          .etag = 3,
                          .next = 120,
                          .body = slice_str("{}")};
}

static enum bourn_err reply_again(struct reply r, struct reply *out)
{
    static struct buf b;
    buf_release(&b);
    buf_init(&b, 4u << 20);
    reply_encode(&b, &r);
    return reply_decode(buf_slice(&b), out);
}

static void test_reply(void **state)
{
    (void)state;
    struct reply r = allowed(), got;
    assert_int_equal(reply_again(r, &got), BOURN_OK);
    assert_true(got.id == 9 && got.status == 200 && got.type == REPLY_JSON && got.receipt == 41 &&
                got.etag == 3 && got.next == 120);
    assert_true(slice_is(got.body, "{}"));
    r = (struct reply){.status = 403,
                       .receipt = REPLY_NO_RECEIPT,
                       .code = slice_str("basis_missing"),
                       .detail = slice_str("d"),
                       .missing = slice_str("[]")};
    assert_int_equal(reply_again(r, &got), BOURN_OK);
    assert_true(slice_is(got.code, "basis_missing") && slice_is(got.missing, "[]"));

    struct reply bad[] = {allowed(), allowed(), allowed(), allowed(), allowed(), r, r, r, r};
    bad[0].status = 199;
    bad[1].status = 600;
    bad[2].type = REPLY_NDJSON + 1;
    bad[3].immutable = 2;
    bad[4].code = slice_str("x");               /* a success with a code */
    bad[5].code = slice_of(NULL, 0);            /* a problem without one */
    bad[6].code = slice_str("a\r\nSet-Cookie"); /* would be a header of its own */
    bad[7].detail = slice_of(filler, PROBLEM_DETAIL_BYTES_MAX + 1);
    bad[8].missing = slice_of(filler, PROBLEM_MISSING_BYTES_MAX + 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(reply_again(bad[i], &got), BOURN_E_FORMAT);
}

static void test_reply_cut(void **state)
{
    (void)state;
    struct reply r = allowed(), got;
    struct buf b;
    buf_init(&b, 4096);
    reply_encode(&b, &r);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(reply_decode(slice_of(b.p, n), &got), BOURN_E_FORMAT);
    assert_int_equal(reply_decode(buf_slice(&b), &got), BOURN_OK);
    buf_put_u8(&b, 1);
    assert_int_equal(reply_decode(buf_slice(&b), &got), BOURN_E_FORMAT);
    buf_release(&b);
}

/* Any bytes: never a crash (the sanitizers watch), and what is accepted encodes to the same bytes. */
static void test_noise(void **state)
{
    (void)state;
    struct request r = records(), got;
    struct buf b, back;
    assert_int_equal(again(&r, REQ_FROM_FRONT, &got, &b), BOURN_OK);
    uint8_t bytes[128];
    assert_true(b.n <= sizeof bytes);
    srand(1);
    unsigned accepted = 0;
    for (int i = 0; i < 200000; i++) {
        memcpy(bytes, b.p, b.n);
        for (int k = rand() % 3; k >= 0; k--)
            bytes[(size_t)rand() % b.n] = (uint8_t)rand();
        struct slice in = slice_of(bytes, b.n - (size_t)(rand() % 4 == 0));
        if (request_decode(in, REQ_FROM_FRONT, &got) != BOURN_OK)
            continue;
        accepted++;
        buf_init(&back, 4096);
        request_encode(&back, &got);
        assert_true(slice_eq(buf_slice(&back), in));
        buf_release(&back);
    }
    assert_true(accepted > 1000);
    buf_release(&b);
}

int main(void)
{
    memset(filler, 'x', sizeof filler);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_and_bytes),
        cmocka_unit_test(test_subject_is_text),
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_cut_and_left_over),
        cmocka_unit_test(test_not_canonical),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reply),
        cmocka_unit_test(test_reply_cut),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
