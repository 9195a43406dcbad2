/* Evidence: what a replay opens. A disclosure like any other: gated per person, and one `disclosed` entry
 * with operation `evidence` over everybody whose evidence was opened. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#include <stdlib.h>

struct opening {
    struct asked q;
    struct staged_row *rows;
    size_t rows_n, rows_room;
    struct answer *a;
    struct buf entry, group;
};

static bool listed(struct opening *o, uint64_t number)
{
    for (size_t i = 0; i < o->rows_n; i++)
        if (o->rows[i].number == number)
            return true;
    return false;
}

/* The bases that the gate gave, kept until the entry is written: equal ones are kept once. */
static const struct row_basis *keep_bases(struct vault *v, struct opening *o)
{
    size_t n = o->q.out.bases_n;
    if (o->rows_n) {
        const struct row *last = &o->rows[o->rows_n - 1].row;
        if (last->bases_n == n && memcmp(last->bases, o->q.out.bases, n * sizeof *last->bases) == 0)
            return last->bases;
    }
    struct row_basis *b = arena_alloc(&v->arena, (n + 1) * sizeof *b);
    if (b)
        memcpy(b, o->q.out.bases, n * sizeof *b);
    return b;
}

static enum bourn_err add_person(struct vault *v, struct opening *o, const struct subject *s)
{
    if (listed(o, s->number))
        return BOURN_OK;
    if (o->rows_n == o->rows_room) {
        o->rows_room = o->rows_room ? 2 * o->rows_room : 64;
        struct staged_row *more = realloc(o->rows, o->rows_room * sizeof *more);
        if (!more)
            return err_set(BOURN_E_MEMORY, "out of memory for an entry");
        o->rows = more;
    }
    const struct row_basis *bases = keep_bases(v, o);
    if (!bases)
        return err_set(BOURN_E_MEMORY, "out of memory for an entry");
    struct staged_row *to = &o->rows[o->rows_n++];
    *to = (struct staged_row){.number = s->number, .generation = s->generation};
    row_begin(&to->row, s);
    to->row.bases = bases;
    to->row.bases_n = o->q.out.bases_n;
    row_set(&to->row, R_BASES);
    return BOURN_OK;
}

/* One row that carries a commitment: opened, erased or refused. */
static enum bourn_err open_row(struct vault *v, struct opening *o, uint64_t index, const struct row *row)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct opened item = {.index = index, .status = EVIDENCE_ERASED};
    struct slice value;
    struct subject s;
    struct buf evidence;
    memcpy(item.label, row->label, 16);
    buf_init_secret(&evidence, STATEMENT_BYTES_MAX + 1024);
    TRY(store_get(v->store, STORE_LABEL, slice_of(row->label, 16), &value));
    err = subject_load(v, be_get(value.p, 8), &s);
    if (err == BOURN_OK) {
        decide(v, &o->q, &s.person);
        item.status = EVIDENCE_REFUSED;
        if (o->q.out.verdict == GATE_ALLOW) {
            err = subject_get_evidence(v, &s, index, item.salt, &evidence);
            item.status = err ? EVIDENCE_REFUSED : EVIDENCE_OPENED;
            item.evidence = buf_slice(&evidence);
            if (err == BOURN_OK)
                err = add_person(v, o, &s);
            else if (err == BOURN_E_NOT_FOUND || err == BOURN_E_CRYPTO)
                err = BOURN_OK; /* lost or altered: said as refused, which a replay reports */
        }
        subject_release(&s);
    } else if (err == BOURN_E_NOT_FOUND) {
        err = BOURN_OK;
    }
    opened_encode(&o->a->body, &item);
    crypto_wipe(item.salt, sizeof item.salt);
out:
    buf_release(&evidence);
    return err;
}

static enum bourn_err open_entry(struct vault *v, struct opening *o, uint64_t index, uint64_t flushed)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct entry e;
    struct slice bytes;
    size_t at = 0;
    buf_clear(&o->entry);
    buf_clear(&o->group);
    TRY(ledger_read(v->cell, index, flushed, &o->entry, &o->group));
    TRY(entry_decode(buf_slice(&o->entry), &v->arena, &e));
    if (e.kind != ENTRY_KEY && e.kind != ENTRY_CONSENT && e.kind != ENTRY_EXPORTED)
        return BOURN_OK;
    while (rows_next(buf_slice(&o->group), &at, &bytes)) {
        struct row row;
        TRY(row_decode(bytes, e.kind, &v->arena, &row));
        if (row_has(&row, R_EVIDENCE))
            TRY(open_row(v, o, index, &row));
    }
    err = BOURN_OK;
out:
    return err;
}

static bool range(struct slice body, uint64_t *from, uint64_t *to)
{
    struct json_value json, a, b;
    return json_check(body, &json) == BOURN_OK && json_find(json, "from", &a) && json_find(json, "to", &b) &&
           decimal_get(a.raw, from) && decimal_get(b.raw, to) && *from < *to &&
           *to - *from <= EVIDENCE_ENTRIES_PER_REQUEST_MAX;
}

