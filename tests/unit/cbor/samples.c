#include "samples.h"

#define S(text)                                                                                              \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }
#define K(k) (1ull << (k))
#define SALT                                                                                                 \
    {                                                                                                        \
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf       \
    }
#define LABEL                                                                                                \
    {                                                                                                        \
        0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f       \
    }
#define ROOT                                                                                                 \
    {                                                                                                        \
        0xee, [31] = 0x11                                                                                    \
    }
/* RFC 6962 root of the tree of no rows: SHA-256 of nothing */
#define EMPTY_ROOT                                                                                           \
    {                                                                                                        \
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,      \
            0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55   \
    }
#define COMMIT                                                                                               \
    {                                                                                                        \
        0xcc, [31] = 0x22                                                                                    \
    }
#define T 1795255200 /* 2026-11-21T10:00:00Z */
#define HEAD .time = T, .salt = SALT
#define ROWS .count = 1, .root = ROOT
#define LIST(name, array) .name = array, .name##_n = sizeof array / sizeof array[0]
#define HAS_ROWS (K(E_COUNT) | K(E_ROOT))
#define HAS_ACCESS (HAS_ROWS | K(E_PARTY) | K(E_PURPOSE) | K(E_COLLECTION) | K(E_DESTINATION) | K(E_POLICY))

static const uint8_t key_a[32] = {0xaa, [31] = 1}, key_b[32] = {0xbb, [31] = 2};
static const struct slice two_keys[] = {{key_a, 32}, {key_b, 32}}, one_key[] = {{key_a, 32}};
static const uint64_t policies[] = {1, 2};
static const struct entry_purpose purposes[] = {{S("dpv:ServiceProvision"), S("dpv:Contract")},
                                                {S("dpv:ResearchAndDevelopment"), {0}}};
static const struct entry_field schema[] = {{S("bioguide_id"), FIELD_TEXT, FIELD_REQUIRED | FIELD_SEARCHABLE},
                                            {S("birthday"), FIELD_DATE, FIELD_SENSITIVE}};
static const struct entry_rename renames[] = {{S("id"), S("bioguide_id")}, {S("born"), S("birthday")}};
static const struct entry_setting settings[] = {{S("rp_id"), S("clinic.example")}, {S("origins"), S("")}};
static const struct slice fields[] = {S("birthday"), S("bioguide_id")};

