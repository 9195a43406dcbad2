/* What the files of this folder share. Read vault.h first; docs: ARCHITECTURE.md, "Order of commit and
 * recovery". */
#ifndef BOURN_VAULT_INTERNAL_H
#define BOURN_VAULT_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "gate/person.h"
#include "gate/world.h"
#include "io/io.h"
#include "journal/journal.h"
#include "store/store.h"
#include "vault/known.h"
#include "vault/prev.h"
#include "vault/slots.h"
#include "vault/vault.h"
#include "vault/webhook.h"
#include "vault/witness.h"

#define SUBJECT_STATE_BYTES_MAX (1u << 20) /* a person's state before it is sealed */

/* --- people
 * ------------------------------------------------------------------------------------------------- */

struct subject_collection {
    uint32_t number; /* index of the collection's first entry */
    uint8_t key[CRYPTO_KEY_BYTES];
};

/* A person, loaded. What lies sealed in its row is person, ids, collections and next_record. */
struct subject {
    uint64_t number;
    uint8_t key[CRYPTO_KEY_BYTES]; /* the subject key, from its slot */
    uint32_t generation;           /* of the sealed state row; +1 at each change */
    uint64_t next_record;
    struct person person; /* head is taken from prev, not from the sealed row */
    struct buf ids;       /* CBOR texts, one an identifier */
    size_t ids_n;
    struct subject_collection *collections;
    size_t collections_n;
    uintptr_t near; /* where the sealed state lay in the store: a hint, see known.h */
};

struct vault;
struct answer;

/* --- answers
 * ------------------------------------------------------------------------------------------------ */

/* A record's row: version (8) || expiry (8), 0 for never || number of blind rows (2) || each 16 bytes ||
 * sealed. */
struct record_row {
    uint64_t version, expires;
    struct slice blinds; /* 16 bytes each */
    struct slice sealed;
};
bool record_row_get(struct slice value, struct record_row *out);

enum release_form {
    RELEASE_LIST,  /* {"records":[{id,version,data}],"next":…} */
    RELEASE_ONE,   /* {id,version,data} */
    RELEASE_FOUND, /* as a list, each with its subject */
    RELEASE_LINES, /* NDJSON, each with its subject */
    RELEASE_COPY,  /* NDJSON, each with its collection: what `bourn import --format export` takes */
};
struct release_record {
    uint64_t number, id, version; /* subject */
    uint8_t label[16], key[CRYPTO_KEY_BYTES];
    size_t at, len; /* of the sealed bytes in release.sealed; len 0: nothing is disclosed of this person */
    size_t name_at, name_n; /* of the subject's name in release.names */
};
/* What is decrypted only once the entry is durable (or signed). Holds copies: store pointers die at the next
 * put. */
struct release_pool { /* those that are not in use keep their memory */
    struct release *first;
    size_t n;
};
struct release {
    struct release_pool *pool;
    struct release *next_spare;
    struct buf sealed, names;
    struct release_record *records; /* room of them */
    size_t room;
    enum release_form form;
    size_t n;
    uint64_t next; /* cursor, 0: none */
    char collection[65];
    size_t collection_n;
    struct {
        size_t at, n;
    } field[FIELDS_PER_COLLECTION_MAX]; /* asked for, in release.names; none: whole records */
    size_t fields_n;
    struct {
        size_t was_at, was_n, now_at, now_n;
    } rename[RENAMES_PER_COLLECTION_MAX]; /* of the collection, in release.names */
    size_t renames_n;
};
#define RELEASE_BYTES_MAX (8u << 20) /* sealed bytes of one page */

struct answer_pool { /* those that are not in use keep their memory */
    struct answer *first;
    size_t n;
};
struct wish;
/* Completes an answer that has to wait for the ledger's files or the signer; *ready false: not yet. */
typedef enum bourn_err answer_later(struct vault *v, struct answer *a, bool *ready);
struct answer {
    struct answer_pool *pool;
    struct answer *next;
    uint32_t op; /* of its request */
    uint64_t route, id, receipt, etag;
    uint64_t next_cursor; /* the same request with this cursor goes on; 0: this is all */
    uint32_t status, type, immutable;
    const char *code; /* static words */
    struct buf detail, missing, body;
    struct release *release;    /* NULL: body is complete */
    bool wait_signed;           /* released once a checkpoint covers `receipt` … */
    bool wait_cosigned;         /* … and the quorum of witnesses has cosigned one that does */
    answer_later *later;        /* or until this completes it, which then looks at those two itself */
    struct wish *wish;          /* its receipt, while that is signed */
    uint8_t label[16];          /* history: of the person, … */
    uint64_t about, from, size; /* … whose number is `about`; the first row, the tree that it is proved in */
    uint64_t deadline_ms;       /* monotonic; of waiting */
    uint64_t hold_ns;           /* not 0: leaves a multiple of this after taken_ns, see answer_hold */
    uint64_t taken_ns, due_ns;  /* monotonic: its turn began; it leaves (once held) */
};

