/* One person's whole history: every row about them, newest first along the chain of `prev`, each with what
 * leads from it to one checkpoint. No token: the credential is a statement that a living key of the person
 * signed, and the first time it is shown is an entry (reading.c). Nobody else's row or label is in it. */
#include "vault/internal.h"

#include "base/text.h"
#include "cbor/entry.h"
#include "consent/consent.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#include <stdlib.h>

enum { PARTIES_LISTED_MAX = 64 * (CONSENT_LIST_MAX + 2) };

struct page {
    struct merkle_checkpoint cp;
    uint64_t size;
    uint8_t label[16];
    uint64_t parties[PARTIES_LISTED_MAX];
    size_t parties_n, read_bytes;
    struct arena arena; /* of the entry at hand: the batch that is open has the vault's */
    struct ledger_prover *prover;
    struct buf note, bytes, group;
};

/* --- who asks
 * --------------------------------------------------------------------------------------------------- */

struct asking {
    struct signed_statement signed_by;
    struct own_statement said;
};

static bool statement_ok(struct vault *v, const struct request *r, struct asking *x, struct answer *a)
{
    if (signed_statement_get(r->body, &v->arena, &x->signed_by) != BOURN_OK ||
        history_statement_get(x->signed_by.canonical, &v->arena, &x->said) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
        return false;
    }
    if (!slice_eq(x->said.origin, world_origin(v->world))) {
        answer_problem(a, 422, "statement_foreign", "/statement: made for another cell");
        return false;
    }
    if (x->said.issued > v->now + KEY_STATEMENT_SKEW_S_MAX ||
        x->said.issued + HISTORY_STATEMENT_AGE_S_MAX < v->now) {
        answer_problem(a, 422, "statement_expired",
                       "/statement: issued in the future, or more than %d s ago: sign a new one",
                       HISTORY_STATEMENT_AGE_S_MAX);
        return false;
    }
    return true;
}

static void refuse_asking(struct answer *a)
{
    answer_problem(a, 403, "signature_invalid", EXPORT_REFUSED);
    answer_hold(a, 1);
}

static void no_such_page(struct answer *a)
{
    answer_problem(a, 400, "range_malformed",
                   "?cursor= and ?size= go on from a page before: no page leads there");
}

/* The person, if a living key of theirs signed and the path names them by the same label. Everybody else gets
 * one answer, for the same work. *found: s is to be released. */
static enum bourn_err find_asking(struct vault *v, const struct request *r, const struct asking *x,
                                  struct subject *s, bool *found)
{
    const struct signed_statement *ss = &x->signed_by;
    struct buf id;
    bool good = consent_verify(ss->canonical, ss->signature, ss->public_key) == BOURN_OK;
    buf_init(&id, 64);
    buf_put_str(&id, "~");
    hex_put(&id, slice_of(x->said.label, 16));
    good = slice_eq(buf_slice(&id), r->subject) && good;
    enum bourn_err err = subject_find_alike(v, buf_slice(&id), s);
    buf_release(&id);
    *found = err == BOURN_OK && good && subject_key_live(s, ss->public_key);
    if (err == BOURN_OK && !*found)
        subject_release(s);
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

/* --- a page
 * ----------------------------------------------------------------------------------------------------- */

/* The row of this label in a group: rows are canonical, so each begins with the head of its map, key 1, and
 * the head of 16 bytes. *at is its place. */
static bool row_of(struct slice group, const uint8_t label[16], size_t *place, struct slice *row)
{
    size_t at = 0;
    for (*place = 0; rows_next(group, &at, row); ++*place)
        if (row_is_of(*row, label))
            return true;
    return false;
}

static void note_party(struct page *p, uint64_t index)
{
    for (size_t i = 0; i < p->parties_n; i++)
        if (p->parties[i] == index)
            return;
    if (p->parties_n < PARTIES_LISTED_MAX)
        p->parties[p->parties_n++] = index;
}

static void note_parties(struct page *p, const struct entry *e, const struct row *row)
{
    if (entry_has(e, E_PARTY))
        note_party(p, e->party);
    for (size_t i = 0; i < row->recipients_n; i++)
        note_party(p, row->recipients[i]);
    if (row_has(row, R_VOUCHER) && (row->voucher == VOUCHER_APP || row->voucher == VOUCHER_REGISTRAR))
        note_party(p, row->voucher_ref);
}

static enum bourn_err inclusion_put(struct buf *out, const struct page *p, uint64_t index)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    enum bourn_err err = ledger_prove(p->prover, index, proof, &n);
    if (err)
        return err;
    buf_put_str(out, ",\"proof\":");
    hashes_put(out, proof, n);
    return BOURN_OK;
}

