/* The dictionary of keys, and which of them each kind has. docs/formats/ledger.cddl says the same in CDDL. A
 * new kind is a line in `entry_shapes`; a new key is one in entry_fields or row_fields. */
#include "cbor/kinds.h"

#include "base/limits.h"

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

/* Tuples: the members of small structs, in order. */
static const struct codec_tuple purpose_tuple = {
    sizeof(struct entry_purpose),
    2,
    false,
    {ONE(entry_purpose, purpose, CODEC_TERM, 0, 0), ONE(entry_purpose, ground, CODEC_TERM_NULL, 0, 0)}};
static const struct codec_tuple field_tuple = {
    sizeof(struct entry_field),
    3,
    false,
    {ONE(entry_field, name, CODEC_NAME, 0, 0), ONE(entry_field, type, CODEC_U32, FIELD_TEXT, FIELD_JSON),
     ONE(entry_field, flags, CODEC_U32, 0, FIELD_REQUIRED | FIELD_SENSITIVE | FIELD_SEARCHABLE)}};
static const struct codec_tuple setting_tuple = {
    sizeof(struct entry_setting),
    2,
    false,
    {ONE(entry_setting, name, CODEC_NAME, 0, 0), ONE(entry_setting, value, CODEC_TEXT, 0, TEXT_MAX)}};
static const struct codec_tuple rename_tuple = {
    sizeof(struct entry_rename),
    2,
    false,
    {ONE(entry_rename, was, CODEC_NAME, 0, 0), ONE(entry_rename, now, CODEC_NAME, 0, 0)}};
static const struct codec_tuple basis_tuple = {
    sizeof(struct row_basis),
    2,
    true,
    {ONE(row_basis, grade, CODEC_U32, GRADE_SUBJECT_SIGNED, GRADE_SELF),
     ONE(row_basis, index, CODEC_U64, 0, NUM)}};
static const struct codec_tuple stored_tuple = {sizeof(struct row_record),
                                                3,
                                                false,
                                                {ONE(row_record, id, CODEC_U64, 0, NUM),
                                                 ONE(row_record, version, CODEC_U64, 1, NUM),
                                                 ONE(row_record, commit, CODEC_B32, 0, 0)}};
static const struct codec_tuple record_tuple = {
    sizeof(struct row_record),
    2,
    false,
    {ONE(row_record, id, CODEC_U64, 0, NUM), ONE(row_record, version, CODEC_U64, 1, NUM)}};
static const struct codec_tuple voucher_tuple = {
    0,
    2,
    false,
    {{.name = "kind", .type = CODEC_U32, .lo = VOUCHER_NONE, .hi = VOUCHER_OPERATOR},
     {.name = "reference",
      .type = CODEC_U64,
      .hi = NUM,
      .at = offsetof(struct row, voucher_ref) - offsetof(struct row, voucher)}}};
