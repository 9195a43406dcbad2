/* Statements that people sign: canonical JSON (RFC 8785), field names after ISO/IEC TS 27560 where it has
 * them. A statement is signed over SHA-256 of its canonical bytes. docs/formats/statements.md describes the
 * four kinds. */
#ifndef BOURN_CONSENT_CONSENT_H
#define BOURN_CONSENT_CONSENT_H

#include "base/arena.h"
#include "base/buf.h"

#define CONSENT_ITEMS_MAX 16

struct consent_recipient {
    struct slice name, legal_name, country, contact;
    uint8_t party_hash[32]; /* SHA-256 of the bytes of the recipient's party entry */
};
struct consent_purpose {
    struct slice term;        /* DPV term */
    struct slice description; /* consent_purpose_words(term), as the person reads them; others are refused */
};
struct consent_statement {
    struct slice origin, domicile, controller, controller_contact;
    uint8_t label[16];
    uint8_t nonce[16];        /* record_id: 16 random bytes, so that a statement can be used once */
    uint64_t issued, expires; /* POSIX seconds, UTC */
    struct consent_purpose purposes[CONSENT_ITEMS_MAX];
    size_t purposes_n;
    struct consent_recipient recipients[CONSENT_ITEMS_MAX];
    size_t recipients_n;
    struct slice destinations[CONSENT_ITEMS_MAX]; /* countries, ascending, each once */
    size_t destinations_n;
    struct slice collections[CONSENT_ITEMS_MAX]; /* ascending, each once */
    size_t collections_n;
    struct slice notice_name, notice_language;
    uint64_t notice_version;
    uint8_t notice_hash[32];
};
struct key_statement {
    struct slice origin;
    uint8_t label[16];
    uint8_t code_hash[32]; /* SHA-256 of the enrolment code's bytes */
    uint8_t public_key[32];
    uint64_t time;
};
struct own_statement { /* asks for what is the person's own: a copy of all records, or their history */
    struct slice origin;
    uint8_t label[16];
    uint8_t nonce[16]; /* record_id, as in a consent statement */
    uint64_t issued;
};

/* Re-writes any JSON text in canonical form (RFC 8785; numbers must be integers of at most 2^53). */
enum bourn_err consent_canonical(struct slice json, struct buf *out) BOURN_MUST_USE;

void consent_statement_put(struct buf *out, const struct consent_statement *s); /* canonical bytes */
/* Parses canonical bytes; anything unknown, missing, doubled, unordered or not canonical is BOURN_E_FORMAT
 * with a JSON pointer in err_text(). Strings are decoded into the arena. */
enum bourn_err consent_statement_get(struct slice canonical, struct arena *a,
                                     struct consent_statement *s) BOURN_MUST_USE;
void key_statement_put(struct buf *out, const struct key_statement *s);
enum bourn_err key_statement_get(struct slice canonical, struct arena *a,
                                 struct key_statement *s) BOURN_MUST_USE;
void export_statement_put(struct buf *out, const struct own_statement *s);
enum bourn_err export_statement_get(struct slice canonical, struct arena *a,
                                    struct own_statement *s) BOURN_MUST_USE;

void history_statement_put(struct buf *out, const struct own_statement *s);
enum bourn_err history_statement_get(struct slice canonical, struct arena *a,
                                     struct own_statement *s) BOURN_MUST_USE;

/* SHA-256 of the canonical bytes: what is signed. */
void consent_digest(uint8_t out[32], struct slice canonical);
void consent_sign(uint8_t signature[64], struct slice canonical, const uint8_t secret[64]);
/* BOURN_E_CRYPTO if the key is unfit (small order) or the signature is not of this key over these bytes. */
enum bourn_err consent_verify(struct slice canonical, struct slice signature,
                              struct slice public_key) BOURN_MUST_USE;
/* The same, and remembers the keys that are fit: that one is takes longer to show than that the signature is
 * good. */
struct crypto_sound_keys;
enum bourn_err consent_verify_again(struct crypto_sound_keys *known, struct slice canonical,
                                    struct slice signature, struct slice public_key) BOURN_MUST_USE;

/* Whether a name or contact can stand in a statement: one line of text that shows as it is, without control
 * characters and marks that turn the direction of writing. */
bool consent_line_ok(struct slice text);

/* The statement in words, as shown before signing (English). */
void consent_in_words(struct buf *out, const struct consent_statement *s);
/* Plain words for a DPV purpose term, e.g. "research and development"; the term's own name split at capitals
 * where no better text is known. Static or written into out. */
void consent_purpose_words(struct buf *out, struct slice term);

/* The wire form that `bourn consent sign` writes and POST …/consents takes:
 * {"public_key":base64url,"signature":base64url,"statement":{…}}; an operator-attested one has statement
 * alone. */
struct signed_statement {
    struct slice canonical;             /* in the arena */
    struct slice signature, public_key; /* 64 and 32 bytes in the arena, or both empty */
};
enum bourn_err signed_statement_get(struct slice json, struct arena *a,
                                    struct signed_statement *out) BOURN_MUST_USE;
void signed_statement_put(struct buf *out, const struct signed_statement *s);

#endif
