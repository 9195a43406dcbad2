/* Evidence, opened evidence and the streams of entries and rows. */
#include "base/text.h"
#include "cbor/entry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t bytes[64] = {1, 2, 3};

static enum bourn_err again(struct slice in)
{
    struct evidence e;
    enum bourn_err err = evidence_decode(in, &e);
    if (err)
        return err;
    struct buf b;
    buf_init(&b, 1 << 16);
    evidence_encode(&b, &e);
    assert_true(slice_eq(buf_slice(&b), in));
    buf_release(&b);
    return BOURN_OK;
}

static void assert_mutations_refused_or_same(struct buf *b, enum bourn_err (*f)(struct slice))
{
    assert_int_equal(f(buf_slice(b)), BOURN_OK);
    for (size_t i = 0; i < b->n; i++) {
        assert_int_equal(f(slice_of(b->p, i)), i ? BOURN_E_FORMAT : f((struct slice){0}));
        uint8_t was = b->p[i];
        for (unsigned v = 0; v < 256; v++) {
            b->p[i] = (uint8_t)v;
            enum bourn_err err = f(buf_slice(b));
            assert_true(err == BOURN_OK || err == BOURN_E_FORMAT);
        }
        b->p[i] = was;
    }
    buf_put_u8(b, 0);
    assert_int_equal(f(buf_slice(b)), BOURN_E_FORMAT);
}

static void evidence_round_trips(void **state)
{
    (void)state;
    struct evidence out, e = {.kind = EVIDENCE_CONSENT, .statement = slice_str("{\"a\":1}")};
    struct buf b;
    buf_init(&b, 1 << 16);
    evidence_encode(&b, &e); /* operator-attested: a statement alone */
    uint8_t want[16];
    assert_true(hex_get(slice_str("a2010102677b2261223a317d"), want, 12));
    assert_true(slice_eq(buf_slice(&b), slice_of(want, 12)));
    assert_mutations_refused_or_same(&b, again);
    buf_clear(&b);

    e.kind = EVIDENCE_KEY;
    e.signature = slice_of(bytes, 64);
    e.public_key = slice_of(bytes, 32);
    evidence_encode(&b, &e);
    assert_int_equal(evidence_decode(buf_slice(&b), &out), BOURN_OK);
    assert_true(out.kind == EVIDENCE_KEY && slice_is(out.statement, "{\"a\":1}"));
    assert_true(out.signature.n == 64 && out.public_key.n == 32 && out.public_key.p[2] == 3);
    assert_mutations_refused_or_same(&b, again);
    buf_clear(&b);
    e.kind = EVIDENCE_EXPORT;
    evidence_encode(&b, &e);
    assert_int_equal(evidence_decode(buf_slice(&b), &out), BOURN_OK);
    assert_int_equal(out.kind, EVIDENCE_EXPORT);
    buf_release(&b);
}

static void evidence_needs_both_signature_and_key(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "a10101",               /* no statement */
        "a1026161",             /* no kind */
        "a2010402627b7d",       /* kind 4 */
        "a2010202627b7d",       /* a key statement that nobody signed */
        "a2010302627b7d",       /* a request for a copy that nobody signed */
        "a2010102607b",         /* an empty statement and rubbish */
        "a2010102427b7d",       /* bytes for text */
        "a3010102627b7d0341aa", /* a signature of one byte */
        "a2020102627b7d",
        "a3010102627b7d0500", /* an unknown key */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t in[32];
        struct evidence e;
        size_t n = strlen(cases[i]) / 2;
        assert_true(hex_get(slice_str(cases[i]), in, n));
        assert_int_equal(evidence_decode(slice_of(in, n), &e), BOURN_E_FORMAT);
    }
    struct buf b;
    struct evidence e;
    buf_init(&b, 200);
    cbor_put_map(&b, 3);
    cbor_put_uint(&b, 1);
    cbor_put_uint(&b, 1);
    cbor_put_uint(&b, 2);
    cbor_put_text(&b, slice_str("{}"));
    cbor_put_uint(&b, 3);
    cbor_put_bytes(&b, slice_of(bytes, 64));
    assert_int_equal(evidence_decode(buf_slice(&b), &e), BOURN_E_FORMAT); /* a signature without its key */
    buf_release(&b);
}

