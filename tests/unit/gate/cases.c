/* Writes the product of what the gate looks at, one case a line, with what gate_decide answers; oracle.py
 * recomputes each. cases PACK.yaml… : the packs, in the order of the letters that name them in the lines.
 *
 * Fields, tab-separated: packs, operation, rights, party index, ended, jurisdiction, purposes
 * (term=ground;…), domicile, collection, sensitive, purpose, time, index, bases
 * (index/grade/voucher/from/until/withdrawn/purposes/destinations/ collections/recipients;…), then the
 * answer: verdict, code, bases (grade:index,…), results (pack/rule=verdict,…). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "gate/gate.h"
#include "pack/pack.h"

enum { PACKS = 4, CASE_PARTY = 7, CASE_INDEX = 100, NONE = 0 };
#define T_2026 1767225600u /* 2026-01-01 */
#define S(text)                                                                                              \
    {                                                                                                        \
        (const uint8_t *)(text), sizeof(text) - 1                                                            \
    }

static struct gate_pack packs[PACKS];
static const char pack_letters[] = "hpmw"; /* home, pledge-2015, market, window */

static const struct slice countries[] = {S("CN"), S("DE"), S("FR"), S("US")};
static const struct slice purposes[] = {S("dpv:ServiceProvision"), S("dpv:ResearchAndDevelopment"),
                                        S("dpv:Marketing")};
static const struct slice collections[] = {S("people"), S("health")};
static const struct slice grounds[] = {S(""), S("dpv:Contract"), S("dpv:LegalObligation"),
                                       S("dpv:LegitimateInterest")};
static const uint64_t recipients[] = {CASE_PARTY, 8};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void put_list(struct gate_list l)
{
    for (size_t i = 0; i < l.n; i++)
        printf("%s%.*s", i ? "," : "", SLICE_ARG(l.v[i]));
}

static void put_input(const struct gate_input *in, const char *set)
{
    const struct gate_party *p = in->party;
    printf("%s\t%u\t%u\t%" PRIu64 "\t%" PRIu64 "\t%.*s\t", set, in->operation, p->rights, p->index, p->ended,
           SLICE_ARG(p->jurisdiction));
    for (size_t i = 0; i < p->purposes_n; i++)
        printf("%s%.*s=%.*s", i ? ";" : "", SLICE_ARG(p->purposes[i].purpose),
               SLICE_ARG(p->purposes[i].ground));
    printf("\t%.*s\t%.*s\t%d\t%.*s\t%" PRIu64 "\t%" PRIu64 "\t", SLICE_ARG(in->domicile),
           SLICE_ARG(in->collection), in->sensitive, SLICE_ARG(in->purpose), in->time, in->index);
    for (size_t i = 0; i < in->bases_n; i++) {
        const struct gate_basis *b = &in->bases[i];
        printf("%s%" PRIu64 "/%u/%u/%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/", i ? ";" : "", b->index, b->grade,
               b->voucher, b->from, b->until, b->withdrawn);
        put_list(b->purposes);
        putchar('/');
        put_list(b->destinations);
        putchar('/');
        put_list(b->collections);
        for (size_t j = 0; j < b->recipients_n; j++)
            printf("%c%" PRIu64, j ? ',' : '/', b->recipients[j]);
    }
}

static void run(struct gate_input *in, const char *set)
{
    const struct gate_pack *in_force[PACKS];
    in->packs = in_force;
    in->packs_n = 0;
    for (size_t i = 0; i < PACKS; i++)
        if (strchr(set, pack_letters[i]))
            in_force[in->packs_n++] = &packs[i];
    struct gate_output g;
    gate_decide(in, &g);
    put_input(in, set[0] ? set : "-");
    printf("\t%d\t%s\t", g.verdict, gate_code_name(g.code));
    for (size_t i = 0; i < g.bases_n; i++)
        printf("%s%u:%" PRIu64, i ? "," : "", g.bases[i].grade, g.bases[i].index);
    putchar('\t');
    for (size_t i = 0; i < g.results_n; i++)
        printf("%s%.*s/%.*s=%d", i ? "," : "", SLICE_ARG(g.results[i].pack->name),
               SLICE_ARG(g.results[i].rule->id), g.results[i].verdict);
    putchar('\n');
}

