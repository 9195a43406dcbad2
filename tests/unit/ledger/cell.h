/* A cell's folder that lives as long as one test, and the entries "event 0", "event 1", … in it. */
#ifndef BOURN_TESTS_CELL_H
#define BOURN_TESTS_CELL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"

#define OK(x) assert_int_equal((x), BOURN_OK)

struct cell {
    char path[64];
    struct io_dir *dir;
};

static inline void cell_make(struct cell *c)
{
    strcpy(c->path, "/tmp/bourn-ledger-XXXXXX");
    assert_non_null(mkdtemp(c->path));
    OK(io_dir_open(c->path, &c->dir));
}

static inline int cell_remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    return remove(path);
}

static inline void cell_remove(struct cell *c)
{
    io_dir_close(c->dir);
    assert_int_equal(nftw(c->path, cell_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void cell_path(const struct cell *c, const char *below, char out[256])
{
    snprintf(out, 256, "%s/%s", c->path, below);
}

/* Bytes of a file, or -1 if it is not there. */
static inline long cell_size(const struct cell *c, const char *below)
{
    char path[256];
    struct stat s;
    cell_path(c, below, path);
    return stat(path, &s) == 0 && S_ISREG(s.st_mode) ? (long)s.st_size : -1;
}

static inline bool cell_has(const struct cell *c, const char *below)
{
    return cell_size(c, below) >= 0;
}

static inline void cell_unlink(const struct cell *c, const char *below)
{
    char path[256];
    cell_path(c, below, path);
    assert_int_equal(unlink(path), 0);
}

static inline void cell_flip(const struct cell *c, const char *below, long at)
{
    char path[256];
    uint8_t byte;
    cell_path(c, below, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static inline void cell_write(const struct cell *c, const char *below, const char *bytes)
{
    char path[256];
    cell_path(c, below, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(bytes, f);
    fclose(f);
}

static inline struct slice event(uint64_t i, char out[32])
{
    int n = snprintf(out, 32, "event %llu", (unsigned long long)i);
    return slice_of(out, (size_t)n);
}

/* Rows of entry i: i % 3 of them, each four bytes of length and "row i". */
static inline struct slice event_rows(uint64_t i, uint8_t out[128])
{
    size_t n = 0;
    for (uint64_t k = 0; k < i % 3; k++) {
        char text[32];
        int len = snprintf(text, sizeof text, "row %llu.%llu", (unsigned long long)i, (unsigned long long)k);
        be_put(out + n, (uint64_t)len, 4);
        memcpy(out + n + 4, text, (size_t)len);
        n += 4 + (size_t)len;
    }
    return slice_of(out, n);
}

static inline void append_to(struct ledger *l, uint64_t size)
{
    char text[32];
    uint8_t rows[128];
    for (uint64_t i = ledger_size(l); i < size; i++)
        OK(ledger_append(l, event(i, text), event_rows(i, rows)));
}

static inline void root_of_events(uint64_t size, struct merkle_hash *root)
{
    struct merkle_edge e;
    struct merkle_hash leaf;
    char text[32];
    merkle_edge_init(&e);
    for (uint64_t i = 0; i < size; i++) {
        merkle_leaf(&leaf, event(i, text));
        merkle_edge_append(&e, &leaf);
    }
    merkle_edge_root(&e, root);
}

static inline void expect_root(const struct ledger *l)
{
    struct merkle_hash got, want;
    ledger_root(l, &got);
    root_of_events(ledger_size(l), &want);
    assert_memory_equal(got.b, want.b, 32);
}

/* ledger_read gives every entry and its rows below size. */
static inline void expect_readable(struct io_dir *dir, uint64_t from, uint64_t size, uint64_t flushed)
{
    struct buf entry, rows;
    char text[32];
    uint8_t want[128];
    buf_init(&entry, 1000);
    buf_init(&rows, 1000);
    for (uint64_t i = from; i < size; i++) {
        buf_clear(&entry);
        buf_clear(&rows);
        OK(ledger_read(dir, i, flushed, &entry, &rows));
        assert_true(slice_eq(buf_slice(&entry), event(i, text)));
        assert_true(slice_eq(buf_slice(&rows), event_rows(i, want)));
    }
    buf_release(&entry);
    buf_release(&rows);
}

#endif
