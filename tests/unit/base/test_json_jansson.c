/* The scanner and jansson on random damage to JSON texts, from a fixed seed: both take a text, or neither
 * does, and what they see in it is the same. */
#include "base/json.h"
#include "base/limits.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t seed = 0x6a736f6e;

static size_t below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % n);
}

static const char *const texts[] = {
    "{\"id\":\"B000944\",\"first\":\"Sherrod\",\"n\":-12.5e3,\"live\":true,\"x\":null,\"t\":[1,{\"a\":[]}]}",
    "[\"\\u00e9\\ud83d\\ude00\\n\\\\\\\"\", \"\xc3\xa9\xf0\x9f\x98\x80\", {\"a\":{\"b\":{\"c\":[[[0]]]}}}]",
    " { \"a\" : 1 , \"b\" : 2 , \"\\u0061b\" : 3 , \"ab\\u0000\" : false } ",
    "[0,-0,1.0,0.5,1e5,1E-5,10,-1,123456789,true,false,null,\"\",{},[]]",
    "{\"a\":\"\\ud800\\udc00\",\"b\":\"\xed\x9f\xbf\",\"c\":\"\xe2\x82\xac\"}",
};

/* Bytes that matter to a parser come more often than others. */
static uint8_t byte(void)
{
    static const char often[] = "{}[]\",:\\u0dD8019aefn-+.eE \t\ntrls/\x80\xc3\xed\xa0\xf4";
    return below(4) ? (uint8_t)often[below(sizeof often - 1)] : (uint8_t)below(256);
}

static void damage(struct buf *b)
{
    for (size_t n = 1 + below(3); n > 0 && b->n > 1; n--) {
        size_t at = below(b->n), from = below(b->n), len = 1 + below(8);
        switch (below(5)) {
        case 0:
            b->p[at] = byte();
            break;
        case 1:
            memmove(b->p + at, b->p + at + 1, b->n - at - 1);
            b->n--;
            break;
        case 2:
            buf_put_u8(b, 0);
            memmove(b->p + at + 1, b->p + at, b->n - 1 - at);
            b->p[at] = byte();
            break;
        case 3: /* a part again somewhere else: duplicate names, repeated commas */
            len = from + len > b->n ? b->n - from : len;
            len = at + len > b->n ? b->n - at : len;
            memmove(b->p + at, b->p + from, len);
            break;
        default:
            b->n = 1 + below(b->n);
        }
    }
}

/* The value again from what the scanner sliced, strings decoded and encoded: jansson must see the same in it.
 */
static void rewrite(struct json_value v, struct buf *out)
{
    struct json_member m;
    struct buf text;
    size_t at = 0, n = 0;
    switch (v.type) {
    case JSON_STRING:
        buf_init(&text, 1 << 16);
        json_string_decode(v.raw, &text);
        json_put_string(out, buf_slice(&text));
        buf_release(&text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_put_u8(out, v.type == JSON_ARRAY ? '[' : '{');
        for (; json_next(v, &at, &m); n++) {
            buf_put_str(out, n ? "," : "");
            if (v.type == JSON_OBJECT) {
                rewrite((struct json_value){JSON_STRING, m.name}, out);
                buf_put_u8(out, ':');
            }
            rewrite(m.value, out);
        }
        buf_put_u8(out, v.type == JSON_ARRAY ? ']' : '}');
        break;
    default:
        buf_put_slice(out, v.raw);
    }
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    struct buf b, again, seen, seen_again;
    size_t taken = 0, refused = 0;
    buf_init(&b, 1 << 16);
    buf_init(&again, 1 << 16);
    buf_init(&seen, 1 << 16);
    buf_init(&seen_again, 1 << 16);
    for (size_t round = 0; round < 300000; round++) {
        struct json_value v;
        buf_clear(&b);
        buf_clear(&again);
        buf_clear(&seen);
        buf_clear(&seen_again);
        buf_put_str(&b, texts[below(sizeof texts / sizeof texts[0])]);
        damage(&b);
        enum jansson_verdict verdict = jansson_parse(buf_slice(&b), &seen);
        bool ours = json_check(buf_slice(&b), &v) == BOURN_OK;
        if (verdict == JANSSON_CANNOT)
            continue;
        if (ours != (verdict == JANSSON_TAKES))
            fail_msg("round %zu, we %s: %.*s", round, ours ? "take" : err_text(), SLICE_ARG(buf_slice(&b)));
        taken += ours;
        refused += !ours;
        if (!ours)
            continue;
        rewrite(v, &again);
        assert_int_equal(jansson_parse(buf_slice(&again), &seen_again), JANSSON_TAKES);
        assert_true(slice_eq(buf_slice(&seen), buf_slice(&seen_again)));
    }
    assert_true(taken > 10000 && refused > 10000); /* the damage leaves enough of both */
    buf_release(&b);
    buf_release(&again);
    buf_release(&seen);
    buf_release(&seen_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_jansson)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
