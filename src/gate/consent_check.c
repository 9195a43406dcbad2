/* What a consent row must agree with before it counts; shared by the vault, which refuses it, and the
 * verifier. */
#include "base/limits.h"
#include "gate/person.h"

#define YEAR_S ((uint64_t)366 * 86400)

#define REFUSE(word, fmt, ...) (*clause = (word), err_set(BOURN_E_CONFLICT, "consent: " fmt, __VA_ARGS__))

static bool has_country(const struct slice *v, size_t n, struct slice country)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(v[i], country))
            return true;
    return false;
}

/* The destinations are exactly the set of the recipients' jurisdictions. */
static enum bourn_err check_recipients(const struct world *w, const struct row *r, const char **clause)
{
    struct slice countries[CONSENT_LIST_MAX];
    if (r->recipients_n == 0 || r->recipients_n > CONSENT_LIST_MAX || r->destinations_n > CONSENT_LIST_MAX)
        return REFUSE("C2", "%zu recipients; name 1 to %d", r->recipients_n, CONSENT_LIST_MAX);
    for (size_t i = 0; i < r->recipients_n; i++) {
        const struct gate_party *p = world_party(w, r->recipients[i]);
        if (!p || p->ended != UINT64_MAX)
            return REFUSE("C2", "recipient %llu is not a living party", (unsigned long long)r->recipients[i]);
        countries[i] = p->jurisdiction;
        if (!has_country(r->destinations, r->destinations_n, p->jurisdiction))
            return REFUSE("S3", "destination %.*s of a recipient is not named", SLICE_ARG(p->jurisdiction));
    }
    for (size_t i = 0; i < r->destinations_n; i++) {
        if (!has_country(countries, r->recipients_n, r->destinations[i]))
            return REFUSE("S3", "destination %.*s is of no recipient", SLICE_ARG(r->destinations[i]));
        if (has_country(r->destinations, i, r->destinations[i]))
            return REFUSE("S3", "destination %.*s is named twice", SLICE_ARG(r->destinations[i]));
    }
    return BOURN_OK;
}

static enum bourn_err check_times(const struct entry *e, const struct row *r, const char **clause)
{
    if (r->issued > e->time || r->expires <= e->time)
        return REFUSE("C3", "%s", "its window [issued, expires) does not hold the time of the entry");
    if (e->time - r->issued > STATEMENT_AGE_S_MAX)
        return REFUSE("C3", "the statement was issued more than %d s ago; make a new one",
                      STATEMENT_AGE_S_MAX);
    if (r->expires - r->issued > CONSENT_YEARS_MAX * YEAR_S)
        return REFUSE("C1", "runs for more than %d years", CONSENT_YEARS_MAX);
    return BOURN_OK;
}

enum bourn_err person_consent_check(const struct world *w, const struct entry *e, const struct row *r,
                                    const char **clause)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    *clause = "C3";
    TRY(check_recipients(w, r, clause));
    if (r->purposes_n == 0 || r->collections_n == 0)
        return REFUSE("C1", "%s", "names no purpose or no collection");
    for (size_t i = 0; i < r->collections_n; i++)
        if (!world_collection(w, r->collections[i], e->time))
            return REFUSE("C1", "collection %.*s does not exist", SLICE_ARG(r->collections[i]));
    if (!world_notice(w, r->notice))
        return REFUSE("K5", "notice %llu does not exist", (unsigned long long)r->notice);
    TRY(check_times(e, r, clause));
out:
    return err;
}