/* The consents of the product: each grade and voucher in each state of life, for either recipient and
 * destinations. */
struct life {
    uint64_t index, from, until, withdrawn;
};
static const struct life lives[] = {
    {50, T_2026 - 5, T_2026 + 100, UINT64_MAX},         /* live */
    {50, T_2026, T_2026 + 1, CASE_INDEX + 1},           /* live at its edges, withdrawn later */
    {50, T_2026 - 5, T_2026, UINT64_MAX},               /* expired this second */
    {50, T_2026 + 1, T_2026 + 100, UINT64_MAX},         /* not yet */
    {50, T_2026 - 5, T_2026 + 100, CASE_INDEX - 1},     /* withdrawn before */
    {50, T_2026 - 5, T_2026 + 100, CASE_INDEX},         /* withdrawn by this very entry */
    {CASE_INDEX, T_2026 - 5, T_2026 + 100, UINT64_MAX}, /* no earlier than the decision */
    {3, T_2026 - 5, T_2026 + 100, UINT64_MAX},          /* live, and older than the party's entry */
};
static const struct {
    uint32_t grade, voucher;
} grades[] = {
    {NONE, 0}, /* another person's consent is none at all */
    {GRADE_SUBJECT_SIGNED, VOUCHER_KEY},
    {GRADE_SUBJECT_SIGNED, VOUCHER_APP},
    {GRADE_OPERATOR_ATTESTED, VOUCHER_NONE},
    {GRADE_AUTHORITY_SIGNED, VOUCHER_NONE},
};
static const char *const sets[] = {"", "h", "p", "hp", "m", "w", "hpmw"};

static struct gate_basis consent(size_t grade, size_t life, size_t recipient, bool wide)
{
    const struct life *l = &lives[life];
    return (struct gate_basis){
        .index = l->index,
        .grade = grades[grade].grade,
        .voucher = grades[grade].voucher,
        .from = l->from,
        .until = l->until,
        .withdrawn = l->withdrawn,
        .purposes = {purposes, wide ? 2 : 1},
        .destinations = {countries, wide ? COUNT(countries) : 2},
        .collections = {collections, wide ? COUNT(collections) : 1},
        .recipients = &recipients[recipient],
        .recipients_n = 1,
    };
}

/* Every basis of the product, and every set of packs, for one question. */
static void each_basis(struct gate_input *in)
{
    for (size_t g = 0; g < COUNT(grades); g++)
        for (size_t l = 0; l < (g ? COUNT(lives) : 1); l++)
            for (size_t r = 0; r < (g ? COUNT(recipients) : 1); r++)
                for (size_t wide = 0; wide < (g ? 2u : 1u); wide++)
                    for (size_t s = 0; s < COUNT(sets); s++) {
                        struct gate_basis b = consent(g, l, r, wide);
                        in->bases = &b;
                        in->bases_n = g != 0;
                        run(in, sets[s]);
                    }
}

static struct gate_party party_of(const struct entry_purpose *declared, size_t destination)
{
    return (struct gate_party){.index = CASE_PARTY,
                               .jurisdiction = countries[destination],
                               .rights = RIGHT_ALL,
                               .purposes = declared,
                               .purposes_n = 2,
                               .ended = UINT64_MAX};
}

static struct gate_input input_of(const struct gate_party *p, size_t domicile, size_t purpose,
                                  size_t collection)
{
    return (struct gate_input){.operation = OP_READ,
                               .party = p,
                               .domicile = countries[domicile],
                               .collection = collections[collection],
                               .sensitive = collection == 1,
                               .purpose = purposes[purpose],
                               .time = T_2026,
                               .index = CASE_INDEX};
}

/* domicile x destination x purpose x collection x ground x (grade x life x recipient x scope) x packs; the
 * third purpose is one that the party has not declared, and the second is declared without a ground. */
