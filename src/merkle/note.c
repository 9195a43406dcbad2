/* Signed notes and checkpoints. The reader takes the one form that bourn writes (origin, size, root, no
 * extension lines) and skips signatures of keys that it does not know. */
#include "base/limits.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/note_internal.h"

enum {
    TYPE_LOG = MERKLE_KEY_LOG,
    TYPE_COSIGNATURE = MERKLE_KEY_COSIGNATURE,
    KEY_ID_BYTES = 4,
    TIME_BYTES = 8,
    SIGNATURE_LINES_MAX = COSIGNATURES_MAX + 1,
};
static const char dash[] = "\xe2\x80\x94 "; /* U+2014 and a space */

/* signed-note forbids spaces and plus in the name of a key; names here are printable ASCII. */
static bool key_name_valid(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '+')
            return false;
    return s.n > 0 && s.n <= MERKLE_ORIGIN_BYTES_MAX;
}

void merkle_vkey_init(struct merkle_vkey *k, const char *name, uint8_t type, const uint8_t pk[32])
{
    struct slice s = slice_str(name);
    bourn_assert(s.n <= MERKLE_ORIGIN_BYTES_MAX);
    memset(k, 0, sizeof *k);
    memcpy(k->name, s.p, s.n);
    k->type = type;
    memcpy(k->key, pk, sizeof k->key);
    uint8_t hash[32], separator[2] = {'\n', type};
    const struct slice parts[] = {s, slice_of(separator, 2), slice_of(pk, 32)};
    crypto_sha256(hash, parts, 3);
    memcpy(k->id, hash, sizeof k->id);
}

void merkle_vkey_put(struct buf *out, const struct merkle_vkey *k)
{
    uint8_t bytes[33] = {k->type};
    memcpy(bytes + 1, k->key, 32);
    buf_put_str(out, k->name);
    buf_put_str(out, "+");
    hex_put(out, slice_of(k->id, sizeof k->id));
    buf_put_str(out, "+");
    base64_put(out, slice_of(bytes, sizeof bytes));
}

static enum bourn_err bad_vkey(const char *why)
{
    return err_set(BOURN_E_FORMAT, "not a key of a log or witness (name+id+base64): %s", why);
}

enum bourn_err merkle_vkey_get(struct slice text, struct merkle_vkey *out)
{
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    const uint8_t *plus = text.n ? memchr(text.p, '+', text.n) : NULL;
    struct slice name = slice_of(text.p, plus ? (size_t)(plus - text.p) : 0);
    uint8_t id[KEY_ID_BYTES];
    if (!key_name_valid(name))
        return bad_vkey("the name is empty, too long or holds a forbidden character");
    struct slice rest = slice_of(plus + 1, text.n - name.n - 1);
    if (rest.n < 9 || rest.p[8] != '+' || !hex_get(slice_of(rest.p, 8), id, sizeof id))
        return bad_vkey("after the name comes + and eight lower-case hex digits");
    struct buf key;
    buf_init(&key, 64);
    bool ok = base64_get(slice_of(rest.p + 9, rest.n - 9), &key) && key.n == 33 &&
              (key.p[0] == TYPE_LOG || key.p[0] == TYPE_COSIGNATURE);
    if (ok) {
        char name_text[MERKLE_ORIGIN_BYTES_MAX + 1] = {0};
        memcpy(name_text, name.p, name.n);
        merkle_vkey_init(out, name_text, key.p[0], key.p + 1);
    }
    buf_release(&key);
    if (!ok)
        return bad_vkey("the end is not the base64 of an Ed25519 key of type 1 or 4");
    if (memcmp(id, out->id, sizeof id) != 0)
        return bad_vkey("the id does not belong to this name and key");
    return crypto_public_key_ok(out->key) ? BOURN_OK : bad_vkey("the key is not a sound point of Ed25519");
}

void merkle_checkpoint_body(struct buf *out, struct slice origin, uint64_t size,
                            const struct merkle_hash *root)
{
    buf_put_slice(out, origin);
    buf_printf(out, "\n%llu\n", (unsigned long long)size);
    base64_put(out, slice_of(root->b, sizeof root->b));
    buf_put_str(out, "\n");
}

void merkle_note_sign_line(struct buf *out, const struct merkle_vkey *k, struct slice signature)
{
    struct buf payload;
    buf_init(&payload, NOTE_SIGNATURE_BYTES_MAX);
    buf_put(&payload, k->id, sizeof k->id);
    buf_put_slice(&payload, signature);
    out->failed |= payload.failed;
    buf_put_str(out, dash);
    buf_put_str(out, k->name);
    buf_put_str(out, " ");
    base64_put(out, buf_slice(&payload));
    buf_put_str(out, "\n");
    buf_release(&payload);
}

static enum bourn_err bad_note(const char *why)
{
    return err_set(BOURN_E_FORMAT, "malformed signed note: %s", why);
}

bool note_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return false;
    *line = slice_of(rest->p, (size_t)(end - rest->p));
    *rest = slice_of(end + 1, rest->n - line->n - 1);
    return true;
}

bool note_split(struct slice note, struct slice *body, struct slice *lines)
{
    for (size_t i = 0; i < note.n; i++)
        if (note.p[i] < ' ' && note.p[i] != '\n')
            return false;
    const uint8_t *blank = note.n ? memmem(note.p, note.n, "\n\n", 2) : NULL;
    if (!blank || !utf8_valid(note))
        return false;
    *body = slice_of(note.p, (size_t)(blank - note.p) + 1);
    *lines = slice_of(blank + 2, note.n - body->n - 1);
    return true;
}