enum bourn_err handle_evidence(struct vault *v, const struct request *r, const struct gate_party *p,
                               struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct opening o = {.q = {.party = p, .operation = OP_EVIDENCE, .purpose = r->purpose}, .a = a};
    struct worker_state ws;
    uint64_t from, to;
    buf_init(&o.entry, ENTRY_BYTES_MAX);
    buf_init(&o.group, ROWS_BYTES_MAX);
    worker_state(v->worker, &ws);
    /* Not signed_size: a checkpoint is in its file, for clients to read, just before that number moves. */
    if (!range(r->body, &from, &to) || to > ws.files_size) {
        answer_problem(a, 400, "range_malformed",
                       "{\"from\",\"to\"}: at most %d entries, all in the ledger's files",
                       EVIDENCE_ENTRIES_PER_REQUEST_MAX);
        return BOURN_OK;
    }
    decide(v, &o.q, NULL);
    if (o.q.out.verdict != GATE_ALLOW && o.q.out.code != GATE_BASIS_MISSING) {
        err = refuse(v, &o.q, a);
        goto out;
    }
    a->status = 200;
    a->type = REPLY_CBOR_SEQ;
    a->code = "";
    for (uint64_t i = from; i < to; i++)
        TRY(open_entry(v, &o, i, ws.files_size));
    decide(v, &o.q, NULL); /* the entry's policy list, at its own index */
    for (size_t at = 0; at < o.rows_n; at += EVIDENCE_ROWS_PER_ENTRY_MAX) {
        struct entry e;
        size_t n = o.rows_n - at < EVIDENCE_ROWS_PER_ENTRY_MAX ? o.rows_n - at : EVIDENCE_ROWS_PER_ENTRY_MAX;
        entry_begin(v, &o.q, ENTRY_DISCLOSED, &e);
        TRY(batch_entry(v, &e, o.rows + at, n, &a->receipt));
        v->disclosures++;
    }
    answer_wait(v, a, o.rows_n, crossing(v, &o.q));
    err = BOURN_OK;
out:
    buf_release(&o.entry);
    buf_release(&o.group);
    free(o.rows);
    return err;
}

static enum bourn_err send_file(struct answer *a, enum bourn_err err, bool checkpoint, bool immutable)
{
    if (err == BOURN_E_NOT_FOUND || err == BOURN_E_FORMAT || err == BOURN_E_DENIED) {
        answer_problem(a, 404, "not_found", "the ledger has no such file");
        return BOURN_OK;
    }
    if (err)
        return err;
    a->status = 200;
    a->code = "";
    a->type = checkpoint ? REPLY_TEXT : REPLY_OCTETS;
    a->immutable = immutable;
    return BOURN_OK;
}

/* Whether a checkpoint that is out needs the file: its last entry is one of the log's. */
static bool is_published(struct vault *v, struct slice path)
{
    static const char prefix[] = "tile/";
    static const size_t n = sizeof prefix - 1;
    struct merkle_tile t;
    struct worker_state ws;
    worker_state(v->worker, &ws);
    if (slice_is(path, "checkpoint"))
        return true;
    if (path.n < n || memcmp(path.p, prefix, n) != 0 ||
        !merkle_tile_parse(slice_of(path.p + n, path.n - n), &t))
        return false;
    return t.n < merkle_tile_full(ws.served_size, t.level) ||
           (t.n == merkle_tile_full(ws.served_size, t.level) &&
            t.width <= merkle_tile_partial(ws.served_size, t.level));
}

static enum bourn_err not_published(void)
{
    return err_set(BOURN_E_NOT_FOUND, "no checkpoint needs this file");
}

/* Whether the file may leave: in a closed cell the entries are for auditors. False with the answer made. */
static enum bourn_err may_leave(struct vault *v, const struct request *r, bool entries, struct answer *a,
                                bool *may)
{
    const struct gate_party *p = NULL;
    *may = !v->settings.entries_closed || !entries;
    if (*may)
        return BOURN_OK;
    enum bourn_err err = r->token.n ? token_party(v, r->token, &p) : BOURN_OK;
    *may = p && p->rights & RIGHT_AUDIT;
    if (!r->token.n)
        answer_problem(a, 401, "token_required",
                       "the entries of this cell are closed: send an auditor's token");
    else if (!p)
        answer_problem(a, 401, "token_invalid", "the token is unknown, expired or revoked");
    else if (!*may)
        answer_problem(a, 403, "right_missing", "the party's rights do not include this operation");
    return err;
}

enum bourn_err handle_ledger_file(struct vault *v, const struct request *r, const struct gate_party *p,
                                  struct answer *a)
{
    static const char bundles[] = "tile/entries/";
    static const size_t n = sizeof bundles - 1;
    bool checkpoint = slice_is(r->path, "checkpoint"), may;
    bool entries = r->path.n >= n && memcmp(r->path.p, bundles, n) == 0;
    (void)p;
    if (!is_published(v, r->path))
        return send_file(a, not_published(), checkpoint, false);
    enum bourn_err err = may_leave(v, r, entries, a, &may);
    if (err || !may)
        return err;
    bool keep = !checkpoint && !(entries && v->settings.entries_closed); /* nobody on the way keeps those */
    return send_file(a, ledger_file(v->cell, r->path, &a->body), checkpoint, keep);
}

/* r->number: the first byte wanted. What does not fit one answer goes on in the next. */
enum bourn_err handle_rows_file(struct vault *v, const struct request *r, const struct gate_party *p,
                                struct answer *a)
{
    uint64_t total = 0;
    (void)p;
    enum bourn_err err = is_published(v, r->path) ? ledger_rows_part(v->cell, r->path, r->number,
                                                                     ROWS_PIECE_BYTES_MAX, &a->body, &total)
                                                  : not_published();
    if (err == BOURN_OK && r->number && r->number >= total)
        err = err_set(BOURN_E_NOT_FOUND, "the rows end before");
    if (err == BOURN_OK && r->number + a->body.n < total)
        a->next_cursor = r->number + a->body.n;
    return send_file(a, err, false, true);
}
