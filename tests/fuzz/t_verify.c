/* The replay over a ledger that a hostile operator wrote: a good log (of tests/forge), changed as the input
 * says, and hashed and signed again, so that what lies behind the hashes is reached. The verifier holds the
 * checkpoint of the good log: whatever was changed, it must never say that all is well. */
#include "fuzz.h"

#include "cbor/entry.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"
#include "packs/builtin.h"
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>

int forge_make_main(int argc, char **argv); /* tests/forge/make.c */

enum { ENTRIES = 96, MOST = 120 };

struct log {
    struct buf entry[MOST], rows[MOST];
    size_t n;
    struct buf evidence;
};
static struct log good, bad;
static struct merkle_vkey key;
static uint8_t secret[64];
static struct buf good_note;

static void copy(struct buf *to, struct slice from)
{
    to->cap = 1u << 20;
    buf_clear(to);
    buf_put_slice(to, from);
    fuzz_check(!to->failed);
}

static void load_file(const char *dir, const char *name, struct buf *out)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    buf_init(out, 4u << 20);
    if (!fuzz_read(path, out)) {
        perror(path);
        abort();
    }
}

static void load(void)
{
    char dir[256], count[16], name[64];
    struct buf b;
    struct slice item;
    size_t at = 0;
    snprintf(dir, sizeof dir, "%s/good", fuzz_dir());
    snprintf(count, sizeof count, "%d", ENTRIES);
    fuzz_check(
        forge_make_main(4, (char *[]){(char[]){"forge-make"}, dir, (char[]){"--entries"}, count, NULL}) == 0);
    load_file(dir, "signer/log.key", &b);
    fuzz_check(b.n == 32);
    uint8_t public_key[32];
    crypto_sign_from_seed(public_key, secret, b.p);
    buf_release(&b);
    load_file(dir, "ledger.vkey", &b);
    fuzz_ok(merkle_vkey_get(buf_slice(&b), &key));
    buf_release(&b);
    load_file(dir, "ledger/checkpoint", &good_note);
    struct merkle_checkpoint cp;
    fuzz_ok(merkle_checkpoint_open(buf_slice(&good_note), &key, &cp));
    fuzz_check(cp.size < MOST);
    snprintf(name, sizeof name, "ledger/tile/entries/000.p/%u", (unsigned)cp.size);
    load_file(dir, name, &b);
    while (bundle_next(buf_slice(&b), &at, &item))
        copy(&good.entry[good.n++], item);
    fuzz_check(good.n == cp.size);
    buf_release(&b);
    snprintf(name, sizeof name, "rows/000.p/%u", (unsigned)cp.size);
    load_file(dir, name, &b);
    at = 0;
    for (size_t i = 0; row_groups_next(buf_slice(&b), &at, &item); i++)
        copy(&good.rows[i], item);
    buf_release(&b);
    load_file(dir, "evidence.cborseq", &good.evidence);
    fuzz_remove(dir);
}

/* Count and root of the entry, from its rows as they are now. */
static void rehash(struct log *l, size_t i)
{
    struct arena a;
    struct entry e;
    struct merkle_edge edge;
    struct merkle_hash leaf, root;
    struct slice row;
    size_t at = 0;
    arena_init(&a, 8u << 20);
    if (entry_decode(buf_slice(&l->entry[i]), &a, &e) == BOURN_OK && entry_has(&e, E_ROOT)) {
        merkle_edge_init(&edge);
        while (rows_next(buf_slice(&l->rows[i]), &at, &row)) {
            merkle_leaf(&leaf, row);
            merkle_edge_append(&edge, &leaf);
        }
        merkle_edge_root(&edge, &root);
        memcpy(e.root, root.b, 32);
        e.count = edge.size;
        if (entry_check(&e) == BOURN_OK) {
            struct buf b;
            buf_init(&b, 1u << 20);
            entry_encode(&b, &e);
            copy(&l->entry[i], buf_slice(&b));
            buf_release(&b);
        }
    }
    arena_release(&a);
}

/* The row at the chosen place, or nothing; before and after it are kept. */
static bool take_row(const struct buf *rows, struct dice *d, struct slice *before, struct slice *row,
                     struct slice *after)
{
    size_t at = 0, n = 0;
    struct slice s;
    while (rows_next(buf_slice(rows), &at, &s))
        n++;
    if (!n)
        return false;
    at = 0;
    for (size_t i = dice_below(d, n) + 1; i > 0; i--)
        fuzz_check(rows_next(buf_slice(rows), &at, &s));
    *row = s;
    *before = slice_of(rows->p, (size_t)(s.p - rows->p) - 4);
    *after = slice_of(rows->p + at, rows->n - at);
    return true;
}

