/* One request in, one answer staged: token, rights, state of the cell, then the operation's handler. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    NEEDS_TOKEN = 1,
    DISCLOSES = 2,
    RELIEVES = 4 /* withdrawals and erasures: may use reserved room */,
    CHANGES = 8,
    SETTLES = 16 /* goes on though no witness was reached: what the operator can do about that */
};

struct operation_row {
    handler *run;
    unsigned flags;
    uint32_t right; /* needed by itself; 0: the gate looks at rights, or none is needed */
};

static enum bourn_err handle_health(struct vault *v, const struct request *r, const struct gate_party *p,
                                    struct answer *a)
{
    (void)v;
    (void)r;
    (void)p;
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"status\":\"ok\"}");
    return BOURN_OK;
}

static const struct operation_row operations[REQ_OP_MAX + 1] = {
    [REQ_HEALTH] = {handle_health, 0, 0},
    [REQ_RECORDS] = {handle_records, NEEDS_TOKEN | DISCLOSES, 0},
    [REQ_RECORD] = {handle_records, NEEDS_TOKEN | DISCLOSES, 0},
    [REQ_RECORD_NEW] = {handle_record_write, NEEDS_TOKEN | CHANGES, 0},
    [REQ_RECORD_PUT] = {handle_record_write, NEEDS_TOKEN | CHANGES, 0},
    [REQ_RECORD_DELETE] = {handle_records, NEEDS_TOKEN | CHANGES, 0},
    [REQ_ERASE] = {handle_erase, NEEDS_TOKEN | RELIEVES, RIGHT_ERASE},
    [REQ_ENROLMENT] = {handle_enrolment, NEEDS_TOKEN | CHANGES, RIGHT_ENROL},
    [REQ_ENROLMENT_LOOK] = {handle_enrolment_look, 0, 0},
    [REQ_ENROLMENT_DONE] = {handle_enrolment_done, CHANGES, 0},
    [REQ_CONSENT_REQUEST] = {handle_consent_request, NEEDS_TOKEN, RIGHT_CONSENT},
    [REQ_CONSENT] = {handle_consent, NEEDS_TOKEN | CHANGES, RIGHT_CONSENT},
    [REQ_CONSENTS] = {handle_consents, NEEDS_TOKEN, RIGHT_CONSENT},
    [REQ_WITHDRAW] = {handle_withdraw, NEEDS_TOKEN | RELIEVES, RIGHT_CONSENT},
    [REQ_WHOAMI] = {handle_whoami, NEEDS_TOKEN, 0},
    [REQ_LEDGER_FILE] = {handle_ledger_file, 0, 0},
    [REQ_ROWS_FILE] = {handle_rows_file, NEEDS_TOKEN, RIGHT_AUDIT},
    [REQ_EVIDENCE] = {handle_evidence, NEEDS_TOKEN | DISCLOSES, 0},
    [REQ_IMPORT] = {handle_import, NEEDS_TOKEN | CHANGES, 0},
    [REQ_RECORD_PATCH] = {handle_record_write, NEEDS_TOKEN | CHANGES, 0},
    [REQ_SEARCH] = {handle_search, NEEDS_TOKEN | DISCLOSES, 0},
    [REQ_DISCLOSE] = {handle_disclose, NEEDS_TOKEN | DISCLOSES, 0},
    [REQ_LOOKUP] = {handle_lookup, NEEDS_TOKEN, 0},
    [REQ_SUBJECT_NEW] = {handle_subject_new, NEEDS_TOKEN | CHANGES, RIGHT_ENROL},
    [REQ_IDENTIFIER] = {handle_identifier, NEEDS_TOKEN | CHANGES, RIGHT_WRITE},
    [REQ_ADMIN_STATUS] = {handle_status, 0, 0},
    [REQ_METRICS] = {handle_metrics, 0, 0},
    [REQ_EXPORT] = {handle_export, DISCLOSES, 0},     /* the statement's signature is the credential */
    [REQ_RECEIPT] = {handle_receipt, NEEDS_TOKEN, 0}, /* whose entry it is decides */
    [REQ_PROOF] = {handle_proof, NEEDS_TOKEN, 0},
    [REQ_HISTORY] = {handle_history, CHANGES, 0}, /* the same; its entry needs room, and no record leaves */
    [REQ_ADMIN_PARTY] = {handle_party, CHANGES, 0},
    [REQ_ADMIN_PARTY_END] = {handle_party_end, RELIEVES, 0},
    [REQ_ADMIN_PARTIES] = {handle_parties, 0, 0},
    [REQ_ADMIN_COLLECTION] = {handle_collection, CHANGES, 0},
    [REQ_ADMIN_COLLECTIONS] = {handle_collections, 0, 0},
    [REQ_ADMIN_NOTICE] = {handle_notice, CHANGES, 0},
    [REQ_ADMIN_PACK] = {handle_pack, CHANGES, 0},
    [REQ_ADMIN_SCRUB] = {handle_scrub, 0, 0},
    [REQ_ADMIN_CONFIG] = {handle_config, CHANGES | SETTLES, 0},
    [REQ_ADMIN_WEBHOOK] = {handle_webhook, CHANGES, 0},
};

