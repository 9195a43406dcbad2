/* bourn scrub: whether a serving cell still stores what its ledger says. The cell does it in slices; here
 * they are asked for one after the other, added up, and put into words. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "cell.h"
#include "crypto/crypto.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char help_scrub[] =
    "bourn scrub CELL [--from PLACE] [--json]\n"
    "  Compares every row that a serving cell stores with what its ledger says: records that were altered,\n"
    "  rolled back, deleted, added or moved behind bourn's back, people who were erased and are there "
    "again,\n"
    "  and what leads to people, records and rules. It takes short turns between the requests of others, "
    "and\n"
    "  says nothing about a person: entries, collections, kinds of damage. On a terminal it shows how far it "
    "is.\n"
    "  --from PLACE  go on where an interrupted run said that it stopped\n"
    "  --json        one object instead of lines\n"
    "  Exit: 0 all equal, 1 something differs, 64 usage, 69 not serving, another scrub is\n"
    "  running, or stopped before the end.\n";

/* The words of the cell, and what they mean. */
static const struct {
    const char *word, *means;
} damages[] = {
    {"altered", "the record that this entry stored is not what it was"},
    {"rolled_back", "an earlier version stands in place of the one that this entry stored"},
    {"deleted", "the record that this entry stored is gone, and no entry says so"},
    {"added", "a record is there that no entry stored"},
    {"came_back", "the record that this entry deleted is there again"},
    {"moved_to_another_person", "the record that this entry stored lies under another person"},
    {"moved_to_another_collection", "the record that this entry stored lies in another collection"},
    {"moved_to_another_id", "the record that this entry stored lies under another id"},
    {"term", "the record's end is not the one that its schema gave it in this entry"},
    {"index", "what finds a record (search, retention) does not lead to it, or leads to another one"},
    {"state", "the sealed state of a person whose last entry this is was altered, rolled back or deleted"},
    {"key", "the person's key is not the one that this entry committed to, or does not open the record"},
    {"identifier", "an identifier leads to nobody, to somebody else, or to somebody who was erased"},
    {"label", "a label of the ledger leads to nobody, or to somebody else"},
    {"evidence", "evidence that this entry commits to is gone, altered, or there without an entry"},
    {"used", "what keeps the statement of this entry from being used again, or lists who consented, is gone"},
    {"history", "what the cell remembers of a person ends before this entry, or does not lead to it"},
    {"erased_came_back", "something of the person whom this entry erased is there again"},
    {"rules", "the store's copy of this entry, which verdicts read, is not the entry"},
    {"notice", "the text of this notice is not the one that was registered"},
    {"ledger", "this entry or its rows cannot be read, or the rows are not those of its root"},
};
#define DAMAGES_N (sizeof damages / sizeof *damages)

static const char *const counts[] = {"entries", "people",   "erased",     "records",
                                     "deleted", "evidence", "index_rows", "sweeping"};
static const char *const count_words[] = {
    "entries of the ledger", "people",   "of them erased",         "records",
    "deleted ones",          "evidence", "rows that lead to them", "erased people still to sweep"};
enum { COUNTS = sizeof counts / sizeof *counts, FINDINGS_KEPT_MAX = 10000, TRIES = 5 };

