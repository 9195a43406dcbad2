/* Sequences of requests to a vault, as front and the commands hand them over, and restarts between them. Each
 * is answered once and with a status; a refusal discloses nothing; and the ledger that comes of it must pass
 * the replay: whatever is asked, nothing may be logged that the verifier convicts.
 *
 * The cell lives on from input to input (making one zero-fills its journal) and is made anew now and then, so
 * a finding may need the inputs before it: those since the cell was made lie in BOURN_FUZZ_HISTORY, if that
 * names a folder. */
#include "fuzz.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/url.h"
#include "cbor/entry.h"
#include "consent/consent.h"
#include "crypto/crypto.h"
#include "history.h"
#include "ipc/request.h"
#include "merkle/merkle.h"
#include "packs/builtin.h"
#include "vault/vault.h"
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { INPUTS_A_CELL = 400, INPUTS_A_REPLAY = 100, REQUESTS_MOST = 24, PEOPLE = 6, PARTIES = 5, SLICES = 8 };

static struct {
    char path[256];
    struct vault *vault;
    uint8_t secret[64], log_public[32], head_root[32], person_public[PEOPLE][32], person_secret[PEOPLE][64],
        person_label[PEOPLE][16];
    uint64_t head_size, answers, asked, last_consent;
    char token[PARTIES][128];
    struct reply last; /* slices dead but for the copies below */
    struct buf body, code;
    unsigned inputs, told;
    bool out[WEBHOOKS_MAX]; /* an event whose answer is out */
} c;

static const char *const purposes[] = {"dpv:ServiceProvision", "dpv:ResearchAndDevelopment",
                                       "dpv:LegalCompliance", "dpv:Marketing"};
static const char *const collections[] = {"people", "visits", "nothing"};

static void on_answer(void *ctx, uint64_t route, const struct reply *r)
{
    (void)ctx;
    fuzz_check(route == c.asked);
    c.answers++;
    c.last = *r;
    buf_clear(&c.body);
    buf_put_slice(&c.body, r->body);
    buf_clear(&c.code);
    buf_put_slice(&c.code, r->code);
    /* What vault says must be what front takes. */
    struct buf b;
    struct reply got;
    buf_init(&b, 64u << 20);
    reply_encode(&b, r);
    fuzz_ok(reply_decode(buf_slice(&b), &got));
    if (r->status >= 400)
        fuzz_check(r->body.n == 0);
    buf_release(&b);
}

static enum bourn_err head(void *ctx, uint64_t *size, uint8_t root[32])
{
    (void)ctx;
    *size = c.head_size;
    memcpy(root, c.head_root, 32);
    return BOURN_OK;
}

static enum bourn_err sign(void *ctx, uint64_t size, const uint8_t root[32], const uint8_t *proof, size_t n,
                           uint8_t signature[64])
{
    (void)ctx;
    struct merkle_hash old, now, hashes[MERKLE_PROOF_MAX];
    struct buf body;
    fuzz_check(n <= MERKLE_PROOF_MAX);
    memcpy(old.b, c.head_root, 32);
    memcpy(now.b, root, 32);
    for (size_t i = 0; i < n; i++)
        memcpy(hashes[i].b, proof + 32 * i, 32);
    fuzz_check(!c.head_size || merkle_verify_consistency(c.head_size, &old, size, &now, hashes, n));
    c.head_size = size;
    memcpy(c.head_root, root, 32);
    buf_init(&body, 1024);
    merkle_checkpoint_body(&body, slice_str("cn.example/ledger"), size, &now);
    crypto_sign(signature, buf_slice(&body), c.secret);
    buf_release(&body);
    return BOURN_OK;
}

