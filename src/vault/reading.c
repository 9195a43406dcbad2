/* A person's look at their own history, as the ledger keeps it: an `exported` entry of operation read for
 * each statement that is shown, however many pages are then asked for with it and however often. The history
 * that a statement shows ends where it ended when its entry was made, so it never grows while it is read, and
 * the entry itself stands in the next one. A person has few statements open at a time: looking cannot fill
 * the ledger. */
#include "vault/internal.h"

#include "consent/consent.h"

/* The open ones of a person, in STORE_USED under SHA-256("bourn history\n" || label): index, before and until
 * (8 each), repeated. A place is held as long as a statement of the moment at which it was taken is good,
 * however old the one that took it said it was. */
enum { READING_BYTES = 24 };
struct readings {
    struct reading at[HISTORY_READINGS_MAX];
    size_t n;
};

static void readings_key(uint8_t out[32], const struct subject *s)
{
    struct slice parts[] = {slice_str("bourn history\n"), slice_of(s->person.label, 16)};
    crypto_sha256(out, parts, 2);
}

/* Those whose time is not over. */
static enum bourn_err readings_get(struct vault *v, const struct subject *s, struct readings *out)
{
    uint8_t key[32];
    struct slice value;
    out->n = 0;
    readings_key(key, s);
    enum bourn_err err = store_get(v->store, STORE_USED, slice_of(key, 32), &value);
    if (err)
        return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
    if (value.n % READING_BYTES || value.n > HISTORY_READINGS_MAX * READING_BYTES)
        return err_set(BOURN_E_CORRUPT, "what a person reads of their history is malformed");
    for (const uint8_t *p = value.p; p < value.p + value.n; p += READING_BYTES) {
        struct reading x = {be_get(p, 8), be_get(p + 8, 8), be_get(p + 16, 8)};
        if (x.until >= v->now)
            out->at[out->n++] = x;
    }
    return BOURN_OK;
}

static enum bourn_err readings_put(struct vault *v, const struct subject *s, const struct readings *r)
{
    uint8_t key[32], value[HISTORY_READINGS_MAX * READING_BYTES];
    readings_key(key, s);
    for (size_t i = 0; i < r->n; i++) {
        uint8_t *p = value + i * READING_BYTES;
        be_put(p, r->at[i].index, 8);
        be_put(p + 8, r->at[i].before, 8);
        be_put(p + 16, r->at[i].until, 8);
    }
    return batch_put(v, STORE_USED, slice_of(key, 32), slice_of(value, r->n * READING_BYTES));
}

enum bourn_err reading_forget(struct vault *v, const struct subject *s)
{
    uint8_t key[32];
    readings_key(key, s);
    return batch_del(v, STORE_USED, slice_of(key, 32));
}

/* The entry, the evidence, and that the statement is used. */
static enum bourn_err begin(struct vault *v, struct subject *s, const struct asked *q,
                            const struct signed_statement *by, const struct own_statement *said,
                            const uint8_t used[32], uint64_t *index)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *clause = "";
    struct entry e = {.kind = ENTRY_EXPORTED, .time = v->now, .operation = OP_READ};
    struct evidence ev = {EVIDENCE_HISTORY, by->canonical, by->signature, by->public_key};
    struct staged_row staged;
    uint8_t index_be[8];
    entry_set(&e, E_OPERATION);
    TRY(disclosed_row(v, q, s, NULL, 0, &staged));
    staged.row.key = subject_key_live(s, by->public_key)->index;
    row_set(&staged.row, R_KEY);
    staged.row.issued = said->issued;
    row_set(&staged.row, R_ISSUED);
    row_set(&staged.row, R_EVIDENCE);
    TRY(subject_put_evidence(v, s, v->next_index, &ev, staged.row.evidence));
    be_put(index_be, v->next_index, 8);
    TRY(batch_put(v, STORE_USED, slice_of(used, 32), slice_of(index_be, 8)));
    TRY(person_apply(&s->person, v->next_index, &e, &staged.row, &clause));
    TRY(batch_entry(v, &e, &staged, 1, index));
out:
    return err;
}

enum bourn_err reading_take(struct vault *v, struct subject *s, const struct asked *q,
                            const struct signed_statement *by, const struct own_statement *said,
                            struct answer *a, struct reading *out, bool *go)
{
    struct slice value, parts[] = {slice_str("bourn statement used\n"), slice_of(said->nonce, 16)};
    struct readings open;
    uint8_t used[32];
    crypto_sha256(used, parts, 2);
    enum bourn_err err = readings_get(v, s, &open);
    *go = false;
    if (err)
        return err;
    err = store_get(v->store, STORE_USED, slice_of(used, 32), &value);
    if (err == BOURN_OK) {
        for (size_t i = 0; i < open.n && !*go; i++) {
            *go = value.n == 8 && be_get(value.p, 8) == open.at[i].index;
            *out = open.at[i];
        }
        if (!*go)
            answer_problem(a, 409, "statement_used",
                           "its record_id stood in another statement: sign a new one");
        return BOURN_OK;
    }
    if (err != BOURN_E_NOT_FOUND)
        return err;
    if (open.n == HISTORY_READINGS_MAX) {
        answer_problem(a, 429, "history_often",
                       "%d statements of yours are open already: go on with one of them, or ask again later",
                       HISTORY_READINGS_MAX);
        return BOURN_OK;
    }
    uint64_t from = said->issued > v->now ? said->issued : v->now;
    *out = (struct reading){.before = s->person.head, .until = from + HISTORY_STATEMENT_AGE_S_MAX};
    err = begin(v, s, q, by, said, used, &out->index);
    open.at[open.n++] = *out;
    *go = true;
    return err ? err : readings_put(v, s, &open);
}
