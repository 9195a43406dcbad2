/* What happens in a cell, one entry each, as an honest vault would write it. */
#include "forge.h"

#include "base/limits.h"

#include <stdio.h>

const char HOME_PURPOSE[] = "dpv:ServiceProvision", LAB_PURPOSE[] = "dpv:ResearchAndDevelopment",
           LAB_PURPOSE_2[] = "dpv:Marketing", AUDIT_PURPOSE[] = "dpv:LegalCompliance";

enum { YEAR_S = 365 * 86400 };

static void *keep(struct forge_log *l, const void *p, size_t n)
{
    void *to = arena_alloc(&l->arena, n ? n : 1);
    if (!to)
        forge_die("out of memory");
    if (n)
        memcpy(to, p, n);
    return to;
}

/* Names the policies that will be in force for the next entry. */
static void put_policy(struct forge_log *l, struct entry *e)
{
    const struct gate_pack *packs[PACKS_MAX];
    uint64_t indices[PACKS_MAX];
    e->policy_n = world_packs(l->world, l->n, e->time ? e->time : l->time, packs, indices);
    e->policy = keep(l, indices, e->policy_n * sizeof *indices);
    entry_set(e, E_POLICY);
}

static struct entry by_party(uint32_t kind, uint64_t party)
{
    struct entry e = {.kind = kind, .party = party};
    entry_set(&e, E_PARTY);
    return e;
}

static struct entry about_records(struct cast *c, uint32_t kind, uint64_t party, const char *purpose,
                                  struct slice collection)
{
    struct entry e = by_party(kind, party);
    e.purpose = slice_str(purpose);
    e.collection = collection;
    e.destination = world_party(c->l->world, party)->jurisdiction;
    entry_set(&e, E_PURPOSE);
    entry_set(&e, E_DESTINATION);
    if (collection.n)
        entry_set(&e, E_COLLECTION);
    put_policy(c->l, &e);
    return e;
}

static struct forge_row row_of(struct puppet *p)
{
    struct forge_row r = {.r.prev = p->head};
    memcpy(r.r.label, p->label, 16);
    return r;
}

static void set_bases(struct forge_log *l, struct row *r, uint32_t grade, uint64_t index)
{
    struct row_basis b = {grade, index};
    r->bases_n = grade ? 1 : 0;
    r->bases = keep(l, &b, sizeof b);
    row_set(r, R_BASES);
}

static struct forge_entry *add(struct cast *c, const struct entry *e, const struct forge_row *rows,
                               struct puppet **p, size_t n)
{
    struct forge_entry *f = forge_add(c->l, e, rows, n);
    for (size_t i = 0; i < n; i++)
        p[i]->head = forge_last(c->l);
    return f;
}

uint64_t act_party(struct forge_log *l, struct slice name, const char *kind, const char *jurisdiction,
                   uint32_t rights, const char *purpose, const char *ground, const char *purpose_2)
{
    struct entry_purpose purposes[2] = {
        {slice_str(purpose), ground ? slice_str(ground) : slice_of(NULL, 0)},
        {purpose_2 ? slice_str(purpose_2) : slice_of(NULL, 0), slice_of(NULL, 0)},
    };
    struct entry e = {
        .kind = ENTRY_PARTY,
        .name = name,
        .legal_name = forge_text(l, "%.*s Ltd", SLICE_ARG(name)),
        .contact = slice_str("privacy@example.org"),
        .jurisdiction = forge_text(l, "%s", jurisdiction),
        .party_kind = slice_str(kind),
        .rights = rights,
        .purposes = keep(l, purposes, sizeof purposes),
        .purposes_n = purpose_2 ? 2 : 1,
    };
    for (int k = E_NAME; k <= E_PURPOSES; k++)
        entry_set(&e, (enum entry_key)k);
    forge_add(l, &e, NULL, 0);
    return forge_last(l);
}

uint64_t act_party_end(struct forge_log *l, uint64_t party)
{
    struct entry e = {.kind = ENTRY_PARTY, .ends = party};
    entry_set(&e, E_ENDS);
    forge_add(l, &e, NULL, 0);
    return forge_last(l);
}

