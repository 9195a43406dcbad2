/* Text: the JSON scanner against jansson, and the decoders, which take one form of each value. */
#include "fuzz.h"
#include "peer.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/url.h"

#include <stdio.h>

/* The value again from what the scanner sliced, strings decoded and encoded. */
static void rewrite(struct json_value v, struct buf *out)
{
    struct json_member m;
    struct buf text;
    size_t at = 0, n = 0;
    if (v.type == JSON_STRING) {
        buf_init(&text, 1 << 20);
        json_string_decode(v.raw, &text);
        fuzz_check(utf8_valid(buf_slice(&text)) && json_string_is(v.raw, buf_slice(&text)));
        json_put_string(out, buf_slice(&text));
        buf_release(&text);
    } else if (v.type == JSON_ARRAY || v.type == JSON_OBJECT) {
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
    } else {
        buf_put_slice(out, v.raw);
    }
}

static void run_json(struct slice in)
{
    struct json_value v;
    struct buf seen, seen_again, again;
    enum bourn_err err = json_check(in, &v);
    if (in.n == 0) {
        fuzz_check(err != BOURN_OK);
        return;
    }
    buf_init(&seen, 4u << 20);
    buf_init(&seen_again, 4u << 20);
    buf_init(&again, 4u << 20);
    enum jansson_verdict verdict = jansson_parse(in, &seen);
    if (verdict == JANSSON_REFUSES)
        fuzz_check(err == BOURN_E_FORMAT || err == BOURN_E_LIMIT);
    if (verdict == JANSSON_TAKES)
        fuzz_check(err == BOURN_OK || err == BOURN_E_LIMIT ||
                   (err == BOURN_E_FORMAT && strstr(err_text(), "nest")));
    if (err == BOURN_OK) {
        rewrite(v, &again);
        fuzz_check(!again.failed);
        if (verdict == JANSSON_TAKES) {
            fuzz_check(jansson_parse(buf_slice(&again), &seen_again) == JANSSON_TAKES);
            fuzz_check(slice_eq(buf_slice(&seen), buf_slice(&seen_again)));
        }
        struct json_value found;
        if (v.type == JSON_OBJECT)
            fuzz_check(!json_find(v, "\x01never", &found));
    }
    buf_release(&seen);
    buf_release(&seen_again);
    buf_release(&again);
}

static void seeds_json(void)
{
    static const char *const texts[] = {
        "{\"id\":\"B000944\",\"first\":\"Sherrod\",\"n\":-12.5e3,\"live\":true,\"x\":null,\"t\":[1,{\"a\":[]}"
        "]}",
        "[\"\\u00e9\\ud83d\\ude00\\n\\\\\\\"\", \"\xc3\xa9\xf0\x9f\x98\x80\", "
        "{\"a\":{\"b\":{\"c\":[[[0]]]}}}]",
        " { \"a\" : 1 , \"b\" : 2 , \"\\u0061b\" : 3 , \"ab\\u0000\" : false } ",
        "[0,-0,1.0,0.5,1e5,1E-5,10,-1,123456789,true,false,null,\"\",{},[]]",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "{\"a\":1,\"\\u0061\":2}",
        "\"\\ud800\"",
        "1e400",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fuzz_seed(slice_str(texts[i]));
}

/* What is left of a URL leads to the same host and port, and is one itself. */
static void run_url(struct slice in)
{
    char url[1024], origin[1024];
    snprintf(url, sizeof url, "%.*s", in.n < sizeof url ? (int)in.n : 0, (const char *)in.p);
    if (!url_ok(url))
        return;
    snprintf(origin, sizeof origin, "%.*s", SLICE_ARG(url_origin(url)));
    fuzz_check(url_ok(origin) && strncmp(url, origin, strlen(origin)) == 0);
    fuzz_check(url_port(url) && url_port(url) == url_port(origin) && slice_is(url_origin(origin), origin));
    fuzz_check(strncmp(url, "https", 5) == 0 || strstr(origin, "127.0.0.1") || strstr(origin, "localhost") ||
               strstr(origin, "[::1]"));
}

/* What a decoder takes must be what its encoder writes: then there is one form of each value. */
static void run_decoders(struct slice in)
{
    struct buf bytes, again;
    uint8_t fixed[64];
    uint64_t n;
    buf_init(&bytes, 1 << 20);
    buf_init(&again, 1 << 20);
    if (base64_get(in, &bytes)) {
        base64_put(&again, buf_slice(&bytes));
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&bytes);
    buf_clear(&again);
    if (base64url_get(in, &bytes)) {
        base64url_put(&again, buf_slice(&bytes));
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&again);
    if (in.n / 2 <= sizeof fixed && hex_get(in, fixed, in.n / 2)) {
        hex_put(&again, slice_of(fixed, in.n / 2));
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&again);
    if (decimal_get(in, &n)) {
        buf_printf(&again, "%llu", (unsigned long long)n);
        fuzz_check(slice_eq(in, buf_slice(&again)) && text_is_integer(in));
    }
    buf_clear(&again);
    if (time_get(in, &n)) {
        uint64_t also;
        time_put(&again, n);
        fuzz_check(slice_eq(in, buf_slice(&again)) && text_is_datetime(in));
        fuzz_check(time_or_date_get(in, &also) && also == n);
    } else if (time_or_date_get(in, &n)) {
        time_put(&again, n);
        fuzz_check(again.n == 20 && in.n == 10 && memcmp(again.p, in.p, 10) == 0 && text_is_date(in));
    }
    run_url(in);
    if (text_is_integer(in))
        fuzz_check(text_is_decimal(in));
    if (country_valid(in))
        fuzz_check(in.n == 2 && name_valid(in));
    if (name_valid(in))
        fuzz_check(in.n >= 1 && in.n <= NAME_BYTES_MAX && utf8_valid(in));
    if (term_valid(in))
        fuzz_check(in.n >= 1 && in.n <= TERM_BYTES_MAX && utf8_valid(in));
    if (text_is_boolean(in))
        fuzz_check(slice_is(in, "true") || slice_is(in, "false"));
    if (in.n && utf8_valid(in)) { /* the writer's string is JSON, and says the same */
        struct json_value v;
        buf_clear(&again);
        json_put_string(&again, in);
        fuzz_check(json_check(buf_slice(&again), &v) == BOURN_OK && json_string_is(v.raw, in));
    }
    buf_release(&bytes);
    buf_release(&again);
}

static void seeds_decoders(void)
{
    static const char *const texts[] = {"2026-11-21T10:00:00Z",
                                        "9999-12-31T23:59:59Z",
                                        "1970-01-01",
                                        "2024-02-29",
                                        "2026-11-21T10:00:00.5+02:00",
                                        "-12.5e-3",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "YWJj",
                                        "YWI=",
                                        "YQ==",
                                        "YQ",
                                        "-_-_",
                                        "00ff10",
                                        "CN",
                                        "true",
                                        "dpv:ServiceProvision",
                                        "https://[::1]:8443/hook?key=1",
                                        "http://localhost:80",
                                        "a.b-c_9",
                                        "\xe2\x82\xac\xf0\x9f\x98\x80\x7f",
                                        "\xed\x9f\xbf\xee\x80\x80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fuzz_seed(slice_str(texts[i]));
}

const struct fuzz_target fuzz_text[] = {
    {"json", run_json, seeds_json, 4096, 20000},
    {"text", run_decoders, seeds_decoders, 256, 20000},
    {0},
};