enum bourn_err token_party(struct vault *v, struct slice token, const struct gate_party **out)
{
    uint8_t hash[32];
    struct slice value;
    *out = NULL;
    crypto_sha256_1(hash, token);
    struct known_token *t = &v->tokens[hash[0] % TOKENS_KNOWN];
    if (!t->expires || !crypto_equal(t->hash, hash, sizeof hash)) {
        enum bourn_err err = store_get(v->store, STORE_TOKEN, slice_of(hash, 32), &value);
        if (err == BOURN_E_NOT_FOUND)
            return BOURN_OK;
        if (err)
            return err;
        if (value.n != 16)
            return err_set(BOURN_E_CORRUPT, "a token's row is malformed");
        *t = (struct known_token){.party = be_get(value.p, 8), .expires = be_get(value.p + 8, 8)};
        memcpy(t->hash, hash, sizeof hash);
    }
    const struct gate_party *p = world_party(v->world, t->party);
    if (p && p->ended == UINT64_MAX && v->now < t->expires)
        *out = p;
    return BOURN_OK;
}

static void read_clocks(struct vault *v, bool *backwards)
{
    uint64_t wall = clock_wall_s();
    *backwards = wall + CLOCK_BACK_S_MAX < v->last_time;
    v->now = wall > v->last_time ? wall : v->last_time;
    uint64_t ns = clock_ns(CLOCK_MONOTONIC);
    v->now_ms = ns / 1000000;
    v->asked_ns = ns;
    if (v->requests_n == 0)
        v->taken_ns = ns;
}

/* Nothing is disclosed or stored while checkpoints do not come: what is not signed can still be denied. False
 * with the 503 made. */
static bool ledger_keeps_up(struct vault *v, struct answer *a)
{
    struct worker_state ws;
    worker_state(v->worker, &ws);
    uint64_t since = ws.signed_ms > ws.waiting_since_ms ? ws.signed_ms : ws.waiting_since_ms;
    bool late =
        vault_asked(v) && ws.signed_size < v->batch_first && v->now_ms > since + CHECKPOINT_LATE_MS_MAX;
    if (!ws.full && !late && ws.backlog_bytes <= LEDGER_BACKLOG_BYTES_MAX)
        return true;
    answer_problem(
        a, 503, "ledger_behind",
        "the ledger's files and checkpoints are behind: nothing is disclosed or stored until they catch up; "
        "look at the cell's volume and its signer");
    return false;
}

/* The breaker: what no witness has seen in time may be kept from the world, so nothing more is disclosed. */
static bool witnesses_keep_up(struct vault *v, struct answer *a)
{
    if (!witnesses_late(v))
        return true;
    answer_problem(
        a, 503, "witness_lag",
        "the witnesses have not cosigned the ledger for %llu s: nothing is disclosed until a quorum of "
        "them does; writes, withdrawals and erasures go on; `bourn status` says which witness is silent",
        (unsigned long long)(witnesses_lag_ms(v) / 1000));
    return false;
}

/* What is here may be an old backup: it is asked about before anything is disclosed that was withdrawn since,
 * and before anything is stored that could not stay. False with the 503 made. */
static bool witnesses_were_asked(struct vault *v, struct answer *a)
{
    if (vault_asked(v))
        return true;
    answer_problem(
        a, 503, "witness_lag",
        "no quorum of the witnesses has answered since the start: nothing is disclosed or stored until one "
        "does; withdrawals and erasures go on; `bourn status` says which witness is silent");
    return false;
}

