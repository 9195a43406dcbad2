/* Packs, compiled and as YAML, and the state of a person. */
#include "fuzz.h"

#include "base/limits.h"
#include "gate/person.h"
#include "pack/pack.h"
#include "packs/builtin.h"

/* Whatever pack is decoded, the gate must come to an answer, and deny what it cannot hold. */
static void decide_under(const struct gate_pack *p)
{
    static const char *const countries[] = {"CN", "US", "DE"};
    struct slice purposes[] = {slice_str("dpv:ServiceProvision"), slice_str("dpv:Marketing")};
    struct entry_purpose declared[] = {{purposes[0], slice_str("dpv:Contract")}, {purposes[1], {NULL, 0}}};
    uint64_t recipient = 5;
    for (unsigned i = 0; i < 6; i++) {
        struct slice country = slice_str(countries[i % 3]);
        struct gate_party party = {.index = 5,
                                   .jurisdiction = country,
                                   .rights = RIGHT_ALL,
                                   .purposes = declared,
                                   .purposes_n = 2,
                                   .ended = UINT64_MAX};
        struct slice collection = slice_str("people");
        struct gate_basis basis = {.index = 9,
                                   .grade = i & 1 ? GRADE_SUBJECT_SIGNED : GRADE_OPERATOR_ATTESTED,
                                   .until = 1000,
                                   .withdrawn = UINT64_MAX,
                                   .purposes = {purposes, 2},
                                   .destinations = {&country, 1},
                                   .collections = {&collection, 1},
                                   .recipients = &recipient,
                                   .recipients_n = 1};
        struct gate_input in = {.operation = 1 + i,
                                .party = &party,
                                .domicile = slice_str("CN"),
                                .collection = collection,
                                .purpose = purposes[i & 1],
                                .time = 100,
                                .index = 50,
                                .bases = &basis,
                                .bases_n = i > 1,
                                .packs = &p,
                                .packs_n = 1};
        struct gate_output out, again;
        struct buf json;
        gate_decide(&in, &out);
        gate_decide(&in, &again);
        fuzz_check(out.verdict == again.verdict && out.code == again.code && out.bases_n == again.bases_n);
        fuzz_check((out.verdict == GATE_ALLOW) == (out.code == GATE_OK));
        fuzz_check(out.bases_n <= GATE_BASES_MAX && out.results_n <= GATE_RESULTS_MAX);
        buf_init(&json, PROBLEM_MISSING_BYTES_MAX);
        gate_missing_json(&json, &out);
        buf_release(&json);
    }
}

static void run_rules(struct slice in)
{
    struct arena a;
    struct gate_pack p;
    struct buf again;
    arena_init(&a, 8u << 20);
    buf_init(&again, 1u << 20);
    if (gate_pack_decode(in, &a, &p) == BOURN_OK) {
        gate_pack_encode(&again, &p);
        fuzz_check(slice_eq(in, buf_slice(&again)));
        decide_under(&p);
    }
    buf_release(&again);
    arena_release(&a);
}

static void seeds_rules(void)
{
    fuzz_seed_vectors("tests/vectors/packs.txt", NULL, 2, -1);
    for (size_t i = 0; i < builtin_packs_n; i++)
        fuzz_seed(builtin_packs[i].rules);
}

static void run_yaml(struct slice in)
{
    struct arena a;
    struct gate_pack p;
    struct buf rules, again;
    size_t n;
    arena_init(&a, 8u << 20);
    buf_init(&rules, 1u << 20);
    buf_init(&again, 1u << 20);
    if (pack_compile(in, &rules) == BOURN_OK) {
        fuzz_ok(gate_pack_decode(buf_slice(&rules), &a, &p));
        gate_pack_encode(&again, &p);
        fuzz_check(slice_eq(buf_slice(&rules), buf_slice(&again)));
        if (pack_check_examples(in, &n) == BOURN_OK)
            fuzz_check(n < in.n);
    } else {
        fuzz_check(rules.n == 0 && err_text()[0]);
    }
    buf_release(&rules);
    buf_release(&again);
    arena_release(&a);
}

static void seeds_yaml(void)
{
    static const char *const files[] = {"market", "window"};
    for (size_t i = 0; i < builtin_packs_n; i++)
        fuzz_seed(builtin_packs[i].yaml);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128] = "tests/unit/gate/packs/";
        strcat(strcat(path, files[i]), ".yaml");
        fuzz_seed_file(path);
    }
    fuzz_seed(
        slice_str("pack: x\nversion: 1\nrules:\n  - id: a\n    clause: S3\n    when: { sensitive: true, "
                  "operations: [read, search], purposes: [dpv:Marketing] }\n    require: { all_of: "
                  "[subject_consent, { any_of: [ground, { adequacy: [DE, FR] }, { deny_list: [US] }, "
                  "{ needs_human: board }] }] }\n    accept: { subject_consent: { grades: "
                  "[subject-signed], vouchers: [key, app] }, ground: [dpv:Contract] }\n"));
}

static void run_person(struct slice in)
{
    static const uint8_t label[16] = {1};
    struct person p;
    struct buf again;
    person_init(&p, label);
    buf_init(&again, 1u << 20);
    if (person_decode(in, &p) == BOURN_OK) {
        person_encode(&again, &p);
        fuzz_check(slice_eq(in, buf_slice(&again)));
        for (size_t i = 0; i < p.bases_n; i++)
            fuzz_check(person_consent(&p, p.bases[i].index));
    }
    person_release(&p);
    buf_release(&again);
}

static void seeds_person(void)
{
    struct slice purpose = slice_str("dpv:Marketing"), country = slice_str("US"),
                 collection = slice_str("people");
    uint64_t recipient = 9;
    struct person_key keys[] = {
        {.index = 12, .voucher = VOUCHER_APP, .voucher_ref = 5, .ended = UINT64_MAX, .known = true},
        {.index = 30, .voucher = VOUCHER_KEY, .voucher_ref = 12, .ended = 40, .known = true}};
    struct gate_basis basis = {.index = 20,
                               .grade = GRADE_SUBJECT_SIGNED,
                               .voucher = VOUCHER_APP,
                               .from = 100,
                               .until = 5000,
                               .withdrawn = UINT64_MAX,
                               .purposes = {&purpose, 1},
                               .destinations = {&country, 1},
                               .collections = {&collection, 1},
                               .recipients = &recipient,
                               .recipients_n = 1};
    struct person p = {.enrolled = 11, .head = 33, .keys = keys, .keys_n = 2, .bases = &basis, .bases_n = 1};
    struct buf b;
    buf_init(&b, 65536);
    person_encode(&b, &p);
    fuzz_seed(buf_slice(&b));
    buf_clear(&b);
    p = (struct person){.enrolled = 1, .head = 1};
    person_encode(&b, &p);
    fuzz_seed(buf_slice(&b));
    buf_release(&b);
}

const struct fuzz_target fuzz_gate[] = {
    {"pack-rules", run_rules, seeds_rules, 4096, 10000},
    {"pack-yaml", run_yaml, seeds_yaml, 4096, 3000},
    {"person", run_person, seeds_person, 4096, 10000},
    {0},
};
