/* Idempotency-Key: a write that comes again under the same key, from the same party, by the same route, with
 * the same body, is answered again instead of done again. Kept for a day at least: status, index, version and
 * the answer's numbers. Bodies are never kept, only their hash under a key. */
#include "vault/internal.h"

#define KEPT_HEAD_BYTES (32 + 4 + 8 + 8)
#define ANSWER_BYTES_MAX 512

static uint32_t day_of(const struct vault *v)
{
    return (uint32_t)(v->now / 86400);
}

static void make_keys(const struct vault *v, const struct request *r, const struct gate_party *p,
                      struct idempotency *i)
{
    uint8_t numbers[8 + 4 + 8 + 8], subject[32];
    be_put(numbers, p->index, 8);
    be_put(numbers + 8, r->op, 4);
    be_put(numbers + 12, r->number, 8);
    be_put(numbers + 20, r->version, 8);
    subject_id_key(v, r->subject, subject);
    struct slice parts[] = {slice_str("idempotency"), slice_of(numbers, sizeof numbers),
                            slice_of(subject, 32),    r->collection,
                            slice_of("", 1),          r->purpose,
                            slice_of("", 1),          r->key};
    crypto_mac(&v->id_mac, i->key + 4, parts, 8);
    struct slice body[] = {slice_str("idempotent body"), r->body};
    crypto_mac(&v->id_mac, i->body, body, 2);
    be_put(i->key, day_of(v), 4);
}

enum bourn_err idempotency_find(struct vault *v, const struct request *r, const struct gate_party *p,
                                struct answer *a, struct idempotency *i, bool *done)
{
    struct slice kept = slice_of(NULL, 0);
    make_keys(v, r, p, i);
    *done = false;
    enum bourn_err err = BOURN_E_NOT_FOUND;
    for (uint32_t back = 0; back < 2 && err == BOURN_E_NOT_FOUND; back++) {
        uint8_t key[36];
        memcpy(key, i->key, sizeof key);
        be_put(key, day_of(v) - back, 4);
        err = store_get(v->store, STORE_IDEMPOTENT, slice_of(key, sizeof key), &kept);
    }
    if (err)
        return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
    if (kept.n < KEPT_HEAD_BYTES)
        return err_set(BOURN_E_CORRUPT, "an idempotency row is malformed");
    *done = true;
    if (memcmp(kept.p, i->body, 32) != 0) {
        answer_problem(a, 422, "idempotency_mismatch",
                       "this Idempotency-Key was used with another body: use a new key for a new request");
        return BOURN_OK;
    }
    answer_json(a, (uint32_t)be_get(kept.p + 32, 4));
    a->receipt = be_get(kept.p + 36, 8);
    a->etag = be_get(kept.p + 44, 8);
    buf_put(&a->body, kept.p + KEPT_HEAD_BYTES, kept.n - KEPT_HEAD_BYTES);
    return BOURN_OK;
}

enum bourn_err idempotency_keep(struct vault *v, const struct idempotency *i, const struct answer *a)
{
    uint8_t row[KEPT_HEAD_BYTES + ANSWER_BYTES_MAX];
    if (a->status >= 300 || a->release || a->body.n > ANSWER_BYTES_MAX)
        return BOURN_OK;
    memcpy(row, i->body, 32);
    be_put(row + 32, a->status, 4);
    be_put(row + 36, a->receipt, 8);
    be_put(row + 44, a->etag, 8);
    if (a->body.n)
        memcpy(row + KEPT_HEAD_BYTES, a->body.p, a->body.n);
    return batch_put(v, STORE_IDEMPOTENT, slice_of(i->key, sizeof i->key),
                     slice_of(row, KEPT_HEAD_BYTES + a->body.n));
}

enum bourn_err idempotency_sweep(struct vault *v)
{
    for (int left = 200; left > 0; left--) {
        uint8_t copy[36];
        struct slice key, value;
        enum bourn_err err =
            store_seek(v->store, STORE_IDEMPOTENT, slice_of(NULL, 0), slice_of(NULL, 0), &key, &value);
        if (err)
            return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
        if (key.n != sizeof copy) {
            err = batch_stray(v, STORE_IDEMPOTENT, key);
            if (err)
                return err;
            continue;
        }
        if (be_get(key.p, 4) + 2 > day_of(v))
            return BOURN_OK;
        memcpy(copy, key.p, sizeof copy);
        err = batch_del(v, STORE_IDEMPOTENT, slice_of(copy, sizeof copy));
        if (err)
            return err;
    }
    return BOURN_OK;
}
