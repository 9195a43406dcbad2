/* The people whose evidence stayed closed, at the end of a replay or of one round of it. */
#include "verify/internal.h"

/* Somebody whose evidence the server calls erased and whose erasure this replay has not met. */
bool settle_waits(const struct replay *v)
{
    for (size_t i = 0; i < v->people.n; i++) {
        const struct subject *s = people_at(&v->people, i);
        if (s->signer && s->signer->claimed_erased && !s->person.erased)
            return true;
    }
    return false;
}

static void add_erased(struct replay *v, const struct subject *s, uint64_t n)
{
    v->rep->evidence_erased += n;
    for (unsigned c = 0; c < VERIFY_CLAUSES; c++)
        if (s->signer->undecided & BIT(c))
            v->rep->count[c].erased[s->person.erased_by & 3] += n;
}

/* Evidence that stayed closed: gone with the person, refused by right, or withheld. */
void settle_people(struct replay *v)
{
    struct verify_report *r = v->rep;
    bool due = v->source.headers && decide_evidence(v, v->source.party, slice_str(v->source.purpose));
    for (size_t i = 0; i < v->people.n; i++) {
        const struct subject *s = people_at(&v->people, i);
        const struct signer *g = s->signer;
        if (!g || !(g->missing + g->refused))
            continue;
        if (s->person.erased) {
            add_erased(v, s, g->missing + g->refused);
            continue;
        }
        r->evidence_missing += g->missing;
        r->evidence_refused += g->refused;
        if (g->missing)
            finding_at(v, CLAUSE_V3, false, g->missing_at,
                       "evidence is withheld (%llu rows) for a person who is not erased",
                       (unsigned long long)g->missing);
        if (g->refused && due)
            finding_at(v, CLAUSE_V3, false, g->refused_at,
                       "evidence is refused (%llu rows) where the gate allows it",
                       (unsigned long long)g->refused);
        clauses_count(v, g->undecided, COUNT_NOT_EXAMINED);
    }
}
