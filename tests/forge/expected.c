/* The clause that the first finding of each forgery violates. Written by hand from docs/formats/findings.md:
 * what a verifier says is held against this, never the other way round. */
#include "forge.h"

#include <string.h>

static const struct {
    const char *clause, *names; /* between spaces */
} expected[] = {
    {"K1",
     " read-after-retention retention-swapped schema-swapped undeclared-collection copy-after-retention "},
    {"K2", " undeclared-purpose "},
    {"K3", " row-dropped "},
    {"K5", " other-legal-name other-notice "},
    {"C1", " more-collections "},
    {"C2",
     " no-right ended-party no-party as-self as-write erased-without-right earlier-party ended-recipient "
     "other-row-recipient unenrolled-key small-order-key no-possession vouched-by-nobody vouched-by-key "
     "code-reused consent-without-right second-name copy-forged copy-other-persons-key copy-other-key "
     "copy-other-evidence copy-for-history history-forged history-unenrolled-key history-other-persons-key "
     "history-other-evidence "},
    {"C3", " wrong-bases after-erasure consent-after-erasure never-enrolled stored-without-basis other-cell "
           "longer-than-signed "
           "other-words row-altered copy-other-cell copy-other-label copy-old copy-other-time copy-reused "
           "copy-twice "
           "copy-goes-on-late copy-goes-on-older copy-goes-on-alone history-other-cell history-other-label "
           "history-old history-other-time history-reused history-with-records history-by-ground "},
    {"C4", " more-purposes "},
    {"H1", " reposted withdrawn-twice carried-withdrawn-alone carried-erased-alone "},
    {"H3", " copy-leaves-out copy-skips-collection "},
    {"S1",
     " as-evidence never-stored deleted-record stored-twice expired-early expired-without-end expired-twice "
     "read-after-expiry copy-never-stored entry-altered tile-altered root-only kept-left-out kept-replaced "
     "kept-cut-off "},
    {"S2", " hidden-destination "},
    {"S3", " no-basis withdrawn-basis expired-basis other-persons-basis other-purpose other-recipient "
           "other-collection attested-crossing attested-as-signed policy-swapped no-policy forged-signature "
           "other-persons-key unsigned other-destination other-evidence "},
    {"V1", " time-backwards second-genesis rewritten fork rolled-back witnessed-clock-still "
           "witnessed-clock-stops witnessed-clock-ahead witnessed-bad-signature witnessed-other-root "
           "witnessed-no-quorum witnessed-strangers witnessed-beyond witnessed-no-policy witnessed-again "
           "continued-other-log continued-same-name continued-other-name continued-fewer-known "},
    {"V3",
     " missing-prev wrong-prev second-enrolment row-dropped-signed row-inserted rows-reordered entry-dropped "
     "entry-inserted entries-reordered evidence-withheld evidence-called-erased "},
};

const char *forge_clause(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        for (const char *p = expected[i].names; (p = strstr(p, name)); p += n)
            if (p[-1] == ' ' && p[n] == ' ')
                return expected[i].clause;
    return "-";
}