static enum bourn_err opened_again(struct slice in)
{
    struct buf b;
    enum bourn_err err;
    struct opened o;
    struct slice rest = in;
    buf_init(&b, 1 << 16);
    while ((err = opened_next(&rest, &o)) == BOURN_OK)
        opened_encode(&b, &o);
    if (err == BOURN_E_NOT_FOUND)
        assert_true(slice_eq(buf_slice(&b), in));
    buf_release(&b);
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

static void opened_is_a_sequence(void **state)
{
    (void)state;
    struct opened o = {
        .index = 310, .label = {7}, .status = EVIDENCE_OPENED, .salt = {9}, .evidence = slice_str("x")};
    struct buf b;
    buf_init(&b, 1 << 16);
    opened_encode(&b, &o);
    size_t first = b.n;
    o.status = EVIDENCE_ERASED;
    opened_encode(&b, &o);
    struct slice in = buf_slice(&b);
    assert_int_equal(opened_next(&in, &o), BOURN_OK);
    assert_true(o.index == 310 && o.label[0] == 7 && o.salt[0] == 9 && slice_is(o.evidence, "x"));
    assert_int_equal(in.n, b.n - first);
    assert_int_equal(opened_next(&in, &o), BOURN_OK);
    assert_true(o.status == EVIDENCE_ERASED && o.evidence.n == 0);
    assert_int_equal(opened_next(&in, &o), BOURN_E_NOT_FOUND);
    b.n = first;
    assert_mutations_refused_or_same(&b, opened_again);
    buf_release(&b);
}

static void streams_stop_at_the_end_or_where_broken(void **state)
{
    (void)state;
    struct buf b;
    struct slice item;
    size_t at = 0;
    buf_init(&b, 1 << 16);
    buf_put_be(&b, 3, 2);
    buf_put_str(&b, "abc");
    buf_put_be(&b, 0, 2);
    buf_put_be(&b, 1, 2);
    buf_put_str(&b, "d");
    assert_true(bundle_next(buf_slice(&b), &at, &item) && slice_is(item, "abc"));
    assert_true(bundle_next(buf_slice(&b), &at, &item) && item.n == 0);
    assert_true(bundle_next(buf_slice(&b), &at, &item) && slice_is(item, "d"));
    assert_false(bundle_next(buf_slice(&b), &at, &item));
    assert_int_equal(at, b.n);
    for (size_t cut = 1; cut < 3; cut++) { /* in the item, in its length */
        at = 7;
        assert_false(bundle_next(slice_of(b.p, b.n - cut), &at, &item));
        assert_int_equal(at, 7);
    }
    buf_clear(&b);
    buf_put_be(&b, UINT32_MAX, 4);
    at = 0;
    assert_false(rows_next(buf_slice(&b), &at, &item));
    assert_int_equal(at, 0);
    buf_clear(&b);
    buf_put_be(&b, 2, 4);
    buf_put_str(&b, "ab");
    at = 0;
    assert_true(rows_next(buf_slice(&b), &at, &item) && slice_is(item, "ab"));
    at = 0;
    assert_true(row_groups_next(buf_slice(&b), &at, &item) && slice_is(item, "ab"));
    at = SIZE_MAX;
    assert_false(row_groups_next(buf_slice(&b), &at, &item));
    at = 0;
    assert_false(rows_next((struct slice){0}, &at, &item));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_round_trips),
        cmocka_unit_test(evidence_needs_both_signature_and_key),
        cmocka_unit_test(opened_is_a_sequence),
        cmocka_unit_test(streams_stop_at_the_end_or_where_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
