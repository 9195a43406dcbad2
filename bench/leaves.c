/* bench-leaves CELL [THREADS [grouped]]: the least that a replay has to do. Reads every entry bundle below
 * CELL/ledger/tile/entries and every file below CELL/rows, hashes each entry and each row as a leaf (SHA-256
 * of one byte and its bytes), and nothing else: no tree, no decoding, no decision. Files are read beforehand,
 * so that only hashing is timed; with threads each hashes every so manieth file. Prints JSON: entries, rows,
 * bytes, seconds, and the CPU seconds of the hashing alone. Leaves are hashed one by one, each by one call;
 * or "grouped": sixteen are laid out before the first is hashed, as bourn does it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <endian.h>
#include <ftw.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct file {
    uint8_t *p;
    size_t n;
    bool rows;
};
static struct file *files;
static size_t files_n, room;
static unsigned threads = 1;
static size_t group = 1;
enum { GROUP_MAX = 16, BLOCK_BYTES = 4 * SHA256_CBLOCK };
struct hand {
    pthread_t thread;
    unsigned first;
    uint8_t block[GROUP_MAX][BLOCK_BYTES];
    size_t whole[GROUP_MAX], waiting;
    size_t entries, rows, bytes;
    double cpu_s;
    uint8_t sum[32]; /* keeps the compiler from leaving hashes out */
};
static struct hand hand[64];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static size_t number(const uint8_t *p, size_t n)
{
    size_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static int load(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || strstr(path, ".p/")) /* partials stand again in their full files, but for the last */
        return 0;
    FILE *f = fopen(path, "rb");
    if (files_n == room) {
        room = room ? 2 * room : 1024;
        files = realloc(files, room * sizeof *files);
    }
    struct file *to = files ? &files[files_n++] : NULL;
    if (!f || !to)
        die(path);
    to->n = (size_t)st->st_size;
    to->p = malloc(to->n + 1);
    to->rows = strstr(path, "/rows/") && !strstr(path, "/tile/entries/");
    if (!to->p || fread(to->p, 1, to->n, f) != to->n)
        die(path);
    fclose(f);
    return 0;
}

/* Keeps the compiler from leaving the hash out: its words as they are, nobody compares them. */
static void count(struct hand *h, const SHA256_CTX *c)
{
    const uint8_t *hash = (const uint8_t *)c->h;
    for (int i = 0; i < 32; i++)
        h->sum[i] ^= hash[i];
}

static void hash_waiting(struct hand *h)
{
    SHA256_CTX c;
    for (size_t i = 0; i < h->waiting; i++) {
        SHA256_Init(&c);
        SHA256_Update(&c, h->block[i], h->whole[i]);
        count(h, &c);
    }
    h->waiting = 0;
}

/* A short leaf is padded here (FIPS 180-4, 5.1.1), so that all its blocks are one call: 115 ns for two blocks
 * instead of 130. bourn's own leaves are hashed so too. */
static void leaf(struct hand *h, const uint8_t *p, size_t n)
{
    uint8_t *block = h->block[h->waiting];
    h->bytes += n;
    block[0] = 0;
    if (n > BLOCK_BYTES - 10) {
        SHA256_CTX c;
        uint8_t hash[32];
        SHA256_Init(&c);
        SHA256_Update(&c, block, 1);
        SHA256_Update(&c, p, n);
        SHA256_Final(hash, &c);
        count(h, &c);
        return;
    }
    size_t whole = h->whole[h->waiting] = (n + 10 + SHA256_CBLOCK - 1) / SHA256_CBLOCK * SHA256_CBLOCK;
    uint64_t bits = htobe64((n + 1) * 8);
    memcpy(block + 1, p, n);
    memset(block + 1 + n, 0, whole - 1 - n);
    block[1 + n] = 0x80;
    memcpy(block + whole - 8, &bits, 8);
    if (++h->waiting == group)
        hash_waiting(h);
}

static size_t cut(const uint8_t **p, const uint8_t *end, size_t width)
{
    if (end - *p < (ptrdiff_t)width)
        die("a file is cut");
    size_t n = number(*p, width);
    *p += width;
    if (n > (size_t)(end - *p))
        die("a file is cut");
    return n;
}

static void hash_file(struct hand *h, const struct file *f)
{
    const uint8_t *p = f->p, *end = f->p + f->n;
    while (p < end) {
        size_t n = cut(&p, end, f->rows ? 4 : 2);
        const uint8_t *stop = p + n;
        if (!f->rows) {
            leaf(h, p, n);
            h->entries++;
        }
        while (f->rows && p < stop) {
            size_t row = cut(&p, stop, 4);
            leaf(h, p, row);
            h->rows++;
            p += row;
        }
        p = stop;
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *work(void *arg)
{
    struct hand *h = arg;
    double from = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = h->first; i < files_n; i += threads)
        hash_file(h, &files[i]);
    hash_waiting(h);
    h->cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - from;
    return NULL;
}

int main(int argc, char **argv)
{
    char path[4096];
    threads = argc >= 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    bool grouped = argc == 4 && strcmp(argv[3], "grouped") == 0;
    group = grouped ? GROUP_MAX : 1;
    if (argc < 2 || argc > 3 + grouped || threads < 1 || threads > sizeof hand / sizeof hand[0]) {
        fputs("usage: bench-leaves CELL [THREADS [grouped]]\n", stderr);
        return 64;
    }
    snprintf(path, sizeof path, "%s/ledger/tile/entries", argv[1]);
    if (nftw(path, load, 16, FTW_PHYS) != 0)
        die(path);
    snprintf(path, sizeof path, "%s/rows", argv[1]);
    if (nftw(path, load, 16, FTW_PHYS) != 0)
        die(path);
    double from = seconds(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < threads; i++) {
        hand[i].first = i;
        if (pthread_create(&hand[i].thread, NULL, work, &hand[i]) != 0)
            die("a thread");
    }
    struct hand all = {0};
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(hand[i].thread, NULL);
        all.entries += hand[i].entries;
        all.rows += hand[i].rows;
        all.bytes += hand[i].bytes;
        all.cpu_s += hand[i].cpu_s;
        all.sum[0] ^= hand[i].sum[0];
    }
    printf("{\"entries\":%zu,\"rows\":%zu,\"bytes\":%zu,\"seconds\":%.6f,\"hash_cpu_s\":%.6f,\"sum\":\"%"
           "02x\"}\n",
           all.entries, all.rows, all.bytes, seconds(CLOCK_MONOTONIC) - from, all.cpu_s, all.sum[0]);
    return 0;
}
