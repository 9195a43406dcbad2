/* The phases of scrub that are not about one person each: the ledger in order, against the store's copy of
 * the rules and the memory of everybody's head; then the rows that point at people and records, one after the
 * other, each of which must point at something that says the same. */
#include "vault/scrub.h"

static void say(struct scrub *s, enum scrub_damage damage, uint64_t entry)
{
    scrub_say(s, &(struct scrub_found){.damage = damage, .entry = entry, .collection = ""});
}

/* --- the ledger
 * ----------------------------------------------------------------------------------------------------- */

/* The store's copy of what verdicts read is the entry, and stands for nothing else. */
static enum bourn_err check_rules(struct vault *v, struct scrub *s, const struct scrub_group *g)
{
    struct slice value;
    uint8_t key[8], hash[32];
    be_put(key, g->index, 8);
    enum bourn_err err = store_get(v->store, STORE_WORLD, slice_of(key, 8), &value);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    bool copy = err == BOURN_OK, wanted = entry_kind_of_world(g->e.kind);
    if (copy != wanted || (copy && !slice_eq(value, buf_slice(&g->entry))))
        say(s, SCRUB_RULES, g->index);
    if (g->e.kind != ENTRY_NOTICE)
        return BOURN_OK;
    err = store_get(v->store, STORE_NOTICE, slice_of(key, 8), &value);
    if (err && err != BOURN_E_NOT_FOUND)
        return err;
    if (err == BOURN_OK)
        crypto_sha256_1(hash, value);
    if (err || memcmp(hash, g->e.hash, 32) != 0)
        say(s, SCRUB_NOTICE, g->index);
    return BOURN_OK;
}

/* The cell knows the person of this row, and remembers a head that is not older. Who was erased has no key.
 */
static enum bourn_err check_head(struct vault *v, struct scrub *s, const struct scrub_group *g, size_t i)
{
    struct slice bytes, value;
    struct row row;
    size_t at = g->at[i];
    arena_reset(&s->arena);
    if (!rows_next(buf_slice(&g->rows), &at, &bytes) ||
        row_decode(bytes, g->e.kind, &s->arena, &row) != BOURN_OK) {
        say(s, SCRUB_LEDGER, g->index);
        return BOURN_OK;
    }
    enum bourn_err err = store_get(v->store, STORE_LABEL, slice_of(row.label, 16), &value);
    if (err == BOURN_E_NOT_FOUND ||
        (err == BOURN_OK && (value.n != 8 || be_get(value.p, 8) >= prev_count(v->prev)))) {
        say(s, SCRUB_LABEL, g->index);
        return BOURN_OK;
    }
    if (err)
        return err;
    uint64_t number = be_get(value.p, 8);
    bool ended = prev_generation(v->prev, number) == PREV_ERASED;
    if (prev_head(v->prev, number) < g->index)
        say(s, SCRUB_CHAIN, g->index);
    else if (((g->e.kind == ENTRY_ERASED && !row_has(&row, R_COLLECTIONS)) ||
              (g->e.kind == ENTRY_CARRIED && !row_has(&row, R_CONSENT))) &&
             !ended)
        say(s, SCRUB_ERASED_BACK, g->index);
    return BOURN_OK;
}

