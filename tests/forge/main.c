/* forge CELLCOPY --evidence FILE NAME: changes a copy of a cell's ledger as a cheating operator could, and
 * prints what the verifier must name: "entry N CLAUSE", or "size N CLAUSE" where only the head before the
 * change convicts; "-" as clause where nothing is forged. forge --list. */
#include "forge.h"

#include <stdio.h>
#include <unistd.h>

static const struct forge_case *const all[] = {
    forge_cases_acts, forge_cases_statements, forge_cases_copy,   forge_cases_continued,
    forge_cases_log,  forge_cases_kept,       forge_cases_witness};
enum { TABLES = sizeof all / sizeof all[0] };

void forge_person(struct cast *c, struct puppet *p, bool consents)
{
    act_person(p);
    act_enrolled(c, &p, 1);
    act_stored(c, c->app, &p, 1);
    act_key(c, p, p->secret);
    if (consents)
        act_consent(c, p, &(struct ask){0});
}

struct forge_entry *forge_lab_reads(struct cast *c, struct puppet *p, uint32_t grade, uint64_t basis)
{
    return act_disclosed(c, c->lab, LAB_PURPOSE, c->collection, &p, 1, grade, basis);
}

static int run(const char *dir, const char *evidence, const struct forge_case *f)
{
    struct forge_log l;
    struct cast c;
    char suffix[16];
    forge_load(&l, dir, evidence);
    snprintf(suffix, sizeof suffix, "-%x", (unsigned)getpid());
    l.time++;
    act_cast(&l, &c, suffix);
    struct verdict_at v = f->run(&c);
    if (v.write == WRITE_FLIP)
        forge_flip_tile(dir, v.flip);
    else
        forge_save(&l, dir, evidence, v.write ? v.write : WRITE_ALL);
    if (l.receipt.n)
        forge_write(dir, "receipt", l.receipt);
    printf("%s %llu %s\n", v.is_size ? "size" : "entry", (unsigned long long)v.at, forge_clause(f->name));
    forge_free(&l);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int t = 0; t < TABLES; t++)
            for (const struct forge_case *f = all[t]; f->name; f++)
                printf("%-26s %s\n", f->name, f->says);
        return 0;
    }
    if (argc != 5 || strcmp(argv[2], "--evidence") != 0) {
        fputs("usage: forge CELLCOPY --evidence FILE NAME\n       forge --list\n", stderr);
        return 64;
    }
    for (int t = 0; t < TABLES; t++)
        for (const struct forge_case *f = all[t]; f->name; f++)
            if (strcmp(f->name, argv[4]) == 0)
                return run(argv[1], argv[3], f);
    fprintf(stderr, "forge: no forgery is named %s\n", argv[4]);
    return 64;
}
