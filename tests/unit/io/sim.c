#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { INODES = 512, NAMES = 256, NAME_BYTES = 48, FDS = 512 };

struct name {
    char text[NAME_BYTES];
    int inode; /* 0: the name was removed (in a change) */
};
/* Changes of one folder since its last sync; a rename is two of them, tied together. */
struct change {
    struct name name;
    bool with_next;
};
struct sector {
    uint64_t index;
    uint64_t file_bytes; /* size of the file after this write */
    uint8_t bytes[SIM_SECTOR_BYTES];
};
struct bytes {
    uint8_t *p;
    uint64_t n, room;
};
struct inode {
    bool used, folder;
    struct bytes cache, disk;
    struct sector *dirty;
    size_t dirty_n, dirty_room;
    bool size_dirty;
    struct name *names, *disk_names;
    size_t names_n, disk_names_n;
    struct change *changes;
    size_t changes_n;
};

struct sim_stats sim_stats;
static struct inode inodes[INODES];
static int fds[FDS]; /* inode of a descriptor, 0: closed */
static uint64_t capacity, used, dice, fault_at;
static enum sim_fault fault;
static bool happened, dead;

enum { ROOT = 1, FD_BASE = 1000 };

uint64_t sim_random(uint64_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return below ? (dice >> 8) % below : 0;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static void set_size(struct bytes *b, uint64_t n)
{
    if (n > b->room) {
        b->room = n * 2;
        b->p = realloc(b->p, b->room);
        bourn_assert(b->p);
    }
    if (n > b->n)
        memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static int new_inode(bool folder)
{
    for (int i = ROOT; i < INODES; i++) {
        if (inodes[i].used)
            continue;
        inodes[i] = (struct inode){.used = true, .folder = folder};
        if (folder) {
            inodes[i].names = calloc(NAMES, sizeof(struct name));
            inodes[i].disk_names = calloc(NAMES, sizeof(struct name));
            inodes[i].changes = calloc(NAMES * 4, sizeof(struct change));
            bourn_assert(inodes[i].names && inodes[i].disk_names && inodes[i].changes);
        }
        return i;
    }
    bourn_assert(false); /* INODES is too small for this test */
}

static void free_inode(struct inode *d)
{
    free(d->cache.p);
    free(d->disk.p);
    free(d->dirty);
    free(d->names);
    free(d->disk_names);
    free(d->changes);
    *d = (struct inode){0};
}

void sim_begin(uint64_t seed, uint64_t capacity_bytes)
{
    dice = seed * 2 + 88172645463325252u;
    capacity = capacity_bytes;
    used = 0;
    sim_stats = (struct sim_stats){0};
    sim_fault(SIM_NO_FAULT, 0);
    dead = false;
    memset(fds, 0, sizeof fds);
    bourn_assert(new_inode(true) == ROOT);
    io_use(&sim_ops);
}

void sim_end(void)
{
    for (int i = ROOT; i < INODES; i++)
        free_inode(&inodes[i]);
    io_use(NULL);
}

void sim_capacity(uint64_t bytes)
{
    capacity = bytes;
}

void sim_fault(enum sim_fault f, uint64_t at)
{
    fault = f;
    fault_at = at;
    happened = false;
}

bool sim_fault_happened(void)
{
    return happened;
}

static bool power_cut(void)
{
    if (dead)
        return true;
    if (++sim_stats.calls == fault_at && fault == SIM_POWER_CUT)
        happened = dead = true;
    return dead;
}

static struct name *find_name(struct name *names, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i].text, text) == 0)
            return &names[i];
    return NULL;
}

static void set_name(struct name *names, size_t *n, const struct name *to)
{
    struct name *at = find_name(names, *n, to->text);
    if (at && to->inode) {
        at->inode = to->inode;
    } else if (at) {
        *at = names[--*n];
    } else if (to->inode) {
        bourn_assert(*n < NAMES);
        names[(*n)++] = *to;
    }
}