static void put_row(struct buf *rows, struct slice before, struct slice row, struct slice after)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_put_slice(&b, before);
    buf_put_be(&b, row.n, 4);
    buf_put_slice(&b, row);
    buf_put_slice(&b, after);
    copy(rows, buf_slice(&b));
    buf_release(&b);
}

static void change_row_field(struct row *r, struct dice *d)
{
    uint8_t what = dice_u8(d);
    uint64_t v = dice_edge(d);
    switch (what % 12) {
    case 0:
        r->prev = v;
        break;
    case 1:
        r->expires = v;
        break;
    case 2:
        r->issued = v;
        break;
    case 3:
        r->consent = v;
        break;
    case 4:
        r->key = v;
        break;
    case 5:
        r->grade = (uint32_t)(v % 6);
        break;
    case 6:
        r->voucher_ref = v;
        break;
    case 7:
        r->voucher = (uint32_t)(v % 5);
        break;
    case 8:
        r->notice = v;
        break;
    case 9:
        r->action = (uint32_t)(v % 4);
        break;
    case 10:
        r->label[0] ^= (uint8_t)v;
        break;
    default:
        r->evidence[0] ^= (uint8_t)v;
    }
}

static void change_row(struct log *l, size_t i, struct dice *d, bool by_field)
{
    struct slice before, row, after;
    struct buf b;
    if (!take_row(&l->rows[i], d, &before, &row, &after))
        return;
    buf_init(&b, 65536);
    struct arena a;
    struct entry e;
    struct row r;
    arena_init(&a, 8u << 20);
    if (by_field && entry_decode(buf_slice(&l->entry[i]), &a, &e) == BOURN_OK &&
        row_decode(row, e.kind, &a, &r) == BOURN_OK) {
        change_row_field(&r, d);
        if (row_check(e.kind, &r) == BOURN_OK)
            row_encode(&b, e.kind, &r);
    } else {
        buf_put_slice(&b, row);
        dice_edit(d, &b);
    }
    if (b.n)
        put_row(&l->rows[i], before, buf_slice(&b), after);
    arena_release(&a);
    buf_release(&b);
    rehash(l, i);
}

static void change_entry_field(struct log *l, size_t i, struct dice *d)
{
    struct arena a;
    struct entry e;
    struct buf b;
    arena_init(&a, 8u << 20);
    buf_init(&b, 1u << 20);
    if (entry_decode(buf_slice(&l->entry[i]), &a, &e) == BOURN_OK) {
        uint8_t what = dice_u8(d);
        uint64_t v = dice_edge(d);
        uint64_t *numbers[] = {&e.time,  &e.party,  &e.count,   &e.ends,
                               &e.delay, &e.format, &e.version, &e.retention};
        if (what % 12 < 8)
            *numbers[what % 12] = v;
        else if (what % 12 == 8)
            e.operation = (uint32_t)(v % 8);
        else if (what % 12 == 9)
            e.rights = (uint32_t)v & RIGHT_ALL;
        else if (what % 12 == 10)
            e.asked_by = (uint32_t)(v % 4);
        else
            e.kind = 1 + (uint32_t)(v % ENTRY_KIND_MAX);
        if (entry_check(&e) == BOURN_OK) {
            entry_encode(&b, &e);
            copy(&l->entry[i], buf_slice(&b));
        }
    }
    buf_release(&b);
    arena_release(&a);
}

