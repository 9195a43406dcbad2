/* A person's own copy of all that the cell holds about them. No token: the credential is a statement that a
 * live key of the person signed. It is used once; each page of the answer is an `exported` entry, and a
 * statement lets each record out once at most: how far the person's last copy has come is kept, and a page
 * goes on from there or not at all. Whoever may not have it gets one and the same answer, and no entry. */
#include "vault/internal.h"

#include "base/text.h"
#include "consent/consent.h"

/* How far a person's last copy has come: STORE_USED, under SHA-256("bourn copy\n" || label). */
struct progress {
    uint64_t first;          /* index of the entry that the copy began with */
    uint64_t page;           /* the number that asks for the next page; 0: there is none */
    uint64_t collection, id; /* where that page begins */
};
enum { PROGRESS_BYTES = 32 };

struct copy {
    struct signed_statement signed_by;
    struct own_statement said;
    uint8_t used[32];
    struct subject s;
    const struct person_key *key;
    struct progress at;
};

static void progress_key(uint8_t out[32], const struct subject *s)
{
    struct slice parts[] = {slice_str("bourn copy\n"), slice_of(s->person.label, 16)};
    crypto_sha256(out, parts, 2);
}

static enum bourn_err progress_get(struct vault *v, const struct subject *s, struct progress *out)
{
    uint8_t key[32];
    struct slice value;
    progress_key(key, s);
    enum bourn_err err = store_get(v->store, STORE_USED, slice_of(key, 32), &value);
    if (err)
        return err;
    if (value.n != PROGRESS_BYTES)
        return err_set(BOURN_E_CORRUPT, "the progress of a person's copy is malformed");
    *out = (struct progress){be_get(value.p, 8), be_get(value.p + 8, 8), be_get(value.p + 16, 8),
                             be_get(value.p + 24, 8)};
    return BOURN_OK;
}

static enum bourn_err progress_put(struct vault *v, const struct subject *s, const struct progress *p)
{
    uint8_t key[32], value[PROGRESS_BYTES];
    progress_key(key, s);
    be_put(value, p->first, 8);
    be_put(value + 8, p->page, 8);
    be_put(value + 16, p->collection, 8);
    be_put(value + 24, p->id, 8);
    return batch_put(v, STORE_USED, slice_of(key, 32), slice_of(value, sizeof value));
}

enum bourn_err export_forget(struct vault *v, const struct subject *s)
{
    uint8_t key[32];
    progress_key(key, s);
    return batch_del(v, STORE_USED, slice_of(key, 32));
}

/* What can be said of the statement without looking at anybody; false with the answer made. */
static bool statement_ok(struct vault *v, struct slice body, struct copy *c, struct answer *a)
{
    const struct own_statement *x = &c->said;
    if (signed_statement_get(body, &v->arena, &c->signed_by) != BOURN_OK ||
        export_statement_get(c->signed_by.canonical, &v->arena, &c->said) != BOURN_OK) {
        answer_problem(a, 422, "statement_malformed", "%s", err_text());
        return false;
    }
    if (!slice_eq(x->origin, world_origin(v->world))) {
        answer_problem(a, 422, "statement_foreign", "/statement: made for another cell");
        return false;
    }
    if (x->issued > v->now + KEY_STATEMENT_SKEW_S_MAX || x->issued + EXPORT_STATEMENT_AGE_S_MAX < v->now) {
        answer_problem(a, 422, "statement_expired",
                       "/statement: issued in the future, or more than %d s ago: sign a new one",
                       EXPORT_STATEMENT_AGE_S_MAX);
        return false;
    }
    return true;
}

/* The person, if a live key of theirs signed. Unknown and erased people, other people's keys and bad
 * signatures get one answer for the same work: *found is false then. c->s is to be released by the caller if
 * it is true. */
static enum bourn_err find_person(struct vault *v, struct copy *c, struct answer *a, bool *found)
{
    struct buf id;
    bool good =
        consent_verify(c->signed_by.canonical, c->signed_by.signature, c->signed_by.public_key) == BOURN_OK;
    buf_init(&id, 64);
    buf_put_str(&id, "~");
    hex_put(&id, slice_of(c->said.label, 16));
    enum bourn_err err = subject_find_alike(v, buf_slice(&id), &c->s);
    buf_release(&id);
    *found = err == BOURN_OK && good && (c->key = subject_key_live(&c->s, c->signed_by.public_key)) != NULL;
    if (err == BOURN_OK && !*found)
        subject_release(&c->s);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    if (!*found) {
        answer_problem(a, 403, "signature_invalid", EXPORT_REFUSED);
        answer_hold(a, 1);
    }
    return BOURN_OK;
}