static void change_name(struct inode *d, const char *text, int inode, bool with_next)
{
    struct change c = {.name.inode = inode, .with_next = with_next};
    bourn_assert(strlen(text) < NAME_BYTES && d->changes_n < (size_t)NAMES * 4);
    memcpy(c.name.text, text, strlen(text));
    set_name(d->names, &d->names_n, &c.name);
    d->changes[d->changes_n++] = c;
}

/* The folder that holds the last part of path; *last points at that part. 0 if a folder is missing. */
static int walk(int dirfd, const char *path, const char **last)
{
    int at = dirfd == AT_FDCWD ? ROOT : fds[dirfd - FD_BASE];
    while (*path == '/')
        path++;
    for (const char *slash; (slash = strchr(path, '/'));) {
        char part[NAME_BYTES];
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        const struct name *n = find_name(inodes[at].names, inodes[at].names_n, part);
        if (!n || !inodes[n->inode].folder)
            return 0;
        at = n->inode;
        path = slash + 1;
    }
    *last = path;
    return at;
}

static int lookup(int dirfd, const char *path)
{
    const char *last;
    int at = walk(dirfd, path, &last);
    if (!at || *last == '\0' || strcmp(last, ".") == 0)
        return at;
    const struct name *n = find_name(inodes[at].names, inodes[at].names_n, last);
    return n ? n->inode : 0;
}

static int new_fd(int inode)
{
    for (int i = 0; i < FDS; i++) {
        if (fds[i] == 0) {
            fds[i] = inode;
            return FD_BASE + i;
        }
    }
    return fail(EMFILE);
}

static struct inode *of(int fd)
{
    bourn_assert(fd >= FD_BASE && fd < FD_BASE + FDS && fds[fd - FD_BASE]);
    return &inodes[fds[fd - FD_BASE]];
}

static int sim_dir(int dirfd, const char *path, bool follow)
{
    (void)follow;
    int i = lookup(dirfd, path);
    return !i ? fail(ENOENT) : !inodes[i].folder ? fail(ENOTDIR) : new_fd(i);
}

static int sim_open(int dirfd, const char *path, enum io_mode mode)
{
    const char *last;
    int folder = walk(dirfd, path, &last), i = lookup(dirfd, path);
    if (!folder || (!i && mode < IO_CREATE))
        return fail(ENOENT);
    if (i && (mode == IO_CREATE_NEW || inodes[i].folder))
        return fail(inodes[i].folder ? EINVAL : EEXIST);
    if (!i) {
        if (power_cut())
            return fail(EIO);
        i = new_inode(false);
        change_name(&inodes[folder], last, i, false);
    }
    return new_fd(i);
}

static int sim_close(int fd)
{
    if (fds[fd - FD_BASE]) /* not after a reboot */
        fds[fd - FD_BASE] = 0;
    return 0;
}

static int sim_stat(int fd, struct io_stat *out)
{
    *out = (struct io_stat){.bytes = of(fd)->cache.n, .mode = 0600};
    return 0;
}

static ssize_t sim_pread(int fd, void *p, size_t n, off_t offset)
{
    const struct inode *d = of(fd);
    uint64_t at = (uint64_t)offset;
    if (dead)
        return fail(EIO);
    if (at >= d->cache.n)
        return 0;
    if (n > d->cache.n - at)
        n = (size_t)(d->cache.n - at);
    if (n > 4096 && sim_random(16) == 0)
        n = n / 2; /* callers must cope with short reads */
    memcpy(p, d->cache.p + at, n);
    return (ssize_t)n;
}

static void write_sector(struct inode *d, uint64_t offset, const uint8_t *p, size_t n)
{
    uint64_t index = offset / SIM_SECTOR_BYTES;
    if (offset + n > d->cache.n)
        set_size(&d->cache, offset + n);
    memcpy(d->cache.p + offset, p, n);
    if (d->dirty_n == d->dirty_room) {
        d->dirty_room = d->dirty_room ? d->dirty_room * 2 : 16;
        d->dirty = realloc(d->dirty, d->dirty_room * sizeof *d->dirty);
        bourn_assert(d->dirty);
    }
    struct sector *s = &d->dirty[d->dirty_n++];
    *s = (struct sector){.index = index, .file_bytes = d->cache.n};
    uint64_t start = index * SIM_SECTOR_BYTES, left = d->cache.n - start;
    memcpy(s->bytes, d->cache.p + start, left < SIM_SECTOR_BYTES ? left : SIM_SECTOR_BYTES);
}

