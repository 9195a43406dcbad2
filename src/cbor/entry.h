/* Ledger entries, rows and evidence: typed forms of the canonical CBOR that docs/formats/ledger.cddl
 * describes.
 *
 * An entry, a row and an evidence are each a CBOR map with small unsigned keys, ascending. The keys are one
 * dictionary for all kinds; a table per kind says which are required, optional or refused. Field numbers are
 * never reused. Slices in decoded structs borrow from the input; arrays live in the arena. */
#ifndef BOURN_CBOR_ENTRY_H
#define BOURN_CBOR_ENTRY_H

#include "base/arena.h"
#include "cbor/cbor.h"

enum entry_kind {
    ENTRY_GENESIS = 1,
    ENTRY_POLICY = 2,
    ENTRY_COLLECTION = 3,
    ENTRY_CONFIG = 4,
    ENTRY_PARTY = 5,
    ENTRY_NOTICE = 6,
    ENTRY_ENROLLED = 7,
    ENTRY_KEY = 8,
    ENTRY_CONSENT = 9,
    ENTRY_WITHDRAWN = 10,
    ENTRY_APPROVAL = 11, /* reserved from here where not written yet: 11, 12, 17, 18, 22-24, 26-29 */
    ENTRY_REVOKED = 12,
    ENTRY_STORED = 13,
    ENTRY_DELETED = 14,
    ENTRY_DISCLOSED = 15,
    ENTRY_REFUSED = 16,
    ENTRY_REQUEST = 17,
    ENTRY_ANSWERED = 18,
    ENTRY_ERASED = 19,
    ENTRY_EXPIRED = 20,
    ENTRY_EXPORTED = 21,
    ENTRY_RECEIVED = 22,
    ENTRY_LEASE = 23,
    ENTRY_EPOCH = 24,
    ENTRY_WITNESSED = 25,
    ENTRY_RELEASE = 26,
    ENTRY_ADVISORY = 27,
    ENTRY_BEHAVIOUR = 28,
    ENTRY_INCIDENT = 29,
    ENTRY_CONTINUED = 30, /* the log goes on under another origin and key: all before it is the old one's */
    ENTRY_CARRIED = 31,   /* directly behind: what the old log says after that place, withdrawn or erased */
    ENTRY_KIND_MAX = 31,
};

/* Codes that stand in entries, rows and gate results alike. */
enum grade { /* of a basis */
             GRADE_SUBJECT_SIGNED = 1,
             GRADE_AUTHORITY_SIGNED = 2,
             GRADE_OPERATOR_ATTESTED = 3,
             GRADE_GROUND = 4,
             GRADE_SELF = 5,
};
enum voucher { /* who vouched that a key is the person's */
               VOUCHER_NONE = 0,
               VOUCHER_KEY = 1,       /* an earlier key of the person; reference: index of its key entry */
               VOUCHER_REGISTRAR = 2, /* an independent registrar; reference: index of its party entry */
               VOUCHER_APP = 3,      /* an app that asked for the code; reference: index of its party entry */
               VOUCHER_OPERATOR = 4, /* reference: 0 */
};
enum operation { /* what is asked of the gate */
                 OP_READ = 1,
                 OP_SEARCH = 2,
                 OP_WRITE = 3,
                 OP_DELETE = 4,
                 OP_EVIDENCE = 5,
                 OP_SELF = 6,
};
enum right { /* bits */
             RIGHT_READ = 1,
             RIGHT_WRITE = 2,
             RIGHT_CONSENT = 4,
             RIGHT_ENROL = 8,
             RIGHT_ERASE = 16,
             RIGHT_SEARCH = 32,
             RIGHT_LINK = 64,
             RIGHT_AUDIT = 128,
             RIGHT_ALL = 255,
};
enum field_type {
    FIELD_TEXT = 1,
    FIELD_INTEGER,
    FIELD_DECIMAL,
    FIELD_BOOLEAN,
    FIELD_DATE,
    FIELD_DATETIME,
    FIELD_JSON
};
enum field_flag { FIELD_REQUIRED = 1, FIELD_SENSITIVE = 2, FIELD_SEARCHABLE = 4 };

