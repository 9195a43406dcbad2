#include <stdio.h>

#include "base/text.h"
#include "build.h"
#include "crypto/crypto.h"

static void genesis_stands_first_and_once(void **state)
{
    (void)state;
    struct build b, c;
    build_init(&b);
    assert_true(slice_is(world_origin(b.w), "cn.example/ledger"));
    assert_true(slice_is(world_domicile(b.w), "CN"));
    struct slice contact;
    assert_true(slice_is(world_controller(b.w, &contact), "Clinic Ltd"));
    assert_true(slice_is(contact, "+86"));
    assert_int_equal(world_delay_s(b.w), DELAY);
    assert_int_equal(world_time(b.w), T0);
    struct entry again = *world_genesis(b.w);
    REFUSED(build_apply(&b, &again), &b, "V1");
    c = (struct build){.w = world_new(), .time = T0};
    arena_init(&c.arena, 1 << 20);
    assert_null(world_genesis(c.w));
    REFUSED(build_party(&c, "app", "CN"), &c, "V1");
    c.next = 1;
    REFUSED(build_apply(&c, &again), &c, "V1");
    c.next = 0;
    again.format = 2;
    REFUSED(build_apply(&c, &again), &c, "V1");
    again.format = 1;
    assert_int_equal(build_apply(&c, &again), BOURN_OK);
    build_release(&c);
    build_release(&b);
}

static void time_and_index_never_go_back(void **state)
{
    (void)state;
    struct build b;
    build_init(&b);
    assert_int_equal(build_party(&b, "one", "CN"), BOURN_OK);
    b.time--;
    REFUSED(build_party(&b, "two", "CN"), &b, "V1");
    b.time++;
    b.next--;
    REFUSED(build_party(&b, "two", "CN"), &b, "V1");
    b.next++;
    assert_int_equal(world_time(b.w), T0);
    assert_int_equal(build_party(&b, "two", "CN"), BOURN_OK);
    build_release(&b);
}

static void parties_live_and_end(void **state)
{
    (void)state;
    struct build b;
    build_init(&b);
    assert_int_equal(build_party(&b, "lab", "US"), BOURN_OK); /* 1 */
    REFUSED(build_party(&b, "lab", "CN"), &b, "C2");
    assert_true(slice_is(world_party_named(b.w, slice_str("lab"))->jurisdiction, "US"));
    REFUSED(build_end(&b, 7), &b, "C2");
    assert_int_equal(build_end(&b, 1), BOURN_OK); /* 2 */
    REFUSED(build_end(&b, 1), &b, "C2");
    assert_null(world_party_named(b.w, slice_str("lab")));
    assert_int_equal(build_party(&b, "lab", "FR"), BOURN_OK); /* 3: another party of the same name */
    assert_int_equal(world_party(b.w, 1)->ended, 2);
    assert_int_equal(world_party_named(b.w, slice_str("lab"))->index, 3);
    assert_null(world_party(b.w, 2));
    assert_ptr_equal(world_party_at(b.w, 1), world_party(b.w, 3));
    assert_null(world_party_at(b.w, 2));
    assert_true(memcmp(world_party(b.w, 1)->hash, world_party(b.w, 3)->hash, 32) != 0);
    build_release(&b);
}

static void parties_have_a_limit(void **state)
{
    (void)state;
    struct build b;
    char name[16];
    build_init(&b);
    for (int i = 0; i < PARTIES_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(build_party(&b, name, "CN"), BOURN_OK);
    }
    REFUSED(build_party(&b, "more", "CN"), &b, "C2");
    assert_int_equal(build_end(&b, 1), BOURN_OK);
    assert_int_equal(build_party(&b, "more", "CN"), BOURN_OK);
    assert_int_equal(world_party(b.w, PARTIES_MAX)->index, PARTIES_MAX);
    build_release(&b);
}