static ssize_t sim_pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
    struct inode *d = of(fd);
    uint64_t at = (uint64_t)offset, grown = d->cache.n;
    size_t done = 0;
    if (dead)
        return fail(EIO);
    bool cut = power_cut();
    if (!cut && sim_random(64) == 0)
        return fail(EINTR);
    sim_stats.writes++;
    for (int i = 0; i < n; i++) {
        const uint8_t *p = v[i].iov_base;
        for (size_t k = 0; k < v[i].iov_len;) {
            size_t step = SIM_SECTOR_BYTES - at % SIM_SECTOR_BYTES;
            step = step < v[i].iov_len - k ? step : v[i].iov_len - k;
            if (at + step > grown) {
                if (used + (at + step - grown) > capacity)
                    return done ? (ssize_t)done : fail(ENOSPC);
                used += at + step - grown;
                grown = at + step;
            }
            write_sector(d, at, p + k, step);
            at += step;
            k += step;
            done += step;
        }
        if (i + 1 < n && sim_random(256) == 0)
            break; /* a short write */
    }
    return cut ? fail(EIO) : (ssize_t)done;
}

/* The disk takes what it takes of the sectors that wait; with everything: all. */
static void settle(struct inode *d, bool everything)
{
    static uint8_t stopped[1 << 16]; /* sectors that take no later version */
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    unsigned lost_percent = percents[sim_random(5)];
    memset(stopped, 0, sizeof stopped);
    for (size_t i = 0; i < d->dirty_n; i++) {
        const struct sector *s = &d->dirty[i];
        bourn_assert(s->index < sizeof stopped);
        if (!everything && sim_random(100) < lost_percent)
            stopped[s->index] = 1;
        if (stopped[s->index])
            continue;
        uint64_t start = s->index * SIM_SECTOR_BYTES, end = start + SIM_SECTOR_BYTES;
        end = end < s->file_bytes ? end : s->file_bytes;
        if (d->disk.n < end)
            set_size(&d->disk, end);
        memcpy(d->disk.p + start, s->bytes, end - start);
    }
    d->dirty_n = 0;
    if (d->size_dirty && (everything || sim_random(2)))
        set_size(&d->disk, d->cache.n);
    d->size_dirty = false;
}

static void settle_names(struct inode *d, bool everything)
{
    size_t n = everything ? d->changes_n : (size_t)sim_random(d->changes_n + 1);
    while (n && n < d->changes_n && d->changes[n - 1].with_next)
        n--;
    for (size_t i = 0; i < n; i++)
        set_name(d->disk_names, &d->disk_names_n, &d->changes[i].name);
    d->changes_n = 0;
}

static int sync_one(int fd)
{
    struct inode *d = of(fd);
    if (power_cut())
        return fail(EIO);
    if (fault == SIM_SYNC_FAILS && !happened && sim_stats.calls >= fault_at) {
        happened = true;
        settle(d, false);
        return fail(EIO);
    }
    settle(d, true);
    if (d->folder)
        settle_names(d, true);
    sim_stats.syncs++;
    return 0;
}

static int sim_syncfs(int fd)
{
    (void)fd;
    if (power_cut())
        return fail(EIO);
    for (int i = ROOT; i < INODES; i++) {
        if (!inodes[i].used)
            continue;
        settle(&inodes[i], true);
        if (inodes[i].folder)
            settle_names(&inodes[i], true);
    }
    sim_stats.syncs++;
    return 0;
}

