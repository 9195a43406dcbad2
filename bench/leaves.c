/* bench-leaves CELL: the least that a replay has to do. Reads every entry bundle below
 * CELL/ledger/tile/entries and every file below CELL/rows, hashes each entry and each row as a leaf (SHA-256
 * of one byte and its bytes), and nothing else: no tree, no decoding, no decision. Files are read beforehand,
 * so that only hashing is timed. Prints JSON: entries, rows, bytes, seconds. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <ftw.h>
#include <openssl/sha.h>
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
static size_t files_n, room, entries, rows, bytes;
static uint8_t sum[32]; /* keeps the compiler from leaving hashes out */

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

static void leaf(const uint8_t *p, size_t n)
{
    static const uint8_t zero;
    uint8_t hash[32];
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, &zero, 1);
    SHA256_Update(&c, p, n);
    SHA256_Final(hash, &c);
    for (int i = 0; i < 32; i++)
        sum[i] ^= hash[i];
    bytes += n;
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

static void hash_file(const struct file *f)
{
    const uint8_t *p = f->p, *end = f->p + f->n;
    while (p < end) {
        size_t n = cut(&p, end, f->rows ? 4 : 2);
        const uint8_t *stop = p + n;
        if (!f->rows) {
            leaf(p, n);
            entries++;
        }
        while (f->rows && p < stop) {
            size_t row = cut(&p, stop, 4);
            leaf(p, row);
            rows++;
            p += row;
        }
        p = stop;
    }
}

int main(int argc, char **argv)
{
    char path[4096];
    struct timespec a, b;
    if (argc != 2) {
        fputs("usage: bench-leaves CELL\n", stderr);
        return 64;
    }
    snprintf(path, sizeof path, "%s/ledger/tile/entries", argv[1]);
    if (nftw(path, load, 16, FTW_PHYS) != 0)
        die(path);
    snprintf(path, sizeof path, "%s/rows", argv[1]);
    if (nftw(path, load, 16, FTW_PHYS) != 0)
        die(path);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t i = 0; i < files_n; i++)
        hash_file(&files[i]);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("{\"entries\":%zu,\"rows\":%zu,\"bytes\":%zu,\"seconds\":%.6f,\"sum\":\"%02x%02x\"}\n", entries,
           rows, bytes, (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9, sum[0],
           sum[1]);
    return 0;
}
