/* What a party or a person keeps or is answered: receipts, proofs, a person's history, each made from a good
 * log (of tests/forge), changed as the input says. Whatever is accepted is in that log. */
#include "fuzz.h"

#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "history.h"
#include "merkle/merkle.h"
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>

int forge_make_main(int argc, char **argv); /* tests/forge/make.c */

enum { ENTRIES = 60, MOST = 90 };

static struct {
    struct buf entry[MOST], rows[MOST], note;
    struct merkle_hash leaf[MOST];
    size_t n;
    struct merkle_vkey key;
    uint8_t secret[64], label[16];
    struct merkle_checkpoint cp;
    uint64_t head; /* the last entry with a row of `label` */
} good;

static void load_file(const char *dir, const char *name, struct buf *out)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    buf_init(out, 4u << 20);
    fuzz_check(fuzz_read(path, out));
}

static void keep(struct buf *to, struct slice bytes)
{
    buf_init(to, 1u << 20);
    buf_put_slice(to, bytes);
}

/* The row of a label in an entry's group, and its place. */
static bool row_of(size_t entry, const uint8_t label[16], size_t *place, struct slice *row)
{
    size_t at = 0;
    for (*place = 0; rows_next(buf_slice(&good.rows[entry]), &at, row); ++*place)
        if (memcmp(row->p + 3, label, 16) == 0)
            return true;
    return false;
}

static void load(void)
{
    char dir[256], count[16], name[64];
    uint8_t public_key[32];
    struct buf b;
    struct slice item, row;
    size_t at = 0, most = 0;
    snprintf(dir, sizeof dir, "%s/kept", fuzz_dir());
    snprintf(count, sizeof count, "%d", ENTRIES);
    fuzz_check(
        forge_make_main(4, (char *[]){(char[]){"forge-make"}, dir, (char[]){"--entries"}, count, NULL}) == 0);
    load_file(dir, "signer/log.key", &b);
    crypto_sign_from_seed(public_key, good.secret, b.p);
    buf_release(&b);
    load_file(dir, "ledger.vkey", &b);
    fuzz_ok(merkle_vkey_get(buf_slice(&b), &good.key));
    buf_release(&b);
    load_file(dir, "ledger/checkpoint", &good.note);
    fuzz_ok(merkle_checkpoint_open(buf_slice(&good.note), &good.key, &good.cp));
    snprintf(name, sizeof name, "ledger/tile/entries/000.p/%u", (unsigned)good.cp.size);
    load_file(dir, name, &b);
    for (; bundle_next(buf_slice(&b), &at, &item); good.n++) {
        fuzz_check(good.n < MOST);
        keep(&good.entry[good.n], item);
        merkle_leaf(&good.leaf[good.n], item);
    }
    fuzz_check(good.n == good.cp.size);
    buf_release(&b);
    snprintf(name, sizeof name, "rows/000.p/%u", (unsigned)good.cp.size);
    load_file(dir, name, &b);
    at = 0;
    for (size_t i = 0; row_groups_next(buf_slice(&b), &at, &item); i++)
        keep(&good.rows[i], item);
    buf_release(&b);
    fuzz_remove(dir);
    /* The person of whom most is told. */
    for (size_t i = 0; i < good.n; i++) {
        size_t in = 0, place, n = 0;
        struct slice other;
        if (!rows_next(buf_slice(&good.rows[i]), &in, &row))
            continue;
        for (size_t k = 0; k < good.n; k++)
            n += row_of(k, row.p + 3, &place, &other);
        if (n > most) {
            most = n;
            memcpy(good.label, row.p + 3, 16);
        }
    }
    for (size_t i = 0, place; i < good.n; i++)
        if (row_of(i, good.label, &place, &row))
            good.head = i;
    fuzz_check(most > 2);
}

static void base64_text(struct buf *out, const char *before, struct slice bytes)
{
    buf_put_str(out, before);
    buf_put_str(out, "\"");
    base64_put(out, bytes);
    buf_put_str(out, "\"");
}

static void put_proof(struct buf *out, struct merkle_leaves *tree, size_t index)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    size_t n;
    fuzz_ok(merkle_leaves_prove(tree, index, proof, &n));
    buf_put_str(out, ",\"proof\":[");
    for (size_t i = 0; i < n; i++)
        base64_text(out, i ? "," : "", slice_of(proof[i].b, 32));
    buf_put_str(out, "]");
}

static struct merkle_leaves log_tree(void)
{
    struct merkle_leaves t;
    fuzz_ok(merkle_leaves_init(&t, good.n));
    memcpy(t.node, good.leaf, good.n * sizeof good.leaf[0]);
    merkle_leaves_grow(&t);
    return t;
}

