/* The parts of one replay; verify_run() owns them all. */
#ifndef BOURN_VERIFY_INTERNAL_H
#define BOURN_VERIFY_INTERNAL_H

#include "base/limits.h"
#include "crypto/crypto.h"
#include "gate/person.h"
#include "verify/verify.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#define BIT(c) (1u << (c))
#define VERIFY_LEVELS 7 /* of hash tiles: 256^7 entries */

/* Reading: a folder or a URL (source.c). */
struct source {
    const struct verify_options *o;
    bool http;
    char base[1024];  /* of o->source without a trailing slash */
    char place[1400]; /* last thing read, for reports */
    struct buf name;  /* of the tile that is read */
    CURL *curl;
    struct curl_slist *headers;   /* token and purpose, for rows and evidence */
    struct source *parent;        /* of a clone: has the headers, and counts for all */
    atomic_uint_fast64_t fetched; /* files and answers read */
    char purpose[129];            /* with a token: of the party that asks … */
    uint64_t party;               /* … and the index of its entry */
    bool wider; /* what came last stands in for a partial file that is gone: more may follow */
};
enum bourn_err source_open(struct source *s, const struct verify_options *o) BOURN_MUST_USE;
void source_close(struct source *s);
/* A second reader of the same place, for another thread; `s` must live longer. */
enum bourn_err source_clone(struct source *s, struct source *of) BOURN_MUST_USE;
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

/* People (people.c): flat and of fixed size each, so that memory can be told from their number: 128 bytes a
 * person and 16 to 32 of the table; 32 a record, in runs of powers of two; 104 more once somebody has signed
 * anything or evidence stayed closed. Keys and consents are the gate's (person.h). */
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
struct signer {            /* of those alone who signed something, or whose evidence stayed closed */
    uint8_t (*used)[16];   /* statements that were used: nonces, and code hashes of key statements */
    size_t used_n;
    struct own_copy copy;
    uint64_t missing, missing_at; /* rows whose evidence was withheld, and the first of them */
    uint64_t refused, refused_at;
    uint32_t closed[CLOSED_KINDS]; /* how many of those rows there are of each kind (closed_kind) */
    bool claimed_erased;
};
struct subject {
    _Alignas(64) struct person person; /* its chain lies in one line of the cache */
    struct record *records;            /* ascending by collection and id */
    struct signer *signer;             /* NULL: not one yet */
    uint32_t records_n;
};
struct pool { /* runs of records by powers of two: what grew out of a run leaves it for the next (people.c) */
    uint8_t *block;
    size_t left;
    void *blocks;   /* all of them, as a chain */
    void *free[32]; /* runs of 1 << i records */
};
struct people {
    uint64_t *slot; /* upper half: bits of the hash; lower: number of the person, from 1; 0: empty */
    size_t slots, n;
    struct subject **chunk; /* person i: chunk[i >> 14][i & 16383] */
    size_t chunks;
    struct pool pool;
    uint64_t seed;
};
enum bourn_err people_init(struct people *p) BOURN_MUST_USE;
void people_release(struct people *p);
struct subject *people_at(const struct people *p, size_t i); /* by number, from 0 */
uint64_t people_hash(const struct people *p, const uint8_t label[16]);
struct subject *people_find(const struct people *p, uint64_t hash,
                            const uint8_t label[16]); /* NULL if unknown */
/* In two steps, each a while before the next, what people_find will read is asked of memory. The second
 * answers who it may be, by the hash alone; NULL if that cannot be said. Records: they are asked about too.
 */
void people_fetch_slot(const struct people *p, uint64_t hash);
struct subject *people_fetch(const struct people *p, uint64_t hash, bool records);
enum bourn_err people_add(struct people *p, uint64_t hash, const uint8_t label[16],
                          struct subject **out) BOURN_MUST_USE;
struct record *subject_record(struct subject *s, uint32_t collection, uint64_t id); /* NULL if unknown */
enum bourn_err subject_record_add(struct people *p, struct subject *s, uint32_t collection, uint64_t id,
                                  struct record **out) BOURN_MUST_USE;
/* How many records of the collection with an id in [from, to] live at `time`. */
uint64_t subject_living(const struct subject *s, uint32_t collection, uint64_t from, uint64_t to,
                        uint64_t time);
enum bourn_err subject_signer(struct subject *s, struct signer **out) BOURN_MUST_USE; /* makes one */
/* False if this 16-byte id was used before; else notes it. */
enum bourn_err subject_use(struct subject *s, const uint8_t id[16], bool *fresh) BOURN_MUST_USE;

/* The tree as the entries give it, held against the served tiles (tree.c). */
struct tree {
    uint64_t size;
    struct merkle_edge edge;                                    /* of the roots of full tiles of leaves */
    struct merkle_hash level[VERIFY_LEVELS][MERKLE_TILE_WIDTH]; /* the open tile of each level */
    unsigned filled[VERIFY_LEVELS];
    bool contradicted; /* by a tile that was served */
};