/* --- refusals, counted
 * -------------------------------------------------------------------------------------- */

struct refusal {
    uint64_t party, second,
        count; /* count: refusals not in an entry yet; second: when the last entry was written */
    uint32_t operation;
    enum gate_code code;
    char purpose[129], collection[65];
};
#define REFUSALS_MAX 256 /* distinct kinds kept; more: the oldest is written out early */

/* --- metrics, docs/METRICS.md
 * ------------------------------------------------------------------------------- */

enum { METRICS_CLASSES = 6, METRICS_BUCKETS = 12 };
struct metrics {
    uint64_t answers[REQ_OP_MAX + 1][METRICS_CLASSES]; /* by operation and status / 100 */
    uint64_t batches, refused_batches;
    uint64_t commits[METRICS_BUCKETS + 1]; /* by time, the last without end */
    uint64_t commit_us;                    /* of all of them */
    uint64_t signed_size, signed_ms;       /* the last checkpoint, and when it was published */
};

/* --- the vault
 * ---------------------------------------------------------------------------------------------- */

/* Tokens that were looked up lately, by the first bits of their hash. What a row says never changes; whether
 * its party has ended or its time is over is looked at each time. */
#define TOKENS_KNOWN 64
struct known_token {
    uint8_t hash[32];
    uint64_t party, expires; /* expires 0: none */
};

struct settings { /* bourn.yaml */
    unsigned version;
    bool entries_set, entries_closed; /* closed: bundles of entries are for auditors */
};

struct subject_ref { /* where a person may be found: subject_look */
    uint8_t key[32]; /* keyed hash of the identifier */
    uint64_t guess;  /* KNOWN_NONE: the store is asked */
    uintptr_t near;  /* 0: not known */
};
struct expected {     /* people whom the next requests name, in their order */
    uint64_t read_ns; /* monotonic: these requests were read, and nothing was done about them before */
    struct {
        struct slice id;
        struct subject_ref ref;
    } of[VAULT_EXPECTED_MAX];
    size_t n, at;
};

#define RECORD_KEY_BYTES 20              /* person (8), collection (4), record (8) */
#define DUE_BYTES (8 + RECORD_KEY_BYTES) /* of the expiry index: second, record */

struct worker;
struct vault {
    vault_answer answer;
    void *answer_ctx;
    struct io_dir *cell, *cell_journal;
    int lock_fd;
    struct journal *journal;
    struct store *store;
    struct slots *slots;
    struct prev *prev;
    struct known *known;
    struct world *world;
    struct worker *worker;
    struct settings settings;
    struct witnesses *witnesses;
    struct webhooks *webhooks;
    struct vault_relay relay;
    struct crypto_mac id_mac;    /* HMAC of identifiers */
    struct crypto_mac blind_mac; /* HMAC of searchable values */
    struct buf vkey;             /* text of ledger.vkey */
    char origin[256];

    uint64_t loaded;      /* the person who was loaded last: subject_find_alike */
    uint64_t next_index;  /* of the next entry */
    uint64_t last_time;   /* of the last entry, seconds */
    uint64_t sequence;    /* last durable frame */
    uint64_t now, now_ms; /* this turn's wall clock (s) and monotonic clock (ms) */
    uint64_t taken_ns;    /* monotonic: the first request of the open batch was taken in */
    uint64_t asked_ns;    /* and the last one */
    uint64_t batch_ns;    /* between the two: how long a batch stays open while requests keep coming */
    uint64_t prev_mark, store_mark, files_mark, bytes_since_prev;
    bool format_stored; /* the store says which format its rows have */
    uint64_t store_committed_ms, full_until_ms, swept_ms;
    uint8_t code_next[33]; /* where the sweep of enrolment codes goes on, and its length */
    size_t code_next_n;
    uint8_t due_next[DUE_BYTES + 1]; /* the same of retention, behind what is damaged; until due_again_ms */
    size_t due_next_n;
    uint64_t due_again_ms;
    uint64_t disclosures, refusals_counted, started; /* for status */

