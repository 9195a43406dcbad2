/* Files that an operator is given by others: CSV, NDJSON, a schema in YAML. */
#include "fuzz.h"

#include "feed.h"
#include "infer.h"
#include "pem.h"
#include "schema.h"

#include "base/text.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The input as a file; a second read of it must give the same. */
static int as_file(struct slice in)
{
    int fd = memfd_create("bourn-fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && write(fd, in.p, in.n) == (ssize_t)in.n && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void run_csv(struct slice in)
{
    struct csv c;
    struct csv_row row;
    enum bourn_err err;
    uint64_t last = 0;
    int fd = as_file(in);
    fuzz_ok(csv_open(&c, fd));
    while ((err = csv_next(&c, &row)) == BOURN_OK) {
        fuzz_check(row.line > last && row.raw.n <= CSV_ROW_BYTES_MAX);
        last = row.line;
        if (row.reason)
            continue;
        fuzz_check(row.columns == c.columns && row.columns >= 1 && row.columns <= FIELDS_PER_COLLECTION_MAX);
        for (size_t i = 0; i < row.columns; i++) {
            struct infer f;
            infer_init(&f);
            infer_text(&f, row.value[i]);
            fuzz_check(row.value[i].n <= row.raw.n && infer_type(&f));
        }
    }
    /* A file that begins as UTF-16 does is refused as a whole. */
    bool wide = in.n >= 2 && (memcmp(in.p, "\xff\xfe", 2) == 0 || memcmp(in.p, "\xfe\xff", 2) == 0);
    fuzz_check(wide ? err == BOURN_E_FORMAT : err == BOURN_E_NOT_FOUND && c.bytes == in.n);
    csv_close(&c);
    close(fd);
}

static void seeds_csv(void)
{
    fuzz_seed(slice_str("id,name,born\r\n1,\"Ada, Countess\",1815-12-10\r\n2,\"a \"\"b\"\"\nc\",\r\n"));
    fuzz_seed(slice_str("\xef\xbb\xbf"
                        "a,b\n1,2\n\n3\n\"x\"y,2\n\"open\n4,5\n6,7"));
}

/* One byte chooses the format. Of an array alone, what follows a bad end cannot be told apart into rows. */
static void run_feed(struct slice in)
{
    struct feed r;
    struct feed_row row;
    enum bourn_err err;
    if (!in.n)
        return;
    int fd = as_file(slice_of(in.p + 1, in.n - 1));
    enum feed_format format = (enum feed_format)(in.p[0] & 3);
    if (feed_open(&r, fd, format) == BOURN_OK) {
        while ((err = feed_next(&r, &row)) == BOURN_OK) {
            struct json_value v;
            if (row.reason)
                continue;
            fuzz_check(json_check(row.json, &v) == BOURN_OK && v.type == JSON_OBJECT);
            fuzz_check(!memchr(row.json.p, '\n', row.json.n));
        }
        fuzz_check(err == BOURN_E_NOT_FOUND || (format == FEED_JSON && err == BOURN_E_FORMAT));
    }
    feed_close(&r);
    close(fd);
}

static void seeds_feed(void)
{
    fuzz_seed(slice_str("0id,name,born\r\n1,\"Ada, Countess\",1815-12-10\r\n2,\"a \"\"b\"\"\nc\",\r\n"));
    fuzz_seed(slice_str(
        "1{\"id\":\"a\",\"n\":1}\n\n {\"id\":\"b\"} \r\n[1]\n{\"id\":\n{\"a\":1,\"a\":2}\n{\"x\":{}}"));
    fuzz_seed(slice_str("2 [ {\"a\" : [1, {\"b\":\"]\\\"\"}]},\n7 , {\"a\":1 2},,{}\n]\n"));
    fuzz_seed(slice_str("3{\"collection\":\"p\",\"id\":1,\"version\":1,\"data\":{\"a\":\"b\"}}\n{}\n"));
}

static void run_schema(struct slice in)
{
    static struct schema s, t;
    struct buf json, yaml;
    char path[64];
    int fd = as_file(in);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&json, 1u << 20);
    buf_init(&yaml, 1u << 20);
    if (schema_read(path, &s) == BOURN_OK) {
        struct json_value v;
        schema_put_json(&json, &s, "people");
        fuzz_check(json_check(buf_slice(&json), &v) == BOURN_OK);
        for (size_t i = 0; i < s.fields_n; i++)
            fuzz_check(name_valid(slice_str(s.field[i].name)));
        schema_put_yaml(&yaml, &s);
        int again = as_file(buf_slice(&yaml));
        snprintf(path, sizeof path, "/proc/self/fd/%d", again);
        fuzz_ok(schema_read(path, &t));
        fuzz_check(t.fields_n == s.fields_n && t.sensitive == s.sensitive && t.retention_s == s.retention_s);
        close(again);
    }
    buf_release(&json);
    buf_release(&yaml);
    close(fd);
}

static void seeds_schema(void)
{
    fuzz_seed(
        slice_str("sensitive: true\nretention_days: 30\nfields:\n  - name: id\n    type: text\n    required: "
                  "true\n  - { name: born, type: date, searchable: true, sensitive: true }\n"));
    fuzz_seed(slice_str("fields:\n- name: a\n  type: json\n"));
}

static void run_pem(struct slice in)
{
    uint8_t seed[32], again[32];
    struct buf text;
    if (pem_get(in, seed) != BOURN_OK)
        return;
    buf_init(&text, 4096);
    pem_put(&text, seed);
    fuzz_ok(pem_get(buf_slice(&text), again));
    fuzz_check(memcmp(seed, again, 32) == 0);
    buf_release(&text);
}

static void seeds_pem(void)
{
    static const uint8_t seed[32] = {1, 2, 3};
    struct buf text;
    buf_init(&text, 4096);
    pem_put(&text, seed);
    fuzz_seed(buf_slice(&text));
    buf_release(&text);
}

const struct fuzz_target fuzz_cli[] = {
    {"csv", run_csv, seeds_csv, 4096, 5000},
    {"feed", run_feed, seeds_feed, 4096, 5000},
    {"schema", run_schema, seeds_schema, 2048, 2000},
    {"pem", run_pem, seeds_pem, 512, 2000},
    {0},
};
