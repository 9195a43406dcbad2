/* The rows of one entry: their number, order and root; and what each of them says about its person. */
#include "verify/piece.h"

#include <stdlib.h>

void rows_check_party(struct replay *v)
{
    static const uint32_t rights[ENTRY_KIND_MAX + 1] = {
        [ENTRY_ENROLLED] = RIGHT_ENROL | RIGHT_WRITE, /* writing about a new person enrols them */
        [ENTRY_KEY] = RIGHT_ENROL,
        [ENTRY_CONSENT] = RIGHT_CONSENT,
        [ENTRY_WITHDRAWN] = RIGHT_CONSENT,
        [ENTRY_ERASED] = RIGHT_ERASE,
    };
    const struct entry *e = v->entry;
    if (e->kind == ENTRY_ERASED && e->asked_by == 2 && !entry_has(e, E_PARTY))
        finding(v, CLAUSE_C2, "erased for a party that is not named");
    if (!entry_has(e, E_PARTY))
        return;
    const struct gate_party *p = world_party(v->world, e->party);
    if (!p)
        finding(v, CLAUSE_C2, "party %llu does not exist", (unsigned long long)e->party);
    else if (p->ended <= v->index && e->kind != ENTRY_REFUSED)
        finding(v, CLAUSE_C2, "party %llu had ended", (unsigned long long)e->party);
    else if (rights[e->kind] && !(p->rights & rights[e->kind]))
        finding(v, CLAUSE_C2, "party %llu has no right to this", (unsigned long long)e->party);
    if (p && e->kind == ENTRY_REFUSED && !slice_eq(p->jurisdiction, e->destination))
        finding(v, CLAUSE_S2, "its destination is not the jurisdiction of party %llu",
                (unsigned long long)e->party);
}

/* The place of the collection's name among those that records refer to. */
static enum bourn_err collection_number(struct replay *v, uint32_t *out)
{
    struct slice name = v->entry->collection;
    for (size_t i = 0; i < v->collections_n; i++)
        if (slice_eq(v->collection[i], name)) {
            *out = (uint32_t)i;
            return BOURN_OK;
        }
    /* Only declared collections have records, so this list is as short as the world's; others share one
     * number. */
    const struct world_collection *c = world_collection(v->world, name, v->entry->time);
    struct slice *more = c ? realloc(v->collection, (v->collections_n + 1) * sizeof *more) : NULL;
    *out = UINT32_MAX;
    if (!c)
        return BOURN_OK;
    if (!more)
        return err_set(BOURN_E_MEMORY, "out of memory");
    v->collection = more;
    more[v->collections_n] = c->name;
    *out = (uint32_t)v->collections_n++;
    return BOURN_OK;
}

/* Records come to be at version 1, grow by one, and what is disclosed or deleted is the version that was
 * stored last. */
