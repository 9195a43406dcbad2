/* The vault: decides requests through the gate, seals, appends, commits in batches, and only then answers.
 * One thread owns a vault; a second thread of its own writes the ledger's files and asks the signer. */
#ifndef BOURN_VAULT_VAULT_H
#define BOURN_VAULT_VAULT_H

#include "ipc/request.h"

struct vault;
struct merkle_receipt;
struct merkle_hash;

struct vault_pack {
    struct slice yaml, rules;
};
struct vault_genesis {
    const char *origin, *domicile, *controller, *contact; /* contact may be "" */
    uint64_t delay_s;
    const struct vault_pack *packs; /* policy entries directly behind genesis */
    size_t packs_n;
};
/* Makes the folder `path` (must not exist or be empty) with keys, journal, ledger.vkey and bourn.yaml, and
 * the first frame: genesis, policies, config. Nothing is left behind on failure. */
enum bourn_err vault_create(const char *path, const struct vault_genesis *g) BOURN_MUST_USE;

/* Makes `path` (must not exist) out of an old backup whose log cannot go on: the same people and data under a
 * new log, which begins with the entries that the backup has, says which log it continues, and carries over
 * what a later copy of the old log withdrew, erased and ended. The old folder stays as it is; it must not be
 * served. Nothing is left behind on failure. BOURN_E_CONFLICT if entries are known to be missing. */
struct vault_continuation {
    const char *old, *origin;  /* the backup's folder; the new log's name */
    const char *ledger, *rows; /* folders: a later copy of the old log; NULL: those in the backup's folder */
    bool lost;                 /* go on though entries are missing that nobody has any more */
};
struct vault_continued {
    uint64_t entries, known; /* of the old log: that the backup has, that it is known to have had */
    uint64_t withdrawn, erased, parties_ended; /* carried over; people, or consents */
};
enum bourn_err vault_continue(const char *path, const struct vault_continuation *c,
                              struct vault_continued *out) BOURN_MUST_USE;

/* Called with each answer, in the vault's thread; the reply's slices are borrowed and wiped after the call.
 */
typedef void (*vault_answer)(void *ctx, uint64_t route, const struct reply *r);

/* Takes the cell's lock, so that nobody else serves it. *fd holds it until closed. BOURN_E_UNAVAILABLE if
 * taken. */
enum bourn_err vault_lock(const char *path, int *fd) BOURN_MUST_USE;
/* Recovers and opens the cell; owns lock_fd (of vault_lock) from here on, also on failure. */
enum bourn_err vault_open(const char *path, int lock_fd, vault_answer answer, void *ctx,
                          struct vault **out) BOURN_MUST_USE;
void vault_close(struct vault *v); /* commits, saves marks, releases the lock */

/* Decides one request and stages its effects and answer in the open batch. `route` comes back in the answer.
 * Never fails for the request's sake (that is an answer); an error means the process must exit. */
enum bourn_err vault_handle(struct vault *v, const struct request *r, uint64_t route) BOURN_MUST_USE;
/* A hint: these requests will be handled next, in this order, and their bytes stay where they are until then.
 * What is known of the people they name is on its way from memory before it is needed. n at most
 * VAULT_EXPECTED_MAX. */
void vault_expect(struct vault *v, const struct request *r, size_t n);
/* Makes the batch durable and answers. Nothing to do: returns at once. */
enum bourn_err vault_commit(struct vault *v) BOURN_MUST_USE;
bool vault_batch_full(const struct vault *v); /* vault_commit before the next vault_handle */
/* Answers whose time could tell whether a person exists are held and leave at a time of their own
 * (answer_hold). Monotonic ns of the next one, UINT64_MAX for none; and what sends those whose time has come.
 */
uint64_t vault_held_until_ns(const struct vault *v);
enum bourn_err vault_release_held(struct vault *v) BOURN_MUST_USE;
/* Periodic work: counted refusals, sweep, store commit, clock. Returns ms until it wants to be called again.
 */
enum bourn_err vault_tick(struct vault *v, unsigned *next_ms) BOURN_MUST_USE;

/* The ledger worker's side: how many entries are durable and wait for files; see worker.h. The file
 * descriptor becomes readable when the worker has published a checkpoint; then call vault_published. */
int vault_wait_fd(const struct vault *v);
enum bourn_err vault_published(struct vault *v) BOURN_MUST_USE;

/* How the worker reaches the signer: called in the worker's thread, blocks until the signature is there.
 * `head` is called once at start and gives the head that the signer keeps. */
struct vault_signer {
    void *ctx;
    enum bourn_err (*head)(void *ctx, uint64_t *size, uint8_t root[32]);
    enum bourn_err (*sign)(void *ctx, uint64_t size, const uint8_t root[32], const uint8_t *proof,
                           size_t proof_n, uint8_t signature[64]);
    /* Of merkle_receipt_text, or with lines of merkle_event_text; the proof leads from the leaf to the root,
     * which must be those signed last. */
    enum bourn_err (*receipt)(void *ctx, const struct merkle_receipt *r, const struct merkle_hash *proof,
                              size_t proof_n, struct slice lines, uint8_t signature[64]);
};
/* How requests to witnesses and webhooks leave: `post` queues the body of POST <url>/add-checkpoint (places
 * below COSIGNATURES_MAX) or POST <url>; vault_posted takes the answer to it. Set before the vault serves;
 * without one, nobody is reached. */
struct vault_relay {
    void *ctx;
    enum bourn_err (*post)(void *ctx, uint32_t place, const char *url, struct slice body);
};
void vault_use_relay(struct vault *v, const struct vault_relay *relay);
/* The answer to it; status 0: there was none. Untrusted. */
enum bourn_err vault_posted(struct vault *v, uint32_t place, uint32_t status,
                            struct slice body) BOURN_MUST_USE;
/* Appends a line for each URL that witnesses of the policy in force and webhooks are reached by, as far as
 * the host and its port go: paths may be secrets. Those alone are posted to until the next start. */
void vault_relay_urls(struct vault *v, struct buf *out);

/* At its start a cell with witnesses asks them before it signs anything new: a quorum has to cosign the head
 * that the signer keeps. Until then nothing is disclosed or stored; withdrawals and erasures go on. False:
 * not yet. Where a quorum says that it has seen more, or another history, vault_posted fails: the cell is an
 * old backup. */
bool vault_asked(const struct vault *v);

/* Starts the worker thread (after the sandbox is entered, and vault_use_relay). */
enum bourn_err vault_start(struct vault *v, const struct vault_signer *signer) BOURN_MUST_USE;

#endif
