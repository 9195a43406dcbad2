#include "cbor/codec.h"

#include "base/text.h"
#include "cbor/entry.h"

static void put_value(struct buf *b, unsigned type, const void *v, const void *second)
{
    const struct slice *s = v;
    const struct entry_purpose *purpose = v;
    const struct entry_field *field = v;
    const struct entry_setting *setting = v;
    const struct row_basis *basis = v;
    const struct row_record *record = v;
    switch (type) {
    case CODEC_U32:
        cbor_put_uint(b, *(const uint32_t *)v);
        break;
    case CODEC_PREV:
        if (*(const uint64_t *)v == UINT64_MAX) {
            cbor_put_null(b);
            break;
        }
        /* fall through */
    case CODEC_U64:
        cbor_put_uint(b, *(const uint64_t *)v);
        break;
    case CODEC_BOOL:
        cbor_put_bool(b, *(const bool *)v);
        break;
    case CODEC_B16:
        cbor_put_bytes(b, slice_of(v, 16));
        break;
    case CODEC_B32:
        cbor_put_bytes(b, slice_of(v, 32));
        break;
    case CODEC_BYTES:
    case CODEC_KEY:
        cbor_put_bytes(b, *s);
        break;
    case CODEC_TEXT:
    case CODEC_NAME:
    case CODEC_TERM:
    case CODEC_COUNTRY:
        cbor_put_text(b, *s);
        break;
    case CODEC_VOUCHER:
        cbor_put_array(b, 2);
        cbor_put_uint(b, *(const uint32_t *)v);
        cbor_put_uint(b, *(const uint64_t *)second);
        break;
    case CODEC_PURPOSE:
        cbor_put_array(b, 2);
        cbor_put_text(b, purpose->purpose);
        if (purpose->ground.n)
            cbor_put_text(b, purpose->ground);
        else
            cbor_put_null(b);
        break;
    case CODEC_FIELD:
        cbor_put_array(b, 3);
        cbor_put_text(b, field->name);
        cbor_put_uint(b, field->type);
        cbor_put_uint(b, field->flags);
        break;
    case CODEC_SETTING:
        cbor_put_array(b, 2);
        cbor_put_text(b, setting->name);
        cbor_put_text(b, setting->value);
        break;
    case CODEC_BASIS:
        cbor_put_array(b, 2);
        cbor_put_uint(b, basis->grade);
        cbor_put_uint(b, basis->index);
        break;
    case CODEC_STORED:
    case CODEC_RECORD:
        cbor_put_array(b, type == CODEC_STORED ? 3 : 2);
        cbor_put_uint(b, record->id);
        cbor_put_uint(b, record->version);
        if (type == CODEC_STORED)
            cbor_put_bytes(b, slice_of(record->commit, sizeof record->commit));
        break;
    default:
        err_abort(__FILE__, __LINE__, "a type without an encoder");
    }
}

static uint32_t get_u32(struct cbor *c)
{
    uint64_t v = cbor_uint(c);
    if (v > UINT32_MAX)
        cbor_fail(c, "a number out of range");
    return (uint32_t)v;
}

static void get_tuple(struct cbor *c, uint64_t n)
{
    if (cbor_array(c, n) != n)
        cbor_fail(c, "a tuple of another length");
}

static void get_fixed(struct cbor *c, uint8_t *out, size_t n)
{
    struct slice s = cbor_bytes(c);
    if (s.n == n)
        memcpy(out, s.p, n);
    else
        cbor_fail(c, "a byte string of another length");
}

static void get_value(struct cbor *c, unsigned type, void *v, void *second)
{
    struct entry_purpose *purpose = v;
    struct entry_field *field = v;
    struct entry_setting *setting = v;
    struct row_basis *basis = v;
    struct row_record *record = v;
    switch (type) {
    case CODEC_U32:
        *(uint32_t *)v = get_u32(c);
        break;
    case CODEC_PREV:
        *(uint64_t *)v = UINT64_MAX;
        if (cbor_null(c))
            break;
        *(uint64_t *)v = cbor_uint(c);
        if (*(uint64_t *)v == UINT64_MAX) /* only null says null */
            cbor_fail(c, "a number out of range");
        break;
    case CODEC_U64:
        *(uint64_t *)v = cbor_uint(c);
        break;
    case CODEC_BOOL:
        *(bool *)v = cbor_bool(c);
        break;
    case CODEC_B16:
        get_fixed(c, v, 16);
        break;
    case CODEC_B32:
        get_fixed(c, v, 32);
        break;
    case CODEC_BYTES:
    case CODEC_KEY:
        *(struct slice *)v = cbor_bytes(c);
        break;
    case CODEC_TEXT:
    case CODEC_NAME:
    case CODEC_TERM:
    case CODEC_COUNTRY:
        *(struct slice *)v = cbor_text(c);
        break;
    case CODEC_VOUCHER:
        get_tuple(c, 2);
        *(uint32_t *)v = get_u32(c);
        *(uint64_t *)second = cbor_uint(c);
        break;
    case CODEC_PURPOSE:
        get_tuple(c, 2);
        purpose->purpose = cbor_text(c);
        if (!cbor_null(c)) {
            purpose->ground = cbor_text(c);
            if (purpose->ground.n == 0)
                cbor_fail(c, "an empty ground: none is null");
        }
        break;
    case CODEC_FIELD:
        get_tuple(c, 3);
        field->name = cbor_text(c);
        field->type = get_u32(c);
        field->flags = get_u32(c);
        break;
    case CODEC_SETTING:
        get_tuple(c, 2);
        setting->name = cbor_text(c);
        setting->value = cbor_text(c);
        break;
    case CODEC_BASIS:
        get_tuple(c, 2);
        basis->grade = get_u32(c);
        basis->index = cbor_uint(c);
        break;
    case CODEC_STORED:
    case CODEC_RECORD:
        get_tuple(c, type == CODEC_STORED ? 3 : 2);
        record->id = cbor_uint(c);
        record->version = cbor_uint(c);
        if (type == CODEC_STORED)
            get_fixed(c, record->commit, sizeof record->commit);
        break;
    default:
        err_abort(__FILE__, __LINE__, "a type without a decoder");
    }
}