enum bourn_err scrub_ledger_go(struct vault *v, struct scrub *s, bool *done)
{
    while (s->position < s->phase_end && !scrub_spent(s)) {
        struct scrub_group *g;
        enum bourn_err err = scrub_group_get(v, s, s->position, &g);
        if (err)
            return err;
        s->rows += 1 + g->n;
        if (g->sound)
            err = check_rules(v, s, g);
        else
            say(s, SCRUB_LEDGER, g->index);
        for (size_t i = 0; err == BOURN_OK && g->sound && i < g->n; i++)
            err = check_head(v, s, g, i);
        if (err)
            return err;
        s->counts[SCRUB_ENTRIES]++;
        s->position++;
    }
    *done = s->position >= s->phase_end;
    if (!*done)
        return BOURN_OK;
    uint8_t from[8];
    struct slice key, value;
    be_put(from, v->next_index, 8);
    enum bourn_err err =
        store_seek(v->store, STORE_WORLD, slice_of(NULL, 0), slice_of(from, 8), &key, &value);
    if (err == BOURN_OK)
        say(s, SCRUB_RULES, SCRUB_NO_ENTRY);
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

/* --- rows that point
 * -------------------------------------------------------------------------------------------------- */

/* The person that a label or identifier row names; false if there is nobody, or their state does not open. */
static enum bourn_err person_of(struct vault *v, struct slice value, struct subject *p, bool *there)
{
    *there = value.n == 8 && be_get(value.p, 8) < prev_count(v->prev);
    if (!*there)
        return BOURN_OK;
    uint64_t before = v->loaded;
    enum bourn_err err = subject_load(v, be_get(value.p, 8), p);
    v->loaded = before;
    *there = err == BOURN_OK;
    return err == BOURN_E_IO || err == BOURN_E_MEMORY ? err : BOURN_OK;
}

static bool is_orphan(const struct scrub *s, uint64_t number)
{
    for (size_t i = 0; i < s->orphans_n; i++)
        if (s->orphans[i] == number)
            return true;
    return false;
}

/* A label leads to the person who has it. Of those whose state does not open the records are held against the
 * ledger here, where their label is known. */
static enum bourn_err label_row(struct vault *v, struct scrub *s, struct slice key, struct slice value,
                                bool *done)
{
    struct subject p;
    bool there;
    uint8_t label[16];
    uint64_t number = value.n == 8 ? be_get(value.p, 8) : UINT64_MAX;
    if (key.n != 16 || number >= prev_count(v->prev)) {
        say(s, SCRUB_LABEL, SCRUB_NO_ENTRY);
        return BOURN_OK;
    }
    if (prev_generation(v->prev, number) == PREV_ERASED)
        return BOURN_OK;
    memcpy(label, key.p, 16);
    if (is_orphan(s, number))
        return scrub_orphan_go(v, s, number, label, done);
    enum bourn_err err = person_of(v, value, &p, &there);
    if (err || !there)
        return err;
    if (memcmp(p.person.label, label, 16) != 0)
        say(s, SCRUB_LABEL, SCRUB_NO_ENTRY);
    subject_release(&p);
    return BOURN_OK;
}

/* An identifier leads to somebody who has it. */
static enum bourn_err id_row(struct vault *v, struct scrub *s, struct slice key, struct slice value)
{
    struct subject p;
    struct cbor ids;
    bool there, has = false;
    uint8_t hash[32], mine[32] = {0};
    uint64_t number = value.n == 8 ? be_get(value.p, 8) : UINT64_MAX;
    if (key.n == 32)
        memcpy(mine, key.p, 32);
    enum bourn_err err = person_of(v, value, &p, &there);
    if (err)
        return err;
    if (!there) {
        if (number >= prev_count(v->prev) || prev_generation(v->prev, number) == PREV_ERASED)
            say(s, SCRUB_IDENTIFIER, SCRUB_NO_ENTRY);
        return BOURN_OK; /* else the state does not open, which was said */
    }
    cbor_init(&ids, buf_slice(&p.ids));
    for (size_t i = 0; i < p.ids_n && !has; i++) {
        subject_id_key(v, cbor_text(&ids), hash);
        has = memcmp(hash, mine, 32) == 0;
    }
    if (!has)
        say(s, SCRUB_IDENTIFIER, p.person.head);
    subject_release(&p);
    return BOURN_OK;
}

static bool lists(const struct record_row *row, const uint8_t blind[16])
{
    for (size_t i = 0; i < row->blinds.n; i += 16)
        if (memcmp(row->blinds.p + i, blind, 16) == 0)
            return true;
    return false;
}

/* A row of `blind` or `expiry` leads to a record that knows of it. */
static enum bourn_err pointer_row(struct vault *v, struct scrub *s, enum store_space space, struct slice key)
{
    struct slice value;
    struct record_row row;
    size_t head = space == STORE_BLIND ? 16 : 8;
    uint8_t at[16 + RECORD_KEY_BYTES];
    bool good = key.n == head + RECORD_KEY_BYTES;
    if (good) {
        memcpy(at, key.p, key.n);
        enum bourn_err err = store_get(v->store, STORE_PERSON, slice_of(at + head, RECORD_KEY_BYTES), &value);
        if (err && err != BOURN_E_NOT_FOUND)
            return err;
        good = err == BOURN_OK && record_row_get(value, &row) &&
               (space == STORE_BLIND ? lists(&row, at) : row.expires == be_get(at, 8));
    }
    if (!good)
        say(s, SCRUB_INDEX, SCRUB_NO_ENTRY);
    return BOURN_OK;
}

/* Rows under numbers that nobody has. */
static enum bourn_err strays(struct vault *v, struct scrub *s, bool *done)
{
    static const enum store_space spaces[] = {STORE_PERSON, STORE_EVIDENCE};
    while (s->position < sizeof spaces / sizeof spaces[0]) {
        struct slice key, value;
        uint8_t from[8];
        if (scrub_spent(s))
            return BOURN_OK;
        s->rows++;
        be_put(from, prev_count(v->prev), 8);
        struct slice at = s->next_n ? slice_of(s->next, s->next_n) : slice_of(from, 8);
        enum bourn_err err = store_seek(v->store, spaces[s->position], slice_of(NULL, 0), at, &key, &value);
        if (err == BOURN_E_NOT_FOUND) {
            s->position++;
            s->next_n = 0;
            continue;
        }
        if (err)
            return err;
        struct record_row row;
        struct scrub_found f = {.damage = SCRUB_ADDED, .entry = SCRUB_NO_ENTRY, .collection = ""};
        f.has_digest =
            spaces[s->position] == STORE_PERSON && key.n == RECORD_KEY_BYTES && record_row_get(value, &row);
        if (f.has_digest) {
            crypto_sha256_1(f.digest, row.sealed);
            memcpy(f.key, key.p, RECORD_KEY_BYTES);
        }
        memcpy(s->next, key.p, key.n);
        s->next[key.n] = 0;
        s->next_n = key.n + 1;
        scrub_say(s, &f);
    }
    *done = true;
    return BOURN_OK;
}

enum bourn_err scrub_rows_go(struct vault *v, struct scrub *s, bool *done)
{
    static const enum store_space of[] = {[SCRUB_PHASE_LABELS] = STORE_LABEL,
                                          [SCRUB_PHASE_IDS] = STORE_ID,
                                          [SCRUB_PHASE_BLIND] = STORE_BLIND,
                                          [SCRUB_PHASE_EXPIRY] = STORE_EXPIRY};
    if (s->phase == SCRUB_PHASE_STRAYS)
        return strays(v, s, done);
    while (!scrub_spent(s)) {
        struct slice key, value;
        uint8_t held[STORE_KEY_BYTES_MAX];
        bool through = true;
        enum bourn_err err =
            store_seek(v->store, of[s->phase], slice_of(NULL, 0), slice_of(s->next, s->next_n), &key, &value);
        *done = err == BOURN_E_NOT_FOUND;
        if (err)
            return *done ? BOURN_OK : err;
        s->rows++;
        size_t n = key.n;
        memcpy(held, key.p, n);
        if (s->phase == SCRUB_PHASE_LABELS)
            err = label_row(v, s, key, value, &through);
        else if (s->phase == SCRUB_PHASE_IDS)
            err = id_row(v, s, key, value);
        else
            err = pointer_row(v, s, of[s->phase], key);
        if (err)
            return err;
        if (!through)
            return BOURN_OK; /* the same row again in the next slice */
        memcpy(s->next, held, n);
        s->next[n] = 0;
        s->next_n = n + 1;
        s->position++;
        s->counts[SCRUB_INDEX_ROWS]++;
    }
    return BOURN_OK;
}
