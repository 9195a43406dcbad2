/* One person for scrub: their history backwards from its head against records, evidence and key; then every
 * row of theirs that no entry speaks of; then their names. What happens to them meanwhile is taken in at the
 * beginning of each slice, before anything is looked at, so that no change of today is called damage. */
#include "vault/scrub.h"

#include <stdlib.h>

void scrub_person_release(struct scrub_person *p)
{
    if (p->open && !p->stateless)
        subject_release(&p->s);
    free(p->where);
    free(p->found);
    *p = (struct scrub_person){0};
}

/* Damage of what is read is a finding; trouble with reading is an error. */
static bool damaged(enum bourn_err err)
{
    return err == BOURN_E_CORRUPT || err == BOURN_E_FORMAT || err == BOURN_E_CRYPTO ||
           err == BOURN_E_NOT_FOUND;
}

static enum bourn_err load(struct vault *v, struct scrub_person *p)
{
    uint64_t before = v->loaded;
    enum bourn_err err = subject_load(v, p->number, &p->s);
    v->loaded = before; /* whom the decoy loads is not for scrub to choose */
    p->stateless = err != BOURN_OK;
    return damaged(err) ? BOURN_OK : err;
}

static enum bourn_err found(struct scrub_person *p, enum scrub_damage damage, uint64_t entry)
{
    return scrub_person_found(p, &(struct scrub_found){.damage = damage, .entry = entry, .collection = ""});
}

static struct slice number_prefix(uint8_t out[8], uint64_t number)
{
    be_put(out, number, 8);
    return slice_of(out, 8);
}

/* --- history
 * -------------------------------------------------------------------------------------------------------- */

static enum bourn_err check_key(struct scrub_person *p, uint64_t index, const struct row *row)
{
    uint8_t commit[32];
    if (p->stateless)
        return BOURN_OK;
    crypto_derive(commit, p->s.key, "commitment", slice_of(p->label, 16));
    return memcmp(commit, row->key_commit, 32) == 0 ? BOURN_OK : found(p, SCRUB_KEY, index);
}

/* One entry of the history; *prev is the one before it, UINT64_MAX at the first. A history that breaks off
 * ends there, and is not used to call anything else wrong. */
static enum bourn_err visit(struct vault *v, struct scrub *s, uint64_t index, uint64_t *prev)
{
    struct scrub_person *p = &s->person;
    struct scrub_group *g;
    struct row row;
    *prev = UINT64_MAX;
    s->rows++;
    arena_reset(&s->arena);
    enum bourn_err err = scrub_group_get(v, s, index, &g);
    if (err)
        return err;
    if (!g->sound || !scrub_row_of(s, g, p->label, &row)) {
        p->broken = true;
        return found(p, g->sound ? SCRUB_CHAIN : SCRUB_LEDGER, index);
    }
    const struct entry *e = &g->e;
    bool first = e->kind == ENTRY_ENROLLED;
    if (first != (row.prev == UINT64_MAX) || (!first && row.prev >= index)) {
        p->broken = true;
        return found(p, SCRUB_CHAIN, index);
    }
    *prev = row.prev;
    if (e->kind == ENTRY_STORED)
        err = scrub_stored(v, s, e, index, &row);
    else if (e->kind == ENTRY_DELETED || e->kind == ENTRY_EXPIRED)
        err = scrub_gone(v, s, e, index, &row);
    else if (row_has(&row, R_EVIDENCE))
        err = scrub_evidence(v, s, e, index, &row);
    else if (first)
        err = check_key(p, index, &row);
    return err;
}

/* What has happened since the last slice, from the new head down to the one that the walk began with. */
static enum bourn_err news(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    uint64_t head = prev_head(v->prev, p->number), at = head, prev;
    if (head == p->top || p->broken)
        return BOURN_OK;
    p->round++;
    while (at != p->top && at != UINT64_MAX && at > p->top) {
        enum bourn_err err = visit(v, s, at, &prev);
        if (err)
            return err;
        at = p->broken ? UINT64_MAX : prev;
    }
    if (at != p->top)
        p->broken = true;
    p->top = head;
    return BOURN_OK;
}

static enum bourn_err walk(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    uint32_t round = p->round;
    p->round = 1; /* older than all news */
    while (p->at != UINT64_MAX && !p->broken && !scrub_spent(s)) {
        enum bourn_err err = visit(v, s, p->at, &p->at);
        if (err)
            return err;
    }
    p->round = round;
    if (p->at == UINT64_MAX || p->broken)
        p->step = SCRUB_RECORDS;
    return BOURN_OK;
}

/* --- what no entry speaks of
 * -------------------------------------------------------------------------------------------------- */

