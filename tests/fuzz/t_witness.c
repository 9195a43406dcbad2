/* What reaches a witness from anywhere, and the policies that name witnesses. */
#include "fuzz.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "merkle/policy.h"
#include "merkle/witness.h"
#include "witness/witness.h"

#include <stdio.h>
#include <stdlib.h>

/* --- policies */

static void make_key(unsigned n, uint8_t type, struct merkle_vkey *key, uint8_t secret[64])
{
    uint8_t seed[32] = {(uint8_t)n, 0x5a}, pk[32];
    char name[32];
    crypto_sign_from_seed(pk, secret, seed);
    snprintf(name, sizeof name, "k%u.example", n);
    merkle_vkey_init(key, name, type, pk);
}

static void run_policy(struct slice in)
{
    static struct merkle_policy p, q;
    struct buf once, twice;
    if (merkle_policy_get(in, &p) != BOURN_OK) {
        fuzz_check(p.witnesses_n == 0 && !merkle_policy_met(&p, UINT64_MAX));
        return;
    }
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    merkle_policy_put(&once, &p);
    if (once.n <= POLICY_BYTES_MAX) {
        fuzz_ok(merkle_policy_get(buf_slice(&once), &q));
        merkle_policy_put(&twice, &q);
        fuzz_check(slice_eq(buf_slice(&once), buf_slice(&twice)) && q.logs_n == 0);
        /* Nobody is no quorum; everybody is one, unless none is wanted; and one more never hurts. */
        uint64_t all = p.witnesses_n ? UINT64_MAX >> (64 - p.witnesses_n) : 0, mask = all;
        fuzz_check(!merkle_policy_met(&p, 0));
        fuzz_check(merkle_policy_met(&p, all) == (p.quorum != MERKLE_POLICY_NONE));
        for (bool met = true; mask; mask &= mask - 1) {
            bool now = merkle_policy_met(&p, mask);
            fuzz_check(now == merkle_policy_met(&q, mask) && (met || !now));
            met = now;
        }
    }
    for (size_t i = 0; i < p.witnesses_n; i++)
        if (merkle_policy_url_ok(p.witness[i].url))
            fuzz_check(strncmp(p.witness[i].url, "http", 4) == 0 && !strchr(p.witness[i].url, '@'));
    buf_release(&once);
    buf_release(&twice);
}

static void seeds_policy(void)
{
    struct buf b;
    struct merkle_vkey key;
    uint8_t secret[64];
    buf_init(&b, 1 << 16);
    for (unsigned i = 0; i < 6; i++) {
        make_key(i, MERKLE_KEY_COSIGNATURE, &key, secret);
        buf_printf(&b, "witness %c%u ", i < 3 ? 'X' : 'Y', i % 3);
        merkle_vkey_put(&b, &key);
        buf_put_str(&b, i % 2 ? " http://127.0.0.1:80/x\n" : "\t https://w.example\n");
        if (i == 2)
            buf_put_str(&b, "# comment\n\ngroup X 2 X0 X1 X2\n");
    }
    buf_put_str(&b, "group Y any Y0 Y1 Y2\ngroup XY all X Y\nquorum XY\nlog ");
    make_key(9, MERKLE_KEY_LOG, &key, secret);
    merkle_vkey_put(&b, &key);
    buf_put_str(&b, " https://log.example\n");
    fuzz_seed(buf_slice(&b));
    fuzz_seed(slice_str("quorum none\n"));
    buf_release(&b);
}

/* --- submissions, as bytes */

static void run_submission(struct slice in)
{
    static struct merkle_submission s;
    struct buf again;
    if (merkle_submission_get(in, &s) != BOURN_OK)
        return;
    buf_init(&again, in.n + 64);
    merkle_submission_put(&again, s.old, s.proof, s.proof_n, s.note);
    fuzz_check(slice_eq(buf_slice(&again), in)); /* one form */
    fuzz_check(s.cp.origin.n && s.cp.body.n < s.note.n && s.proof_n <= WITNESS_PROOF_LINES_MAX);
    buf_release(&again);
}

/* --- a witness against a model of it */

enum { LEAVES = 40, SHARED = 10, STEPS = 12 };
static struct merkle_hash history[2][LEAVES]; /* two that fork behind SHARED entries */

static enum bourn_err read_leaf(void *ctx, unsigned height, uint64_t index, struct merkle_hash *out)
{
    const struct merkle_hash *leaves = ctx;
    fuzz_check((index + 1) << height <= LEAVES);
    merkle_root_of(out, leaves + (index << height), (size_t)1 << height);
    return BOURN_OK;
}

static void put_submission(struct buf *out, unsigned of, uint64_t old, uint64_t size, unsigned signer)
{
    struct merkle_hash root, proof[MERKLE_PROOF_MAX];
    struct merkle_vkey key;
    uint8_t secret[64], signature[64];
    struct buf note;
    size_t n = 0;
    buf_init(&note, 8192);
    make_key(signer, MERKLE_KEY_LOG, &key, secret);
    merkle_root_of(&root, history[of], (size_t)size);
    merkle_checkpoint_body(&note, slice_str("k0.example"), size, &root);
    crypto_sign(signature, buf_slice(&note), secret);
    buf_put_str(&note, "\n");
    merkle_note_sign_line(&note, &key, slice_of(signature, 64));
    if (old <= size)
        fuzz_ok(merkle_prove_consistency(old, size, read_leaf, history[of], proof, &n));
    merkle_submission_put(out, old, proof, n, buf_slice(&note));
    buf_release(&note);
}

