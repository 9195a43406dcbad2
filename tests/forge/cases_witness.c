/* Forgeries of what witnesses said. The witnesses here are honest: their keys are made up, and what they
 * would not sign is not signed by them, but logged as if. */
#include "forge.h"

#include "base/limits.h"
#include "merkle/witness.h"

typedef struct verdict_at at;

struct said {     /* how the logged cosignatures differ from what two witnesses gave */
    long ahead_s; /* their time against the log's */
    bool bad, one, strangers, other_root;
    uint64_t more; /* entries more than there are */
};

static void key_of(uint8_t n, struct merkle_vkey *key, uint8_t secret[64])
{
    static const char *const names[] = {"w0.example", "w1.example", "stranger0.example", "stranger1.example"};
    uint8_t seed[32] = {0x77, n}, pk[32];
    crypto_sign_from_seed(pk, secret, seed);
    merkle_vkey_init(key, names[n], MERKLE_KEY_COSIGNATURE, pk);
}

static void policy(struct cast *c)
{
    struct buf b;
    struct merkle_vkey key;
    uint8_t secret[64];
    struct entry_setting *setting = arena_alloc(&c->l->arena, sizeof *setting);
    struct entry e = {.kind = ENTRY_CONFIG, .settings = setting, .settings_n = 1};
    buf_init(&b, 4096);
    for (uint8_t i = 0; i < 2; i++) {
        key_of(i, &key, secret);
        buf_printf(&b, "witness w%u ", i);
        merkle_vkey_put(&b, &key);
        buf_put_str(&b, "\n");
    }
    buf_put_str(&b, "group both 2 w0 w1\nquorum both\n");
    *setting = (struct entry_setting){slice_str("witness_policy"), arena_copy(&c->l->arena, buf_slice(&b))};
    entry_set(&e, E_SETTINGS);
    forge_add(c->l, &e, NULL, 0);
    buf_release(&b);
}

/* Logs cosignatures on the first `size` entries. */
static void witnessed(struct cast *c, uint64_t size, const struct said *s)
{
    struct merkle_hash root;
    struct merkle_vkey key;
    uint8_t secret[64];
    struct buf body, lines;
    struct entry e = {.kind = ENTRY_WITNESSED, .tree_size = size + s->more};
    buf_init(&body, 4096);
    buf_init(&lines, 8192);
    forge_root(c->l, size, &root);
    root.b[0] ^= s->other_root;
    merkle_checkpoint_body(&body, slice_str(c->l->key.name), e.tree_size, &root);
    for (uint8_t i = 0; i < (s->one ? 1 : 2); i++) {
        key_of((uint8_t)(i + (s->strangers ? 2 : 0)), &key, secret);
        secret[40] ^= s->bad && i == 0; /* the public half, which the signature is bound to */
        merkle_cosign(&lines, buf_slice(&body), &key, secret, c->l->time + (uint64_t)s->ahead_s);
    }
    memcpy(e.tree_root, root.b, 32);
    e.cosignatures = arena_copy(&c->l->arena, buf_slice(&lines));
    entry_set(&e, E_TREE_SIZE);
    entry_set(&e, E_TREE_ROOT);
    entry_set(&e, E_COSIGNATURES);
    forge_add(c->l, &e, NULL, 0);
    buf_release(&body);
    buf_release(&lines);
}

static at after_policy(struct cast *c, struct said s)
{
    policy(c);
    uint64_t size = c->l->n;
    act_refused(c, c->app);
    witnessed(c, size, &s);
    uint64_t here = forge_last(c->l);
    act_refused(c, c->app);
    return forge_at(here);
}

static at honest(struct cast *c)
{
    at first = after_policy(c, (struct said){.ahead_s = WITNESS_SKEW_S_MAX});
    uint64_t size = c->l->n;
    for (int i = 0; i < 300; i++)
        act_refused(c, c->app);
    witnessed(c, size, &(struct said){.ahead_s = -WITNESS_SKEW_S_MAX});
    return first;
}

static at stands_still(struct cast *c)
{
    return after_policy(c, (struct said){.ahead_s = WITNESS_SKEW_S_MAX + 1});
}

static at runs_ahead(struct cast *c)
{
    return after_policy(c, (struct said){.ahead_s = -WITNESS_SKEW_S_MAX - 1});
}

static at bad_signature(struct cast *c)
{
    return after_policy(c, (struct said){.bad = true});
}

static at other_root(struct cast *c)
{
    return after_policy(c, (struct said){.other_root = true});
}

static at no_quorum(struct cast *c)
{
    return after_policy(c, (struct said){.one = true});
}

static at strangers(struct cast *c)
{
    return after_policy(c, (struct said){.strangers = true});
}

static at beyond(struct cast *c)
{
    return after_policy(c, (struct said){.more = 2});
}

static at no_policy(struct cast *c)
{
    witnessed(c, c->l->n, &(struct said){0});
    return forge_here(c);
}

/* The clock stops behind good cosignatures: the next ones tell. */
static at stops_later(struct cast *c)
{
    after_policy(c, (struct said){0});
    uint64_t size = c->l->n;
    act_refused(c, c->app);
    witnessed(c, size, &(struct said){.ahead_s = 7200});
    return forge_here(c);
}

static at the_same_again(struct cast *c)
{
    policy(c);
    uint64_t size = c->l->n;
    act_refused(c, c->app);
    witnessed(c, size, &(struct said){0});
    witnessed(c, size, &(struct said){0});
    return forge_here(c);
}

const struct forge_case forge_cases_witness[] = {
    {"witnessed-clock-still", stands_still,
     "an entry more than a minute before the cosignature that it holds"},
    {"witnessed-clock-stops", stops_later, "a clock that stops between two cosignatures"},
    {"witnessed-clock-ahead", runs_ahead,
     "entries dated more than a minute behind the cosignature over them"},
    {"witnessed-bad-signature", bad_signature, "a cosignature that does not verify"},
    {"witnessed-other-root", other_root, "cosignatures on another history"},
    {"witnessed-no-quorum", no_quorum, "one cosignature where the policy wants two"},
    {"witnessed-strangers", strangers, "cosignatures by keys that the policy does not name"},
    {"witnessed-beyond", beyond, "cosignatures on more entries than there are"},
    {"witnessed-no-policy", no_policy, "cosignatures where no policy is in force"},
    {"witnessed-again", the_same_again, "the same cosignatures logged twice, as if they were new"},
    {"honest-witnessed", honest, "no forgery: cosignatures, one of them over a full tile"},
    {NULL, NULL, NULL},
};
