#include "cbor/entry.h"

#include "base/limits.h"
#include "cbor/kinds.h"

/* What the tables cannot say about an entry; NULL if it is in order. */
static const char *check_entry(const struct entry *e, uint64_t has)
{
    const struct entry_shape *s = entry_shape(e->kind);
    bool ends = e->kind == ENTRY_PARTY && (has & KEY_BIT(E_ENDS));
    uint64_t must = ALWAYS | (ends ? KEY_BIT(E_ENDS) : s->must);
    if (has & ~(must | (ends ? 0 : s->may)))
        return "a key that this kind does not have";
    if ((has & must) != must)
        return "a key that this kind needs is missing";
    if ((e->kind == ENTRY_GENESIS || e->kind == ENTRY_CONTINUED) && e->keys_n == 0)
        return e->kind == ENTRY_GENESIS ? "genesis without a key of the log" : "without a key of the log";
    if (e->kind == ENTRY_EXPORTED && has & KEY_BIT(E_OPERATION) &&
        (e->operation != OP_READ || has & KEY_BIT(E_COLLECTION)))
        return "a person's own access that is neither a copy of records nor a reading of rows";
    if (has & KEY_BIT(E_COUNT)) {
        bool rows = has & KEY_BIT(E_ROOT);
        /* a search or an evidence request may have found nobody, and is counted all the same */
        if (e->count < (e->kind == ENTRY_DISCLOSED ? 0 : 1) || (rows && e->count > ROWS_PER_ENTRY_MAX))
            return "a count out of range";
    }
    return NULL;
}

static enum bourn_err check_size(const struct entry *e)
{
    struct buf b;
    buf_init(&b, ENTRY_BYTES_MAX);
    codec_put(&b, &entry_codec, e->has | ALWAYS, e);
    bool fits = !b.failed;
    buf_release(&b);
    return fits ? BOURN_OK
                : err_set(BOURN_E_LIMIT, "entry of kind %s: over %d bytes", entry_kind_name(e->kind),
                          ENTRY_BYTES_MAX);
}

enum bourn_err entry_check(const struct entry *e)
{
    unsigned key = 0;
    if (!entry_shape(e->kind))
        return err_set(BOURN_E_FORMAT, "entry: kind %u is unknown or reserved", e->kind);
    const char *why = check_entry(e, e->has | ALWAYS);
    why = why ? why : codec_check(&entry_codec, e->has | ALWAYS, e, &key);
    if (why)
        return err_set(BOURN_E_FORMAT, "entry of kind %s: %s%s%s", entry_kind_name(e->kind), why,
                       key ? ", in " : "", key ? entry_codec.fields[key].name : "");
    return entry_kind_has_rows(e->kind) ? BOURN_OK : check_size(e); /* the others cannot come near */
}

void entry_encode(struct buf *out, const struct entry *e)
{
    bourn_assert(entry_check(e) == BOURN_OK);
    codec_put(out, &entry_codec, e->has | ALWAYS, e);
}

/* The rest of an entry of an unknown kind: time and salt are read, what follows need only be well-formed. */
static enum bourn_err decode_unknown(struct codec_reader *r, uint64_t pairs, struct entry *e)
{
    uint64_t last = E_SALT;
    for (uint64_t i = 1; i < pairs && !r->in.why; i++) {
        if (i < 3) {
            codec_get_pair(&entry_codec, r, ALWAYS, e, &e->has);
            continue;
        }
        uint64_t key = cbor_uint(&r->in);
        if (key <= last)
            cbor_fail(&r->in, "keys that do not ascend");
        last = key;
        cbor_skip(&r->in);
    }
    if (e->has != ALWAYS)
        cbor_fail(&r->in, "kind, time or salt is missing");
    if (!r->in.why && r->in.p < r->in.end)
        cbor_fail(&r->in, "bytes after the end");
    if (r->in.why)
        return codec_done(&entry_codec, r);
    return err_set(BOURN_E_UNAVAILABLE,
                   "entry of kind %u: this program does not know the kind; use a newer one", e->kind);
}

static bool has_rows(const struct entry_shape *s)
{
    return s && (s->must & KEY_BIT(E_ROOT));
}

/* What entries with rows begin with, from kind to root, in the form that nearly all have: five pairs taken at
 * once, or none. Whatever differs is left to the general reader, which knows what may and what is wrong. */
