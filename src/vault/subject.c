/* People: number -> key slot and sealed state row. The state row is sealed under a subkey of
 * the person's key and bound to its number and generation; prev holds the generation, so a row that was
 * rolled back does not open as the present one. */
#include "vault/internal.h"

#include "cbor/cbor.h"

#include <stdlib.h>

enum state_key {
    STATE_LABEL = 1,
    STATE_PERSON = 2,
    STATE_IDS = 3,
    STATE_COLLECTIONS = 4,
    STATE_NEXT_RECORD = 5
};

static struct slice number_key(uint8_t out[8], uint64_t number)
{
    be_put(out, number, 8);
    return slice_of(out, 8);
}

static size_t state_aad(uint8_t out[12], uint64_t number, uint32_t generation)
{
    be_put(out, number, 8);
    be_put(out + 8, generation, 4);
    return 12;
}

void subject_release(struct subject *s)
{
    person_release(&s->person);
    buf_release(&s->ids);
    if (s->collections) {
        crypto_wipe(s->collections, s->collections_n * sizeof *s->collections);
        free(s->collections);
    }
    crypto_wipe(s, sizeof *s);
}

static enum bourn_err state_decode(struct slice plain, struct subject *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct cbor c;
    cbor_init(&c, plain);
    cbor_map(&c, 5);
    bool good = cbor_uint(&c) == STATE_LABEL;
    struct slice label = cbor_bytes(&c);
    good = good && label.n == 16 && cbor_uint(&c) == STATE_PERSON;
    struct slice person = cbor_bytes(&c);
    if (!good)
        return err_set(BOURN_E_CORRUPT, "the sealed state of person %llu is malformed",
                       (unsigned long long)s->number);
    TRY(person_decode(person, &s->person));
    memcpy(s->person.label, label.p, 16);
    good = cbor_uint(&c) == STATE_IDS;
    s->ids_n = cbor_array(&c, 64);
    const uint8_t *ids = c.p;
    for (size_t i = 0; i < s->ids_n; i++)
        cbor_text(&c);
    buf_put(&s->ids, ids, (size_t)(c.p - ids));
    good = good && cbor_uint(&c) == STATE_COLLECTIONS;
    size_t n = cbor_array(&c, COLLECTIONS_MAX);
    s->collections = n ? calloc(n, sizeof *s->collections) : NULL;
    if (n && !s->collections)
        return err_set(BOURN_E_MEMORY, "out of memory while a person was loaded");
    s->collections_n = n;
    for (size_t i = 0; i < n; i++) {
        good = good && cbor_array(&c, 2) == 2;
        s->collections[i].number = (uint32_t)cbor_uint(&c);
        struct slice key = cbor_bytes(&c);
        good = good && key.n == CRYPTO_KEY_BYTES;
        if (good)
            memcpy(s->collections[i].key, key.p, CRYPTO_KEY_BYTES);
    }
    good = good && cbor_uint(&c) == STATE_NEXT_RECORD;
    s->next_record = cbor_uint(&c);
    TRY(cbor_done(&c));
    TRY(buf_check(&s->ids));
    err = good ? BOURN_OK
               : err_set(BOURN_E_CORRUPT, "the sealed state of person %llu is malformed",
                         (unsigned long long)s->number);
out:
    return err;
}

enum bourn_err subject_load(struct vault *v, uint64_t number, struct subject *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf *plain = &v->plain;
    uint8_t key[8], aad[12], state_key[32];
    struct slice sealed;
    *s = (struct subject){.number = number};
    static const uint8_t none[16];
    person_init(&s->person, none);
    buf_init_secret(&s->ids, 64 * (SUBJECT_ID_BYTES_MAX + 8));
    buf_clear(plain);
    s->generation = prev_generation(v->prev, number);
    if (s->generation == PREV_ERASED) {
        err = BOURN_E_NOT_FOUND;
        goto out;
    }
    err = slots_get(v->slots, number, s->key);
    if (err == BOURN_OK)
        err = store_get(v->store, STORE_PERSON, number_key(key, number), &sealed);
    if (err == BOURN_E_NOT_FOUND)
        err = err_set(BOURN_E_CORRUPT,
                      "the key or the state row of person %llu is gone, though nobody erased it; restore it",
                      (unsigned long long)number);
    TRY(err);
    s->near = (uintptr_t)sealed.p;
    if (sealed.n < CRYPTO_SEAL_OVERHEAD) {
        err = err_set(BOURN_E_CORRUPT, "the state row of person %llu is cut", (unsigned long long)number);
        goto out;
    }
    crypto_derive(state_key, s->key, "state", slice_of(NULL, 0));
    uint8_t *to = buf_reserve(plain, sealed.n - CRYPTO_SEAL_OVERHEAD);
    TRY(buf_check(plain));
    err = crypto_open(to, state_key, slice_of(aad, state_aad(aad, number, s->generation)), sealed);
    if (err) {
        err = err_set(
            BOURN_E_CORRUPT,
            "the state row of person %llu is not the present one (altered or rolled back); run `bourn scrub`",
            (unsigned long long)number);
        goto out;
    }
    plain->n = sealed.n - CRYPTO_SEAL_OVERHEAD;
    TRY(state_decode(buf_slice(plain), s));
    s->person.head = prev_head(v->prev, number);
    v->loaded = number;
out:
    crypto_wipe(state_key, sizeof state_key);
    buf_clear(plain);
    if (err)
        subject_release(s);
    return err;
}

