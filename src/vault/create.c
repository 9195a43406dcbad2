/* Making a cell: keys, journal, public key, and the first frame: genesis, the packs directly behind it,
 * config. Built in a folder beside the wanted one and renamed at the end, so that nothing half-made is left.
 */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "consent/consent.h"
#include "merkle/merkle.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void create_discard(const char *partial)
{
    nftw(partial, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum bourn_err check_genesis(const struct vault_genesis *g)
{
    struct slice origin = slice_str(g->origin);
    if (!country_valid(slice_str(g->domicile)))
        return err_set(BOURN_E_USAGE, "domicile: an ISO 3166 code of two capital letters, e.g. CN");
    if (origin.n == 0 || origin.n > 200 || origin.p[origin.n - 1] == '/' || strstr(g->origin, "://"))
        return err_set(BOURN_E_USAGE,
                       "origin: the ledger's URL without scheme and trailing slash, e.g. cn.example/ledger");
    for (size_t i = 0; i < origin.n; i++)
        if (origin.p[i] <= ' ' || origin.p[i] > '~' || origin.p[i] == '+')
            return err_set(BOURN_E_USAGE, "origin: printable ASCII without spaces and '+'");
    if (!*g->controller || strlen(g->controller) > 256 || strlen(g->contact) > 256 ||
        !consent_line_ok(slice_str(g->controller)) || !consent_line_ok(slice_str(g->contact)))
        return err_set(
            BOURN_E_USAGE,
            "controller and contact: one line of at most 256 bytes each, the controller not empty");
    if (g->packs_n == 0 || g->packs_n > PACKS_MAX)
        return err_set(BOURN_E_USAGE, "a cell starts with 1 to %d packs", PACKS_MAX);
    return BOURN_OK;
}

static enum bourn_err write_keys(struct io_dir *cell, const struct vault_genesis *g, uint8_t public_key[32])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t seed[32], secret[64];
    struct merkle_vkey vkey;
    struct buf text;
    buf_init(&text, 1024);
    crypto_random(seed, sizeof seed);
    crypto_sign_from_seed(public_key, secret, seed);
    TRY(io_write_new(cell, "signer/log.key", slice_of(seed, sizeof seed), true));
    TRY(io_write_new(cell, "signer/head", slice_of(NULL, 0),
                     true)); /* vault's sandbox lets this file be read */
    merkle_vkey_init(&vkey, g->origin, 0x01, public_key);
    merkle_vkey_put(&text, &vkey);
    buf_put_str(&text, "\n");
    TRY(buf_check(&text));
    TRY(io_write_new(cell, "ledger.vkey", buf_slice(&text), true));
    TRY(slots_create(cell, g->origin));
out:
    crypto_wipe(seed, sizeof seed);
    crypto_wipe(secret, sizeof secret);
    buf_release(&text);
    return err;
}

static enum bourn_err write_folders(const char *path, const struct vault_genesis *g, uint8_t public_key[32])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    static const char *const folders[] = {"keys", "signer", "journal", "store", "state", "ledger", "rows"};
    static const struct journal_options shape = {JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENTS_MIN,
                                                 JOURNAL_SEGMENTS_MAX, JOURNAL_SEGMENTS_RESERVED};
    static const char yaml[] =
        "# Operational settings of this cell. Nothing here changes a verdict: what the gate reads is\n"
        "# in the ledger. It is read when the cell is served.\n"
        "version: 1\n"
        "entries: public    # or closed: then the bundles of entries are for auditors alone\n";
    struct io_dir *cell = NULL, *sub = NULL;
    TRY(io_dir_open(path, &cell));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        TRY(io_dir_at(cell, folders[i], true, &sub));
        if (strcmp(folders[i], "journal") == 0)
            TRY(journal_create(sub, &shape));
        io_dir_close(sub);
        sub = NULL;
    }
    TRY(write_keys(cell, g, public_key));
    TRY(io_write_new(cell, "bourn.yaml", slice_str(yaml), true));
    TRY(io_dir_sync(cell));
out:
    if (sub)
        io_dir_close(sub);
    if (cell)
        io_dir_close(cell);
    return err;
}

