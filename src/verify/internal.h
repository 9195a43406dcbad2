/* The parts of one replay; verify_run() owns them all. */
#ifndef BOURN_VERIFY_INTERNAL_H
#define BOURN_VERIFY_INTERNAL_H

#include "base/limits.h"
#include "crypto/crypto.h"
#include "gate/person.h"
#include "verify/verify.h"

#include <curl/curl.h>

#define BIT(c) (1u << (c))
#define VERIFY_LEVELS 7 /* of hash tiles: 256^7 entries */

/* Reading: a folder or a URL (source.c). */
struct source {
    const struct verify_options *o;
    bool http;
    char base[1024];  /* of o->source without a trailing slash */
    char place[1400]; /* last thing read, for reports */
    CURL *curl;
    struct curl_slist *headers; /* token and purpose, for rows and evidence */
    char purpose[129];          /* with a token: of the party that asks … */
    uint64_t party;             /* … and the index of its entry */
    bool wider; /* what came last stands in for a partial file that is gone: more may follow */
};
enum bourn_err source_open(struct source *s, const struct verify_options *o) BOURN_MUST_USE;
void source_close(struct source *s);
enum bourn_err source_checkpoint(struct source *s, struct buf *out) BOURN_MUST_USE;
/* The first `width` items of bundle, tile or rows n are asked for; where that partial file is gone, a full or
 * a wider partial one comes instead, and s->wider is set. */
enum bourn_err source_tile(struct source *s, struct merkle_tile t, struct buf *out) BOURN_MUST_USE;
enum bourn_err source_evidence(struct source *s, uint64_t from, uint64_t to, struct buf *out) BOURN_MUST_USE;

/* Evidence, one item after another in the order of entries and labels (evidence.c). */
struct evidence_reader {
    struct buf buf;
    size_t at;
    int fd, save_fd; /* -1: none */
    bool eof, have;  /* have: `next` is read and not yet asked for */
    struct opened next, last;
    bool have_last;
    uint64_t asked_to; /* URL: entries below have been asked for */
};
enum bourn_err evidence_open(struct evidence_reader *r, const struct verify_options *o) BOURN_MUST_USE;
void evidence_close(struct evidence_reader *r);
/* What nobody asked for has to be well-formed and in order too: else things may only seem to be missing. */
enum bourn_err evidence_end(struct evidence_reader *r) BOURN_MUST_USE;
/* The item of this row; *found false if there is none. Slices live until the next call. Rows must be asked
 * for in ascending order. */
enum bourn_err evidence_find(struct evidence_reader *r, struct source *s, uint64_t index, uint64_t size,
                             const uint8_t label[16], struct opened *out, bool *found) BOURN_MUST_USE;

/* People (people.c). */
struct record {
    uint64_t id, version;
    uint64_t expires;    /* POSIX second by its collection's retention when it was stored; 0: never */
    uint32_t collection; /* position in the replay's list of names */
    bool deleted;
};
struct own_copy {   /* the person's last one, as far as it has come */
    uint64_t first; /* index of the entry that it began with; 0: none */
    uint64_t key, issued;
    uint64_t collection, id; /* of its last record; a collection by the index of its first entry */
};
enum { CLOSED_KINDS = 3 }; /* key, consent, exported: their rows commit to evidence */
struct subject {
    struct person person;
    char domicile[2];
    struct record *records;
    size_t records_n;
    uint8_t (*used)[16]; /* statements that were used: nonces, and code hashes of key statements */
    size_t used_n;
    struct own_copy copy;
    uint64_t missing, missing_at; /* rows whose evidence was withheld, and the first of them */
    uint64_t refused, refused_at;
    uint64_t erased_evidence; /* rows whose evidence died, told by the server */
    bool claimed_erased;
    uint32_t closed[CLOSED_KINDS]; /* how many of those rows there are of each kind (closed_kind) */
};
struct people {
    struct subject **slot;
    size_t slots, n;
    uint64_t seed;
};
enum bourn_err people_init(struct people *p) BOURN_MUST_USE;
void people_release(struct people *p);
struct subject *people_find(const struct people *p, const uint8_t label[16]); /* NULL if unknown */
enum bourn_err people_add(struct people *p, const uint8_t label[16], struct subject **out) BOURN_MUST_USE;
struct record *subject_record(struct subject *s, uint32_t collection, uint64_t id); /* NULL if unknown */
enum bourn_err subject_record_add(struct subject *s, uint32_t collection, uint64_t id) BOURN_MUST_USE;
/* How many records of the collection with an id in [from, to] live at `time`. */
uint64_t subject_living(const struct subject *s, uint32_t collection, uint64_t from, uint64_t to,
                        uint64_t time);