/* "— name base64(id || signature)": the name, and the decoded rest in payload. */
static bool line_get(struct slice line, struct slice *name, struct buf *payload)
{
    size_t skip = strlen(dash);
    buf_clear(payload);
    if (line.n < skip || memcmp(line.p, dash, skip) != 0)
        return false;
    line = slice_of(line.p + skip, line.n - skip);
    const uint8_t *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
    if (!space || space == line.p)
        return false;
    *name = slice_of(line.p, (size_t)(space - line.p));
    return base64_get(slice_of(space + 1, line.n - name->n - 1), payload) && payload->n > KEY_ID_BYTES;
}

enum bourn_err note_signature(struct slice lines, const struct merkle_vkey *k, struct buf *signature)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice line, name = {0};
    struct buf payload;
    unsigned count = 0, found = 0;
    buf_init(&payload, NOTE_SIGNATURE_BYTES_MAX);
    while (note_line(&lines, &line)) {
        if (++count > SIGNATURE_LINES_MAX)
            TRY(err_set(BOURN_E_LIMIT, "a checkpoint has more than %d signatures", SIGNATURE_LINES_MAX));
        if (!line_get(line, &name, &payload))
            TRY(bad_note("a signature line is not \"\u2014 name base64\""));
        if (!slice_is(name, k->name) || memcmp(payload.p, k->id, KEY_ID_BYTES) != 0)
            continue;
        if (found++)
            TRY(bad_note("two signatures by the same key"));
        buf_put(signature, payload.p + KEY_ID_BYTES, payload.n - KEY_ID_BYTES);
    }
    if (lines.n || !count)
        TRY(bad_note("signature lines are missing or the last one does not end"));
    if (!found)
        TRY(err_set(BOURN_E_NOT_FOUND, "no signature by the key %s", k->name));
    err = buf_check(signature);
out:
    buf_release(&payload);
    return err;
}

static enum bourn_err body_get(struct slice body, const char *origin, struct merkle_checkpoint *out)
{
    struct slice rest = body, size, root;
    struct merkle_hash empty;
    if (!note_line(&rest, &out->origin) || !note_line(&rest, &size) || !note_line(&rest, &root) || rest.n)
        return bad_note("its text is not origin, size and root on three lines");
    if (!slice_is(out->origin, origin))
        return bad_note("its origin is not the name of the log's key");
    if (!decimal_get(size, &out->size) || out->size >> 63)
        return bad_note("its size is not a decimal number below 2^63 without leading zeroes");
    merkle_empty(&empty);
    if (!merkle_hash_get(root, &out->root) ||
        (out->size == 0 && memcmp(out->root.b, empty.b, sizeof empty.b) != 0))
        return bad_note("its root is not the base64 of 32 bytes, or not the root of an empty tree");
    out->body = body;
    return BOURN_OK;
}

enum bourn_err merkle_note_open(struct slice note, const struct merkle_vkey *log_key, struct slice *text)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice lines;
    struct buf signature;
    buf_init(&signature, NOTE_SIGNATURE_BYTES_MAX);
    if (log_key->type != TYPE_LOG)
        TRY(err_set(BOURN_E_CRYPTO, "the key %s is not one of a log", log_key->name));
    if (!note_split(note, text, &lines))
        TRY(bad_note("not UTF-8 lines, an empty line, and signatures"));
    err = note_signature(lines, log_key, &signature);
    if (err == BOURN_E_NOT_FOUND)
        err = BOURN_E_CRYPTO;
    if (err)
        goto out;
    if (signature.n != CRYPTO_SIGNATURE_BYTES || !crypto_verify(signature.p, *text, log_key->key))
        TRY(err_set(BOURN_E_CRYPTO, "the signature of %s on the note does not verify", log_key->name));
out:
    buf_release(&signature);
    return err;
}

enum bourn_err merkle_checkpoint_open(struct slice note, const struct merkle_vkey *log_key,
                                      struct merkle_checkpoint *out)
{
    struct slice body, lines;
    bool splits = log_key->type == TYPE_LOG && note_split(note, &body, &lines);
    enum bourn_err err = splits ? body_get(body, log_key->name, out) : BOURN_OK;
    if (err == BOURN_OK) /* says what is wrong with the key, or where it does not split, too */
        err = merkle_note_open(note, log_key, &body);
    if (err)
        *out = (struct merkle_checkpoint){0};
    return err;
}

enum bourn_err merkle_cosignature_check(struct slice note, const struct merkle_vkey *witness,
                                        uint64_t *time_s)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice body, lines;
    struct buf payload, message;
    buf_init(&payload, NOTE_SIGNATURE_BYTES_MAX);
    buf_init(&message, note.n + 64);
    if (witness->type != TYPE_COSIGNATURE)
        TRY(err_set(BOURN_E_CRYPTO, "the key %s is not one of a witness", witness->name));
    if (!note_split(note, &body, &lines))
        TRY(bad_note("not UTF-8 lines, an empty line, and signatures"));
    TRY(note_signature(lines, witness, &payload));
    bool ok = payload.n == TIME_BYTES + CRYPTO_SIGNATURE_BYTES && payload.p[0] < 0x80;
    if (ok) {
        *time_s = be_get(payload.p, TIME_BYTES);
        buf_printf(&message, "cosignature/v1\ntime %llu\n", (unsigned long long)*time_s);
        buf_put_slice(&message, body);
        TRY(buf_check(&message));
        ok = crypto_verify(payload.p + TIME_BYTES, buf_slice(&message), witness->key);
    }
    err = ok ? BOURN_OK : err_set(BOURN_E_CRYPTO, "the cosignature of %s does not verify", witness->name);
out:
    buf_release(&payload);
    buf_release(&message);
    return err;
}
