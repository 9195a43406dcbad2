/* What the files of the check share. */
#ifndef BOURN_FAULT_CHECK_INTERNAL_H
#define BOURN_FAULT_CHECK_INTERNAL_H

#include "cell.h"
#include "check.h"

enum { SEEN_BYTES = 6 << 10 };

struct checking {
    struct cell cell;
    const struct expectation *e;
    const struct entries *whole;
    char *why;
    size_t why_n;
    uint64_t head_before;           /* the signer's, as the cut left it */
    const char *clinic, *lab, *dog; /* their tokens, or "" */
    uint64_t now, random;
    uint64_t evidence_size; /* entries that the evidence must cover: the check made some that need it */
    unsigned schema;        /* of `people`, the version in force */
    bool may_told[PEOPLE], may_asked[PEOPLE]; /* what each person may be, by what was seen so far */
    uint64_t records, visits;                 /* that the cell must hold: all, and those in `visits` */
    char seen[PEOPLE][SEEN_BYTES];            /* what one answer says of each person */
};

bool check_wrong(struct checking *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Before the start: the clock stands where the cut was, or some time has gone by since. */
void check_clock(struct checking *c);
/* Asks for everything that is expected. */
bool check_answers(struct checking *c);
/* check_people.c: every person, in each way in which the cell can be asked for it. */
bool check_people(struct checking *c);
bool check_visits(struct checking *c); /* none that have run out, swept or not */

#endif
