/* bourn-fuzz: the program around the targets.
 *
 *     bourn-fuzz --list                     the targets, one a line
 *     bourn-fuzz --seeds DIR                writes DIR/<target>/<n>
 *     bourn-fuzz --test [TARGET]            seeds, tests/fuzz/regress/<target>/, and damaged seeds (fixed
 * dice) bourn-fuzz TARGET FILE...             replays inputs BOURN_FUZZ_TARGET=T bourn-fuzz …      built for
 * libFuzzer: its own options */
#include "fuzz.h"

#include "crypto/crypto.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fuzz_target *const tables[] = {
    fuzz_text, fuzz_cbor,  fuzz_merkle, fuzz_gate,  fuzz_consent, fuzz_ipc,  fuzz_api,
    fuzz_cli,  fuzz_files, fuzz_verify, fuzz_vault, fuzz_log,     fuzz_kept, fuzz_witness};
enum { TABLES = sizeof tables / sizeof tables[0], SEEDS_MAX = 4096 };

static struct buf seeds[SEEDS_MAX];
static size_t seeds_n;
static const struct fuzz_target *now;
static struct slice now_in;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

void fuzz_seed(struct slice s)
{
    fuzz_check(seeds_n < SEEDS_MAX);
    struct buf *b = &seeds[seeds_n++];
    buf_init(b, s.n + 1);
    buf_put_slice(b, s);
}

static void gather(const struct fuzz_target *t)
{
    for (; seeds_n; seeds_n--)
        buf_release(&seeds[seeds_n - 1]);
    if (t->seeds)
        t->seeds();
    if (!seeds_n)
        fuzz_seed(slice_str("0"));
}

static const struct fuzz_target *find(const char *name)
{
    for (int i = 0; i < TABLES; i++)
        for (const struct fuzz_target *t = tables[i]; t->name; t++)
            if (strcmp(t->name, name) == 0)
                return t;
    return NULL;
}

/* Keeps the input on which the process died. Not every call here may be made in a signal handler; the process
 * is lost anyway. */
static void on_abort(int sig)
{
    static const char text[] = "\nbourn-fuzz: the input lies in bourn-fuzz.finding; target ";
    FILE *f = fopen("bourn-fuzz.finding", "wb");
    if (f) {
        fwrite(now_in.p, 1, now_in.n, f);
        fclose(f);
    }
    if (write(2, text, sizeof text - 1) < 0 || write(2, now->name, strlen(now->name)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(99);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void run(const struct fuzz_target *t, struct slice in)
{
    /* A copy of its own size, so that a sanitizer sees a read past the end. */
    uint8_t *copy = malloc(in.n + !in.n);
    fuzz_check(copy);
    if (in.n)
        memcpy(copy, in.p, in.n);
    now = t;
    now_in = slice_of(copy, in.n);
    t->run(now_in);
    free(copy);
}

static size_t run_folder(const struct fuzz_target *t, const char *dir)
{
    char path[4096];
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct buf b;
        if (e->d_name[0] == '.')
            continue;
        fuzz_check(snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path);
        buf_init(&b, 64u << 20);
        if (fuzz_read(path, &b)) {
            run(t, buf_slice(&b));
            n++;
        }
        buf_release(&b);
    }
    if (d)
        closedir(d);
    return n;
}

static void test(const struct fuzz_target *t)
{
    char dir[4096];
    uint64_t state = 0x626f75726e;
    struct buf b;
    snprintf(dir, sizeof dir, "%s/tests/fuzz/regress/%s",
             getenv("BOURN_SOURCE") ? getenv("BOURN_SOURCE") : ".", t->name);
    gather(t);
    for (size_t i = 0; i < seeds_n; i++)
        run(t, buf_slice(&seeds[i]));
    size_t regress = run_folder(t, dir);
    buf_init(&b, t->bytes_max);
    for (unsigned round = 0; round < t->test_rounds; round++) {
        uint8_t raw[64];
        for (size_t i = 0; i < sizeof raw; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            raw[i] = (uint8_t)(state >> 24);
        }
        struct dice d = {slice_of(raw + 2, sizeof raw - 2)};
        buf_clear(&b);
        buf_put_slice(&b, buf_slice(&seeds[be_get(raw, 2) % seeds_n]));
        if (!b.failed) /* a seed over the target's size */
            dice_edit(&d, &b);
        run(t, buf_slice(&b));
    }
    printf("%-14s %4zu seeds, %2zu regressions, %6u damaged seeds\n", t->name, seeds_n, regress,
           t->test_rounds);
    buf_release(&b);
}

static void write_seeds(const char *dir)
{
    char path[4096];
    mkdir(dir, 0755);
    for (int i = 0; i < TABLES; i++)
        for (const struct fuzz_target *t = tables[i]; t->name; t++) {
            snprintf(path, sizeof path, "%s/%s", dir, t->name);
            mkdir(path, 0755);
            gather(t);
            for (size_t s = 0; s < seeds_n; s++) {
                snprintf(path, sizeof path, "%s/%s/%03zu", dir, t->name, s);
                fuzz_write(path, buf_slice(&seeds[s]));
            }
        }
}

/* What this program does itself; false: the arguments are libFuzzer's. */
static bool command(int argc, char **argv, int *code)
{
    *code = 0;
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < TABLES; i++)
            for (const struct fuzz_target *t = tables[i]; t->name; t++)
                printf("%s %zu\n", t->name, t->bytes_max);
        return true;
    }
    if (strcmp(argv[1], "--seeds") == 0 && argc == 3) {
        write_seeds(argv[2]);
        return true;
    }
    if (strcmp(argv[1], "--test") == 0) {
        for (int i = 0; i < TABLES; i++)
            for (const struct fuzz_target *t = tables[i]; t->name; t++)
                if (argc == 2 || strcmp(argv[2], t->name) == 0)
                    test(t);
        return true;
    }
    const struct fuzz_target *t = argv[1][0] == '-' ? NULL : find(argv[1]);
    for (int i = 2; t && i < argc; i++) {
        struct buf b;
        buf_init(&b, 64u << 20);
        if (!fuzz_read(argv[i], &b)) {
            fprintf(stderr, "bourn-fuzz: cannot read %s\n", argv[i]);
            *code = 66;
        }
        run(t, buf_slice(&b));
        buf_release(&b);
    }
    return t != NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int code;
    fuzz_ok(crypto_init());
    if (command(*argc, *argv, &code))
        exit(code);
    const char *name = getenv("BOURN_FUZZ_TARGET");
    now = name ? find(name) : NULL;
    if (!now) {
        fprintf(stderr, "bourn-fuzz: BOURN_FUZZ_TARGET names none of the targets; they are:\n");
        command(2, (char *[]){(*argv)[0], (char[]){"--list"}, NULL}, &code);
        exit(64);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    now->run(slice_of(p, n));
    return 0;
}

#ifndef BOURN_FUZZ
int main(int argc, char **argv)
{
    int code;
    fuzz_ok(crypto_init());
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (command(argc, argv, &code))
        return code;
    fputs("usage: bourn-fuzz --list | --seeds DIR | --test [TARGET] | TARGET FILE...\n", stderr);
    return 64;
}
#else
void (*const fuzz_unused)(int) = on_abort; /* libFuzzer keeps inputs itself */
#endif