static bool get_front(struct codec_reader *r, uint64_t pairs, uint32_t *kind, struct entry_front *f)
{
    enum { KIND = 1, TIME = 3, SALT = 8, COUNT = 26, ROOT = 28, END = 63 };
    const uint8_t *p = r->in.p;
    if (r->in.why || pairs < 5 || r->in.end - p < END || p[0] != E_KIND || !has_rows(entry_shape(p[KIND])) ||
        p[KIND] > 23 || p[KIND + 1] != E_TIME || p[TIME] != 0x1a || p[SALT] != E_SALT ||
        p[SALT + 1] != 0x50 || p[COUNT] != E_COUNT || p[COUNT + 1] > 23 || p[ROOT] != E_ROOT ||
        p[ROOT + 1] != 0x58 || p[ROOT + 2] != 32)
        return false;
    *kind = p[KIND];
    *f = (struct entry_front){be_get(p + TIME + 1, 4), p[COUNT + 1], p + SALT + 2, p + ROOT + 3};
    if (f->time <= UINT16_MAX) /* has a shorter form */
        return false;
    r->in.p = p + END;
    return true;
}

/* The pairs behind the first `i`, into what these were read to already. */
static enum bourn_err decode_rest(struct codec_reader *r, uint64_t pairs, uint64_t i, struct entry *e)
{
    if (i == 0) {
        codec_get_pair(&entry_codec, r, KEY_BIT(E_KIND), e, &e->has);
        i = 1;
    }
    const struct entry_shape *s = entry_shape(e->kind);
    if (!s && !r->in.why)
        return decode_unknown(r, pairs, e);
    uint64_t may = s ? ALWAYS | s->must | s->may | (e->kind == ENTRY_PARTY ? KEY_BIT(E_ENDS) : 0) : 0;
    for (; i < pairs && !r->in.why; i++)
        codec_get_pair(&entry_codec, r, may, e, &e->has);
    r->key = 0;
    if (!r->in.why)
        cbor_fail(&r->in, check_entry(e, e->has));
    if (!r->in.why && r->in.p < r->in.end)
        cbor_fail(&r->in, "bytes after the end");
    return codec_done(&entry_codec, r);
}

enum { FRONT_PAIRS = 5 };

static void begin(struct entry *e, uint32_t kind, const struct entry_front *f)
{
    e->kind = kind;
    e->has = ALWAYS | KEY_BIT(E_COUNT) | KEY_BIT(E_ROOT);
    entry_front_put(e, f);
}

enum bourn_err entry_decode(struct slice in, struct arena *a, struct entry *e)
{
    struct codec_reader r = {.arena = a};
    struct entry_front front;
    uint32_t kind;
    cbor_init(&r.in, in);
    *e = (struct entry){0};
    uint64_t pairs = codec_get_head(&entry_codec, &r), i = 0;
    if (get_front(&r, pairs, &kind, &front)) {
        begin(e, kind, &front);
        i = FRONT_PAIRS;
    }
    return decode_rest(&r, pairs, i, e);
}

static struct entry_like *slot_of(struct entry_memo *memo, uint32_t kind, struct slice rest)
{
    return &memo->slot[(kind + (unsigned)rest.n * 5 + (rest.n > 2 ? rest.p[1] + rest.p[2] : 0)) %
                       ENTRY_MEMO_SLOTS];
}

enum bourn_err entry_decode_like(struct slice in, struct arena *a, struct entry_memo *memo,
                                 struct entry **out, struct entry_front *front)
{
    struct codec_reader r = {.arena = a};
    struct entry_like *like = NULL;
    struct slice rest = {0};
    uint32_t kind;
    cbor_init(&r.in, in);
    uint64_t pairs = codec_get_head(&entry_codec, &r);
    *front = (struct entry_front){0};
    if (get_front(&r, pairs, &kind, front)) {
        rest = slice_of(r.in.p, (size_t)(r.in.end - r.in.p));
        like = slot_of(memo, kind, rest);
        if (like->e && like->e->kind == kind && like->pairs == pairs && slice_eq(like->rest, rest)) {
            *out = like->e;
            entry_front_put(like->e, front);
            r.in.p = r.in.end;
            cbor_fail(&r.in, check_entry(like->e, like->e->has));
            return codec_done(&entry_codec, &r);
        }
    }
    struct entry *e = *out = arena_alloc(a, sizeof *e);
    if (!e)
        return err_set(BOURN_E_MEMORY, "no memory left in the arena");
    if (like)
        begin(e, kind, front);
    enum bourn_err err = decode_rest(&r, pairs, like ? FRONT_PAIRS : 0, e);
    if (like && err == BOURN_OK)
        *like = (struct entry_like){e, rest, pairs};
    return err;
}