struct entry_purpose {
    struct slice purpose;
    struct slice ground; /* empty: none declared */
};
struct entry_field {
    struct slice name;
    uint32_t type;  /* enum field_type */
    uint32_t flags; /* enum field_flag bits */
};
struct entry_rename {
    struct slice was, now; /* names of a field */
};
struct entry_setting {
    struct slice name, value; /* text */
};

/* Keys of the entry map. E_KIND, E_TIME, E_SALT stand in every entry. */
enum entry_key {
    E_KIND = 1,
    E_TIME = 2,  /* POSIX seconds */
    E_SALT = 3,  /* 16 random bytes */
    E_COUNT = 4, /* rows of the entry; in `refused` the number of refusals */
    E_ROOT = 5,  /* RFC 6962 root over the rows */
    E_PARTY = 6, /* index of the acting party's entry */
    E_PURPOSE = 7,
    E_COLLECTION = 8, /* name */
    E_DESTINATION = 9,
    E_POLICY = 10,    /* indices of the policy entries in force, ascending */
    E_OPERATION = 11, /* exported: read, and what the person took are rows of the ledger, no records */
    E_CODE = 12,
    E_NAME = 13, /* of party, collection, notice or pack */
    E_LEGAL_NAME = 14,
    E_CONTACT = 15,
    E_JURISDICTION = 16,
    E_PARTY_KIND = 17,
    E_KEYS = 18, /* public keys, 32 bytes each: of the log (genesis) or the party */
    E_RIGHTS = 19,
    E_PURPOSES = 20,
    E_ENDS = 21, /* party: index of the party entry that this one ends */
    E_ORIGIN = 22,
    E_DOMICILE = 23,
    E_DELAY = 24,  /* seconds before a changed policy or schema takes effect */
    E_FORMAT = 25, /* format version of the log */
    E_YAML = 26,
    E_RULES = 27,           /* compiled pack: canonical CBOR in a byte string */
    E_FIELDS_DECLARED = 28, /* collection: the schema */
    E_RETENTION = 29,       /* seconds; 0: no limit declared */
    E_VERSION = 30,         /* of a pack, notice or schema, from 1 */
    E_LANGUAGE = 31,
    E_HASH = 32,      /* notice: SHA-256 of its text */
    E_SETTINGS = 33,  /* config */
    E_FIELDS = 34,    /* disclosed: names of the fields released; absent: whole records */
    E_ASKED_BY = 35,  /* erased, carried: 1 the person, 2 a party, 3 the operator */
    E_CAUSE = 36,     /* erased: a word, e.g. "request" */
    E_SENSITIVE = 37, /* collection: it holds sensitive data */
    E_RENAMED = 38,   /* collection: fields that had another name before, pairs of old and new */
    E_TREE_SIZE = 50, /* witnessed: size and root of the checkpoint that was cosigned … */
    E_TREE_ROOT = 51,
    E_COSIGNATURES = 52, /* … and the signature lines of the witnesses (C2SP tlog-cosignature) */
    /* 39 to 49 and 53 to 59 are free */
    E_CONTINUES = 60, /* continued: origin of the old log */
    E_KNOWN = 61,     /* continued: entries that the old log is known to have, E_HASH being its root there */
    E_FROM = 62,      /* carried: index of the entry in the old log */
    E_KEY_MAX = 62,
};

struct entry {
    uint32_t kind;
    uint64_t time;
    uint8_t salt[16];
    uint64_t has; /* bit k: key k is present (bits 1..3 always) */
    uint64_t count;
    uint8_t root[32];
    uint64_t party;
    struct slice purpose, collection, destination;
    const uint64_t *policy;
    size_t policy_n;
    uint32_t operation;
    struct slice code, name, legal_name, contact, jurisdiction, party_kind;
    const struct slice *keys;
    size_t keys_n;
    uint32_t rights;
    const struct entry_purpose *purposes;
    size_t purposes_n;
    uint64_t ends;
    struct slice origin, domicile;
    uint64_t delay, format;
    struct slice yaml, rules;
    const struct entry_field *fields_declared;
    size_t fields_declared_n;
    uint64_t retention, version;
    struct slice language;
    uint8_t hash[32];
    const struct entry_setting *settings;
    size_t settings_n;
    const struct slice *fields;
    size_t fields_n;
    uint32_t asked_by;
    struct slice cause;
    bool sensitive;
    const struct entry_rename *renamed;
    size_t renamed_n;
    struct slice continues;
    uint64_t known, from;
    uint64_t tree_size;
    uint8_t tree_root[32];
    struct slice cosignatures;
};
static inline bool entry_has(const struct entry *e, enum entry_key k)
{
    return e->has >> k & 1;
}
static inline void entry_set(struct entry *e, enum entry_key k)
{
    e->has |= (uint64_t)1 << k;
}