struct crew;  /* the threads, and what they read ahead (piece.h) */
struct piece; /* a bundle and its rows */
struct replay {
    const struct verify_options *o;
    struct verify_report so_far, *rep; /* what findings and counts go to: so_far, or a copy that is settled */
    bool done, torn; /* up to the checkpoint; ended within a piece, so that nobody can go on from there */
    struct source source;
    struct evidence_reader evidence;
    struct world *world;
    struct people people;
    struct tree tree;
    struct witnessing *witnessing;
    struct crew *crew;
    unsigned jobs;
    struct arena row_arena;      /* of one row: what was not decoded ahead, and its statement */
    struct buf tile, note, held; /* the checkpoint read last; the one that all is held against */
    struct slice *collection;    /* names that records refer to, owned */
    size_t collections_n;
    struct merkle_hash before_continued; /* root of the entries before the last `continued` one … */
    struct merkle_hash before_entry;     /* … and before one that the world may still refuse */
    struct merkle_checkpoint *heads;     /* the earlier ones, opened */
    struct foreign_head *foreign; /* those that another key signed: of a log that this one continues? */
    uint64_t kept_next;           /* nothing kept speaks of entries before */
    bool event_here;              /* an event speaks of the entry at hand */
    uint64_t size, index;         /* of the checkpoint; of the entry at hand */
    const struct entry *entry;
    const struct gate_pack *packs[PACKS_MAX]; /* in force for the entry at hand */
    size_t packs_n;
    uint64_t tally[ENTRY_KIND_MAX + 1][3][2]; /* see clauses_tally */
    pthread_mutex_t findings; /* the report's list of them: signatures are checked by any thread */
    uint64_t seq;             /* number of the next finding */
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
/* One whose place in the order was taken (v->seq++) when the replay was there; from any thread. */
void finding_late(struct replay *v, enum verify_clause c, uint64_t at, uint64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
enum clause_count { COUNT_EXAMINED, COUNT_NOT_EXAMINED, COUNT_UNPINNED };
void clauses_count(struct replay *v, uint32_t clauses, enum clause_count what);
/* All that this layer of an entry speaks for; added up in clauses_settle. */
static inline void clauses_tally(struct replay *v, uint32_t kind, enum layer layer, bool examined)
{
    v->tally[kind <= ENTRY_KIND_MAX ? kind : 0][layer][examined]++;
}

/* tree.c: takes the next leaf; behind the last one of a tile, what was served of it in the piece and its
 * root. Higher tiles are compared once they are full, and the open ones at the end. */
enum bourn_err tree_append(struct replay *v, const struct merkle_hash *leaf,
                           const struct piece *p) BOURN_MUST_USE;
enum bourn_err tree_finish(struct replay *v) BOURN_MUST_USE;
void tree_root(const struct tree *t, struct merkle_hash *out);

/* heads.c: reads and opens the checkpoint; opens the earlier heads; holds the tree against those of this
 * size. A later checkpoint must extend the one before (RFC 6962, by the served tiles): else a finding and
 * BOURN_E_CORRUPT. */
enum bourn_err heads_checkpoint(struct replay *v, struct merkle_checkpoint *cp) BOURN_MUST_USE;
enum bourn_err heads_open(struct replay *v) BOURN_MUST_USE;
void heads_check(struct replay *v, uint64_t size);
enum bourn_err heads_extend(struct replay *v, uint64_t old, const struct merkle_hash *old_root,
                            const struct merkle_checkpoint *cp) BOURN_MUST_USE;

/* settle.c: people whose evidence stayed closed become findings and counts; somebody is said to be erased and
 * the entry was not met yet. */
void settle_people(struct replay *v);
bool settle_waits(const struct replay *v);

/* witness.c: `witnessed` entries and cosignatures. */
enum bourn_err witness_init(struct replay *v) BOURN_MUST_USE;
void witness_release(struct replay *v);
/* A tile of the level is full. */
enum bourn_err witness_tile(struct replay *v, unsigned level, const struct merkle_hash *root) BOURN_MUST_USE;
enum bourn_err witness_entry(struct replay *v) BOURN_MUST_USE; /* each entry, in order */
bool witness_missing(
    const struct replay *v);               /* the checkpoint as it was read lacks the quorum that is wanted */
void witness_checkpoint(struct replay *v); /* at the end */

/* rows.c: the rows of the entry at hand, and what each says, against the world and the person. */
enum bourn_err rows_check(struct replay *v, const struct piece *p, unsigned i) BOURN_MUST_USE;
/* The acting party of the entry exists, lives and has the right. */
void rows_check_party(struct replay *v);

/* decide.c: policies in force, destination, schema; the gate for a row, and the bases that it names;
 * coverage. */
void decide_entry(struct replay *v);
void decide_row(struct replay *v, const struct row *r, struct subject *s);
void decide_packs(struct replay *v);
/* The gate would open evidence of a person for this party and purpose. */
bool decide_evidence(struct replay *v, uint64_t party, struct slice purpose);

/* copy.c: a person's look at their history; a page of their own copy, before its records are looked at one by
 * one. */
void reading_check(struct replay *v, const struct row *r);
enum bourn_err copy_check(struct replay *v, const struct row *r, struct subject *s) BOURN_MUST_USE;

/* continued.c: before each entry is taken; and at the end, whose log it is, and what it owes to the old one.
 */
void continued_before(struct replay *v, struct slice bytes);
enum bourn_err continued_check(struct replay *v) BOURN_MUST_USE;

/* An earlier head that this log's key did not sign: its size is believed until the log says which it
 * continues. */
struct foreign_head {
    uint64_t size;           /* UINT64_MAX: none */
    struct merkle_hash root; /* of this log at that size */
};
bool continued_head(struct replay *v, size_t i); /* false if it is no checkpoint at all */
void continued_heads_at(struct replay *v, uint64_t size);

/* receipt.c: what receipts and proofs say of the entry at hand (its leaf) and of the tree that ends with it;
 * at the end, of entries that are not there. */
void kept_check(struct replay *v, const struct merkle_hash *leaf);
void kept_events_check(struct replay *v, struct slice rows); /* once the entry is decoded */
void kept_missing(struct replay *v);

/* statement.c: the evidence of a row. */
enum bourn_err statement_check(struct replay *v, const struct row *r, struct subject *s) BOURN_MUST_USE;

#endif
