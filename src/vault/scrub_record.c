/* What one row of the ledger says of a person's records and evidence, held against the store. The history is
 * walked from its end: what is met first of a record is what holds. */
#include "vault/scrub.h"

#include "consent/consent.h"

#include <stdlib.h>

enum bourn_err scrub_person_found(struct scrub_person *p, const struct scrub_found *f)
{
    if (p->found_n == p->found_room) {
        size_t room = p->found_room ? 2 * p->found_room : 16;
        struct scrub_found *more = realloc(p->found, room * sizeof *more);
        if (!more)
            return err_set(BOURN_E_MEMORY, "out of memory for what scrub found");
        p->found = more;
        p->found_room = room;
    }
    p->found[p->found_n++] = *f;
    return BOURN_OK;
}

/* Place of a record id; NULL out of memory, or over the limit. */
static struct scrub_where *where(struct scrub_person *p, uint64_t id)
{
    if (id >= SCRUB_RECORDS_PER_PERSON_MAX)
        return NULL;
    if (id >= p->where_n) {
        uint64_t n = p->where_n ? p->where_n : 16;
        while (n <= id)
            n *= 2;
        struct scrub_where *more = realloc(p->where, (size_t)n * sizeof *more);
        if (!more)
            return NULL;
        memset(more + p->where_n, 0, (size_t)(n - p->where_n) * sizeof *more);
        p->where = more;
        p->where_n = n;
    }
    return &p->where[id];
}

/* News replaces what was found of a record before. */
static void forget(struct scrub_person *p, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->found_n; i++)
        if (p->found[i].id != id)
            p->found[kept++] = p->found[i];
    p->found_n = kept;
}

/* True if this entry is the last that speaks of the record; then `where` says so from here on. */
static enum bourn_err newest(struct scrub_person *p, uint64_t id, uint32_t collection, bool live, bool *is)
{
    struct scrub_where *w = where(p, id);
    if (!w)
        return err_set(BOURN_E_LIMIT,
                       "a person has more records than scrub keeps track of (%u), or no memory",
                       SCRUB_RECORDS_PER_PERSON_MAX);
    *is = w->round < p->round;
    if (!*is)
        return BOURN_OK;
    if (w->round) {
        if (id) /* what is not about a record has 0 */
            forget(p, id);
        p->records -= w->live;
        p->gone -= !w->live;
    }
    *w = (struct scrub_where){collection, p->round, live};
    p->records += live;
    p->gone += !live;
    return BOURN_OK;
}

/* --- what finds a record
 * -------------------------------------------------------------------------------------------- */

/* The blind values that the record must have by this schema are those of its row. False if not, or if it does
 * not open. */
static enum bourn_err blinds_fit(struct vault *v, const struct subject *p, const struct world_collection *c,
                                 uint64_t id, const struct record_row *row, bool *fit, bool *opens)
{
    enum bourn_err err = BOURN_OK;
    struct buf plain, macs;
    struct json_value json;
    bool any = row->blinds.n > 0;
    for (size_t i = 0; i < c->fields_n; i++)
        any = any || c->fields[i].flags & FIELD_SEARCHABLE;
    *fit = *opens = true;
    if (!any)
        return BOURN_OK;
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    buf_init(&macs, 16 * FIELDS_PER_COLLECTION_MAX);
    *opens =
        record_open(v, p, c, id, row, &plain) == BOURN_OK && json_check(buf_slice(&plain), &json) == BOURN_OK;
    *fit = false;
    if (*opens) {
        err = blind_values(v, c, json, &macs);
        *fit = err == BOURN_OK && slice_eq(buf_slice(&macs), row->blinds);
    }
    buf_release(&plain);
    buf_release(&macs);
    return err;
}