static int sim_truncate(int fd, off_t bytes)
{
    struct inode *d = of(fd);
    if (power_cut())
        return fail(EIO);
    if ((uint64_t)bytes > d->cache.n && used + (uint64_t)bytes - d->cache.n > capacity)
        return fail(ENOSPC);
    used = used + (uint64_t)bytes - d->cache.n;
    set_size(&d->cache, (uint64_t)bytes);
    d->size_dirty = true;
    return 0;
}

static int sim_mkdir(int dirfd, const char *path)
{
    const char *last;
    int folder = walk(dirfd, path, &last);
    if (!folder)
        return fail(ENOENT);
    if (lookup(dirfd, path))
        return fail(EEXIST);
    if (power_cut())
        return fail(EIO);
    change_name(&inodes[folder], last, new_inode(true), false);
    return 0;
}

static int sim_rename(int dirfd, const char *from, const char *to)
{
    const char *last_from, *last_to;
    int i = lookup(dirfd, from), a = walk(dirfd, from, &last_from), b = walk(dirfd, to, &last_to);
    if (!i || !b)
        return fail(ENOENT);
    bourn_assert(a == b); /* enough for these tests */
    if (power_cut())
        return fail(EIO);
    change_name(&inodes[a], last_to, i, true);
    change_name(&inodes[a], last_from, 0, false);
    return 0;
}

static int sim_unlink(int dirfd, const char *path)
{
    const char *last;
    int folder = walk(dirfd, path, &last), i = lookup(dirfd, path);
    if (!i)
        return fail(ENOENT);
    if (power_cut())
        return fail(EIO);
    used -= inodes[i].cache.n;
    change_name(&inodes[folder], last, 0, false);
    return 0;
}

static int sim_list(int dirfd, bool (*fn)(void *ctx, const char *name), void *ctx)
{
    const struct inode *d = of(dirfd);
    if (fn(ctx, ".") && fn(ctx, ".."))
        for (size_t i = 0; i < d->names_n && fn(ctx, d->names[i].text); i++)
            ;
    return 0;
}

void sim_restart(void)
{
    memset(fds, 0, sizeof fds);
    dead = false;
    sim_fault(SIM_NO_FAULT, 0);
}

void sim_reboot(void)
{
    bool reached[INODES] = {[ROOT] = true};
    sim_restart();
    for (int i = ROOT; i < INODES; i++) {
        struct inode *d = &inodes[i];
        if (!d->used)
            continue;
        settle(d, false);
        set_size(&d->cache, d->disk.n);
        if (d->disk.n)
            memcpy(d->cache.p, d->disk.p, d->disk.n);
        if (!d->folder)
            continue;
        settle_names(d, false);
        memcpy(d->names, d->disk_names, d->disk_names_n * sizeof *d->names);
        d->names_n = d->disk_names_n;
        for (size_t k = 0; k < d->names_n; k++)
            reached[d->names[k].inode] = true;
    }
    used = 0;
    for (int i = ROOT; i < INODES; i++) {
        if (inodes[i].used && !reached[i])
            free_inode(&inodes[i]);
        used += inodes[i].cache.n;
    }
}

void sim_wipe(const char *path, uint64_t offset, uint64_t n)
{
    struct inode *d = &inodes[lookup(AT_FDCWD, path)];
    bourn_assert(d->used && offset + n <= d->disk.n && offset + n <= d->cache.n);
    memset(d->disk.p + offset, 0, n);
    memset(d->cache.p + offset, 0, n);
}

bool sim_flip(const char *path, uint64_t offset, uint8_t mask)
{
    struct inode *d = &inodes[lookup(AT_FDCWD, path)];
    if (!d->used || offset >= d->disk.n || offset >= d->cache.n)
        return false;
    d->disk.p[offset] ^= mask;
    d->cache.p[offset] ^= mask;
    return true;
}

const struct io_ops sim_ops = {
    .dir = sim_dir,
    .open = sim_open,
    .close = sim_close,
    .stat = sim_stat,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .fdatasync = sync_one,
    .fsync = sync_one,
    .syncfs = sim_syncfs,
    .truncate = sim_truncate,
    .mkdir = sim_mkdir,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .list = sim_list,
};