uint64_t act_collection(struct forge_log *l, struct slice name, uint64_t version, const char *extra_field,
                        uint64_t retention_s)
{
    struct entry_field fields[] = {
        {slice_str("name"), FIELD_TEXT, FIELD_REQUIRED},
        {slice_str("note"), FIELD_TEXT, FIELD_SENSITIVE},
        {slice_str(extra_field ? extra_field : ""), FIELD_TEXT, 0},
    };
    struct entry e = {.kind = ENTRY_COLLECTION, .name = name, .version = version, .retention = retention_s};
    e.fields_declared = keep(l, fields, sizeof fields);
    e.fields_declared_n = extra_field ? 3 : 2;
    entry_set(&e, E_NAME);
    entry_set(&e, E_VERSION);
    entry_set(&e, E_FIELDS_DECLARED);
    entry_set(&e, E_RETENTION);
    entry_set(&e, E_SENSITIVE);
    forge_add(l, &e, NULL, 0);
    return forge_last(l);
}

static uint64_t add_notice(struct forge_log *l, struct slice name)
{
    struct entry e = {.kind = ENTRY_NOTICE, .name = name, .version = 1, .language = slice_str("en")};
    crypto_sha256_1(e.hash, slice_str("Lab (US) studies careers"));
    entry_set(&e, E_NAME);
    entry_set(&e, E_VERSION);
    entry_set(&e, E_LANGUAGE);
    entry_set(&e, E_HASH);
    forge_add(l, &e, NULL, 0);
    return forge_last(l);
}

void act_cast(struct forge_log *l, struct cast *c, const char *suffix)
{
    char home[3] = {0};
    struct slice domicile = world_domicile(l->world);
    memcpy(home, domicile.p, 2);
    const char *abroad = strcmp(home, "US") == 0 ? "CA" : "US";
    uint32_t rights = RIGHT_READ | RIGHT_WRITE | RIGHT_CONSENT | RIGHT_ENROL | RIGHT_ERASE | RIGHT_SEARCH;
    *c = (struct cast){.l = l};
    c->app = act_party(l, forge_text(l, "clinic%s", suffix), "app", home, rights, HOME_PURPOSE,
                       "dpv:Contract", NULL);
    c->lab = act_party(l, forge_text(l, "lab%s", suffix), "app", abroad, RIGHT_READ, LAB_PURPOSE, NULL,
                       LAB_PURPOSE_2);
    c->other_lab = act_party(l, forge_text(l, "institute%s", suffix), "app", abroad, RIGHT_READ, LAB_PURPOSE,
                             NULL, NULL);
    c->shop = act_party(l, forge_text(l, "shop%s", suffix), "app", home, RIGHT_READ | RIGHT_WRITE,
                        LAB_PURPOSE, NULL, NULL);
    c->watchdog = act_party(l, forge_text(l, "watchdog%s", suffix), "auditor", home, RIGHT_AUDIT,
                            AUDIT_PURPOSE, "dpv:LegalObligation", NULL);
    c->collection = forge_text(l, "people%s", suffix);
    c->other_collection = forge_text(l, "visits%s", suffix);
    c->letters = forge_text(l, "letters%s", suffix);
    act_collection(l, c->collection, 1, NULL, 0);
    act_collection(l, c->other_collection, 1, NULL, 0);
    act_collection(l, c->letters, 1, NULL, LETTER_S);
    c->notice = add_notice(l, forge_text(l, "research%s", suffix));
}

void act_person(struct puppet *p)
{
    *p = (struct puppet){.head = UINT64_MAX};
    crypto_random(p->label, 16);
    crypto_sign_keypair(p->public_key, p->secret);
}

uint64_t act_enrolled(struct cast *c, struct puppet **p, size_t n)
{
    struct forge_row rows[64] = {0};
    struct entry e = by_party(ENTRY_ENROLLED, c->app);
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(p[i]);
        rows[i].r.domicile = world_domicile(c->l->world);
        crypto_random(rows[i].r.key_commit, 32);
        row_set(&rows[i].r, R_DOMICILE);
        row_set(&rows[i].r, R_KEY_COMMIT);
    }
    add(c, &e, rows, p, n);
    return forge_last(c->l);
}

struct forge_entry *act_stored(struct cast *c, uint64_t party, struct puppet **p, size_t n)
{
    struct forge_row rows[64] = {0};
    const char *purpose = party == c->app ? HOME_PURPOSE : LAB_PURPOSE;
    struct entry e = about_records(c, ENTRY_STORED, party, purpose, c->collection);
    for (size_t i = 0; i < n; i++) {
        struct row_record r = {.id = ++p[i]->records, .version = 1};
        rows[i] = row_of(p[i]);
        crypto_random(r.commit, 32);
        rows[i].r.stored = keep(c->l, &r, sizeof r);
        rows[i].r.stored_n = 1;
        row_set(&rows[i].r, R_STORED);
        set_bases(c->l, &rows[i].r, party == c->app ? GRADE_GROUND : 0, party);
    }
    return add(c, &e, rows, p, n);
}

