/* A person's state as canonical CBOR, for the row that the vault keeps sealed. A map:
 * - 1: label, 2: enrolled, 3: head or null, 4: null or [index of the erasure, asked by]
 * - 5: keys, each [index, voucher, reference, ended or null, public key or null]
 * - 6: consents, each [index, grade, voucher, from, until, withdrawn or null, [purpose ...], [destination
 * ...], [collection ...], [recipient ...]] */
#include <stdlib.h>

#include "base/limits.h"
#include "gate/person_internal.h"

enum { LABEL = 1, ENROLLED, HEAD, ERASED, KEYS, CONSENTS };

static void put_or_null(struct buf *out, uint64_t v)
{
    if (v == UINT64_MAX)
        cbor_put_null(out);
    else
        cbor_put_uint(out, v);
}

static void put_list(struct buf *out, struct gate_list list)
{
    cbor_put_array(out, list.n);
    for (size_t i = 0; i < list.n; i++)
        cbor_put_text(out, list.v[i]);
}

static void put_key(struct buf *out, const struct person_key *k)
{
    cbor_put_array(out, 5);
    cbor_put_uint(out, k->index);
    cbor_put_uint(out, k->voucher);
    cbor_put_uint(out, k->voucher_ref);
    put_or_null(out, k->ended);
    if (k->known)
        cbor_put_bytes(out, slice_of(k->public_key, sizeof k->public_key));
    else
        cbor_put_null(out);
}

static void put_consent(struct buf *out, const struct gate_basis *b)
{
    cbor_put_array(out, 10);
    cbor_put_uint(out, b->index);
    cbor_put_uint(out, b->grade);
    cbor_put_uint(out, b->voucher);
    cbor_put_uint(out, b->from);
    cbor_put_uint(out, b->until);
    put_or_null(out, b->withdrawn);
    put_list(out, b->purposes);
    put_list(out, b->destinations);
    put_list(out, b->collections);
    cbor_put_array(out, b->recipients_n);
    for (size_t i = 0; i < b->recipients_n; i++)
        cbor_put_uint(out, b->recipients[i]);
}

void person_encode(struct buf *out, const struct person *p)
{
    cbor_put_map(out, 6);
    cbor_put_uint(out, LABEL);
    cbor_put_bytes(out, slice_of(p->label, sizeof p->label));
    cbor_put_uint(out, ENROLLED);
    cbor_put_uint(out, p->enrolled);
    cbor_put_uint(out, HEAD);
    put_or_null(out, p->head);
    cbor_put_uint(out, ERASED);
    if (p->erased) {
        cbor_put_array(out, 2);
        cbor_put_uint(out, p->erased_index);
        cbor_put_uint(out, p->erased_by);
    } else {
        cbor_put_null(out);
    }
    cbor_put_uint(out, KEYS);
    cbor_put_array(out, p->keys_n);
    for (size_t i = 0; i < p->keys_n; i++)
        put_key(out, &p->keys[i]);
    cbor_put_uint(out, CONSENTS);
    cbor_put_array(out, p->bases_n);
    for (size_t i = 0; i < p->bases_n; i++)
        put_consent(out, &p->bases[i]);
}

static void expect(struct cbor *c, bool good, const char *why)
{
    if (!c->why && !good)
        cbor_fail(c, why);
}

static uint64_t get_or_null(struct cbor *c)
{
    if (cbor_null(c))
        return UINT64_MAX;
    uint64_t v = cbor_uint(c);
    expect(c, v != UINT64_MAX, "a number that stands for null");
    return v;
}

static uint32_t get_code(struct cbor *c, uint32_t most)
{
    uint64_t v = cbor_uint(c);
    expect(c, v <= most, "an unknown code");
    return c->why ? 0 : (uint32_t)v;
}

static void expect_key(struct cbor *c, uint64_t key)
{
    expect(c, cbor_uint(c) == key, "a field is missing");
}

