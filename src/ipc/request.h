/* What front and the commands ask of vault, and what vault answers: one request and one reply type, with a
 * table that says which operation carries which fields and who may send it. The same bytes travel through the
 * rings and through admin.sock (there with a 4-byte big-endian length before each message).
 *
 * Decoding is strict: a field that the operation does not carry, a missing one, a length over its limit or
 * bytes left over are an error, and the receiver drops the sender (in a ring: dies). */
#ifndef BOURN_IPC_REQUEST_H
#define BOURN_IPC_REQUEST_H

#include "base/buf.h"

enum req_op {
    REQ_HEALTH = 1, /* front, admin */
    REQ_RECORDS, /* list records of a subject's collection: token purpose subject collection; number: cursor
                  */
    REQ_RECORD,  /* one record: … number: record id */
    REQ_RECORD_NEW,      /* POST: … body */
    REQ_RECORD_PUT,      /* … number body; version: If-Match, 0 for none */
    REQ_RECORD_DELETE,   /* … number; version */
    REQ_ERASE,           /* token subject */
    REQ_ENROLMENT,       /* new code: token subject */
    REQ_ENROLMENT_LOOK,  /* body {"code"}: origin and label for the proof of possession */
    REQ_ENROLMENT_DONE,  /* body {"code","statement","signature","public_key"} */
    REQ_CONSENT_REQUEST, /* token subject body: a statement to sign */
    REQ_CONSENT,         /* token subject body: signed statement */
    REQ_CONSENTS,        /* token subject: list */
    REQ_WITHDRAW,        /* token subject number */
    REQ_WHOAMI,          /* token: the party's own entry */
    REQ_LEDGER_FILE,     /* path below the prefix; public ones without token */
    REQ_ROWS_FILE,       /* path "tile/rows/…": token with `audit`; number: the first byte wanted */
    REQ_EVIDENCE,        /* token purpose body {"from","to"} */
    REQ_IMPORT, /* front, admin: token purpose collection; path: the subject field's name; body NDJSON; number
                   of the first line */
    REQ_ADMIN_STATUS,     /* admin only, from here: peer credentials were checked */
    REQ_ADMIN_PARTY,      /* body JSON: name kind jurisdiction legal_name contact purposes[{purpose,ground}]
                             rights[]      days; answers {"token","index"} */
    REQ_ADMIN_PARTY_END,  /* path: name */
    REQ_ADMIN_PARTIES,    /* list */
    REQ_ADMIN_COLLECTION, /* body JSON schema; a new one, or a changed one (takes effect after the delay) */
    REQ_ADMIN_COLLECTIONS,
    REQ_ADMIN_NOTICE, /* body JSON: name language text */
    REQ_ADMIN_PACK,   /* body: uint32 BE length of yaml || yaml || rules */
    REQ_RECORD_PATCH, /* RFC 7396: as put */
    REQ_SEARCH,       /* token purpose body; number: cursor */
    REQ_DISCLOSE,     /* token purpose body; number: cursor; answers one page of NDJSON */
    REQ_LOOKUP,       /* token body {"identifier"}: opaque id, whether or not it is known */
    REQ_SUBJECT_NEW,  /* token body {"identifiers"} */
    REQ_IDENTIFIER,   /* token subject body {"identifier"}: one more for the same person */
    REQ_METRICS,      /* front (for its listener of its own), admin */
    REQ_EXPORT,       /* body: signed statement, which is the credential; number: page; answers NDJSON */
    REQ_ADMIN_SCRUB,  /* admin only; version: a number that stands for this scrub; number: where it goes on */
    REQ_RECEIPT,      /* token; number: index of an entry of the party */
    REQ_PROOF,        /* the same */
    REQ_HISTORY, /* subject body: signed statement, which is the credential; number: index of the row that the
                    page begins with, version: size of the tree that it is proved in */
    REQ_ADMIN_CONFIG,  /* body JSON: settings to change, each a string; answers all of them */
    REQ_ADMIN_WEBHOOK, /* path: name of a party; body: the URL where it is told of disclosures, none: it is
                          not */
    REQ_OP_MAX = REQ_ADMIN_WEBHOOK,
};
enum req_sender { REQ_FROM_FRONT = 1, REQ_FROM_ADMIN = 2 };

struct request {
    uint64_t id; /* chosen by the sender, comes back in the reply */
    uint32_t op;
    uint64_t number, version;
    struct slice token, purpose, subject, collection, path, body;
    struct slice fields; /* names joined by commas: only these of a record */
    struct slice key;    /* Idempotency-Key of a write */
};

enum reply_type { REPLY_NONE, REPLY_JSON, REPLY_OCTETS, REPLY_TEXT, REPLY_CBOR_SEQ, REPLY_NDJSON };
#define REPLY_NO_RECEIPT UINT64_MAX
struct reply {
    uint64_t id;
    uint32_t status;    /* HTTP status code */
    uint32_t type;      /* of body */
    uint64_t receipt;   /* index of the entry, or REPLY_NO_RECEIPT */
    uint64_t etag;      /* version of the record, 0 for none */
    uint32_t immutable; /* 1: a full tile or bundle, may be cached for ever */
    uint64_t next;      /* the same request with this number goes on where this answer ends; 0: it is whole */
    struct slice code;  /* stable word of the problem (a-z 0-9 _), exactly when status is 400 or more */
    struct slice detail;  /* sentence, no personal data, no JSON escapes needed: UTF-8; empty on success */
    struct slice missing; /* JSON array for problem+json, or empty; empty on success */
    struct slice body;    /* released plaintext may stand here: the ring wipes it */
};

/* Writes the fields that are set (a slice that is not empty, a number that is not 0), and the numbers that
 * the operation needs. r->op must be one of enum req_op. Whether they are the right fields is the receiver's
 * check: what a person typed must be checked before, or the receiver takes the sender for broken. */
void request_encode(struct buf *out, const struct request *r);
/* Slices borrow from `in`. BOURN_E_FORMAT (malformed) or BOURN_E_DENIED (this sender may not send it). */
enum bourn_err request_decode(struct slice in, enum req_sender from, struct request *r) BOURN_MUST_USE;
void reply_encode(struct buf *out, const struct reply *r);
void reply_encode_head(struct buf *out, const struct reply *r); /* all but the body, which ends it */
enum bourn_err reply_decode(struct slice in, struct reply *r) BOURN_MUST_USE;
const char *request_op_name(uint32_t op); /* "records"; for logs */

#endif