static void changed_schemas_wait(void **state)
{
    (void)state;
    struct build b;
    struct slice people = slice_str("people");
    build_init(&b);
    assert_null(world_collection(b.w, people, T0));
    REFUSED(build_collection(&b, "people", 2), &b, "K1");
    assert_int_equal(build_collection(&b, "people", 1), BOURN_OK); /* 1 */
    assert_int_equal(world_collection(b.w, people, T0)->version, 1);
    assert_null(world_collection(b.w, people, T0 - 1));
    REFUSED(build_collection(&b, "people", 1), &b, "K1");
    REFUSED(build_collection(&b, "people", 3), &b, "K1");
    assert_int_equal(build_collection(&b, "people", 2), BOURN_OK); /* 2 */
    assert_int_equal(world_collection(b.w, people, T0 + DELAY - 1)->version, 1);
    const struct world_collection *c = world_collection(b.w, people, T0 + DELAY);
    assert_int_equal(c->version, 2);
    assert_int_equal(c->index, 1);
    assert_true(c->sensitive);
    assert_int_equal(world_collection_at(b.w, 0)->version, 1);
    assert_null(world_collection_at(b.w, 1));
    build_release(&b);
}

static void notices_count_up_in_each_language(void **state)
{
    (void)state;
    struct build b;
    struct slice name = slice_str("research"), en = slice_str("en"), zh = slice_str("zh");
    build_init(&b);
    assert_int_equal(build_notice(&b, "research", "en", 1), BOURN_OK);
    REFUSED(build_notice(&b, "research", "zh", 2), &b, "K5");
    assert_int_equal(build_notice(&b, "research", "zh", 1), BOURN_OK);
    REFUSED(build_notice(&b, "research", "en", 1), &b, "K5");
    assert_int_equal(build_notice(&b, "research", "en", 2), BOURN_OK);
    assert_int_equal(world_notice_named(b.w, name, en)->version, 2);
    assert_int_equal(world_notice_named(b.w, name, zh)->version, 1);
    assert_int_equal(world_notice(b.w, 1)->hash[0], 1);
    assert_null(world_notice(b.w, 4));
    build_release(&b);
}

static void settings_are_the_latest(void **state)
{
    (void)state;
    struct build b;
    build_init(&b);
    assert_null(world_setting(b.w, "rp").p);
    assert_int_equal(build_config(&b, "rp", "one"), BOURN_OK);
    assert_int_equal(build_config(&b, "other", "x"), BOURN_OK);
    assert_int_equal(build_config(&b, "rp", "two"), BOURN_OK);
    assert_true(slice_is(world_setting(b.w, "rp"), "two"));
    build_release(&b);
}