static struct slice hold(struct forge_log *l, struct buf *b)
{
    if (b->failed)
        forge_die("a buffer is full");
    struct slice s = arena_copy(&l->arena, buf_slice(b));
    buf_release(b);
    return s;
}

static void sign(struct forge_log *l, struct forge_row *r, const uint8_t public_key[32],
                 const uint8_t secret[64])
{
    uint8_t signature[64];
    consent_sign(signature, r->evidence.statement, secret);
    r->evidence.signature = slice_of(keep(l, signature, 64), 64);
    r->evidence.public_key = slice_of(keep(l, public_key, 32), 32);
}

struct forge_entry *act_key(struct cast *c, struct puppet *p, const uint8_t secret[64])
{
    struct forge_row r = row_of(p);
    struct key_statement s = {.origin = world_origin(c->l->world), .time = c->l->time};
    struct entry e = by_party(ENTRY_KEY, c->app);
    struct buf b;
    buf_init(&b, STATEMENT_BYTES_MAX);
    memcpy(s.label, p->label, 16);
    memcpy(s.public_key, p->public_key, 32);
    crypto_random(s.code_hash, 32);
    key_statement_put(&b, &s);
    r.evidence = (struct evidence){.kind = EVIDENCE_KEY, .statement = hold(c->l, &b)};
    sign(c->l, &r, p->public_key, secret);
    crypto_random(r.salt, 32);
    r.open = true;
    r.r.action = 1;
    r.r.voucher = VOUCHER_APP;
    r.r.voucher_ref = c->app;
    row_set(&r.r, R_ACTION);
    row_set(&r.r, R_VOUCHER);
    row_set(&r.r, R_EVIDENCE);
    p->key = c->l->n;
    return add(c, &e, &r, &p, 1);
}

static struct consent_statement statement_of(struct cast *c, const struct puppet *p, const struct ask *a,
                                             uint64_t recipient)
{
    const struct world *w = c->l->world;
    const struct gate_party *to = world_party(w, recipient);
    const struct world_notice *n = world_notice(w, c->notice);
    struct buf words;
    struct consent_statement s = {
        .origin = world_origin(w),
        .domicile = world_domicile(w),
        .issued = c->l->time,
        .expires = c->l->time + (a->life_s ? a->life_s : YEAR_S),
        .purposes_n = 1,
        .recipients_n = 1,
        .destinations_n = 1,
        .collections_n = 1,
        .notice_name = n->name,
        .notice_language = n->language,
        .notice_version = n->version,
    };
    s.controller = world_controller(w, &s.controller_contact);
    memcpy(s.label, p->label, 16);
    memcpy(s.notice_hash, n->hash, 32);
    crypto_random(s.nonce, 16);
    buf_init(&words, 4096);
    consent_purpose_words(&words, slice_str(LAB_PURPOSE));
    s.purposes[0] = (struct consent_purpose){slice_str(LAB_PURPOSE), hold(c->l, &words)};
    s.recipients[0] =
        (struct consent_recipient){to->name, to->legal_name, to->jurisdiction, to->contact, {0}};
    memcpy(s.recipients[0].party_hash, to->hash, 32);
    s.destinations[0] = to->jurisdiction;
    s.collections[0] = a->collection.n ? a->collection : c->collection;
    return s;
}

/* The row says what the statement says. */
static void fill_row(struct cast *c, struct row *r, const struct consent_statement *s, uint64_t recipient)
{
    struct slice purpose = s->purposes[0].term;
    r->purposes = keep(c->l, &purpose, sizeof purpose);
    r->destinations = keep(c->l, s->destinations, s->destinations_n * sizeof s->destinations[0]);
    r->collections = keep(c->l, s->collections, s->collections_n * sizeof s->collections[0]);
    r->recipients = keep(c->l, &recipient, sizeof recipient);
    r->purposes_n = r->recipients_n = 1;
    r->destinations_n = s->destinations_n;
    r->collections_n = s->collections_n;
    r->issued = s->issued;
    r->expires = s->expires;
    r->notice = c->notice;
    for (int k = R_PURPOSES; k <= R_GRADE; k++)
        row_set(r, (enum row_key)k);
    row_set(r, R_ISSUED);
    row_set(r, R_EVIDENCE);
}

