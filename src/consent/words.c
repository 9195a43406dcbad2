/* What a person reads. The words of a purpose are part of what is signed, hence a function of the term alone:
 * lines of the table never change, and new ones come only with a new schema_version of the statement. */
#include "base/text.h"
#include "consent/consent.h"

static const struct {
    const char *term, *words;
} purposes[] = {
    {"dpv:AcademicResearch", "academic research"},
    {"dpv:Advertising", "showing advertisements"},
    {"dpv:CommercialResearch", "research for commercial ends"},
    {"dpv:CustomerSupport", "answering questions and solving problems with the service"},
    {"dpv:DirectMarketing", "sending advertisements to you directly"},
    {"dpv:FraudPreventionAndDetection", "preventing and detecting fraud"},
    {"dpv:HumanResourceManagement", "managing staff"},
    {"dpv:LegalCompliance", "complying with the law"},
    {"dpv:Marketing", "marketing of products and services"},
    {"dpv:NonCommercialResearch", "research that is not for commercial ends"},
    {"dpv:PaymentManagement", "handling payments"},
    {"dpv:Personalisation", "adapting the service to you"},
    {"dpv:PublicBenefit", "the benefit of the public"},
    {"dpv:RecordManagement", "keeping records"},
    {"dpv:ServiceImprovement", "improving the service"},
    {"dpv:ServiceOptimisation", "making the service work better"},
    {"dpv:ServiceProvision", "providing the service you asked for"},
    {"dpv:TargetedAdvertising", "showing advertisements chosen for you"},
};

static bool upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

void consent_purpose_words(struct buf *out, struct slice term)
{
    for (size_t i = 0; i < sizeof purposes / sizeof purposes[0]; i++)
        if (slice_is(term, purposes[i].term)) {
            buf_put_str(out, purposes[i].words);
            return;
        }
    size_t from = term.n;
    while (from > 0 && !strchr(":/#", term.p[from - 1]))
        from--;
    for (size_t i = from; i < term.n; i++) {
        uint8_t c = term.p[i];
        bool starts =
            upper(c) && i > from &&
            (!upper(term.p[i - 1]) || (i + 1 < term.n && term.p[i + 1] >= 'a' && term.p[i + 1] <= 'z'));
        if (starts && term.p[i - 1] != '_' && term.p[i - 1] != '-')
            buf_put_u8(out, ' ');
        buf_put_u8(out, c == '_' || c == '-' ? ' ' : upper(c) ? (uint8_t)(c | 0x20) : c);
    }
    if (from == term.n) /* nothing after the prefix: the term itself is all there is to show */
        buf_put_slice(out, term);
}

static void put_party(struct buf *out, struct slice name, struct slice contact)
{
    buf_put_slice(out, name);
    if (contact.n) {
        buf_put_str(out, ", contact: ");
        buf_put_slice(out, contact);
    }
}

static void put_names(struct buf *out, const char *before, const struct slice *v, size_t n)
{
    buf_put_str(out, before);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, i ? ", " : "");
        buf_put_slice(out, v[i]);
    }
    buf_put_str(out, "\n");
}

void consent_in_words(struct buf *out, const struct consent_statement *s)
{
    buf_put_str(out, "You let ");
    put_party(out, s->controller, s->controller_contact);
    buf_put_str(out, "\nwhich keeps your data in ");
    buf_put_slice(out, s->domicile);
    buf_put_str(out, " (log ");
    buf_put_slice(out, s->origin);
    put_names(out, "),\ngive what these collections hold about you: ", s->collections, s->collections_n);
    buf_put_str(out, "to:\n");
    for (size_t i = 0; i < s->recipients_n; i++) {
        const struct consent_recipient *r = &s->recipients[i];
        buf_put_str(out, "  - ");
        buf_put_slice(out, r->legal_name);
        buf_put_str(out, " (");
        buf_put_slice(out, r->name);
        buf_put_str(out, ") in ");
        put_party(out, r->country, r->contact);
        buf_put_str(out, "\n");
    }
    put_names(out, "in these countries: ", s->destinations, s->destinations_n);
    buf_put_str(out, "for:\n");
    for (size_t i = 0; i < s->purposes_n; i++) {
        buf_put_str(out, "  - ");
        buf_put_slice(out, s->purposes[i].description);
        buf_put_str(out, " (");
        buf_put_slice(out, s->purposes[i].term);
        buf_put_str(out, ")\n");
    }
    buf_put_str(out, "from ");
    time_put(out, s->issued);
    buf_put_str(out, " until ");
    time_put(out, s->expires);
    buf_put_str(out, ", unless you withdraw it before.\nThe notice you were shown: ");
    buf_put_slice(out, s->notice_name);
    buf_printf(out, ", version %llu, in ", (unsigned long long)s->notice_version);
    buf_put_slice(out, s->notice_language);
    buf_put_str(out, ", SHA-256 ");
    hex_put(out, slice_of(s->notice_hash, 32));
    buf_put_str(out, "\nYour label there: ");
    hex_put(out, slice_of(s->label, 16));
    buf_put_str(out, "\n");
}
