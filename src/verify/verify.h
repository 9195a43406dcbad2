/* Replay: reads a ledger as a stranger finds it, and recomputes every hash, chain, signature and decision
 * through the same gate that the vault used. One verdict a clause of the pledge; nothing that was not
 * examined is called holding. docs/formats/verify.md says which check speaks for which clause. */
#ifndef BOURN_VERIFY_VERIFY_H
#define BOURN_VERIFY_VERIFY_H

#include "cbor/entry.h"
#include "merkle/merkle.h"

enum verify_clause {
    CLAUSE_P0,
    CLAUSE_K1,
    CLAUSE_K2,
    CLAUSE_K3,
    CLAUSE_K4,
    CLAUSE_K5,
    CLAUSE_C1,
    CLAUSE_C2,
    CLAUSE_C3,
    CLAUSE_C4,
    CLAUSE_H1,
    CLAUSE_H2,
    CLAUSE_H3,
    CLAUSE_T1,
    CLAUSE_T2,
    CLAUSE_T3,
    CLAUSE_T4,
    CLAUSE_S1,
    CLAUSE_S2,
    CLAUSE_S3,
    CLAUSE_V1,
    CLAUSE_V2,
    CLAUSE_V3,
    VERIFY_CLAUSES,
};
enum verify_verdict {
    VERDICT_NO_ENTRIES, /* nothing in the log speaks for the clause yet */
    VERDICT_HOLDS,
    VERDICT_ERASED, /* undecidable because erased */
    VERDICT_NOT_PROVABLE,
    VERDICT_NOT_EXAMINED,
    VERDICT_VIOLATED,
};

#define VERIFY_FINDINGS_MAX 100
#define VERIFY_PACKS_MAX 64
#define VERIFY_JOBS_MAX 64
struct verify_finding {
    enum verify_clause clause;
    bool is_size; /* `at` is a tree size: only an earlier head or the root convicts */
    uint64_t at;  /* index of the entry */
    uint64_t seq; /* order among those of one position */
    char reason[192];
};
struct verify_clause_count {
    uint64_t examined, violated, not_examined, unpinned;
    uint64_t erased[4]; /* by who asked for the erasure: 1 the person, 2 a party, 3 the operator */
};
struct verify_pack {
    char name[65];
    uint64_t index, version;
    size_t rules, unreviewed;
    bool pinned;
    uint8_t pin[32];
};
struct verify_report {
    enum verify_verdict verdict[VERIFY_CLAUSES];
    struct verify_clause_count count[VERIFY_CLAUSES];
    struct verify_finding finding[VERIFY_FINDINGS_MAX]; /* those with the lowest positions, ascending */
    size_t findings_n;
    uint64_t violations; /* all of them */
    char origin[MERKLE_ORIGIN_BYTES_MAX + 1];
    uint64_t size; /* of the checkpoint */
    struct merkle_hash root;
    uint64_t entries, delay_s;
    bool have_checkpoint, rows_given, evidence_given;
    uint64_t heads;                              /* earlier heads that this log extends */
    char continues[MERKLE_ORIGIN_BYTES_MAX + 1]; /* the log that it goes on for; empty: none */
    uint64_t continues_at, continues_known;      /* from which entry on; entries that that one had */
    uint64_t receipts;                           /* kept receipts and proofs whose entry and tree are in it */
    bool policy_given;
    uint64_t witnessed;     /* entries that hold cosignatures */
    uint64_t cosigned_size; /* the largest size that a quorum of the given policy has cosigned; 0: none */
    uint64_t people, erased_people;
    uint64_t disclosures, transfers;       /* rows: one a person; those that cross the market's border */
    uint64_t by_grade[6];                  /* disclosures by enum grade of the basis */
    uint64_t by_voucher[5];                /* subject-signed ones by enum voucher of the key */
    uint64_t readings;                     /* that people looked at their history */
    uint64_t copies, copies_by_voucher[5]; /* that people took themselves; by enum voucher of the key */
    uint64_t evidence_opened, evidence_erased, evidence_refused;
    uint64_t evidence_missing; /* withheld for people who are not erased */
    struct verify_pack pack[VERIFY_PACKS_MAX];
    size_t packs_n;
    uint64_t fetched; /* files read, or asked of the server: checkpoints, tiles, bundles and rows */
    char error[512];  /* what could not be read and where; empty if all was */
};

