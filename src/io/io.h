/* Files by way of a table of functions, so that tests can put a simulated disk under journal, ledger and
 * slots. Paths are relative to a folder handle. Short reads and writes and EINTR are handled here. */
#ifndef BOURN_IO_IO_H
#define BOURN_IO_IO_H

#include "base/buf.h"

struct io_dir;  /* an open folder */
struct io_file; /* an open file */

enum io_mode {
    IO_READ,
    IO_WRITE,     /* read and write; BOURN_E_NOT_FOUND if absent */
    IO_CREATE,    /* read and write; made with mode 0600 if absent */
    IO_CREATE_NEW /* made with mode 0600; BOURN_E_EXISTS if present */
};

/* Paths: relative, "a/b"; an absolute one or one with a ".." is BOURN_E_DENIED. A symbolic link as the last
 * part is never followed (except by io_dir_open), and only regular files open. Handles keep a copy of their
 * path for the error texts. Any call may return BOURN_E_IO, and BOURN_E_FULL where it writes. */

/* The folder at a path of the process's own. */
enum bourn_err io_dir_open(const char *path, struct io_dir **out) BOURN_MUST_USE;
/* A folder below; made with mode 0700 first if `make` (parents are not). */
enum bourn_err io_dir_at(struct io_dir *d, const char *path, bool make, struct io_dir **out) BOURN_MUST_USE;
void io_dir_close(struct io_dir *d);
enum bourn_err io_dir_make_path(struct io_dir *d, const char *path) BOURN_MUST_USE; /* mkdir -p below d */
enum bourn_err io_dir_sync(struct io_dir *d) BOURN_MUST_USE; /* fsync of the folder: its names are durable */
enum bourn_err io_dir_syncfs(struct io_dir *d) BOURN_MUST_USE; /* everything of its file system */
/* Calls fn with each name but . and .., in no order; stops at the first error. */
enum bourn_err io_dir_list(struct io_dir *d, enum bourn_err (*fn)(void *ctx, const char *name),
                           void *ctx) BOURN_MUST_USE;
enum bourn_err io_rename(struct io_dir *d, const char *from, const char *to) BOURN_MUST_USE;
enum bourn_err io_unlink(struct io_dir *d, const char *path) BOURN_MUST_USE; /* BOURN_OK if absent */

enum bourn_err io_open(struct io_dir *d, const char *path, enum io_mode mode,
                       struct io_file **out) BOURN_MUST_USE;
void io_close(struct io_file *f);
enum bourn_err io_size(struct io_file *f, uint64_t *bytes) BOURN_MUST_USE;
/* The low 12 bits of its mode, e.g. 0600. */
enum bourn_err io_permissions(struct io_file *f, unsigned *mode) BOURN_MUST_USE;
/* Exactly n bytes at offset; BOURN_E_CORRUPT if the file ends before. */
enum bourn_err io_read(struct io_file *f, uint64_t offset, void *p, size_t n) BOURN_MUST_USE;
/* The first n bytes as memory that follows what is written to the file; n may lie beyond its end, but what is
 * beyond must not be touched. NULL where the table's files cannot be mapped: then io_read is the way. */
const void *io_map(struct io_file *f, size_t n);
void io_unmap(const void *p, size_t n);
enum bourn_err io_write(struct io_file *f, uint64_t offset, const void *p, size_t n) BOURN_MUST_USE;
/* The parts one behind the other from offset on: one pwritev for each IO_PARTS_MAX of them, no allocation. */
#define IO_PARTS_MAX 64
enum bourn_err io_write_parts(struct io_file *f, uint64_t offset, const struct slice *parts,
                              size_t n) BOURN_MUST_USE;
enum bourn_err
io_datasync(struct io_file *f) BOURN_MUST_USE;            /* fdatasync; after an error never call it again */
enum bourn_err io_sync(struct io_file *f) BOURN_MUST_USE; /* fsync: data and size */
enum bourn_err io_truncate(struct io_file *f, uint64_t bytes) BOURN_MUST_USE;

/* Whole files. write_new replaces path by way of "<path>.new" (mode 0600) and rename; durable if `sync`
 * (file, then folder). read_all appends; BOURN_E_LIMIT if the file does not fit the buffer's cap. */
enum bourn_err io_read_all(struct io_dir *d, const char *path, struct buf *out) BOURN_MUST_USE;
enum bourn_err io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync) BOURN_MUST_USE;

/* The table behind the functions (io/io_ops.h); io_use swaps it, NULL brings the real one back (tests only,
 * before anything is open). */
struct io_ops;
void io_use(const struct io_ops *ops);

#endif
