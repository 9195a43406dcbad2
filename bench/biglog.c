/* bench-biglog DIR ENTRIES: writes a good ledger of any length as a cell would have: hashes, checkpoint and
 * tiles, one person enrolled for 20 entries, 1 % consents that people signed with keys of their own, and
 * their withdrawals, erasures and disclosures. Memory: 64 bytes a person. Ends with one line of JSON. */
#include "biglog_out.h"

#include "base/limits.h"
#include "packs/builtin.h"

#include <stdlib.h>
#include <time.h>

enum { ENTRIES_PER_PERSON = 20, YEAR_S = 365 * 86400, CROWD = 8 };
static const char HOME[] = "dpv:ServiceProvision", STUDY[] = "dpv:ResearchAndDevelopment";

struct life {
    uint8_t label[16];
    uint64_t head, key, consent; /* 0: none */
    uint32_t records;
    bool erased, withdrawn;
};
struct story {
    struct biglog b;
    struct life *v;
    uint64_t n, room; /* people so far */
    uint64_t entries, app, lab, notice, policy[PACKS_MAX];
    size_t policy_n, doomed;
    uint64_t consents, signatures, erasures;
};

static void must(enum bourn_err err)
{
    if (err != BOURN_OK)
        biglog_die("a statement");
}

/* Every fiftieth person is erased in the end: their evidence died, whenever it is read. */
static bool doomed(uint64_t i)
{
    return i % 50 == 7;
}

static void set(struct entry *e, int from, int to)
{
    for (int k = from; k <= to; k++)
        entry_set(e, (enum entry_key)k);
}

static void add_packs(struct biglog *b)
{
    for (size_t i = 0; i < builtin_packs_n; i++) {
        struct arena a;
        struct gate_pack p;
        arena_init(&a, 1 << 20);
        must(gate_pack_decode(builtin_packs[i].rules, &a, &p));
        struct entry e = {.kind = ENTRY_POLICY,
                          .name = slice_str(builtin_packs[i].name),
                          .version = p.version,
                          .yaml = builtin_packs[i].yaml,
                          .rules = builtin_packs[i].rules};
        entry_set(&e, E_NAME);
        entry_set(&e, E_VERSION);
        set(&e, E_YAML, E_RULES);
        biglog_add_to_world(b, &e);
        arena_release(&a);
    }
}

static uint64_t add_party(struct biglog *b, const char *name, const char *country, uint32_t rights,
                          const char *purpose, const char *ground)
{
    struct entry_purpose p = {slice_str(purpose), slice_str(ground)};
    struct entry e = {.kind = ENTRY_PARTY,
                      .name = slice_str(name),
                      .legal_name = slice_str(name),
                      .contact = slice_str("privacy@example.org"),
                      .jurisdiction = slice_str(country),
                      .party_kind = slice_str("app"),
                      .rights = rights,
                      .purposes = &p,
                      .purposes_n = 1};
    set(&e, E_NAME, E_PURPOSES);
    biglog_add_to_world(b, &e);
    return b->n - 1;
}

static void begin(struct story *s)
{
    struct biglog *b = &s->b;
    struct slice key = slice_of(b->key.key, 32);
    struct entry e = {.kind = ENTRY_GENESIS,
                      .origin = slice_str(b->key.name),
                      .domicile = slice_str("CN"),
                      .legal_name = slice_str("Clinic Ltd"),
                      .contact = slice_str("dpo@cn.example"),
                      .keys = &key,
                      .keys_n = 1,
                      .delay = 86400,
                      .format = 1};
    set(&e, E_LEGAL_NAME, E_CONTACT);
    entry_set(&e, E_KEYS);
    set(&e, E_ORIGIN, E_FORMAT);
    biglog_add_to_world(b, &e);
    add_packs(b);
    s->app = add_party(b, "clinic", "CN",
                       RIGHT_READ | RIGHT_WRITE | RIGHT_CONSENT | RIGHT_ENROL | RIGHT_ERASE | RIGHT_SEARCH,
                       HOME, "dpv:Contract");
    s->lab = add_party(b, "lab", "US", RIGHT_READ, STUDY, "");
    struct entry_field field = {slice_str("name"), FIELD_TEXT, FIELD_REQUIRED};
    e = (struct entry){.kind = ENTRY_COLLECTION,
                       .name = slice_str("people"),
                       .version = 1,
                       .fields_declared = &field,
                       .fields_declared_n = 1};
    entry_set(&e, E_NAME);
    set(&e, E_FIELDS_DECLARED, E_VERSION);
    entry_set(&e, E_SENSITIVE);
    biglog_add_to_world(b, &e);
    e = (struct entry){
        .kind = ENTRY_NOTICE, .name = slice_str("research"), .version = 1, .language = slice_str("en")};
    crypto_sha256_1(e.hash, slice_str("Lab (US) studies careers"));
    entry_set(&e, E_NAME);
    set(&e, E_VERSION, E_HASH);
    biglog_add_to_world(b, &e);
    s->notice = b->n - 1;
    const struct gate_pack *packs[PACKS_MAX];
    s->policy_n = world_packs(b->world, b->n, b->time, packs, s->policy);
}