static size_t size_of(unsigned type)
{
    switch (type) {
    case CODEC_U64:
        return sizeof(uint64_t);
    case CODEC_PURPOSE:
        return sizeof(struct entry_purpose);
    case CODEC_FIELD:
        return sizeof(struct entry_field);
    case CODEC_SETTING:
        return sizeof(struct entry_setting);
    case CODEC_BASIS:
        return sizeof(struct row_basis);
    case CODEC_STORED:
    case CODEC_RECORD:
        return sizeof(struct row_record);
    default:
        return sizeof(struct slice);
    }
}

static const char *check_number(uint64_t v, uint64_t lo, uint64_t hi)
{
    return v < lo || v > hi ? "a number out of range" : NULL;
}

static const char *check_value(const struct codec_field *f, const void *v, const void *second)
{
    const struct slice *s = v;
    const struct entry_purpose *purpose = v;
    const struct entry_field *field = v;
    const struct entry_setting *setting = v;
    const struct row_basis *basis = v;
    const struct row_record *record = v;
    uint64_t lo = f->list ? 0 : f->lo, hi = f->list ? CODEC_NUMBER_MAX : f->hi;
    switch (f->type) {
    case CODEC_U32:
        return check_number(*(const uint32_t *)v, lo, hi);
    case CODEC_U64:
        return check_number(*(const uint64_t *)v, lo, hi);
    case CODEC_PREV:
        return *(const uint64_t *)v == UINT64_MAX ? NULL : check_number(*(const uint64_t *)v, lo, hi);
    case CODEC_BYTES:
    case CODEC_TEXT:
        return s->n < lo || s->n > hi ? "a string that is too short or too long" : NULL;
    case CODEC_KEY:
        return s->n != 32 ? "a public key that is not 32 bytes" : NULL;
    case CODEC_NAME:
        return name_valid(*s) ? NULL : "not a name";
    case CODEC_TERM:
        return term_valid(*s) ? NULL : "not a term";
    case CODEC_COUNTRY:
        return country_valid(*s) ? NULL : "not a country code";
    case CODEC_VOUCHER:
        return *(const uint32_t *)v > VOUCHER_OPERATOR
                   ? "an unknown voucher"
                   : check_number(*(const uint64_t *)second, 0, CODEC_NUMBER_MAX);
    case CODEC_PURPOSE:
        return term_valid(purpose->purpose) && (!purpose->ground.n || term_valid(purpose->ground))
                   ? NULL
                   : "not a term";
    case CODEC_FIELD:
        if (field->type < FIELD_TEXT || field->type > FIELD_JSON ||
            field->flags > (FIELD_REQUIRED | FIELD_SENSITIVE | FIELD_SEARCHABLE))
            return "an unknown type or flag of a field";
        return name_valid(field->name) ? NULL : "not a name";
    case CODEC_SETTING:
        return name_valid(setting->name) ? NULL : "not a name";
    case CODEC_BASIS:
        return basis->grade < GRADE_SUBJECT_SIGNED || basis->grade > GRADE_SELF
                   ? "an unknown grade"
                   : check_number(basis->index, 0, CODEC_NUMBER_MAX);
    case CODEC_STORED:
    case CODEC_RECORD:
        return record->id > CODEC_NUMBER_MAX ? "a number out of range"
                                             : check_number(record->version, 1, CODEC_NUMBER_MAX);
    default:
        return NULL; /* fixed lengths */
    }
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(unsigned type, const void *a, const void *b)
{
    const struct row_basis *x = a, *y = b;
    switch (type) {
    case CODEC_U64:
        return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
    case CODEC_BASIS:
        return x->grade != y->grade ? compare_u64(x->grade, y->grade) : compare_u64(x->index, y->index);
    default: /* the others are slices or begin with the one that tells them apart */
        return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
    }
}

static const char *check_order(const struct codec_field *f, const uint8_t *v, size_t n, size_t size)
{
    bool ascending = true;
    for (size_t i = 1; i < n && ascending; i++)
        ascending = compare(f->type, v + (i - 1) * size, v + i * size) < 0;
    if (ascending)
        return NULL;
    if (f->list == CODEC_ASCENDING)
        return "a list that does not ascend";
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (compare(f->type, v + i * size, v + j * size) == 0)
                return "a list that names something twice";
    return NULL;
}

/* The array of a list field and its length; memcpy because the pointer types differ. */
static const uint8_t *list_of(const struct codec_field *f, const void *s, size_t *n)
{
    const uint8_t *v;
    memcpy(&v, (const uint8_t *)s + f->at, sizeof v);
    memcpy(n, (const uint8_t *)s + f->n_at, sizeof *n);
    return v;
}

static const char *check_field(const struct codec_field *f, const void *s)
{
    const uint8_t *base = s;
    if (!f->list)
        return check_value(f, base + f->at, base + f->n_at);
    size_t n, size = size_of(f->type);
    const uint8_t *v = list_of(f, s, &n);
    if (n < f->lo || n > f->hi)
        return "a list that is too short or too long";
    for (size_t i = 0; i < n; i++) {
        const char *why = check_value(f, v + i * size, NULL);
        if (why)
            return why;
    }
    return f->list == CODEC_ANY_ORDER ? NULL : check_order(f, v, n, size);
}

const char *codec_check(const struct codec *c, uint64_t has, const void *s, unsigned *key)
{
    for (unsigned k = 1; k <= c->key_max; k++) {
        const char *why = has >> k & 1 ? check_field(&c->fields[k], s) : NULL;
        if (why) {
            *key = k;
            return why;
        }
    }
    return NULL;
}

void codec_put(struct buf *out, const struct codec *c, uint64_t has, const void *s)
{
    const uint8_t *base = s;
    cbor_put_map(out, (uint64_t)__builtin_popcountll(has));
    for (unsigned k = 1; k <= c->key_max; k++) {
        if (!(has >> k & 1))
            continue;
        const struct codec_field *f = &c->fields[k];
        cbor_put_uint(out, k);
        if (!f->list) {
            put_value(out, f->type, base + f->at, base + f->n_at);
            continue;
        }
        size_t n, size = size_of(f->type);
        const uint8_t *v = list_of(f, s, &n);
        cbor_put_array(out, n);
        for (size_t i = 0; i < n; i++)
            put_value(out, f->type, v + i * size, NULL);
    }
}

uint64_t codec_get_head(const struct codec *c, struct codec_reader *r)
{
    if ((size_t)(r->in.end - r->in.p) > c->bytes_max)
        cbor_fail(&r->in, "longer than the limit");
    return cbor_map(&r->in, CODEC_KEYS_MAX);
}

static void get_list(struct codec_reader *r, const struct codec_field *f, void *s)
{
    size_t size = size_of(f->type), n = (size_t)cbor_array(&r->in, f->hi);
    uint8_t *v = NULL;
    if (n > 0) {
        v = arena_alloc(r->arena, n * size);
        r->no_memory = !v;
        if (!v) {
            cbor_fail(&r->in, "no memory left in the arena");
            return;
        }
    }
    for (size_t i = 0; i < n; i++)
        get_value(&r->in, f->type, v + i * size, NULL);
    memcpy((uint8_t *)s + f->at, &v, sizeof v);
    memcpy((uint8_t *)s + f->n_at, &n, sizeof n);
}

void codec_get_pair(const struct codec *c, struct codec_reader *r, uint64_t may, void *s, uint64_t *has)
{
    if (r->in.why)
        return;
    uint64_t key = cbor_uint(&r->in);
    r->key = r->in.why ? 0 : (unsigned)(key < CODEC_KEYS_MAX ? key : CODEC_KEYS_MAX);
    if (key > CODEC_KEYS_MAX || *has >> key)
        cbor_fail(&r->in, key > CODEC_KEYS_MAX ? "an unknown key" : "keys that do not ascend");
    else if (!(may >> key & 1))
        cbor_fail(&r->in, key > c->key_max || !c->fields[key].type ? "an unknown key"
                                                                   : "a key that this kind does not have");
    if (r->in.why)
        return;
    const struct codec_field *f = &c->fields[key];
    uint8_t *base = s;
    if (f->list)
        get_list(r, f, s);
    else
        get_value(&r->in, f->type, base + f->at, base + f->n_at);
    if (!r->in.why)
        cbor_fail(&r->in, check_field(f, s));
    *has |= (uint64_t)1 << key;
}

enum bourn_err codec_done(const struct codec *c, const struct codec_reader *r)
{
    if (!r->in.why)
        return BOURN_OK;
    const char *name = r->key && r->key <= c->key_max ? c->fields[r->key].name : NULL;
    return err_set(r->no_memory ? BOURN_E_MEMORY : BOURN_E_FORMAT, "%s: %s at byte %zu%s%s", c->what,
                   r->in.why, (size_t)(r->in.p - r->in.start), name ? ", in " : "", name ? name : "");
}
