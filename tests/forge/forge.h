/* The cheating operator, for tests: holds the log's key, reads a whole ledger with its rows and evidence into
 * memory, changes what it likes and writes everything back, re-signed. The writer of bundles, tiles and rows
 * here is its own and shares no code with src/ledger. */
#ifndef BOURN_TESTS_FORGE_H
#define BOURN_TESTS_FORGE_H

#include "consent/consent.h"
#include "crypto/crypto.h"
#include "gate/person.h"
#include "merkle/merkle.h"

struct forge_row {
    struct row r;
    bool open; /* salt and evidence are known, and the row's commitment is made from them */
    bool keep_commitment, withheld;
    uint32_t status; /* what the evidence file says otherwise; 0: nothing */
    uint8_t salt[32];
    struct evidence evidence;
};
struct forge_entry {
    struct entry e;
    struct forge_row *rows;
    size_t rows_n;
    bool keep_root; /* count and root stay as they are */
};
struct forge_log {
    struct arena arena;
    struct forge_entry *v;
    size_t n, room;
    size_t first_size; /* when it was read: what an earlier head says */
    struct world *world;
    struct merkle_vkey key;
    uint8_t secret[64];
    uint64_t time;
    struct slice receipt; /* a case may leave one, as the signer gave it before: the file `receipt` */
};
enum {
    WRITE_ENTRIES = 1,
    WRITE_ROWS = 2,
    WRITE_TILES = 4,
    WRITE_CHECKPOINT = 8,
    WRITE_EVIDENCE = 16,
    WRITE_ALL = 31
};

/* Everything here exits with a message where it fails: these are tests. */
_Noreturn void forge_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void forge_new(struct forge_log *l, const char *origin);
void forge_load(struct forge_log *l, const char *dir, const char *evidence);
void forge_save(const struct forge_log *l, const char *dir, const char *evidence, unsigned what);
void forge_free(struct forge_log *l);
void forge_write(const char *dir, const char *name, struct slice bytes);
/* Appends an entry (salts, time, order of rows are filled in); the pointer is good until the next one. */
struct forge_entry *forge_add(struct forge_log *l, const struct entry *e, const struct forge_row *rows,
                              size_t n);
/* Root over the first n entries as they stand. */
void forge_root(struct forge_log *l, size_t n, struct merkle_hash *out);
static inline uint64_t forge_last(const struct forge_log *l)
{
    return l->n - 1;
}
struct slice forge_text(struct forge_log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void forge_flip_tile(const char *dir, uint64_t index); /* one hash of tile/0 */

/* People and acts (acts.c). */
struct puppet { /* a person whose key the operator made up */
    uint8_t label[16], public_key[32], secret[64];
    uint64_t head, key, consent;
    uint64_t records;                   /* ids 1..records of the first collection are stored, at version 1 */
    uint64_t letters, letter_time;      /* the same of the one with a retention; when the last was stored */
    struct consent_statement statement; /* the last one */
    struct own_statement request;       /* the last one, and the entry of the copy that it began */
    uint64_t copy;
};
enum { LETTER_S = 40 };
struct cast { /* who and what the acts are about */
    struct forge_log *l;
    uint64_t app, lab, other_lab, shop, watchdog, notice;
    struct slice collection, other_collection, letters; /* letters live for LETTER_S */
};
extern const char HOME_PURPOSE[], LAB_PURPOSE[], LAB_PURPOSE_2[], AUDIT_PURPOSE[];

void act_cast(struct forge_log *l, struct cast *c, const char *suffix);
uint64_t act_party(struct forge_log *l, struct slice name, const char *kind, const char *jurisdiction,
                   uint32_t rights, const char *purpose, const char *ground, const char *purpose_2);
uint64_t act_party_end(struct forge_log *l, uint64_t party);
uint64_t act_collection(struct forge_log *l, struct slice name, uint64_t version, const char *extra_field,
                        uint64_t retention_s);
void act_person(struct puppet *p);
uint64_t act_enrolled(struct cast *c, struct puppet **p, size_t n);
/* One new record for each. */
struct forge_entry *act_stored(struct cast *c, uint64_t party, struct puppet **p, size_t n);
struct forge_entry *act_key(struct cast *c, struct puppet *p, const uint8_t secret[64]);
struct ask { /* a consent; zero: signed, for the lab, a year */
    uint64_t recipient, life_s;
    bool attested;
    struct slice collection;
    void (*change)(struct cast *c, struct consent_statement *s); /* before it is signed */
    const struct puppet *signer;                                 /* another key than the person's */
    const struct consent_statement *again;                       /* post this one */
    uint64_t row_recipient;                                      /* what the row names instead; 0: the same */
};
struct forge_entry *act_consent(struct cast *c, struct puppet *p, const struct ask *a);
void act_withdrawn(struct cast *c, struct puppet *p);
struct forge_entry *act_disclosed(struct cast *c, uint64_t party, const char *purpose,
                                  struct slice collection, struct puppet **p, size_t n, uint32_t grade,
                                  uint64_t basis);
struct forge_entry *act_evidence(struct cast *c, struct puppet **p, size_t n);
struct forge_entry *act_deleted(struct cast *c, struct puppet *p, uint64_t id);
/* One letter more, the last one read by the app, the last one's time over. */
struct forge_entry *act_letter(struct cast *c, struct puppet *p);
struct forge_entry *act_letter_read(struct cast *c, struct puppet *p);
struct forge_entry *act_expired(struct cast *c, struct slice collection, struct puppet *p, uint64_t id);
struct take {      /* a page of the person's own copy; zero: the first one, of all of the first collection */
    uint64_t from; /* first id of the page; all up to the last stand in it */
    bool goes_on;  /* with the last copy */
    bool letter;   /* of the letters, the last one */
    void (*change)(struct own_statement *s); /* before it is signed */
    const struct puppet *signer;             /* another key than the person's */
    const struct own_statement *again;       /* post this one */
};
/* A look at the person's history instead: `change`, `signer` and `again` of the same. */
struct forge_entry *act_reading(struct cast *c, struct puppet *p, const struct take *t);
struct forge_entry *act_copy(struct cast *c, struct puppet *p, const struct take *t);
struct forge_entry *act_erased(struct cast *c, struct puppet *p);
struct forge_entry *act_refused(struct cast *c, uint64_t party);

/* Forgeries (cases*.c): each returns what the verifier must name. */
struct verdict_at {
    bool is_size;
    uint64_t at;
    unsigned write; /* what is written back; 0: all */
    uint64_t flip;  /* with write == WRITE_FLIP: hash of tile 0 that is changed, nothing else */
};
enum { WRITE_FLIP = 64 };
struct forge_case {
    const char *name;
    struct verdict_at (*run)(struct cast *c);
    const char *says; /* what is forged */
};
/* The clause that it violates first (expected.c), or "-". */
const char *forge_clause(const char *name);
/* Ended by a NULL name. */
extern const struct forge_case forge_cases_acts[], forge_cases_statements[], forge_cases_copy[],
    forge_cases_continued[], forge_cases_log[], forge_cases_kept[], forge_cases_witness[];
static inline struct verdict_at forge_at(uint64_t entry)
{
    return (struct verdict_at){.at = entry};
}
static inline struct verdict_at forge_here(const struct cast *c)
{
    return forge_at(c->l->n - 1);
}

/* A new person with a key, a stored record, and a consent for the lab if `consents`. */
void forge_person(struct cast *c, struct puppet *p, bool consents);
/* The lab reads the last record by that basis. */
struct forge_entry *forge_lab_reads(struct cast *c, struct puppet *p, uint32_t grade, uint64_t basis);

#endif