const struct person_key *subject_key_live(const struct subject *s, struct slice public_key)
{
    for (size_t i = 0; i < s->person.keys_n; i++) {
        const struct person_key *k = &s->person.keys[i];
        if (k->ended == UINT64_MAX && k->known && slice_eq(slice_of(k->public_key, 32), public_key))
            return k;
    }
    return NULL;
}

enum bourn_err subject_new(struct vault *v, struct slice id, const uint8_t id_key[32], uint64_t number,
                           const uint8_t key[CRYPTO_KEY_BYTES], struct subject *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t label[16], value[8];
    *s = (struct subject){.number = number, .next_record = 1};
    crypto_random(label, sizeof label);
    memcpy(s->key, key, sizeof s->key);
    person_init(&s->person, label);
    buf_init_secret(&s->ids, 64 * (SUBJECT_ID_BYTES_MAX + 8));
    cbor_put_text(&s->ids, id);
    s->ids_n = 1;
    TRY(buf_check(&s->ids));
    TRY(slots_put(v->slots, number, s->key));
    v->new_slots = true;
    TRY(batch_put(v, STORE_ID, slice_of(id_key, 32), number_key(value, number)));
    TRY(batch_put(v, STORE_LABEL, slice_of(label, 16), number_key(value, number)));
    err = BOURN_OK;
out:
    if (err)
        subject_release(s);
    return err;
}

enum bourn_err subject_save(struct vault *v, struct subject *s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf plain, person, sealed;
    uint8_t key[8], aad[12], state_key[32];
    buf_init_secret(&plain, SUBJECT_STATE_BYTES_MAX);
    buf_init_secret(&person, SUBJECT_STATE_BYTES_MAX);
    buf_init(&sealed, SUBJECT_STATE_BYTES_MAX + CRYPTO_SEAL_OVERHEAD);
    person_encode(&person, &s->person);
    cbor_put_map(&plain, 5);
    cbor_put_uint(&plain, STATE_LABEL);
    cbor_put_bytes(&plain, slice_of(s->person.label, 16));
    cbor_put_uint(&plain, STATE_PERSON);
    cbor_put_bytes(&plain, buf_slice(&person));
    cbor_put_uint(&plain, STATE_IDS);
    cbor_put_array(&plain, s->ids_n);
    buf_put_slice(&plain, buf_slice(&s->ids));
    cbor_put_uint(&plain, STATE_COLLECTIONS);
    cbor_put_array(&plain, s->collections_n);
    for (size_t i = 0; i < s->collections_n; i++) {
        cbor_put_array(&plain, 2);
        cbor_put_uint(&plain, s->collections[i].number);
        cbor_put_bytes(&plain, slice_of(s->collections[i].key, CRYPTO_KEY_BYTES));
    }
    cbor_put_uint(&plain, STATE_NEXT_RECORD);
    cbor_put_uint(&plain, s->next_record);
    TRY(buf_check(&person));
    TRY(buf_check(&plain));
    crypto_derive(state_key, s->key, "state", slice_of(NULL, 0));
    uint8_t *to = buf_reserve(&sealed, plain.n + CRYPTO_SEAL_OVERHEAD);
    TRY(buf_check(&sealed));
    TRY(crypto_seal(to, state_key, slice_of(aad, state_aad(aad, s->number, s->generation)),
                    buf_slice(&plain)));
    TRY(batch_put(v, STORE_PERSON, number_key(key, s->number), slice_of(to, plain.n + CRYPTO_SEAL_OVERHEAD)));
    err = BOURN_OK;
out:
    crypto_wipe(state_key, sizeof state_key);
    buf_release(&plain);
    buf_release(&person);
    buf_release(&sealed);
    return err;
}

