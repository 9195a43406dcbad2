/* forge-make DIR [--entries N]: writes a good ledger with every kind of entry that is written so far, real
 * keys, signatures and evidence, in the layout of a cell: ledger/, rows/, signer/log.key, ledger.vkey,
 * evidence.cborseq. */
#include "forge.h"

#include "packs/builtin.h"

#include <stdio.h>
#include <stdlib.h>

enum { PEOPLE = 400, START_S = 1767225600 };

struct life {
    struct puppet p;
    bool enrolled, erased, has_key, lab, shop, letter;
    uint64_t shop_consent, deleted;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void genesis(struct forge_log *l)
{
    struct slice key = slice_of(l->key.key, 32);
    struct entry_setting setting = {slice_str("rp_id"), slice_str("cn.example")};
    struct entry e = {
        .kind = ENTRY_GENESIS,
        .time = START_S,
        .origin = slice_str(l->key.name),
        .domicile = slice_str("CN"),
        .legal_name = slice_str("Clinic Ltd"),
        .contact = slice_str("dpo@cn.example"),
        .keys = &key,
        .keys_n = 1,
        .delay = 86400,
        .format = 1,
    };
    entry_set(&e, E_ORIGIN);
    entry_set(&e, E_DOMICILE);
    entry_set(&e, E_LEGAL_NAME);
    entry_set(&e, E_CONTACT);
    entry_set(&e, E_KEYS);
    entry_set(&e, E_DELAY);
    entry_set(&e, E_FORMAT);
    struct slice *own = arena_alloc(&l->arena, sizeof *own);
    *own = arena_copy(&l->arena, key);
    e.keys = own;
    forge_add(l, &e, NULL, 0);
    for (size_t i = 0; i < builtin_packs_n; i++) {
        struct arena a;
        struct gate_pack p;
        arena_init(&a, 1 << 20);
        if (gate_pack_decode(builtin_packs[i].rules, &a, &p) != BOURN_OK)
            forge_die("%s", err_text());
        e = (struct entry){.kind = ENTRY_POLICY,
                           .name = slice_str(builtin_packs[i].name),
                           .version = p.version,
                           .yaml = builtin_packs[i].yaml,
                           .rules = builtin_packs[i].rules};
        entry_set(&e, E_NAME);
        entry_set(&e, E_VERSION);
        entry_set(&e, E_YAML);
        entry_set(&e, E_RULES);
        forge_add(l, &e, NULL, 0);
        arena_release(&a);
    }
    struct entry_setting *settings = arena_alloc(&l->arena, sizeof setting);
    *settings = setting;
    e = (struct entry){.kind = ENTRY_CONFIG, .settings = settings, .settings_n = 1};
    entry_set(&e, E_SETTINGS);
    forge_add(l, &e, NULL, 0);
}

/* The lab is replaced by another party of the same name; its consents stay with the old one. */
static void replace_lab(struct cast *c, struct life *people)
{
    struct slice name = world_party(c->l->world, c->lab)->name;
    act_party_end(c->l, c->lab);
    c->lab = act_party(c->l, name, "app", "US", RIGHT_READ, LAB_PURPOSE, NULL, LAB_PURPOSE_2);
    for (int i = 0; i < PEOPLE; i++)
        people[i].lab = false;
}

static void erase(struct cast *c, struct life *x)
{
    struct puppet *p = &x->p;
    for (size_t i = 0; i < c->l->n; i++) /* the evidence dies with the key */
        for (size_t j = 0; j < c->l->v[i].rows_n; j++) {
            struct forge_row *r = &c->l->v[i].rows[j];
            if (memcmp(r->r.label, p->label, 16) != 0)
                continue;
            r->status = r->open ? EVIDENCE_ERASED : 0;
            r->keep_commitment = true;
            r->open = false;
        }
    act_erased(c, p);
    *x = (struct life){0};
}

/* The first who has signed something. */
static void erase_somebody(struct cast *c, struct life *people)
{
    for (int i = 0; i < PEOPLE; i++)
        if (people[i].lab) {
            erase(c, &people[i]);
            return;
        }
}

/* The person asks for a copy: the records, and the letter where there is one. */
static void take_copy(struct cast *c, struct life *x)
{
    struct puppet *p = &x->p;
    act_copy(c, p, &(struct take){.from = x->deleted + 1});
    if (x->letter && c->l->time < p->letter_time + LETTER_S)
        act_copy(c, p, &(struct take){.letter = true, .goes_on = true});
    act_reading(c, p, &(struct take){0});
}

/* One thing that happens to one person. */
static void live(struct cast *c, struct life *x, uint64_t dice)
{
    struct puppet *p = &x->p;
    if (!x->enrolled) {
        act_person(p);
        act_enrolled(c, &p, 1);
        act_stored(c, c->app, &p, 1);
        x->enrolled = true;
    } else if (x->letter && c->l->time >= p->letter_time + LETTER_S) {
        act_expired(c, c->letters, p, p->letters);
        x->letter = false;
    } else if (dice % 13 == 4) {
        if (x->letter)
            act_letter_read(c, p);
        else
            act_letter(c, p);
        x->letter = true;
    } else if (x->has_key && dice % 31 == 5) {
        take_copy(c, x);
    } else if (!x->has_key && dice % 3 == 0) {
        act_key(c, p, p->secret);
        x->has_key = true;
    } else if (x->has_key && !x->lab && dice % 3 == 1) {
        act_consent(c, p, &(struct ask){0});
        x->lab = true;
    } else if (x->lab && dice % 5 < 3) {
        act_disclosed(c, c->lab, LAB_PURPOSE, c->collection, &p, 1, GRADE_SUBJECT_SIGNED, p->consent);
    } else if (x->lab && dice % 5 == 3) {
        act_withdrawn(c, p);
        x->lab = false;
        act_refused(c, c->lab);
    } else if (!x->shop && dice % 7 == 2) {
        uint64_t lab = p->consent;
        act_consent(c, p, &(struct ask){.recipient = c->shop, .attested = true});
        x->shop_consent = p->consent;
        p->consent = lab;
        x->shop = true;
    } else if (x->shop && dice % 7 < 4) {
        act_disclosed(c, c->shop, LAB_PURPOSE, c->collection, &p, 1, GRADE_OPERATOR_ATTESTED,
                      x->shop_consent);
    } else if (x->p.records < 3) {
        act_stored(c, c->app, &p, 1);
    } else if (x->deleted + 1 < x->p.records && dice % 5 == 0) {
        act_deleted(c, p, ++x->deleted);
    } else if (dice % 29 == 0) {
        erase(c, x);
    } else {
        act_disclosed(c, c->app, HOME_PURPOSE, c->collection, &p, 1, GRADE_GROUND, c->app);
    }
}

/* A few people at once: a search at home, or an auditor who opens evidence. */
static void together(struct cast *c, struct life *people, uint64_t dice)
{
    struct puppet *p[8];
    size_t n = 0;
    for (size_t i = 0; i < 8; i++) {
        struct life *x = &people[(dice + i) % PEOPLE];
        if (x->enrolled)
            p[n++] = &x->p;
    }
    if (!n)
        return;
    if (dice % 2)
        act_evidence(c, p, n);
    else
        act_disclosed(c, c->app, HOME_PURPOSE, c->collection, p, n, GRADE_GROUND, c->app)->e.operation =
            OP_SEARCH;
}

static void run(const char *dir, size_t entries)
{
    static struct life people[PEOPLE];
    struct forge_log l;
    struct cast c;
    struct buf text;
    uint64_t dice = 0x9e3779b97f4a7c15u;
    memset(people, 0, sizeof people); /* who makes two logs makes them of different people */
    forge_new(&l, "cn.example/ledger");
    genesis(&l);
    act_cast(&l, &c, "");
    uint64_t versions = 1, crowd = entries / 20 < PEOPLE ? entries / 20 + 1 : PEOPLE;
    for (uint64_t turn = 0; l.n < entries; turn++) {
        next_random(&dice);
        l.time += dice % 3;
        if (turn % 4000 == 3999)
            replace_lab(&c, people);
        else if (turn % 3000 == 150)
            act_collection(&l, c.collection, ++versions, "extra", 0);
        else if (turn % 300 == 250)
            erase_somebody(&c, people);
        else if (turn % 50 == 20)
            together(&c, people, dice >> 8);
        else
            live(&c, &people[(dice >> 20) % crowd], dice >> 8);
    }
    buf_init(&text, 4096);
    merkle_vkey_put(&text, &l.key);
    buf_put_str(&text, "\n");
    forge_write(dir, "ledger.vkey", buf_slice(&text));
    forge_write(dir, "signer/log.key", slice_of(l.secret, 32)); /* the seed: libsodium keeps it first */
    forge_save(&l, dir, "evidence.cborseq", WRITE_ALL);
    buf_release(&text);
    forge_free(&l);
}

int main(int argc, char **argv)
{
    if (argc != 2 && !(argc == 4 && strcmp(argv[2], "--entries") == 0)) {
        fputs("usage: forge-make DIR [--entries N]\n", stderr);
        return 64;
    }
    run(argv[1], argc == 4 ? strtoul(argv[3], NULL, 10) : 400);
    return 0;
}