/* The evidence of one row, changed, and its commitment made anew. */
static void change_evidence(struct log *l, struct dice *d)
{
    struct buf out, b;
    struct opened o;
    struct slice in = buf_slice(&l->evidence);
    size_t n = 0, at = 0;
    while (opened_next(&in, &o) == BOURN_OK)
        n++;
    at = dice_below(d, n);
    buf_init(&out, 4u << 20);
    buf_init(&b, 65536);
    in = buf_slice(&l->evidence);
    for (size_t i = 0; opened_next(&in, &o) == BOURN_OK; i++) {
        if (i != at) {
            opened_encode(&out, &o);
            continue;
        }
        uint8_t what = dice_u8(d);
        if (what < 32)
            continue; /* withheld */
        if (what < 64)
            o.status = o.status == EVIDENCE_OPENED ? EVIDENCE_ERASED : EVIDENCE_OPENED;
        buf_put_slice(&b, o.evidence);
        if (o.evidence.n)
            dice_edit(d, &b);
        if (b.n > 17000 || (o.status == EVIDENCE_OPENED) != (b.n > 0))
            b.n = 0;
        o.evidence = buf_slice(&b);
        o.status = b.n ? EVIDENCE_OPENED : o.status == EVIDENCE_OPENED ? EVIDENCE_ERASED : o.status;
        opened_encode(&out, &o);
        if (!b.n || o.index >= l->n)
            continue;
        size_t rows_at = 0;
        struct slice row;
        struct buf *rows = &l->rows[o.index];
        while (rows_next(buf_slice(rows), &rows_at, &row)) {
            struct arena a;
            struct row r;
            struct entry e;
            arena_init(&a, 8u << 20);
            if (entry_decode(buf_slice(&l->entry[o.index]), &a, &e) == BOURN_OK &&
                row_decode(row, e.kind, &a, &r) == BOURN_OK && memcmp(r.label, o.label, 16) == 0 &&
                row_has(&r, R_EVIDENCE)) {
                struct slice parts[] = {slice_str(EVIDENCE_DOMAIN), o.evidence};
                struct buf again;
                crypto_hmac(r.evidence, slice_of(o.salt, 32), parts, 2);
                buf_init(&again, 65536);
                row_encode(&again, e.kind, &r);
                fuzz_check(again.n == row.n);
                memcpy(rows->p + (row.p - rows->p), again.p, again.n);
                buf_release(&again);
            }
            arena_release(&a);
        }
        rehash(l, o.index);
    }
    copy(&l->evidence, buf_slice(&out));
    buf_release(&out);
    buf_release(&b);
}

static void move_entries(struct log *l, struct dice *d)
{
    uint8_t what = dice_u8(d);
    size_t i = dice_below(d, l->n), k = dice_below(d, l->n);
    struct buf e = l->entry[i], r = l->rows[i];
    if (what % 3 == 0 && l->n > 2) { /* dropped */
        for (size_t m = i; m + 1 < l->n; m++) {
            l->entry[m] = l->entry[m + 1];
            l->rows[m] = l->rows[m + 1];
        }
        l->n--;
        l->entry[l->n] = e;
        l->rows[l->n] = r;
    } else if (what % 3 == 1 && l->n < MOST) { /* once more at the end */
        copy(&l->entry[l->n], buf_slice(&e));
        copy(&l->rows[l->n], buf_slice(&r));
        l->n++;
    } else {
        l->entry[i] = l->entry[k];
        l->rows[i] = l->rows[k];
        l->entry[k] = e;
        l->rows[k] = r;
    }
}

/* All that was logged is still there. */
static bool kept(void)
{
    if (good.n > bad.n)
        return false;
    for (size_t i = 0; i < good.n; i++)
        if (!slice_eq(buf_slice(&good.entry[i]), buf_slice(&bad.entry[i])) ||
            !slice_eq(buf_slice(&good.rows[i]), buf_slice(&bad.rows[i])))
            return false;
    return true;
}

struct file {
    char name[64];
    struct buf bytes;
};
enum { F_BUNDLE, F_ROWS, F_TILE, F_CHECKPOINT, F_EVIDENCE, FILES };

static void build(struct file f[FILES])
{
    struct merkle_hash leaf[MOST], root;
    uint8_t signature[64];
    for (int i = 0; i < FILES; i++)
        buf_init(&f[i].bytes, 16u << 20);
    unsigned n = (unsigned)bad.n;
    snprintf(f[F_BUNDLE].name, sizeof f[0].name, "ledger/tile/entries/000.p/%u", n);
    snprintf(f[F_ROWS].name, sizeof f[0].name, "rows/000.p/%u", n);
    snprintf(f[F_TILE].name, sizeof f[0].name, "ledger/tile/0/000.p/%u", n);
    snprintf(f[F_CHECKPOINT].name, sizeof f[0].name, "ledger/checkpoint");
    snprintf(f[F_EVIDENCE].name, sizeof f[0].name, "evidence");
    for (size_t i = 0; i < bad.n; i++) {
        struct slice e = buf_slice(&bad.entry[i]);
        e.n = e.n < 65535 ? e.n : 65535;
        merkle_leaf(&leaf[i], e);
        buf_put_be(&f[F_BUNDLE].bytes, e.n, 2);
        buf_put_slice(&f[F_BUNDLE].bytes, e);
        buf_put_be(&f[F_ROWS].bytes, bad.rows[i].n, 4);
        buf_put_slice(&f[F_ROWS].bytes, buf_slice(&bad.rows[i]));
        buf_put(&f[F_TILE].bytes, leaf[i].b, 32);
    }
    merkle_root_of(&root, leaf, bad.n);
    struct buf *note = &f[F_CHECKPOINT].bytes;
    merkle_checkpoint_body(note, slice_str(key.name), bad.n, &root);
    crypto_sign(signature, buf_slice(note), secret);
    buf_put_str(note, "\n");
    merkle_note_sign_line(note, &key, slice_of(signature, 64));
    buf_put_slice(&f[F_EVIDENCE].bytes, buf_slice(&bad.evidence));
}