struct sample_entry sample_entries[] = {
    {"genesis",
     {.kind = ENTRY_GENESIS,
      HEAD,
      .origin = S("cn.example/ledger"),
      .domicile = S("CN"),
      .legal_name = S("Clinic Ltd"),
      .contact = S(""),
      LIST(keys, one_key),
      .delay = 86400,
      .format = 1,
      .has = K(E_ORIGIN) | K(E_DOMICILE) | K(E_LEGAL_NAME) | K(E_CONTACT) | K(E_KEYS) | K(E_DELAY) |
             K(E_FORMAT)}},
    {"policy",
     {.kind = ENTRY_POLICY,
      HEAD,
      .name = S("home"),
      .version = 1,
      .yaml = S("pack: home\n"),
      .rules = S("\xa0"),
      .has = K(E_NAME) | K(E_VERSION) | K(E_YAML) | K(E_RULES)}},
    {"collection",
     {.kind = ENTRY_COLLECTION,
      HEAD,
      .name = S("people"),
      .version = 1,
      LIST(fields_declared, schema),
      .retention = 0,
      .sensitive = true,
      .has = K(E_NAME) | K(E_VERSION) | K(E_FIELDS_DECLARED) | K(E_RETENTION) | K(E_SENSITIVE)}},
    {"collection-renamed",
     {.kind = ENTRY_COLLECTION,
      HEAD,
      .name = S("people"),
      .version = 2,
      LIST(fields_declared, schema),
      .retention = 31536000,
      LIST(renamed, renames),
      .has =
          K(E_NAME) | K(E_VERSION) | K(E_FIELDS_DECLARED) | K(E_RETENTION) | K(E_SENSITIVE) | K(E_RENAMED)}},
    {"config", {.kind = ENTRY_CONFIG, HEAD, LIST(settings, settings), .has = K(E_SETTINGS)}},
    {"party",
     {.kind = ENTRY_PARTY,
      HEAD,
      .name = S("clinic"),
      .legal_name = S("Clinic Ltd"),
      .contact = S("mail@clinic.example"),
      .jurisdiction = S("CN"),
      .party_kind = S("app"),
      .rights = RIGHT_READ | RIGHT_WRITE | RIGHT_ERASE,
      LIST(purposes, purposes),
      LIST(keys, two_keys),
      .has = K(E_NAME) | K(E_LEGAL_NAME) | K(E_CONTACT) | K(E_JURISDICTION) | K(E_PARTY_KIND) | K(E_RIGHTS) |
             K(E_PURPOSES) | K(E_KEYS)}},
    {"party-bare",
     {.kind = ENTRY_PARTY,
      HEAD,
      .name = S("registrar"),
      .legal_name = S("registrar"),
      .contact = S(""),
      .jurisdiction = S("US"),
      .party_kind = S("registrar"),
      .has = K(E_NAME) | K(E_LEGAL_NAME) | K(E_CONTACT) | K(E_JURISDICTION) | K(E_PARTY_KIND) | K(E_RIGHTS) |
             K(E_PURPOSES) | K(E_KEYS)}},
    {"witnessed",
     {.kind = ENTRY_WITNESSED,
      HEAD,
      .tree_size = 70000,
      .tree_root = ROOT,
      .cosignatures = S("\u2014 w.example AAAA\n"),
      .has = K(E_TREE_SIZE) | K(E_TREE_ROOT) | K(E_COSIGNATURES)}},
    {"party-ends", {.kind = ENTRY_PARTY, HEAD, .ends = 5, .has = K(E_ENDS)}},
    {"notice",
     {.kind = ENTRY_NOTICE,
      HEAD,
      .name = S("research"),
      .version = 1,
      .language = S("en"),
      .hash = COMMIT,
      .has = K(E_NAME) | K(E_VERSION) | K(E_LANGUAGE) | K(E_HASH)}},
    {"enrolled", {.kind = ENTRY_ENROLLED, HEAD, ROWS, .party = 5, .has = HAS_ROWS | K(E_PARTY)}},
    {"enrolled-purpose",
     {.kind = ENTRY_ENROLLED,
      HEAD,
      .count = 4096,
      .root = ROOT,
      .party = 5,
      .purpose = S("dpv:ServiceProvision"),
      .has = HAS_ROWS | K(E_PARTY) | K(E_PURPOSE)}},
    {"key", {.kind = ENTRY_KEY, HEAD, ROWS, .party = 5, .has = HAS_ROWS | K(E_PARTY)}},
    {"key-no-party", {.kind = ENTRY_KEY, HEAD, ROWS, .has = HAS_ROWS}},
    {"consent", {.kind = ENTRY_CONSENT, HEAD, ROWS, .party = 5, .has = HAS_ROWS | K(E_PARTY)}},
    {"withdrawn", {.kind = ENTRY_WITHDRAWN, HEAD, ROWS, .party = 5, .has = HAS_ROWS | K(E_PARTY)}},
    {"stored",
     {.kind = ENTRY_STORED,
      HEAD,
      .count = 1000,
      .root = ROOT,
      .party = 5,
      .purpose = S("dpv:ServiceProvision"),
      .collection = S("people"),
      .destination = S("CN"),
      LIST(policy, policies),
      .has = HAS_ACCESS}},
    {"deleted",
     {.kind = ENTRY_DELETED,
      HEAD,
      ROWS,
      .party = 5,
      .purpose = S("dpv:ServiceProvision"),
      .collection = S("people"),
      .destination = S("CN"),
      LIST(policy, policies),
      .has = HAS_ACCESS}},
    {"disclosed",
     {.kind = ENTRY_DISCLOSED,
      HEAD,
      ROWS,
      .party = 6,
      .purpose = S("dpv:ResearchAndDevelopment"),
      .collection = S("people"),
      .destination = S("US"),
      LIST(policy, policies),
      .operation = OP_READ,
      .has = HAS_ACCESS | K(E_OPERATION)}},
    {"disclosed-fields",
     {.kind = ENTRY_DISCLOSED,
      HEAD,
      .count = 0,
      .root = ROOT,
      .party = 6,
      .purpose = S("dpv:ResearchAndDevelopment"),
      .collection = S("people"),
      .destination = S("US"),
      LIST(policy, policies),
      .operation = OP_SEARCH,
      LIST(fields, fields),
      .has = HAS_ACCESS | K(E_OPERATION) | K(E_FIELDS)}},
    {"disclosed-nobody",
     {.kind = ENTRY_DISCLOSED,
      HEAD,
      .count = 0,
      .root = EMPTY_ROOT,
      .party = 6,
      .purpose = S("dpv:ResearchAndDevelopment"),
      .collection = S("people"),
      .destination = S("US"),
      LIST(policy, policies),
      .operation = OP_SEARCH,
      .has = HAS_ACCESS | K(E_OPERATION)}},
    {"disclosed-evidence",
     {.kind = ENTRY_DISCLOSED,
      HEAD,
      ROWS,
      .party = 7,
      .purpose = S("dpv:LegalCompliance"),
      .destination = S("CN"),
      LIST(policy, policies),
      .operation = OP_EVIDENCE,
      .has = (HAS_ACCESS & ~K(E_COLLECTION)) | K(E_OPERATION)}},
    {"refused",
     {.kind = ENTRY_REFUSED,
      HEAD,
      .count = 3,
      .party = 6,
      .purpose = S("dpv:ResearchAndDevelopment"),
      .collection = S("people"),
      .destination = S("US"),
      .operation = OP_READ,
      .code = S("basis_missing"),
      .has = K(E_COUNT) | K(E_PARTY) | K(E_PURPOSE) | K(E_COLLECTION) | K(E_DESTINATION) | K(E_OPERATION) |
             K(E_CODE)}},
    {"refused-bare",
     {.kind = ENTRY_REFUSED,
      HEAD,
      .count = 100000,
      .party = 6,
      .destination = S("US"),
      .operation = OP_WRITE,
      .code = S("right_missing"),
      .has = K(E_COUNT) | K(E_PARTY) | K(E_DESTINATION) | K(E_OPERATION) | K(E_CODE)}},
    {"erased",
     {.kind = ENTRY_ERASED,
      HEAD,
      ROWS,
      .party = 5,
      .asked_by = 2,
      .cause = S("request"),
      .has = HAS_ROWS | K(E_PARTY) | K(E_ASKED_BY) | K(E_CAUSE)}},
    {"erased-operator",
     {.kind = ENTRY_ERASED,
      HEAD,
      ROWS,
      .asked_by = 3,
      .cause = S("request"),
      .has = HAS_ROWS | K(E_ASKED_BY) | K(E_CAUSE)}},
    {"expired",
     {.kind = ENTRY_EXPIRED,
      HEAD,
      ROWS,
      .collection = S("people"),
      .cause = S("retention"),
      .has = HAS_ROWS | K(E_COLLECTION) | K(E_CAUSE)}},
    {"exported",
     {.kind = ENTRY_EXPORTED, HEAD, ROWS, .collection = S("people"), .has = HAS_ROWS | K(E_COLLECTION)}},
    {"exported-nothing", {.kind = ENTRY_EXPORTED, HEAD, ROWS, .has = HAS_ROWS}},
    {"exported-history",
     {.kind = ENTRY_EXPORTED, HEAD, ROWS, .operation = OP_READ, .has = HAS_ROWS | K(E_OPERATION)}},
    {"continued",
     {.kind = ENTRY_CONTINUED,
      HEAD,
      LIST(keys, one_key),
      .origin = S("cn.example/ledger2"),
      .hash = COMMIT,
      .continues = S("cn.example/ledger"),
      .known = 400,
      .has = K(E_KEYS) | K(E_ORIGIN) | K(E_HASH) | K(E_CONTINUES) | K(E_KNOWN)}},
    {"carried", {.kind = ENTRY_CARRIED, HEAD, ROWS, .from = 390, .has = HAS_ROWS | K(E_FROM)}},
    {"carried-erased",
     {.kind = ENTRY_CARRIED,
      HEAD,
      ROWS,
      .asked_by = 2,
      .from = 391,
      .has = HAS_ROWS | K(E_ASKED_BY) | K(E_FROM)}},
};
const size_t sample_entries_n = sizeof sample_entries / sizeof sample_entries[0];

