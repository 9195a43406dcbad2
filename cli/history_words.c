/* One row of a person's history in plain words: when, which party, purpose, country, collection. */
#include "history.h"

#include "base/json.h"
#include "base/text.h"
#include "cli.h"
#include "consent/consent.h"

static void text(struct buf *b, const char *before, struct slice s, const char *after)
{
    buf_put_str(b, before);
    cli_printable(b, s);
    buf_put_str(b, after);
}

static void party(struct buf *b, const struct history *h, uint64_t index)
{
    const struct history_party *p = history_party(h, index);
    if (!p) {
        buf_printf(b, "the party of entry %llu", (unsigned long long)index);
        return;
    }
    text(b, "", slice_str(p->name), "");
    if (p->legal_name.n && !slice_is(buf_slice(&p->legal_name), p->name))
        text(b, " (", buf_slice(&p->legal_name), ")");
    text(b, " in ", slice_str(p->jurisdiction), "");
}

static void purpose(struct buf *b, struct slice term)
{
    struct buf words;
    buf_init(&words, 1024);
    consent_purpose_words(&words, term);
    text(b, " for ", buf_slice(&words), "");
    text(b, " (", term, ")");
    buf_release(&words);
}

static void names(struct buf *b, const char *before, const struct slice *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text(b, i ? ", " : before, v[i], "");
}

static void count(struct buf *b, size_t n)
{
    buf_printf(b, n == 1 ? "1 record" : "%zu records", n);
}

static void bases(struct buf *b, const struct row *r)
{
    for (size_t i = 0; i < r->bases_n; i++) {
        buf_put_str(b, i ? ", and " : "; allowed by ");
        switch (r->bases[i].grade) {
        case GRADE_SUBJECT_SIGNED:
            buf_printf(b, "your consent, entry %llu", (unsigned long long)r->bases[i].index);
            break;
        case GRADE_OPERATOR_ATTESTED:
            buf_printf(b, "a consent that the cell's operator vouches for, entry %llu",
                       (unsigned long long)r->bases[i].index);
            break;
        case GRADE_AUTHORITY_SIGNED:
            buf_printf(b, "an authority's approval, entry %llu", (unsigned long long)r->bases[i].index);
            break;
        case GRADE_GROUND:
            buf_put_str(b, "a legal ground that the party declared");
            break;
        default:
            buf_put_str(b, "yourself");
            break;
        }
    }
}

static void disclosed(struct buf *b, const struct history *h, const struct entry *e, const struct row *r)
{
    if (e->operation == OP_EVIDENCE)
        buf_put_str(b, "what you signed was opened for ");
    else if (r->records_n) {
        count(b, r->records_n);
        text(b, " of ", e->collection, e->operation == OP_SEARCH ? " found and read by " : " read by ");
    } else {
        text(b, "your file was asked for, and no record was in it: ", e->collection, ", by ");
    }
    party(b, h, e->party);
    purpose(b, e->purpose);
    text(b, ", to ", e->destination, "");
    if (entry_has(e, E_FIELDS))
        names(b, ", only ", e->fields, e->fields_n);
    bases(b, r);
}

static void consent(struct buf *b, const struct history *h, const struct row *r)
{
    buf_put_str(b, r->grade == GRADE_SUBJECT_SIGNED ? "you consented, signed by your key"
                                                    : "a consent of yours was noted, on the operator's word");
    names(b, ": ", r->collections, r->collections_n);
    for (size_t i = 0; i < r->recipients_n; i++) {
        buf_put_str(b, i ? " and " : " to ");
        party(b, h, r->recipients[i]);
    }
    for (size_t i = 0; i < r->purposes_n; i++)
        purpose(b, r->purposes[i]);
    buf_put_str(b, ", until ");
    time_put(b, r->expires);
}

static void key(struct buf *b, const struct history *h, const struct row *r)
{
    static const char *const acts[] = {"changed", "became yours", "took the place of another",
                                       "was taken from you"};
    buf_printf(b, "a signing key %s; vouched for by ", acts[r->action <= 3 ? r->action : 0]);
    if (r->voucher == VOUCHER_APP || r->voucher == VOUCHER_REGISTRAR)
        party(b, h, r->voucher_ref);
    else
        buf_put_str(b, r->voucher == VOUCHER_OPERATOR ? "the cell's operator" : "an earlier key");
}

static void act(struct buf *b, const struct history *h, const char *before, const struct entry *e, size_t n)
{
    count(b, n);
    text(b, " of ", e->collection, before);
    party(b, h, e->party);
    purpose(b, e->purpose);
}

