/* The index of the vault: ordered keys and values in spaces, read and changed through one open transaction.
 *
 * Kept narrow on purpose (a distributed engine comes later). One thread owns a store. Writes are visible to
 * reads at once and become durable together at store_commit; what was not committed when the process dies is
 * replayed from the journal, which is the durable truth. */
#ifndef BOURN_STORE_STORE_H
#define BOURN_STORE_STORE_H

#include "base/err.h"
#include "base/slice.h"

enum store_space {
    STORE_META,     /* "applied" and other words -> value */
    STORE_WORLD,    /* entry index (8) -> entry bytes that the world needs */
    STORE_ID,       /* HMAC of an identifier (32) -> subject number (8) */
    STORE_LABEL,    /* label (16) -> subject number (8) */
    STORE_PERSON,   /* subject number (8) -> sealed state; with collection number (4) and record id (8) behind
                       it
                       -> sealed record */
    STORE_EVIDENCE, /* subject number (8), entry index (8) -> sealed salt and evidence */
    STORE_TOKEN,    /* SHA-256 of a token (32) -> party index (8), expiry (8) */
    STORE_CODE,     /* SHA-256 of an enrolment code (32) -> subject number, party index, expiry */
    STORE_USED,     /* SHA-256 of a statement (32) -> entry index (8): accepted once for ever */
    STORE_NOTICE,   /* index of the notice entry (8) -> its text */
    STORE_SWEEP,    /* subject number (8) of an erased person whose rows are not all deleted yet -> empty */
    STORE_BLIND,    /* blind value (16), record key (20) -> empty: equality search */
    STORE_EXPIRY,   /* POSIX second (8), record key (20) -> empty: retention */
    STORE_CONSENTED,  /* party index (8), subject number (8) -> empty: who ever consented to this recipient */
    STORE_IDEMPOTENT, /* day (4), HMAC of party, route and key (32) -> hash of the body, answer without
                         plaintext */
    STORE_WEBHOOK, /* party index (8) -> since (8), sealed URL; with 'm' behind it -> mark (8); with a label
                      (16) behind it -> empty: a person of the party, as far as its mark */
    STORE_SPACES,
};
#define STORE_KEY_BYTES_MAX 64

struct store;

/* Opens or creates the LMDB backend in folder `dir` (mode 0700, exists). It maps STORE_MAP_BYTES of address
 * space; where the process may not have so much (RLIMIT_AS), half of it, and so on down to 1 GiB. Past that
 * the store is full. */
enum bourn_err store_open_lmdb(const char *dir, struct store **out) BOURN_MUST_USE;
/* A store in memory, empty: tests and small tools. */
enum bourn_err store_open_memory(struct store **out) BOURN_MUST_USE;
/* Drops what was not committed. */
void store_close(struct store *s);

/* Value of a key: borrowed, valid until the next put, del, commit or abort in any space (LMDB's pointers die
 * then; in debug builds the memory backend lends copies and poisons them at that moment, so that tests
 * notice). BOURN_E_NOT_FOUND if absent. Keys have 1..STORE_KEY_BYTES_MAX bytes, or BOURN_E_LIMIT. */
enum bourn_err store_get(struct store *s, enum store_space space, struct slice key,
                         struct slice *value) BOURN_MUST_USE;
/* key and value are copied; they must not be borrowed from this store. BOURN_E_FULL without space. */
enum bourn_err store_put(struct store *s, enum store_space space, struct slice key,
                         struct slice value) BOURN_MUST_USE;
/* BOURN_OK also if the key is absent. */
enum bourn_err store_del(struct store *s, enum store_space space, struct slice key) BOURN_MUST_USE;
/* First key >= from that begins with prefix (an empty `from`: the first of all); BOURN_E_NOT_FOUND if none.
 * key and value are borrowed as above. To go on, copy the key, append a zero byte and ask again. */
enum bourn_err store_seek(struct store *s, enum store_space space, struct slice prefix, struct slice from,
                          struct slice *key, struct slice *value) BOURN_MUST_USE;
uint64_t store_count(struct store *s, enum store_space space);

/* Makes every write since the last commit durable and atomic (default sync), and opens the next transaction.
 * After an error of commit or abort the store takes nothing more (BOURN_E_IO): the process exits, and the
 * journal replays. */
enum bourn_err store_commit(struct store *s) BOURN_MUST_USE;
/* Forgets every write since the last commit; also after a commit that failed with BOURN_E_FULL. */
enum bourn_err store_abort(struct store *s) BOURN_MUST_USE;
uint64_t store_changed_rows(const struct store *s); /* puts and dels since the last commit */

#endif
