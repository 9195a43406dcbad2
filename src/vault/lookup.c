/* Whom an identifier names: its keyed hash, what is known of it lately, else the store. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "cbor/cbor.h"

enum { EXPECTED_NEAR = 2 }; /* people whose rows are fetched ahead of the one who is loaded */

void subject_id_key(const struct vault *v, struct slice id, uint8_t out[32])
{
    crypto_mac(&v->id_mac, out, &id, 1);
}

bool subject_id_opaque(struct slice id)
{
    return id.n && id.p[0] == '~';
}

static bool has_id(const struct subject *s, struct slice id)
{
    struct cbor c;
    cbor_init(&c, buf_slice(&s->ids));
    for (size_t i = 0; i < s->ids_n; i++)
        if (slice_eq(cbor_text(&c), id))
            return true;
    return false;
}

/* By a key of a space whose rows hold numbers. */
static enum bourn_err load_by(struct vault *v, enum store_space space, const uint8_t *key, size_t n,
                              struct subject *s)
{
    struct slice value;
    enum bourn_err err = store_get(v->store, space, slice_of(key, n), &value);
    if (err)
        return err;
    if (value.n != 8)
        return err_set(BOURN_E_CORRUPT, "an identifier row is malformed");
    return subject_load(v, be_get(value.p, 8), s);
}

/* "~" and 32 hex digits: the label; "~" and 64: the keyed hash of an identifier, which tells nothing about
 * whether it is known. */
static enum bourn_err find_opaque(struct vault *v, struct slice id, struct subject *s)
{
    uint8_t key[32];
    struct slice hex = slice_of(id.p + 1, id.n - 1);
    if (hex_get(hex, key, 16))
        return load_by(v, STORE_LABEL, key, 16, s);
    return hex_get(hex, key, 32) ? load_by(v, STORE_ID, key, 32, s) : BOURN_E_NOT_FOUND;
}

void subject_look(const struct vault *v, struct slice id, struct subject_ref *ref)
{
    ref->guess = KNOWN_NONE;
    ref->near = 0;
    subject_id_key(v, id, ref->key);
    known_prefetch(v->known, ref->key);
}

void subject_guess(const struct vault *v, struct subject_ref *ref)
{
    uint64_t number = known_get(v->known, ref->key, &ref->near);
    if (number >= prev_count(v->prev)) /* also KNOWN_NONE */
        return;
    ref->guess = number;
}

void subject_near(const struct vault *v, const struct subject_ref *ref)
{
    if (ref->guess == KNOWN_NONE)
        return;
    prev_prefetch(v->prev, ref->guess);
    slots_prefetch(v->slots, ref->guess);
    known_prefetch_row(ref->near);
}

enum bourn_err subject_find_ref(struct vault *v, struct slice id, const struct subject_ref *ref,
                                struct subject *s)
{
    if (subject_id_opaque(id))
        return find_opaque(v, id, s);
    bool there = ref->guess < prev_count(v->prev); /* not KNOWN_NONE, nor rolled back since */
    if (there && subject_load(v, ref->guess, s) == BOURN_OK) {
        if (has_id(s, id)) {
            if (s->near != ref->near)
                known_put(v->known, ref->key, s->number, s->near);
            return BOURN_OK;
        }
        subject_release(s);
    }
    enum bourn_err err = load_by(v, STORE_ID, ref->key, 32, s);
    if (err == BOURN_OK)
        known_put(v->known, ref->key, s->number, s->near);
    return err;
}

/* Whether the request will come as far as a look for the person: not 401, 404 or 503, whose time must not say
 * who is known. What comes behind is held, from `read_ns` on, or says itself whether somebody is there. */
static bool reads_person(struct vault *v, const struct request *r)
{
    const struct gate_party *p = NULL;
    return (r->op == REQ_RECORDS || r->op == REQ_RECORD) && v->serves &&
           world_collection(v->world, r->collection, v->now) && token_party(v, r->token, &p) == BOURN_OK && p;
}

void vault_expect(struct vault *v, const struct request *r, size_t n)
{
    struct expected *e = &v->expected;
    bourn_assert(n <= VAULT_EXPECTED_MAX);
    *e = (struct expected){.read_ns = clock_ns(CLOCK_MONOTONIC)};
    for (size_t i = 0; i < n; i++) {
        if (!reads_person(v, &r[i]))
            continue;
        e->of[e->n].id = r[i].subject;
        subject_look(v, r[i].subject, &e->of[e->n++].ref);
    }
    for (size_t i = 0; i < e->n; i++)
        subject_guess(v, &e->of[i].ref);
    for (size_t i = 0; i < e->n && i < EXPECTED_NEAR; i++)
        subject_near(v, &e->of[i].ref);
}

/* Where the request stands among those that were expected; n: it was not. The bytes of a request stay where
 * they are until the next ones are read, so that their place tells which it is. */
static size_t find_expected(const struct expected *e, size_t from, struct slice id)
{
    size_t i = from;
    while (i < e->n && e->of[i].id.p != id.p)
        i++;
    return i;
}

uint64_t expected_ns(const struct vault *v, const struct request *r)
{
    const struct expected *e = &v->expected;
    return find_expected(e, 0, r->subject) < e->n ? e->read_ns : v->taken_ns;
}

static bool take_expected(struct vault *v, struct slice id, struct subject_ref *ref)
{
    struct expected *e = &v->expected;
    size_t i = find_expected(e, e->at, id);
    if (i == e->n)
        return false;
    *ref = e->of[i].ref;
    e->at = i + 1;
    if (e->at + EXPECTED_NEAR <= e->n)
        subject_near(v, &e->of[e->at + EXPECTED_NEAR - 1].ref);
    return true;
}

enum bourn_err subject_find(struct vault *v, struct slice id, struct subject *s)
{
    struct subject_ref ref;
    if (take_expected(v, id, &ref))
        return subject_find_ref(v, id, &ref, s);
    subject_look(v, id, &ref);
    subject_guess(v, &ref);
    return subject_find_ref(v, id, &ref, s);
}

void subject_decoy(struct vault *v)
{
    struct subject other;
    if (v->loaded < prev_count(v->prev) && subject_load(v, v->loaded, &other) == BOURN_OK)
        subject_release(&other);
}

enum bourn_err subject_find_alike(struct vault *v, struct slice id, struct subject *s)
{
    enum bourn_err err = subject_find(v, id, s);
    if (err == BOURN_E_NOT_FOUND)
        subject_decoy(v);
    return err;
}
