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

/* Counts each row that stayed closed for the clauses that its evidence would speak for. */
static void count_closed(struct replay *v, const struct subject *s)
{
    for (unsigned k = 0; k < CLOSED_KINDS; k++) {
        uint32_t clauses = clauses_of(closed_kind[k], LAYER_EVIDENCE);
        for (unsigned c = 0; c < VERIFY_CLAUSES; c++) {
            if (!(clauses & BIT(c)))
                continue;
            if (s->person.erased)
                v->rep->count[c].erased[s->person.erased_by & 3] += s->signer->closed[k];
            else
                v->rep->count[c].not_examined += s->signer->closed[k];
        }
    }
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
        count_closed(v, s);
        if (s->person.erased) {
            r->evidence_erased += g->missing + g->refused;
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
    }
}
