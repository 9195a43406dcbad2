#include "api/routes.h"

#include <stdio.h>

#define RECORDS "/v1/subjects/{s}/records/{c}"
enum { GATED = ROUTE_TOKEN | ROUTE_PURPOSE };

static const struct route routes[] = {
    {"GET", "/healthz", REQ_HEALTH, 0},
    {"GET", RECORDS, REQ_RECORDS, GATED | ROUTE_CURSOR | ROUTE_FIELDS},
    {"POST", RECORDS, REQ_RECORD_NEW, GATED | ROUTE_BODY | ROUTE_KEY},
    {"GET", RECORDS "/{n}", REQ_RECORD, GATED | ROUTE_FIELDS},
    {"PUT", RECORDS "/{n}", REQ_RECORD_PUT, GATED | ROUTE_BODY | ROUTE_VERSION | ROUTE_KEY},
    {"PATCH", RECORDS "/{n}", REQ_RECORD_PATCH, GATED | ROUTE_PATCH | ROUTE_VERSION | ROUTE_KEY},
    {"DELETE", RECORDS "/{n}", REQ_RECORD_DELETE, GATED | ROUTE_VERSION | ROUTE_KEY},
    {"POST", "/v1/search", REQ_SEARCH, GATED | ROUTE_BODY | ROUTE_CURSOR},
    {"POST", "/v1/disclose", REQ_DISCLOSE, GATED | ROUTE_BODY},
    {"POST", "/v1/import", REQ_IMPORT, GATED | ROUTE_UPLOAD},
    {"POST", "/v1/subjects", REQ_SUBJECT_NEW, ROUTE_TOKEN | ROUTE_BODY | ROUTE_KEY},
    {"POST", "/v1/subjects/lookup", REQ_LOOKUP, ROUTE_TOKEN | ROUTE_BODY},
    {"POST", "/v1/subjects/{s}/identifiers", REQ_IDENTIFIER, ROUTE_TOKEN | ROUTE_BODY | ROUTE_KEY},
    {"DELETE", "/v1/subjects/{s}", REQ_ERASE, ROUTE_TOKEN | ROUTE_KEY},
    {"POST", "/v1/subjects/{s}/enrolments", REQ_ENROLMENT, ROUTE_TOKEN},
    {"POST", "/v1/enrolments/lookup", REQ_ENROLMENT_LOOK, ROUTE_BODY},
    {"POST", "/v1/enrolments", REQ_ENROLMENT_DONE, ROUTE_BODY},
    {"POST", "/v1/subjects/{s}/consent-requests", REQ_CONSENT_REQUEST, ROUTE_TOKEN | ROUTE_BODY},
    {"POST", "/v1/subjects/{s}/consents", REQ_CONSENT, ROUTE_TOKEN | ROUTE_BODY | ROUTE_KEY},
    {"GET", "/v1/subjects/{s}/consents", REQ_CONSENTS, ROUTE_TOKEN},
    {"DELETE", "/v1/subjects/{s}/consents/{n}", REQ_WITHDRAW, ROUTE_TOKEN | ROUTE_KEY},
    {"POST", "/v1/export", REQ_EXPORT, ROUTE_BODY},
    {"GET", "/v1/subjects/{s}/history", REQ_HISTORY, ROUTE_STATEMENT | ROUTE_CURSOR | ROUTE_SIZE},
    {"GET", "/v1/party", REQ_WHOAMI, ROUTE_TOKEN},
    {"GET", "/v1/ledger/receipt/{n}", REQ_RECEIPT, ROUTE_TOKEN},
    {"GET", "/v1/ledger/proof/{n}", REQ_PROOF, ROUTE_TOKEN},
    {"GET", "/ledger/tile/rows/*", REQ_ROWS_FILE, ROUTE_TOKEN},
    {"GET", "/ledger/checkpoint*", REQ_LEDGER_FILE, 0},
    {"GET", "/ledger/tile/*", REQ_LEDGER_FILE, ROUTE_TOKEN_MAYBE},
    {"POST", "/ledger/evidence", REQ_EVIDENCE, GATED | ROUTE_BODY},
};

size_t route_count(void)
{
    return sizeof routes / sizeof routes[0];
}

static struct slice cut(struct slice *s)
{
    const uint8_t *slash = s->n ? memchr(s->p, '/', s->n) : NULL;
    struct slice first = slice_of(s->p, slash ? (size_t)(slash - s->p) : s->n);
    *s = slash ? slice_of(slash + 1, s->n - first.n - 1) : slice_of(NULL, 0);
    return first;
}

/* The public files: what follows "/ledger/" is the path, and a pattern's star stands for the rest of it. */
static bool match_file(struct slice pattern, struct slice path, struct route_match *m)
{
    static const size_t prefix = sizeof "/ledger/" - 1;
    size_t fixed = pattern.n - 1;
    bool exact = pattern.p[fixed - 1] != '/';
    if (path.n < fixed || memcmp(path.p, pattern.p, fixed) != 0 ||
        (exact ? path.n != fixed : path.n == fixed))
        return false;
    m->rest = slice_of(path.p + prefix, path.n - prefix);
    return true;
}

static bool match(struct slice pattern, struct slice path, struct route_match *m)
{
    if (pattern.p[pattern.n - 1] == '*')
        return match_file(pattern, path, m);
    while (pattern.n && path.n) {
        struct slice want = cut(&pattern), got = cut(&path);
        bool ended = path.p == NULL;
        if ((pattern.p == NULL) != ended)
            return false;
        if (slice_is(want, "{s}"))
            m->subject = got;
        else if (slice_is(want, "{c}"))
            m->collection = got;
        else if (slice_is(want, "{n}"))
            m->number = got;
        else if (!slice_eq(want, got))
            return false;
        if (ended)
            return want.n == 0 || got.n > 0;
    }
    return false;
}

void route_find(struct slice method, struct slice path, struct route_match *out)
{
    bool head = slice_is(method, "HEAD"); /* as GET; the answer goes without its body */
    *out = (struct route_match){0};
    size_t used = 0;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct route_match m = {0};
        if (!match(slice_str(routes[i].pattern), path, &m))
            continue;
        if (slice_is(method, routes[i].method) || (head && strcmp(routes[i].method, "GET") == 0)) {
            *out = m;
            out->route = &routes[i];
            return;
        }
        int n = snprintf(out->allow + used, sizeof out->allow - used, "%s%s%s", used ? ", " : "",
                         routes[i].method, strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
        used += n > 0 ? (size_t)n : 0;
    }
}