struct verify_options {
    const char *source;        /* folder, or http(s) URL, of a ledger */
    const char *rows;          /* folder of rows; NULL: not given */
    const char *evidence;      /* file; NULL: not given */
    const char *token;         /* with a URL: asks it for rows and evidence; NULL: no layer but the entries */
    const char *purpose;       /* with a token: the party's purpose; NULL: its only one */
    const char *save_evidence; /* with a token: file for what the URL opened; NULL */
    struct merkle_vkey key;
    const uint8_t (*pins)[32];
    size_t pins_n;
    const char *continues, *continues_rows; /* a copy of the log that this one continues; NULL: not given */
    const struct slice *heads;              /* earlier signed checkpoints */
    size_t heads_n;
    const struct merkle_receipt *kept; /* receipts and proofs from earlier, opened: what the log's key said */
    const struct slice *kept_events;   /* of each the lines of an event, none for others; NULL: none is one */
    size_t kept_n;
    const struct merkle_policy *policy; /* witnesses that the user trusts; NULL: not given */
    unsigned jobs;                      /* threads, at most VERIFY_JOBS_MAX; 0: as many as there are cores */
    bool stays;                         /* more rounds may follow (verify_round) */
    bool ends;      /* the process ends behind this one, its only one: what was kept of people is left to the
                       system */
    bool structure; /* hashes, forms, rows and chains alone: what else there is was not examined */
    void (*progress)(void *ctx, uint64_t entries, uint64_t size); /* now and then, from any thread; NULL */
    void *ctx;
    struct buf *save_head; /* gets the checkpoint as it was read if the tree under it is sound; NULL */
};

/* Replays. Fails (with err_text) only where nothing can be said at all: out of memory, a wrong option. What
 * cannot be read stands in out->error, what is wrong in out->finding. */
enum bourn_err verify_run(const struct verify_options *o, struct verify_report *out) BOURN_MUST_USE;

/* Checks what GET /v1/ledger/proof/{index} answered, offline: the entry is in the tree that the log's key
 * signed, each row is one of the entry's, and all of them are there. *rows is their number. The log's word
 * for the same as a receipt in *out. BOURN_E_FORMAT (malformed), BOURN_E_CRYPTO (does not hold). */
enum bourn_err verify_proof(struct slice json, const struct merkle_vkey *key, struct merkle_receipt *out,
                            uint64_t *rows) BOURN_MUST_USE;
/* A replay that stays. verify_open gives a replay that is to be closed even if it fails; NULL only out of
 * memory. Each round reads the checkpoint, holds it against the one before (it must extend it), and replays
 * what is new; its error is what could not be read. What could not be read may be there in the next round,
 * but after an error of a torn replay only a new one, with verify_head among its earlier heads, can say more.
 * `o` must live on. */
struct replay;
enum bourn_err verify_open(const struct verify_options *o, struct replay **out) BOURN_MUST_USE;
enum bourn_err verify_round(struct replay *v) BOURN_MUST_USE;
bool verify_torn(const struct replay *v);
struct slice verify_head(const struct replay *v); /* the signed checkpoint that it holds; empty at first */
struct slice verify_read_last(const struct replay *v); /* the last one read: where it forked, the other one */
/* The report so far; err is what the last round answered, err_text() why. */
void verify_settle(struct replay *v, enum bourn_err err, struct verify_report *out);
void verify_close(struct replay *v);

/* 0 nothing violated and only erasure left anything undecided; 1 violated; 2 unreadable, not examined or
 * unpinned. */
int verify_exit_code(const struct verify_report *r);
const char *verify_clause_id(enum verify_clause c);     /* "S3" */
const char *verify_verdict_name(enum verify_verdict v); /* "violated" */
void verify_report_text(struct buf *out, const struct verify_report *r);
void verify_report_json(struct buf *out, const struct verify_report *r);

#endif
