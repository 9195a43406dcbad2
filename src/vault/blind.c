/* The blind index: rows that say which records hold a value, without saying which value.
 *
 * A blind row's key is mac (16) || subject number (8) || collection number (4) || record id (8); mac is
 * HMAC-SHA256 cut to 16 bytes, under the epoch's key for blind rows, over collection number, field name and
 * the value's bytes. */
#include "vault/internal.h"

#include "base/json.h"

#define BLIND_KEY_BYTES (16 + RECORD_KEY_BYTES)

void value_text(struct json_value value, struct buf *out)
{
    if (value.type == JSON_STRING)
        json_string_decode(value.raw, out);
    else
        buf_put_slice(out, value.raw);
}

void blind_mac(const struct vault *v, uint32_t collection, struct slice field, struct slice text,
               uint8_t out[16])
{
    uint8_t number[4], mac[32];
    be_put(number, collection, 4);
    struct slice parts[] = {slice_of(number, 4), field, slice_of("", 1), text};
    crypto_mac(&v->blind_mac, mac, parts, 4);
    memcpy(out, mac, 16);
}

bool blind_indexed(struct json_value value)
{
    return value.type != JSON_NULL && value.type < JSON_ARRAY;
}

enum bourn_err blind_values(struct vault *v, const struct world_collection *c, struct json_value record,
                            struct buf *macs)
{
    struct buf text;
    uint8_t mac[16];
    buf_init_secret(&text, RECORD_BYTES_MAX);
    for (size_t i = 0; i < c->fields_n; i++) {
        struct json_value value;
        char name[65] = "";
        if (!(c->fields[i].flags & FIELD_SEARCHABLE))
            continue;
        memcpy(name, c->fields[i].name.p, c->fields[i].name.n);
        if (!json_find(record, name, &value) || !blind_indexed(value))
            continue;
        buf_clear(&text);
        value_text(value, &text);
        if (!text.n)
            continue;
        blind_mac(v, (uint32_t)c->index, c->fields[i].name, buf_slice(&text), mac);
        buf_put(macs, mac, 16);
    }
    buf_release(&text);
    return buf_check(macs);
}

enum bourn_err blind_put(struct vault *v, const struct world_collection *c, struct json_value record,
                         const uint8_t key[RECORD_KEY_BYTES], struct buf *macs)
{
    uint8_t row[BLIND_KEY_BYTES];
    size_t before = macs->n;
    enum bourn_err err = blind_values(v, c, record, macs);
    memcpy(row + 16, key, RECORD_KEY_BYTES);
    for (size_t at = before; at < macs->n && err == BOURN_OK; at += 16) {
        memcpy(row, macs->p + at, 16);
        err = batch_put(v, STORE_BLIND, slice_of(row, sizeof row), slice_of(NULL, 0));
    }
    return err;
}

enum bourn_err blind_drop(struct vault *v, struct slice blinds, const uint8_t key[RECORD_KEY_BYTES])
{
    uint8_t row[BLIND_KEY_BYTES], macs[16 * FIELDS_PER_COLLECTION_MAX];
    if (blinds.n > sizeof macs)
        return err_set(BOURN_E_CORRUPT, "a record row is malformed");
    if (blinds.n)
        memcpy(macs, blinds.p, blinds.n); /* the pointer dies with the first delete */
    memcpy(row + 16, key, RECORD_KEY_BYTES);
    for (size_t i = 0; i < blinds.n; i += 16) {
        memcpy(row, macs + i, 16);
        enum bourn_err err = batch_del(v, STORE_BLIND, slice_of(row, sizeof row));
        if (err)
            return err;
    }
    return BOURN_OK;
}
