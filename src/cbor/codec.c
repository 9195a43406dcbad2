#include "cbor/codec.h"

#include "cbor/read.h"

static void put_value(struct buf *b, const struct codec_field *f, const void *v)
{
    const struct slice *s = v;
    switch ((enum codec_type)f->type) {
    case CODEC_U32:
        cbor_put_uint(b, *(const uint32_t *)v);
        return;
    case CODEC_PREV:
    case CODEC_U64:
        if (f->type == CODEC_PREV && *(const uint64_t *)v == UINT64_MAX)
            cbor_put_null(b);
        else
            cbor_put_uint(b, *(const uint64_t *)v);
        return;
    case CODEC_BOOL:
        cbor_put_bool(b, *(const bool *)v);
        return;
    case CODEC_B16:
    case CODEC_B32:
        cbor_put_bytes(b, slice_of(v, f->type == CODEC_B16 ? 16 : 32));
        return;
    case CODEC_BYTES:
    case CODEC_KEY:
        cbor_put_bytes(b, *s);
        return;
    case CODEC_TERM_NULL:
    case CODEC_TEXT:
    case CODEC_NAME:
    case CODEC_TERM:
    case CODEC_COUNTRY:
        if (f->type == CODEC_TERM_NULL && s->n == 0)
            cbor_put_null(b);
        else
            cbor_put_text(b, *s);
        return;
    case CODEC_TUPLE:
        cbor_put_array(b, f->tuple->n);
        for (unsigned i = 0; i < f->tuple->n; i++)
            put_value(b, &f->tuple->parts[i], (const uint8_t *)v + f->tuple->parts[i].at);
        return;
    case CODEC_ABSENT:
        break;
    }
    err_abort(__FILE__, __LINE__, "a type without an encoder");
}

static void get_fixed(struct cbor *c, uint8_t *out, size_t n)
{
    struct slice s = cbor_string(c, CBOR_BYTES);
    if (s.n == n)
        memcpy(out, s.p, n);
    else
        cbor_fail(c, "a byte string of another length");
}

static void get_u32(struct cbor *c, uint32_t *out)
{
    uint64_t v = cbor_head(c, CBOR_UINT);
    if (v > UINT32_MAX)
        cbor_fail(c, "a number out of range");
    *out = (uint32_t)v;
}

/* Only null says "none": the value that stands for it in the struct has no other encoding. */
static void get_u64(struct cbor *c, bool may_be_null, uint64_t *out)
{
    *out = UINT64_MAX;
    if (may_be_null && cbor_take_null(c))
        return;
    *out = cbor_head(c, CBOR_UINT);
    if (*out > CODEC_NUMBER_MAX)
        cbor_fail(c, "a number out of range");
}

static void get_text(struct cbor *c, bool may_be_null, struct slice *out)
{
    *out = (struct slice){0};
    if (may_be_null && cbor_take_null(c))
        return;
    *out = cbor_text(c);
    if (may_be_null && out->n == 0)
        cbor_fail(c, "an empty text where null is meant");
}

static void get_tuple(struct cbor *c, const struct codec_tuple *t, uint8_t *v);

static void get_value(struct cbor *c, const struct codec_field *f, void *v)
{
    switch ((enum codec_type)f->type) {
    case CODEC_U32:
        get_u32(c, v);
        return;
    case CODEC_PREV:
    case CODEC_U64:
        get_u64(c, f->type == CODEC_PREV, v);
        return;
    case CODEC_BOOL:
        *(bool *)v = cbor_bool(c);
        return;
    case CODEC_B16:
    case CODEC_B32:
        get_fixed(c, v, f->type == CODEC_B16 ? 16 : 32);
        return;
    case CODEC_BYTES:
    case CODEC_KEY:
        *(struct slice *)v = cbor_string(c, CBOR_BYTES);
        return;
    case CODEC_TERM_NULL:
    case CODEC_TEXT:
    case CODEC_NAME:
    case CODEC_TERM:
    case CODEC_COUNTRY:
        get_text(c, f->type == CODEC_TERM_NULL, v);
        return;
    case CODEC_TUPLE:
        get_tuple(c, f->tuple, v);
        return;
    case CODEC_ABSENT:
        break;
    }
    err_abort(__FILE__, __LINE__, "a type without a decoder");
}

static void get_tuple(struct cbor *c, const struct codec_tuple *t, uint8_t *v)
{
    if (cbor_array(c, t->n) != t->n)
        cbor_fail(c, "a tuple of another length");
    for (unsigned i = 0; i < t->n; i++)
        get_value(c, &t->parts[i], v + t->parts[i].at);
}