#define ROW .label = LABEL, .prev = 300, .salt = SALT
static const struct row_basis bases[] = {{GRADE_SUBJECT_SIGNED, 310}, {GRADE_GROUND, 5}};
static const struct row_basis by_self[] = {{GRADE_SELF, 0}};
static const struct slice terms[] = {S("dpv:ResearchAndDevelopment")}, countries[] = {S("DE"), S("US")},
                          collections[] = {S("people"), S("visits")};
static const uint64_t recipients[] = {6, 70000};
static const struct row_record stored[] = {{1, 1, COMMIT}, {4294967296, 2, COMMIT}};
#define HAS_CONSENT                                                                                          \
    (K(R_PURPOSES) | K(R_RECIPIENTS) | K(R_DESTINATIONS) | K(R_COLLECTIONS) | K(R_ISSUED) | K(R_EXPIRES) |   \
     K(R_NOTICE) | K(R_GRADE) | K(R_EVIDENCE))
#define CONSENT                                                                                              \
    LIST(purposes, terms), LIST(recipients, recipients), LIST(destinations, countries),                      \
        LIST(collections, collections), .issued = T, .expires = T + 1000, .notice = 8, .evidence = COMMIT

struct sample_row sample_rows[] = {
    {"enrolled",
     ENTRY_ENROLLED,
     {.label = LABEL,
      .prev = UINT64_MAX,
      .salt = SALT,
      .domicile = S("CN"),
      .key_commit = COMMIT,
      .has = K(R_DOMICILE) | K(R_KEY_COMMIT)}},
    {"key-added",
     ENTRY_KEY,
     {ROW, .action = 1, .voucher = VOUCHER_APP, .voucher_ref = 5, .evidence = COMMIT,
      .has = K(R_ACTION) | K(R_VOUCHER) | K(R_EVIDENCE)}},
    {"key-revoked",
     ENTRY_KEY,
     {ROW, .action = 3, .evidence = COMMIT, .key = 290,
      .has = K(R_ACTION) | K(R_VOUCHER) | K(R_EVIDENCE) | K(R_KEY)}},
    {"consent-signed",
     ENTRY_CONSENT,
     {ROW, CONSENT, .grade = GRADE_SUBJECT_SIGNED, .key = 301, .has = HAS_CONSENT | K(R_KEY)}},
    {"consent-attested", ENTRY_CONSENT, {ROW, CONSENT, .grade = GRADE_OPERATOR_ATTESTED, .has = HAS_CONSENT}},
    {"withdrawn", ENTRY_WITHDRAWN, {ROW, .consent = 310, .has = K(R_CONSENT)}},
    {"stored",
     ENTRY_STORED,
     {ROW, LIST(stored, stored), LIST(bases, bases), .has = K(R_STORED) | K(R_BASES)}},
    {"deleted",
     ENTRY_DELETED,
     {ROW, LIST(records, stored), LIST(bases, bases), .has = K(R_RECORDS) | K(R_BASES)}},
    {"disclosed",
     ENTRY_DISCLOSED,
     {ROW, LIST(records, stored), LIST(bases, bases), .has = K(R_RECORDS) | K(R_BASES)}},
    {"disclosed-evidence", ENTRY_DISCLOSED, {ROW, .has = K(R_BASES)}},
    {"erased", ENTRY_ERASED, {ROW}},
    {"erased-collections", ENTRY_ERASED, {ROW, LIST(collections, collections), .has = K(R_COLLECTIONS)}},
    {"expired", ENTRY_EXPIRED, {ROW, LIST(records, stored), .has = K(R_RECORDS)}},
    {"exported",
     ENTRY_EXPORTED,
     {ROW, LIST(records, stored), LIST(bases, by_self), .key = 301, .issued = T, .evidence = COMMIT,
      .has = K(R_RECORDS) | K(R_BASES) | K(R_KEY) | K(R_ISSUED) | K(R_EVIDENCE)}},
    {"exported-on",
     ENTRY_EXPORTED,
     {ROW, LIST(records, stored), LIST(bases, by_self), .key = 301, .copy = 320,
      .has = K(R_RECORDS) | K(R_BASES) | K(R_KEY) | K(R_COPY)}},
    {"carried", ENTRY_CARRIED, {ROW, .consent = 310, .has = K(R_CONSENT)}},
    {"carried-erased", ENTRY_CARRIED, {ROW}},
    {"exported-nothing",
     ENTRY_EXPORTED,
     {ROW, LIST(bases, by_self), .key = 301, .issued = T, .evidence = COMMIT,
      .has = K(R_BASES) | K(R_KEY) | K(R_ISSUED) | K(R_EVIDENCE)}},
};
const size_t sample_rows_n = sizeof sample_rows / sizeof sample_rows[0];