static enum bourn_err receipt(void *ctx, const struct merkle_receipt *r, const struct merkle_hash *proof,
                              size_t n, struct slice lines, uint8_t signature[64])
{
    (void)ctx;
    struct buf text;
    fuzz_check(r->size == c.head_size && memcmp(r->root.b, c.head_root, 32) == 0);
    fuzz_check(merkle_verify_inclusion(r->index, r->size, &r->leaf, proof, n, &r->root));
    buf_init(&text, 1024 + lines.n);
    if (lines.n)
        merkle_event_text(&text, slice_str("cn.example/ledger"), r, lines);
    else
        merkle_receipt_text(&text, slice_str("cn.example/ledger"), r);
    crypto_sign(signature, buf_slice(&text), c.secret);
    buf_release(&text);
    return BOURN_OK;
}

/* The relay: what is posted is an event that the log signed, one at a time to each; answers are of all kinds.
 */
static enum bourn_err post(void *ctx, uint32_t place, const char *url, struct slice body)
{
    struct merkle_vkey key;
    struct merkle_receipt said;
    struct slice lines;
    (void)ctx;
    fuzz_check(place >= COSIGNATURES_MAX && place < COSIGNATURES_MAX + WEBHOOKS_MAX && url_ok(url));
    fuzz_check(!c.out[place - COSIGNATURES_MAX]);
    merkle_vkey_init(&key, "cn.example/ledger", 0x01, c.log_public);
    fuzz_ok(merkle_event_open(body, &key, &said, &lines));
    c.out[place - COSIGNATURES_MAX] = true;
    return BOURN_OK;
}

static void answer_posts(void)
{
    static const uint32_t statuses[] = {200, 500, 204, 0, 302, 299, 404};
    for (uint32_t i = 0; i < WEBHOOKS_MAX; i++)
        if (c.out[i]) {
            c.out[i] = false;
            fuzz_ok(vault_posted(c.vault, COSIGNATURES_MAX + i, statuses[c.told++ % 7], slice_of(NULL, 0)));
        }
}

static void settle(void)
{
    unsigned ms;
    fuzz_ok(vault_commit(c.vault));
    for (int i = 0; i < 20000 && c.answers < c.asked; i++) {
        usleep(200);
        fuzz_ok(vault_published(c.vault));
        fuzz_ok(vault_release_held(c.vault));
    }
    fuzz_check(c.answers == c.asked); /* once each, no more and no less */
    answer_posts();
    fuzz_ok(vault_tick(c.vault, &ms));
}

/* False: vault's process would drop whoever sends that. */
static bool ask(const struct request *r, enum req_sender from)
{
    struct buf b;
    struct request got;
    buf_init(&b, 8u << 20);
    request_encode(&b, r);
    bool good = request_decode(buf_slice(&b), from, &got) == BOURN_OK;
    if (good) {
        c.asked++;
        fuzz_ok(vault_handle(c.vault, &got, c.asked));
        settle();
    }
    buf_release(&b);
    return good;
}

static void must(const struct request *r, uint32_t status)
{
    ask(r, REQ_FROM_ADMIN);
    if (c.last.status != status) {
        fprintf(stderr, "%s: %u %.*s\n", request_op_name(r->op), c.last.status,
                SLICE_ARG(buf_slice(&c.code)));
        abort();
    }
}

static bool member(const char *name, char *out, size_t out_n)
{
    struct json_value body, value;
    struct buf b;
    if (json_check(buf_slice(&c.body), &body) != BOURN_OK || body.type != JSON_OBJECT ||
        !json_find(body, name, &value))
        return false;
    buf_init(&b, out_n - 1);
    if (value.type == JSON_STRING)
        json_string_decode(value.raw, &b);
    else
        buf_put_slice(&b, value.raw);
    bool good = !b.failed;
    snprintf(out, out_n, "%.*s", SLICE_ARG(buf_slice(&b)));
    buf_release(&b);
    return good;
}

