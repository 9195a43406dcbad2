/* scan_clear VALUES FILE...: prints every place where one of the values (VALUES: NUL-terminated strings of
 * seven bytes or more) stands in a file. Exit 0: none; 1: found; 2: cannot say. A set of the values' first
 * seven bytes is slid over the files; each hit is compared with the values that begin so. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW 7
#define SLOTS ((size_t)1 << 22)
#define PRINTED_MAX 50

struct value {
    const char *text;
    size_t n;
    struct value *next;
};
static struct value *table[SLOTS];
static uint8_t filter[SLOTS / 8]; /* a bit a slot: small enough to stay in the cache */
static unsigned long found;

static uint64_t window(const unsigned char *p)
{
    uint64_t w = 0;
    memcpy(&w, p, WINDOW);
    return w;
}

static size_t slot(uint64_t w)
{
    return (size_t)((w * 0x9E3779B97F4A7C15u) >> 42);
}

static const unsigned char *map(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(path);
        exit(2);
    }
    *n = (size_t)st.st_size;
    const void *p = *n ? mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0) : "";
    if (p == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    close(fd);
    return p;
}

static size_t load(const char *path)
{
    size_t n, values = 0;
    const char *p = (const char *)map(path, &n), *end = p + n;
    while (p < end) {
        size_t len = strnlen(p, (size_t)(end - p));
        struct value *v = malloc(sizeof *v);
        if (len < WINDOW || p + len == end || !v) {
            fprintf(stderr, "%s: a value under %d bytes, or without its NUL\n", path, WINDOW);
            exit(2);
        }
        size_t at = slot(window((const unsigned char *)p));
        *v = (struct value){p, len, table[at]};
        table[at] = v;
        filter[at / 8] |= (uint8_t)(1u << at % 8);
        values++;
        p += len + 1;
    }
    return values;
}

static void scan(const char *path)
{
    size_t n;
    const unsigned char *p = map(path, &n);
    for (size_t i = 0; i + WINDOW <= n; i++) {
        size_t at = slot(window(p + i));
        if (!(filter[at / 8] >> at % 8 & 1))
            continue;
        for (const struct value *v = table[at]; v; v = v->next) {
            if (v->n <= n - i && memcmp(p + i, v->text, v->n) == 0 && found++ < PRINTED_MAX)
                printf("%s: offset %zu: %s\n", path, i, v->text);
        }
    }
    if (n)
        munmap((void *)(uintptr_t)p, n);
}

int main(int argc, char **argv)
{
    if (argc < 3 || load(argv[1]) == 0) {
        fprintf(stderr, "usage: scan_clear VALUES FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        scan(argv[i]);
    printf("%lu found\n", found);
    return found ? 1 : 0;
}
