/* The power goes at every call of an append, thousands of times: what was acknowledged is there after the
 * restart, in order and whole, at most the one frame in flight more; nothing is refused, and the journal goes
 * on. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROUNDS = 6000, LIVES = 4 };

struct run {
    uint64_t acknowledged, mark;
    unsigned cuts, extra, tails, sync_failures;
};

/* Appends until the fault strikes or the steps are over. */
static void live(struct run *r, struct journal *j)
{
    for (unsigned step = 0; step < 40; step++) {
        size_t n = (size_t)(sim_random(3) ? sim_random(400) : sim_random(MODEL_PAYLOAD_BYTES_MAX));
        enum bourn_err err = model_append(j, r->acknowledged + 1, n, sim_random(10) == 0);
        if (err == BOURN_E_FULL) {
            r->mark = r->acknowledged - sim_random(3) % (r->acknowledged - r->mark + 1);
            journal_release(j, r->mark);
            continue;
        }
        if (err) {
            assert_int_equal(err, BOURN_E_IO);
            assert_true(sim_fault_happened());
            return;
        }
        r->acknowledged++;
        if (sim_random(12) == 0) {
            r->mark = r->acknowledged - sim_random(r->acknowledged - r->mark + 1);
            journal_release(j, r->mark);
        }
    }
}

static struct journal *come_back(struct run *r)
{
    uint64_t last = 0;
    struct journal *j = model_open(r->mark, &last);
    assert_true(last == r->acknowledged || last == r->acknowledged + 1);
    r->extra += last != r->acknowledged;
    r->acknowledged = last; /* the frame in flight may have made it: then it stays */
    model_check(j, r->mark, last);
    return j;
}

static void one_round(struct run *total, uint64_t seed)
{
    struct run r = {0};
    sim_begin(seed, 1 << 20);
    model_create();
    for (unsigned life = 0; life < LIVES; life++) {
        bool cut_only_recovery = sim_random(4) == 0;
        struct journal *j = NULL;
        uint64_t last;
        if (life && cut_only_recovery) { /* the power goes during the recovery itself */
            sim_fault(SIM_POWER_CUT, sim_stats.calls + 1 + sim_random(8));
            enum bourn_err err = model_try_open(r.mark, &j, &last);
            assert_true(err == BOURN_OK || sim_fault_happened());
            journal_close(j);
            sim_reboot();
            j = NULL;
        }
        j = come_back(&r);
        bool sync_fails = sim_random(5) == 0;
        sim_fault(sync_fails ? SIM_SYNC_FAILS : SIM_POWER_CUT, sim_stats.calls + 1 + sim_random(90));
        live(&r, j);
        journal_close(j);
        if (sync_fails && sim_random(2)) {
            total->sync_failures += sim_fault_happened();
            sim_restart(); /* the process ends, the machine goes on: the cache shows what the disk may not
                              have */
        } else {
            total->cuts += sim_fault_happened();
            sim_reboot();
        }
    }
    journal_close(come_back(&r));
    char tail[32];
    for (uint64_t n = 1; n <= r.acknowledged + 1; n++) {
        snprintf(tail, sizeof tail, "tail.%llu", (unsigned long long)n);
        total->tails += model_exists(tail);
    }
    total->extra += r.extra;
    sim_end();
}

static void test_random_power_cuts(void **state)
{
    (void)state;
    struct run total = {0};
    for (uint64_t round = 0; round < ROUNDS; round++)
        one_round(&total, round + 1);
    print_message("%u cuts, %u failed syncs; %u times the frame in flight survived, %u tails were cut\n",
                  total.cuts, total.sync_failures, total.extra, total.tails);
    assert_true(total.cuts > ROUNDS && total.sync_failures > ROUNDS / 20);
    assert_true(total.extra > 100 && total.tails > 100);
}

/* Every call of a short history, in order, many times over. */
static void test_every_point(void **state)
{
    (void)state;
    unsigned points = 0;
    for (uint64_t at = 1; at < 75; at++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct run r = {0};
            uint64_t last;
            sim_begin(seed * 1000 + at, 1 << 20);
            model_create();
            uint64_t base = sim_stats.calls;
            struct journal *j = model_open(0, &last);
            sim_fault(SIM_POWER_CUT, base + at);
            for (uint64_t n = 1; n <= 20; n++) {
                if (model_append(j, n, n % 3 ? 700 : 8000, false) != BOURN_OK)
                    break;
                r.acknowledged = n;
                if (n % 4 == 0)
                    journal_release(j, r.mark = n - 1);
            }
            journal_close(j);
            points += sim_fault_happened();
            sim_reboot();
            j = come_back(&r);
            assert_int_equal(model_append(j, r.acknowledged + 1, 10, true), BOURN_OK);
            model_check(j, r.mark, r.acknowledged + 1);
            journal_close(j);
            sim_end();
        }
    }
    assert_true(points > 700);
}

/* The process dies of a failed sync, starts again, acknowledges on top of what only the cache had; then the
 * power goes: all of it must be there. */
static void test_failed_sync_then_power_cut(void **state)
{
    (void)state;
    unsigned survived = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t last = 0;
        sim_begin(seed, 1 << 20);
        model_create();
        struct journal *j = model_open(0, &last);
        assert_int_equal(model_append(j, 1, 600, false), BOURN_OK);
        sim_fault(SIM_SYNC_FAILS, 0);
        assert_int_equal(model_append(j, 2, 3000, false), BOURN_E_IO);
        journal_close(j);
        sim_restart();
        j = model_open(0, &last); /* reports 2 frames: from now on the caller may build on them */
        assert_int_equal(last, 2);
        journal_close(j);
        sim_reboot();
        j = model_open(2, &last);
        assert_int_equal(last, 2);
        model_check(j, 0, 2);
        survived++;
        journal_close(j);
        sim_end();
    }
    assert_int_equal(survived, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_point),
        cmocka_unit_test(test_failed_sync_then_power_cut),
        cmocka_unit_test(test_random_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