struct model {
    struct witness *w;
    const char *dir;
    uint64_t size;
    struct merkle_hash root;
    struct merkle_vkey key; /* the witness's */
    struct buf body, request;
};

static void reopen(struct model *m)
{
    witness_close(m->w);
    fuzz_ok(witness_open(m->dir, &m->w));
}

/* What must come of a request that nothing damaged. */
static unsigned expected(const struct model *m, unsigned of, uint64_t old, uint64_t size, unsigned signer)
{
    struct merkle_hash then;
    merkle_root_of(&then, history[of], (size_t)m->size);
    return signer                                          ? 403
           : old > size                                    ? 400
           : old != m->size                                ? 409
           : memcmp(then.b, m->root.b, sizeof then.b) != 0 ? 422
                                                           : 200;
}

static void step(struct model *m, struct dice *d)
{
    unsigned of = dice_u8(d) & 1, signer = dice_u8(d) % 8 == 0;
    uint64_t size = dice_below(d, LEAVES + 1), old = dice_u8(d) & 3 ? m->size : dice_below(d, LEAVES + 1);
    bool damaged = dice_u8(d) % 4 == 0;
    struct witness_answer a = {.body = &m->body};
    static struct merkle_submission s;
    uint64_t time = 0;
    buf_clear(&m->request);
    buf_clear(&m->body);
    put_submission(&m->request, of, old, size, signer);
    unsigned want = expected(m, of, old, size, signer);
    if (damaged)
        dice_edit(d, &m->request);
    fuzz_ok(witness_add_checkpoint(m->w, buf_slice(&m->request), 1000000, &a));
    fuzz_check(damaged || a.status == want);
    fuzz_check(a.status == 200 || a.status == 400 || a.status == 403 || a.status == 404 || a.status == 409 ||
               a.status == 422);
    if (a.status == 409) {
        char text[32];
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)m->size);
        fuzz_check(slice_is(buf_slice(&m->body), text) && strcmp(a.type, "text/x.tlog.size") == 0);
    }
    if (a.status == 200) { /* whatever was damaged: it extends what was signed before, and is signed now */
        fuzz_ok(merkle_submission_get(buf_slice(&m->request), &s));
        fuzz_check(s.old == m->size && s.cp.size >= m->size);
        fuzz_check(s.cp.size > m->size || memcmp(s.cp.root.b, m->root.b, sizeof m->root.b) == 0);
        m->size = s.cp.size;
        m->root = s.cp.root;
        size_t from = (size_t)(s.note.p - m->request.p);
        buf_put_slice(&m->request, buf_slice(&m->body));
        struct slice cosigned = slice_of(m->request.p + from, m->request.n - from);
        fuzz_ok(merkle_cosignature_check(cosigned, &m->key, &time));
        fuzz_check(time == 1000000);
    }
    if (dice_u8(d) % 4 == 0)
        reopen(m); /* it knows what it signed */
}

static void run_witness(struct slice in)
{
    struct dice d = {in};
    struct model m = {.w = NULL};
    struct merkle_vkey log;
    uint8_t secret[64];
    struct buf text;
    char path[256];
    for (unsigned h = 0; h < 2; h++)
        for (unsigned i = 0; i < LEAVES; i++) {
            uint8_t data[2] = {(uint8_t)i, (uint8_t)(i < SHARED ? 0 : h)};
            merkle_leaf(&history[h][i], slice_of(data, 2));
        }
    snprintf(path, sizeof path, "%s/witness", fuzz_dir());
    fuzz_remove(path);
    m.dir = path;
    buf_init(&text, 4096);
    buf_init(&m.body, 8192);
    buf_init(&m.request, 1 << 17);
    merkle_empty(&m.root);
    fuzz_ok(witness_create(path, "w.example", &text));
    fuzz_ok(merkle_vkey_get(buf_slice(&text), &m.key));
    make_key(0, MERKLE_KEY_LOG, &log, secret);
    buf_clear(&text);
    merkle_vkey_put(&text, &log);
    fuzz_ok(witness_trust(path, buf_slice(&text)));
    reopen(&m);
    for (unsigned i = 0; i < STEPS && d.left.n; i++)
        step(&m, &d);
    witness_close(m.w);
    fuzz_remove(path);
    buf_release(&text);
    buf_release(&m.body);
    buf_release(&m.request);
}

static void seeds_witness(void)
{
    fuzz_seed(slice_of("\0\1\5\1\1\1\0\1\x0a\1\1\1\0\1\x14\1\1\1\1\1\x1e\1\1\1\0\1\x1e\1\1\0", 30));
    fuzz_seed(slice_of("\1\1\x0b\1\1\1\0\1\x0c\1\1\1\1\0\x0c\1\1\1\1\1\x0c\0\5\1\1\1\1\x28\1\0\3\1\7\6", 33));
}

static void seeds_submission(void)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    for (uint64_t old = 0; old < 8; old += 7) {
        buf_clear(&b);
        put_submission(&b, 0, old, 20, 0);
        fuzz_seed(buf_slice(&b));
    }
    buf_release(&b);
}

const struct fuzz_target fuzz_witness[] = {
    {"policy", run_policy, seeds_policy, 4096, 4000},
    {"submission", run_submission, seeds_submission, 4096, 5000},
    {"witness", run_witness, seeds_witness, 256, 500},
    {0},
};
