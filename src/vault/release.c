/* What leaves: sealed records with their keys are copied while a batch is decided, and opened here, once
 * their entry is durable (or signed). No other file makes plaintext that goes out. */
#include "vault/internal.h"

#include "base/log.h"

#include <stdlib.h>

enum { SPARE_MAX = 256, SPARE_BYTES_MAX = 16 << 10 };

/* The world may be loaded anew while an answer waits: renames are copied. */
static void copy_renames(struct release *rel, const struct world_collection *c)
{
    for (size_t i = 0; i < c->renames_n; i++) {
        rel->rename[i].was_at = rel->names.n;
        rel->rename[i].was_n = c->renames[i].was.n;
        buf_put_slice(&rel->names, c->renames[i].was);
        rel->rename[i].now_at = rel->names.n;
        rel->rename[i].now_n = c->renames[i].now.n;
        buf_put_slice(&rel->names, c->renames[i].now);
    }
    rel->renames_n = c->renames_n;
}

/* Points of memory that is large and mostly unused: its arrays are not zeroed, their counts are. */
static struct release *take_spare(struct release_pool *pool)
{
    struct release *rel = pool->first;
    if (rel) {
        pool->first = rel->next_spare;
        pool->n--;
    } else if ((rel = malloc(sizeof *rel)) != NULL) {
        rel->pool = pool;
        rel->records = NULL;
        rel->room = 0;
        buf_init(&rel->sealed, RELEASE_BYTES_MAX + RECORD_BYTES_MAX + 1024);
        buf_init_secret(&rel->names, RELEASE_BYTES_MAX);
    }
    return rel;
}

enum bourn_err release_new(struct vault *v, enum release_form form, const struct world_collection *c,
                           struct release **out)
{
    struct slice collection = c->name;
    struct release *rel = take_spare(&v->releases);
    if (!rel)
        return err_set(BOURN_E_MEMORY, "out of memory for an answer");
    bourn_assert(collection.n < sizeof rel->collection);
    rel->form = form;
    rel->n = rel->fields_n = 0;
    rel->next = 0;
    memcpy(rel->collection, collection.p, collection.n);
    rel->collection_n = collection.n;
    copy_renames(rel, c);
    *out = rel;
    return BOURN_OK;
}

static void destroy(struct release *rel)
{
    buf_release(&rel->sealed);
    buf_release(&rel->names);
    free(rel->records);
    free(rel);
}

void release_free(struct release *rel)
{
    if (!rel)
        return;
    struct release_pool *pool = rel->pool;
    if (rel->n)
        crypto_wipe(rel->records, rel->n * sizeof *rel->records);
    if (pool->n == SPARE_MAX || rel->sealed.size > SPARE_BYTES_MAX || rel->names.size > SPARE_BYTES_MAX ||
        rel->room > SPARE_BYTES_MAX / 64) {
        destroy(rel);
        return;
    }
    buf_clear(&rel->sealed);
    buf_clear(&rel->names);
    rel->next_spare = pool->first;
    pool->first = rel;
    pool->n++;
}

void release_pool_free(struct release_pool *pool)
{
    struct release *next;
    for (struct release *rel = pool->first; rel; rel = next) {
        next = rel->next_spare;
        destroy(rel);
    }
    *pool = (struct release_pool){0};
}

static enum bourn_err room_for_one(struct release *rel)
{
    if (rel->n < rel->room)
        return BOURN_OK;
    size_t room = rel->room ? 2 * rel->room : 4;
    struct release_record *p = calloc(room, sizeof *p);
    if (!p)
        return err_set(BOURN_E_MEMORY, "out of memory for an answer");
    if (rel->records) {
        memcpy(p, rel->records, rel->n * sizeof *p);
        crypto_wipe(rel->records, rel->n * sizeof *p);
        free(rel->records);
    }
    rel->records = p;
    rel->room = room;
    return BOURN_OK;
}

enum bourn_err release_add(struct release *rel, const struct subject *s, const uint8_t key[32], uint64_t id,
                           const struct record_row *row, struct slice name)
{
    enum bourn_err err = room_for_one(rel);
    if (err)
        return err;
    struct release_record *to = &rel->records[rel->n++];
    *to = (struct release_record){.number = s->number,
                                  .id = id,
                                  .version = row->version,
                                  .at = rel->sealed.n,
                                  .len = row->sealed.n,
                                  .name_at = rel->names.n,
                                  .name_n = name.n};
    memcpy(to->label, s->person.label, 16);
    memcpy(to->key, key, sizeof to->key);
    buf_put_slice(&rel->sealed, row->sealed);
    buf_put_slice(&rel->names, name);
    err = buf_check(&rel->sealed);
    return err ? err : buf_check(&rel->names);
}

/* A person of a bulk request of whom nothing is disclosed: unknown, erased and forbidden look the same. */
enum bourn_err release_add_none(struct release *rel, struct slice name)
{
    enum bourn_err err = room_for_one(rel);
    if (err)
        return err;
    rel->records[rel->n++] = (struct release_record){.name_at = rel->names.n, .name_n = name.n};
    buf_put_slice(&rel->names, name);
    return buf_check(&rel->names);
}

void release_field(struct release *rel, struct slice name)
{
    bourn_assert(rel->fields_n < FIELDS_PER_COLLECTION_MAX);
    rel->field[rel->fields_n].at = rel->names.n;
    rel->field[rel->fields_n++].n = name.n;
    buf_put_slice(&rel->names, name);
}