enum bourn_err subject_collection_key(struct subject *s, uint32_t number, const uint8_t *fresh,
                                      const uint8_t **key, bool *made)
{
    *made = false;
    for (size_t i = 0; i < s->collections_n; i++)
        if (s->collections[i].number == number) {
            *key = s->collections[i].key;
            return BOURN_OK;
        }
    struct subject_collection *more = calloc(s->collections_n + 1, sizeof *more);
    if (!more)
        return err_set(BOURN_E_MEMORY, "out of memory for a collection key");
    if (s->collections) {
        memcpy(more, s->collections, s->collections_n * sizeof *more);
        crypto_wipe(s->collections, s->collections_n * sizeof *more);
        free(s->collections);
    }
    s->collections = more;
    struct subject_collection *c = &more[s->collections_n++];
    c->number = number;
    if (fresh)
        memcpy(c->key, fresh, sizeof c->key);
    else
        crypto_random(c->key, sizeof c->key);
    *key = c->key;
    *made = true;
    return BOURN_OK;
}

static void evidence_row(const struct subject *s, uint64_t index, uint8_t key[16], uint8_t aad[24],
                         uint8_t seal_key[32])
{
    be_put(key, s->number, 8);
    be_put(key + 8, index, 8);
    memcpy(aad, s->person.label, 16);
    be_put(aad + 16, index, 8);
    crypto_derive(seal_key, s->key, "evidence", slice_of(NULL, 0));
}

static void evidence_commitment(uint8_t out[32], const uint8_t salt[32], struct slice evidence)
{
    struct slice parts[] = {slice_str(EVIDENCE_DOMAIN), evidence};
    crypto_hmac(out, slice_of(salt, 32), parts, 2);
}

enum bourn_err subject_put_evidence(struct vault *v, const struct subject *s, uint64_t index,
                                    const struct evidence *e, uint8_t commitment[32])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct buf plain, sealed;
    uint8_t key[16], aad[24], seal_key[32], salt[32];
    buf_init_secret(&plain, STATEMENT_BYTES_MAX + 1024);
    buf_init(&sealed, STATEMENT_BYTES_MAX + 1024 + CRYPTO_SEAL_OVERHEAD);
    crypto_random(salt, sizeof salt);
    buf_put(&plain, salt, sizeof salt);
    evidence_encode(&plain, e);
    TRY(buf_check(&plain));
    evidence_commitment(commitment, salt, slice_of(plain.p + 32, plain.n - 32));
    evidence_row(s, index, key, aad, seal_key);
    uint8_t *to = buf_reserve(&sealed, plain.n + CRYPTO_SEAL_OVERHEAD);
    TRY(buf_check(&sealed));
    TRY(crypto_seal(to, seal_key, slice_of(aad, sizeof aad), buf_slice(&plain)));
    TRY(batch_put(v, STORE_EVIDENCE, slice_of(key, sizeof key),
                  slice_of(to, plain.n + CRYPTO_SEAL_OVERHEAD)));
    err = BOURN_OK;
out:
    crypto_wipe(seal_key, sizeof seal_key);
    crypto_wipe(salt, sizeof salt);
    buf_release(&plain);
    buf_release(&sealed);
    return err;
}

enum bourn_err subject_get_evidence(struct vault *v, const struct subject *s, uint64_t index,
                                    uint8_t salt[32], struct buf *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t key[16], aad[24], seal_key[32];
    struct slice sealed;
    struct buf plain;
    buf_init_secret(&plain, STATEMENT_BYTES_MAX + 1024);
    evidence_row(s, index, key, aad, seal_key);
    TRY(store_get(v->store, STORE_EVIDENCE, slice_of(key, sizeof key), &sealed));
    if (sealed.n < CRYPTO_SEAL_OVERHEAD + 32) {
        err = err_set(BOURN_E_CORRUPT, "the evidence of entry %llu is cut", (unsigned long long)index);
        goto out;
    }
    uint8_t *to = buf_reserve(&plain, sealed.n - CRYPTO_SEAL_OVERHEAD);
    TRY(buf_check(&plain));
    TRY(crypto_open(to, seal_key, slice_of(aad, sizeof aad), sealed));
    memcpy(salt, to, 32);
    buf_put(out, to + 32, sealed.n - CRYPTO_SEAL_OVERHEAD - 32);
    err = buf_check(out);
out:
    crypto_wipe(seal_key, sizeof seal_key);
    buf_release(&plain);
    return err;
}