static enum bourn_err stray_record(struct vault *v, struct scrub_person *p, const uint8_t *key,
                                   struct slice value)
{
    uint32_t number = (uint32_t)be_get(key + 8, 4);
    uint64_t id = be_get(key + 12, 8);
    struct record_row row;
    struct scrub_found f = {.damage = SCRUB_ADDED, .entry = SCRUB_NO_ENTRY, .collection = "", .id = id};
    if (id < p->where_n && p->where[id].round && p->where[id].collection == number)
        return BOURN_OK; /* looked at before */
    const struct world_collection *c;
    for (size_t i = 0; (c = world_collection_at(v->world, i)); i++)
        if (c->index == number) {
            f.collection = (const char *)c->name.p;
            f.collection_n = c->name.n;
        }
    memcpy(f.key, key, RECORD_KEY_BYTES);
    f.has_digest = record_row_get(value, &row);
    if (f.has_digest)
        crypto_sha256_1(f.digest, row.sealed);
    return scrub_person_found(p, &f);
}

/* The next row of the person in a space, by p->next; NOT_FOUND at the end. */
static enum bourn_err next_row(struct vault *v, struct scrub *s, enum store_space space, struct slice *key,
                               struct slice *value)
{
    struct scrub_person *p = &s->person;
    uint8_t prefix[8];
    s->rows++;
    enum bourn_err err = store_seek(v->store, space, number_prefix(prefix, p->number),
                                    slice_of(p->next, p->next_n), key, value);
    if (err)
        return err;
    size_t n = key->n < sizeof p->next - 1 ? key->n : sizeof p->next - 1;
    memcpy(p->next, key->p, n);
    p->next[n] = 0;
    p->next_n = n + 1;
    return BOURN_OK;
}

static enum bourn_err records(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    struct slice key, value;
    enum bourn_err err = BOURN_OK;
    while (!p->broken && !scrub_spent(s)) {
        err = next_row(v, s, STORE_PERSON, &key, &value);
        if (err)
            break;
        if (key.n == 8)
            continue; /* the state */
        err = key.n == RECORD_KEY_BYTES ? stray_record(v, p, p->next, value)
                                        : found(p, SCRUB_ADDED, SCRUB_NO_ENTRY);
        if (err)
            return err;
    }
    if (err == BOURN_E_NOT_FOUND || p->broken) {
        p->step = SCRUB_EVIDENCES;
        p->next_n = 0;
        err = BOURN_OK;
    }
    return err;
}

static enum bourn_err evidences(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    struct slice key, value;
    enum bourn_err err = BOURN_OK;
    while (!p->broken && !p->stateless && !scrub_spent(s)) {
        err = next_row(v, s, STORE_EVIDENCE, &key, &value);
        if (err)
            break;
        p->evidence_rows++;
    }
    if (err == BOURN_E_NOT_FOUND) {
        err = p->evidence_rows == p->evidences ? BOURN_OK : found(p, SCRUB_EVIDENCE, SCRUB_NO_ENTRY);
        p->step = SCRUB_NAMES;
    } else if (p->broken || p->stateless) {
        p->step = SCRUB_NAMES;
    }
    return err;
}

/* The person's label and every identifier lead to them. */
static enum bourn_err names(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    struct cbor ids;
    struct slice value;
    uint8_t key[32];
    p->step = SCRUB_DONE;
    if (p->stateless)
        return BOURN_OK;
    enum bourn_err err = store_get(v->store, STORE_LABEL, slice_of(p->label, 16), &value);
    if (err == BOURN_E_NOT_FOUND || (err == BOURN_OK && (value.n != 8 || be_get(value.p, 8) != p->number)))
        err = found(p, SCRUB_LABEL, p->top);
    cbor_init(&ids, buf_slice(&p->s.ids));
    for (size_t i = 0; i < p->s.ids_n && err == BOURN_OK; i++) {
        s->rows++;
        subject_id_key(v, cbor_text(&ids), key);
        err = store_get(v->store, STORE_ID, slice_of(key, 32), &value);
        if (err == BOURN_E_NOT_FOUND ||
            (err == BOURN_OK && (value.n != 8 || be_get(value.p, 8) != p->number)))
            err = found(p, SCRUB_IDENTIFIER, p->top);
    }
    return err;
}

/* --- the erased
 * ----------------------------------------------------------------------------------------------------- */

