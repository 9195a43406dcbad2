/* The ledger's encoding: whatever is taken must be encoded again to the same bytes. */
#include "fuzz.h"

#include "base/limits.h"
#include "cbor/entry.h"

/* The reader: one byte of the input chooses each call, the rest is read. */
static void run_reader(struct slice in)
{
    struct dice d = {in};
    struct slice calls = dice_take(&d, 32);
    struct cbor c;
    cbor_init(&c, d.left);
    for (size_t i = 0; i < calls.n; i++) {
        const uint8_t *before = c.p;
        struct slice s = {0};
        switch (calls.p[i] % 8) {
        case 0:
            cbor_uint(&c);
            break;
        case 1:
            s = cbor_bytes(&c);
            break;
        case 2:
            s = cbor_text(&c);
            break;
        case 3:
            fuzz_check(cbor_array(&c, 100) <= 100);
            break;
        case 4:
            fuzz_check(cbor_map(&c, 100) <= 100);
            break;
        case 5:
            cbor_bool(&c);
            break;
        case 6:
            cbor_null(&c);
            break;
        default:
            s = cbor_skip(&c);
        }
        fuzz_check(c.p >= before && c.p <= c.end);
        if (s.n)
            fuzz_check(s.p >= d.left.p && s.p + s.n <= d.left.p + d.left.n);
        fuzz_check(!c.why || cbor_done(&c) == BOURN_E_FORMAT);
    }
}

static void seeds_reader(void)
{
    static const uint8_t text[] = {9,    4, 0, 1, 0, 2,    0,   3,   5,   6,    0xa2, 1,
                                   0x43, 1, 2, 3, 2, 0x63, 'a', 'b', 'c', 0x82, 0xf5, 0xf6};
    fuzz_seed(slice_of(text, sizeof text));
    fuzz_seed_vectors("tests/vectors/entries.txt", "entry", 2, 7);
}

static void run_entry(struct slice in)
{
    struct arena a;
    struct entry e;
    struct buf again;
    arena_init(&a, 8u << 20);
    buf_init(&again, ENTRY_BYTES_MAX);
    if (entry_decode(in, &a, &e) == BOURN_OK) {
        fuzz_check(entry_kind_name(e.kind) && entry_check(&e) == BOURN_OK);
        entry_encode(&again, &e);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_release(&again);
    arena_release(&a);
}

static void seeds_entry(void)
{
    fuzz_seed_vectors("tests/vectors/entries.txt", "entry", 2, -1);
    fuzz_seed_vectors("tests/vectors/entries.txt", "bad-entry", 2, -1);
}

static void run_row(struct slice in)
{
    struct arena a;
    struct row r;
    struct buf again;
    if (!in.n)
        return;
    struct slice bytes = slice_of(in.p + 1, in.n - 1);
    uint32_t kind = in.p[0] % (ENTRY_KIND_MAX + 2);
    arena_init(&a, 64u << 20);
    buf_init(&again, ROWS_BYTES_MAX);
    if (row_decode(bytes, kind, &a, &r) == BOURN_OK) {
        fuzz_check(entry_kind_has_rows(kind) && row_check(kind, &r) == BOURN_OK);
        row_encode(&again, kind, &r);
        fuzz_check(slice_eq(bytes, buf_slice(&again)));
    }
    buf_release(&again);
    arena_release(&a);
}

static void seeds_row(void)
{
    for (int kind = ENTRY_ENROLLED; kind <= ENTRY_KIND_MAX; kind++)
        if (entry_kind_has_rows((uint32_t)kind))
            fuzz_seed_vectors("tests/vectors/entries.txt", "row", 2, kind);
}

static void run_evidence(struct slice in)
{
    struct evidence e;
    struct opened o, last = {0};
    struct buf again;
    buf_init(&again, 1u << 20);
    if (evidence_decode(in, &e) == BOURN_OK) {
        evidence_encode(&again, &e);
        fuzz_check(slice_eq(in, buf_slice(&again)));
    }
    buf_clear(&again);
    struct slice left = in;
    enum bourn_err err;
    while ((err = opened_next(&left, &o)) == BOURN_OK) {
        last = o;
        opened_encode(&again, &o);
        fuzz_check(left.n < in.n);
    }
    if (err == BOURN_E_NOT_FOUND)
        fuzz_check(slice_eq(in, buf_slice(&again)));
    (void)last;
    buf_release(&again);
}

static void seeds_evidence(void)
{
    static const uint8_t signature[64] = {1}, key[32] = {2};
    struct buf b, o;
    buf_init(&b, 4096);
    buf_init(&o, 8192);
    for (unsigned kind = EVIDENCE_CONSENT; kind <= EVIDENCE_KEY; kind++) {
        struct evidence e = {kind, slice_str("{\"a\":1}"), slice_of(signature, 64), slice_of(key, 32)};
        buf_clear(&b);
        evidence_encode(&b, &e);
        fuzz_seed(buf_slice(&b));
        struct opened item = {.index = 300, .status = EVIDENCE_OPENED, .evidence = buf_slice(&b)};
        opened_encode(&o, &item);
    }
    opened_encode(&o, &(struct opened){.index = 70000, .status = EVIDENCE_ERASED});
    fuzz_seed(buf_slice(&o));
    buf_release(&b);
    buf_release(&o);
}

/* Streams: the items put together again are the input up to where the stream broke. */
static void run_streams(struct slice in)
{
    static bool (*const next[])(struct slice, size_t *, struct slice *) = {rows_next, bundle_next,
                                                                           row_groups_next};
    static const unsigned length_bytes[] = {4, 2, 4};
    struct buf again;
    buf_init(&again, 1u << 20);
    for (int i = 0; i < 3; i++) {
        size_t at = 0;
        struct slice item;
        buf_clear(&again);
        while (next[i](in, &at, &item)) {
            buf_put_be(&again, item.n, length_bytes[i]);
            buf_put_slice(&again, item);
            fuzz_check(at == again.n);
        }
        fuzz_check(at <= in.n && slice_eq(slice_of(in.p, again.n), buf_slice(&again)));
    }
    buf_release(&again);
}

static void seeds_streams(void)
{
    fuzz_seed(slice_of("\0\3abc\0\0\0\1x", 10));
    fuzz_seed(slice_of("\0\0\0\3abc\0\0\0\0\0\0\0\1x", 16));
}

const struct fuzz_target fuzz_cbor[] = {
    {"cbor", run_reader, seeds_reader, 1024, 20000},
    {"entry", run_entry, seeds_entry, 4096, 20000},
    {"row", run_row, seeds_row, 4096, 20000},
    {"evidence", run_evidence, seeds_evidence, 4096, 20000},
    {"streams", run_streams, seeds_streams, 1024, 10000},
    {0},
};