static struct merkle_leaves rows_tree(size_t entry)
{
    struct merkle_leaves t;
    struct slice row;
    size_t n = 0, at = 0;
    while (rows_next(buf_slice(&good.rows[entry]), &at, &row))
        n++;
    fuzz_ok(merkle_leaves_init(&t, n));
    at = n = 0;
    while (rows_next(buf_slice(&good.rows[entry]), &at, &row))
        merkle_leaf(&t.node[n++], row);
    merkle_leaves_grow(&t);
    return t;
}

static void put_row(struct buf *out, struct merkle_leaves *tree, size_t place, struct slice row)
{
    buf_printf(out, "{\"index\":%zu,", place);
    base64_text(out, "\"row\":", row);
    put_proof(out, tree, place);
    buf_put_str(out, "}");
}

/* As GET /v1/ledger/proof/{index} answers. */
static void make_proof(struct buf *out, size_t index)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_leaves all = log_tree(), rows = rows_tree(index);
    struct slice row;
    struct buf text;
    size_t n, at = 0;
    buf_init(&text, 65536);
    fuzz_ok(merkle_leaves_prove(&all, index, proof, &n));
    merkle_tlog_proof_put(&text, index, proof, n, buf_slice(&good.note));
    buf_printf(out, "{\"index\":%zu,", index);
    base64_text(out, "\"entry\":", buf_slice(&good.entry[index]));
    buf_put_str(out, ",\"rows\":[");
    for (size_t i = 0; rows_next(buf_slice(&good.rows[index]), &at, &row); i++) {
        buf_put_str(out, i ? "," : "");
        put_row(out, &rows, i, row);
    }
    buf_put_str(out, "],\"proof\":");
    json_put_string(out, buf_slice(&text));
    buf_put_str(out, "}");
    buf_release(&text);
    merkle_leaves_release(&all);
    merkle_leaves_release(&rows);
}

/* As GET /v1/subjects/{id}/history answers, in one page. */
static void make_history(struct buf *out)
{
    struct merkle_leaves all = log_tree();
    buf_printf(out, "{\"label\":\"\",\"size\":%zu,\"checkpoint\":", good.n);
    json_put_string(out, buf_slice(&good.note));
    buf_put_str(out, ",\"rows\":[");
    for (size_t i = good.head + 1, n = 0; i-- > 0;) {
        struct slice row;
        size_t place;
        if (!row_of(i, good.label, &place, &row))
            continue;
        struct merkle_leaves rows = rows_tree(i);
        buf_printf(out, "%s{\"index\":%zu,", n++ ? "," : "", i);
        base64_text(out, "\"entry\":", buf_slice(&good.entry[i]));
        put_proof(out, &all, i);
        buf_put_str(out, ",\"row\":");
        put_row(out, &rows, place, row);
        buf_put_str(out, "}");
        merkle_leaves_release(&rows);
    }
    buf_put_str(out, "],\"parties\":[");
    for (size_t i = 0, n = 0; i < good.n; i++) {
        struct arena a;
        struct entry e;
        arena_init(&a, 1u << 20);
        fuzz_ok(entry_decode(buf_slice(&good.entry[i]), &a, &e));
        if (e.kind == ENTRY_PARTY && !entry_has(&e, E_ENDS)) {
            buf_printf(out, "%s{\"index\":%zu,", n++ ? "," : "", i);
            base64_text(out, "\"entry\":", buf_slice(&good.entry[i]));
            put_proof(out, &all, i);
            buf_put_str(out, "}");
        }
        arena_release(&a);
    }
    buf_put_str(out, "],\"next\":null}");
    merkle_leaves_release(&all);
}

static void check_said(const struct merkle_receipt *r)
{
    fuzz_check(r->index < good.n && r->size == good.n && memcmp(r->leaf.b, good.leaf[r->index].b, 32) == 0);
}

static void as_proof(struct slice json, bool same)
{
    struct merkle_receipt r;
    struct slice row;
    uint64_t rows;
    size_t n = 0, at = 0;
    enum bourn_err err = verify_proof(json, &good.key, &r, &rows);
    fuzz_check(!same || err == BOURN_OK);
    if (err != BOURN_OK)
        return;
    check_said(&r);
    while (rows_next(buf_slice(&good.rows[r.index]), &at, &row))
        n++;
    fuzz_check(rows == n);
}

