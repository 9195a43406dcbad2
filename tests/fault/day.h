/* What the files of a workload share: what the clients know, and the batch that is being made up. */
#ifndef BOURN_FAULT_DAY_H
#define BOURN_FAULT_DAY_H

#include "cell.h"
#include "story.h"

#define HOME "dpv:ServiceProvision"
#define RESEARCH "dpv:ResearchAndDevelopment"
#define BEGIN_S 1900000000u /* the first second of every cell */

enum { REQUEST_BYTES = 16 << 10 };

struct person {
    struct story_person is;
    bool key, busy; /* busy: something about the person is in the open batch */
    uint64_t consent, next;
    uint8_t secret[64], label[16]; /* once there is a key */
};
/* What the clients know. In shared memory: each phase is a process. */
struct day {
    uint64_t random, value, now;
    uint32_t request;
    unsigned parties;
    bool alive[PARTIES];
    struct person people[PEOPLE];
    uint64_t schema[SCHEMAS]; /* when each version takes effect */
    unsigned schemas;
    char clinic[128], lab[128], dog[128], other[PARTIES][128];
};
extern struct day *day;
extern struct cell *day_cell;

_Noreturn void day_fail(const char *what);
uint64_t day_below(uint64_t n); /* at random */
void day_pass(uint64_t seconds);
unsigned day_schema(void);             /* the version of `people` in force */
struct person *day_person(size_t who); /* to be looked at */
size_t day_somebody(bool there);       /* nothing about whom is in the batch; PEOPLE if none was found */

/* The batch. A request begins with day_next; then its fields, its body at day_body(), of whom it is; and it
 * ends with day_add (one more in the batch) or day_one (at once, the batch being empty). */
struct request *day_next(uint32_t op, const char *token, const char *purpose, uint32_t expect);
char *day_body(void); /* of REQUEST_BYTES */
struct story *day_story(void);
void day_of(struct request *r, size_t who, const char *collection);
void day_add(struct request *r, size_t who, const struct person *after);      /* after: once it came about */
void day_add_once(struct request *r, size_t who, const struct person *after); /* with an Idempotency-Key */
const struct asked_answer *day_one(struct request *r);
size_t day_asked(void); /* in the batch */
void day_send(void);
void day_told(struct cell *c, uint64_t route); /* an answer is there: for cell.told */

/* day_records.c, day_people.c: a step each. */
void do_import(void), do_write(void), do_visit(void), do_read(void), do_transfer(void), do_search(void),
    do_bulk(void);
void do_person(void), do_alias(void), do_erase(void), do_consent(void), do_withdraw(void), do_copy(void),
    do_party(void), do_schema(void);
void day_party(const char *name, const char *more, char token[128], unsigned number);

#endif