static struct row row_of(const struct life *x)
{
    struct row r = {.prev = x->head};
    memcpy(r.label, x->label, 16);
    return r;
}

static struct entry by(struct story *s, uint32_t kind, uint64_t party)
{
    struct entry e = {.kind = kind, .party = party};
    entry_set(&e, E_PARTY);
    (void)s;
    return e;
}

static struct entry about_records(struct story *s, uint32_t kind, uint64_t party)
{
    struct entry e = by(s, kind, party);
    e.purpose = slice_str(party == s->app ? HOME : STUDY);
    e.collection = slice_str("people");
    e.destination = slice_str(party == s->app ? "CN" : "US");
    e.policy = s->policy;
    e.policy_n = s->policy_n;
    set(&e, E_PURPOSE, E_POLICY);
    return e;
}

static void add(struct story *s, struct entry *e, struct row *r, struct life *x)
{
    x->head = s->b.n;
    biglog_add(&s->b, e, r, 1);
}

static void store(struct story *s, struct life *x)
{
    struct entry e = about_records(s, ENTRY_STORED, s->app);
    struct row r = row_of(x);
    struct row_record record = {.id = ++x->records, .version = 1};
    struct row_basis basis = {GRADE_GROUND, s->app};
    biglog_bytes(&s->b, record.commit, 32);
    r.stored = &record;
    r.bases = &basis;
    r.stored_n = r.bases_n = 1;
    row_set(&r, R_STORED);
    row_set(&r, R_BASES);
    add(s, &e, &r, x);
}

static void enrol(struct story *s)
{
    struct life *x = &s->v[s->n++];
    struct entry e = by(s, ENTRY_ENROLLED, s->app);
    *x = (struct life){.head = UINT64_MAX};
    biglog_bytes(&s->b, x->label, 16);
    struct row r = row_of(x);
    r.domicile = slice_str("CN");
    biglog_bytes(&s->b, r.key_commit, 32);
    row_set(&r, R_DOMICILE);
    row_set(&r, R_KEY_COMMIT);
    add(s, &e, &r, x);
    store(s, x);
}

/* The person's key pair follows from the label: nothing has to be kept. */
static void keys_of(const struct life *x, uint8_t public_key[32], uint8_t secret[64])
{
    uint8_t seed[32];
    crypto_sha256_1(seed, slice_of(x->label, 16));
    crypto_sign_from_seed(public_key, secret, seed);
}

static void sign(struct story *s, struct life *x, struct row *r, uint32_t kind, const struct buf *statement)
{
    uint8_t public_key[32], secret[64], signature[64];
    keys_of(x, public_key, secret);
    must(buf_check(statement));
    consent_sign(signature, buf_slice(statement), secret);
    struct evidence e = {kind, buf_slice(statement), slice_of(signature, 64), slice_of(public_key, 32)};
    biglog_evidence(&s->b, r, &e, doomed((uint64_t)(x - s->v)));
    s->signatures += !doomed((uint64_t)(x - s->v));
}

