/* What clients asked of a cell and what they were told: the marks of a trace. Before a request is handed in,
 * a mark says what will be true if it comes about; when its answer is there, another says that it did.
 * Between the two either may be found after a power cut, afterwards only the new. */
#ifndef BOURN_FAULT_STORY_H
#define BOURN_FAULT_STORY_H

#include <stdbool.h>
#include <stdint.h>

enum { PEOPLE = 24, PARTIES = 12, TEXT_BYTES = 1280, RECORDS = 4, ALIASES = 3, WARDS = 4, SCHEMAS = 16 };
enum { RETENTION_S = 30, DELAY_S = 25 }; /* of `visits`; until a changed schema takes effect */

enum story_kind {
    STORY_PERSON = 1, /* number: the person; person: what the cell holds of it */
    STORY_PARTY,      /* number: the party; text: its token; alive */
    STORY_COPY,       /* number: the person; text: the signed statement that begins their own copy */
    STORY_CODE,       /* number: the person; text: an enrolment code that was not used yet */
    STORY_HEAD,       /* text: a checkpoint that a client has seen; size */
    STORY_READY,      /* `bourn init` has returned */
    STORY_START,      /* clients begin anew: what they had not handed in, they never will */
    STORY_SCHEMA,     /* number: the version of `people`; size: when it takes effect */
    STORY_ANSWER,     /* nothing but its receipt */
    STORY_CLOCK,      /* time goes by */
};

enum { PERSONS, VISITS }; /* the collections: `people`, whose schema changes, and `visits`, which runs out */
struct story_record {
    uint64_t id, version, value;
    uint64_t expires; /* second; 0: never */
    uint32_t collection, ward;
    uint32_t extra; /* the version of the schema whose extra field it has, or 0 */
};
struct story_person {
    bool there, lab;  /* lab: consented to the lab */
    uint32_t aliases; /* further identifiers: p07.1, p07.2 … */
    uint32_t records_n;
    struct story_record record[RECORDS]; /* by rising id */
};

struct story {
    uint32_t kind;
    uint32_t request; /* counts from 1; the same in both marks */
    bool told;        /* the answer is there */
    bool alive;
    bool plaintext; /* the answer held records: its entry must be there, and a disclosure */
    bool copy;      /* … to the person themselves */
    uint32_t number;
    uint64_t now;     /* the clients' and the cell's second */
    uint64_t receipt; /* index of the entry, or UINT64_MAX */
    uint64_t slot;    /* of an erased person's key, which must be zero; UINT64_MAX: none */
    uint64_t size;
    struct story_person person;
    struct { /* of a request with an Idempotency-Key: all of it, so that it can be made again */
        uint32_t op, status;
        uint64_t id, version;
        char key[24], purpose[40], collection[8], subject[16], path[8];
        char answer[80];
    } once;
    char text[TEXT_BYTES]; /* … and its body here */
};

#endif
