#include "command.h"

#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROOF_BYTES_MAX = 32 << 20 }; /* an entry has at most 4,096 rows */

enum bourn_err kept_add(struct kept *k, const char *file, bool proof)
{
    if (k->n == KEPT_MAX)
        return err_set(BOURN_E_USAGE, "more than %d receipts and proofs", KEPT_MAX);
    k->file[k->n] = file;
    k->proof[k->n++] = proof;
    return BOURN_OK;
}

/* A file of --receipt: a receipt, or an event, which is one that says more. */
static enum bourn_err read_receipt(struct kept *k, size_t i, const struct merkle_vkey *key, struct slice text)
{
    struct slice lines;
    if (!merkle_is_event(text))
        return merkle_receipt_open(text, key, &k->said[i]);
    enum bourn_err err = merkle_event_open(text, key, &k->said[i], &lines);
    uint8_t *own = err ? NULL : malloc(lines.n);
    if (!own)
        return err ? err : err_set(BOURN_E_MEMORY, "out of memory for an event");
    memcpy(own, lines.p, lines.n);
    k->event[i] = slice_of(own, lines.n);
    return BOURN_OK;
}

void kept_release(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free((void *)(uintptr_t)k->event[i].p);
        k->event[i] = slice_of(NULL, 0);
    }
}

static const char *kind_of(const struct kept *k, size_t i)
{
    return k->proof[i] ? "proof" : k->event[i].n ? "event" : "receipt";
}

enum bourn_err kept_read(struct kept *k, const struct merkle_vkey *key)
{
    enum bourn_err err = BOURN_OK;
    char why[400];
    struct buf text;
    buf_init(&text, PROOF_BYTES_MAX);
    for (size_t i = 0; i < k->n && err == BOURN_OK; i++) {
        buf_clear(&text);
        err = read_small(k->file[i], &text);
        if (err)
            break;
        err = k->proof[i] ? verify_proof(buf_slice(&text), key, &k->said[i], &k->rows[i])
                          : read_receipt(k, i, key, buf_slice(&text));
        if (err) {
            snprintf(why, sizeof why, "%s", err_text());
            err = err_set(err, "%s: %s", k->file[i], why);
        }
    }
    buf_release(&text);
    return err;
}

static void put_json(struct buf *out, const struct kept *k, size_t i)
{
    const struct merkle_receipt *r = &k->said[i];
    buf_printf(out, "%s{\"kind\":\"%s\",\"entry\":%llu,\"leaf\":\"", i ? "," : "", kind_of(k, i),
               (unsigned long long)r->index);
    base64_put(out, slice_of(r->leaf.b, 32));
    buf_printf(out, "\",\"size\":%llu,\"root\":\"", (unsigned long long)r->size);
    base64_put(out, slice_of(r->root.b, 32));
    buf_put_str(out, "\"");
    if (k->proof[i])
        buf_printf(out, ",\"rows\":%llu", (unsigned long long)k->rows[i]);
    buf_put_str(out, "}");
}

void kept_report(struct buf *out, const struct kept *k, bool json)
{
    buf_put_str(out, json ? "{\"exit\":0,\"kept\":[" : "");
    for (size_t i = 0; i < k->n; i++) {
        const struct merkle_receipt *r = &k->said[i];
        if (json) {
            put_json(out, k, i);
            continue;
        }
        buf_printf(out, "%s: the %s holds: entry %llu, in the tree of %llu entries", k->file[i],
                   kind_of(k, i), (unsigned long long)r->index, (unsigned long long)r->size);
        if (k->proof[i])
            buf_printf(out, ", with %llu rows", (unsigned long long)k->rows[i]);
        buf_put_str(out, "\n");
    }
    buf_put_str(
        out, json ? "]}\n"
                  : "Keep them: given to a replay of the log (bourn-verify FOLDER|URL --key FILE, and these "
                    "again), they\nshow whether it still holds what was signed here.\n");
}