static void add_key(struct story *s, struct life *x)
{
    struct key_statement k = {.origin = slice_str(s->b.key.name), .time = s->b.time};
    struct entry e = by(s, ENTRY_KEY, s->app);
    struct row r = row_of(x);
    uint8_t secret[64];
    struct buf text;
    buf_init(&text, STATEMENT_BYTES_MAX);
    memcpy(k.label, x->label, 16);
    keys_of(x, k.public_key, secret);
    biglog_bytes(&s->b, k.code_hash, 32);
    key_statement_put(&text, &k);
    sign(s, x, &r, EVIDENCE_KEY, &text);
    r.action = 1;
    r.voucher = VOUCHER_APP;
    r.voucher_ref = s->app;
    row_set(&r, R_VOUCHER);
    row_set(&r, R_ACTION);
    x->key = s->b.n;
    add(s, &e, &r, x);
    buf_release(&text);
}

static void fill_statement(struct story *s, const struct life *x, struct consent_statement *c,
                           struct buf *words)
{
    const struct gate_party *to = world_party(s->b.world, s->lab);
    const struct world_notice *n = world_notice(s->b.world, s->notice);
    *c = (struct consent_statement){.origin = world_origin(s->b.world),
                                    .domicile = world_domicile(s->b.world),
                                    .issued = s->b.time,
                                    .expires = s->b.time + YEAR_S,
                                    .purposes_n = 1,
                                    .recipients_n = 1,
                                    .destinations = {to->jurisdiction},
                                    .destinations_n = 1,
                                    .collections = {slice_str("people")},
                                    .collections_n = 1,
                                    .notice_name = n->name,
                                    .notice_language = n->language,
                                    .notice_version = n->version};
    c->controller = world_controller(s->b.world, &c->controller_contact);
    memcpy(c->label, x->label, 16);
    memcpy(c->notice_hash, n->hash, 32);
    biglog_bytes(&s->b, c->nonce, 16);
    consent_purpose_words(words, slice_str(STUDY));
    c->purposes[0] = (struct consent_purpose){slice_str(STUDY), buf_slice(words)};
    c->recipients[0] =
        (struct consent_recipient){to->name, to->legal_name, to->jurisdiction, to->contact, {0}};
    memcpy(c->recipients[0].party_hash, to->hash, 32);
}

static void consent(struct story *s, struct life *x)
{
    struct consent_statement c;
    struct entry e = by(s, ENTRY_CONSENT, s->app);
    struct row r = row_of(x);
    struct buf text, words;
    buf_init(&text, STATEMENT_BYTES_MAX);
    buf_init(&words, 1024);
    fill_statement(s, x, &c, &words);
    consent_statement_put(&text, &c);
    sign(s, x, &r, EVIDENCE_CONSENT, &text);
    r.purposes = &c.purposes[0].term;
    r.destinations = c.destinations;
    r.collections = c.collections;
    r.recipients = &s->lab;
    r.purposes_n = r.destinations_n = r.collections_n = r.recipients_n = 1;
    r.issued = c.issued;
    r.expires = c.expires;
    r.notice = s->notice;
    r.grade = GRADE_SUBJECT_SIGNED;
    r.key = x->key;
    for (int k = R_PURPOSES; k <= R_GRADE; k++)
        row_set(&r, (enum row_key)k);
    row_set(&r, R_KEY);
    row_set(&r, R_ISSUED);
    x->consent = s->b.n;
    add(s, &e, &r, x);
    buf_release(&text);
    buf_release(&words);
    s->consents++;
}

static int by_label(const void *a, const void *b)
{
    return memcmp((*(struct life *const *)a)->label, (*(struct life *const *)b)->label, 16);
}

