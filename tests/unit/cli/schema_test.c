/* Schemas: from YAML, to YAML and back, to JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cbor/entry.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum bourn_err read_text(const char *text, struct schema *s)
{
    char path[] = "/tmp/bourn-schema-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    enum bourn_err err = schema_read(path, s);
    unlink(path);
    return err;
}

static void test_yaml(void **state)
{
    (void)state;
    static struct schema s, again;
    struct buf b;
    assert_int_equal(read_text("sensitive: true\nretention_days: 30\nfields:\n"
                               "  - { name: id, type: integer, required: true, searchable: true }\n"
                               "  - name: Born.on\n    type: date\n    sensitive: true\n",
                               &s),
                     BOURN_OK);
    assert_int_equal(s.fields_n, 2);
    assert_true(s.sensitive);
    assert_int_equal(s.retention_s, 30 * 86400);
    assert_string_equal(s.field[1].name, "Born.on");
    assert_int_equal(s.field[1].type, FIELD_DATE);
    assert_int_equal(s.field[1].flags, FIELD_SENSITIVE);
    assert_int_equal(s.field[0].flags, FIELD_REQUIRED | FIELD_SEARCHABLE);
    buf_init(&b, 65536);
    schema_put_json(&b, &s, "people");
    assert_true(slice_is(
        buf_slice(&b),
        "{\"name\":\"people\",\"fields\":["
        "{\"name\":\"id\",\"type\":\"integer\",\"required\":true,\"sensitive\":false,\"searchable\":true},"
        "{\"name\":\"Born.on\",\"type\":\"date\",\"required\":false,\"sensitive\":true,"
        "\"searchable\":false}],\"retention_s\":2592000,\"sensitive\":true}"));
    buf_clear(&b);
    schema_put_yaml(&b, &s);
    buf_put_u8(&b, 0);
    assert_int_equal(read_text((char *)b.p, &again), BOURN_OK);
    assert_memory_equal(&s, &again, sizeof s);
    buf_release(&b);
}

static void test_renamed(void **state)
{
    (void)state;
    static struct schema s, again;
    struct buf b;
    assert_int_equal(read_text("fields: [{ name: a, type: text }, { name: b, type: text }]\n"
                               "renamed: [{ from: c, to: a }]\n",
                               &s),
                     BOURN_OK);
    assert_int_equal(schema_rename(&s, "d", "b"), BOURN_OK);
    assert_int_equal(s.renamed_n, 2);
    buf_init(&b, 65536);
    schema_put_json(&b, &s, "x");
    buf_put_u8(&b, 0);
    assert_non_null(
        strstr((char *)b.p, "],\"renamed\":[{\"from\":\"c\",\"to\":\"a\"},{\"from\":\"d\",\"to\":\"b\"}],"));
    buf_clear(&b);
    schema_put_yaml(&b, &s);
    buf_put_u8(&b, 0);
    assert_int_equal(read_text((char *)b.p, &again), BOURN_OK);
    assert_memory_equal(&s, &again, sizeof s);
    buf_release(&b);
    assert_int_equal(schema_rename(&s, "d", "a"), BOURN_E_USAGE);
    assert_int_equal(schema_rename(&s, "e", "b"), BOURN_E_USAGE);
    assert_int_equal(schema_rename(&s, "e", "nothing"), BOURN_E_USAGE);
    assert_int_equal(schema_rename(&s, "a", "b"), BOURN_E_USAGE);
    assert_int_equal(s.renamed_n, 2);
}

static void refused(const char *text, const char *why)
{
    static struct schema s;
    assert_int_equal(read_text(text, &s), BOURN_E_FORMAT);
    if (!strstr(err_text(), why))
        fail_msg("%s: not %s", err_text(), why);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "");
    refused("fields: []\n", "");
    refused("fields:\n  - { name: a, type: text }\n  - { name: a, type: text }\n", "twice");
    refused("fields:\n  - { name: a b, type: text }\n", "name of field 1");
    refused("fields:\n  - { name: a, type: number }\n", "line");
    refused("fields:\n  - { name: a }\n", "line");
    refused("fields:\n  - { name: a, type: text, colour: red }\n", "line");
    refused("fields: [{ name: a, type: text }]\nrenamed: [{ from: b, to: c }]\n", "alone");
    refused("fields: [{ name: a, type: text }]\nrenamed: [{ from: b c, to: a }]\n", "from one name");
    refused("fields: [{ name: a, type: text }]\nrenamed: []\n", "line");
    refused("retention_days: -1\nfields:\n  - { name: a, type: text }\n", "line");
    refused("fields: &x\n  - { name: a, type: text }\n  - *x\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_yaml), cmocka_unit_test(test_renamed),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