static void open_cell(void)
{
    struct vault_signer signer = {NULL, head, sign, receipt};
    const struct vault_relay relay = {NULL, post};
    struct buf urls;
    int lock;
    fuzz_ok(vault_lock(c.path, &lock));
    fuzz_ok(vault_open(c.path, lock, on_answer, NULL, &c.vault));
    vault_use_relay(c.vault, &relay);
    buf_init(&urls, 1 << 16);
    vault_relay_urls(c.vault, &urls);
    buf_release(&urls);
    memset(c.out, 0, sizeof c.out);
    fuzz_ok(vault_start(c.vault, &signer));
}

static void set_up(void)
{
    static const char *const parties[PARTIES] = {
        "{\"name\":\"clinic\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"consent\","
        "\"enrol\",\"erase\",\"search\"]}",
        "{\"name\":\"lab\",\"kind\":\"app\",\"jurisdiction\":\"US\",\"purposes\":[{\"purpose\":"
        "\"dpv:ResearchAndDevelopment\"},{\"purpose\":\"dpv:Marketing\"}]}",
        "{\"name\":\"watchdog\",\"kind\":\"auditor\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:LegalCompliance\",\"ground\":\"dpv:LegalObligation\"}],\"rights\":[\"audit\"]}",
        "{\"name\":\"shop\",\"kind\":\"app\",\"jurisdiction\":\"CN\",\"purposes\":[{\"purpose\":"
        "\"dpv:Marketing\"}],\"rights\":[\"read\"]}",
        "{\"name\":\"foreign\",\"kind\":\"app\",\"jurisdiction\":\"DE\",\"purposes\":[{\"purpose\":"
        "\"dpv:ServiceProvision\",\"ground\":\"dpv:Contract\"}],\"rights\":[\"read\",\"write\",\"consent\","
        "\"enrol\",\"erase\"]}"};
    static const char *const schemas[] = {
        "{\"name\":\"people\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"},{\"name\":\"name\",\"type\":"
        "\"text\"},"
        "{\"name\":\"born\",\"type\":\"date\",\"searchable\":true}]}",
        "{\"name\":\"visits\",\"sensitive\":true,\"fields\":[{\"name\":\"id\",\"type\":\"text\",\"required\":"
        "true},"
        "{\"name\":\"n\",\"type\":\"integer\"},{\"name\":\"ok\",\"type\":\"boolean\"}]}"};
    for (int i = 0; i < 2; i++) {
        struct request r = {.op = REQ_ADMIN_COLLECTION, .body = slice_str(schemas[i])};
        must(&r, 201);
    }
    struct request r = {
        .op = REQ_ADMIN_NOTICE,
        .body = slice_str("{\"name\":\"research\",\"language\":\"en\",\"text\":\"Lab studies\"}")};
    must(&r, 201);
    for (int i = 0; i < PARTIES; i++) {
        r = (struct request){.op = REQ_ADMIN_PARTY, .body = slice_str(parties[i])};
        must(&r, 201);
        fuzz_check(member("token", c.token[i], sizeof c.token[i]));
    }
    r = (struct request){
        .op = REQ_ADMIN_WEBHOOK, .path = slice_str("clinic"), .body = slice_str("https://a.example/1")};
    must(&r, 200);
}

static void make_cell(void)
{
    struct vault_pack packs[8];
    char name[300];
    struct buf b;
    if (c.vault)
        vault_close(c.vault);
    snprintf(c.path, sizeof c.path, "%s/vault", fuzz_dir());
    fuzz_remove(c.path);
    buf_release(&c.body);
    buf_release(&c.code);
    memset(&c.vault, 0, sizeof c - offsetof(__typeof__(c), vault));
    buf_init(&c.body, 32u << 20);
    buf_init(&c.code, 256);
    for (size_t i = 0; i < builtin_packs_n; i++)
        packs[i] = (struct vault_pack){builtin_packs[i].yaml, builtin_packs[i].rules};
    struct vault_genesis g = {"cn.example/ledger", "CN", "Clinic Ltd", "", 0, packs, builtin_packs_n};
    merkle_empty((struct merkle_hash *)c.head_root);
    fuzz_ok(vault_create(c.path, &g));
    snprintf(name, sizeof name, "%s/signer/log.key", c.path);
    buf_init(&b, 64u << 10);
    fuzz_check(fuzz_read(name, &b) && b.n == 32);
    crypto_sign_from_seed(c.log_public, c.secret, b.p);
    buf_release(&b);
    for (int i = 0; i < PEOPLE; i++)
        crypto_sign_keypair(c.person_public[i], c.person_secret[i]);
    open_cell();
    set_up();
}

