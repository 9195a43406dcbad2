/* The records that one request writes, and the people whom they are about, each once: found, decided,
 * enrolled, sealed and put in one `enrolled` and one `stored` entry. */
#ifndef BOURN_VAULT_PLAN_H
#define BOURN_VAULT_PLAN_H

#include "vault/internal.h"

struct item { /* one record to write */
    struct slice id;
    struct json_value json;   /* checked */
    size_t row;               /* of the import, from 0 */
    size_t person;            /* position in plan.people */
    size_t next;              /* the person's next item that is stored: position + 1, 0 for none */
    uint64_t record, version; /* filled */
    size_t at, len;           /* of the record's row in plan.values */
    uint8_t digest[32];       /* SHA-256 of the sealed bytes */
    bool skip;
    bool refused; /* by the gate: skipped too */
};
struct planned { /* one person of the request, once */
    struct subject s;
    uint8_t key[32]; /* HMAC of the identifier */
    bool known, allowed, changed;
    size_t first, last; /* items that are stored: position + 1 */
    size_t records_n;
    struct asked *asked;
};
struct plan {
    struct vault *v;
    struct asked q;
    struct item *items;
    size_t items_n;
    struct planned *people;
    size_t people_n;
    uint32_t *table; /* hash table over people: position + 1 */
    size_t table_n;
    struct buf values; /* rows of records, until they are put */
    struct buf keys;   /* of those who are new: 64 random bytes each */
    size_t keys_used;
};

/* For so many records of `bytes` bytes together. */
enum bourn_err plan_init(struct plan *p, struct vault *v, size_t items, size_t bytes) BOURN_MUST_USE;
void plan_release(struct plan *p);
/* The collection asked for, or the 404. */
bool plan_collection(struct plan *p, const struct request *r, struct answer *a);
/* Finds the person among those of this request, or loads them; plan_enrol makes who is not there. */
enum bourn_err plan_person(struct plan *p, struct slice id, size_t *position) BOURN_MUST_USE;
/* Asks the gate about each. One decision serves all people without bases; the others get their own. */
enum bourn_err plan_decide(struct plan *p) BOURN_MUST_USE;
/* Marks what is to be skipped: a row equal to one before it of the same person, or to a stored record of
 * theirs, if they are allowed (equal.c). */
enum bourn_err plan_skip_equal(struct plan *p) BOURN_MUST_USE;
/* The `enrolled` entry of everybody who is new and allowed; ids by position in people. */
enum bourn_err plan_enrol(struct plan *p, const struct slice *ids) BOURN_MUST_USE;
/* Seals one record under its person's collection key. */
enum bourn_err plan_seal(struct plan *p, struct item *it) BOURN_MUST_USE;
/* The rows of all that is sealed, and the `stored` entry over it, one row a person. */
enum bourn_err plan_store(struct plan *p, uint64_t *index) BOURN_MUST_USE;

#endif