/* Whether the cell can serve an operation of these flags now; false with the 503 made. */
static bool can_serve(struct vault *v, unsigned flags, bool backwards, struct answer *a)
{
    if (backwards && flags & (DISCLOSES | CHANGES)) {
        answer_problem(
            a, 503, "clock_backwards",
            "the cell's clock is behind its last entry: nothing is disclosed until it is set right");
        return false;
    }
    if (!(flags & (DISCLOSES | CHANGES | RELIEVES)))
        return true;
    bool reserved = flags & RELIEVES;
    bool full = journal_free_bytes(v->journal, reserved) < BATCH_BYTES_MAX ||
                (!reserved && v->now_ms < v->full_until_ms);
    if (full)
        answer_problem(
            a, 503, "storage_full",
            "the cell has no room for its journal: nothing is disclosed or stored; free space on its volume");
    return !full && (reserved || flags & SETTLES || witnesses_were_asked(v, a)) &&
           (reserved || ledger_keeps_up(v, a)) && (!(flags & DISCLOSES) || witnesses_keep_up(v, a));
}

/* Runs the handler, unless an Idempotency-Key says that it ran before. */
static enum bourn_err once(struct vault *v, const struct operation_row *o, const struct request *r,
                           const struct gate_party *p, struct answer *a)
{
    struct idempotency i;
    bool done = false;
    bool keeps = o->flags & (CHANGES | RELIEVES) && r->op != REQ_ENROLMENT; /* a code is shown once */
    if (!r->key.n || !p || !keeps)
        return o->run(v, r, p, a);
    enum bourn_err err = idempotency_find(v, r, p, a, &i, &done);
    if (err || done)
        return err;
    err = o->run(v, r, p, a);
    return err ? err : idempotency_keep(v, &i, a);
}

/* A request that the vault could not carry out, though nothing was wrong with it. */
static void answer_failure(struct answer *a, enum bourn_err err, uint32_t op)
{
    log_error("%s: %s", request_op_name(op), err_text());
    answer_withhold(a);
    a->receipt = REPLY_NO_RECEIPT;
    if (err == BOURN_E_FULL)
        answer_problem(a, 503, "storage_full",
                       "the cell's volume is full: nothing was changed; free space there");
    else if (err == BOURN_E_CONFLICT)
        answer_problem(a, 409, "conflict", "%s", err_text());
    else if (err == BOURN_E_LIMIT || err == BOURN_E_MEMORY)
        answer_problem(a, 503, "try_again", "the cell has no room for this request now: nothing was changed");
    else
        answer_problem(
            a, 500, "record_damaged",
            "what is stored does not check: nothing was changed or released; the operator was told");
}

enum bourn_err vault_handle(struct vault *v, const struct request *r, uint64_t route)
{
    bool backwards;
    const struct gate_party *p = NULL;
    struct answer *a = answer_new(v, r, route);
    if (!a)
        return err_set(BOURN_E_MEMORY, "out of memory for an answer");
    read_clocks(v, &backwards);
    a->taken_ns = expected_ns(v, r);
    v->requests_n++;
    const struct operation_row *o = r->op <= REQ_OP_MAX ? &operations[r->op] : &operations[0];
    if (!o->run) {
        answer_problem(a, 501, "not_implemented", "this version does not do that");
        return BOURN_OK;
    }
    if (o->flags & NEEDS_TOKEN) {
        enum bourn_err err = token_party(v, r->token, &p);
        if (err)
            return err;
        if (!p) {
            answer_problem(a, 401, "token_invalid", "the token is unknown, expired or revoked");
            return BOURN_OK;
        }
        if (o->right && !(p->rights & o->right)) {
            answer_problem(a, 403, "right_missing", "the party's rights do not include this operation");
            return BOURN_OK;
        }
    }
    bool serves = can_serve(v, o->flags, backwards, a);
    if (o->flags & DISCLOSES)
        v->serves = serves;
    if (!serves)
        return BOURN_OK;
    if (o->flags & RELIEVES)
        v->reserved = true;
    size_t ops = v->ops.n, entries = v->entries_n, heads = v->heads.n;
    enum bourn_err err = once(v, o, r, p, a);
    if (err == BOURN_OK || err == BOURN_E_IO || err == BOURN_E_INTERNAL)
        return err; /* after a failed system call the durable state is unknown: the process exits */
    answer_failure(a, err, r->op);
    v->spoiled = v->ops.n != ops || v->entries_n != entries || v->heads.n != heads;
    return BOURN_OK;
}