/* The replay of what came of it: nothing in it may be a violation. Evidence was not asked for. */
static void replay(void)
{
    static struct verify_report report;
    char ledger[300], rows[300], name[300];
    struct verify_options o = {.source = ledger, .rows = rows};
    struct buf b;
    vault_close(c.vault); /* writes what waits */
    snprintf(ledger, sizeof ledger, "%s/ledger", c.path);
    snprintf(rows, sizeof rows, "%s/rows", c.path);
    snprintf(name, sizeof name, "%s/ledger.vkey", c.path);
    buf_init(&b, 65536);
    fuzz_check(fuzz_read(name, &b));
    fuzz_ok(merkle_vkey_get(buf_slice(&b), &o.key));
    fuzz_ok(verify_run(&o, &report));
    if (report.violations || report.error[0]) {
        fprintf(stderr, "replay: %llu violations, %s; first at %llu: %s\n",
                (unsigned long long)report.violations, report.error, (unsigned long long)report.finding[0].at,
                report.finding[0].reason);
        abort();
    }
    buf_release(&b);
    open_cell();
}

static struct slice subject(uint8_t v, char room[16])
{
    snprintf(room, 16, "p%u", v % PEOPLE);
    return slice_str(room);
}

/* A body for the operation, good but for the edits that follow. */
static void body(struct dice *d, uint32_t op, struct buf *b)
{
    uint8_t v = dice_u8(d);
    switch (op) {
    case REQ_RECORD_NEW:
    case REQ_RECORD_PUT:
        if (v & 1)
            buf_printf(b, "{\"id\":\"p%u\",\"name\":\"N%u\",\"born\":\"19%02u-0%u-1%u\"}", v % PEOPLE, v,
                       v % 100, 1 + v % 9, v % 9);
        else
            buf_printf(b, "{\"id\":\"p%u\",\"n\":%d,\"ok\":%s}", v % PEOPLE, v - 99,
                       v & 2 ? "true" : "false");
        break;
    case REQ_IMPORT:
        for (unsigned i = 0; i < 1u + v % 4; i++)
            buf_printf(b, "{\"id\":\"p%u\",\"name\":\"N%u\",\"born\":\"1990-01-02\"}\n",
                       (v + i) % (PEOPLE + 2), v);
        break;
    case REQ_CONSENT_REQUEST:
        buf_printf(
            b,
            "{\"purposes\":[\"%s\"],\"recipients\":[\"%s\"],\"collections\":[\"people\"%s],\"expires\":"
            "\"203%u-01-01\",\"notice\":\"research\"}",
            purposes[v & 3],
            v & 4   ? "lab"
            : v & 8 ? "shop"
                    : "foreign",
            v & 16 ? ",\"visits\"" : "", v % 9);
        break;
    case REQ_EVIDENCE:
        buf_printf(b, "{\"from\":%u,\"to\":%u}", v % 16, v);
        break;
    case REQ_ENROLMENT_LOOK:
    case REQ_ENROLMENT_DONE:
        buf_put_str(b, "{\"code\":\"abc\"}");
        break;
    case REQ_CONSENT:
    case REQ_EXPORT:
        buf_put_str(b, "{\"statement\":{}}");
        break;
    case REQ_ADMIN_PARTY:
        buf_printf(
            b,
            "{\"name\":\"q%u\",\"kind\":\"app\",\"jurisdiction\":\"%s\",\"purposes\":[{\"purpose\":\"%s\"}],"
            "\"rights\":[\"read\"]}",
            v % 8, v & 16 ? "CN" : "FR", purposes[v & 3]);
        break;
    case REQ_ADMIN_COLLECTION:
        buf_printf(
            b,
            "{\"name\":\"c%u\",\"fields\":[{\"name\":\"id\",\"type\":\"text\"},{\"name\":\"x%u\",\"type\":"
            "\"integer\"}]}",
            v % 4, v);
        break;
    case REQ_ADMIN_NOTICE:
        buf_printf(b, "{\"name\":\"n%u\",\"language\":\"en\",\"text\":\"t\"}", v % 4);
        break;
    case REQ_ADMIN_WEBHOOK:
        if (v & 3)
            buf_printf(b, "https://%s.example/%u", v & 4 ? "a" : "b", v);
        break;
    case REQ_ADMIN_PACK: {
        const struct builtin_pack *p = &builtin_packs[v % builtin_packs_n];
        buf_put_be(b, p->yaml.n, 4);
        buf_put_slice(b, p->yaml);
        buf_put_slice(b, p->rules);
        break;
    }
    default:
        break;
    }
    if (b->n && v >= 0xc0)
        dice_edit(d, b);
}

