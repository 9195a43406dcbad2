#include "gate/person_internal.h"

#include <stdlib.h>

#include "base/limits.h"

enum key_action { KEY_ADDED = 1, KEY_REPLACES = 2, KEY_REVOKED = 3 };

void person_init(struct person *p, const uint8_t label[16])
{
    *p = (struct person){.head = UINT64_MAX};
    memcpy(p->label, label, sizeof p->label);
}

/* A basis lies in one allocation that begins with its purposes (basis_new). */
static void basis_free(struct gate_basis *b)
{
    free((void *)(uintptr_t)b->purposes.v);
    *b = (struct gate_basis){0};
}

void person_release(struct person *p)
{
    for (size_t i = 0; i < p->bases_n; i++)
        basis_free(&p->bases[i]);
    free(p->bases);
    free(p->keys);
    *p = (struct person){.head = UINT64_MAX};
}

const struct gate_basis *person_consent(const struct person *p, uint64_t index)
{
    for (size_t i = 0; i < p->bases_n; i++)
        if (p->bases[i].index == index)
            return &p->bases[i];
    return NULL;
}

const struct person_key *person_key(const struct person *p, uint64_t index)
{
    for (size_t i = 0; i < p->keys_n; i++)
        if (p->keys[i].index == index)
            return &p->keys[i];
    return NULL;
}

struct step {
    struct person *p;
    uint64_t index;
    const struct entry *e;
    const struct row *r;
    const char **clause;
};

static enum bourn_err refuse(const struct step *s, const char *clause, const char *why)
{
    *s->clause = clause;
    return err_set(BOURN_E_CONFLICT, "entry %llu: a row of a person: %s", (unsigned long long)s->index, why);
}

static enum bourn_err no_memory(const struct step *s)
{
    return err_set(BOURN_E_MEMORY, "entry %llu: out of memory", (unsigned long long)s->index);
}

static struct person_key *live_key(const struct person *p, uint64_t index)
{
    for (size_t i = 0; i < p->keys_n; i++)
        if (p->keys[i].index == index && p->keys[i].ended == UINT64_MAX)
            return &p->keys[i];
    return NULL;
}

static enum bourn_err add_key(const struct step *s)
{
    struct person *p = s->p;
    if (p->keys_n == KEYS_PER_SUBJECT_MAX)
        return refuse(s, "C2", "more keys than a person may have");
    struct person_key *keys = realloc(p->keys, (p->keys_n + 1) * sizeof *keys);
    if (!keys)
        return no_memory(s);
    p->keys = keys;
    p->keys[p->keys_n++] = (struct person_key){
        .index = s->index, .voucher = s->r->voucher, .voucher_ref = s->r->voucher_ref, .ended = UINT64_MAX};
    return BOURN_OK;
}

static enum bourn_err apply_key(const struct step *s)
{
    const struct row *r = s->r;
    bool adds = r->action == KEY_ADDED || r->action == KEY_REPLACES;
    if (!adds && r->action != KEY_REVOKED)
        return refuse(s, "C2", "an action on keys that does not exist");
    if (adds && r->voucher == VOUCHER_KEY && !live_key(s->p, r->voucher_ref))
        return refuse(s, "C2", "vouched for by a key that is not a live one of this person");
    if (r->action != KEY_ADDED && !live_key(s->p, r->key))
        return refuse(s, "C2", "replaces or revokes a key that is not a live one of this person");
    if (adds) {
        enum bourn_err err = add_key(s);
        if (err != BOURN_OK)
            return err;
    }
    if (r->action != KEY_ADDED)
        live_key(s->p, r->key)->ended = s->index;
    return BOURN_OK;
}

static size_t bytes_of(const struct slice *v, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i].n;
    return sum;
}

/* Copies n strings: their slices to *to, their bytes to *bytes; both move on. */
static struct gate_list copy_list(struct slice **to, uint8_t **bytes, const struct slice *v, size_t n)
{
    struct gate_list list = {*to, n};
    for (size_t i = 0; i < n; i++) {
        if (v[i].n)
            memcpy(*bytes, v[i].p, v[i].n);
        *(*to)++ = slice_of(*bytes, v[i].n);
        *bytes += v[i].n;
    }
    return list;
}

/* One allocation: slices of purposes, destinations and collections, then the recipients, then all bytes.
 * False out of memory. The lists of `from` are borrowed. */
static bool basis_copy(struct gate_basis *out, const struct gate_basis *from)
{
    size_t n = from->purposes.n + from->destinations.n + from->collections.n;
    size_t bytes_n = bytes_of(from->purposes.v, from->purposes.n) +
                     bytes_of(from->destinations.v, from->destinations.n) +
                     bytes_of(from->collections.v, from->collections.n);
    size_t size = n * sizeof(struct slice) + from->recipients_n * sizeof(uint64_t) + bytes_n;
    struct slice *slices = malloc(size ? size : 1);
    if (!slices)
        return false;
    uint64_t *recipients = (uint64_t *)(slices + n);
    uint8_t *bytes = (uint8_t *)(recipients + from->recipients_n);
    *out = *from;
    out->purposes = copy_list(&slices, &bytes, from->purposes.v, from->purposes.n);
    out->destinations = copy_list(&slices, &bytes, from->destinations.v, from->destinations.n);
    out->collections = copy_list(&slices, &bytes, from->collections.v, from->collections.n);
    if (from->recipients_n)
        memcpy(recipients, from->recipients, from->recipients_n * sizeof *recipients);
    out->recipients = recipients;
    return true;
}