#define TUPLES(strct, member, of, order, from, to)                                                           \
    {                                                                                                        \
        AT(strct, member), .type = CODEC_TUPLE, .list = order, .n_at = offsetof(struct strct, member##_n),   \
                           .lo = from, .hi = to, .tuple = &of                                                \
    }

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
    [E_PURPOSES] = TUPLES(entry, purposes, purpose_tuple, CODEC_UNIQUE, 0, PURPOSES_PER_PARTY_MAX),
    [E_ENDS] = ONE(entry, ends, CODEC_U64, 0, NUM),
    [E_ORIGIN] = ONE(entry, origin, CODEC_TEXT, 1, 255),
    [E_DOMICILE] = ONE(entry, domicile, CODEC_COUNTRY, 0, 0),
    [E_DELAY] = ONE(entry, delay, CODEC_U64, 0, NUM),
    [E_FORMAT] = ONE(entry, format, CODEC_U64, 1, NUM),
    [E_YAML] = ONE(entry, yaml, CODEC_TEXT, 1, PACK_YAML_BYTES_MAX),
    [E_RULES] = ONE(entry, rules, CODEC_BYTES, 1, ENTRY_BYTES_MAX),
    [E_FIELDS_DECLARED] =
        TUPLES(entry, fields_declared, field_tuple, CODEC_UNIQUE, 1, FIELDS_PER_COLLECTION_MAX),
    [E_RETENTION] = ONE(entry, retention, CODEC_U64, 0, NUM),
    [E_VERSION] = ONE(entry, version, CODEC_U64, 1, NUM),
    [E_LANGUAGE] = ONE(entry, language, CODEC_NAME, 0, 0),
    [E_HASH] = ONE(entry, hash, CODEC_B32, 0, 0),
    [E_SETTINGS] = TUPLES(entry, settings, setting_tuple, CODEC_UNIQUE, 0, FIELDS_PER_COLLECTION_MAX),
    [E_FIELDS] = LIST(entry, fields, CODEC_NAME, CODEC_UNIQUE, 1, FIELDS_PER_COLLECTION_MAX),
    [E_ASKED_BY] = ONE(entry, asked_by, CODEC_U32, 1, 3),
    [E_CAUSE] = ONE(entry, cause, CODEC_NAME, 0, 0),
    [E_SENSITIVE] = ONE(entry, sensitive, CODEC_BOOL, 0, 0),
    [E_RENAMED] = TUPLES(entry, renamed, rename_tuple, CODEC_UNIQUE, 1, RENAMES_PER_COLLECTION_MAX),
    [E_TREE_SIZE] = ONE(entry, tree_size, CODEC_U64, 1, NUM),
    [E_TREE_ROOT] = ONE(entry, tree_root, CODEC_B32, 0, 0),
    [E_COSIGNATURES] = ONE(entry, cosignatures, CODEC_TEXT, 1, WITNESSED_BYTES_MAX),
    [E_CONTINUES] = ONE(entry, continues, CODEC_TEXT, 1, 255),
    [E_KNOWN] = ONE(entry, known, CODEC_U64, 1, NUM),
    [E_FROM] = ONE(entry, from, CODEC_U64, 0, NUM),
};
const struct codec entry_codec = {"entry", entry_fields, E_KEY_MAX, ENTRY_BYTES_MAX};

static const struct codec_field row_fields[R_KEY_MAX + 1] = {
    [R_LABEL] = ONE(row, label, CODEC_B16, 0, 0),
    [R_PREV] = ONE(row, prev, CODEC_PREV, 0, NUM),
    [R_SALT] = ONE(row, salt, CODEC_B16, 0, 0),
    [R_DOMICILE] = ONE(row, domicile, CODEC_COUNTRY, 0, 0),
    [R_KEY_COMMIT] = ONE(row, key_commit, CODEC_B32, 0, 0),
    [R_EVIDENCE] = ONE(row, evidence, CODEC_B32, 0, 0),
    [R_BASES] = TUPLES(row, bases, basis_tuple, CODEC_ASCENDING, 0, BASES_MAX),
    [R_PURPOSES] = LIST(row, purposes, CODEC_TERM, CODEC_UNIQUE, 1, CONSENT_LIST_MAX),
    [R_RECIPIENTS] = LIST(row, recipients, CODEC_U64, CODEC_ASCENDING, 1, CONSENT_LIST_MAX),
    [R_DESTINATIONS] = LIST(row, destinations, CODEC_COUNTRY, CODEC_UNIQUE, 1, CONSENT_LIST_MAX),
    [R_COLLECTIONS] = LIST(row, collections, CODEC_NAME, CODEC_UNIQUE, 1, COLLECTIONS_MAX),
    [R_EXPIRES] = ONE(row, expires, CODEC_U64, 0, TIME_MAX),
    [R_NOTICE] = ONE(row, notice, CODEC_U64, 0, NUM),
    [R_GRADE] = ONE(row, grade, CODEC_U32, GRADE_SUBJECT_SIGNED, GRADE_SELF),
    [R_CONSENT] = ONE(row, consent, CODEC_U64, 0, NUM),
    [R_STORED] = TUPLES(row, stored, stored_tuple, CODEC_ANY_ORDER, 1, IMPORT_BATCH_ROWS_MAX),
    [R_RECORDS] = TUPLES(row, records, record_tuple, CODEC_ANY_ORDER, 0, ROWS_PER_ENTRY_MAX),
    [R_VOUCHER] = {AT(row, voucher), .type = CODEC_TUPLE, .tuple = &voucher_tuple},
    [R_ACTION] = ONE(row, action, CODEC_U32, 1, 3),
    [R_KEY] = ONE(row, key, CODEC_U64, 0, NUM),
    [R_ISSUED] = ONE(row, issued, CODEC_U64, 0, TIME_MAX),
    [R_COPY] = ONE(row, copy, CODEC_U64, 0, NUM),
};
const struct codec row_codec = {"row", row_fields, R_KEY_MAX, ROWS_BYTES_MAX};