/* The whole way to a key and a consent, with real signatures, unless an edit spoils a step. */
static void enrol(struct dice *d)
{
    char room[16], code[64], label[64], origin[64];
    uint8_t who = dice_u8(d), signature[64];
    struct request r = {.op = REQ_ENROLMENT, .token = slice_str(c.token[0]), .subject = subject(who, room)};
    struct key_statement k = {0};
    struct buf statement, json, with;
    ask(&r, REQ_FROM_FRONT);
    if (c.last.status != 201 || !member("code", code, sizeof code))
        return;
    buf_init(&with, 1 << 16);
    buf_printf(&with, "{\"code\":\"%s\"}", code);
    r = (struct request){.op = REQ_ENROLMENT_LOOK, .body = buf_slice(&with)};
    ask(&r, REQ_FROM_FRONT);
    if (c.last.status == 200 && member("label", label, sizeof label) &&
        member("origin", origin, sizeof origin) && hex_get(slice_str(label), k.label, 16)) {
        memcpy(c.person_label[who % PEOPLE], k.label, 16);
        k.origin = slice_str(origin);
        crypto_sha256_1(k.code_hash, slice_str(code));
        memcpy(k.public_key, c.person_public[who % PEOPLE], 32);
        k.time = (uint64_t)time(NULL) + (dice_u8(d) & 1 ? 0 : dice_edge(d) % 2000);
        buf_init(&statement, 1 << 16);
        buf_init(&json, 1 << 16);
        key_statement_put(&statement, &k);
        consent_sign(signature, buf_slice(&statement), c.person_secret[who % PEOPLE]);
        struct signed_statement s = {buf_slice(&statement), slice_of(signature, 64),
                                     slice_of(k.public_key, 32)};
        signed_statement_put(&json, &s);
        buf_clear(&with);
        buf_printf(&with, "{\"code\":\"%s\",%.*s", code, (int)json.n - 1, (const char *)json.p + 1);
        if (dice_u8(d) & 1)
            dice_edit(d, &with);
        r = (struct request){.op = REQ_ENROLMENT_DONE, .body = buf_slice(&with)};
        ask(&r, REQ_FROM_FRONT);
        buf_release(&statement);
        buf_release(&json);
    }
    buf_release(&with);
}