static int verify(struct file f[FILES], bool evidence, struct verify_report *report)
{
    static uint8_t pins[16][32];
    char ledger[300], rows[300], items[300], root[256];
    struct fuzz_file files[FILES];
    struct slice head = buf_slice(&good_note);
    snprintf(root, sizeof root, "%s/log", fuzz_dir());
    for (int i = 0; i < FILES; i++)
        files[i] = (struct fuzz_file){f[i].name, f[i].bytes};
    fuzz_tree_store(&(struct fuzz_tree){files, FILES}, root);
    snprintf(ledger, sizeof ledger, "%s/ledger", root);
    snprintf(rows, sizeof rows, "%s/rows", root);
    snprintf(items, sizeof items, "%s/evidence", root);
    for (size_t i = 0; i < builtin_packs_n && i < 16; i++)
        memcpy(pins[i], builtin_packs[i].pin, 32);
    struct verify_options o = {.source = ledger,
                               .rows = rows,
                               .evidence = evidence ? items : NULL,
                               .key = key,
                               .pins = (const uint8_t(*)[32])pins,
                               .pins_n = builtin_packs_n,
                               .heads = &head,
                               .heads_n = 1};
    fuzz_ok(verify_run(&o, report));
    return verify_exit_code(report);
}

static void run(struct slice in)
{
    static struct verify_report report;
    struct file f[FILES];
    struct dice d = {in};
    if (!good.n) {
        load();
        for (size_t i = 0; i < MOST; i++) {
            buf_init(&bad.entry[i], 1u << 20);
            buf_init(&bad.rows[i], 1u << 20);
        }
        buf_init(&bad.evidence, 4u << 20);
    }
    bad.n = good.n;
    for (size_t i = 0; i < good.n; i++) {
        copy(&bad.entry[i], buf_slice(&good.entry[i]));
        copy(&bad.rows[i], buf_slice(&good.rows[i]));
    }
    copy(&bad.evidence, buf_slice(&good.evidence));
    uint8_t how = dice_u8(&d);
    unsigned changes = how & 7;
    for (unsigned c = 0; c < changes && d.left.n; c++) {
        uint8_t what = dice_u8(&d);
        size_t i = dice_below(&d, bad.n);
        switch (what % 6) {
        case 0:
            dice_edit(&d, &bad.entry[i]);
            break;
        case 1:
            change_entry_field(&bad, i, &d);
            break;
        case 2:
        case 3:
            change_row(&bad, i, &d, what % 6 == 2);
            break;
        case 4:
            change_evidence(&bad, &d);
            break;
        default:
            move_entries(&bad, &d);
        }
    }
    build(f);
    bool files_same = true;
    if (how & 8 && d.left.n) {
        struct file *raw = &f[dice_below(&d, FILES)];
        struct buf was;
        buf_init(&was, 16u << 20);
        buf_put_slice(&was, buf_slice(&raw->bytes));
        dice_edit(&d, &raw->bytes);
        if (raw - f <= F_TILE)
            files_same = slice_eq(buf_slice(&was), buf_slice(&raw->bytes));
        buf_release(&was);
    }
    int code = verify(f, !(how & 16), &report);
    fuzz_check(code == 0 || code == 1 || code == 2);
    if (!kept() || !files_same)
        fuzz_check(code != 0); /* the earlier head convicts, or something cannot be read */
    else if (bad.n > good.n)
        fuzz_check(report.size == bad.n); /* one refusal more, say: that may be as true as the first */
    else if (!changes && !(how & 8))
        fuzz_check(code == (how & 16 ? 2 : 0));
    struct buf text;
    buf_init(&text, 8u << 20);
    verify_report_text(&text, &report);
    verify_report_json(&text, &report);
    buf_release(&text);
    for (int i = 0; i < FILES; i++)
        buf_release(&f[i].bytes);
}

static void seeds(void)
{
    fuzz_seed(slice_of("\0", 1));
    fuzz_seed(slice_of("\x10", 1));
    for (char what = 0; what < 6; what++)
        for (char i = 8; i < 60; i = (char)(i + 7)) {
            char text[] = {1, what, i, 1, 2, 9, 3, 0, 20, 65, 4};
            fuzz_seed(slice_of(text, sizeof text));
        }
    for (char file = 0; file < FILES; file++)
        fuzz_seed(slice_of((char[]){8, file, 1, 2, 0, 77, 3}, 7));
}

const struct fuzz_target fuzz_verify[] = {
    {"verify", run, seeds, 256, 300},
    {0},
};