static void as_history(struct slice json, bool same, bool lines)
{
    struct history h;
    struct buf out;
    history_init(&h, &good.key, good.label, lines);
    buf_init(&out, 8u << 20);
    enum bourn_err err = history_take(&h, json);
    fuzz_check(!same || (err == BOURN_OK && h.ended));
    if (err == BOURN_OK && h.ended) {
        /* All rows up to the first one shown, and no others. */
        size_t n = 0, place;
        struct slice row;
        for (size_t i = 0; i <= good.head; i++)
            n += row_of(i, good.label, &place, &row);
        fuzz_check(h.rows <= n && h.cp.size == good.n);
        history_put(&out, &h);
        fuzz_check(out.n == h.text.n);
    }
    history_release(&h);
    buf_release(&out);
}

/* The text of a receipt or event, changed and signed again, so that what lies behind the signature is
 * reached. */
static void as_receipt(struct buf *text)
{
    struct merkle_receipt r, e;
    struct merkle_checkpoint cp;
    struct buf again;
    struct slice lines;
    uint8_t signature[64];
    buf_init(&again, text->n + 4096);
    crypto_sign(signature, buf_slice(text), good.secret);
    buf_put_slice(&again, buf_slice(text));
    buf_put_str(&again, "\n");
    merkle_note_sign_line(&again, &good.key, slice_of(signature, 64));
    bool opens = merkle_receipt_open(buf_slice(&again), &good.key, &r) == BOURN_OK;
    bool event = merkle_event_open(buf_slice(&again), &good.key, &e, &lines) == BOURN_OK;
    fuzz_check(event <= merkle_is_event(buf_slice(&again)) && !(opens && event));
    fuzz_check(!(opens || event) || merkle_checkpoint_open(buf_slice(&again), &good.key, &cp) != BOURN_OK);
    if (opens || event) {
        struct buf made;
        buf_init(&made, again.cap);
        if (opens)
            merkle_receipt_text(&made, slice_str(good.key.name), &r);
        else
            merkle_event_text(&made, slice_str(good.key.name), &e, lines);
        r = opens ? r : e;
        fuzz_check(slice_eq(buf_slice(&made), buf_slice(text)) && r.index < r.size);
        buf_release(&made);
    }
    buf_release(&again);
}

static void run(struct slice in)
{
    struct dice d = {in};
    struct buf b;
    struct merkle_receipt r;
    if (!good.n)
        load();
    buf_init(&b, 4u << 20);
    uint8_t how = dice_u8(&d);
    size_t index = dice_below(&d, good.n);
    if (how % 4 == 0)
        make_proof(&b, index);
    else if (how % 4 == 1)
        make_history(&b);
    else if (how % 4 == 2 && how & 8)
        merkle_event_text(&b, slice_str(good.key.name),
                          &(struct merkle_receipt){index, good.n, good.leaf[index], good.cp.root},
                          slice_str("told 1\ntime 2026-11-29T03:39:02Z\npeople 1\n~00\n"));
    else if (how % 4 == 2)
        merkle_receipt_text(&b, slice_str(good.key.name),
                            &(struct merkle_receipt){index, good.n, good.leaf[index], good.cp.root});
    bool same = !d.left.n;
    struct slice rest = d.left;
    if (!same && how % 4 < 3)
        dice_edit(&d, &b);
    if (how % 4 == 0) {
        as_proof(buf_slice(&b), same);
    } else if (how % 4 == 1) {
        as_history(buf_slice(&b), same, how & 4);
    } else if (how % 4 == 2) {
        as_receipt(&b);
    } else { /* nobody but the log can sign one */
        struct slice lines;
        fuzz_check(merkle_receipt_open(rest, &good.key, &r) != BOURN_OK);
        fuzz_check(merkle_event_open(rest, &good.key, &r, &lines) != BOURN_OK);
        if (merkle_tlog_proof_open(rest, &good.key, &good.leaf[index], &r) == BOURN_OK)
            check_said(&r);
        as_proof(rest, false);
        as_history(rest, false, how & 4);
    }
    buf_release(&b);
}

static void seeds(void)
{
    static const uint8_t hows[] = {0, 1, 2, 5, 10};
    for (size_t i = 0; i < sizeof hows; i++)
        for (uint8_t index = 0; index < 60; index = (uint8_t)(index + 9)) {
            uint8_t seed[] = {hows[i], index, 1, 2, 40, 3, 0, 9, 65};
            fuzz_seed(slice_of(seed, 2));
            fuzz_seed(slice_of(seed, sizeof seed));
        }
    fuzz_seed(slice_str("\x03\x01{\"index\":1,\"entry\":\"AA==\",\"rows\":[],\"proof\":\"c2sp.org/"
                        "tlog-proof@v1\\nindex 1\\n\\n\"}"));
    fuzz_seed(slice_str("\x03\x01{\"size\":1,\"checkpoint\":null,\"rows\":[],\"parties\":[],\"next\":null}"));
}

const struct fuzz_target fuzz_kept[] = {
    {"kept", run, seeds, 1024, 600},
    {0},
};
