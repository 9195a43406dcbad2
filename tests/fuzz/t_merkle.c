/* What a log, a witness or a client sends about the tree: keys, notes, tile paths, proofs. */
#include "fuzz.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/merkle.h"

#include <stdio.h>
#include <stdlib.h>

static void vectors(struct buf *note, struct merkle_vkey key[2])
{
    struct buf keys;
    char path[4096];
    const char *root = getenv("BOURN_SOURCE") ? getenv("BOURN_SOURCE") : ".";
    buf_init(&keys, 65536);
    buf_init(note, 65536);
    snprintf(path, sizeof path, "%s/tests/vectors/checkpoint.txt", root);
    fuzz_check(fuzz_read(path, note));
    snprintf(path, sizeof path, "%s/tests/vectors/checkpoint.vkeys", root);
    fuzz_check(fuzz_read(path, &keys));
    uint8_t *end = memchr(keys.p, '\n', keys.n);
    fuzz_check(end);
    fuzz_ok(merkle_vkey_get(slice_of(keys.p, (size_t)(end + 1 - keys.p)), &key[0]));
    fuzz_ok(merkle_vkey_get(slice_of(end + 1, (size_t)(keys.p + keys.n - end - 1)), &key[1]));
    buf_release(&keys);
}

/* The input is a note: as it stands, and signed anew by the log's key, so that what is behind the signature
 * is reached. */
static void run_note(struct slice in)
{
    static struct buf good;
    static struct merkle_vkey key[2], own;
    static uint8_t secret[64];
    struct merkle_checkpoint cp;
    uint64_t time;
    struct buf b;
    if (!good.p) {
        uint8_t pk[32];
        static const uint8_t seed[32] = {7};
        vectors(&good, key);
        crypto_sign_from_seed(pk, secret, seed);
        merkle_vkey_init(&own, "cn.example/ledger", 1, pk);
    }
    if (merkle_checkpoint_open(in, &key[0], &cp) == BOURN_OK) {
        /* It was signed, so it is the vector's text: nobody can sign another. */
        fuzz_check(cp.size == 70000 && slice_is(cp.origin, "cn.example/ledger"));
        if (merkle_cosignature_check(in, &key[1], &time) == BOURN_OK)
            fuzz_check(time > 0);
    }
    const uint8_t *mark = NULL;
    for (size_t i = 0; i + 1 < in.n && !mark; i++)
        if (in.p[i] == '\n' && in.p[i + 1] == '\n')
            mark = in.p + i + 1;
    if (!mark)
        return;
    uint8_t signature[64];
    struct slice body = slice_of(in.p, (size_t)(mark - in.p));
    buf_init(&b, in.n + 4096);
    crypto_sign(signature, body, secret);
    buf_put_slice(&b, body);
    buf_put_str(&b, "\n");
    merkle_note_sign_line(&b, &own, slice_of(signature, 64));
    buf_put(&b, mark + 1, in.n - body.n - 1);
    if (merkle_checkpoint_open(buf_slice(&b), &own, &cp) == BOURN_OK) {
        struct buf again;
        buf_init(&again, 4096);
        merkle_checkpoint_body(&again, cp.origin, cp.size, &cp.root);
        fuzz_check(slice_eq(cp.body, buf_slice(&again)) && slice_eq(cp.body, body));
        buf_release(&again);
    }
    if (merkle_cosignature_check(buf_slice(&b), &key[1], &time) == BOURN_OK)
        fuzz_check(slice_eq(body, slice_of(good.p, body.n)));
    buf_release(&b);
}

static void seeds_note(void)
{
    fuzz_seed_file("tests/vectors/checkpoint.txt");
    fuzz_seed(slice_str("cn.example/ledger\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"));
}

static void run_vkey(struct slice in)
{
    struct merkle_vkey k;
    struct buf again;
    buf_init(&again, 4096);
    if (merkle_vkey_get(in, &k) == BOURN_OK) {
        merkle_vkey_put(&again, &k);
        fuzz_check(again.n <= in.n && memcmp(in.p, again.p, again.n) == 0 && in.n - again.n <= 1);
        fuzz_check(crypto_public_key_ok(k.key));
    }
    /* The same with the right key id: name, '+', eight digits, '+', base64. */
    const uint8_t *plus = in.n ? memchr(in.p, '+', in.n) : NULL;
    size_t name_n = plus ? (size_t)(plus - in.p) : 0;
    if (plus && name_n && name_n <= MERKLE_ORIGIN_BYTES_MAX && in.n - name_n > 10 &&
        !memchr(in.p, 0, name_n)) {
        struct buf raw, text;
        char name[MERKLE_ORIGIN_BYTES_MAX + 1] = {0};
        buf_init(&raw, 4096);
        buf_init(&text, 8192);
        memcpy(name, in.p, name_n);
        if (base64_get(slice_of(plus + 10, in.n - name_n - 10), &raw) && raw.n) {
            uint8_t hash[32];
            struct slice parts[] = {slice_of(name, name_n), slice_str("\n"), buf_slice(&raw)};
            crypto_sha256(hash, parts, 3);
            buf_put(&text, name, name_n);
            buf_put_str(&text, "+");
            hex_put(&text, slice_of(hash, 4));
            buf_put_str(&text, "+");
            base64_put(&text, buf_slice(&raw));
            buf_clear(&again);
            if (merkle_vkey_get(buf_slice(&text), &k) == BOURN_OK) {
                merkle_vkey_put(&again, &k);
                fuzz_check(slice_eq(buf_slice(&text), buf_slice(&again)) && crypto_public_key_ok(k.key));
            }
        }
        buf_release(&raw);
        buf_release(&text);
    }
    buf_release(&again);
}

