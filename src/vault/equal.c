/* Which rows of an import are there already, equal byte by byte: in the same batch or stored. A person's
 * records are gone through once a batch, however many rows of theirs it has. */
#include "vault/plan.h"

#include <stdlib.h>

/* Lengths of a person's rows, folded: a stored record of another length is nobody's twin, and stays shut. */
struct lengths {
    uint8_t bits[128];
};

static void lengths_add(struct lengths *l, size_t bytes)
{
    l->bits[bytes / 8 % sizeof l->bits] |= (uint8_t)(1u << bytes % 8);
}

static bool lengths_have(const struct lengths *l, size_t bytes)
{
    return l->bits[bytes / 8 % sizeof l->bits] >> bytes % 8 & 1;
}

/* What a row is compared by: its person and the hash of its bytes. A scan of the person's records finds all
 * of the batch that is stored already, so that many rows of one person cost one scan, not one each. */
struct twins {
    struct twin {
        size_t item; /* position + 1; 0: empty */
        uint8_t hash[32];
    } * table;
    size_t table_n; /* a power of two, and sparse */
    /* of each person, by position in plan.people */
    size_t *rows;
    struct lengths *lengths;
};

static enum bourn_err twins_init(struct twins *t, const struct plan *p)
{
    t->table_n = 16;
    while (t->table_n < 2 * p->items_n)
        t->table_n *= 2;
    t->table = calloc(t->table_n, sizeof *t->table);
    t->rows = calloc(p->people_n + 1, sizeof *t->rows);
    t->lengths = calloc(p->people_n + 1, sizeof *t->lengths);
    return t->table && t->rows && t->lengths ? BOURN_OK
                                             : err_set(BOURN_E_MEMORY, "out of memory for an import");
}

static void twins_release(struct twins *t)
{
    if (t->table)
        crypto_wipe(t->table, t->table_n * sizeof *t->table);
    free(t->table);
    free(t->rows);
    free(t->lengths);
}

static struct twin *twin_at(const struct twins *t, const struct plan *p, size_t person,
                            const uint8_t hash[32])
{
    size_t at = (size_t)be_get(hash, 8) & (t->table_n - 1);
    for (;; at = (at + 1) & (t->table_n - 1)) {
        struct twin *one = &t->table[at];
        if (!one->item || (p->items[one->item - 1].person == person && memcmp(one->hash, hash, 32) == 0))
            return one;
    }
}

/* Skips the rows of a person that are stored already. Nothing of it leaves: the writer knows them. They are
 * compared by hashes, whose time tells nothing of how far a guess is right. */
static enum bourn_err skip_stored(struct plan *p, const struct twins *t, size_t person)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    const struct subject *s = &p->people[person].s;
    uint32_t number = (uint32_t)p->q.collection->index;
    bool keyed = subject_key_of(s, number) != NULL;
    struct record_row row;
    struct buf plain;
    uint8_t hash[32];
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    for (uint64_t id = 0; keyed && id < s->next_record; id++) {
        err = record_next(p->v, s->number, number, &id, &row);
        if (err == BOURN_E_NOT_FOUND)
            break;
        TRY(err);
        if (!lengths_have(&t->lengths[person], row.sealed.n - CRYPTO_SEAL_OVERHEAD))
            continue;
        TRY(record_open(p->v, s, p->q.collection, id, &row, &plain));
        crypto_sha256_1(hash, buf_slice(&plain));
        struct twin *twin = twin_at(t, p, person, hash);
        if (twin->item)
            p->items[twin->item - 1].skip = true;
    }
    err = BOURN_OK;
out:
    crypto_wipe(hash, sizeof hash);
    buf_release(&plain);
    return err;
}

/* Marks the rows that come behind an equal one of the batch. */
static void skip_repeated(struct plan *p, const struct twins *t)
{
    uint8_t hash[32];
    for (size_t i = 0; i < p->items_n; i++) {
        struct item *it = &p->items[i];
        const struct planned *one = &p->people[it->person];
        if (!one->allowed || (!one->known && t->rows[it->person] == 1))
            continue; /* there is nothing that it could be equal to */
        crypto_sha256_1(hash, it->json.raw);
        struct twin *twin = twin_at(t, p, it->person, hash);
        it->skip = twin->item != 0;
        if (it->skip)
            continue;
        twin->item = i + 1;
        memcpy(twin->hash, hash, sizeof hash);
        lengths_add(&t->lengths[it->person], it->json.raw.n);
    }
    crypto_wipe(hash, sizeof hash);
}

enum bourn_err plan_skip_equal(struct plan *p)
{
    struct twins t = {0};
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(twins_init(&t, p));
    for (size_t i = 0; i < p->items_n; i++)
        t.rows[p->items[i].person]++;
    skip_repeated(p, &t);
    for (size_t i = 0; i < p->people_n; i++)
        if (p->people[i].known && p->people[i].allowed)
            TRY(skip_stored(p, &t, i));
    err = BOURN_OK;
out:
    twins_release(&t);
    return err;
}