void history_words(struct buf *b, const struct history *h, uint64_t index, const struct entry *e,
                   const struct row *r)
{
    time_put(b, e->time);
    buf_printf(b, "  entry %llu: ", (unsigned long long)index);
    switch (e->kind) {
    case ENTRY_ENROLLED:
        buf_put_str(b, "you were entered here by ");
        party(b, h, e->party);
        break;
    case ENTRY_KEY:
        key(b, h, r);
        break;
    case ENTRY_CONSENT:
        consent(b, h, r);
        break;
    case ENTRY_WITHDRAWN:
        buf_printf(b, "your consent, entry %llu, was withdrawn by way of ", (unsigned long long)r->consent);
        party(b, h, e->party);
        break;
    case ENTRY_STORED:
        act(b, h, " stored by ", e, r->stored_n);
        bases(b, r);
        break;
    case ENTRY_DELETED:
        act(b, h, " deleted by ", e, r->records_n);
        break;
    case ENTRY_DISCLOSED:
        disclosed(b, h, e, r);
        break;
    case ENTRY_EXPIRED:
        count(b, r->records_n);
        text(b, " of ", e->collection, " deleted by the cell: their time was over");
        break;
    case ENTRY_EXPORTED:
        buf_put_str(b, entry_has(e, E_OPERATION) ? "you read your history"
                       : row_has(r, R_COPY)      ? "your own copy went on"
                                                 : "you took your own copy");
        if (r->records_n) {
            buf_put_str(b, ": ");
            count(b, r->records_n);
            text(b, " of ", e->collection, "");
        }
        buf_printf(b, ", signed by the key of entry %llu", (unsigned long long)r->key);
        break;
    case ENTRY_ERASED:
        buf_put_str(b, "you were erased, or a part of what is stored was");
        break;
    default:
        buf_printf(b, "an entry of kind %u", e->kind);
        break;
    }
    buf_put_str(b, "\n");
}

static void member(struct buf *b, const char *name, struct slice s)
{
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, utf8_valid(s) ? s : slice_str("?"));
}

static void numbers(struct buf *b, const char *name, const struct row_record *v, size_t n)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s{\"id\":%llu,\"version\":%llu}", i ? "," : "", (unsigned long long)v[i].id,
                   (unsigned long long)v[i].version);
    buf_put_str(b, "]");
}

void history_json(struct buf *b, const struct history *h, uint64_t index, const struct entry *e,
                  const struct row *r)
{
    static const char *const operations[] = {"?", "read", "search", "write", "delete", "evidence", "self"};
    const char *kind = entry_kind_name(e->kind);
    struct buf words;
    buf_init(&words, 1 << 20);
    buf_printf(b, "{\"index\":%llu,\"time\":\"", (unsigned long long)index);
    time_put(b, e->time);
    buf_put_str(b, "\"");
    member(b, "kind", slice_str(kind ? kind : "unknown"));
    if (entry_has(e, E_PARTY)) {
        const struct history_party *p = history_party(h, e->party);
        member(b, "party", p ? slice_str(p->name) : slice_str("?"));
        buf_printf(b, ",\"party_entry\":%llu", (unsigned long long)e->party);
    }
    if (entry_has(e, E_PURPOSE))
        member(b, "purpose", e->purpose);
    if (entry_has(e, E_DESTINATION))
        member(b, "destination", e->destination);
    if (entry_has(e, E_COLLECTION))
        member(b, "collection", e->collection);
    if (entry_has(e, E_OPERATION))
        member(b, "operation", slice_str(operations[e->operation <= OP_SELF ? e->operation : 0]));
    if (row_has(r, R_CONSENT))
        buf_printf(b, ",\"consent\":%llu", (unsigned long long)r->consent);
    if (row_has(r, R_RECORDS))
        numbers(b, "records", r->records, r->records_n);
    if (row_has(r, R_STORED))
        numbers(b, "records", r->stored, r->stored_n);
    if (r->prev != UINT64_MAX)
        buf_printf(b, ",\"prev\":%llu", (unsigned long long)r->prev);
    history_words(&words, h, index, e, r);
    /* Behind time and entry number, which stand in members of their own. */
    const uint8_t *colon = words.n ? memmem(words.p, words.n, ": ", 2) : NULL;
    size_t skip = colon ? (size_t)(colon - words.p) + 2 : 0;
    member(b, "words", slice_of(words.p + skip, words.n - skip - 1));
    buf_put_str(b, "}\n");
    buf_release(&words);
}