/* One line of the history. *next is the entry before it; BOURN_E_NOT_FOUND if the entry has no such row. */
static enum bourn_err line_put(struct vault *v, struct buf *out, struct page *p, uint64_t index,
                               uint64_t flushed, uint64_t *next)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_leaves tree = {0};
    struct entry e;
    struct row row;
    struct slice bytes;
    size_t place;
    buf_clear(&p->bytes);
    buf_clear(&p->group);
    arena_reset(&p->arena);
    TRY(ledger_read(v->cell, index, flushed, &p->bytes, &p->group));
    TRY(entry_decode(buf_slice(&p->bytes), &p->arena, &e));
    p->read_bytes += p->group.n;
    if (!row_of(buf_slice(&p->group), p->label, &place, &bytes))
        return err_set(BOURN_E_NOT_FOUND, "entry %llu has no such row", (unsigned long long)index);
    TRY(row_decode(bytes, e.kind, &p->arena, &row));
    TRY(rows_tree(buf_slice(&p->group), &tree));
    note_parties(p, &e, &row);
    buf_printf(out, "{\"index\":%llu,", (unsigned long long)index);
    base64_member(out, "\"entry\":", buf_slice(&p->bytes));
    TRY(inclusion_put(out, p, index));
    buf_put_str(out, ",\"row\":");
    TRY(row_put(out, &tree, place, bytes));
    buf_put_str(out, "}");
    *next = row.prev;
out:
    merkle_leaves_release(&tree);
    return err;
}

static enum bourn_err parties_put(struct vault *v, struct buf *out, struct page *p, uint64_t flushed)
{
    enum bourn_err err = BOURN_OK;
    buf_put_str(out, ",\"parties\":[");
    for (size_t i = 0; i < p->parties_n; i++) {
        buf_clear(&p->bytes);
        buf_clear(&p->group);
        TRY(ledger_read(v->cell, p->parties[i], flushed, &p->bytes, &p->group));
        buf_printf(out, "%s{\"index\":%llu,", i ? "," : "", (unsigned long long)p->parties[i]);
        base64_member(out, "\"entry\":", buf_slice(&p->bytes));
        TRY(inclusion_put(out, p, p->parties[i]));
        buf_put_str(out, "}");
    }
    buf_put_str(out, "]");
out:
    return err;
}

static enum bourn_err page_put(struct vault *v, struct answer *a, struct page *p, uint64_t flushed)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t index = a->from;
    buf_put_str(&a->body, "{\"label\":\"");
    hex_put(&a->body, slice_of(p->label, 16));
    buf_printf(&a->body, "\",\"size\":%llu,\"checkpoint\":", (unsigned long long)p->size);
    if (p->size == p->cp.size)
        json_put_string(&a->body, buf_slice(&p->note));
    else
        buf_put_str(&a->body, "null"); /* the first page had it */
    buf_put_str(&a->body, ",\"rows\":[");
    for (size_t n = 0; n < HISTORY_PAGE_ROWS_MAX && index != UINT64_MAX; n++) {
        if (n && (a->body.n >= HISTORY_PAGE_BYTES_MAX || p->read_bytes >= HISTORY_PAGE_READ_BYTES_MAX))
            break;
        buf_put_str(&a->body, n ? "," : "");
        err = line_put(v, &a->body, p, index, flushed, &index);
        if (err == BOURN_E_NOT_FOUND && n)
            err = err_set(BOURN_E_CORRUPT, "a person's chain leads to an entry without their row");
        TRY(err);
    }
    buf_put_str(&a->body, "]");
    TRY(parties_put(v, &a->body, p, flushed));
    if (index == UINT64_MAX)
        buf_put_str(&a->body, ",\"next\":null}");
    else
        buf_printf(&a->body, ",\"next\":%llu}", (unsigned long long)index);
    err = BOURN_OK;