static void whole_product(void)
{
    for (size_t d = 0; d < 2; d++)
        for (size_t to = 0; to < COUNT(countries); to++)
            for (size_t p = 0; p < COUNT(purposes); p++)
                for (size_t c = 0; c < COUNT(collections); c++)
                    for (size_t g = 0; g < COUNT(grounds); g++) {
                        struct entry_purpose declared[] = {{purposes[0], grounds[g]},
                                                           {purposes[1], grounds[0]}};
                        struct gate_party party = party_of(declared, to);
                        struct gate_input in = input_of(&party, d, p, c);
                        each_basis(&in);
                    }
}

/* Operations x rights x the party's end x time, for a few questions. */
static void operations_product(void)
{
    static const uint64_t ends[] = {UINT64_MAX, CASE_INDEX + 1, CASE_INDEX, CASE_INDEX - 1};
    static const uint64_t times[] = {0, T_2026 - 1, T_2026, T_2026 + 151 * 86400u - 1, T_2026 + 151 * 86400u};
    for (uint32_t op = 1; op <= OP_SELF + 1; op++)
        for (uint32_t right = 0; right <= 9; right++)
            for (size_t e = 0; e < COUNT(ends); e++)
                for (size_t t = 0; t < COUNT(times); t++)
                    for (size_t to = 0; to < COUNT(countries); to++)
                        for (size_t g = 0; g < 3 * 2 * COUNT(sets); g++) {
                            struct entry_purpose declared[] = {{purposes[0], grounds[g % 3]},
                                                               {purposes[1], grounds[0]}};
                            struct gate_party party = party_of(declared, to);
                            struct gate_input in = input_of(&party, to % 2, 0, g / 3 % 2);
                            struct gate_basis b = consent(2, 0, 0, true);
                            party.rights = right == 8 ? RIGHT_ALL : right == 9 ? 0 : 1u << right;
                            party.ended = ends[e];
                            b.from = 0;
                            b.until = UINT64_MAX;
                            in.operation = op;
                            in.time = times[t];
                            in.collection = op == OP_EVIDENCE ? (struct slice){0} : in.collection;
                            in.bases = &b;
                            in.bases_n = g % 3 != 1;
                            run(&in, sets[g / 6]);
                        }
}

/* Two consents at once: the lowest entry index that satisfies is the one used, whatever the order of grades.
 */
static void pairs_product(void)
{
    for (size_t to = 0; to < COUNT(countries); to++)
        for (size_t ground = 0; ground < COUNT(grounds); ground++)
            for (size_t i = 0; i < 4 * COUNT(lives); i++)
                for (size_t j = 0; j < 4 * 3; j++)
                    for (size_t s = 0; s < COUNT(sets); s++) {
                        struct entry_purpose declared[] = {{purposes[0], grounds[ground]},
                                                           {purposes[1], grounds[0]}};
                        struct gate_party party = party_of(declared, to);
                        struct gate_input in = input_of(&party, 0, 0, 0);
                        struct gate_basis b[] = {consent(1 + i % 4, i / 4, 0, true),
                                                 consent(1 + j % 4, 0, 0, true)};
                        b[1].index = b[0].index + 1 + j / 4;
                        in.bases = b;
                        in.bases_n = 2;
                        run(&in, sets[s]);
                    }
}

static enum bourn_err load(const char *path, struct arena *a, struct gate_pack *out)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    static uint8_t text[PACK_YAML_BYTES_MAX];
    struct buf rules;
    buf_init(&rules, ENTRY_BYTES_MAX);
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_sys(BOURN_E_IO, "cannot open it");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    TRY(pack_compile(slice_of(text, n), &rules));
    TRY(gate_pack_decode(arena_copy(a, buf_slice(&rules)), a, out));
out:
    buf_release(&rules);
    return err;
}

int main(int argc, char **argv)
{
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    if (argc != 1 + PACKS)
        return 64;
    for (int i = 0; i < PACKS; i++) {
        if (load(argv[i + 1], &a, &packs[i]) != BOURN_OK) {
            fprintf(stderr, "%s: %s\n", argv[i + 1], err_text());
            return 1;
        }
    }
    whole_product();
    operations_product();
    pairs_product();
    arena_release(&a);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