static size_t size_of(const struct codec_field *f)
{
    return f->type == CODEC_TUPLE ? f->tuple->size
           : f->type == CODEC_U64 ? sizeof(uint64_t)
                                  : sizeof(struct slice);
}

/* `item` is set for the elements of a list, whose lo and hi speak of their number. */
static const char *check_value(const struct codec_field *f, const void *v, bool item)
{
    const struct slice *s = v;
    uint64_t lo = item ? 0 : f->lo, hi = item ? CODEC_NUMBER_MAX : f->hi, number = 0;
    switch ((enum codec_type)f->type) {
    case CODEC_U32:
        number = *(const uint32_t *)v;
        return number < lo || number > hi ? "a number out of range" : NULL;
    case CODEC_U64:
    case CODEC_PREV:
        number = *(const uint64_t *)v;
        if (f->type == CODEC_PREV && number == UINT64_MAX)
            return NULL;
        return number < lo || number > hi ? "a number out of range" : NULL;
    case CODEC_BYTES:
        return s->n < lo || s->n > hi ? "a string that is too short or too long" : NULL;
    case CODEC_TEXT:
        if (!utf8_valid(*s))
            return "text that is not UTF-8";
        return s->n < lo || s->n > hi ? "a string that is too short or too long" : NULL;
    case CODEC_KEY:
        return s->n != 32 ? "a public key that is not 32 bytes" : NULL;
    case CODEC_NAME:
        return name_valid(*s) ? NULL : "not a name";
    case CODEC_TERM:
    case CODEC_TERM_NULL:
        return term_valid(*s) || (f->type == CODEC_TERM_NULL && s->n == 0) ? NULL : "not a term";
    case CODEC_COUNTRY:
        return country_valid(*s) ? NULL : "not a country code";
    case CODEC_TUPLE:
        for (unsigned i = 0; i < f->tuple->n; i++) {
            const struct codec_field *part = &f->tuple->parts[i];
            const char *why = check_value(part, (const uint8_t *)v + part->at, false);
            if (why)
                return why;
        }
        return NULL;
    case CODEC_ABSENT:
    case CODEC_BOOL:
    case CODEC_B16:
    case CODEC_B32:
        break;
    }
    return NULL;
}

static int compare(const struct codec_field *f, const void *a, const void *b)
{
    uint64_t x, y;
    switch (f->type) {
    case CODEC_U32:
        x = *(const uint32_t *)a;
        y = *(const uint32_t *)b;
        return (x > y) - (x < y);
    case CODEC_U64:
        x = *(const uint64_t *)a;
        y = *(const uint64_t *)b;
        return (x > y) - (x < y);
    case CODEC_TUPLE:
        for (unsigned i = 0; i < (f->tuple->whole_order ? f->tuple->n : 1); i++) {
            const struct codec_field *part = &f->tuple->parts[i];
            int c = compare(part, (const uint8_t *)a + part->at, (const uint8_t *)b + part->at);
            if (c)
                return c;
        }
        return 0;
    default:
        return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
    }
}

static const char *check_order(const struct codec_field *f, const uint8_t *v, size_t n, size_t size)
{
    bool ascending = true;
    for (size_t i = 1; i < n && ascending; i++)
        ascending = compare(f, v + (i - 1) * size, v + i * size) < 0;
    if (ascending)
        return NULL;
    if (f->list == CODEC_ASCENDING)
        return "a list that does not ascend";
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (compare(f, v + i * size, v + j * size) == 0)
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
        return check_value(f, base + f->at, false);
    size_t n, size = size_of(f);
    const uint8_t *v = list_of(f, s, &n);
    if (n < f->lo || n > f->hi)
        return "a list that is too short or too long";
    for (size_t i = 0; i < n; i++) {
        const char *why = check_value(f, v + i * size, true);
        if (why)
            return why;
    }
    return f->list == CODEC_ANY_ORDER || n < 2 ? NULL : check_order(f, v, n, size);
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
            put_value(out, f, base + f->at);
            continue;
        }
        size_t n, size = size_of(f);
        const uint8_t *v = list_of(f, s, &n);
        cbor_put_array(out, n);
        for (size_t i = 0; i < n; i++)
            put_value(out, f, v + i * size);
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
    size_t size = size_of(f), n = (size_t)cbor_array(&r->in, f->hi);
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
        get_value(&r->in, f, v + i * size);
    memcpy((uint8_t *)s + f->at, &v, sizeof v);
    memcpy((uint8_t *)s + f->n_at, &n, sizeof n);
}

/* Reads and checks one value that is no list. The commonest kinds of it are done at once: a name or a term is
 * ASCII, so only one that is neither is looked at as UTF-8, for the reason. */