static void assert_packs(const struct build *b, uint64_t index, uint64_t time, const uint64_t *want, size_t n)
{
    const struct gate_pack *packs[PACKS_MAX];
    uint64_t indices[PACKS_MAX];
    assert_int_equal(world_packs(b->w, index, time, packs, indices), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(indices[i], want[i]);
        assert_int_equal(packs[i]->index, want[i]);
    }
}
#define PACKS_ARE(b, index, time, ...)                                                                       \
    assert_packs(b, index, time, (const uint64_t[]){__VA_ARGS__},                                            \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void packs_behind_genesis_count_at_once(void **state)
{
    (void)state;
    struct build b;
    build_init(&b);
    assert_int_equal(build_policy(&b, "one", 1, 0, UINT64_MAX), BOURN_OK);   /* 1 */
    assert_int_equal(build_policy(&b, "two", 1, 0, UINT64_MAX), BOURN_OK);   /* 2 */
    assert_int_equal(build_party(&b, "app", "CN"), BOURN_OK);                /* 3 */
    assert_int_equal(build_policy(&b, "three", 1, 0, UINT64_MAX), BOURN_OK); /* 4: no longer */
    PACKS_ARE(&b, 5, T0, 1, 2);
    PACKS_ARE(&b, 2, T0, 1); /* for an entry that stood before the second */
    PACKS_ARE(&b, 5, T0 + DELAY - 1, 1, 2);
    PACKS_ARE(&b, 5, T0 + DELAY, 1, 2, 4);
    assert_int_equal(world_policy_at(b.w, 2)->takes_effect, T0 + DELAY);
    assert_null(world_policy_at(b.w, 3));
    build_release(&b);
}

static void the_newest_pack_of_a_name_counts(void **state)
{
    (void)state;
    struct build b;
    build_init(&b);
    assert_int_equal(build_policy(&b, "one", 1, 0, UINT64_MAX), BOURN_OK); /* 1 */
    assert_int_equal(build_party(&b, "app", "CN"), BOURN_OK);              /* 2 */
    REFUSED(build_policy(&b, "one", 1, 0, UINT64_MAX), &b, "S3");
    uint64_t from = T0 + 2 * DELAY, to = T0 + 4 * DELAY;
    assert_int_equal(build_policy(&b, "one", 2, from, to), BOURN_OK); /* 3 */
    PACKS_ARE(&b, 4, T0 + DELAY, 1);                                  /* its own first day has not come */
    PACKS_ARE(&b, 4, from, 3);
    PACKS_ARE(&b, 4, to - 1, 3);
    assert_packs(&b, 4, to, NULL, 0); /* and the old one does not come back */
    b.time += 3 * DELAY;
    assert_int_equal(build_policy(&b, "one", 9, 0, UINT64_MAX), BOURN_OK); /* 4 */
    PACKS_ARE(&b, 5, to - 1, 3);
    PACKS_ARE(&b, 5, to, 4);
    build_release(&b);
}

static void packs_that_are_not_what_they_say_are_refused(void **state)
{
    (void)state;
    struct build b;
    char name[16];
    build_init(&b);
    assert_int_equal(build_policy(&b, "one", 1, 0, UINT64_MAX), BOURN_OK);
    const struct world_policy *p = world_policy_at(b.w, 0);
    struct buf rules;
    buf_init(&rules, 4096);
    gate_pack_encode(&rules, p->pack);
    struct entry e = {.kind = ENTRY_POLICY,
                      .name = slice_str("two"),
                      .version = 1,
                      .yaml = slice_str("pack: two"),
                      .rules = buf_slice(&rules)};
    entry_set(&e, E_NAME);
    entry_set(&e, E_VERSION);
    entry_set(&e, E_YAML);
    entry_set(&e, E_RULES);
    REFUSED(build_apply(&b, &e), &b, "S3"); /* compiled rules of another name */
    e.name = slice_str("one");
    e.version = 2;
    REFUSED(build_apply(&b, &e), &b, "S3");
    e.rules.n--;
    assert_int_equal(build_apply(&b, &e), BOURN_E_FORMAT);
    assert_string_equal(b.clause, "S3");
    assert_null(world_policy_at(b.w, 1));
    for (int i = 1; i < PACKS_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(build_policy(&b, name, 1, 0, UINT64_MAX), BOURN_OK);
    }
    REFUSED(build_policy(&b, "more", 1, 0, UINT64_MAX), &b, "S3");
    assert_int_equal(build_policy(&b, "one", 2, 0, UINT64_MAX), BOURN_OK);
    buf_release(&rules);
    build_release(&b);
}

static void the_pin_is_over_text_and_rules(void **state)
{
    (void)state;
    static const char all[] = "bourn pack v1\n\0\0\0\3abcde";
    uint8_t pin[32], want[32], other[32];
    assert_int_equal(world_pin(pin, slice_str("abc"), slice_str("de")), BOURN_OK);
    crypto_sha256_1(want, slice_of(all, sizeof all - 1));
    assert_memory_equal(pin, want, 32);
    assert_int_equal(world_pin(other, slice_str("ab"), slice_str("cde")), BOURN_OK);
    assert_memory_not_equal(pin, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genesis_stands_first_and_once),
        cmocka_unit_test(time_and_index_never_go_back),
        cmocka_unit_test(parties_live_and_end),
        cmocka_unit_test(parties_have_a_limit),
        cmocka_unit_test(changed_schemas_wait),
        cmocka_unit_test(notices_count_up_in_each_language),
        cmocka_unit_test(settings_are_the_latest),
        cmocka_unit_test(packs_behind_genesis_count_at_once),
        cmocka_unit_test(the_newest_pack_of_a_name_counts),
        cmocka_unit_test(packs_that_are_not_what_they_say_are_refused),
        cmocka_unit_test(the_pin_is_over_text_and_rules),
    };
    return crypto_init() != BOURN_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
