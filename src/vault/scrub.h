/* scrub: whether the store still holds what the ledger says was stored. What its files share.
 *
 * It goes by slices, one a request, between the requests of others: no snapshot is held, nothing is changed,
 * and what it says of a record is true of one moment in which no request is under way. Nothing that it gives
 * out is about a person: indices of entries, names of collections, words for the kind of damage.
 * docs/formats/store.md says what is compared. */
#ifndef BOURN_VAULT_SCRUB_H
#define BOURN_VAULT_SCRUB_H

#include "vault/internal.h"

#define SCRUB_NO_ENTRY UINT64_MAX

enum scrub_damage { /* scrub_damage_name, and a sentence in cli/scrub.c */
                    SCRUB_NONE = 0,
                    SCRUB_ALTERED,
                    SCRUB_ROLLED_BACK,
                    SCRUB_DELETED,
                    SCRUB_ADDED,
                    SCRUB_CAME_BACK,
                    SCRUB_MOVED_PERSON,
                    SCRUB_MOVED_COLLECTION,
                    SCRUB_MOVED_ID,
                    SCRUB_TERM,
                    SCRUB_INDEX,
                    SCRUB_STATE,
                    SCRUB_KEY,
                    SCRUB_IDENTIFIER,
                    SCRUB_LABEL,
                    SCRUB_EVIDENCE,
                    SCRUB_USED,
                    SCRUB_CHAIN,
                    SCRUB_ERASED_BACK,
                    SCRUB_RULES,
                    SCRUB_NOTICE,
                    SCRUB_LEDGER,
                    SCRUB_DAMAGES,
};

/* Something that differs. Of records also what is needed to find out whether one is somewhere else. */
struct scrub_found {
    enum scrub_damage damage;
    uint64_t n;             /* its number, once it was said */
    uint64_t entry;         /* that it contradicts, or SCRUB_NO_ENTRY */
    const char *collection; /* "" if none; 64 bytes at most, in the world's memory */
    size_t collection_n;
    uint64_t id;     /* of the record, 0 for other things */
    bool has_commit; /* the record that `commit` under `salt` stands for is not where it belongs */
    uint8_t salt[16], commit[32];
    bool has_digest; /* bytes with this digest lie where they do not belong, under `key` */
    uint8_t digest[32], key[RECORD_KEY_BYTES];
};

/* One entry with its rows, held against the root that the entry names. */
struct scrub_group {
    uint64_t index, used; /* used 0: free */
    bool sound;           /* the rows are those of the root */
    struct buf entry, rows;
    struct arena arena;
    struct entry e;
    uint32_t *at; /* where each row begins */
    size_t n;
};
#define SCRUB_GROUPS 32
#define SCRUB_GROUPS_BYTES (32u << 20) /* of rows; the one in use is kept whatever it takes */

struct scrub_where {            /* what the ledger says last of a record id of a person */
    uint32_t collection, round; /* round 0: nothing yet */
    bool live;
};
enum scrub_step { SCRUB_WALK, SCRUB_RECORDS, SCRUB_EVIDENCES, SCRUB_NAMES, SCRUB_DONE };
struct scrub_person { /* the one who is being looked at; a long history takes several slices */
    bool open, stateless, broken;
    uint64_t number, top, at; /* head when the walk began, next entry behind */
    uint32_t round;
    enum scrub_step step;
    struct subject s; /* if not stateless */
    uint8_t label[16];
    struct scrub_where *where; /* by record id */
    uint64_t where_n;
    struct scrub_found *found;
    size_t found_n, found_room;
    uint64_t evidences, evidence_rows;  /* that entries speak of and that are there; rows counted */
    uint8_t next[RECORD_KEY_BYTES + 1]; /* where a range goes on */
    size_t next_n;
    uint64_t records, gone, rows;
};