static void consent(struct dice *d)
{
    char room[16];
    uint8_t who = dice_u8(d), how = dice_u8(d), signature[64];
    struct buf b;
    struct arena a;
    struct signed_statement s;
    struct request r = {
        .op = REQ_CONSENT_REQUEST, .token = slice_str(c.token[0]), .subject = subject(who, room)};
    buf_init(&b, 1 << 17);
    arena_init(&a, 1 << 20);
    body(d, REQ_CONSENT_REQUEST, &b);
    r.body = buf_slice(&b);
    ask(&r, REQ_FROM_FRONT);
    if (c.last.status == 200 && signed_statement_get(buf_slice(&c.body), &a, &s) == BOURN_OK) {
        if (how & 1) {
            unsigned signer = how & 2 ? who % PEOPLE : how % PEOPLE;
            consent_sign(signature, s.canonical, c.person_secret[signer]);
            s.signature = slice_of(signature, 64);
            s.public_key = slice_of(c.person_public[signer], 32);
        }
        buf_clear(&b);
        signed_statement_put(&b, &s);
        if (how & 4)
            dice_edit(d, &b);
        r.op = REQ_CONSENT;
        r.subject = subject(how & 8 ? how : who, room);
        r.body = buf_slice(&b);
        ask(&r, REQ_FROM_FRONT);
        if (c.last.status == 201)
            c.last_consent = c.last.receipt;
        if (how & 16)
            ask(&r, REQ_FROM_FRONT);
    }
    arena_release(&a);
    buf_release(&b);
}

static void one(struct dice *d, uint8_t what);

/* A person's own copy, page by page, with other things in between; by another key, twice, or with an edit. */
static void own_copy(struct dice *d)
{
    uint8_t who = dice_u8(d), how = dice_u8(d), signature[64];
    const unsigned signer = how & 1 ? how % PEOPLE : who % PEOPLE;
    struct own_statement s = {.origin = slice_str("cn.example/ledger"), .issued = (uint64_t)time(NULL)};
    struct buf statement, b;
    buf_init(&statement, 1 << 16);
    buf_init(&b, 1 << 17);
    memcpy(s.label, c.person_label[who % PEOPLE], 16);
    crypto_random(s.nonce, 16);
    export_statement_put(&statement, &s);
    consent_sign(signature, buf_slice(&statement), c.person_secret[signer]);
    const struct signed_statement wire = {buf_slice(&statement), slice_of(signature, 64),
                                          slice_of(c.person_public[signer], 32)};
    signed_statement_put(&b, &wire);
    if (how & 2)
        dice_edit(d, &b);
    struct request r = {.op = REQ_EXPORT, .body = buf_slice(&b)};
    for (int page = 0; page < 5; page++) {
        ask(&r, REQ_FROM_FRONT);
        r.number = how & 4 ? dice_u8(d) % 3 : c.last.next;
        if (c.last.status != 200 || (!r.number && !(how & 4)))
            break;
        if (how & 8)
            one(d, dice_u8(d) % 0xc8);
    }
    buf_release(&statement);
    buf_release(&b);
}

/* The log's key, as strangers have it. */
static struct merkle_vkey log_key(void)
{
    struct merkle_vkey key;
    merkle_vkey_init(&key, "cn.example/ledger", 0x01, c.log_public);
    return key;
}

