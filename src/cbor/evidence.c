/* Evidence, what opens it, and the streams that entries and rows lie in. */
#include "base/limits.h"
#include "cbor/codec.h"
#include "cbor/entry.h"

#define FIELD(strct, member, kind, from, to)                                                                 \
    {                                                                                                        \
        .name = #member, .type = kind, .at = offsetof(struct strct, member), .lo = from, .hi = to            \
    }
#define B(k) ((uint64_t)1 << (k))

enum { EV_KIND = 1, EV_STATEMENT, EV_SIGNATURE, EV_PUBLIC_KEY, EV_KEY_MAX = EV_PUBLIC_KEY };
static const struct codec_field evidence_fields[EV_KEY_MAX + 1] = {
    [EV_KIND] = FIELD(evidence, kind, CODEC_U32, EVIDENCE_CONSENT, EVIDENCE_HISTORY),
    [EV_STATEMENT] = FIELD(evidence, statement, CODEC_TEXT, 2, STATEMENT_BYTES_MAX),
    [EV_SIGNATURE] = FIELD(evidence, signature, CODEC_BYTES, 64, 64),
    [EV_PUBLIC_KEY] = FIELD(evidence, public_key, CODEC_KEY, 0, 0),
};
static const struct codec evidence_codec = {"evidence", evidence_fields, EV_KEY_MAX,
                                            STATEMENT_BYTES_MAX + 256};

static const char *check_evidence(uint64_t has, const struct evidence *e)
{
    uint64_t must = B(EV_KIND) | B(EV_STATEMENT), both = B(EV_SIGNATURE) | B(EV_PUBLIC_KEY);
    if ((has & must) != must)
        return "kind or statement is missing";
    if ((has & both) != both && (has & both || e->kind != EVIDENCE_CONSENT))
        return "signature or public key is missing";
    return NULL;
}

void evidence_encode(struct buf *out, const struct evidence *e)
{
    uint64_t has = B(EV_KIND) | B(EV_STATEMENT) | (e->signature.n ? B(EV_SIGNATURE) : 0) |
                   (e->public_key.n ? B(EV_PUBLIC_KEY) : 0);
    unsigned key;
    bourn_assert(!check_evidence(has, e) && !codec_check(&evidence_codec, has, e, &key));
    codec_put(out, &evidence_codec, has, e);
}

enum bourn_err evidence_decode(struct slice in, struct evidence *e)
{
    struct codec_reader r = {0};
    uint64_t has = 0;
    *e = (struct evidence){0};
    cbor_init(&r.in, in);
    uint64_t pairs = codec_get_head(&evidence_codec, &r);
    for (uint64_t i = 0; i < pairs && !r.in.why; i++)
        codec_get_pair(&evidence_codec, &r, ~(uint64_t)0 >> (63 - EV_KEY_MAX) & ~B(0), e, &has);
    if (!r.in.why)
        cbor_fail(&r.in, check_evidence(has, e));
    if (!r.in.why && r.in.p < r.in.end)
        cbor_fail(&r.in, "bytes after the end");
    return codec_done(&evidence_codec, &r);
}

enum { OP_INDEX = 1, OP_LABEL, OP_STATUS, OP_SALT, OP_EVIDENCE_BYTES, OP_KEY_MAX = OP_EVIDENCE_BYTES };
static const struct codec_field opened_fields[OP_KEY_MAX + 1] = {
    [OP_INDEX] = FIELD(opened, index, CODEC_U64, 0, CODEC_NUMBER_MAX),
    [OP_LABEL] = FIELD(opened, label, CODEC_B16, 0, 0),
    [OP_STATUS] = FIELD(opened, status, CODEC_U32, EVIDENCE_OPENED, EVIDENCE_REFUSED),
    [OP_SALT] = FIELD(opened, salt, CODEC_B32, 0, 0),
    [OP_EVIDENCE_BYTES] = FIELD(opened, evidence, CODEC_BYTES, 1, STATEMENT_BYTES_MAX + 256),
};
static const struct codec opened_codec = {"opened evidence", opened_fields, OP_KEY_MAX, SIZE_MAX};

static uint64_t opened_has(uint32_t status)
{
    uint64_t always = B(OP_INDEX) | B(OP_LABEL) | B(OP_STATUS);
    return status == EVIDENCE_OPENED ? always | B(OP_SALT) | B(OP_EVIDENCE_BYTES) : always;
}

void opened_encode(struct buf *out, const struct opened *o)
{
    uint64_t has = opened_has(o->status);
    unsigned key;
    bourn_assert(!codec_check(&opened_codec, has, o, &key));
    codec_put(out, &opened_codec, has, o);
}

enum bourn_err opened_next(struct slice *in, struct opened *o)
{
    struct codec_reader r = {0};
    uint64_t has = 0;
    *o = (struct opened){0};
    if (in->n == 0)
        return BOURN_E_NOT_FOUND;
    cbor_init(&r.in, *in);
    uint64_t pairs = codec_get_head(&opened_codec, &r);
    for (uint64_t i = 0; i < pairs && !r.in.why; i++)
        codec_get_pair(&opened_codec, &r, opened_has(EVIDENCE_OPENED), o, &has);
    if (!r.in.why && has != opened_has(o->status))
        cbor_fail(&r.in, "a key is missing or does not fit the status");
    if (!r.in.why)
        *in = slice_of(r.in.p, (size_t)(r.in.end - r.in.p));
    return codec_done(&opened_codec, &r);
}

/* One item of a stream of `bytes`-byte big-endian lengths. */
static bool next(struct slice in, size_t *at, unsigned bytes, struct slice *item)
{
    if (*at >= in.n || in.n - *at < bytes)
        return false;
    uint64_t n = be_get(in.p + *at, bytes);
    if (n > in.n - *at - bytes)
        return false;
    *item = slice_of(in.p + *at + bytes, (size_t)n);
    *at += bytes + (size_t)n;
    return true;
}

bool rows_next(struct slice in, size_t *at, struct slice *row)
{
    return next(in, at, 4, row);
}
bool bundle_next(struct slice in, size_t *at, struct slice *entry)
{
    return next(in, at, 2, entry);
}
bool row_groups_next(struct slice in, size_t *at, struct slice *group)
{
    return next(in, at, 4, group);
}
