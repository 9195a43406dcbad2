/* What people take for themselves. A look at their history takes no record out. A copy: the pages of one go
 * on from one another, in the order of collections and ids, each in time; no record stands in it twice, and
 * none that lives is left out on the way. Where a copy ends is not held against the cell: whoever takes it
 * may hang up. */
#include "verify/internal.h"

static uint64_t index_of(const struct replay *v, struct slice collection)
{
    const struct world_collection *c = world_collection(v->world, collection, v->entry->time);
    return c ? c->index : UINT64_MAX;
}

/* Notes what begins, or holds the page against what began. */
static void check_place(struct replay *v, const struct row *r, const struct subject *s, struct own_copy *c)
{
    const struct person_key *k = person_key(&s->person, r->key);
    if (!row_has(r, R_COPY)) {
        *c = (struct own_copy){.first = v->index, .key = r->key, .issued = r->issued};
        v->rep->copies++;
        v->rep->copies_by_voucher[k && k->voucher < 5 ? k->voucher : 0]++;
    } else if (c->first != r->copy || !c->first || c->key != r->key) {
        finding(v, CLAUSE_C3,
                "it goes on from entry %llu, which is not the last copy that key %llu asked for",
                (unsigned long long)r->copy, (unsigned long long)r->key);
    }
    if (c->issued > v->entry->time + KEY_STATEMENT_SKEW_S_MAX ||
        c->issued + EXPORT_STATEMENT_AGE_S_MAX < v->entry->time)
        finding(v, CLAUSE_C3, "the copy was asked for at another time");
}

/* Living records between the place where the last page ended and (collection, id). */
static uint64_t living(const struct replay *v, const struct subject *s, const struct own_copy *c,
                       uint64_t collection, uint64_t id)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < v->collections_n; i++) {
        uint64_t at = index_of(v, v->collection[i]);
        if (at >= c->collection && at <= collection)
            n += subject_living(s, i, at == c->collection ? c->id + 1 : 0, at == collection ? id : UINT64_MAX,
                                v->entry->time);
    }
    return n;
}

void reading_check(struct replay *v, const struct row *r)
{
    uint64_t time = v->entry->time;
    v->rep->readings++;
    if (row_has(r, R_RECORDS) || row_has(r, R_COPY))
        finding(v, CLAUSE_C3, "the person asked for rows of the ledger, and it names %s",
                row_has(r, R_COPY) ? "a copy" : "records");
    else if (r->issued > time + KEY_STATEMENT_SKEW_S_MAX || r->issued + HISTORY_STATEMENT_AGE_S_MAX < time)
        finding(v, CLAUSE_C3, "the history was asked for at another time");
}

enum bourn_err copy_check(struct replay *v, const struct row *r, struct subject *s)
{
    struct signer *g;
    enum bourn_err err = subject_signer(s, &g);
    if (err != BOURN_OK)
        return err;
    struct own_copy *c = &g->copy;
    bool named = entry_has(v->entry, E_COLLECTION);
    uint64_t collection = named ? index_of(v, v->entry->collection) : UINT64_MAX;
    check_place(v, r, s, c);
    uint64_t last = collection == c->collection ? c->id : 0;
    if (named != (r->records_n > 0) || (named && collection == UINT64_MAX))
        finding(v, CLAUSE_K1, "its collection is not declared, or it names one and no records of it");
    bool ascends = collection >= c->collection;
    for (size_t i = 0; i < r->records_n; i++) {
        ascends = ascends && r->records[i].id > last;
        last = r->records[i].id;
    }
    uint64_t all = ascends ? living(v, s, c, collection, named ? last : UINT64_MAX) : r->records_n;
    if (!ascends)
        finding(v, CLAUSE_C3, "one signature lets a record out twice, or its records are out of order");
    else if (all > r->records_n)
        finding(v, CLAUSE_H3, "the copy leaves %llu records out", (unsigned long long)(all - r->records_n));
    c->collection = collection;
    c->id = last;
    return BOURN_OK;
}