#define PEOPLE (KEY_BIT(E_PARTY) | KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT))
#define RECORDS                                                                                              \
    (PEOPLE | KEY_BIT(E_PURPOSE) | KEY_BIT(E_COLLECTION) | KEY_BIT(E_DESTINATION) | KEY_BIT(E_POLICY))

const struct entry_shape entry_shapes[ENTRY_KIND_MAX + 1] = {
    [ENTRY_GENESIS] = {.name = "genesis",
                       .must = KEY_BIT(E_ORIGIN) | KEY_BIT(E_DOMICILE) | KEY_BIT(E_LEGAL_NAME) |
                               KEY_BIT(E_CONTACT) | KEY_BIT(E_KEYS) | KEY_BIT(E_DELAY) | KEY_BIT(E_FORMAT)},
    [ENTRY_POLICY] = {.name = "policy",
                      .must = KEY_BIT(E_NAME) | KEY_BIT(E_VERSION) | KEY_BIT(E_YAML) | KEY_BIT(E_RULES)},
    [ENTRY_COLLECTION] = {.name = "collection",
                          .must = KEY_BIT(E_NAME) | KEY_BIT(E_VERSION) | KEY_BIT(E_FIELDS_DECLARED) |
                                  KEY_BIT(E_RETENTION) | KEY_BIT(E_SENSITIVE),
                          .may = KEY_BIT(E_RENAMED)},
    [ENTRY_CONFIG] = {.name = "config", .must = KEY_BIT(E_SETTINGS)},
    [ENTRY_PARTY] = {.name = "party", /* or E_ENDS alone: check_entry */
                     .must = KEY_BIT(E_NAME) | KEY_BIT(E_LEGAL_NAME) | KEY_BIT(E_CONTACT) |
                             KEY_BIT(E_JURISDICTION) | KEY_BIT(E_PARTY_KIND) | KEY_BIT(E_RIGHTS) |
                             KEY_BIT(E_PURPOSES) | KEY_BIT(E_KEYS)},
    [ENTRY_NOTICE] = {.name = "notice",
                      .must = KEY_BIT(E_NAME) | KEY_BIT(E_VERSION) | KEY_BIT(E_LANGUAGE) | KEY_BIT(E_HASH)},
    [ENTRY_ENROLLED] = {.name = "enrolled",
                        .must = PEOPLE,
                        .may = KEY_BIT(E_PURPOSE),
                        .row_must = KEY_BIT(R_DOMICILE) | KEY_BIT(R_KEY_COMMIT)},
    [ENTRY_KEY] = {.name = "key",
                   .must = KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT),
                   .may = KEY_BIT(E_PARTY),
                   .row_must = KEY_BIT(R_ACTION) | KEY_BIT(R_VOUCHER) | KEY_BIT(R_EVIDENCE),
                   .row_may = KEY_BIT(R_KEY)},
    [ENTRY_CONSENT] = {.name = "consent",
                       .must = PEOPLE,
                       .row_must = KEY_BIT(R_PURPOSES) | KEY_BIT(R_RECIPIENTS) | KEY_BIT(R_DESTINATIONS) |
                                   KEY_BIT(R_COLLECTIONS) | KEY_BIT(R_ISSUED) | KEY_BIT(R_EXPIRES) |
                                   KEY_BIT(R_NOTICE) | KEY_BIT(R_GRADE) | KEY_BIT(R_EVIDENCE),
                       .row_may = KEY_BIT(R_KEY)},
    [ENTRY_WITHDRAWN] = {.name = "withdrawn", .must = PEOPLE, .row_must = KEY_BIT(R_CONSENT)},
    [ENTRY_APPROVAL] = {.name = "approval"},
    [ENTRY_REVOKED] = {.name = "revoked"},
    [ENTRY_STORED] = {.name = "stored", .must = RECORDS, .row_must = KEY_BIT(R_STORED) | KEY_BIT(R_BASES)},
    [ENTRY_DELETED] = {.name = "deleted", .must = RECORDS, .row_must = KEY_BIT(R_RECORDS) | KEY_BIT(R_BASES)},
    [ENTRY_DISCLOSED] = {.name = "disclosed",
                         .must = (RECORDS & ~KEY_BIT(E_COLLECTION)) | KEY_BIT(E_OPERATION),
                         .may = KEY_BIT(E_COLLECTION) | KEY_BIT(E_FIELDS),
                         .row_must = KEY_BIT(R_BASES),
                         .row_may = KEY_BIT(R_RECORDS)},
    [ENTRY_REFUSED] = {.name = "refused",
                       .must = KEY_BIT(E_PARTY) | KEY_BIT(E_DESTINATION) | KEY_BIT(E_OPERATION) |
                               KEY_BIT(E_CODE) | KEY_BIT(E_COUNT),
                       .may = KEY_BIT(E_PURPOSE) | KEY_BIT(E_COLLECTION)},
    [ENTRY_REQUEST] = {.name = "request"},
    [ENTRY_ANSWERED] = {.name = "answered"},
    [ENTRY_ERASED] = {.name = "erased",
                      .must = KEY_BIT(E_ASKED_BY) | KEY_BIT(E_CAUSE) | KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT),
                      .may = KEY_BIT(E_PARTY),
                      .row_may = KEY_BIT(R_COLLECTIONS)},
    [ENTRY_EXPIRED] = {.name = "expired",
                       .must = KEY_BIT(E_COLLECTION) | KEY_BIT(E_CAUSE) | KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT),
                       .row_must = KEY_BIT(R_RECORDS)},
    [ENTRY_EXPORTED] = {.name = "exported",
                        .must = KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT),
                        .may = KEY_BIT(E_COLLECTION) | KEY_BIT(E_OPERATION), /* not both: check_entry */
                        .row_must = KEY_BIT(R_BASES) | KEY_BIT(R_KEY),       /* and what check_row says */
                        .row_may =
                            KEY_BIT(R_RECORDS) | KEY_BIT(R_EVIDENCE) | KEY_BIT(R_ISSUED) | KEY_BIT(R_COPY)},
    [ENTRY_RECEIVED] = {.name = "received"},
    [ENTRY_LEASE] = {.name = "lease"},
    [ENTRY_EPOCH] = {.name = "epoch"},
    [ENTRY_WITNESSED] = {.name = "witnessed",
                         .must = KEY_BIT(E_TREE_SIZE) | KEY_BIT(E_TREE_ROOT) | KEY_BIT(E_COSIGNATURES)},
    [ENTRY_RELEASE] = {.name = "release"},
    [ENTRY_ADVISORY] = {.name = "advisory"},
    [ENTRY_BEHAVIOUR] = {.name = "behaviour"},
    [ENTRY_INCIDENT] = {.name = "incident"},
    [ENTRY_CONTINUED] = {.name = "continued",
                         .must = KEY_BIT(E_ORIGIN) | KEY_BIT(E_KEYS) | KEY_BIT(E_CONTINUES) |
                                 KEY_BIT(E_KNOWN) | KEY_BIT(E_HASH)},
    [ENTRY_CARRIED] = {.name = "carried", /* asked_by: erased; else its rows name withdrawn consents */
                       .must = KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT) | KEY_BIT(E_FROM),
                       .may = KEY_BIT(E_ASKED_BY),
                       .row_may = KEY_BIT(R_CONSENT)},
};

const char *entry_kind_name(uint32_t kind)
{
    return kind <= ENTRY_KIND_MAX ? entry_shapes[kind].name : NULL;
}

bool entry_kind_has_rows(uint32_t kind)
{
    const struct entry_shape *s = entry_shape(kind);
    return s && (s->must & KEY_BIT(E_ROOT));
}