static void seeds_vkey(void)
{
    struct buf note, text;
    struct merkle_vkey key[2];
    vectors(&note, key);
    buf_init(&text, 4096);
    for (int i = 0; i < 2; i++) {
        buf_clear(&text);
        merkle_vkey_put(&text, &key[i]);
        fuzz_seed(buf_slice(&text));
    }
    buf_release(&text);
    buf_release(&note);
}

static void run_tile(struct slice in)
{
    struct merkle_tile t;
    struct buf again;
    if (!merkle_tile_parse(in, &t))
        return;
    buf_init(&again, 4096);
    fuzz_check(t.width >= 1 && t.width <= MERKLE_TILE_WIDTH && t.level <= 63);
    if (t.kind == MERKLE_TILE_HASHES)
        buf_printf(&again, "%u/", t.level);
    else
        buf_put_str(&again, t.kind == MERKLE_TILE_ENTRIES ? "entries/" : "rows/");
    merkle_tile_name(&again, t.n);
    if (t.width < MERKLE_TILE_WIDTH)
        buf_printf(&again, ".p/%u", t.width);
    fuzz_check(slice_eq(in, buf_slice(&again)));
    buf_release(&again);
}

static void seeds_tile(void)
{
    static const char *const texts[] = {"0/000", "63/x001/x234/067.p/5", "entries/x999/999.p/255", "rows/001",
                                        "entries/x018/x446/x744/x073/x709/x551/615"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fuzz_seed(slice_str(texts[i]));
}

enum { LEAVES = 70 };
static struct merkle_hash leaf[LEAVES];

static enum bourn_err read_leaf(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    (void)ctx;
    fuzz_check(height < 7 && (index + 1) << height <= LEAVES);
    merkle_root_of(out, leaf + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

/* A proof from the right tree, then damaged: accepted exactly if it says the same. */
static void run_proof(struct slice in)
{
    struct dice d = {in};
    struct merkle_hash proof[MERKLE_PROOF_MAX + 1] = {0}, root, old_root;
    size_t n = 0;
    if (memcmp(&leaf[0], &leaf[1], sizeof leaf[0]) == 0)
        for (unsigned i = 0; i < LEAVES; i++)
            merkle_leaf(&leaf[i], slice_of(&i, sizeof i));
    uint64_t size = 1 + dice_below(&d, LEAVES), index = dice_below(&d, (size_t)size);
    bool inclusion = dice_u8(&d) & 1;
    merkle_root_of(&root, leaf, (size_t)size);
    merkle_root_of(&old_root, leaf, (size_t)index);
    fuzz_ok(inclusion ? merkle_prove_inclusion(index, size, read_leaf, NULL, proof, &n)
                      : merkle_prove_consistency(index, size, read_leaf, NULL, proof, &n));
    struct merkle_hash was[MERKLE_PROOF_MAX + 1];
    memcpy(was, proof, sizeof was);
    size_t was_n = n;
    uint64_t was_index = index, was_size = size;
    if (d.left.n) {
        uint8_t what = dice_u8(&d);
        if (what & 1)
            ((uint8_t *)proof)[dice_below(&d, sizeof proof)] ^= dice_u8(&d);
        if (what & 2)
            n = dice_below(&d, MERKLE_PROOF_MAX + 1);
        if (what & 4)
            index = dice_edge(&d);
        if (what & 8)
            size = dice_edge(&d);
    }
    bool same =
        n == was_n && index == was_index && size == was_size && memcmp(proof, was, n * sizeof *proof) == 0;
    bool good = inclusion ? merkle_verify_inclusion(index, size, &leaf[was_index], proof, n, &root)
                          : merkle_verify_consistency(index, &old_root, size, &root, proof, n);
    fuzz_check(!same || good);
    /* Another index or size may fit the same hashes only where no step of the path tells them apart; a
     * changed hash never does. */
    if (index == was_index && size == was_size)
        fuzz_check(good == same);
}

static void seeds_proof(void)
{
    fuzz_seed(slice_of("\x45\x20\1", 3));
    fuzz_seed(slice_of("\x45\x20\0\x0f\x05\x06\x40\x50\x41\x42\x43", 11));
}

const struct fuzz_target fuzz_merkle[] = {
    {"note", run_note, seeds_note, 2048, 3000},
    {"vkey", run_vkey, seeds_vkey, 512, 10000},
    {"tile", run_tile, seeds_tile, 128, 20000},
    {"proof", run_proof, seeds_proof, 64, 10000},
    {0},
};