    /* the open batch */
    struct arena arena; /* until the batch is committed */
    struct buf entries; /* u16 length || entry || u32 length || rows, repeated */
    struct buf heads;   /* subject number (8) || head (8) || generation (4), repeated */
    struct buf ops; /* space (1) || put (1) || key length (2) || key || value length (4) || value, repeated */
    struct buf erased;                 /* subject numbers (8) whose slots are to be zeroed */
    struct buf entry_bytes, row_bytes; /* of the entry that batch_entry makes */
    uint64_t batch_first;              /* index of its first entry */
    uint32_t entries_n;
    bool spoiled;             /* a request failed half-way: the batch is rolled back and refused */
    bool new_slots, reserved; /* reserved: only withdrawals and erasures, may use the reserve */
    size_t requests_n;
    struct answer *answers, **answers_tail;
    struct answer *waiting;          /* durable, waiting for the signature */
    struct answer *held, *held_last; /* held back, by due_ns */
    size_t held_n, held_bytes;
    struct answer_pool spare_answers;
    struct release_pool releases;
    struct buf plain; /* a sealed state while it is decoded */
    struct known_token tokens[TOKENS_KNOWN];
    struct expected expected;
    bool serves; /* the last request for something to disclose was not refused for the cell's sake */

    struct refusal refusals[REFUSALS_MAX];
    size_t refusals_n;
    struct metrics metrics;
    struct scrub *scrub; /* the one under way, or NULL */
};

