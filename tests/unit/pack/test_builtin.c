/* The packs that ship: what was built in is what tests/vectors/packs.txt says. A change there is a change of
 * the pin that every verifier holds, so it needs a new version of the pack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "gate/world.h"
#include "pack/pack.h"
#include "packs/builtin.h"
#include "packs/pins.h"

/* One line a pack: name, pin, compiled rules, in hex. */
static void put_line(struct buf *out, const struct builtin_pack *p)
{
    buf_printf(out, "%s ", p->name);
    hex_put(out, slice_of(p->pin, sizeof p->pin));
    buf_put_u8(out, ' ');
    hex_put(out, p->rules);
    buf_put_u8(out, '\n');
}

static void vectors_hold(void **state)
{
    (void)state;
    char path[4096];
    static uint8_t text[1 << 16];
    struct buf made;
    const char *source = getenv("BOURN_SOURCE");
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/tests/vectors/packs.txt", source);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    buf_init(&made, sizeof text);
    for (size_t i = 0; i < builtin_packs_n; i++)
        put_line(&made, &builtin_packs[i]);
    if (!slice_eq(buf_slice(&made), slice_of(text, n)))
        fail_msg("tests/vectors/packs.txt should be:\n%.*s", SLICE_ARG(buf_slice(&made)));
    buf_release(&made);
}

static void pins_are_of_text_and_rules(void **state)
{
    (void)state;
    assert_int_equal(builtin_packs_n, builtin_pins_n);
    for (size_t i = 0; i < builtin_packs_n; i++) {
        const struct builtin_pack *p = &builtin_packs[i];
        uint8_t pin[32];
        struct buf rules;
        size_t examples;
        buf_init(&rules, ENTRY_BYTES_MAX);
        assert_int_equal(world_pin(pin, p->yaml, p->rules), BOURN_OK);
        assert_memory_equal(pin, p->pin, 32);
        assert_memory_equal(pin, builtin_pins[i].pin, 32);
        assert_string_equal(p->name, builtin_pins[i].name);
        assert_true(i == 0 || strcmp(builtin_packs[i - 1].name, p->name) < 0);
        assert_int_equal(pack_compile(p->yaml, &rules), BOURN_OK);
        assert_true(slice_eq(buf_slice(&rules), p->rules));
        assert_int_equal(pack_check_examples(p->yaml, &examples), BOURN_OK);
        assert_true(examples >= 5);
        buf_release(&rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(pins_are_of_text_and_rules),
    };
    return crypto_init() != BOURN_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