/* Forgets consents that are withdrawn, or expired at `time`: times never go back, so no later decision
 * differs. */
static void forget_dead(struct person *p, uint64_t time)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->bases_n; i++) {
        if (p->bases[i].withdrawn != UINT64_MAX || p->bases[i].until <= time)
            basis_free(&p->bases[i]);
        else
            p->bases[kept++] = p->bases[i];
    }
    p->bases_n = kept;
}

bool person_add_basis(struct person *p, const struct gate_basis *from)
{
    struct gate_basis *bases = realloc(p->bases, (p->bases_n + 1) * sizeof *bases);
    if (!bases)
        return false;
    p->bases = bases;
    if (!basis_copy(&p->bases[p->bases_n], from))
        return false;
    p->bases_n++;
    return true;
}

static enum bourn_err apply_consent(const struct step *s)
{
    struct person *p = s->p;
    const struct row *r = s->r;
    uint32_t voucher = VOUCHER_NONE;
    if (r->grade == GRADE_SUBJECT_SIGNED) {
        const struct person_key *k = row_has(r, R_KEY) ? live_key(p, r->key) : NULL;
        if (!k)
            return refuse(s, "C2", "a consent signed by a key that is not a live one of this person");
        voucher = k->voucher;
    } else if (r->grade != GRADE_OPERATOR_ATTESTED || row_has(r, R_KEY)) {
        return refuse(s, "C2", "a consent of a grade that it cannot have");
    }
    size_t live = 0;
    for (size_t i = 0; i < p->bases_n; i++)
        live += p->bases[i].withdrawn == UINT64_MAX && p->bases[i].until > s->e->time;
    if (live >= CONSENTS_PER_SUBJECT_MAX)
        return refuse(s, "C1", "more live consents than a person may have; withdraw one first");
    if (p->bases_n >= CONSENTS_PER_SUBJECT_MAX)
        forget_dead(p, s->e->time);
    struct gate_basis b = {
        .index = s->index,
        .grade = r->grade,
        .voucher = voucher,
        .from = r->issued,
        .until = r->expires,
        .withdrawn = UINT64_MAX,
        .purposes = {r->purposes, r->purposes_n},
        .destinations = {r->destinations, r->destinations_n},
        .collections = {r->collections, r->collections_n},
        .recipients = r->recipients,
        .recipients_n = r->recipients_n,
    };
    return person_add_basis(p, &b) ? BOURN_OK : no_memory(s);
}

static enum bourn_err apply_withdrawn(const struct step *s)
{
    for (size_t i = 0; i < s->p->bases_n; i++) {
        struct gate_basis *b = &s->p->bases[i];
        if (b->index == s->r->consent && b->withdrawn == UINT64_MAX) {
            b->withdrawn = s->index;
            return BOURN_OK;
        }
    }
    return refuse(s, "H1", "withdraws what is not a live consent of this person");
}

static void erase(const struct step *s)
{
    s->p->erased = true;
    s->p->erased_index = s->index;
    s->p->erased_by = s->e->asked_by;
}

static enum bourn_err apply_kind(const struct step *s)
{
    struct person *p = s->p;
    switch (s->e->kind) {
    case ENTRY_ENROLLED:
        p->enrolled = s->index;
        return BOURN_OK;
    case ENTRY_KEY:
        return apply_key(s);
    case ENTRY_CONSENT:
        return apply_consent(s);
    case ENTRY_WITHDRAWN:
        return apply_withdrawn(s);
    case ENTRY_EXPORTED:
        return live_key(p, s->r->key)
                   ? BOURN_OK
                   : refuse(s, "C2", "asked for by a key that is not a live one of this person");
    case ENTRY_ERASED:
        if (!row_has(s->r, R_COLLECTIONS))
            erase(s);
        return BOURN_OK;
    case ENTRY_CARRIED: /* one that names who asked erases; the others withdraw */
        if (entry_has(s->e, E_ASKED_BY) == row_has(s->r, R_CONSENT))
            return refuse(s, "H1", "carries over neither a withdrawal nor an erasure");
        if (row_has(s->r, R_CONSENT))
            return apply_withdrawn(s);
        erase(s);
        return BOURN_OK;
    default:
        return BOURN_OK;
    }
}

enum bourn_err person_apply(struct person *p, uint64_t index, const struct entry *e, const struct row *r,
                            const char **clause)
{
    struct step s = {p, index, e, r, clause};
    *clause = "V3";
    bool first = p->head == UINT64_MAX;
    if (memcmp(r->label, p->label, sizeof p->label) != 0)
        return refuse(&s, "V3", "its label is another person's");
    if (r->prev != p->head)
        return refuse(&s, "V3",
                      "prev is not the last entry with a row of this person: a row is missing or doubled");
    if (!first && index <= p->head)
        return refuse(&s, "V3", "stands behind an entry with a later row");
    if (p->erased)
        return refuse(&s, "C3", "stands after the erasure");
    if (first != (e->kind == ENTRY_ENROLLED))
        return refuse(&s, "C3", first ? "stands before the enrolment" : "a second enrolment");
    enum bourn_err err = apply_kind(&s);
    if (err == BOURN_OK)
        p->head = index;
    return err;
}
