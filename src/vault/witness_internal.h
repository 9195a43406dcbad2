/* What the files about witnesses share. */
#ifndef BOURN_VAULT_WITNESS_INTERNAL_H
#define BOURN_VAULT_WITNESS_INTERNAL_H

#include "merkle/policy.h"
#include "vault/internal.h"

enum outcome { UNKNOWN, COSIGNED, SILENT, REFUSED, FORKED }; /* of the last request; changes are logged */

struct one {             /* a witness, in the policy's order */
    uint64_t known;      /* the size that it has, as far as it told */
    uint64_t asked_size; /* not 0: a request about this size is under way */
    uint64_t due_ms;     /* not before */
    unsigned failures;   /* in a row */
    enum outcome outcome;
    char said[96];   /* what was logged of it */
    bool at_hand;    /* has cosigned the checkpoint at hand */
    uint64_t claims; /* the size of another history, as it says; 0: it says none */
};
struct witnesses {
    struct merkle_policy *policy; /* NULL: none */
    struct buf text;              /* of the setting that it was read from */
    struct merkle_vkey key;       /* of the log */
    uint64_t lag_max_ms;
    enum release_level home, transfer;
    struct one of[COSIGNATURES_MAX];
    struct buf note;  /* the checkpoint at hand, as the log signed it … */
    struct buf lines; /* … and the cosignatures on it, in the order in which they came */
    uint64_t size;    /* its size; 0: none */
    bool met;         /* the quorum has cosigned it */
    bool unasked;     /* since the start no quorum has cosigned anything: nothing new is signed */
    uint64_t cosigned_size,
        cosigned_ms;         /* of the last that the quorum cosigned; when, or since it is waited for */
    uint64_t newest;         /* time of the latest cosignature on it */
    uint64_t published;      /* size of the last checkpoint seen */
    uint64_t witnessed_time; /* of the last `witnessed` entry of this run, 0: none */
    uint64_t witnessed_size; /* entries that end with it */
    struct buf scratch;
};

bool witnesses_wanted(const struct witnesses *w); /* the policy asks for a quorum */

#endif