/* What the present schema calls a member: *name (raw, with quotes) or the text of its new name. */
static struct slice present_name(const struct release *rel, struct slice raw, struct buf *text)
{
    buf_clear(text);
    json_string_decode(raw, text);
    struct slice name = buf_slice(text);
    for (size_t i = 0; i < rel->renames_n; i++)
        if (slice_eq(name, slice_of(rel->names.p + rel->rename[i].was_at, rel->rename[i].was_n)))
            name = slice_of(rel->names.p + rel->rename[i].now_at, rel->rename[i].now_n);
    return name;
}

static bool wanted(const struct release *rel, struct slice name)
{
    for (size_t i = 0; i < rel->fields_n; i++)
        if (slice_eq(name, slice_of(rel->names.p + rel->field[i].at, rel->field[i].n)))
            return true;
    return rel->fields_n == 0;
}

/* Keeps the fields asked for, in the record's own order, by their present names. */
static enum bourn_err put_fields(struct buf *out, const struct release *rel, struct slice plain)
{
    struct json_value record;
    struct json_member m;
    struct buf text;
    size_t at = 0;
    const char *comma = "";
    if (json_check(plain, &record) != BOURN_OK)
        return err_set(BOURN_E_CORRUPT, "a stored record is not JSON");
    buf_init_secret(&text, RECORD_BYTES_MAX);
    buf_put_str(out, "{");
    while (json_next(record, &at, &m)) {
        struct slice name = present_name(rel, m.name, &text);
        if (!wanted(rel, name))
            continue;
        buf_put_str(out, comma);
        json_put_string(out, name);
        buf_put_str(out, ":");
        buf_put_slice(out, m.value.raw);
        comma = ",";
    }
    buf_put_str(out, "}");
    buf_release(&text);
    return BOURN_OK;
}

static enum bourn_err put_data(struct vault *v, struct buf *out, const struct release *rel,
                               const struct release_record *rec)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t aad[RECORD_AAD_MAX];
    size_t aad_n = record_aad(aad, world_domicile(v->world), rec->label,
                              slice_of(rel->collection, rel->collection_n), rec->id, rec->version);
    size_t plain_n = rec->len - CRYPTO_SEAL_OVERHEAD;
    struct buf plain;
    buf_init_secret(&plain, RECORD_BYTES_MAX);
    bool rewrite = rel->fields_n || rel->renames_n;
    struct buf *into = rewrite ? &plain : out;
    uint8_t *to = buf_reserve(into, plain_n);
    TRY(buf_check(into));
    TRY(crypto_open(to, rec->key, slice_of(aad, aad_n), slice_of(rel->sealed.p + rec->at, rec->len)));
    into->n += plain_n;
    err = rewrite ? put_fields(out, rel, buf_slice(&plain)) : BOURN_OK;
out:
    buf_release(&plain);
    return err;
}

/* Nothing of it is disclosed: it never was to be, or its key was destroyed while the answer waited for its
 * signature. */
static bool withheld(const struct vault *v, const struct release_record *rec)
{
    return !rec->len || prev_generation(v->prev, rec->number) == PREV_ERASED;
}

static enum bourn_err put_record(struct vault *v, struct buf *out, const struct release *rel,
                                 const struct release_record *rec)
{
    struct slice name = slice_of(rel->names.p ? rel->names.p + rec->name_at : NULL, rec->name_n);
    buf_put_str(out, "{");
    if (rel->form == RELEASE_FOUND || rel->form == RELEASE_LINES) {
        buf_put_str(out, "\"subject\":");
        json_put_string(out, name);
        buf_put_str(out, ",");
    } else if (rel->form == RELEASE_COPY) { /* a name needs no escapes */
        buf_printf(out, "\"collection\":\"%.*s\",", (int)rel->collection_n, rel->collection);
    }
    if (withheld(v, rec)) {
        buf_put_str(out, "\"code\":\"not_disclosed\"}");
        return BOURN_OK;
    }
    buf_put_str(out, "\"id\":");
    buf_put_decimal(out, rec->id);
    buf_put_str(out, ",\"version\":");
    buf_put_decimal(out, rec->version);
    buf_put_str(out, ",\"data\":");
    enum bourn_err err = put_data(v, out, rel, rec);
    buf_put_str(out, "}");
    return err;
}

enum bourn_err release_open(struct vault *v, const struct release *rel, struct buf *out)
{
    enum { AROUND_BYTES = 160 }; /* of a record, without its name */
    const char *comma = "";
    bool array = rel->form == RELEASE_LIST || rel->form == RELEASE_FOUND;
    /* At once, so that what is secret is not moved as it grows. */
    buf_reserve(out, rel->sealed.n + rel->names.n + rel->n * AROUND_BYTES + AROUND_BYTES);
    if (rel->n && (rel->form == RELEASE_ONE || rel->form == RELEASE_COPY) && withheld(v, &rel->records[0]))
        return BOURN_E_NOT_FOUND;
    if (array)
        buf_put_str(out, "{\"records\":[");
    for (size_t i = 0; i < rel->n; i++) {
        if (array && withheld(v, &rel->records[i]))
            continue;
        if (array)
            buf_put_str(out, comma);
        comma = ",";
        enum bourn_err err = put_record(v, out, rel, &rel->records[i]);
        if (err)
            return err;
        if (rel->form == RELEASE_LINES || rel->form == RELEASE_COPY)
            buf_put_str(out, "\n");
    }
    if (array && rel->next)
        buf_printf(out, "],\"next\":%llu}", (unsigned long long)rel->next);
    else if (array)
        buf_put_str(out, "],\"next\":null}");
    return BOURN_OK; /* whether it fitted is seen when it is sent */
}
