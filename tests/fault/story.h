/* What clients asked of a cell and what they were told: the marks of a trace. Before a request is handed in,
 * a mark says what will be true if it comes about; when its answer is there, another says that it did.
 * Between the two either may be found after a power cut, afterwards only the new. */
#ifndef BOURN_FAULT_STORY_H
#define BOURN_FAULT_STORY_H

#include <stdbool.h>
#include <stdint.h>

enum { PEOPLE = 24, PARTIES = 12, TEXT_BYTES = 3200 };

enum story_kind {
    STORY_PERSON =
        1,       /* number: the person; text: the records as the clinic reads them, "" for not found; lab */
    STORY_PARTY, /* number: the party; text: its token; alive */
    STORY_CODE,  /* number: the person; text: an enrolment code that was not used yet */
    STORY_HEAD,  /* text: a checkpoint that a client has seen; size */
    STORY_READY, /* `bourn init` has returned */
};

struct story {
    uint32_t kind;
    uint32_t request; /* counts from 1; the same in both marks */
    bool told;        /* the answer is there */
    bool lab, alive;
    bool plaintext; /* the answer held records: its entry must be there */
    uint32_t number;
    uint64_t receipt; /* index of the entry, or UINT64_MAX */
    uint64_t slot;    /* of an erased person's key, which must be zero; UINT64_MAX: none */
    uint64_t size;
    char text[TEXT_BYTES];
};

#endif
