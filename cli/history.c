#include "history.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES_BYTES_MAX = 1 << 30, ARENA_BYTES = 1 << 20, PARTIES_MAX_TOLD = PARTIES_MAX };

void history_init(struct history *h, const struct merkle_vkey *key, const uint8_t label[16], bool json)
{
    *h = (struct history){.key = *key, .json = json};
    memcpy(h->label, label, 16);
    buf_init(&h->note, 65536);
    buf_init(&h->text, LINES_BYTES_MAX);
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->parties_n; i++)
        buf_release(&h->parties[i].legal_name);
    free(h->parties);
    free(h->ends);
    buf_release(&h->note);
    buf_release(&h->text);
    *h = (struct history){.begun = false};
}

static enum bourn_err malformed(const char *what)
{
    return err_set(BOURN_E_FORMAT, "the answer is not a history: %s", what);
}

static bool number(struct json_value object, const char *name, uint64_t *out)
{
    struct json_value v;
    return json_find(object, name, &v) && v.type == JSON_NUMBER && decimal_get(v.raw, out);
}

/* The string member, as it is or from base64. */
static bool string(struct json_value object, const char *name, bool base64, struct buf *out)
{
    struct json_value v;
    struct buf text;
    buf_clear(out);
    if (!json_find(object, name, &v) || v.type != JSON_STRING)
        return false;
    buf_init(&text, v.raw.n + 1);
    json_string_decode(v.raw, &text);
    bool good = !text.failed;
    if (good && base64)
        good = base64_get(buf_slice(&text), out);
    else if (good)
        buf_put_slice(out, buf_slice(&text));
    buf_release(&text);
    return good && !out->failed;
}

/* {"index","entry","proof"}: the entry's bytes, shown to stand at the index under the checkpoint. */
static enum bourn_err take_entry(struct history *h, struct json_value v, uint64_t *index, struct buf *bytes)
{
    struct merkle_hash leaf, proof[MERKLE_PROOF_MAX];
    size_t n = 0;
    if (v.type != JSON_OBJECT || !number(v, "index", index) || !string(v, "entry", true, bytes) ||
        !merkle_proof_get(v, "proof", proof, &n))
        return malformed("an entry has index, entry and proof");
    merkle_leaf(&leaf, buf_slice(bytes));
    if (!merkle_verify_inclusion(*index, h->cp.size, &leaf, proof, n, &h->cp.root))
        return err_set(BOURN_E_CRYPTO, "entry %llu is not the one that the checkpoint signs",
                       (unsigned long long)*index);
    return BOURN_OK;
}

const struct history_party *history_party(const struct history *h, uint64_t index)
{
    for (size_t i = 0; i < h->parties_n; i++)
        if (h->parties[i].index == index)
            return &h->parties[i];
    return NULL;
}

static enum bourn_err take_party(struct history *h, struct json_value v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct entry e;
    struct arena arena;
    struct buf bytes;
    uint64_t index = 0;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&bytes, ENTRY_BYTES_MAX);
    TRY(take_entry(h, v, &index, &bytes));
    TRY(entry_decode(buf_slice(&bytes), &arena, &e));
    if (e.kind != ENTRY_PARTY || entry_has(&e, E_ENDS)) {
        err = malformed("an entry that is no party stands among the parties");
        goto out;
    }
    if (history_party(h, index) || h->parties_n == PARTIES_MAX_TOLD)
        goto out;
    struct history_party *more = realloc(h->parties, (h->parties_n + 1) * sizeof *more);
    if (!more) {
        err = err_set(BOURN_E_MEMORY, "out of memory");
        goto out;
    }
    h->parties = more;
    struct history_party *p = &more[h->parties_n++];
    *p = (struct history_party){.index = index};
    snprintf(p->name, sizeof p->name, "%.*s", SLICE_ARG(e.name));
    snprintf(p->jurisdiction, sizeof p->jurisdiction, "%.*s", SLICE_ARG(e.jurisdiction));
    buf_init(&p->legal_name, 4096);
    buf_put_slice(&p->legal_name, e.legal_name);
out:
    arena_release(&arena);
    buf_release(&bytes);
    return err;
}