static enum bourn_err check_records(struct replay *v, const struct row *r, struct subject *s)
{
    uint32_t collection;
    const struct entry *e = v->entry;
    bool expires = e->kind == ENTRY_EXPIRED, deletes = e->kind == ENTRY_DELETED || expires;
    const struct world_collection *c = world_collection(v->world, e->collection, e->time);
    uint64_t until = c && c->retention ? e->time + c->retention : 0;
    enum bourn_err err = collection_number(v, &collection);
    for (size_t i = 0; i < r->stored_n && err == BOURN_OK; i++) {
        const struct row_record *x = &r->stored[i];
        struct record *known = subject_record(s, collection, x->id);
        if (known && known->deleted)
            finding(v, CLAUSE_S1, "record %llu is stored after it was deleted", (unsigned long long)x->id);
        else if (x->version != (known ? known->version + 1 : 1))
            finding(v, CLAUSE_S1, "record %llu is stored as version %llu after %llu",
                    (unsigned long long)x->id, (unsigned long long)x->version,
                    (unsigned long long)(known ? known->version : 0));
        if (known)
            known->version = x->version;
        else
            err = subject_record_add(&v->people, s, collection, x->id, &known);
        if (err == BOURN_OK)
            known->expires = until;
    }
    for (size_t i = 0; i < r->records_n && err == BOURN_OK; i++) {
        const struct row_record *x = &r->records[i];
        struct record *known = subject_record(s, collection, x->id);
        if (!known || known->deleted || known->version != x->version)
            finding(v, CLAUSE_S1, "version %llu of record %llu %s", (unsigned long long)x->version,
                    (unsigned long long)x->id,
                    !known           ? "was never stored"
                    : known->deleted ? "was deleted"
                                     : "is not the one that was stored last");
        else if (deletes)
            known->deleted = true;
        if (known && expires && (!known->expires || known->expires > e->time))
            finding(v, CLAUSE_S1, "record %llu expires before its retention is over",
                    (unsigned long long)x->id);
        else if (known && !deletes && known->expires && known->expires <= e->time)
            finding(v, CLAUSE_K1, "record %llu is disclosed after its retention", (unsigned long long)x->id);
    }
    if (r->records_n && v->entry->kind == ENTRY_DISCLOSED && v->entry->operation == OP_EVIDENCE)
        finding(v, CLAUSE_C4, "records are disclosed as evidence");
    return err;
}

static void check_key(struct replay *v, const struct row *r)
{
    const struct gate_party *p = world_party(v->world, r->voucher_ref);
    if (r->voucher == VOUCHER_KEY)
        finding(v, CLAUSE_C2, "vouched for by an earlier key, without a signature by it");
    else if (r->voucher == VOUCHER_OPERATOR && r->voucher_ref != 0)
        finding(v, CLAUSE_C2, "the operator vouches, but an entry is referred to");
    if (r->voucher != VOUCHER_APP && r->voucher != VOUCHER_REGISTRAR)
        return;
    if (!p || p->ended <= v->index || !(p->rights & RIGHT_ENROL))
        finding(v, CLAUSE_C2, "party %llu, which vouches, is no living one with the right to enrol",
                (unsigned long long)r->voucher_ref);
    else if (r->voucher == VOUCHER_REGISTRAR && !slice_is(p->kind, "registrar"))
        finding(v, CLAUSE_C2, "party %llu, which vouches, is no registrar",
                (unsigned long long)r->voucher_ref);
}

static enum bourn_err check_row(struct replay *v, const struct row *r, struct subject *s)
{
    const struct entry *e = v->entry;
    const char *clause = "V3";
    bool was_erased = s->person.erased;
    enum bourn_err err = person_apply(&s->person, v->index, e, r, &clause);
    if (err == BOURN_E_CONFLICT || err == BOURN_E_FORMAT) {
        finding(v, clause_named(clause, strlen(clause), CLAUSE_V3), "%s", err_text());
        s->person.head = v->index; /* one broken link is one finding */
    } else if (err != BOURN_OK) {
        return err;
    }
    err = BOURN_OK;
    if (v->o->structure)
        return err;
    switch (e->kind) {
    case ENTRY_ENROLLED:
        if (!slice_eq(r->domicile, world_domicile(v->world)))
            finding(v, CLAUSE_K4, "a person of domicile %.*s in a cell of another", SLICE_ARG(r->domicile));
        break;
    case ENTRY_KEY:
        check_key(v, r);
        break;
    case ENTRY_CONSENT:
        err = person_consent_check(v->world, e, r, &clause);
        if (err == BOURN_E_CONFLICT || err == BOURN_E_FORMAT)
            finding(v, clause_named(clause, strlen(clause), CLAUSE_C3), "%s", err_text());
        err = err == BOURN_E_MEMORY ? err : BOURN_OK;
        break;
    case ENTRY_STORED:
    case ENTRY_DELETED:
    case ENTRY_DISCLOSED:
        decide_row(v, r, s);
        err = check_records(v, r, s);
        break;
    case ENTRY_EXPORTED:
        decide_row(v, r, s);
        if (entry_has(e, E_OPERATION))
            reading_check(v, r);
        else
            err = copy_check(v, r, s);
        err = err == BOURN_OK ? check_records(v, r, s) : err;
        break;
    case ENTRY_EXPIRED:
        err = check_records(v, r, s);
        break;
    case ENTRY_CARRIED:
    case ENTRY_ERASED:
        if (s->person.erased && !was_erased)
            v->rep->erased_people++;
        break;
    default:
        break;
    }
    return err == BOURN_OK && row_has(r, R_EVIDENCE) ? statement_check(v, r, s) : err;
}