static enum bourn_err put_genesis(struct vault *v, const struct vault_genesis *g,
                                  const uint8_t public_key[32])
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct slice keys[] = {slice_of(public_key, 32)};
    char age[24], skew[24];
    uint64_t index;
    struct entry e = {.kind = ENTRY_GENESIS,
                      .time = v->now,
                      .origin = slice_str(g->origin),
                      .domicile = slice_str(g->domicile),
                      .legal_name = slice_str(g->controller),
                      .contact = slice_str(g->contact),
                      .keys = keys,
                      .keys_n = 1,
                      .delay = g->delay_s,
                      .format = 1};
    static const enum entry_key has[] = {E_ORIGIN, E_DOMICILE, E_LEGAL_NAME, E_CONTACT,
                                         E_KEYS,   E_DELAY,    E_FORMAT};
    for (size_t i = 0; i < sizeof has / sizeof has[0]; i++)
        entry_set(&e, has[i]);
    TRY(batch_entry(v, &e, NULL, 0, &index));
    for (size_t i = 0; i < g->packs_n; i++) {
        struct gate_pack pack;
        struct entry p = {
            .kind = ENTRY_POLICY, .time = v->now, .yaml = g->packs[i].yaml, .rules = g->packs[i].rules};
        TRY(gate_pack_decode(p.rules, &v->arena, &pack));
        p.name = pack.name;
        p.version = pack.version;
        entry_set(&p, E_NAME);
        entry_set(&p, E_VERSION);
        entry_set(&p, E_YAML);
        entry_set(&p, E_RULES);
        TRY(batch_entry(v, &p, NULL, 0, &index));
    }
    snprintf(age, sizeof age, "%d", STATEMENT_AGE_S_MAX);
    snprintf(skew, sizeof skew, "%d", KEY_STATEMENT_SKEW_S_MAX);
    struct entry_setting settings[] = {{slice_str("key_statement_skew_s"), slice_str(skew)},
                                       {slice_str("statement_age_s"), slice_str(age)}};
    struct entry c = {.kind = ENTRY_CONFIG, .time = v->now, .settings = settings, .settings_n = 2};
    entry_set(&c, E_SETTINGS);
    TRY(batch_entry(v, &c, NULL, 0, &index));
    err = vault_commit(v);
out:
    return err;
}

static void no_answer(void *ctx, uint64_t route, const struct reply *r)
{
    (void)ctx;
    (void)route;
    (void)r;
}

/* The name of the finished cell is durable before anybody is told that there is one. */
enum bourn_err create_publish(const char *partial, const char *path, size_t path_n)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    char parent[4096];
    struct io_dir *d = NULL;
    size_t n = path_n;
    while (n && path[n - 1] != '/')
        n--;
    snprintf(parent, sizeof parent, "%.*s", n ? (int)n : 1, n ? path : ".");
    TRY(io_dir_open(parent, &d));
    if (rename(partial, path) != 0)
        TRY(err_sys(BOURN_E_IO, "rename %s to %s", partial, path));
    err = io_dir_sync(d);
    if (err && rename(path, partial) != 0) /* so that nothing half-made stays under its name */
        err = err_sys(BOURN_E_IO, "sync the folder %s, and take %s back", parent, path);
out:
    io_dir_close(d);
    return err;
}

enum bourn_err vault_create(const char *path, const struct vault_genesis *g)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    char partial[4096];
    uint8_t public_key[32];
    struct vault *v = NULL;
    int lock = -1;
    struct stat st;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (snprintf(partial, sizeof partial, "%.*s.partial-XXXXXX", (int)n, path) >= (int)sizeof partial)
        return err_set(BOURN_E_USAGE, "the path is too long");
    TRY(check_genesis(g));
    if (stat(path, &st) == 0 && (!S_ISDIR(st.st_mode) || (rmdir(path) != 0 && errno != EROFS)))
        return err_set(BOURN_E_EXISTS,
                       "%s exists and is not an empty folder: choose another, nothing was changed", path);
    if (!mkdtemp(partial))
        return err_sys(BOURN_E_IO, "make the folder %s", partial);
    err = write_folders(partial, g, public_key);
    if (err == BOURN_OK)
        err = vault_lock(partial, &lock);
    if (err == BOURN_OK)
        err = vault_open(partial, lock, no_answer, NULL, &v);
    if (err == BOURN_OK)
        err = put_genesis(v, g, public_key);
    vault_close(v);
    if (err == BOURN_OK)
        err = create_publish(partial, path, n);
    if (err)
        create_discard(partial);
out:
    return err;
}