enum scrub_phase {
    SCRUB_PHASE_LEDGER = 1, /* entries in order: rules, notices, and that nobody's history was cut */
    SCRUB_PHASE_PEOPLE,     /* each person: history backwards against records, evidence, keys, names */
    SCRUB_PHASE_LABELS,     /* from here on: rows that should not be there */
    SCRUB_PHASE_IDS,
    SCRUB_PHASE_BLIND,
    SCRUB_PHASE_EXPIRY,
    SCRUB_PHASE_STRAYS,
    SCRUB_PHASE_END,
};
enum scrub_count {
    SCRUB_ENTRIES,
    SCRUB_PEOPLE,
    SCRUB_ERASED,
    SCRUB_RECORDS_N,
    SCRUB_GONE,
    SCRUB_EVIDENCE_N,
    SCRUB_INDEX_ROWS,
    SCRUB_SWEEPING,
    SCRUB_COUNTS
};

struct scrub {
    uint64_t session, used_ms, rest_until_ns;
    uint64_t cursor;    /* where the last answer said that it goes on */
    uint64_t born;      /* entries that there were when this began: they come from the files */
    uint64_t phase_end; /* of the phase that runs */
    enum scrub_phase phase;
    uint64_t position;
    uint8_t next[STORE_KEY_BYTES_MAX + 1];
    size_t next_n;
    struct buf
        recent; /* entries that may not be in the files yet: first (8), number (4), length (4), entries */
    struct scrub_group groups[SCRUB_GROUPS];
    uint64_t group_turn;
    struct scrub_person person;
    uint64_t *orphans; /* people whose label is only in the index, since their state does not open */
    size_t orphans_n;
    struct scrub_found *open_ends; /* of which the other end may turn up */
    size_t open_ends_n;
    uint64_t said; /* number of the next finding */
    bool fresh;    /* nothing was said yet: what the client heard since this place is said again */
    struct arena arena;

    /* of the slice */
    uint64_t until_ns, rows;
    uint64_t counts[SCRUB_COUNTS];
    struct buf found_json, amended_json;
};

/* A slice has had its rows or its time: the next one goes on. */
bool scrub_spent(const struct scrub *s);
/* Says it in the answer, and looks for the other end of what was moved. */
void scrub_say(struct scrub *s, struct scrub_found *f);
const char *scrub_damage_name(enum scrub_damage d);

/* scrub_ledger.c: an entry from the files or, if it is younger than they are, from memory. *sound false:
 * unreadable, or its rows are not those of its root. */
enum bourn_err scrub_group_get(struct vault *v, struct scrub *s, uint64_t index,
                               struct scrub_group **out) BOURN_MUST_USE;
/* The row of a label in it, decoded into s->arena; false if there is none. */
bool scrub_row_of(struct scrub *s, const struct scrub_group *g, const uint8_t label[16], struct row *out);
void scrub_groups_release(struct scrub *s);
/* Forgets what has come to the files. */
void scrub_recent_trim(struct vault *v, struct scrub *s);

/* scrub_person.c: goes on with the person, or begins with `number`; *done once all of it was looked at. */
enum bourn_err scrub_person_go(struct vault *v, struct scrub *s, uint64_t number, bool *done) BOURN_MUST_USE;
/* The same for somebody whose state does not open, by the label of the index. */
enum bourn_err scrub_orphan_go(struct vault *v, struct scrub *s, uint64_t number, const uint8_t label[16],
                               bool *done) BOURN_MUST_USE;
void scrub_person_release(struct scrub_person *p);

/* scrub_record.c: what one row of the ledger says of a record, against the store. */
enum bourn_err scrub_stored(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                            const struct row *row) BOURN_MUST_USE;
enum bourn_err scrub_gone(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                          const struct row *row) BOURN_MUST_USE;
enum bourn_err scrub_evidence(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                              const struct row *row) BOURN_MUST_USE;
/* One more finding about the person under way: said once all of the person was looked at. */
enum bourn_err scrub_person_found(struct scrub_person *p, const struct scrub_found *f) BOURN_MUST_USE;

/* scrub_rows.c: the phases that are not about one person each. *done: nothing is left of the phase. */
enum bourn_err scrub_ledger_go(struct vault *v, struct scrub *s, bool *done) BOURN_MUST_USE;
enum bourn_err scrub_rows_go(struct vault *v, struct scrub *s, bool *done) BOURN_MUST_USE;

#endif
