/* What a party kept: receipts, events and proofs. Each is the word of the log's key that a tree of its size
 * and root held this leaf at this index; a log that says otherwise later was signed anew. */
#include "verify/internal.h"

#include "base/json.h"
#include "base/text.h"
#include "gate/event.h"

/* The next entry at or behind `from` that one of them speaks of. */
static uint64_t next_kept(const struct replay *v, uint64_t from)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < v->o->kept_n; i++) {
        const struct merkle_receipt *r = &v->o->kept[i];
        if (r->index >= from && r->index < next)
            next = r->index;
        if (r->size > from && r->size - 1 < next)
            next = r->size - 1;
    }
    return next;
}

void kept_check(struct replay *v, const struct merkle_hash *leaf)
{
    struct merkle_hash root;
    v->event_here = false;
    if (!v->o->kept_n || v->index < v->kept_next)
        return;
    v->kept_next = next_kept(v, v->index + 1);
    for (size_t i = 0; i < v->o->kept_n; i++) {
        const struct merkle_receipt *r = &v->o->kept[i];
        if (r->index == v->index && memcmp(r->leaf.b, leaf->b, 32) != 0)
            finding(
                v, CLAUSE_S1,
                "a receipt names another entry here: it was left out or replaced, and the log signed anew");
        if (r->index == v->index && v->o->kept_events && v->o->kept_events[i].n)
            v->event_here = true;
        if (r->size != v->tree.size)
            continue;
        tree_root(&v->tree, &root);
        clauses_count(v, BIT(CLAUSE_V1) | BIT(CLAUSE_S1), COUNT_EXAMINED);
        if (memcmp(root.b, r->root.b, 32) != 0)
            finding_at(v, CLAUSE_V1, true, r->size,
                       "the tree of this size in a receipt has another root: history was rewritten");
        else
            v->rep->receipts++;
    }
}

void kept_events_check(struct replay *v, struct slice rows)
{
    for (size_t i = 0; v->event_here && i < v->o->kept_n; i++) {
        struct slice lines = v->o->kept_events[i];
        if (v->o->kept[i].index == v->index && lines.n && !event_is_of(lines, v->entry, rows))
            finding(v, CLAUSE_S1, "an event says of this entry what it does not say");
    }
}

void kept_missing(struct replay *v)
{
    uint64_t size = v->tree.size;
    for (size_t i = 0; i < v->o->kept_n; i++) {
        const struct merkle_receipt *r = &v->o->kept[i];
        if (r->index >= size)
            finding_at(v, CLAUSE_S1, false, r->index,
                       "a receipt names this entry, and the log has only %llu: it is missing",
                       (unsigned long long)size);
        else if (r->size > size)
            finding_at(v, CLAUSE_V1, true, r->size,
                       "a receipt has this size, the log now %llu: it was rolled back",
                       (unsigned long long)size);
    }
}

/* --- a proof, offline
 * ------------------------------------------------------------------------------------------- */

static enum bourn_err malformed(const char *what)
{
    return err_set(BOURN_E_FORMAT, "not an answer of /v1/ledger/proof: %s", what);
}

static bool string_member(struct json_value object, const char *name, bool base64, struct buf *out)
{
    struct json_value v;
    struct buf text;
    if (object.type != JSON_OBJECT || !json_find(object, name, &v) || v.type != JSON_STRING)
        return false;
    buf_clear(out);
    if (!base64) {
        json_string_decode(v.raw, out);
        return !out->failed;
    }
    buf_init(&text, v.raw.n);
    json_string_decode(v.raw, &text);
    bool good = !text.failed && base64_get(buf_slice(&text), out);
    buf_release(&text);
    return good && !out->failed;
}

/* Row `expected` of the entry, in its place under the entry's root. */
static enum bourn_err check_row(struct json_value value, const struct entry *e, uint64_t expected,
                                struct arena *arena)
{
    struct merkle_hash leaf, root, proof[MERKLE_PROOF_MAX];
    struct json_value index;
    struct row row;
    struct buf bytes;
    uint64_t at = 0;
    size_t n = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    buf_init(&bytes, ENTRY_BYTES_MAX);
    if (!string_member(value, "row", true, &bytes) || !merkle_proof_get(value, "proof", proof, &n) ||
        !json_find(value, "index", &index) || !decimal_get(index.raw, &at)) {
        err = malformed("a row has index, row and proof");
        goto out;
    }
    TRY(row_decode(buf_slice(&bytes), e->kind, arena, &row));
    merkle_leaf(&leaf, buf_slice(&bytes));
    memcpy(root.b, e->root, 32);
    if (at != expected || !merkle_verify_inclusion(at, e->count, &leaf, proof, n, &root))
        err = err_set(BOURN_E_CRYPTO, "row %llu is not the one that the entry commits to",
                      (unsigned long long)expected);
out:
    buf_release(&bytes);
    return err;
}

static enum bourn_err check_rows(struct json_value list, const struct entry *e, uint64_t *rows)
{
    enum bourn_err err = BOURN_OK;
    struct json_member m;
    struct arena arena;
    size_t at = 0;
    *rows = 0;
    arena_init(&arena, 1 << 20);
    bool some = entry_kind_has_rows(e->kind);
    while (err == BOURN_OK && json_next(list, &at, &m)) {
        arena_reset(&arena);
        err = !some                         ? malformed("rows of an entry that has none")
              : m.value.type != JSON_OBJECT ? malformed("a row is an object")
                                            : check_row(m.value, e, *rows, &arena);
        ++*rows;
    }
    arena_release(&arena);
    if (err == BOURN_OK && some && *rows != e->count)
        err = err_set(BOURN_E_CRYPTO, "%llu rows of an entry that has %llu", (unsigned long long)*rows,
                      (unsigned long long)e->count);
    return err;
}

enum bourn_err verify_proof(struct slice json, const struct merkle_vkey *key, struct merkle_receipt *out,
                            uint64_t *rows)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash leaf;
    struct json_value v, list, number;
    struct entry e;
    struct arena arena;
    struct buf bytes, text;
    uint64_t index = 0;
    *rows = 0;
    arena_init(&arena, 1 << 20);
    buf_init(&bytes, ENTRY_BYTES_MAX);
    buf_init(&text, 1 << 20);
    TRY(json_check(json, &v));
    if (!string_member(v, "entry", true, &bytes) || !string_member(v, "proof", false, &text) ||
        !json_find(v, "rows", &list) || list.type != JSON_ARRAY || !json_find(v, "index", &number) ||
        !decimal_get(number.raw, &index)) {
        err = malformed("an object with index, entry, rows and proof was expected");
        goto out;
    }
    merkle_leaf(&leaf, buf_slice(&bytes));
    TRY(merkle_tlog_proof_open(buf_slice(&text), key, &leaf, out));
    if (out->index != index)
        TRY(err_set(BOURN_E_CRYPTO, "the proof is of entry %llu, not of %llu", (unsigned long long)out->index,
                    (unsigned long long)index));
    TRY(entry_decode(buf_slice(&bytes), &arena, &e));
    TRY(check_rows(list, &e, rows));
out:
    arena_release(&arena);
    buf_release(&bytes);
    buf_release(&text);
    return err;
}