/* One row, decoded or not, and its person. */
static enum bourn_err take_row(struct replay *v, uint64_t position, const struct piece_row *x)
{
    struct trouble trouble = x->trouble;
    const struct row *r = &x->r;
    if (trouble.err == BOURN_E_FORMAT || trouble.err == BOURN_E_LIMIT) {
        finding(v, CLAUSE_V3, "row %llu: %s", (unsigned long long)position, trouble.why);
        return BOURN_OK;
    }
    if (trouble.err != BOURN_OK)
        return err_set(trouble.err, "%s", trouble.why);
    enum bourn_err err = BOURN_OK;
    struct subject *s = x->subject;
    if (!s || memcmp(s->person.label, r->label, 16) != 0)
        s = people_find(&v->people, x->hash, r->label);
    if (!s && v->entry->kind != ENTRY_ENROLLED) {
        finding(v, CLAUSE_C3, "row %llu is about somebody who never enrolled", (unsigned long long)position);
        return BOURN_OK;
    }
    if (!s) {
        err = people_add(&v->people, x->hash, r->label, &s);
        v->rep->people = v->people.n;
    }
    return err == BOURN_OK ? check_row(v, r, s) : err;
}

/* Decodes in its turn a row for which there was no room before. */
static void decode_late(struct replay *v, struct slice bytes, struct piece_row *r)
{
    r->trouble.err = row_decode(bytes, v->entry->kind, &v->row_arena, &r->r);
    r->trouble.why = (const char *)arena_copy(&v->row_arena, slice_str(err_text())).p;
    r->hash = people_hash(&v->people, r->r.label);
    r->subject = NULL;
}

enum bourn_err rows_check(struct replay *v, const struct piece *p, unsigned i)
{
    const struct piece_entry *x = &p->entry[i];
    enum bourn_err err = BOURN_OK;
    struct slice bytes;
    struct piece_row late;
    uint8_t last[16] = {0};
    uint64_t n = 0;
    size_t at = x->ahead_end;
    for (;; n++) {
        const struct piece_row *r = n < x->ahead ? &p->row[x->row + n] : &late;
        if (v->row_arena.total)
            arena_reset(&v->row_arena);
        if (r == &late) {
            if (!rows_next(x->group, &at, &bytes))
                break;
            decode_late(v, bytes, &late);
        }
        err = take_row(v, n, r);
        if (err != BOURN_OK)
            return err;
        if (n > 0 && memcmp(last, r->r.label, 16) >= 0)
            finding(v, CLAUSE_V3, "row %llu is not in the order of labels, each once", (unsigned long long)n);
        memcpy(last, r->r.label, 16);
    }
    if (x->rows_end != x->group.n)
        finding(v, CLAUSE_V3, "its rows are cut off");
    if (n != v->entry->count)
        finding(v, CLAUSE_K3, "it counts %llu people and has %llu rows", (unsigned long long)v->entry->count,
                (unsigned long long)n);
    if (memcmp(x->rows_root.b, v->entry->root, 32) != 0)
        finding(v, CLAUSE_S1, "its rows are not those it commits to");
    clauses_tally(v, v->entry->kind, LAYER_ROWS, !v->o->structure);
    return BOURN_OK;
}
