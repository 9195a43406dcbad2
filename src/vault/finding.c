#include "vault/finding.h"

#include "base/text.h"

/* The gate is pure, and of a person it sees the bases alone; index and time are one for the whole page. So
 * one decision is that of everybody who has no bases, and of those who are unknown. */
void finding_decide(struct vault *v, struct finding *f, const struct person *p)
{
    bool plain = !p || p->bases_n == 0;
    if (!plain || !f->plain)
        decide(v, &f->q, p);
    f->plain = plain;
}

static void label_name(const struct subject *s, struct buf *out)
{
    buf_put_str(out, "~");
    hex_put(out, slice_of(s->person.label, 16));
}

static bool matches(const struct finding *f, const struct record_row *row)
{
    for (size_t i = 0; i < f->where_n; i++) {
        bool has = false;
        for (size_t k = 0; k < row->blinds.n; k += 16)
            has = has || memcmp(row->blinds.p + k, f->where[i], 16) == 0;
        if (!has)
            return false;
    }
    return true;
}

/* Where a person's row stands in the table, or is to be put. */
static uint16_t *row_of(struct finding *f, uint64_t number)
{
    size_t at = (size_t)(number * 0x9e3779b97f4a7c15u >> 32) % ROWS_TABLE;
    while (f->rows_of[at] && f->rows[f->rows_of[at] - 1].number != number)
        at = (at + 1) % ROWS_TABLE;
    return &f->rows_of[at];
}

enum bourn_err finding_add(struct vault *v, struct finding *f, const struct subject *s, struct slice name,
                           bool *added)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint32_t number = (uint32_t)f->q.collection->index;
    const uint8_t *key = subject_key_of(s, number);
    size_t before = f->rel->n;
    struct record_row row;
    *added = false;
    uint16_t *row_at = row_of(f, s->number);
    if (*row_at)
        return BOURN_OK; /* named twice: a person has one row in an entry, and is disclosed once */
    finding_decide(v, f, &s->person);
    if (f->q.out.verdict != GATE_ALLOW) {
        f->denied++;
        return BOURN_OK;
    }
    for (uint64_t id = 0; key && id < s->next_record; id++) {
        err = record_next(v, s->number, number, &id, &row);
        if (err == BOURN_E_NOT_FOUND)
            break;
        TRY(err);
        if (!matches(f, &row))
            continue;
        if (f->rel->n - before == RECORDS_PER_REPLY_MAX) {
            f->over = true;
            return BOURN_OK;
        }
        TRY(release_add(f->rel, s, key, id, &row, name));
    }
    *added = f->rel->n > before;
    err = BOURN_OK;
    if (*added) {
        TRY(disclosed_row(v, &f->q, s, f->rel, before, &f->rows[f->rows_n]));
        *row_at = (uint16_t)++f->rows_n;
    }
out:
    return err;
}

bool finding_full(const struct finding *f)
{
    return f->looked >= PAGE_LOOKED_MAX || f->over || f->rows_n == PAGE_PEOPLE_MAX ||
           f->rel->n >= 2 * RECORDS_PER_REPLY_MAX || f->rel->sealed.n > RELEASE_BYTES_MAX / 2;
}

enum bourn_err finding_range(struct vault *v, struct finding *f, enum store_space space, struct slice prefix,
                             uint64_t from)
{
    uint8_t key[24];
    struct slice found, value;
    bourn_assert(prefix.n + 8 <= sizeof key);
    memcpy(key, prefix.p, prefix.n);
    for (uint64_t number = from;; number++) {
        struct subject s;
        struct buf name;
        bool added;
        be_put(key + prefix.n, number, 8);
        enum bourn_err err = store_seek(v->store, space, prefix, slice_of(key, prefix.n + 8), &found, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        number = be_get(found.p + prefix.n, 8);
        if (finding_full(f)) {
            f->rel->next = number + 1; /* cursors are one more than the number, so that 0 is none */
            return BOURN_OK;
        }
        f->looked++;
        err = subject_load(v, number, &s);
        if (err == BOURN_E_NOT_FOUND)
            continue; /* erased, not swept yet */
        if (err)
            return err;
        buf_init(&name, 64);
        label_name(&s, &name);
        err = finding_add(v, f, &s, buf_slice(&name), &added);
        buf_release(&name);
        subject_release(&s);
        if (err)
            return err;
    }
}

enum bourn_err finding_end(struct vault *v, struct finding *f, bool lines)
{
    struct answer *a = f->a;
    if (f->over) {
        answer_withhold(a);
        answer_problem(a, 422, "records_limit",
                       "somebody has more than %d matching records: nothing was disclosed; list that "
                       "person's records by "
                       "cursor",
                       RECORDS_PER_REPLY_MAX);
        return BOURN_OK;
    }
    finding_decide(v, f, NULL); /* the packs in force, at the entry's own index */
    a->next_cursor = lines ? f->rel->next : 0;
    enum bourn_err err = disclosed_entry(v, &f->q, f->fields, f->fields_n, f->rows, f->rows_n, a);
    if (err)
        return err;
    a->status = 200;
    a->code = "";
    a->type = lines ? REPLY_NDJSON : REPLY_JSON;
    return f->each && f->listed && f->denied ? refused(v, &f->q, f->denied) : BOURN_OK;
}

enum bourn_err finding_begin(struct vault *v, struct finding *f, enum release_form form)
{
    f->rows = arena_alloc(&v->arena, PAGE_PEOPLE_MAX * sizeof *f->rows);
    if (!f->rows)
        return err_set(BOURN_E_LIMIT, "the batch is full");
    enum bourn_err err = release_new(v, form, f->q.collection, &f->a->release);
    f->rel = f->a->release;
    return err;
}