/* The last record of each is read by the clinic, or of one by the lab. */
static void disclose(struct story *s, uint64_t party, struct life **x, size_t n)
{
    struct entry e = about_records(s, ENTRY_DISCLOSED, party);
    struct row rows[CROWD] = {0};
    struct row_record record[CROWD] = {0};
    struct row_basis basis = party == s->app ? (struct row_basis){GRADE_GROUND, s->app}
                                             : (struct row_basis){GRADE_SUBJECT_SIGNED, x[0]->consent};
    e.operation = n > 1 ? OP_SEARCH : OP_READ;
    entry_set(&e, E_OPERATION);
    qsort(x, n, sizeof *x, by_label);
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(x[i]);
        record[i] = (struct row_record){.id = x[i]->records, .version = 1};
        rows[i].records = &record[i];
        rows[i].bases = &basis;
        rows[i].records_n = rows[i].bases_n = 1;
        row_set(&rows[i], R_RECORDS);
        row_set(&rows[i], R_BASES);
        x[i]->head = s->b.n;
    }
    biglog_add(&s->b, &e, rows, n);
}

static void search(struct story *s, uint64_t from)
{
    struct life *x[CROWD];
    size_t n = 0;
    for (uint64_t i = 0; i < CROWD && from + i < s->n; i++)
        if (!s->v[from + i].erased)
            x[n++] = &s->v[from + i];
    if (n)
        disclose(s, s->app, x, n);
}

static void withdraw(struct story *s, struct life *x)
{
    struct entry e = by(s, ENTRY_WITHDRAWN, s->app);
    struct row r = row_of(x);
    r.consent = x->consent;
    row_set(&r, R_CONSENT);
    add(s, &e, &r, x);
    x->consent = 0;
    x->withdrawn = true;
}

static void erase(struct story *s, struct life *x)
{
    struct entry e = by(s, ENTRY_ERASED, s->app);
    struct row r = row_of(x);
    e.asked_by = 2;
    e.cause = slice_str("request");
    set(&e, E_ASKED_BY, E_CAUSE);
    add(s, &e, &r, x);
    x->erased = true;
    s->erasures++;
}

static void turn(struct story *s)
{
    uint64_t dice = biglog_random(&s->b), i = s->n ? biglog_random(&s->b) % s->n : 0;
    struct life *x = &s->v[i];
    s->b.time += dice % 20 == 0;
    dice >>= 8;
    if (s->n < s->room && (s->n + 1) * ENTRIES_PER_PERSON < s->b.n + 400)
        enrol(s);
    else if (x->erased)
        return;
    else if (s->consents * 100 < s->b.n && !x->consent && !x->withdrawn) {
        if (!x->key)
            add_key(s, x);
        consent(s, x);
    } else if (x->consent && dice % 50 == 0) {
        withdraw(s, x);
    } else if (doomed(i) && dice % 40 == 0) {
        erase(s, x);
    } else if (x->consent && dice % 3) {
        disclose(s, s->lab, &x, 1);
    } else if (dice % 100 == 1) {
        search(s, i);
    } else if (dice % 10 == 2) {
        store(s, x);
    } else {
        disclose(s, s->app, &x, 1);
    }
}

static uint64_t left_to_erase(const struct story *s)
{
    return s->n / 50 + 1 - s->erasures;
}

int main(int argc, char **argv)
{
    static struct story s;
    struct timespec from, to;
    s.entries = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (s.entries < 2000) {
        fputs("usage: bench-biglog DIR ENTRIES (2000 or more)\n", stderr);
        return 64;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    s.room = s.entries / ENTRIES_PER_PERSON;
    s.v = calloc(s.room + 1, sizeof *s.v);
    if (!s.v)
        biglog_die("memory");
    biglog_open(&s.b, argv[1], "big.example/ledger");
    begin(&s);
    while (s.b.n + left_to_erase(&s) < s.entries - 2) /* a turn adds up to two entries */
        turn(&s);
    for (uint64_t i = 0; i < s.n; i++)
        if (doomed(i) && !s.v[i].erased)
            erase(&s, &s.v[i]);
    while (s.b.n < s.entries)
        disclose(&s, s.app, &(struct life *){&s.v[0]}, 1);
    biglog_close(&s.b);
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("{\"entries\":%llu,\"people\":%llu,\"consents\":%llu,\"signatures\":%llu,\"erased\":%llu,"
           "\"seconds\":%.1f}\n",
           (unsigned long long)s.b.n, (unsigned long long)s.n, (unsigned long long)s.consents,
           (unsigned long long)s.signatures, (unsigned long long)s.erasures,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    free(s.v);
    return 0;
}