static inline void get_single(struct cbor *in, const struct codec_field *f, void *v)
{
    struct slice *s = v;
    switch (f->type) {
    case CODEC_B16:
    case CODEC_B32:
        get_fixed(in, v, f->type == CODEC_B16 ? 16 : 32);
        return;
    case CODEC_U64:
        get_u64(in, false, v);
        if (!in->why && (*(uint64_t *)v < f->lo || *(uint64_t *)v > f->hi))
            cbor_fail(in, "a number out of range");
        return;
    case CODEC_NAME:
    case CODEC_TERM:
    case CODEC_COUNTRY:
        *s = cbor_string(in, CBOR_TEXT);
        if (f->type == CODEC_NAME   ? name_valid(*s)
            : f->type == CODEC_TERM ? term_valid(*s)
                                    : country_valid(*s))
            return;
        if (!in->why && !utf8_valid(*s)) {
            *s = (struct slice){0};
            cbor_fail(in, "text that is not UTF-8");
        }
        break;
    default:
        get_value(in, f, v);
    }
    if (!in->why)
        cbor_fail(in, check_value(f, v, false));
}

/* Behind the number, or NULL: not one of up to four bytes in its shortest form, or out of range. */
static inline const uint8_t *get_number(const uint8_t *p, const uint8_t *end, const struct codec_field *f,
                                        uint8_t *v)
{
    uint64_t n = p < end ? *p++ : UINT64_MAX;
    unsigned more = n < 24 ? 0 : n == 24 ? 1 : n == 25 ? 2 : 4;
    if (n > 26 || end - p < (ptrdiff_t)more) /* eight bytes, or no number */
        return NULL;
    if (more) {
        n = more == 4 ? be_get(p, 4) : more == 2 ? (uint64_t)p[0] << 8 | p[1] : p[0];
        if (n < 24 || (more > 1 && n >> (4 * more) == 0))
            return NULL;
    }
    if (n < f->lo || n > f->hi)
        return NULL;
    if (f->type == CODEC_U32)
        *(uint32_t *)(void *)(v + f->at) = (uint32_t)n;
    else
        *(uint64_t *)(void *)(v + f->at) = n;
    return p + more;
}

/* Behind a part of a tuple, as get_number. */
static inline const uint8_t *get_part(const uint8_t *p, const uint8_t *end, const struct codec_field *f,
                                      uint8_t *v)
{
    if (f->type == CODEC_U64 || f->type == CODEC_U32)
        return get_number(p, end, f, v);
    if (f->type != CODEC_B32 || end - p < 34 || p[0] != (CBOR_BYTES << 5 | 24) || p[1] != 32)
        return NULL;
    memcpy(v + f->at, p + 2, 32);
    return p + 34;
}

/* Rows are full of lists of a tuple or two of numbers and hashes: read and checked at once. False: the
 * general way is gone, from where it began, which also knows what is wrong. */
static bool get_plain(struct codec_reader *r, const struct codec_field *f, uint8_t *s)
{
    const struct codec_tuple *t = f->tuple;
    const uint8_t *p = r->in.p, *end = r->in.end;
    size_t n = p < end && *p >> 5 == CBOR_ARRAY ? *p++ & 31 : 0;
    bool several = n > 1 && f->list != CODEC_ANY_ORDER; /* an order to check */
    if (n < 1 || n >= 24 || several || n < f->lo || n > f->hi || t->parts[0].type > CODEC_U64)
        return false;
    uint8_t *v = arena_alloc(r->arena, n * t->size), *item = v;
    for (size_t i = 0; v && i < n; i++, item += t->size) {
        if (p == end || *p++ != (CBOR_ARRAY << 5 | t->n))
            return false;
        p = get_part(p, end, &t->parts[0], item);
        p = p ? get_part(p, end, &t->parts[1], item) : NULL;
        if (p && t->n == 3)
            p = get_part(p, end, &t->parts[2], item);
        if (!p)
            return false;
    }
    if (!v)
        return false;
    memcpy(s + f->at, &v, sizeof v);
    memcpy(s + f->n_at, &n, sizeof n);
    r->in.p = p;
    return true;
}

void codec_get_pair(const struct codec *c, struct codec_reader *r, uint64_t may, void *s, uint64_t *has)
{
    if (r->in.why)
        return;
    uint64_t key = cbor_head(&r->in, CBOR_UINT);
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
    if (!f->list) {
        get_single(&r->in, f, base + f->at);
    } else if (f->type != CODEC_TUPLE || !get_plain(r, f, base)) {
        get_list(r, f, s);
        if (!r->in.why)
            cbor_fail(&r->in, check_field(f, s));
    }
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