/* The row within its entry, and its place in the person's chain. */
static enum bourn_err check_row(struct history *h, uint64_t index, const struct entry *e, struct json_value v,
                                struct buf *bytes, struct arena *arena, struct row *row)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct merkle_hash leaf, root, proof[MERKLE_PROOF_MAX];
    uint64_t place = 0;
    size_t n = 0;
    if (v.type != JSON_OBJECT || !number(v, "index", &place) || !string(v, "row", true, bytes) ||
        !merkle_proof_get(v, "proof", proof, &n))
        return malformed("a row has index, row and proof");
    TRY(row_decode(buf_slice(bytes), e->kind, arena, row));
    merkle_leaf(&leaf, buf_slice(bytes));
    memcpy(root.b, e->root, 32);
    if (!merkle_verify_inclusion(place, e->count, &leaf, proof, n, &root))
        return err_set(BOURN_E_CRYPTO, "the row of entry %llu is not one that the entry commits to",
                       (unsigned long long)index);
    if (memcmp(row->label, h->label, 16) != 0)
        return err_set(BOURN_E_CONFLICT, "the row of entry %llu is about somebody else",
                       (unsigned long long)index);
    if (h->rows && index != h->next)
        return err_set(BOURN_E_CONFLICT,
                       "a gap: the row behind names entry %llu, and what comes is entry %llu",
                       (unsigned long long)h->next, (unsigned long long)index);
    if (row->prev != UINT64_MAX && row->prev >= index)
        return err_set(BOURN_E_CONFLICT, "entry %llu names a later one as the one before",
                       (unsigned long long)index);
    if ((row->prev == UINT64_MAX) != (e->kind == ENTRY_ENROLLED))
        return err_set(
            BOURN_E_CONFLICT,
            "entry %llu: a history begins with the entry by which the person entered, and only there",
            (unsigned long long)index);
out:
    return err;
}

static enum bourn_err take_row(struct history *h, struct json_value v)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value row_value;
    struct entry e;
    struct row row;
    struct arena arena;
    struct buf bytes, row_bytes;
    uint64_t index = 0;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&bytes, ENTRY_BYTES_MAX);
    buf_init(&row_bytes, ENTRY_BYTES_MAX);
    if (h->ended) {
        err = err_set(BOURN_E_CONFLICT, "something comes behind the beginning of the history");
        goto out;
    }
    TRY(take_entry(h, v, &index, &bytes));
    TRY(entry_decode(buf_slice(&bytes), &arena, &e));
    if (!entry_kind_has_rows(e.kind) || !json_find(v, "row", &row_value)) {
        err = malformed("a line without a row");
        goto out;
    }
    TRY(check_row(h, index, &e, row_value, &row_bytes, &arena, &row));
    (h->json ? history_json : history_words)(&h->text, h, index, &e, &row);
    TRY(buf_check(&h->text));
    uint64_t *ends = realloc(h->ends, (h->rows + 1) * sizeof *ends);
    if (!ends) {
        err = err_set(BOURN_E_MEMORY, "out of memory");
        goto out;
    }
    h->ends = ends;
    h->ends[h->rows++] = h->text.n;
    h->disclosures += e.kind == ENTRY_DISCLOSED;
    h->next = row.prev;
    h->ended = row.prev == UINT64_MAX;
out:
    arena_release(&arena);
    buf_release(&bytes);
    buf_release(&row_bytes);
    return err;
}

/* All pages are proved under the checkpoint of the first one. */
static enum bourn_err take_checkpoint(struct history *h, struct json_value v)
{
    struct json_value note;
    uint64_t size = 0;
    if (!number(v, "size", &size) || !json_find(v, "checkpoint", &note))
        return malformed("size and checkpoint are wanted");
    if (!h->begun) {
        if (!string(v, "checkpoint", false, &h->note))
            return malformed("the first page has no checkpoint");
        enum bourn_err err = merkle_checkpoint_open(buf_slice(&h->note), &h->key, &h->cp);
        if (err)
            return err;
        h->begun = true;
    }
    return size == h->cp.size ? BOURN_OK
                              : err_set(BOURN_E_CRYPTO, "a page is about another tree than the first one");
}

enum bourn_err history_take(struct history *h, struct slice page)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct json_value v, rows, parties, next;
    struct json_member m;
    uint64_t told = UINT64_MAX;
    size_t at = 0;
    TRY(json_check(page, &v));
    if (v.type != JSON_OBJECT || !json_find(v, "rows", &rows) || rows.type != JSON_ARRAY ||
        !json_find(v, "parties", &parties) || parties.type != JSON_ARRAY || !json_find(v, "next", &next) ||
        (next.type != JSON_NULL && !decimal_get(next.raw, &told)))
        return malformed("an object with rows, parties and next is wanted");
    TRY(take_checkpoint(h, v));
    while (json_next(parties, &at, &m))
        TRY(take_party(h, m.value));
    uint64_t before = h->rows;
    at = 0;
    while (json_next(rows, &at, &m))
        TRY(take_row(h, m.value));
    if (h->rows == before)
        return malformed("a page without rows");
    if (told != h->next)
        err =
            err_set(BOURN_E_CONFLICT, "a gap: the last row names another entry before it than the page does");
out:
    return err;
}

void history_put(struct buf *out, const struct history *h)
{
    for (uint64_t i = h->rows; i-- > 0;) {
        uint64_t from = i ? h->ends[i - 1] : 0;
        buf_put(out, h->text.p + from, h->ends[i] - from);
    }
}