/* The statement begins a copy (page 0) or goes on with the last one; false with the answer made. */
static enum bourn_err take_place(struct vault *v, struct copy *c, uint64_t page, struct answer *a, bool *go)
{
    struct slice value, parts[] = {slice_str("bourn statement used\n"), slice_of(c->said.nonce, 16)};
    crypto_sha256(c->used, parts, 2);
    enum bourn_err err = store_get(v->store, STORE_USED, slice_of(c->used, 32), &value);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    uint64_t first = err == BOURN_OK && value.n == 8 ? be_get(value.p, 8) : UINT64_MAX;
    *go = page == 0 && err == BOURN_E_NOT_FOUND;
    if (page && err == BOURN_OK) {
        err = progress_get(v, &c->s, &c->at);
        if (err && err != BOURN_E_NOT_FOUND)
            return err;
        *go = err == BOURN_OK && c->at.first == first && c->at.page == page;
    }
    if (!*go)
        answer_problem(a, 409, "statement_used",
                       "this statement was used before, or a newer copy was begun: sign a new one");
    return BOURN_OK;
}

/* The first live record at or behind p's place, and its collection; *c NULL if there is none. */
static enum bourn_err seek(struct vault *v, const struct subject *s, struct progress *p,
                           const struct world_collection **c)
{
    const struct world_collection *first;
    *c = NULL;
    for (size_t i = 0; (first = world_collection_at(v->world, i)); i++) {
        uint64_t id = first->index == p->collection ? p->id : 0;
        struct record_row row;
        if (first->index < p->collection || !subject_key_of(s, (uint32_t)first->index))
            continue;
        enum bourn_err err = record_next(v, s->number, (uint32_t)first->index, &id, &row);
        if (err == BOURN_E_NOT_FOUND)
            continue;
        *c = err ? NULL : world_collection(v->world, first->name, v->now);
        p->collection = first->index;
        p->id = id;
        return err || *c ? err : err_set(BOURN_E_CORRUPT, "records of a collection that is not in force");
    }
    return BOURN_OK;
}

/* The sealed records of one page. The next one begins directly behind the last record given, so that what is
 * written in the meantime is not passed over; whether there is one is a look ahead. */
static enum bourn_err fill(struct vault *v, struct copy *c, const struct world_collection **of,
                           struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct world_collection *more = NULL;
    TRY(seek(v, &c->s, &c->at, of));
    if (*of) {
        TRY(release_new(v, RELEASE_COPY, *of, &a->release));
        TRY(release_person(v, &c->s, (uint32_t)(*of)->index, c->at.id, slice_of(NULL, 0), a->release));
        bourn_assert(a->release->n);
        c->at.id = a->release->records[a->release->n - 1].id + 1;
        struct progress ahead = c->at;
        TRY(seek(v, &c->s, &ahead, &more));
    }
    c->at.page = more ? c->at.page + 1 : 0;
    err = BOURN_OK;
out:
    return err;
}

static enum bourn_err stage(struct vault *v, struct copy *c, const struct asked *q, bool begins,
                            struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const char *clause = "";
    const struct world_collection *of = NULL;
    struct entry e = {.kind = ENTRY_EXPORTED, .time = v->now};
    struct evidence ev = {EVIDENCE_EXPORT, c->signed_by.canonical, c->signed_by.signature,
                          c->signed_by.public_key};
    struct staged_row staged;
    uint8_t index_be[8];
    TRY(fill(v, c, &of, a));
    if (of) {
        e.collection = of->name;
        entry_set(&e, E_COLLECTION);
    }
    TRY(disclosed_row(v, q, &c->s, a->release, 0, &staged));
    staged.row.key = c->key->index;
    row_set(&staged.row, R_KEY);
    if (begins) {
        c->at.first = v->next_index;
        staged.row.issued = c->said.issued;
        row_set(&staged.row, R_ISSUED);
        row_set(&staged.row, R_EVIDENCE);
        TRY(subject_put_evidence(v, &c->s, v->next_index, &ev, staged.row.evidence));
        be_put(index_be, v->next_index, 8);
        TRY(batch_put(v, STORE_USED, slice_of(c->used, 32), slice_of(index_be, 8)));
    } else {
        staged.row.copy = c->at.first;
        row_set(&staged.row, R_COPY);
    }
    TRY(person_apply(&c->s.person, v->next_index, &e, &staged.row, &clause));
    TRY(progress_put(v, &c->s, &c->at));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_wait(v, a, 1, false);
    a->status = 200;
    a->code = "";
    a->type = REPLY_NDJSON;
    a->next_cursor = c->at.page;
out:
    return err;
}

enum bourn_err handle_export(struct vault *v, const struct request *r, const struct gate_party *none,
                             struct answer *a)
{
    struct copy *c = arena_alloc(&v->arena, sizeof *c);
    struct asked *q = arena_alloc(&v->arena, sizeof *q);
    bool go = false;
    (void)none;
    if (!c || !q)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    *c = (struct copy){.key = NULL};
    *q = (struct asked){.operation = OP_SELF};
    if (!statement_ok(v, r->body, c, a))
        return BOURN_OK;
    enum bourn_err err = find_person(v, c, a, &go);
    if (err || !go)
        return err;
    err = take_place(v, c, r->number, a, &go);
    if (err == BOURN_OK && go) {
        decide(v, q, &c->s.person);
        if (q->out.verdict == GATE_ALLOW)
            err = stage(v, c, q, r->number == 0, a);
        else
            answer_problem(a, 403, gate_code_name(q->out.code), "the gate refuses");
    }
    subject_release(&c->s);
    return err;
}
