/* Files by way of a table of functions, so that tests can put a simulated disk under journal, ledger and slots.
 * Paths are relative to a folder handle. Short reads and writes and EINTR are handled here. */
#ifndef BOURN_IO_IO_H
#define BOURN_IO_IO_H

#include "base/buf.h"

struct io_dir;  /* an open folder */
struct io_file; /* an open file */

enum io_mode { IO_READ, IO_WRITE, IO_CREATE /* read and write; made with mode 0600 if absent */, IO_CREATE_NEW };

enum bourn_err io_dir_open(const char *path, struct io_dir **out) BOURN_MUST_USE;
/* A folder below; made with mode 0700 first if `make` (parents are not). */
enum bourn_err io_dir_at(struct io_dir *d, const char *path, bool make, struct io_dir **out) BOURN_MUST_USE;
void io_dir_close(struct io_dir *d);
enum bourn_err io_dir_make_path(struct io_dir *d, const char *path) BOURN_MUST_USE; /* mkdir -p below d */
enum bourn_err io_dir_sync(struct io_dir *d) BOURN_MUST_USE;   /* fsync of the folder: its names are durable */
enum bourn_err io_dir_syncfs(struct io_dir *d) BOURN_MUST_USE; /* everything of its file system */
/* Calls fn with each name but . and .., in no order; stops at the first error. */
enum bourn_err io_dir_list(struct io_dir *d, enum bourn_err (*fn)(void *ctx, const char *name), void *ctx) BOURN_MUST_USE;
enum bourn_err io_rename(struct io_dir *d, const char *from, const char *to) BOURN_MUST_USE;
enum bourn_err io_unlink(struct io_dir *d, const char *path) BOURN_MUST_USE; /* BOURN_OK if absent */

enum bourn_err io_open(struct io_dir *d, const char *path, enum io_mode mode, struct io_file **out) BOURN_MUST_USE;
void io_close(struct io_file *f);
enum bourn_err io_size(struct io_file *f, uint64_t *bytes) BOURN_MUST_USE;
/* Exactly n bytes at offset; BOURN_E_CORRUPT if the file ends before. */
enum bourn_err io_read(struct io_file *f, uint64_t offset, void *p, size_t n) BOURN_MUST_USE;
enum bourn_err io_write(struct io_file *f, uint64_t offset, const void *p, size_t n) BOURN_MUST_USE;
enum bourn_err io_datasync(struct io_file *f) BOURN_MUST_USE; /* fdatasync; after an error never call it again */
enum bourn_err io_sync(struct io_file *f) BOURN_MUST_USE;     /* fsync: data and size */
enum bourn_err io_truncate(struct io_file *f, uint64_t bytes) BOURN_MUST_USE;

/* Whole files. write_new goes through a temporary name and rename; durable if `sync` (file, then folder). */
enum bourn_err io_read_all(struct io_dir *d, const char *path, struct buf *out) BOURN_MUST_USE; /* cap of the buf */
enum bourn_err io_write_new(struct io_dir *d, const char *path, struct slice bytes, bool sync) BOURN_MUST_USE;

/* The table behind the functions; io_use swaps it (tests only, before anything is open). */
struct io_ops;
void io_use(const struct io_ops *ops);

#endif