static const char *check_row(uint32_t kind, const struct row *r, uint64_t has)
{
    const struct entry_shape *s = entry_shape(kind);
    uint64_t must = ROW_ALWAYS | s->row_must;
    if (kind == ENTRY_KEY && r->action != 1) /* one that replaces or revokes names the key entry meant */
        must |= KEY_BIT(R_KEY);
    if (kind == ENTRY_CONSENT && r->grade == GRADE_SUBJECT_SIGNED)
        must |= KEY_BIT(R_KEY);
    if (kind == ENTRY_EXPORTED) /* a copy begins with a statement, and goes on from there */
        must |= has & KEY_BIT(R_COPY) ? KEY_BIT(R_COPY) : KEY_BIT(R_EVIDENCE) | KEY_BIT(R_ISSUED);
    if ((has & must) != must)
        return "a key that this kind needs is missing";
    uint64_t may = kind == ENTRY_KEY || kind == ENTRY_CONSENT ? 0
                   : kind == ENTRY_EXPORTED                   ? KEY_BIT(R_RECORDS)
                                                              : s->row_may;
    if (has & ~(must | may))
        return "a key that this kind does not have";
    if (kind == ENTRY_CONSENT && r->grade != GRADE_SUBJECT_SIGNED && r->grade != GRADE_OPERATOR_ATTESTED)
        return "a grade that a consent cannot have";
    if (kind == ENTRY_CONSENT && r->collections_n > CONSENT_LIST_MAX)
        return "a list that is too long";
    if (kind == ENTRY_KEY && r->action != 3 && r->voucher == VOUCHER_NONE)
        return "a key that nobody vouches for";
    return NULL;
}

enum bourn_err row_check(uint32_t kind, const struct row *r)
{
    unsigned key = 0;
    if (!entry_kind_has_rows(kind))
        return err_set(BOURN_E_FORMAT, "row: entries of kind %u have no rows", kind);
    const char *why = check_row(kind, r, r->has | ROW_ALWAYS);
    why = why ? why : codec_check(&row_codec, r->has | ROW_ALWAYS, r, &key);
    if (why)
        return err_set(BOURN_E_FORMAT, "row of kind %s: %s%s%s", entry_kind_name(kind), why,
                       key ? ", in " : "", key ? row_codec.fields[key].name : "");
    return BOURN_OK;
}

void row_encode(struct buf *out, uint32_t kind, const struct row *r)
{
    bourn_assert(row_check(kind, r) == BOURN_OK);
    codec_put(out, &row_codec, r->has | ROW_ALWAYS, r);
}

/* Label, prev and salt of a row that has a prev of four bytes; see get_front. */
static bool get_row_front(struct codec_reader *r, uint64_t pairs, struct row *row)
{
    enum { LABEL = 0, PREV = 18, SALT = 24, END = 42 };
    const uint8_t *p = r->in.p;
    if (r->in.why || pairs < 3 || r->in.end - p < END || p[LABEL] != R_LABEL || p[LABEL + 1] != 0x50 ||
        p[PREV] != R_PREV || p[PREV + 1] != 0x1a || p[SALT] != R_SALT || p[SALT + 1] != 0x50)
        return false;
    uint64_t prev = be_get(p + PREV + 2, 4);
    if (prev <= UINT16_MAX)
        return false;
    memcpy(row->label, p + LABEL + 2, 16);
    row->prev = prev;
    memcpy(row->salt, p + SALT + 2, 16);
    row->has = ROW_ALWAYS;
    r->in.p = p + END;
    return true;
}

enum bourn_err row_decode(struct slice in, uint32_t kind, struct arena *a, struct row *row)
{
    struct codec_reader r = {.arena = a};
    const struct entry_shape *s = entry_shape(kind);
    size_t size = sizeof *row;
    __asm__("" : "+r"(size)); /* where gcc knows the size it clears by `rep stos`, three times as long */
    memset(row, 0, size);
    if (!entry_kind_has_rows(kind))
        return err_set(BOURN_E_FORMAT, "row: entries of kind %u have no rows", kind);
    cbor_init(&r.in, in);
    uint64_t pairs = codec_get_head(&row_codec, &r);
    uint64_t may = ROW_ALWAYS | s->row_must | s->row_may, i = get_row_front(&r, pairs, row) ? 3 : 0;
    for (; i < pairs && !r.in.why; i++)
        codec_get_pair(&row_codec, &r, may, row, &row->has);
    r.key = 0;
    if (!r.in.why)
        cbor_fail(&r.in, check_row(kind, row, row->has));
    if (!r.in.why && r.in.p < r.in.end)
        cbor_fail(&r.in, "bytes after the end");
    return codec_done(&row_codec, &r);
}

/* Rows are canonical: the head of the map, key 1, the head of 16 bytes. */
bool row_label(struct slice row, uint8_t label[16])
{
    bool good = row.n >= 3 + 16 && row.p[0] >> 5 == 5 && row.p[1] == 1 && row.p[2] == (2 << 5 | 16);
    if (good)
        memcpy(label, row.p + 3, 16);
    return good;
}

bool row_is_of(struct slice row, const uint8_t label[16])
{
    uint8_t found[16];
    return row_label(row, found) && memcmp(found, label, 16) == 0;
}