struct finding {
    uint64_t n, entry; /* entry UINT64_MAX: none */
    size_t damage;     /* place in `damages` */
    char collection[NAME_BYTES_MAX + 1];
};
struct scrub {
    const char *cell;
    bool json, bar;
    struct cell *admin;
    uint64_t session, next, id;
    uint64_t counts[COUNTS], counts_mark[COUNTS]; /* and as they were when `next` became what it is */
    struct finding *found;
    size_t found_n, found_mark;
    uint64_t before, more; /* differences of the run before; those over FINDINGS_KEPT_MAX */
    uint64_t slices, rows_most, us_most, shown_ms;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

static void progress(struct scrub *s, uint64_t done, uint64_t of, bool last)
{
    uint64_t now = clock_mono_ms();
    if (!s->bar || (!last && now - s->shown_ms < 100))
        return;
    s->shown_ms = now;
    if (last) {
        fputs("\r\033[K", stderr);
    } else {
        int width = 30, full = (int)(done >= of ? width : (int)(done * (uint64_t)width / of));
        fprintf(stderr, "\r[%.*s%*s] %3llu%%  %llu records", full, "##############################",
                width - full, "", (unsigned long long)(done >= of ? 100 : done * 100 / of),
                (unsigned long long)s->counts[3]);
    }
    fflush(stderr);
}

/* --- what the cell answers
 * -------------------------------------------------------------------------------------------- */

static uint64_t number(struct json_value object, const char *name)
{
    struct json_value v;
    uint64_t n;
    return json_find(object, name, &v) && decimal_get(v.raw, &n) ? n : 0;
}

static size_t damage_of(struct json_value v)
{
    size_t i = 0;
    while (i < DAMAGES_N && !(v.type == JSON_STRING && json_string_is(v.raw, slice_str(damages[i].word))))
        i++;
    return i;
}

static enum bourn_err add(struct scrub *s, struct json_value item)
{
    struct json_value v;
    struct buf name;
    if (!json_find(item, "damage", &v) || damage_of(v) == DAMAGES_N)
        return err_set(BOURN_E_FORMAT, "the cell speaks of a damage that this program does not know");
    if (s->found_n == FINDINGS_KEPT_MAX) {
        s->more++;
        return BOURN_OK;
    }
    struct finding *f = &s->found[s->found_n++];
    *f = (struct finding){.n = number(item, "n"), .entry = UINT64_MAX, .damage = damage_of(v)};
    if (json_find(item, "entry", &v) && v.type == JSON_NUMBER)
        f->entry = number(item, "entry");
    buf_init(&name, NAME_BYTES_MAX);
    if (cli_member(item, "collection", &name) && buf_check(&name) == BOURN_OK)
        memcpy(f->collection, name.p, name.n);
    buf_release(&name);
    return BOURN_OK;
}

/* A finding turned out to be another one, or half of another one. */
static void amend(struct scrub *s, struct json_value item)
{
    struct json_value v;
    uint64_t n = number(item, "n");
    for (size_t i = 0; i < s->found_n; i++) {
        if (s->found[i].n != n || !json_find(item, "damage", &v))
            continue;
        size_t damage = damage_of(v);
        if (damage < DAMAGES_N) {
            s->found[i].damage = damage;
            return;
        }
        memmove(&s->found[i], &s->found[i + 1], (s->found_n - i - 1) * sizeof *s->found);
        s->found_n--;
        s->found_mark -= i < s->found_mark;
        return;
    }
}

static enum bourn_err account(struct scrub *s, const struct reply *r, uint64_t *pause_ms)
{
    struct json_value v, part;
    struct json_member m;
    size_t at = 0;
    enum bourn_err err = json_check(r->body, &v);
    if (err)
        return err;
    if (json_find(v, "fresh", &part) && slice_is(part.raw, "true")) { /* said again from this place on */
        s->found_n = s->found_mark;
        memcpy(s->counts, s->counts_mark, sizeof s->counts);
    }
    if (json_find(v, "counts", &part))
        for (size_t i = 0; i < COUNTS; i++)
            s->counts[i] += number(part, counts[i]);
    if (json_find(v, "findings", &part))
        while (json_next(part, &at, &m))
            if ((err = add(s, m.value)) != BOURN_OK)
                return err;
    at = 0;
    if (json_find(v, "amended", &part))
        while (json_next(part, &at, &m))
            amend(s, m.value);
    if (json_find(v, "slice", &part)) {
        uint64_t rows = number(part, "rows"), us = number(part, "us");
        s->slices += rows > 0;
        s->rows_most = rows > s->rows_most ? rows : s->rows_most;
        s->us_most = us > s->us_most ? us : s->us_most;
    }
    *pause_ms = number(v, "pause_ms");
    if (r->next != s->next) {
        memcpy(s->counts_mark, s->counts, sizeof s->counts);
        s->found_mark = s->found_n;
    }
    s->next = r->next;
    progress(s, number(v, "done"), number(v, "of"), false);
    return BOURN_OK;
}

/* --- the place where a run stopped: number, then the counts so far, in decimal
 * --------------------------------------------- */

static void put_place(const struct scrub *s, struct buf *out)
{
    buf_put_decimal(out, s->next);
    for (size_t i = 0; i < COUNTS; i++) {
        buf_put_u8(out, '.');
        buf_put_decimal(out, s->counts_mark[i]);
    }
    buf_put_u8(out, '.');
    buf_put_decimal(out, s->before + s->found_mark);
}

static bool get_place(struct scrub *s, const char *text)
{
    uint64_t *to[COUNTS + 2] = {&s->next};
    for (size_t i = 0; i < COUNTS; i++)
        to[1 + i] = &s->counts[i];
    to[COUNTS + 1] = &s->before;
    for (size_t i = 0; i < COUNTS + 2; i++) {
        size_t n = strcspn(text, ".");
        bool last = i == COUNTS + 1;
        if (!decimal_get(slice_of((const uint8_t *)text, n), to[i]) || (text[n] == '\0') != last)
            return false;
        text += n + !last;
    }
    memcpy(s->counts_mark, s->counts, sizeof s->counts);
    return s->next != 0;
}

/* --- what comes out
 * ------------------------------------------------------------------------------------------------------ */

static void put_text(const struct scrub *s, struct buf *out)
{
    for (size_t i = 0; i < s->found_n; i++) {
        const struct finding *f = &s->found[i];
        if (f->entry != UINT64_MAX)
            buf_printf(out, "entry %llu", (unsigned long long)f->entry);
        else
            buf_put_str(out, "no entry");
        buf_printf(out, "%s%s: %s: %s\n", f->collection[0] ? ", " : "", f->collection,
                   damages[f->damage].word, damages[f->damage].means);
    }
    if (s->more)
        buf_printf(out, "and %llu more\n", (unsigned long long)s->more);
    for (size_t i = 0; i < COUNTS; i++)
        buf_printf(out, "%-30s %llu\n", count_words[i], (unsigned long long)s->counts[i]);
    buf_printf(out, "%-30s %llu\n", "differences", (unsigned long long)(s->before + s->found_n + s->more));
}

static void put_json(const struct scrub *s, bool whole, struct buf *out)
{
    buf_printf(out, "{\"whole\":%s,\"differences\":%llu,\"findings\":[", whole ? "true" : "false",
               (unsigned long long)(s->before + s->found_n + s->more));
    for (size_t i = 0; i < s->found_n; i++) {
        const struct finding *f = &s->found[i];
        buf_printf(out, "%s{\"damage\":\"%s\",\"entry\":", i ? "," : "", damages[f->damage].word);
        if (f->entry != UINT64_MAX)
            buf_put_decimal(out, f->entry);
        else
            buf_put_str(out, "null");
        buf_put_str(out, ",\"collection\":");
        if (f->collection[0])
            json_put_string(out, slice_str(f->collection));
        else
            buf_put_str(out, "null");
        buf_put_u8(out, '}');
    }
    buf_put_str(out, "],\"counts\":{");
    for (size_t i = 0; i < COUNTS; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", counts[i], (unsigned long long)s->counts[i]);
    buf_printf(out, "},\"slices\":{\"number\":%llu,\"rows_most\":%llu,\"us_most\":%llu},\"from\":",
               (unsigned long long)s->slices, (unsigned long long)s->rows_most,
               (unsigned long long)s->us_most);
    if (whole) {
        buf_put_str(out, "null");
    } else {
        buf_put_u8(out, '"');
        put_place(s, out);
        buf_put_u8(out, '"');
    }
    buf_put_str(out, "}\n");
}

static int report(const struct scrub *s, bool whole)
{
    struct buf out, place;
    buf_init(&out, 64u << 20);
    buf_init(&place, 1024);
    if (s->json)
        put_json(s, whole, &out);
    else
        put_text(s, &out);
    int code = cli_out(buf_slice(&out));
    if (code == CLI_DONE && !whole) {
        put_place(s, &place);
        code = cli_fail(CLI_UNAVAILABLE, "not at the end: go on with bourn scrub %s --from %.*s", s->cell,
                        SLICE_ARG(buf_slice(&place)));
    } else if (code == CLI_DONE && s->before + s->found_n + s->more) {
        code = CLI_REFUSED;
    }
    buf_release(&out);
    buf_release(&place);
    return code;
}

/* --- the run
 * -------------------------------------------------------------------------------------------------------------
 */

/* What the cell keeps of this run may go: the next one does not have to wait until it is forgotten. */
static void stop(struct scrub *s)
{
    struct request r = {
        .id = ++s->id, .op = REQ_ADMIN_SCRUB, .version = s->session, .number = (uint64_t)0xff << 56};
    struct reply a;
    if (cell_send(s->admin, &r) != BOURN_OK || cell_receive(s->admin, &a) != BOURN_OK)
        cli_err(BOURN_E_UNAVAILABLE);
}

/* Slices until the end. *whole false: stopped, or the cell went down, after something was done. */
static enum bourn_err go(struct scrub *s, int *refused, bool *whole)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    unsigned tries = 0;
    *whole = false;
    do {
        struct request r = {.id = ++s->id, .op = REQ_ADMIN_SCRUB, .version = s->session, .number = s->next};
        struct reply a;
        uint64_t pause_ms = 0;
        TRY(cell_send(s->admin, &r));
        TRY(cell_receive(s->admin, &a));
        if (a.status == 503 && ++tries < TRIES) {
            pause_ms = 1000;
        } else if (a.status / 100 != 2) {
            progress(s, 0, 0, true);
            *refused = cell_refused(&a);
            return BOURN_OK;
        } else {
            tries = 0;
            TRY(account(s, &a, &pause_ms));
            *whole = !s->next;
        }
        if (!*whole)
            usleep((useconds_t)(pause_ms < 1000 ? pause_ms : 1000) * 1000);
    } while (!*whole && !stopped);
    if (stopped && !*whole)
        stop(s);
out:
    return err;
}

static int scrub(struct scrub *s)
{
    int code = CLI_DONE;
    bool whole = false, began = s->next != 0;
    uint8_t random[7];
    struct sigaction action = {.sa_handler = on_signal};
    enum bourn_err err = BOURN_E_INTERNAL;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    crypto_random(random, sizeof random);
    s->session = be_get(random, 7) | 1;
    s->bar = isatty(STDERR_FILENO) == 1;
    s->found = calloc(FINDINGS_KEPT_MAX, sizeof *s->found);
    if (!s->found)
        return cli_fail(CLI_REFUSED, "out of memory");
    TRY(cell_open(s->cell, &s->admin));
    err = go(s, &code, &whole);
    progress(s, 0, 0, true);
    if (err == BOURN_E_UNAVAILABLE && (began || s->next)) {
        cli_err(err); /* the cell went down on the way: what was done is not lost */
        err = BOURN_OK;
    }
    if (err == BOURN_OK && code == CLI_DONE)
        code = report(s, whole);
out:
    cell_close(s->admin);
    free(s->found);
    return err != BOURN_OK ? cli_err(err) : code;
}

int cmd_scrub(int argc, char **argv)
{
    enum { JSON, FROM };
    static const struct opt options[] = {{"json", false}, {"from", true}};
    struct opts o = {.argc = argc, .argv = argv};
    struct scrub s = {0};
    const char *value;
    int option;
    while ((option = opt_next(&o, options, 2, &value)) != OPT_END) {
        if (option == OPT_BAD)
            return CLI_USAGE;
        if (option == OPT_OPERAND && s.cell)
            return cli_fail(CLI_USAGE, "too many operands; usage:\n%s", help_scrub);
        if (option == OPT_OPERAND)
            s.cell = value;
        else if (option == JSON)
            s.json = true;
        else if (!get_place(&s, value))
            return cli_fail(CLI_USAGE, "--from: not a place that an earlier run gave");
    }
    return s.cell ? scrub(&s) : cli_fail(CLI_USAGE, "usage:\n%s", help_scrub);
}