/* BOURN_E_FORMAT with the reason if the entry breaks the table of its kind or a limit. What comes from
 * outside is checked before it is encoded: what is durable must be readable for ever. */
enum bourn_err entry_check(const struct entry *e) BOURN_MUST_USE;
/* Appends the canonical encoding. Aborts on what entry_check refuses; bits 1..3 of `has` are implied. */
void entry_encode(struct buf *out, const struct entry *e);
/* BOURN_E_FORMAT with the reason; BOURN_E_UNAVAILABLE for a kind from a newer format (well-formed map,
 * unknown or reserved kind; e->kind, time, salt are set then). */
enum bourn_err entry_decode(struct slice in, struct arena *a, struct entry *e) BOURN_MUST_USE;
/* The same for one of many that lie in the arena together: most entries of a log say the same as one a little
 * before them behind time, salt, count and root. Where those bytes are the same, *out is the entry that they
 * were decoded to before, and is shared: whoever looks at it puts the front of the one that is meant into it
 * first. NULL out of memory. The memo starts zeroed, and again whenever the arena is reset or the bytes go.
 */
enum { ENTRY_MEMO_SLOTS = 16 };
struct entry_memo {
    struct entry_like {
        struct entry *e;
        struct slice rest; /* bytes behind its front … */
        uint64_t pairs;    /* … and pairs in all */
    } slot[ENTRY_MEMO_SLOTS];
};
struct entry_front {
    uint64_t time, count;
    const uint8_t *salt, *root; /* in the input; NULL: the entry is not shared */
};
enum bourn_err entry_decode_like(struct slice in, struct arena *a, struct entry_memo *memo,
                                 struct entry **out, struct entry_front *front) BOURN_MUST_USE;
static inline void entry_front_put(struct entry *e, const struct entry_front *f)
{
    if (!f->salt)
        return;
    e->time = f->time;
    e->count = f->count;
    memcpy(e->salt, f->salt, sizeof e->salt);
    memcpy(e->root, f->root, sizeof e->root);
}
/* Whether entries of this kind carry rows (E_COUNT and E_ROOT). */
bool entry_kind_has_rows(uint32_t kind);
/* Whether a verdict reads it, though it is about nobody: what gate/world.h keeps. */
static inline bool entry_kind_of_world(uint32_t kind)
{
    return (kind >= ENTRY_GENESIS && kind <= ENTRY_NOTICE) || kind == ENTRY_CONTINUED;
}
const char *entry_kind_name(uint32_t kind); /* "genesis"; NULL if unknown */

/* Keys of a row map. R_LABEL, R_PREV, R_SALT stand in every row. */
enum row_key {
    R_LABEL = 1, /* 16 random bytes made at enrolment */
    R_PREV = 2,  /* index of the last entry with a row of this label; null at first */
    R_SALT = 3,
    R_DOMICILE = 4,
    R_KEY_COMMIT = 5, /* enrolled: commitment to the subject key */
    R_EVIDENCE = 6,   /* HMAC-SHA256(32-byte salt, domain || evidence) */
    R_BASES = 7,
    R_PURPOSES = 8,
    R_RECIPIENTS = 9, /* indices of party entries, ascending */
    R_DESTINATIONS = 10,
    R_COLLECTIONS = 11,
    R_EXPIRES = 12,
    R_NOTICE = 13, /* index of the notice entry */
    R_GRADE = 14,
    R_CONSENT = 15, /* withdrawn: index of the consent entry */
    R_STORED = 16,  /* stored: id, version, commitment a record */
    R_RECORDS = 17, /* disclosed, deleted, expired, exported: id and version a record */
    R_VOUCHER = 18, /* key: kind and reference */
    R_ACTION = 19,  /* key: 1 added, 2 replaces, 3 revoked */
    R_KEY = 20,     /* key (replaces, revoked), consent (subject-signed), exported: the key entry meant */
    R_ISSUED = 21,  /* consent, exported: time of issue in the statement */
    R_COPY = 22,    /* exported: index of the entry that the copy began with; absent in that one */
    R_KEY_MAX = 22,
};
struct row_basis {
    uint32_t grade; /* enum grade */
    uint64_t index; /* of the consent or approval entry; of the party entry for a ground */
};
struct row_record {
    uint64_t id, version;
    uint8_t commit[32]; /* R_STORED only: SHA-256(row salt || SHA-256(nonce || ciphertext || tag)) */
};
struct row {
    uint64_t has;
    uint8_t label[16];
    uint64_t prev; /* UINT64_MAX: null */
    uint8_t salt[16];
    struct slice domicile;
    uint8_t key_commit[32], evidence[32];
    const struct row_basis *bases;
    size_t bases_n;
    const struct slice *purposes, *destinations, *collections;
    size_t purposes_n, destinations_n, collections_n;
    const uint64_t *recipients;
    size_t recipients_n;
    uint64_t expires, issued, notice, consent, key, copy;
    uint32_t grade, action, voucher;
    uint64_t voucher_ref;
    const struct row_record *stored, *records;
    size_t stored_n, records_n;
};
static inline bool row_has(const struct row *r, enum row_key k)
{
    return r->has >> k & 1;
}
static inline void row_set(struct row *r, enum row_key k)
{
    r->has |= (uint64_t)1 << k;
}