out:
    return err;
}

/* Whether a checkpoint covers the first row, and the reading's entry as far as disclosures wait for that. */
static bool may_leave(const struct vault *v, const struct answer *a, const struct worker_state *ws)
{
    return a->from < ws->signed_size && (!a->wait_signed || a->receipt < ws->signed_size) &&
           (!a->wait_cosigned || a->receipt < witnesses_cosigned(v));
}

/* The person may have been erased while this waited. */
static enum bourn_err history_page(struct vault *v, struct answer *a, bool *ready)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct worker_state ws;
    struct page *p;
    worker_state(v->worker, &ws);
    *ready = may_leave(v, a, &ws);
    if (!*ready)
        return BOURN_OK;
    a->later = NULL;
    if (prev_generation(v->prev, a->about) == PREV_ERASED) {
        a->receipt = REPLY_NO_RECEIPT;
        refuse_asking(a);
        return BOURN_OK;
    }
    p = calloc(1, sizeof *p);
    if (!p)
        return err_set(BOURN_E_MEMORY, "out of memory for a person's history");
    memcpy(p->label, a->label, 16);
    arena_init(&p->arena, 1u << 20);
    buf_init(&p->note, 65536);
    buf_init(&p->bytes, ENTRY_BYTES_MAX);
    buf_init(&p->group, ROWS_BYTES_MAX);
    TRY(checkpoint_published(v, &p->note, &p->cp));
    p->size = a->size ? a->size : p->cp.size;
    if (p->size > p->cp.size || a->from >= p->size)
        no_such_page(a);
    else if ((err = ledger_prover_new(v->cell, p->size, &p->prover)) == BOURN_OK)
        err = page_put(v, a, p, ws.files_size);
    if (err == BOURN_E_NOT_FOUND) {
        no_such_page(a);
        err = BOURN_OK;
    }
out:
    ledger_prover_free(p->prover);
    arena_release(&p->arena);
    buf_release(&p->note);
    buf_release(&p->bytes);
    buf_release(&p->group);
    free(p);
    return err;
}

/* Where the answer begins: with the newest row that there was when the statement was shown first, or further
 * back at the cursor. */
static enum bourn_err begin_page(struct vault *v, const struct request *r, const struct asking *x,
                                 const struct asked *q, struct subject *s, struct answer *a)
{
    struct reading reading;
    bool go;
    enum bourn_err err = reading_take(v, s, q, &x->signed_by, &x->said, a, &reading, &go);
    if (err || !go)
        return err;
    if (r->number > reading.before) {
        no_such_page(a);
        return BOURN_OK;
    }
    answer_json(a, 200);
    answer_wait(v, a, 1, false);
    a->receipt = reading.index;
    a->about = s->number;
    memcpy(a->label, s->person.label, 16);
    a->from = r->number ? r->number : reading.before;
    a->size = r->version;
    a->later = history_page;
    return BOURN_OK;
}

enum bourn_err handle_history(struct vault *v, const struct request *r, const struct gate_party *none,
                              struct answer *a)
{
    struct asking *x = arena_alloc(&v->arena, sizeof *x);
    struct asked *q = arena_alloc(&v->arena, sizeof *q);
    struct subject s;
    bool found = false;
    (void)none;
    if (!x || !q)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    *q = (struct asked){.operation = OP_SELF};
    if (!statement_ok(v, r, x, a))
        return BOURN_OK;
    enum bourn_err err = find_asking(v, r, x, &s, &found);
    if (err)
        return err;
    if (!found) {
        refuse_asking(a);
        return BOURN_OK;
    }
    decide(v, q, &s.person);
    if (r->number > s.person.head)
        no_such_page(a);
    else if (q->out.verdict == GATE_ALLOW)
        err = begin_page(v, r, x, q, &s, a);
    else
        answer_problem(a, 403, gate_code_name(q->out.code), "the gate refuses");
    subject_release(&s);
    return err;
}
