#include "fuzz.h"

#include "base/text.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_ok(enum bourn_err err)
{
    if (err == BOURN_OK)
        return;
    fprintf(stderr, "bourn-fuzz: %s: %s\n", err_name(err), err_text());
    abort();
}

/* --- files */

bool fuzz_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    uint8_t part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        buf_put(out, part, n);
    fuzz_check(!out->failed);
    fclose(f);
    return true;
}

void fuzz_write(const char *path, struct slice bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || (bytes.n && fwrite(bytes.p, 1, bytes.n, f) != bytes.n) || fclose(f) != 0) {
        perror(path);
        abort();
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fuzz_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char own_dir[64];
static pid_t own_pid;

static void remove_own(void)
{
    if (own_dir[0] && own_pid == getpid())
        fuzz_remove(own_dir);
}

const char *fuzz_dir(void)
{
    if (!own_dir[0]) {
        snprintf(own_dir, sizeof own_dir, "%s/bourn-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        fuzz_check(mkdtemp(own_dir));
        own_pid = getpid();
        atexit(remove_own);
    }
    return own_dir;
}

static struct fuzz_tree *loading;
static size_t loading_root;

static int load_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    struct fuzz_tree *t = loading;
    t->v = realloc(t->v, (t->n + 1) * sizeof *t->v);
    fuzz_check(t->v);
    struct fuzz_file *f = &t->v[t->n++];
    f->path = strdup(path + loading_root + 1);
    buf_init(&f->bytes, 64u << 20);
    return fuzz_read(path, &f->bytes) ? 0 : 1;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct fuzz_file *)a)->path, ((const struct fuzz_file *)b)->path);
}

void fuzz_tree_load(struct fuzz_tree *t, const char *dir)
{
    *t = (struct fuzz_tree){0};
    loading = t;
    loading_root = strlen(dir);
    fuzz_check(nftw(dir, load_one, 16, FTW_PHYS) == 0);
    qsort(t->v, t->n, sizeof *t->v, by_path); /* the order of a folder is the file system's */
}

void fuzz_tree_store(const struct fuzz_tree *t, const char *dir)
{
    char path[4096];
    fuzz_remove(dir);
    for (size_t i = 0; i < t->n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, t->v[i].path);
        for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
            *p = '\0';
            fuzz_check(mkdir(path, 0700) == 0 || errno == EEXIST);
            *p = '/';
        }
        fuzz_write(path, buf_slice(&t->v[i].bytes));
        fuzz_check(chmod(path, 0600) == 0);
    }
}

/* --- seeds */

static const char *tree_path(char out[4096], const char *name)
{
    const char *root = getenv("BOURN_SOURCE");
    snprintf(out, 4096, "%s/%s", root ? root : ".", name);
    return out;
}

void fuzz_seed_file(const char *name)
{
    char path[4096];
    struct buf b;
    buf_init(&b, 1u << 20);
    if (fuzz_read(tree_path(path, name), &b))
        fuzz_seed(buf_slice(&b));
    else
        fprintf(stderr, "bourn-fuzz: no %s: set BOURN_SOURCE to the source tree\n", path);
    buf_release(&b);
}

void fuzz_seed_vectors(const char *file, const char *word, unsigned column, int prefix)
{
    char path[4096], *line = NULL;
    size_t size = 0;
    FILE *f = fopen(tree_path(path, file), "r");
    fuzz_check(f);
    while (getline(&line, &size, f) > 0) {
        char *save, *part = strtok_r(line, " \n", &save);
        if (!part || (word && strcmp(part, word) != 0))
            continue;
        for (unsigned i = 0; part && i < column; i++)
            part = strtok_r(NULL, " \n", &save);
        size_t n = part ? strlen(part) / 2 : 0;
        uint8_t *p = malloc(n + 1);
        fuzz_check(p);
        if (prefix >= 0)
            p[0] = (uint8_t)prefix;
        if (part && hex_get(slice_str(part), p + (prefix >= 0), n))
            fuzz_seed(slice_of(p, n + (prefix >= 0)));
        free(p);
    }
    free(line);
    fclose(f);
}