/* The rows that point at the record are there. */
static enum bourn_err pointed_at(struct vault *v, const struct record_row *row,
                                 const uint8_t key[RECORD_KEY_BYTES], bool *is)
{
    uint8_t blind[16 + RECORD_KEY_BYTES], expiry[8 + RECORD_KEY_BYTES];
    struct slice value;
    enum bourn_err err = BOURN_OK;
    *is = true;
    memcpy(blind + 16, key, RECORD_KEY_BYTES);
    for (size_t i = 0; i < row->blinds.n && err == BOURN_OK; i += 16) {
        memcpy(blind, row->blinds.p + i, 16);
        err = store_get(v->store, STORE_BLIND, slice_of(blind, sizeof blind), &value);
    }
    if (err == BOURN_OK && row->expires) {
        be_put(expiry, row->expires, 8);
        memcpy(expiry + 8, key, RECORD_KEY_BYTES);
        err = store_get(v->store, STORE_EXPIRY, slice_of(expiry, sizeof expiry), &value);
    }
    *is = err == BOURN_OK;
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

/* The record's bytes are right: are its end, and what finds it? A schema that took effect in the very second
 * of the entry may stand before it or behind it: either will do. */
static enum bourn_err check_head(struct vault *v, struct scrub *s, const struct entry *e,
                                 const struct record_row *row, struct scrub_found *f)
{
    const uint8_t *key = f->key;
    uint64_t id = be_get(key + 12, 8);
    bool term = false, fit = false, opens = true, pointed = false;
    for (unsigned back = 0; back < 2 && !(term && fit); back++) {
        const struct world_collection *c = world_collection(v->world, e->collection, e->time - back);
        if (!c)
            continue;
        term = row->expires == (c->retention ? e->time + c->retention : 0);
        fit = s->person.stateless;
        if (!fit) {
            enum bourn_err err = blinds_fit(v, &s->person.s, c, id, row, &fit, &opens);
            if (err)
                return err;
        }
    }
    enum bourn_err err = pointed_at(v, row, key, &pointed);
    if (err)
        return err;
    f->damage = !opens ? SCRUB_KEY : !term ? SCRUB_TERM : !fit || !pointed ? SCRUB_INDEX : SCRUB_NONE;
    return f->damage ? scrub_person_found(&s->person, f) : BOURN_OK;
}

/* --- records
 * -------------------------------------------------------------------------------------------------------- */

static void commitment(uint8_t out[32], const uint8_t salt[16], const uint8_t digest[32])
{
    struct slice parts[] = {slice_of(salt, 16), slice_of(digest, 32)};
    crypto_sha256(out, parts, 2);
}

/* An older entry of a record that is not as the last one says: was that version put back? */
static void recognize(struct scrub_person *p, const struct row *row, const struct row_record *r)
{
    uint8_t commit[32];
    for (size_t i = 0; i < p->found_n; i++) {
        struct scrub_found *f = &p->found[i];
        if (f->id != r->id || f->damage != SCRUB_ALTERED || !f->has_digest)
            continue;
        commitment(commit, row->salt, f->digest);
        if (memcmp(commit, r->commit, 32) == 0) {
            f->damage = SCRUB_ROLLED_BACK;
            f->has_commit = f->has_digest = false;
        }
    }
}

static enum bourn_err check_stored(struct vault *v, struct scrub *s, const struct entry *e,
                                   const struct row *row, const struct row_record *r, struct scrub_found *f)
{
    struct slice value;
    struct record_row at = {0};
    uint8_t commit[32];
    enum bourn_err err = store_get(v->store, STORE_PERSON, slice_of(f->key, RECORD_KEY_BYTES), &value);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    f->has_commit = true;
    memcpy(f->salt, row->salt, 16);
    memcpy(f->commit, r->commit, 32);
    if (err) {
        f->damage = SCRUB_DELETED;
        return scrub_person_found(&s->person, f);
    }
    f->damage = SCRUB_ALTERED;
    if (!record_row_get(value, &at))
        return scrub_person_found(&s->person, f);
    crypto_sha256_1(f->digest, at.sealed);
    commitment(commit, row->salt, f->digest);
    f->has_digest = memcmp(commit, r->commit, 32) != 0;
    if (f->has_digest)
        return scrub_person_found(&s->person, f);
    f->has_commit = false;
    if (at.version != r->version)
        return scrub_person_found(&s->person, f);
    return check_head(v, s, e, &at, f);
}

static const struct world_collection *collection_of(const struct vault *v, const struct entry *e)
{
    return world_collection(v->world, e->collection, UINT64_MAX);
}

static struct scrub_found found_at(const struct scrub_person *p, const struct world_collection *c,
                                   uint64_t index, uint64_t id)
{
    struct scrub_found f = {.entry = index,
                            .id = id,
                            .collection = c ? (const char *)c->name.p : "",
                            .collection_n = c ? c->name.n : 0};
    record_key(f.key, p->number, c ? (uint32_t)c->index : 0, id);
    return f;
}

enum bourn_err scrub_stored(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                            const struct row *row)
{
    struct scrub_person *p = &s->person;
    const struct world_collection *c = collection_of(v, e);
    if (!c)
        return scrub_person_found(
            p, &(struct scrub_found){.damage = SCRUB_RULES, .entry = index, .collection = ""});
    for (size_t i = 0; i < row->stored_n; i++) {
        const struct row_record *r = &row->stored[i];
        bool is;
        enum bourn_err err = newest(p, r->id, (uint32_t)c->index, true, &is);
        if (err)
            return err;
        if (!is) {
            recognize(p, row, r);
            continue;
        }
        struct scrub_found f = found_at(p, c, index, r->id);
        s->rows++;
        if ((err = check_stored(v, s, e, row, r, &f)) != BOURN_OK)
            return err;
    }
    return BOURN_OK;
}

enum bourn_err scrub_gone(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                          const struct row *row)
{
    struct scrub_person *p = &s->person;
    const struct world_collection *c = collection_of(v, e);
    if (!c)
        return scrub_person_found(
            p, &(struct scrub_found){.damage = SCRUB_RULES, .entry = index, .collection = ""});
    for (size_t i = 0; i < row->records_n; i++) {
        struct slice value;
        bool is;
        enum bourn_err err = newest(p, row->records[i].id, (uint32_t)c->index, false, &is);
        if (err)
            return err;
        if (!is)
            continue;
        struct scrub_found f = found_at(p, c, index, row->records[i].id);
        s->rows++;
        err = store_get(v->store, STORE_PERSON, slice_of(f.key, RECORD_KEY_BYTES), &value);
        f.damage = SCRUB_CAME_BACK;
        if (err == BOURN_OK)
            err = scrub_person_found(p, &f);
        else if (err == BOURN_E_NOT_FOUND)
            err = BOURN_OK;
        if (err)
            return err;
    }
    return BOURN_OK;
}

/* --- evidence
 * ------------------------------------------------------------------------------------------------------- */

/* What keeps a statement from being used again. */
static enum bourn_err used_row(struct vault *v, struct scrub *s, const struct entry *e, struct slice evidence,
                               uint64_t index, bool *good)
{
    struct evidence ev;
    struct consent_statement *consent = arena_alloc(&s->arena, sizeof *consent);
    struct own_statement own;
    const uint8_t *nonce = own.nonce;
    struct slice value;
    uint8_t used[32];
    *good = e->kind == ENTRY_KEY;
    if (*good)
        return BOURN_OK;
    if (!consent)
        return err_set(BOURN_E_MEMORY, "out of memory for scrub");
    if (evidence_decode(evidence, &ev) != BOURN_OK)
        return BOURN_OK;
    if (e->kind == ENTRY_CONSENT) {
        if (consent_statement_get(ev.statement, &s->arena, consent) != BOURN_OK)
            return BOURN_OK;
        nonce = consent->nonce;
    } else if ((entry_has(e, E_OPERATION) ? history_statement_get : export_statement_get)(
                   ev.statement, &s->arena, &own) != BOURN_OK) {
        return BOURN_OK;
    }
    struct slice parts[] = {slice_str("bourn statement used\n"), slice_of(nonce, 16)};
    crypto_sha256(used, parts, 2);
    enum bourn_err err = store_get(v->store, STORE_USED, slice_of(used, 32), &value);
    *good = err == BOURN_OK && value.n == 8 && be_get(value.p, 8) == index;
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

/* The row by which a recipient's list of people is made. */
static enum bourn_err consented_rows(struct vault *v, struct scrub *s, const struct row *row, bool *good)
{
    struct slice value;
    uint8_t key[16];
    enum bourn_err err = BOURN_OK;
    be_put(key + 8, s->person.number, 8);
    for (size_t i = 0; i < row->recipients_n && err == BOURN_OK; i++) {
        be_put(key, row->recipients[i], 8);
        err = store_get(v->store, STORE_CONSENTED, slice_of(key, sizeof key), &value);
    }
    *good = *good && err == BOURN_OK;
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

enum bourn_err scrub_evidence(struct vault *v, struct scrub *s, const struct entry *e, uint64_t index,
                              const struct row *row)
{
    struct scrub_person *p = &s->person;
    struct scrub_found f = {.damage = SCRUB_EVIDENCE, .entry = index, .collection = ""};
    uint8_t salt[32], commit[32];
    struct buf evidence;
    bool good = true;
    s->rows++;
    p->evidences++;
    if (p->stateless)
        return BOURN_OK;
    buf_init_secret(&evidence, STATEMENT_BYTES_MAX + 1024);
    enum bourn_err err = subject_get_evidence(v, &p->s, index, salt, &evidence);
    if (err == BOURN_OK) {
        struct slice parts[] = {slice_str(EVIDENCE_DOMAIN), buf_slice(&evidence)};
        crypto_hmac(commit, slice_of(salt, 32), parts, 2);
        good = memcmp(commit, row->evidence, 32) == 0;
        if (!good)
            err = scrub_person_found(p, &f);
        f.damage = SCRUB_USED;
        if (err == BOURN_OK && good)
            err = used_row(v, s, e, buf_slice(&evidence), index, &good);
        if (err == BOURN_OK && good && e->kind == ENTRY_CONSENT)
            err = consented_rows(v, s, row, &good);
        if (err == BOURN_OK && !good)
            err = scrub_person_found(p, &f);
    } else if (err != BOURN_E_IO && err != BOURN_E_MEMORY) {
        p->evidences -= err == BOURN_E_NOT_FOUND;
        err = scrub_person_found(p, &f);
    }
    crypto_wipe(salt, sizeof salt);
    buf_release(&evidence);
    return err;
}