/* False if this 16-byte id was used before; else notes it. */
enum bourn_err subject_use(struct subject *s, const uint8_t id[16], bool *fresh) BOURN_MUST_USE;

/* The tree as the entries give it, held against the served tiles (tree.c). */
struct tree {
    struct merkle_edge edge;
    struct merkle_hash level[VERIFY_LEVELS][MERKLE_TILE_WIDTH]; /* the open tile of each level */
    unsigned filled[VERIFY_LEVELS];
    bool contradicted; /* by a tile that was served */
};

struct replay {
    const struct verify_options *o;
    struct verify_report *rep;
    struct source source;
    struct evidence_reader evidence;
    struct world *world;
    struct people people;
    struct tree tree;
    struct arena entry_arena, row_arena;
    struct buf bundle, rows, tile, note;
    struct slice *collection; /* names that records refer to, owned */
    size_t collections_n;
    struct merkle_checkpoint *heads; /* the earlier ones, opened */
    uint64_t size, index;            /* of the checkpoint; of the entry at hand */
    const struct entry *entry;
    struct slice bytes;
    const struct gate_pack *packs[PACKS_MAX]; /* in force for the entry at hand */
    size_t packs_n;
    bool unpinned; /* one of them */
};

/* Findings (clauses.c). `speaks` tables: the clauses that a kind's entry, rows and evidence speak for. */
enum layer { LAYER_ENTRY, LAYER_ROWS, LAYER_EVIDENCE };
extern const uint32_t closed_kind[CLOSED_KINDS];
uint32_t clauses_of(uint32_t kind, enum layer layer); /* bits */
bool clauses_gated(uint32_t kind);                    /* the gate decides the rows of this kind */
enum verify_clause clause_named(const char *id, size_t n, enum verify_clause otherwise);
void clauses_settle(struct replay *v); /* verdicts from counts */
void finding(struct replay *v, enum verify_clause c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void finding_at(struct replay *v, enum verify_clause c, bool is_size, uint64_t at, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
enum clause_count { COUNT_EXAMINED, COUNT_NOT_EXAMINED, COUNT_UNPINNED };
void clauses_count(struct replay *v, uint32_t clauses, enum clause_count what);

/* tree.c: takes leaf `index`; compares each tile with what is served once it is full, and the open ones at
 * the end. */
enum bourn_err tree_append(struct replay *v, const struct merkle_hash *leaf) BOURN_MUST_USE;
enum bourn_err tree_finish(struct replay *v) BOURN_MUST_USE;

/* rows.c: the rows of the entry at hand, and what each says, against the world and the person. */
enum bourn_err rows_check(struct replay *v, struct slice group) BOURN_MUST_USE;
/* The acting party of the entry exists, lives and has the right. */
void rows_check_party(struct replay *v);

/* decide.c: policies in force, destination, schema; the gate for a row, and the bases that it names;
 * coverage. */
void decide_entry(struct replay *v);
void decide_row(struct replay *v, const struct row *r, struct subject *s);
void decide_packs(struct replay *v);
/* The gate would open evidence of a person for this party and purpose. */
bool decide_evidence(struct replay *v, uint64_t party, struct slice purpose);

/* copy.c: a page of a person's own copy, before its records are looked at one by one. */
void copy_check(struct replay *v, const struct row *r, struct subject *s);

/* statement.c: the evidence of a row. */
enum bourn_err statement_check(struct replay *v, const struct row *r, struct subject *s) BOURN_MUST_USE;

#endif