/* Nothing of somebody who was erased is there, or a sweep has it before it. */
static enum bourn_err erased(struct vault *v, struct scrub *s, uint64_t number)
{
    struct scrub_person *p = &s->person;
    struct scrub_group *g;
    struct slice key, value;
    uint8_t prefix[8], slot[CRYPTO_KEY_BYTES];
    uint64_t head = prev_head(v->prev, number);
    p->open = p->stateless = true;
    p->number = number;
    p->top = head;
    p->step = SCRUB_DONE;
    s->rows++;
    enum bourn_err err = scrub_group_get(v, s, head, &g);
    if (err == BOURN_OK && (!g->sound || (g->e.kind != ENTRY_ERASED && g->e.kind != ENTRY_CARRIED)))
        err = found(p, g->sound ? SCRUB_CHAIN : SCRUB_LEDGER, head);
    if (err)
        return err;
    struct slice mine = number_prefix(prefix, number);
    bool back = store_get(v->store, STORE_PERSON, mine, &value) == BOURN_OK; /* the state goes at once */
    err = store_get(v->store, STORE_SWEEP, mine, &value);
    if (err == BOURN_OK)
        s->counts[SCRUB_SWEEPING]++;
    else if (err == BOURN_E_NOT_FOUND)
        back = back || store_seek(v->store, STORE_PERSON, mine, mine, &key, &value) == BOURN_OK ||
               store_seek(v->store, STORE_EVIDENCE, mine, mine, &key, &value) == BOURN_OK;
    else
        return err;
    err = slots_get(v->slots, number, slot); /* before the batch is durable the key is still there */
    crypto_wipe(slot, sizeof slot);
    back = back || (err != BOURN_E_NOT_FOUND && head < v->batch_first);
    s->counts[SCRUB_ERASED]++;
    return back ? found(p, SCRUB_ERASED_BACK, head) : BOURN_OK;
}

/* --- one person
 * ------------------------------------------------------------------------------------------------------ */

static enum bourn_err begin(struct vault *v, struct scrub *s, uint64_t number, const uint8_t *label)
{
    struct scrub_person *p = &s->person;
    *p = (struct scrub_person){.open = true, .number = number, .round = 1};
    p->top = p->at = prev_head(v->prev, number);
    enum bourn_err err = load(v, p);
    if (err)
        return err;
    if (!p->stateless)
        memcpy(p->label, p->s.person.label, 16);
    else if (label)
        memcpy(p->label, label, 16);
    if (!p->stateless || label)
        return BOURN_OK;
    p->broken = true; /* without a label, nothing of theirs is found: the index may know it, later */
    if (s->orphans_n < SCRUB_MATCH_MAX)
        s->orphans[s->orphans_n++] = number;
    return found(p, SCRUB_STATE, p->top);
}

static enum bourn_err again(struct vault *v, struct scrub *s)
{
    struct scrub_person *p = &s->person;
    if (!p->stateless && p->s.generation != prev_generation(v->prev, p->number)) {
        subject_release(&p->s);
        enum bourn_err err = load(v, p);
        if (err)
            return err;
    }
    return news(v, s);
}

static void say_all(struct scrub *s)
{
    struct scrub_person *p = &s->person;
    for (size_t i = 0; i < p->found_n; i++)
        scrub_say(s, &p->found[i]);
    s->counts[SCRUB_RECORDS_N] += p->records;
    s->counts[SCRUB_GONE] += p->gone;
    s->counts[SCRUB_EVIDENCE_N] += p->evidences;
}

static enum bourn_err go(struct vault *v, struct scrub *s, uint64_t number, const uint8_t *label, bool *done)
{
    struct scrub_person *p = &s->person;
    enum bourn_err err = BOURN_OK;
    *done = false;
    bool is_erased = prev_generation(v->prev, number) == PREV_ERASED;
    if (p->open && (p->number != number || is_erased))
        scrub_person_release(p);
    if (is_erased)
        err = erased(v, s, number);
    else
        err = p->open ? again(v, s) : begin(v, s, number, label);
    while (err == BOURN_OK && p->step != SCRUB_DONE && !scrub_spent(s))
        switch (p->step) {
        case SCRUB_WALK:
            err = walk(v, s);
            break;
        case SCRUB_RECORDS:
            err = records(v, s);
            break;
        case SCRUB_EVIDENCES:
            err = evidences(v, s);
            break;
        default:
            err = names(v, s);
        }
    *done = err == BOURN_OK && p->step == SCRUB_DONE;
    if (*done)
        say_all(s);
    if (*done || err)
        scrub_person_release(p);
    return err;
}

enum bourn_err scrub_person_go(struct vault *v, struct scrub *s, uint64_t number, bool *done)
{
    return go(v, s, number, NULL, done);
}

enum bourn_err scrub_orphan_go(struct vault *v, struct scrub *s, uint64_t number, const uint8_t label[16],
                               bool *done)
{
    return go(v, s, number, label, done);
}
