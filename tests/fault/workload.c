#include "workload.h"

#include "day.h"
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t seen_size; /* entries under the last checkpoint seen */

static void see_checkpoint(void)
{
    static char last[TEXT_BYTES];
    day_send();
    struct request *r = day_next(REQ_LEDGER_FILE, "", "", 200);
    r->path = slice_str("checkpoint");
    const struct asked_answer *a = day_one(r);
    const char *line = strchr(a->body, '\n');
    if (a->n >= TEXT_BYTES || !line)
        day_fail("a checkpoint");
    if (strcmp(last, a->body) == 0)
        return;
    struct story s = {.kind = STORY_HEAD, .told = true, .slot = UINT64_MAX, .receipt = UINT64_MAX};
    s.size = strtoull(line + 1, NULL, 10);
    s.now = day->now;
    seen_size = s.size;
    memcpy(s.text, a->body, a->n + 1);
    memcpy(last, a->body, a->n + 1);
    recorder_mark(&s, sizeof s);
}

static void see_evidence(void)
{
    day_send();
    if (!seen_size)
        return;
    struct request *r = day_next(REQ_EVIDENCE, day->dog, "dpv:LegalCompliance", 200);
    snprintf(day_body(), REQUEST_BYTES, "{\"from\":0,\"to\":%llu}",
             (unsigned long long)(seen_size < 64 ? seen_size : 64));
    day_one(r);
}

static void first_things(void)
{
    do_schema();
    struct request *r = day_next(REQ_ADMIN_COLLECTION, "", "", 201);
    snprintf(
        day_body(), REQUEST_BYTES,
        "{\"name\":\"visits\",\"retention_s\":%d,\"fields\":[{\"name\":\"id\",\"type\":\"text\"},"
        "{\"name\":\"ward\",\"type\":\"text\",\"searchable\":true},{\"name\":\"note\",\"type\":\"text\"}]}",
        RETENTION_S);
    day_one(r);
    r = day_next(REQ_ADMIN_NOTICE, "", "", 201);
    r->body = slice_str("{\"name\":\"research\",\"language\":\"en\",\"text\":\"Lab studies\"}");
    day_one(r);
    day_party("clinic",
              "\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"" HOME
              "\",\"ground\":\"dpv:Contract\"}],"
              "\"rights\":[\"read\",\"write\",\"search\",\"consent\",\"enrol\",\"erase\"]",
              day->clinic, 0);
    day_party("lab", "\"kind\":\"app\",\"jurisdiction\":\"US\",\"purposes\":[{\"purpose\":\"" RESEARCH "\"}]",
              day->lab, 1);
    day_party(
        "watchdog",
        "\"kind\":\"auditor\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":\"dpv:LegalCompliance\","
        "\"ground\":\"dpv:LegalObligation\"}],\"rights\":[\"audit\"]",
        day->dog, 2);
    day->parties = 3;
}

static void let_time_pass(void)
{
    day_send();
    day_pass(1 + day_below(12));
}

static void sleep_a_little(void)
{
    usleep((useconds_t)day_below(60) * 1000);
}

static const struct {
    void (*step)(void);
    unsigned percent;
} steps[] = {
    {do_import, 15},    {do_person, 3},      {do_write, 21},    {do_visit, 9},       {do_read, 9},
    {do_transfer, 7},   {do_search, 4},      {do_bulk, 4},      {do_alias, 3},       {do_consent, 5},
    {do_withdraw, 2},   {do_copy, 2},        {do_erase, 4},     {do_party, 2},       {do_schema, 1},
    {let_time_pass, 3}, {see_checkpoint, 3}, {see_evidence, 1}, {sleep_a_little, 2},
};

static void one_step(void)
{
    uint64_t dice = day_below(100);
    size_t i = 0;
    while (dice >= steps[i].percent)
        dice -= steps[i++].percent;
    steps[i].step();
    if (day_asked() >= 8 || day_below(3) == 0) /* a batch of one to eleven */
        day_send();
    if (day_below(8) == 0)
        usleep((useconds_t)day_below(25) * 1000);
    if (cell_tick(day_cell) != BOURN_OK)
        day_fail("a tick");
}

/* --- phases
 * ----------------------------------------------------------------------------------------------------- */

static void mark(enum story_kind kind)
{
    struct story s = {.kind = kind, .told = true, .slot = UINT64_MAX, .receipt = UINT64_MAX, .now = day->now};
    recorder_mark(&s, sizeof s);
}

static void phase(struct trace_head *trace, const char *path, unsigned number)
{
    day_cell = calloc(1, sizeof *day_cell);
    if (!day_cell)
        day_fail("memory");
    cell_clock(day->now);
    recorder_begin(trace);
    if (number == 0) {
        if (cell_make(path, DELAY_S) != BOURN_OK)
            day_fail("make the cell");
        mark(STORY_READY);
    } else {
        mark(STORY_START);
        day_pass(day_below(3) ? 0 : day_below(40)); /* nobody served meanwhile */
    }
    for (size_t i = 0; i < PEOPLE; i++)
        day->people[i].busy = false;
    day_cell->told = day_told;
    if (cell_open(day_cell, path) != BOURN_OK)
        day_fail("open the cell");
    if (number == 0)
        first_things();
    see_checkpoint();
    for (uint64_t n = 30 + day_below(60); n; n--)
        one_step();
    if (day_below(3) == 0)
        recorder_kill_self(); /* with a batch that was asked and never answered, perhaps */
    day_send();
    cell_close(day_cell);
    _exit(0);
}

bool workload_run(struct trace_head *trace, const char *folder, uint64_t seed)
{
    char path[160];
    bool ok = true;
    snprintf(path, sizeof path, "%s/cn", folder);
    day = mmap(NULL, sizeof *day, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (day == MAP_FAILED)
        return false;
    day->random = seed;
    day->now = BEGIN_S;
    unsigned phases = 2 + (unsigned)day_below(3);
    for (unsigned i = 0; ok && i < phases; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            phase(trace, path, i);
        ok = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!ok)
            fprintf(stderr, "workload %llu: phase %u ended with status %x\n", (unsigned long long)seed, i,
                    (unsigned)status);
    }
    munmap(day, sizeof *day);
    return ok;
}