enum bourn_err row_check(uint32_t kind, const struct row *r) BOURN_MUST_USE; /* like entry_check */
void row_encode(struct buf *out, uint32_t kind, const struct row *r);
enum bourn_err row_decode(struct slice in, uint32_t kind, struct arena *a, struct row *r) BOURN_MUST_USE;
/* A file or stream of rows: big-endian uint32 length || row, repeated. *at starts at 0; false at the end or
 * on a broken length (then *at is not in.n). */
bool rows_next(struct slice in, size_t *at, struct slice *row);
/* The label that a row begins with, read from its bytes alone; false: they are no row's. */
bool row_label(struct slice row, uint8_t label[16]);
bool row_is_of(struct slice row, const uint8_t label[16]);
/* An entry bundle (tlog-tiles): big-endian uint16 length || entry, repeated. Same conventions. */
bool bundle_next(struct slice in, size_t *at, struct slice *entry);
/* tile/rows/<N>: for each entry of the bundle, big-endian uint32 length || the rows of entry i (itself a
 * stream for rows_next; length 0 for entries without rows). Same conventions. */
bool row_groups_next(struct slice in, size_t *at, struct slice *group);

/* Evidence: what a replay opens. */
enum evidence_kind { EVIDENCE_CONSENT = 1, EVIDENCE_KEY = 2, EVIDENCE_EXPORT = 3, EVIDENCE_HISTORY = 4 };
struct evidence {
    uint32_t kind;           /* enum evidence_kind */
    struct slice statement;  /* canonical JSON (RFC 8785) */
    struct slice signature;  /* 64 bytes, or empty for an operator-attested consent */
    struct slice public_key; /* 32 bytes, or empty together with the signature */
};
void evidence_encode(struct buf *out, const struct evidence *e);
enum bourn_err evidence_decode(struct slice in, struct evidence *e) BOURN_MUST_USE;
/* The domain prefix of the commitment: R_EVIDENCE = HMAC-SHA256(salt, EVIDENCE_DOMAIN || evidence). */
#define EVIDENCE_DOMAIN "bourn evidence v1\n"

/* One answer of POST <prefix>/evidence, and one item of a saved evidence file: a CBOR sequence (RFC 8742) of
 * maps {1: entry index, 2: label, 3: status, 4: salt (32 bytes), 5: evidence}; 4 and 5 only with status
 * OPENED. */
enum evidence_status { EVIDENCE_OPENED = 1, EVIDENCE_ERASED = 2, EVIDENCE_REFUSED = 3 };
struct opened {
    uint64_t index;
    uint8_t label[16];
    uint32_t status;
    uint8_t salt[32];
    struct slice evidence;
};
void opened_encode(struct buf *out, const struct opened *o);
/* Takes the next item of the sequence from *in; BOURN_E_NOT_FOUND at the end. */
enum bourn_err opened_next(struct slice *in, struct opened *o) BOURN_MUST_USE;

#endif
