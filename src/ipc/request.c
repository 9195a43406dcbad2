/* Bytes of a request, all numbers big-endian:
 *     id (8)  op (4)  fields (2)  then each field whose bit is set, lowest bit first:
 *     number and version: 8 bytes; the others: length (4) and bytes, never empty.
 * A number that its operation may leave out is written only when it is not 0. So every request has one form.
 */
#include "ipc/request.h"

#include "base/limits.h"
#include "base/text.h"
#include "ipc/codec.h"

enum field {
    F_NUMBER = 1,
    F_VERSION = 2,
    F_TOKEN = 4,
    F_PURPOSE = 8,
    F_SUBJECT = 16,
    F_COLLECTION = 32,
    F_PATH = 64,
    F_BODY = 128,
    F_FIELDS = 256,
    F_KEY = 512,
};
enum { NUMBERS = 2, SLICES = 8 };

struct rule {
    const char *name;
    unsigned senders, required, optional;
    size_t path_max, body_max; /* bytes */
};

enum {
    FRONT = REQ_FROM_FRONT,
    ADMIN = REQ_FROM_ADMIN,
    IN_COLLECTION = F_TOKEN | F_PURPOSE | F_SUBJECT | F_COLLECTION,
    OF_SUBJECT = F_TOKEN | F_SUBJECT,
    BODY_MAX = REQUEST_BODY_BYTES_MAX,
    PATH_MAX_BYTES = LEDGER_PATH_BYTES_MAX,
};

/* Who may send what, with which fields. What is not here does not exist. No operation that returns plaintext
 * may come from admin. */
static const struct rule rules[REQ_OP_MAX + 1] = {
    [REQ_HEALTH] = {"health", FRONT | ADMIN, 0, 0, 0, 0},
    [REQ_RECORDS] = {"records", FRONT, IN_COLLECTION, F_NUMBER | F_FIELDS, 0, 0},
    [REQ_RECORD] = {"record", FRONT, IN_COLLECTION | F_NUMBER, F_FIELDS, 0, 0},
    [REQ_RECORD_NEW] = {"record_new", FRONT, IN_COLLECTION | F_BODY, F_KEY, 0, BODY_MAX},
    [REQ_RECORD_PUT] = {"record_put", FRONT, IN_COLLECTION | F_NUMBER | F_BODY, F_VERSION | F_KEY, 0,
                        BODY_MAX},
    [REQ_RECORD_DELETE] = {"record_delete", FRONT, IN_COLLECTION | F_NUMBER, F_VERSION | F_KEY, 0, 0},
    [REQ_ERASE] = {"erase", FRONT, OF_SUBJECT, F_KEY, 0, 0},
    [REQ_ENROLMENT] = {"enrolment", FRONT, OF_SUBJECT, 0, 0, 0},
    [REQ_ENROLMENT_LOOK] = {"enrolment_look", FRONT, F_BODY, 0, 0, BODY_MAX},
    [REQ_ENROLMENT_DONE] = {"enrolment_done", FRONT, F_BODY, 0, 0, BODY_MAX},
    [REQ_CONSENT_REQUEST] = {"consent_request", FRONT, OF_SUBJECT | F_BODY, 0, 0, BODY_MAX},
    [REQ_CONSENT] = {"consent", FRONT, OF_SUBJECT | F_BODY, F_KEY, 0, BODY_MAX},
    [REQ_CONSENTS] = {"consents", FRONT, OF_SUBJECT, 0, 0, 0},
    [REQ_WITHDRAW] = {"withdraw", FRONT, OF_SUBJECT | F_NUMBER, F_KEY, 0, 0},
    [REQ_WHOAMI] = {"whoami", FRONT, F_TOKEN, 0, 0, 0},
    [REQ_LEDGER_FILE] = {"ledger_file", FRONT, F_PATH, F_TOKEN, PATH_MAX_BYTES, 0},
    [REQ_ROWS_FILE] = {"rows_file", FRONT, F_TOKEN | F_PATH, F_NUMBER, PATH_MAX_BYTES, 0},
    [REQ_EVIDENCE] = {"evidence", FRONT, F_TOKEN | F_PURPOSE | F_BODY, 0, 0, BODY_MAX},
    [REQ_IMPORT] = {"import", FRONT | ADMIN, F_TOKEN | F_PURPOSE | F_COLLECTION | F_PATH | F_BODY | F_NUMBER,
                    0, NAME_BYTES_MAX, IMPORT_BATCH_BYTES_MAX},
    [REQ_RECORD_PATCH] = {"record_patch", FRONT, IN_COLLECTION | F_NUMBER | F_BODY, F_VERSION | F_KEY, 0,
                          BODY_MAX},
    [REQ_SEARCH] = {"search", FRONT, F_TOKEN | F_PURPOSE | F_BODY, F_NUMBER, 0, BODY_MAX},
    [REQ_DISCLOSE] = {"disclose", FRONT, F_TOKEN | F_PURPOSE | F_BODY, F_NUMBER, 0, BODY_MAX},
    [REQ_LOOKUP] = {"lookup", FRONT, F_TOKEN | F_BODY, 0, 0, BODY_MAX},
    [REQ_SUBJECT_NEW] = {"subject_new", FRONT, F_TOKEN | F_BODY, F_KEY, 0, BODY_MAX},
    [REQ_IDENTIFIER] = {"identifier", FRONT, OF_SUBJECT | F_BODY, F_KEY, 0, BODY_MAX},
    [REQ_METRICS] = {"metrics", FRONT | ADMIN, 0, 0, 0, 0},
    [REQ_EXPORT] = {"export", FRONT, F_BODY, F_NUMBER, 0, BODY_MAX},
    [REQ_RECEIPT] = {"receipt", FRONT, F_TOKEN | F_NUMBER, 0, 0, 0},
    [REQ_PROOF] = {"proof", FRONT, F_TOKEN | F_NUMBER, 0, 0, 0},
    [REQ_HISTORY] = {"history", FRONT, F_SUBJECT | F_BODY, F_NUMBER | F_VERSION, 0, BODY_MAX},
    [REQ_ADMIN_STATUS] = {"admin_status", ADMIN, 0, 0, 0, 0},
    [REQ_ADMIN_PARTY] = {"admin_party", ADMIN, F_BODY, 0, 0, BODY_MAX},
    [REQ_ADMIN_PARTY_END] = {"admin_party_end", ADMIN, F_PATH, 0, NAME_BYTES_MAX, 0},
    [REQ_ADMIN_PARTIES] = {"admin_parties", ADMIN, 0, 0, 0, 0},
    [REQ_ADMIN_COLLECTION] = {"admin_collection", ADMIN, F_BODY, 0, 0, BODY_MAX},
    [REQ_ADMIN_COLLECTIONS] = {"admin_collections", ADMIN, 0, 0, 0, 0},
    [REQ_ADMIN_NOTICE] = {"admin_notice", ADMIN, F_BODY, 0, 0, BODY_MAX},
    [REQ_ADMIN_PACK] = {"admin_pack", ADMIN, F_BODY, 0, 0, BODY_MAX},
    [REQ_ADMIN_SCRUB] = {"admin_scrub", ADMIN, F_VERSION, F_NUMBER, 0, 0},
    [REQ_ADMIN_CONFIG] = {"admin_config", ADMIN, F_BODY, 0, 0, BODY_MAX},
    [REQ_ADMIN_WEBHOOK] = {"admin_webhook", ADMIN, F_PATH, F_BODY, NAME_BYTES_MAX, WEBHOOK_URL_BYTES_MAX},
};