/* A person's history, page by page, checked as the person's machine does; by another key or with an edit. */
static void own_history(struct dice *d)
{
    uint8_t who = dice_u8(d), how = dice_u8(d), signature[64];
    const unsigned signer = how & 1 ? how % PEOPLE : who % PEOPLE;
    struct own_statement s = {.origin = slice_str("cn.example/ledger"), .issued = (uint64_t)time(NULL)};
    struct merkle_vkey key = log_key();
    struct history h;
    struct buf statement, b, path;
    buf_init(&statement, 1 << 16);
    buf_init(&b, 1 << 17);
    buf_init(&path, 64);
    memcpy(s.label, c.person_label[who % PEOPLE], 16);
    crypto_random(s.nonce, 16);
    history_init(&h, &key, s.label, how & 16);
    history_statement_put(&statement, &s);
    consent_sign(signature, buf_slice(&statement), c.person_secret[signer]);
    const struct signed_statement wire = {buf_slice(&statement), slice_of(signature, 64),
                                          slice_of(c.person_public[signer], 32)};
    signed_statement_put(&b, &wire);
    if (how & 2)
        dice_edit(d, &b);
    buf_put_str(&path, "~");
    hex_put(&path, slice_of(s.label, 16));
    struct request r = {.op = REQ_HISTORY, .subject = buf_slice(&path), .body = buf_slice(&b)};
    while (ask(&r, REQ_FROM_FRONT) && c.last.status == 200) {
        fuzz_check(memcmp(c.person_public[signer], c.person_public[who % PEOPLE], 32) == 0);
        fuzz_ok(history_take(&h, buf_slice(&c.body)));
        if (h.ended)
            break;
        r.number = h.next;
        r.version = h.cp.size;
    }
    fuzz_check(!h.begun || h.ended);
    if (how & 4) {
        r.number = dice_edge(d);
        r.version = dice_u8(d);
        ask(&r, REQ_FROM_FRONT);
    }
    history_release(&h);
    buf_release(&statement);
    buf_release(&b);
    buf_release(&path);
}

/* What an answer of 200 promises. */
static void check_kept(const struct request *r)
{
    struct merkle_vkey key = log_key();
    struct merkle_receipt said;
    uint64_t rows;
    if (r->op == REQ_RECEIPT)
        fuzz_ok(merkle_receipt_open(buf_slice(&c.body), &key, &said));
    else
        fuzz_ok(verify_proof(buf_slice(&c.body), &key, &said, &rows));
    fuzz_check(said.index == r->number && said.size <= c.head_size);
}

static void one(struct dice *d, uint8_t what)
{
    char room[16];
    struct buf b, path;
    struct request r = {.op = 1 + what % REQ_OP_MAX};
    uint8_t who = dice_u8(d), which = dice_u8(d);
    buf_init(&b, 1u << 20);
    buf_init(&path, 4096);
    r.subject = subject(who, room);
    r.token = slice_str(c.token[(who >> 3) % PARTIES]);
    r.purpose = slice_str(purposes[which % 4]);
    r.collection = slice_str(collections[(which >> 2) % 3]);
    r.number = which & 16 ? dice_edge(d) : which & 32 ? c.last_consent : dice_u8(d) % 4;
    r.version = which & 64 ? dice_u8(d) % 4 : 0;
    body(d, r.op, &b);
    r.body = buf_slice(&b);
    if (r.op == REQ_IMPORT)
        buf_put_str(&path, which & 128 ? "name" : "id");
    else if (r.op == REQ_ADMIN_PARTY_END)
        buf_printf(&path, "q%u", which % 8);
    else if (r.op == REQ_ADMIN_WEBHOOK)
        buf_put_str(&path, which & 4 ? "shop" : which & 1 ? "lab" : "clinic");
    else if (r.op == REQ_LEDGER_FILE || r.op == REQ_ROWS_FILE)
        buf_printf(&path, "tile/%s/000.p/%u",
                   r.op == REQ_ROWS_FILE ? "rows"
                   : which & 128         ? "entries"
                                         : "0",
                   who);
    if (path.n && who >= 0xe0)
        dice_edit(d, &path);
    r.path = buf_slice(&path);
    if (which & 8)
        r.fields = slice_str("name,id");
    if (who & 64)
        r.key = slice_str(which & 1 ? "key-1" : "key-2");
    /* A field that the operation does not carry makes it malformed: leave out as few as possible. */
    struct slice *slices[SLICES] = {&r.token, &r.purpose, &r.subject, &r.collection,
                                    &r.path,  &r.body,    &r.fields,  &r.key};
    struct slice kept[SLICES];
    uint64_t number = r.number, version = r.version;
    bool asked = false;
    for (int i = 0; i < SLICES; i++)
        kept[i] = *slices[i];
    for (unsigned fields = 1u << (SLICES + 2); !asked && fields-- > 0;) {
        for (int i = 0; i < SLICES; i++)
            *slices[i] = fields >> i & 1 ? kept[i] : slice_of(NULL, 0);
        r.number = fields >> SLICES & 1 ? number : 0;
        r.version = fields >> (SLICES + 1) & 1 ? version : 0;
        asked = ask(&r, REQ_FROM_FRONT) || ask(&r, REQ_FROM_ADMIN);
    }
    if (asked && (r.op == REQ_RECEIPT || r.op == REQ_PROOF) && c.last.status == 200)
        check_kept(&r);
    if (asked && r.op == REQ_CONSENT && c.last.status == 201)
        c.last_consent = c.last.receipt;
    buf_release(&b);
    buf_release(&path);
}