struct forge_entry *act_consent(struct cast *c, struct puppet *p, const struct ask *a)
{
    struct forge_row r = row_of(p);
    struct entry e = by_party(ENTRY_CONSENT, c->app);
    uint64_t recipient = a->recipient ? a->recipient : c->lab;
    struct consent_statement s = a->again ? *a->again : statement_of(c, p, a, recipient);
    struct buf b;
    buf_init(&b, STATEMENT_BYTES_MAX);
    if (a->change)
        a->change(c, &s);
    consent_statement_put(&b, &s);
    r.evidence = (struct evidence){.kind = EVIDENCE_CONSENT, .statement = hold(c->l, &b)};
    const struct puppet *signer = a->signer ? a->signer : p;
    if (!a->attested)
        sign(c->l, &r, signer->public_key, signer->secret);
    crypto_random(r.salt, 32);
    r.open = true;
    fill_row(c, &r.r, &s, a->row_recipient ? a->row_recipient : recipient);
    r.r.grade = a->attested ? GRADE_OPERATOR_ATTESTED : GRADE_SUBJECT_SIGNED;
    r.r.key = p->key;
    if (!a->attested)
        row_set(&r.r, R_KEY);
    p->consent = c->l->n;
    p->statement = s;
    return add(c, &e, &r, &p, 1);
}

void act_withdrawn(struct cast *c, struct puppet *p)
{
    struct forge_row r = row_of(p);
    struct entry e = by_party(ENTRY_WITHDRAWN, c->app);
    r.r.consent = p->consent;
    row_set(&r.r, R_CONSENT);
    add(c, &e, &r, &p, 1);
}

static void set_records(struct forge_log *l, struct row *r, uint64_t id)
{
    struct row_record x = {.id = id, .version = 1};
    r->records = keep(l, &x, sizeof x);
    r->records_n = 1;
    row_set(r, R_RECORDS);
}

struct forge_entry *act_disclosed(struct cast *c, uint64_t party, const char *purpose,
                                  struct slice collection, struct puppet **p, size_t n, uint32_t grade,
                                  uint64_t basis)
{
    struct forge_row rows[64] = {0};
    struct entry e = about_records(c, ENTRY_DISCLOSED, party, purpose, collection);
    e.operation = n > 1 ? OP_SEARCH : OP_READ;
    entry_set(&e, E_OPERATION);
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(p[i]);
        set_bases(c->l, &rows[i].r, grade, basis);
        if (p[i]->records)
            set_records(c->l, &rows[i].r, p[i]->records);
    }
    return add(c, &e, rows, p, n);
}

struct forge_entry *act_evidence(struct cast *c, struct puppet **p, size_t n)
{
    struct forge_row rows[64] = {0};
    struct entry e = about_records(c, ENTRY_DISCLOSED, c->watchdog, AUDIT_PURPOSE, slice_of(NULL, 0));
    e.operation = OP_EVIDENCE;
    entry_set(&e, E_OPERATION);
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(p[i]);
        set_bases(c->l, &rows[i].r, GRADE_GROUND, c->watchdog);
    }
    return add(c, &e, rows, p, n);
}