static const struct rule *rule_of(uint32_t op)
{
    return op <= REQ_OP_MAX && rules[op].name ? &rules[op] : NULL;
}

const char *request_op_name(uint32_t op)
{
    const struct rule *rule = rule_of(op);
    return rule ? rule->name : "unknown";
}

/* The slices of r in the order of their bits, from F_TOKEN on. */
static void slices_of(struct request *r, struct slice *out[SLICES])
{
    struct slice *all[SLICES] = {&r->token, &r->purpose, &r->subject, &r->collection,
                                 &r->path,  &r->body,    &r->fields,  &r->key};
    memcpy(out, all, sizeof all);
}

void request_encode(struct buf *out, const struct request *r)
{
    const struct rule *rule = rule_of(r->op);
    bourn_assert(rule);
    struct request copy = *r;
    const uint64_t numbers[NUMBERS] = {r->number, r->version};
    struct slice *slices[SLICES];
    slices_of(&copy, slices);
    unsigned fields = 0;
    for (unsigned i = 0; i < NUMBERS; i++)
        fields |= numbers[i] || (rule->required & 1u << i) ? 1u << i : 0;
    for (unsigned i = 0; i < SLICES; i++)
        fields |= slices[i]->n ? 1u << (NUMBERS + i) : 0;
    buf_put_be(out, r->id, 8);
    buf_put_be(out, r->op, 4);
    buf_put_be(out, fields, 2);
    for (unsigned i = 0; i < NUMBERS; i++)
        if (fields & 1u << i)
            buf_put_be(out, numbers[i], 8);
    for (unsigned i = 0; i < SLICES; i++)
        if (slices[i]->n)
            codec_put_bytes(out, *slices[i]);
}

enum bourn_err request_decode(struct slice in, enum req_sender from, struct request *r)
{
    struct codec c = {in, true};
    *r = (struct request){.id = codec_number(&c, 8)};
    r->op = (uint32_t)codec_number(&c, 4);
    unsigned fields = (unsigned)codec_number(&c, 2);
    const struct rule *rule = rule_of(r->op);
    if (!c.ok || !rule)
        return err_set(BOURN_E_FORMAT, "a request of an unknown operation");
    if (!(rule->senders & from))
        return err_set(BOURN_E_DENIED, "a request \"%s\" from a sender that may not make it", rule->name);
    if ((fields & rule->required) != rule->required || fields & ~(rule->required | rule->optional))
        return err_set(BOURN_E_FORMAT, "a request \"%s\" without a field that it needs, or with one too many",
                       rule->name);

    uint64_t *numbers[NUMBERS] = {&r->number, &r->version};
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (!(fields & 1u << i))
            continue;
        *numbers[i] = codec_number(&c, 8);
        c.ok = c.ok && (*numbers[i] || rule->required & 1u << i);
    }
    const size_t limits[SLICES] = {TOKEN_BYTES_MAX,      TERM_BYTES_MAX,           SUBJECT_ID_BYTES_MAX,
                                   NAME_BYTES_MAX,       rule->path_max,           rule->body_max,
                                   FIELD_LIST_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX};
    struct slice *slices[SLICES];
    slices_of(r, slices);
    for (unsigned i = 0; i < SLICES; i++)
        if (fields & 1u << (NUMBERS + i))
            *slices[i] = codec_bytes(&c, 1, limits[i]);
    if (!codec_end(&c))
        return err_set(BOURN_E_FORMAT,
                       "a malformed request \"%s\": a length over its limit, cut off, or bytes left over",
                       rule->name);
    if (!utf8_valid(r->subject) || (r->subject.n && memchr(r->subject.p, 0, r->subject.n)))
        return err_set(BOURN_E_FORMAT, "a request \"%s\" with a subject that is not text", rule->name);
    return BOURN_OK;
}