/* --- dice */

uint64_t dice_number(struct dice *d, unsigned bytes)
{
    uint64_t v = 0;
    for (; bytes > 0; bytes--) {
        v = v << 8 | (d->left.n ? d->left.p[0] : 0);
        if (d->left.n)
            d->left = slice_of(d->left.p + 1, d->left.n - 1);
    }
    return v;
}

uint8_t dice_u8(struct dice *d)
{
    return (uint8_t)dice_number(d, 1);
}

size_t dice_below(struct dice *d, size_t n)
{
    return n ? (size_t)dice_number(d, n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n : 0;
}

struct slice dice_take(struct dice *d, size_t most)
{
    size_t n = dice_below(d, most + 1);
    n = n < d->left.n ? n : d->left.n;
    struct slice s = slice_of(d->left.p, n);
    d->left = slice_of(d->left.p + n, d->left.n - n);
    return s;
}

uint64_t dice_edge(struct dice *d)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     255,
                                     256,
                                     257,
                                     65535,
                                     65536,
                                     (1ull << 31) - 1,
                                     1ull << 31,
                                     UINT32_MAX,
                                     1ull << 32,
                                     (1ull << 53) - 1,
                                     1ull << 53,
                                     INT64_MAX,
                                     1ull << 63,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    uint8_t c = dice_u8(d);
    if (c < 64)
        return c;
    if (c < 128)
        return dice_number(d, 2);
    return edges[c % (sizeof edges / sizeof edges[0])];
}

static void insert(struct buf *b, size_t at, const uint8_t *p, size_t n)
{
    uint8_t copy[64];
    n = n < sizeof copy ? n : sizeof copy;
    if (b->n + n > b->cap)
        return;
    memcpy(copy, p, n); /* p may lie in b */
    if (!buf_reserve(b, n))
        return;
    memmove(b->p + at + n, b->p + at, b->n - at);
    memcpy(b->p + at, copy, n);
    b->n += n;
}

void dice_edit(struct dice *d, struct buf *b)
{
    if (!b->p && !buf_reserve(b, 1)) /* an empty buffer has no place yet */
        return;
    for (size_t edits = 1 + dice_below(d, 6); edits > 0 && d->left.n; edits--) {
        uint8_t what = dice_u8(d), v;
        size_t at = dice_below(d, b->n), n;
        switch (what % 9) {
        case 0:
        case 1:
            v = dice_u8(d);
            if (b->n)
                b->p[at] = v;
            break;
        case 2:
            if (b->n)
                b->p[at] ^= (uint8_t)(1 << dice_below(d, 8));
            break;
        case 3:
            v = dice_u8(d);
            insert(b, at, &v, 1);
            break;
        case 4: /* remove */
            n = 1 + dice_below(d, 16);
            n = n < b->n - at ? n : b->n - at;
            memmove(b->p + at, b->p + at + n, b->n - at - n);
            b->n -= n;
            break;
        case 5: /* cut */
            b->n = at;
            break;
        case 6: { /* a part again somewhere else */
            size_t from = dice_below(d, b->n);
            n = 1 + dice_below(d, 48);
            n = n < b->n - from ? n : b->n - from;
            if (n)
                insert(b, at, b->p + from, n);
            break;
        }
        case 7: { /* a number at an edge */
            unsigned bytes = 1u << dice_below(d, 4);
            uint64_t edge = dice_edge(d);
            if (b->n - at >= bytes)
                be_put(b->p + at, edge, bytes);
            break;
        }
        default:
            v = dice_u8(d);
            n = dice_below(d, 64);
            uint8_t same[64];
            memset(same, v, sizeof same);
            insert(b, at, same, n);
        }
    }
}
