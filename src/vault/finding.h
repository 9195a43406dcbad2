/* A page of people, each with the records that are disclosed of them: what a search, a list or a consented
 * purpose finds. */
#ifndef BOURN_VAULT_FINDING_H
#define BOURN_VAULT_FINDING_H

#include "vault/internal.h"

#define WHERE_MAX 8
enum { ROWS_TABLE = 2048 };
_Static_assert(ROWS_TABLE > 2 * PAGE_PEOPLE_MAX, "the table of rows stays sparse");

struct finding {
    struct asked q;
    struct answer *a;
    struct release *rel;
    struct slice fields[FIELDS_PER_COLLECTION_MAX];
    size_t fields_n;
    uint8_t where[WHERE_MAX][16]; /* blind values that a record must all have */
    size_t where_n;
    struct staged_row *rows;
    size_t rows_n, refused;       /* refused: named, and nothing is disclosed of them … */
    size_t denied;                /* … or of these by the gate */
    bool listed;                  /* people are named, not looked for */
    uint16_t rows_of[ROWS_TABLE]; /* hash table over rows by their people's numbers: position + 1 */
    size_t looked;                /* people looked at for this page, disclosed or not */
    bool plain;                   /* q.out is what the gate says of people without bases, see decide_person */
    bool each;                    /* the gate leaves it to the bases of each person */
    bool over;                    /* somebody has more matching records than one page takes */
};

/* Asks the gate about this person; NULL: about somebody without bases. */
void finding_decide(struct vault *v, struct finding *f, const struct person *p);
/* Rows, and the answer's release in this form. */
enum bourn_err finding_begin(struct vault *v, struct finding *f, enum release_form form) BOURN_MUST_USE;
/* Adds a person's matching records to the page, and the row. Nothing if the gate refuses or nothing matches.
 */
enum bourn_err finding_add(struct vault *v, struct finding *f, const struct subject *s, struct slice name,
                           bool *added) BOURN_MUST_USE;
bool finding_full(const struct finding *f); /* the rest is for the next page */
/* People whose number (8) stands behind the prefix of a key of `space`, by that number from the cursor on. */
enum bourn_err finding_range(struct vault *v, struct finding *f, enum store_space space, struct slice prefix,
                             uint64_t from) BOURN_MUST_USE;
/* The people named in a list of identifiers, from position `from` on (listed.c). */
enum bourn_err finding_listed(struct vault *v, struct finding *f, struct json_value list,
                              uint64_t from) BOURN_MUST_USE;
/* The entry, and the answer: NDJSON or one object. */
enum bourn_err finding_end(struct vault *v, struct finding *f, bool lines) BOURN_MUST_USE;

#endif