/* answer.c: every handler makes exactly one answer. */
struct answer *answer_new(struct vault *v, const struct request *r, uint64_t route);
void answer_free(struct answer *a); /* wipes it, and gives it back to its pool */
void answer_pool_free(struct answer_pool *pool);
void answer_withhold(struct answer *a); /* forgets what would have been released */
void answer_problem(struct answer *a, uint32_t status, const char *code, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
#define EXPORT_REFUSED "no living key of the person whom the statement names signed it"
void answer_json(struct answer *a, uint32_t status); /* then write a->body */
/* The request's body, if it is a JSON object; or false with the 400 made. */
bool body_object(const struct request *r, struct json_value *body, struct answer *a);
/* A string's text, until the batch is committed; p is NULL if it is none. */
struct slice text_decoded(struct vault *v, struct json_value value);
/* Members of it. A text is decoded; `otherwise` if it is absent (NULL: p is NULL then). */
struct slice body_text(struct vault *v, struct json_value object, const char *name, const char *otherwise);
uint64_t body_number(struct json_value object, const char *name, uint64_t otherwise);
bool body_flag(struct json_value object, const char *name); /* true, and not absent */
/* What goes into the ledger must be readable for ever: a last look by the table of its kind; or the 422 made.
 */
bool entry_writable(const struct entry *e, struct answer *a);
/* The answer is about `names` people of whom it may not tell whether they exist: it leaves a fixed time after
 * its turn began, whatever the work for it was. */
void answer_hold(struct answer *a, size_t names);
/* What the answer's disclosure waits for, by the cell's settings; `rows`: people in it. */
void answer_wait(struct vault *v, struct answer *a, size_t rows, bool transfer);
/* Holds it if its time has to come first, or else sends it: decrypts if needed, hands the reply to the owner,
 * frees the answer. */
enum bourn_err answer_pass(struct vault *v, struct answer *a) BOURN_MUST_USE;

/* Asks a->later once more; what it cannot complete becomes a problem, and is ready. */
enum bourn_err answer_complete(struct vault *v, struct answer *a, bool *ready) BOURN_MUST_USE;

/* release.c */
enum bourn_err release_new(struct vault *v, enum release_form form, const struct world_collection *c,
                           struct release **out) BOURN_MUST_USE;
void release_free(struct release *rel); /* wipes it, and gives it back to its pool */
void release_pool_free(struct release_pool *pool);
/* Copies the record's sealed bytes. `name`: how the answer calls the person (only in forms that do). */
enum bourn_err release_add(struct release *rel, const struct subject *s, const uint8_t key[32], uint64_t id,
                           const struct record_row *row, struct slice name) BOURN_MUST_USE;
enum bourn_err release_add_none(struct release *rel, struct slice name) BOURN_MUST_USE;
void release_field(struct release *rel, struct slice name);
/* Opens all of it into out, as JSON of its form. Only after the entry is durable. BOURN_E_NOT_FOUND: the one
 * person whom all of it is about was erased in the meantime. */
enum bourn_err release_open(struct vault *v, const struct release *rel, struct buf *out) BOURN_MUST_USE;

/* batch.c */
struct staged_row { /* a row of the entry being staged, and whose it is */
    uint64_t number;
    uint32_t generation; /* after this entry */
    struct row row;
};
void row_begin(struct row *row, const struct subject *s); /* label, prev, fresh salt */
/* e->time is v->now. Sorts rows by label, fills salt, count and root, appends entry and rows to the batch,
 * moves the heads, applies the entry to the world. *index is the entry's. The rows' subjects' person states
 * are the caller's to change. */
enum bourn_err batch_entry(struct vault *v, struct entry *e, struct staged_row *rows, size_t rows_n,
                           uint64_t *index) BOURN_MUST_USE;
/* Moves a person's generation without an entry (a new identifier: nothing that a verdict reads). */
enum bourn_err batch_head(struct vault *v, const struct subject *s) BOURN_MUST_USE;
enum bourn_err batch_put(struct vault *v, enum store_space space, struct slice key,
                         struct slice value) BOURN_MUST_USE;
enum bourn_err batch_del(struct vault *v, enum store_space space, struct slice key) BOURN_MUST_USE;
/* Deletes a row of a shape that nobody here writes; `key` as the store gave it. */
enum bourn_err batch_stray(struct vault *v, enum store_space space, struct slice key) BOURN_MUST_USE;
void batch_clear(struct vault *v);
/* Applies one frame to what is behind the marks: store, prev, ledger worker's backlog. For recovery. */
struct frame_marks {
    bool store, prev;
    struct buf *backlog; /* entries for the worker, or NULL */
};
enum bourn_err frame_apply(struct vault *v, struct slice payload, const struct frame_marks *m) BOURN_MUST_USE;

/* recover.c */
enum bourn_err vault_recover(struct vault *v) BOURN_MUST_USE; /* at the start: marks, journal, files, slots */
/* Rolls everything volatile back to the durable truth, after a frame did not fit. */
enum bourn_err vault_rewind(struct vault *v) BOURN_MUST_USE;
enum bourn_err commit_store(struct vault *v) BOURN_MUST_USE; /* with its mark; on a full disk it rewinds */

/* periodic.c */
enum bourn_err save_prev(struct vault *v) BOURN_MUST_USE;

/* subject.c */
void subject_release(struct subject *s);
/* By the app's identifier; BOURN_E_NOT_FOUND for unknown and erased people alike. */
enum bourn_err subject_find(struct vault *v, struct slice id, struct subject *s) BOURN_MUST_USE;
/* The same where the asker may have no basis: for somebody who is not there it does the work of loading
 * somebody else, so that the time tells nothing. */
void subject_decoy(struct vault *v); /* only the work */
enum bourn_err subject_find_alike(struct vault *v, struct slice id, struct subject *s) BOURN_MUST_USE;
/* When the vault began to do anything for this request: what its answer is held from. */
uint64_t expected_ns(const struct vault *v, const struct request *r);
/* The same in two steps, for a list of people: all are looked for before any is loaded. */
void subject_look(const struct vault *v, struct slice id, struct subject_ref *ref);
void subject_guess(const struct vault *v, struct subject_ref *ref); /* after all of them were looked at */
void subject_near(const struct vault *v,
                  const struct subject_ref *ref); /* it is one of the next to be found: a hint */
enum bourn_err subject_find_ref(struct vault *v, struct slice id, const struct subject_ref *ref,
                                struct subject *s) BOURN_MUST_USE;
enum bourn_err subject_load(struct vault *v, uint64_t number, struct subject *s) BOURN_MUST_USE;
/* A new person with this number and key and a fresh label; writes slot, id and label rows, not the state and
 * no entry. id_key: of the identifier. */
enum bourn_err subject_new(struct vault *v, struct slice id, const uint8_t id_key[32], uint64_t number,
                           const uint8_t key[CRYPTO_KEY_BYTES], struct subject *s) BOURN_MUST_USE;
enum bourn_err subject_save(struct vault *v, struct subject *s) BOURN_MUST_USE; /* under s->generation */
/* Key of the collection, made if absent (then *made, and the state must be saved): of these fresh random
 * bytes, or, NULL, of others. */
enum bourn_err subject_collection_key(struct subject *s, uint32_t number, const uint8_t *fresh,
                                      const uint8_t **key, bool *made) BOURN_MUST_USE;
/* The person's living key with these bytes, or NULL. */
const struct person_key *subject_key_live(const struct subject *s, struct slice public_key);
bool subject_id_opaque(struct slice id); /* one that bourn gave out; no new person can have it */
void subject_id_key(const struct vault *v, struct slice id, uint8_t out[32]);
/* Seals salt and evidence of entry `index`, and gives the commitment for the row. */
enum bourn_err subject_put_evidence(struct vault *v, const struct subject *s, uint64_t index,
                                    const struct evidence *e, uint8_t commitment[32]) BOURN_MUST_USE;
/* Opens it: salt, and the evidence appended to `out`. */
enum bourn_err subject_get_evidence(struct vault *v, const struct subject *s, uint64_t index,
                                    uint8_t salt[32], struct buf *out) BOURN_MUST_USE;

/* records.c */
void record_key(uint8_t out[RECORD_KEY_BYTES], uint64_t subject, uint32_t collection, uint64_t id);
#define RECORD_AAD_MAX 160
size_t record_aad(uint8_t out[RECORD_AAD_MAX], struct slice domicile, const uint8_t label[16],
                  struct slice collection, uint64_t id, uint64_t version);
/* The row of a live record, borrowed from the store; BOURN_E_NOT_FOUND also once its time is over. */
enum bourn_err record_get(struct vault *v, uint64_t subject, uint32_t collection, uint64_t id,
                          struct record_row *out) BOURN_MUST_USE;
/* The first live record with an id >= *id; sets *id. */
enum bourn_err record_next(struct vault *v, uint64_t subject, uint32_t collection, uint64_t *id,
                           struct record_row *out) BOURN_MUST_USE;
uint64_t records_count(const struct vault *v); /* of the cell, with those that are still to be swept */
/* Deletes what points at a record's row: blind rows and expiry. And that with the row itself. */
enum bourn_err record_unindex(struct vault *v, const struct record_row *row,
                              const uint8_t key[RECORD_KEY_BYTES]) BOURN_MUST_USE;
enum bourn_err record_drop(struct vault *v, const uint8_t key[RECORD_KEY_BYTES]) BOURN_MUST_USE;
/* Opens a stored record into out, which is cleared first: for comparing and merging inside, never for an
 * answer. */
enum bourn_err record_open(struct vault *v, const struct subject *s, const struct world_collection *c,
                           uint64_t id, const struct record_row *row, struct buf *out) BOURN_MUST_USE;
const uint8_t *subject_key_of(const struct subject *s, uint32_t collection); /* NULL if there is none yet */
struct asked;
/* The collection asked for, or the 404; the fields of a comma-separated list, or the 422. */
bool collection_ask(struct vault *v, struct slice name, struct asked *q, struct answer *a);
bool fields_ask(struct asked *q, struct slice list, struct slice *out, size_t *n, struct answer *a);
/* One row of a disclosure: the bases of q's last decision and the records of `rel` from position `from` on
 * (NULL: none). */
enum bourn_err disclosed_row(struct vault *v, const struct asked *q, const struct subject *s,
                             const struct release *rel, size_t from, struct staged_row *out) BOURN_MUST_USE;
enum bourn_err disclosed_entry(struct vault *v, const struct asked *q, const struct slice *fields,
                               size_t fields_n, struct staged_row *rows, size_t rows_n,
                               struct answer *a) BOURN_MUST_USE;
/* Adds a person's records from id `from` on to a page. */
enum bourn_err release_person(struct vault *v, const struct subject *s, uint32_t collection, uint64_t from,
                              struct slice name, struct release *rel) BOURN_MUST_USE;

/* search.c */
#define PAGE_LOOKED_MAX 2000 /* people that one page looks at, whether or not the gate lets anything out */
#define PAGE_PEOPLE_MAX 500  /* people in one page of a search or bulk disclosure */

/* blind.c */
/* The bytes of a value that an index compares: decoded text of strings, the literal of others. */
void value_text(struct json_value value, struct buf *out);
bool blind_indexed(struct json_value value); /* null, arrays and objects are not */
void blind_mac(const struct vault *v, uint32_t collection, struct slice field, struct slice text,
               uint8_t out[16]);
/* Puts the blind rows of a record's searchable fields and appends their values (16 bytes each) to macs. */
enum bourn_err blind_put(struct vault *v, const struct world_collection *c, struct json_value record,
                         const uint8_t key[RECORD_KEY_BYTES], struct buf *macs) BOURN_MUST_USE;
/* Only the values. */
enum bourn_err blind_values(struct vault *v, const struct world_collection *c, struct json_value record,
                            struct buf *macs) BOURN_MUST_USE;
enum bourn_err blind_drop(struct vault *v, struct slice blinds,
                          const uint8_t key[RECORD_KEY_BYTES]) BOURN_MUST_USE;

/* consents.c */
void sort_slices(struct slice *v, size_t n);
/* Loads the person, or answers 404. */
enum bourn_err find_or_404(struct vault *v, const struct request *r, struct subject *s, struct answer *a,
                           bool *found) BOURN_MUST_USE;

/* export.c: forgets how far a person's copy has come; for erasure. */
enum bourn_err export_forget(struct vault *v, const struct subject *s) BOURN_MUST_USE;

/* reading.c: a person's look at their history. Finds the one that the statement began, or begins it with its
 * entry; *go false with the problem made. `before`: the row that it begins with, the newest one then. */
struct reading {
    uint64_t index, before, until;
};
struct signed_statement;
struct own_statement;
enum bourn_err reading_take(struct vault *v, struct subject *s, const struct asked *q,
                            const struct signed_statement *by, const struct own_statement *said,
                            struct answer *a, struct reading *out, bool *go) BOURN_MUST_USE;
enum bourn_err reading_forget(struct vault *v, const struct subject *s) BOURN_MUST_USE; /* for erasure */

/* receipt.c: what proofs are made of. The published checkpoint: `note` holds it, and *cp borrows from that.
 */
struct merkle_checkpoint;
enum bourn_err checkpoint_published(struct vault *v, struct buf *note,
                                    struct merkle_checkpoint *cp) BOURN_MUST_USE;
/* Appends ["base64",…] of hashes; {"index","row","proof"} of row i of a group, whose leaves stand in `tree`.
 */
struct merkle_leaves;
void hashes_put(struct buf *out, const struct merkle_hash *h, size_t n);
enum bourn_err row_put(struct buf *out, struct merkle_leaves *tree, size_t i,
                       struct slice row) BOURN_MUST_USE;
/* The tree over the rows of an entry (a rows_next stream). The caller releases it, after an error too. */
enum bourn_err rows_tree(struct slice group, struct merkle_leaves *out) BOURN_MUST_USE;
void base64_member(struct buf *out, const char *before,
                   struct slice bytes); /* before, "base64" with quotes */

/* settings.c: bourn.yaml. BOURN_E_FORMAT names the line. */
enum bourn_err settings_parse(struct slice text, struct settings *out) BOURN_MUST_USE;
enum bourn_err settings_read(struct io_dir *cell, struct settings *out) BOURN_MUST_USE;

/* handle.c: the token's party, or NULL: unknown, expired and ended are one answer. */
enum bourn_err token_party(struct vault *v, struct slice token, const struct gate_party **out) BOURN_MUST_USE;

/* retention.c: deletes a bounded number of records whose time is over, each in an `expired` entry. */
enum bourn_err expire(struct vault *v) BOURN_MUST_USE;

/* merge.c: a stored record as the present schema calls its fields; with `declared_only` without retired ones.
 */
void record_present(struct buf *out, const struct world_collection *c, struct json_value record,
                    bool declared_only);
/* JSON Merge Patch (RFC 7396) of `patch` onto `target` (both checked), appended to out. */
void json_merge(struct buf *out, struct json_value target, struct json_value patch);

/* idempotency.c: a write with an Idempotency-Key is answered again instead of done again. */
struct idempotency {
    uint8_t key[36], body[32];
};
/* True: the answer was made (again, or 422 for another body under the same key). */
enum bourn_err idempotency_find(struct vault *v, const struct request *r, const struct gate_party *p,
                                struct answer *a, struct idempotency *out, bool *done) BOURN_MUST_USE;
enum bourn_err idempotency_keep(struct vault *v, const struct idempotency *i,
                                const struct answer *a) BOURN_MUST_USE;
enum bourn_err idempotency_sweep(struct vault *v) BOURN_MUST_USE;

/* schema.c: checks one record against its collection. On failure false with a sentence that begins with a
 * JSON pointer and holds no value. */
bool schema_check(const struct world_collection *c, struct json_value record, struct buf *why,
                  const char **code);

/* decide.c */
struct asked { /* what the gate is asked, and its answer */
    const struct gate_party *party;
    uint32_t operation;
    const struct world_collection *collection; /* NULL: none */
    struct slice purpose;
    const struct gate_pack *packs[PACKS_MAX];
    uint64_t policy[PACKS_MAX];
    size_t packs_n;
    struct gate_output out;
};
/* Decides for the entry at next_index; person NULL: unknown. */
void decide(struct vault *v, struct asked *q, const struct person *p);
/* The deny or needs_human answer, and the refusal's entry or count. */
enum bourn_err refuse(struct vault *v, const struct asked *q, struct answer *a) BOURN_MUST_USE;
/* The same in the ledger alone: of an answer that goes on about others. times: at least 1. */
enum bourn_err refused(struct vault *v, const struct asked *q, uint64_t times) BOURN_MUST_USE;
enum bourn_err refusals_flush(struct vault *v, bool all) BOURN_MUST_USE;
/* Entry fields that stored, deleted and disclosed share. */
void entry_begin(const struct vault *v, const struct asked *q, uint32_t kind, struct entry *e);
bool crossing(const struct vault *v, const struct asked *q);

/* Handlers: one a request. `p` is the token's party, NULL where the operation needs no token. */
typedef enum bourn_err handler(struct vault *v, const struct request *r, const struct gate_party *p,
                               struct answer *a);
handler handle_records, handle_record_write, handle_import;
handler handle_search, handle_disclose, handle_lookup, handle_subject_new, handle_identifier;
handler handle_erase, handle_enrolment, handle_enrolment_look, handle_enrolment_done;
handler handle_consent_request, handle_consent, handle_consents, handle_withdraw;
handler handle_whoami, handle_ledger_file, handle_rows_file, handle_evidence;
handler handle_status, handle_party, handle_party_end, handle_parties, handle_collection, handle_collections;
handler handle_notice, handle_pack, handle_metrics, handle_export, handle_scrub, handle_receipt, handle_proof,
    handle_history, handle_config, handle_webhook;
enum bourn_err sweep(struct vault *v) BOURN_MUST_USE;

/* scrub.h: after a batch is durable; and when what was staged is gone. */
void scrub_committed(struct vault *v);
void scrub_drop(struct vault *v);

/* metrics.c: counts. */
void metrics_answer(struct vault *v, const struct answer *a);
void metrics_commit(struct vault *v, uint64_t us);
void metrics_published(struct vault *v, uint64_t signed_size);

/* create.c: a finished folder gets its name, durably; or goes. */
enum bourn_err create_publish(const char *partial, const char *path, size_t path_n) BOURN_MUST_USE;
void create_discard(const char *partial);
/* people.c: all rows by which an erased person is found go, the rest is left to the sweep. The entry, and
 * PREV_ERASED in its row, are the caller's. */
enum bourn_err erase_rows(struct vault *v, const struct subject *s) BOURN_MUST_USE;

/* restored.c: an old backup that was put back. `low`: journal frames up to it are in every derived file. */
#define RESTORED_GO_ON                                                                                       \
    "Put back the newest copy of the whole cell. If what is missing is lost, go on under a new log that "    \
    "says "                                                                                                  \
    "so: bourn init NEW --continue CELL (docs/guide/restored-backup.md)"
#define RESTORED_PUBLISHED "ledger/checkpoint"
#define RESTORED_SEEN "state/seen"
struct merkle_vkey;
/* Of what somebody has seen signed, `here` entries are here. */
enum bourn_err restored_shorter(const char *what, uint64_t size, uint64_t here) BOURN_MUST_USE;
enum bourn_err restored_check(struct vault *v, uint64_t files_size, uint64_t low) BOURN_MUST_USE;
/* Size and root of a checkpoint in the cell's folder that this key signed; size 0 if there is none. */
enum bourn_err restored_checkpoint(struct io_dir *cell, const char *path, const struct merkle_vkey *key,
                                   uint64_t *size, uint8_t root[32]) BOURN_MUST_USE;

/* desk.c: receipts and events that wait to be signed. A wish is the vault's thread's until it drops it. */
struct desk;
struct desk *desk_new(void); /* NULL: out of memory */
void desk_free(struct desk *d);
enum bourn_err desk_put(struct desk *d, uint64_t index, const struct merkle_hash *leaf, struct slice lines,
                        struct wish **out) BOURN_MUST_USE;
bool desk_waiting(struct desk *d);
typedef enum bourn_err (*desk_sign)(void *ctx, uint64_t index, const struct merkle_hash *leaf,
                                    struct slice lines, struct buf *note);
/* In the worker's thread: signs what waits. BOURN_E_CORRUPT is of one entry; other errors end it. */
enum bourn_err desk_serve(struct desk *d, desk_sign sign, void *ctx) BOURN_MUST_USE;
bool wish_done(const struct wish *x);
enum bourn_err wish_note(const struct wish *x,
                         struct slice *note) BOURN_MUST_USE; /* once done; until dropped */
void wish_drop(struct wish *x);                              /* NULL is allowed */

/* worker.c: the thread that writes the ledger's files and asks the signer. */
enum bourn_err worker_new(struct io_dir *cell, const char *origin, struct worker **out,
                          uint64_t *files_sequence, uint64_t *files_size) BOURN_MUST_USE;
/* During recovery, before it runs: append and flush in the caller's thread. */
enum bourn_err worker_catch_up(struct worker *w, struct slice entries, uint64_t sequence) BOURN_MUST_USE;
/* `held`: the head that the signer keeps is published again, and nothing else is signed until worker_let_go.
 */
enum bourn_err worker_run(struct worker *w, const struct vault_signer *s, bool held) BOURN_MUST_USE;
void worker_let_go(struct worker *w);
/* The entries of one frame, the first at index `first`. Aborts out of memory. */
void worker_push(struct worker *w, struct slice entries, uint64_t first, uint64_t sequence, bool urgent);
struct merkle_hash;
void worker_root(const struct worker *w, struct merkle_hash *root); /* over them, before it runs */
uint64_t worker_size(const struct worker *w); /* entries that the files hold or will hold after recovery */
void worker_free(struct worker *w);           /* writes what waits, joins */
/* Asks the worker for the receipt of an entry below signed_size with this leaf, or the event with these lines
 * (copied; none: a receipt); its descriptor tells when it is done. BOURN_E_LIMIT if too many wait. */
struct merkle_hash;
enum bourn_err worker_receipt(struct worker *w, uint64_t index, const struct merkle_hash *leaf,
                              struct slice lines, struct wish **out) BOURN_MUST_USE;
int worker_wait_fd(const struct worker *w);
/* The mark of the ledger's files, before they are opened: that removes what lies beyond. */
enum bourn_err worker_mark(struct io_dir *cell, uint64_t *size, uint64_t *sequence) BOURN_MUST_USE;
/* Appends the last checkpoint as it was signed; its size, 0 if there is none yet. */
uint64_t worker_note(struct worker *w, struct buf *out);
/* The same with cosignatures, to be published if it is still the last one. */
void worker_cosigned(struct worker *w, uint64_t size, struct slice note);
struct worker_state {
    uint64_t signed_ms, waiting_since_ms; /* monotonic: of the last checkpoint; since when entries wait */
    uint64_t files_size, files_sequence, signed_size; /* entries in files; last frame in files; published */
    uint64_t served_size; /* of the newest checkpoint that anybody can have: it is signed, and may be on disk
                             already */
    bool failed;          /* fatal: `why` says so */
    bool full;            /* no space; it tries again */
    size_t backlog_bytes; /* durable entries that wait for their files */
};
void worker_state(struct worker *w, struct worker_state *out);
enum bourn_err worker_failure(struct worker *w) BOURN_MUST_USE; /* once `failed`: as an error */

#endif
