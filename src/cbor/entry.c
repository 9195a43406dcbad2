/* The dictionary of keys, and which of them each kind has. docs/formats/ledger.cddl says the same in CDDL. */
#include "cbor/entry.h"

#include "base/limits.h"
#include "cbor/codec.h"

#define AT(strct, member) .name = #member, .at = offsetof(struct strct, member)
#define ONE(strct, member, kind, from, to)                                                                   \
    {                                                                                                        \
        AT(strct, member), .type = kind, .lo = from, .hi = to                                                \
    }
#define LIST(strct, member, kind, order, from, to)                                                           \
    {                                                                                                        \
        AT(strct, member), .type = kind, .list = order, .n_at = offsetof(struct strct, member##_n),          \
                           .lo = from, .hi = to                                                              \
    }
#define NUM CODEC_NUMBER_MAX
#define TIME_MAX 253402300799u /* 9999-12-31T23:59:59Z */
#define KEYS_MAX 16
#define BASES_MAX 32
#define TEXT_MAX 4096

static const struct codec_field entry_fields[E_KEY_MAX + 1] = {
    [E_KIND] = ONE(entry, kind, CODEC_U32, 1, UINT32_MAX),
    [E_TIME] = ONE(entry, time, CODEC_U64, 0, TIME_MAX),
    [E_SALT] = ONE(entry, salt, CODEC_B16, 0, 0),
    [E_COUNT] = ONE(entry, count, CODEC_U64, 0, NUM),
    [E_ROOT] = ONE(entry, root, CODEC_B32, 0, 0),
    [E_PARTY] = ONE(entry, party, CODEC_U64, 0, NUM),
    [E_PURPOSE] = ONE(entry, purpose, CODEC_TERM, 0, 0),
    [E_COLLECTION] = ONE(entry, collection, CODEC_NAME, 0, 0),
    [E_DESTINATION] = ONE(entry, destination, CODEC_COUNTRY, 0, 0),
    [E_POLICY] = LIST(entry, policy, CODEC_U64, CODEC_ASCENDING, 0, PACKS_MAX),
    [E_OPERATION] = ONE(entry, operation, CODEC_U32, OP_READ, OP_SELF),
    [E_CODE] = ONE(entry, code, CODEC_NAME, 0, 0),
    [E_NAME] = ONE(entry, name, CODEC_NAME, 0, 0),
    [E_LEGAL_NAME] = ONE(entry, legal_name, CODEC_TEXT, 1, TEXT_MAX),
    [E_CONTACT] = ONE(entry, contact, CODEC_TEXT, 0, TEXT_MAX),
    [E_JURISDICTION] = ONE(entry, jurisdiction, CODEC_COUNTRY, 0, 0),
    [E_PARTY_KIND] = ONE(entry, party_kind, CODEC_NAME, 0, 0),
    [E_KEYS] = LIST(entry, keys, CODEC_KEY, CODEC_UNIQUE, 0, KEYS_MAX),
    [E_RIGHTS] = ONE(entry, rights, CODEC_U32, 0, RIGHT_ALL),
    [E_PURPOSES] = LIST(entry, purposes, CODEC_PURPOSE, CODEC_UNIQUE, 0, PURPOSES_PER_PARTY_MAX),
    [E_ENDS] = ONE(entry, ends, CODEC_U64, 0, NUM),
    [E_ORIGIN] = ONE(entry, origin, CODEC_TEXT, 1, 255),
    [E_DOMICILE] = ONE(entry, domicile, CODEC_COUNTRY, 0, 0),
    [E_DELAY] = ONE(entry, delay, CODEC_U64, 0, NUM),
    [E_FORMAT] = ONE(entry, format, CODEC_U64, 1, NUM),
    [E_YAML] = ONE(entry, yaml, CODEC_TEXT, 1, PACK_YAML_BYTES_MAX),
    [E_RULES] = ONE(entry, rules, CODEC_BYTES, 1, ENTRY_BYTES_MAX),
    [E_FIELDS_DECLARED] =
        LIST(entry, fields_declared, CODEC_FIELD, CODEC_UNIQUE, 1, FIELDS_PER_COLLECTION_MAX),
    [E_RETENTION] = ONE(entry, retention, CODEC_U64, 0, NUM),
    [E_VERSION] = ONE(entry, version, CODEC_U64, 1, NUM),
    [E_LANGUAGE] = ONE(entry, language, CODEC_NAME, 0, 0),
    [E_HASH] = ONE(entry, hash, CODEC_B32, 0, 0),
    [E_SETTINGS] = LIST(entry, settings, CODEC_SETTING, CODEC_UNIQUE, 0, FIELDS_PER_COLLECTION_MAX),
    [E_FIELDS] = LIST(entry, fields, CODEC_NAME, CODEC_UNIQUE, 1, FIELDS_PER_COLLECTION_MAX),
    [E_ASKED_BY] = ONE(entry, asked_by, CODEC_U32, 1, 3),
    [E_CAUSE] = ONE(entry, cause, CODEC_NAME, 0, 0),
    [E_SENSITIVE] = ONE(entry, sensitive, CODEC_BOOL, 0, 0),
};
static const struct codec entry_codec = {"entry", entry_fields, E_KEY_MAX, ENTRY_BYTES_MAX};

static const struct codec_field row_fields[R_KEY_MAX + 1] = {
    [R_LABEL] = ONE(row, label, CODEC_B16, 0, 0),
    [R_PREV] = ONE(row, prev, CODEC_PREV, 0, NUM),
    [R_SALT] = ONE(row, salt, CODEC_B16, 0, 0),
    [R_DOMICILE] = ONE(row, domicile, CODEC_COUNTRY, 0, 0),
    [R_KEY_COMMIT] = ONE(row, key_commit, CODEC_B32, 0, 0),
    [R_EVIDENCE] = ONE(row, evidence, CODEC_B32, 0, 0),
    [R_BASES] = LIST(row, bases, CODEC_BASIS, CODEC_ASCENDING, 0, BASES_MAX),
    [R_PURPOSES] = LIST(row, purposes, CODEC_TERM, CODEC_UNIQUE, 1, CONSENT_LIST_MAX),
    [R_RECIPIENTS] = LIST(row, recipients, CODEC_U64, CODEC_ASCENDING, 1, CONSENT_LIST_MAX),
    [R_DESTINATIONS] = LIST(row, destinations, CODEC_COUNTRY, CODEC_UNIQUE, 1, CONSENT_LIST_MAX),
    [R_COLLECTIONS] = LIST(row, collections, CODEC_NAME, CODEC_UNIQUE, 1, COLLECTIONS_MAX),
    [R_EXPIRES] = ONE(row, expires, CODEC_U64, 0, TIME_MAX),
    [R_NOTICE] = ONE(row, notice, CODEC_U64, 0, NUM),
    [R_GRADE] = ONE(row, grade, CODEC_U32, GRADE_SUBJECT_SIGNED, GRADE_SELF),
    [R_CONSENT] = ONE(row, consent, CODEC_U64, 0, NUM),
    [R_STORED] = LIST(row, stored, CODEC_STORED, CODEC_ANY_ORDER, 1, IMPORT_BATCH_ROWS_MAX),
    [R_RECORDS] = LIST(row, records, CODEC_RECORD, CODEC_ANY_ORDER, 0, ROWS_PER_ENTRY_MAX),
    [R_VOUCHER] = {AT(row, voucher), .type = CODEC_VOUCHER, .n_at = offsetof(struct row, voucher_ref)},
    [R_ACTION] = ONE(row, action, CODEC_U32, 1, 3),
    [R_KEY] = ONE(row, key, CODEC_U64, 0, NUM),
    [R_ISSUED] = ONE(row, issued, CODEC_U64, 0, TIME_MAX),
};
static const struct codec row_codec = {"row", row_fields, R_KEY_MAX, ROWS_BYTES_MAX};

#define B(k) ((uint64_t)1 << (k))
#define ALWAYS (B(E_KIND) | B(E_TIME) | B(E_SALT))
#define PEOPLE (B(E_PARTY) | B(E_COUNT) | B(E_ROOT))
#define RECORDS (PEOPLE | B(E_PURPOSE) | B(E_COLLECTION) | B(E_DESTINATION) | B(E_POLICY))
#define ROW_ALWAYS (B(R_LABEL) | B(R_PREV) | B(R_SALT))

struct shape {
    const char *name;
    uint64_t must, may;         /* keys of the entry, beside ALWAYS; no `must`: reserved */
    uint64_t row_must, row_may; /* keys of its rows, beside ROW_ALWAYS */
};
static const struct shape shapes[ENTRY_KIND_MAX + 1] = {
    [ENTRY_GENESIS] = {.name = "genesis",
                       .must = B(E_ORIGIN) | B(E_DOMICILE) | B(E_LEGAL_NAME) | B(E_CONTACT) | B(E_KEYS) |
                               B(E_DELAY) | B(E_FORMAT)},
    [ENTRY_POLICY] = {.name = "policy", .must = B(E_NAME) | B(E_VERSION) | B(E_YAML) | B(E_RULES)},
    [ENTRY_COLLECTION] = {.name = "collection",
                          .must = B(E_NAME) | B(E_VERSION) | B(E_FIELDS_DECLARED) | B(E_RETENTION) |
                                  B(E_SENSITIVE)},
    [ENTRY_CONFIG] = {.name = "config", .must = B(E_SETTINGS)},
    [ENTRY_PARTY] = {.name = "party", /* or E_ENDS alone: check_entry */
                     .must = B(E_NAME) | B(E_LEGAL_NAME) | B(E_CONTACT) | B(E_JURISDICTION) |
                             B(E_PARTY_KIND) | B(E_RIGHTS) | B(E_PURPOSES) | B(E_KEYS)},
    [ENTRY_NOTICE] = {.name = "notice", .must = B(E_NAME) | B(E_VERSION) | B(E_LANGUAGE) | B(E_HASH)},
    [ENTRY_ENROLLED] = {.name = "enrolled",
                        .must = PEOPLE,
                        .may = B(E_PURPOSE),
                        .row_must = B(R_DOMICILE) | B(R_KEY_COMMIT)},
    [ENTRY_KEY] = {.name = "key",
                   .must = B(E_COUNT) | B(E_ROOT),
                   .may = B(E_PARTY),
                   .row_must = B(R_ACTION) | B(R_VOUCHER) | B(R_EVIDENCE),
                   .row_may = B(R_KEY)},
    [ENTRY_CONSENT] = {.name = "consent",
                       .must = PEOPLE,
                       .row_must = B(R_PURPOSES) | B(R_RECIPIENTS) | B(R_DESTINATIONS) | B(R_COLLECTIONS) |
                                   B(R_ISSUED) | B(R_EXPIRES) | B(R_NOTICE) | B(R_GRADE) | B(R_EVIDENCE),
                       .row_may = B(R_KEY)},
    [ENTRY_WITHDRAWN] = {.name = "withdrawn", .must = PEOPLE, .row_must = B(R_CONSENT)},
    [ENTRY_APPROVAL] = {.name = "approval"},
    [ENTRY_REVOKED] = {.name = "revoked"},
    [ENTRY_STORED] = {.name = "stored", .must = RECORDS, .row_must = B(R_STORED) | B(R_BASES)},
    [ENTRY_DELETED] = {.name = "deleted", .must = RECORDS, .row_must = B(R_RECORDS) | B(R_BASES)},
    [ENTRY_DISCLOSED] = {.name = "disclosed",
                         .must = (RECORDS & ~B(E_COLLECTION)) | B(E_OPERATION),
                         .may = B(E_COLLECTION) | B(E_FIELDS),
                         .row_must = B(R_BASES),
                         .row_may = B(R_RECORDS)},
    [ENTRY_REFUSED] = {.name = "refused",
                       .must = B(E_PARTY) | B(E_DESTINATION) | B(E_OPERATION) | B(E_CODE) | B(E_COUNT),
                       .may = B(E_PURPOSE) | B(E_COLLECTION)},
    [ENTRY_REQUEST] = {.name = "request"},
    [ENTRY_ANSWERED] = {.name = "answered"},
    [ENTRY_ERASED] = {.name = "erased",
                      .must = B(E_ASKED_BY) | B(E_CAUSE) | B(E_COUNT) | B(E_ROOT),
                      .may = B(E_PARTY),
                      .row_may = B(R_COLLECTIONS)},
    [ENTRY_EXPIRED] = {.name = "expired"},
    [ENTRY_EXPORTED] = {.name = "exported"},
    [ENTRY_RECEIVED] = {.name = "received"},
    [ENTRY_LEASE] = {.name = "lease"},
    [ENTRY_EPOCH] = {.name = "epoch"},
    [ENTRY_WITNESSED] = {.name = "witnessed"},
    [ENTRY_RELEASE] = {.name = "release"},
    [ENTRY_ADVISORY] = {.name = "advisory"},
    [ENTRY_BEHAVIOUR] = {.name = "behaviour"},
    [ENTRY_INCIDENT] = {.name = "incident"},
};

static const struct shape *shape_of(uint32_t kind)
{
    return kind >= 1 && kind <= ENTRY_KIND_MAX && shapes[kind].must ? &shapes[kind] : NULL;
}

const char *entry_kind_name(uint32_t kind)
{
    return kind <= ENTRY_KIND_MAX ? shapes[kind].name : NULL;
}

bool entry_kind_has_rows(uint32_t kind)
{
    const struct shape *s = shape_of(kind);
    return s && (s->must & B(E_ROOT));
}

/* What the tables cannot say about an entry; NULL if it is in order. */
static const char *check_entry(const struct entry *e)
{
    const struct shape *s = shape_of(e->kind);
    bool ends = e->kind == ENTRY_PARTY && (e->has & B(E_ENDS));
    uint64_t must = ALWAYS | (ends ? B(E_ENDS) : s->must);
    if ((e->has & must) != must)
        return "a key that this kind needs is missing";
    if (e->has & ~(must | (ends ? 0 : s->may)))
        return "a key that this kind does not have";
    if (e->kind == ENTRY_GENESIS && e->keys_n == 0)
        return "genesis without a key of the log";
    if (e->has & B(E_COUNT)) {
        bool rows = e->has & B(E_ROOT);
        /* a search or an evidence request may have found nobody, and is counted all the same */
        if (e->count < (e->kind == ENTRY_DISCLOSED ? 0 : 1) || (rows && e->count > ROWS_PER_ENTRY_MAX))
            return "a count out of range";
    }
    return NULL;
}

enum bourn_err entry_check(const struct entry *e)
{
    unsigned key = 0;
    if (!shape_of(e->kind))
        return err_set(BOURN_E_FORMAT, "entry: kind %u is unknown or reserved", e->kind);
    const char *why = check_entry(e);
    why = why ? why : codec_check(&entry_codec, e->has, e, &key);
    if (why)
        return err_set(BOURN_E_FORMAT, "entry of kind %s: %s%s%s", entry_kind_name(e->kind), why,
                       key ? ", in " : "", key ? entry_fields[key].name : "");
    return BOURN_OK;
}

/* The text of the error is for a developer: a caller that takes values from outside calls entry_check first.
 */
void entry_encode(struct buf *out, const struct entry *e)
{
    struct entry full = *e;
    full.has |= ALWAYS;
    bourn_assert(entry_check(&full) == BOURN_OK);
    codec_put(out, &entry_codec, full.has, &full);
}

/* The rest of an entry of an unknown kind: time and salt are read, what follows only has to be well-formed.
 */
static enum bourn_err decode_unknown(struct codec_reader *r, uint64_t pairs, struct entry *e)
{
    unsigned last = E_SALT;
    for (uint64_t i = 1; i < pairs && !r->in.why; i++) {
        if (i < 3) {
            codec_get_pair(&entry_codec, r, ALWAYS, e, &e->has);
            continue;
        }
        uint64_t key = cbor_uint(&r->in);
        if (key <= last)
            cbor_fail(&r->in, "keys that do not ascend");
        last = key > UINT32_MAX ? UINT32_MAX : (unsigned)key;
        cbor_skip(&r->in);
    }
    if (e->has != ALWAYS)
        cbor_fail(&r->in, "kind, time or salt is missing");
    if (!r->in.why && r->in.p < r->in.end)
        cbor_fail(&r->in, "bytes after the end");
    if (r->in.why)
        return codec_done(&entry_codec, r);
    return err_set(BOURN_E_UNAVAILABLE,
                   "entry of kind %u: this program does not know the kind; use a newer one", e->kind);
}

enum bourn_err entry_decode(struct slice in, struct arena *a, struct entry *e)
{
    struct codec_reader r = {.arena = a};
    *e = (struct entry){0};
    cbor_init(&r.in, in);
    uint64_t pairs = codec_get_head(&entry_codec, &r);
    codec_get_pair(&entry_codec, &r, B(E_KIND), e, &e->has);
    const struct shape *s = shape_of(e->kind);
    if (!s && !r.in.why)
        return decode_unknown(&r, pairs, e);
    uint64_t may = s ? ALWAYS | s->must | s->may | (e->kind == ENTRY_PARTY ? B(E_ENDS) : 0) : 0;
    for (uint64_t i = 1; i < pairs && !r.in.why; i++)
        codec_get_pair(&entry_codec, &r, may, e, &e->has);
    r.key = 0;
    if (!r.in.why)
        cbor_fail(&r.in, check_entry(e));
    if (!r.in.why && r.in.p < r.in.end)
        cbor_fail(&r.in, "bytes after the end");
    return codec_done(&entry_codec, &r);
}

static const char *check_row(uint32_t kind, const struct row *r)
{
    const struct shape *s = shape_of(kind);
    uint64_t must = ROW_ALWAYS | s->row_must;
    if (kind == ENTRY_KEY && r->action != 1) /* one that replaces or revokes names the key entry meant */
        must |= B(R_KEY);
    if (kind == ENTRY_CONSENT && r->grade == GRADE_SUBJECT_SIGNED)
        must |= B(R_KEY);
    if ((r->has & must) != must)
        return "a key that this kind needs is missing";
    uint64_t may = kind == ENTRY_KEY || kind == ENTRY_CONSENT ? 0 : s->row_may;
    if (r->has & ~(must | may))
        return "a key that this kind does not have";
    if (kind == ENTRY_CONSENT && r->grade != GRADE_SUBJECT_SIGNED && r->grade != GRADE_OPERATOR_ATTESTED)
        return "a grade that a consent cannot have";
    if (kind == ENTRY_CONSENT && r->collections_n > CONSENT_LIST_MAX)
        return "a list that is too long";
    if (kind == ENTRY_KEY && r->action != 3 && r->voucher == VOUCHER_NONE)
        return "a key that nobody vouches for";
    return NULL;
}

enum bourn_err row_check(uint32_t kind, const struct row *r)
{
    unsigned key = 0;
    if (!entry_kind_has_rows(kind))
        return err_set(BOURN_E_FORMAT, "row: entries of kind %u have no rows", kind);
    const char *why = check_row(kind, r);
    why = why ? why : codec_check(&row_codec, r->has, r, &key);
    if (why)
        return err_set(BOURN_E_FORMAT, "row of kind %s: %s%s%s", entry_kind_name(kind), why,
                       key ? ", in " : "", key ? row_fields[key].name : "");
    return BOURN_OK;
}

void row_encode(struct buf *out, uint32_t kind, const struct row *r)
{
    struct row full = *r;
    full.has |= ROW_ALWAYS;
    bourn_assert(row_check(kind, &full) == BOURN_OK);
    codec_put(out, &row_codec, full.has, &full);
}

enum bourn_err row_decode(struct slice in, uint32_t kind, struct arena *a, struct row *row)
{
    struct codec_reader r = {.arena = a};
    *row = (struct row){0};
    if (!entry_kind_has_rows(kind))
        return err_set(BOURN_E_FORMAT, "row: entries of kind %u have no rows", kind);
    cbor_init(&r.in, in);
    uint64_t pairs = codec_get_head(&row_codec, &r);
    uint64_t may = ROW_ALWAYS | shapes[kind].row_must | shapes[kind].row_may;
    for (uint64_t i = 0; i < pairs && !r.in.why; i++)
        codec_get_pair(&row_codec, &r, may, row, &row->has);
    r.key = 0;
    if (!r.in.why)
        cbor_fail(&r.in, check_row(kind, row));
    if (!r.in.why && r.in.p < r.in.end)
        cbor_fail(&r.in, "bytes after the end");
    return codec_done(&row_codec, &r);
}