static void remember(struct slice in)
{
    char path[4096];
    const char *dir = getenv("BOURN_FUZZ_HISTORY");
    if (!dir)
        return;
    for (unsigned i = c.inputs; i == 0 && i < INPUTS_A_CELL; i++) {
        snprintf(path, sizeof path, "%s/%06u", dir, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/%06u", dir, c.inputs);
    fuzz_write(path, in);
}

static void run(struct slice in)
{
    struct dice d = {in};
    if (!c.vault || c.inputs == INPUTS_A_CELL)
        make_cell();
    remember(in);
    c.inputs++;
    bool restarted = false; /* once an input: the journal is read again each time */
    for (int n = 0; n < REQUESTS_MOST && d.left.n; n++) {
        uint8_t what = dice_u8(&d);
        if (what >= 0xf8) {
            if (!restarted) {
                vault_close(c.vault);
                open_cell();
            }
            restarted = true;
        } else if (what >= 0xe8) {
            enrol(&d);
        } else if (what >= 0xd0) {
            consent(&d);
        } else if (what >= 0xc8) {
            own_copy(&d);
        } else if (what >= 0xc0) {
            own_history(&d);
        } else {
            one(&d, what);
        }
    }
    if (c.inputs % INPUTS_A_REPLAY == 0)
        replay();
}

static void seeds(void)
{
    uint8_t all[128];
    for (unsigned op = 0; op < REQ_OP_MAX; op++) {
        uint8_t text[] = {(uint8_t)op, 0, 0, 1, 7};
        fuzz_seed(slice_of(text, sizeof text));
    }
    fuzz_seed(slice_of("\x12\x00\x00\x01\x00\xe8\x00\x01\x00\xd0\x00\x03\x05\x01\x08\x01\x01\x00", 18));
    fuzz_seed(slice_of(
        "\x12\1\0\1\0\xe8\1\1\0\xd0\1\3\5\1\x09\1\1\0\x0d\1\x20\xf8\1\x09\1\1\0\6\1\0\0\1\1\0\0", 36));
    /* a record, a key, another collection's record, copies */
    static const char copies[] =
        "\3\0\0\1\1\xe8\0\1\0\3\0\4\1\1\xc8\0\0\xc8\0\x08\5\0\0\1\xc8\0\4\1\2\0\xe8\0\1\xc8\0\1";
    fuzz_seed(slice_of(copies, sizeof copies - 1));
    /* the same with a person's history in between, and by somebody else */
    static const char histories[] =
        "\3\0\0\1\1\xe8\0\1\0\xc0\0\0\3\0\4\1\1\xc0\0\x10\5\0\0\1\xc0\0\1\xe8\0\1\xc0\0\4\1\2\xc0\0\2";
    fuzz_seed(slice_of(histories, sizeof histories - 1));
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i * 73);
    fuzz_seed(slice_of(all, sizeof all));
}

const struct fuzz_target fuzz_vault[] = {
    {"vault", run, seeds, 128, 150},
    {0},
};