static struct gate_list get_list(struct cbor *c, struct slice v[CONSENT_LIST_MAX])
{
    uint64_t n = cbor_array(c, CONSENT_LIST_MAX);
    for (uint64_t i = 0; i < n && !c->why; i++)
        v[i] = cbor_text(c);
    return (struct gate_list){v, c->why ? 0 : n};
}

static void get_bytes(struct cbor *c, uint8_t *to, size_t n)
{
    struct slice s = cbor_bytes(c);
    expect(c, s.n == n, "a byte string of the wrong length");
    if (!c->why)
        memcpy(to, s.p, n);
}

static void get_keys(struct cbor *c, struct person *p)
{
    uint64_t n = cbor_array(c, KEYS_PER_SUBJECT_MAX);
    if (c->why || !n)
        return;
    p->keys = calloc(n, sizeof *p->keys);
    expect(c, p->keys, "out of memory");
    for (uint64_t i = 0; i < n && !c->why; i++) {
        struct person_key *k = &p->keys[p->keys_n];
        expect(c, cbor_array(c, 5) == 5, "a key of the wrong shape");
        k->index = cbor_uint(c);
        k->voucher = get_code(c, VOUCHER_OPERATOR);
        k->voucher_ref = cbor_uint(c);
        k->ended = get_or_null(c);
        k->known = !c->why && !cbor_null(c);
        if (k->known)
            get_bytes(c, k->public_key, sizeof k->public_key);
        p->keys_n++;
    }
}

static void get_consent(struct cbor *c, struct person *p)
{
    struct slice lists[3][CONSENT_LIST_MAX];
    uint64_t recipients[CONSENT_LIST_MAX];
    struct gate_basis b = {0};
    expect(c, cbor_array(c, 10) == 10, "a consent of the wrong shape");
    b.index = cbor_uint(c);
    b.grade = get_code(c, GRADE_SELF);
    b.voucher = get_code(c, VOUCHER_OPERATOR);
    b.from = cbor_uint(c);
    b.until = cbor_uint(c);
    b.withdrawn = get_or_null(c);
    b.purposes = get_list(c, lists[0]);
    b.destinations = get_list(c, lists[1]);
    b.collections = get_list(c, lists[2]);
    b.recipients_n = cbor_array(c, CONSENT_LIST_MAX);
    b.recipients = recipients;
    for (uint64_t i = 0; i < b.recipients_n && !c->why; i++)
        recipients[i] = cbor_uint(c);
    expect(c, b.purposes.n && (!p->bases_n || p->bases[p->bases_n - 1].index < b.index),
           "consents that are empty or not ascending");
    if (!c->why)
        expect(c, person_add_basis(p, &b), "out of memory");
}

enum bourn_err person_decode(struct slice in, struct person *p)
{
    struct cbor c;
    cbor_init(&c, in);
    *p = (struct person){.head = UINT64_MAX};
    expect(&c, cbor_map(&c, CONSENTS) == CONSENTS, "a person of the wrong shape");
    expect_key(&c, LABEL);
    get_bytes(&c, p->label, sizeof p->label);
    expect_key(&c, ENROLLED);
    p->enrolled = cbor_uint(&c);
    expect_key(&c, HEAD);
    p->head = get_or_null(&c);
    expect_key(&c, ERASED);
    if (!cbor_null(&c)) {
        expect(&c, cbor_array(&c, 2) == 2, "an erasure of the wrong shape");
        p->erased = true;
        p->erased_index = cbor_uint(&c);
        p->erased_by = get_code(&c, 3);
    }
    expect_key(&c, KEYS);
    get_keys(&c, p);
    expect_key(&c, CONSENTS);
    uint64_t n = cbor_array(&c, CONSENTS_PER_SUBJECT_MAX);
    for (uint64_t i = 0; i < n && !c.why; i++)
        get_consent(&c, p);
    enum bourn_err err = cbor_done(&c);
    if (err != BOURN_OK)
        person_release(p);
    return err;
}