struct forge_entry *act_deleted(struct cast *c, struct puppet *p, uint64_t id)
{
    struct forge_row r = row_of(p);
    struct entry e = about_records(c, ENTRY_DELETED, c->app, HOME_PURPOSE, c->collection);
    set_bases(c->l, &r.r, GRADE_GROUND, c->app);
    set_records(c->l, &r.r, id);
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_letter(struct cast *c, struct puppet *p)
{
    struct forge_row r = row_of(p);
    struct row_record x = {.id = ++p->letters, .version = 1};
    struct entry e = about_records(c, ENTRY_STORED, c->app, HOME_PURPOSE, c->letters);
    crypto_random(x.commit, 32);
    r.r.stored = keep(c->l, &x, sizeof x);
    r.r.stored_n = 1;
    row_set(&r.r, R_STORED);
    set_bases(c->l, &r.r, GRADE_GROUND, c->app);
    p->letter_time = c->l->time;
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_letter_read(struct cast *c, struct puppet *p)
{
    struct forge_row r = row_of(p);
    struct entry e = about_records(c, ENTRY_DISCLOSED, c->app, HOME_PURPOSE, c->letters);
    e.operation = OP_READ;
    entry_set(&e, E_OPERATION);
    set_bases(c->l, &r.r, GRADE_GROUND, c->app);
    set_records(c->l, &r.r, p->letters);
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_expired(struct cast *c, struct slice collection, struct puppet *p, uint64_t id)
{
    struct forge_row r = row_of(p);
    struct entry e = {.kind = ENTRY_EXPIRED, .collection = collection, .cause = slice_str("retention")};
    entry_set(&e, E_COLLECTION);
    entry_set(&e, E_CAUSE);
    set_records(c->l, &r.r, id);
    return add(c, &e, &r, &p, 1);
}

static struct slice request_of(struct cast *c, struct puppet *p, const struct take *t,
                               void (*put)(struct buf *, const struct own_statement *))
{
    struct own_statement s = {.origin = world_origin(c->l->world), .issued = c->l->time};
    struct buf b;
    memcpy(s.label, p->label, 16);
    crypto_random(s.nonce, 16);
    if (t->again)
        s = *t->again;
    if (t->change)
        t->change(&s);
    p->request = s;
    buf_init(&b, STATEMENT_BYTES_MAX);
    put(&b, &s);
    return hold(c->l, &b);
}

/* The request stands in the row, signed. */
static void asked_for(struct cast *c, struct puppet *p, const struct take *t, struct forge_row *r)
{
    const struct puppet *signer = t->signer ? t->signer : p;
    sign(c->l, r, signer->public_key, signer->secret);
    crypto_random(r->salt, 32);
    r->open = true;
    r->r.issued = p->request.issued;
    row_set(&r->r, R_ISSUED);
    row_set(&r->r, R_EVIDENCE);
}

struct forge_entry *act_reading(struct cast *c, struct puppet *p, const struct take *t)
{
    struct forge_row r = row_of(p);
    struct entry e = {.kind = ENTRY_EXPORTED, .operation = OP_READ};
    entry_set(&e, E_OPERATION);
    set_bases(c->l, &r.r, GRADE_SELF, 0);
    r.r.key = p->key;
    row_set(&r.r, R_KEY);
    r.evidence =
        (struct evidence){.kind = EVIDENCE_HISTORY, .statement = request_of(c, p, t, history_statement_put)};
    asked_for(c, p, t, &r);
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_copy(struct cast *c, struct puppet *p, const struct take *t)
{
    struct forge_row r = row_of(p);
    uint64_t from = t->letter ? p->letters : t->from ? t->from : 1, to = t->letter ? p->letters : p->records;
    struct row_record *records = arena_alloc(&c->l->arena, (to + 1) * sizeof *records);
    struct entry e = {.kind = ENTRY_EXPORTED, .collection = t->letter ? c->letters : c->collection};
    entry_set(&e, E_COLLECTION);
    for (uint64_t id = from; id <= to; id++)
        records[r.r.records_n++] = (struct row_record){.id = id, .version = 1};
    r.r.records = records;
    row_set(&r.r, R_RECORDS);
    set_bases(c->l, &r.r, GRADE_SELF, 0);
    r.r.key = p->key;
    row_set(&r.r, R_KEY);
    if (t->goes_on) {
        r.r.copy = p->copy;
        row_set(&r.r, R_COPY);
        return add(c, &e, &r, &p, 1);
    }
    r.evidence =
        (struct evidence){.kind = EVIDENCE_EXPORT, .statement = request_of(c, p, t, export_statement_put)};
    p->copy = c->l->n;
    asked_for(c, p, t, &r);
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_erased(struct cast *c, struct puppet *p)
{
    struct forge_row r = row_of(p);
    struct entry e = by_party(ENTRY_ERASED, c->app);
    e.asked_by = 2;
    e.cause = slice_str("request");
    entry_set(&e, E_ASKED_BY);
    entry_set(&e, E_CAUSE);
    return add(c, &e, &r, &p, 1);
}

struct forge_entry *act_refused(struct cast *c, uint64_t party)
{
    struct entry e = by_party(ENTRY_REFUSED, party);
    e.destination = world_party(c->l->world, party)->jurisdiction;
    e.operation = OP_READ;
    e.code = slice_str("basis_missing");
    e.count = 1;
    entry_set(&e, E_DESTINATION);
    entry_set(&e, E_OPERATION);
    entry_set(&e, E_CODE);
    entry_set(&e, E_COUNT);
    return forge_add(c->l, &e, NULL, 0);
}
