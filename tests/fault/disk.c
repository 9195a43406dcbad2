#include "disk.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, MAP = 1 << 16 };

struct name {
    const char *p;
    size_t n;
    uint32_t node;
};
struct node {
    bool dir;
    uint32_t *events; /* those of its bytes and size */
    size_t events_n, events_size;
    /* of the state that is being built */
    size_t synced; /* events before this one are durable */
    struct name *names;
    size_t names_n, names_size;
};
struct disk {
    const struct trace_event **events;
    uint32_t *of, *to; /* node of each event; folder of a new name */
    uint32_t *from;    /* folder of an old name */
    size_t n;
    struct node *nodes;
    uint32_t nodes_n;
    struct {
        uint64_t inode;
        uint32_t node;
    } map[MAP];
};

#define MUST(x)                                                                                              \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "disk: line %d: %s\n", __LINE__, #x);                                            \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

uint64_t fault_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool chance(uint64_t *r, unsigned percent)
{
    return fault_random(r) % 100 < percent;
}

/* --- reading the trace
 * ------------------------------------------------------------------------------------------ */

static void grow(void *list, size_t n, size_t *size, size_t item)
{
    void **p = list;
    if (n < *size)
        return;
    *size = *size ? 2 * *size : 8;
    *p = realloc(*p, *size * item);
    MUST(*p);
}

static uint32_t *node_place(struct disk *d, uint64_t inode)
{
    size_t at = (inode * 0x9e3779b97f4a7c15u) >> 48;
    while (d->map[at].inode && d->map[at].inode != inode)
        at = (at + 1) % MAP;
    d->map[at].inode = inode;
    return &d->map[at].node;
}

/* A new file may have the inode number of one that is gone. */
static uint32_t node_new(struct disk *d, uint64_t inode, bool dir)
{
    MUST(d->nodes_n < MAP / 2);
    d->nodes[d->nodes_n] = (struct node){.dir = dir};
    return *node_place(d, inode) = d->nodes_n++;
}

static void take(struct disk *d, size_t i, const struct trace_event *e)
{
    d->events[i] = e;
    switch ((enum trace_type)e->type) {
    case TRACE_ROOT:
        d->of[i] = node_new(d, e->node, true);
        return;
    case TRACE_CREATE:
    case TRACE_MKDIR:
        d->from[i] = *node_place(d, e->folder);
        d->of[i] = node_new(d, e->node, e->type == TRACE_MKDIR);
        return;
    case TRACE_RENAME:
    case TRACE_UNLINK:
        d->from[i] = *node_place(d, e->folder);
        d->to[i] = e->type == TRACE_RENAME ? *node_place(d, e->to_folder) : 0;
        d->of[i] = *node_place(d, e->node);
        return;
    case TRACE_WRITE:
    case TRACE_SIZE: {
        d->of[i] = *node_place(d, e->node);
        struct node *f = &d->nodes[d->of[i]];
        grow(&f->events, f->events_n, &f->events_size, sizeof *f->events);
        f->events[f->events_n++] = (uint32_t)i;
        return;
    }
    case TRACE_SYNC:
        d->of[i] = *node_place(d, e->node);
        return;
    case TRACE_SYNCFS:
    case TRACE_MARK:
        return;
    }
    abort(); /* an event of no kind: not a trace */
}

struct disk *disk_load(struct trace_head *h)
{
    struct disk *d = calloc(1, sizeof *d);
    const char *p = trace_events(h), *end = p + h->used;
    MUST(d);
    for (const char *q = p; q < end; q += ((const struct trace_event *)(const void *)q)->bytes)
        d->n++;
    d->events = calloc(d->n + 1, sizeof(struct trace_event *));
    d->of = calloc(d->n + 1, sizeof *d->of);
    d->to = calloc(d->n + 1, sizeof *d->to);
    d->from = calloc(d->n + 1, sizeof *d->from);
    d->nodes = calloc(MAP / 2, sizeof *d->nodes);
    MUST(d->events && d->of && d->to && d->from && d->nodes);
    for (size_t i = 0; i < d->n; i++, p += d->events[i - 1]->bytes)
        take(d, i, (const struct trace_event *)(const void *)p);
    return d;
}

void disk_free(struct disk *d)
{
    for (uint32_t i = 0; i < d->nodes_n; i++) {
        free(d->nodes[i].events);
        free(d->nodes[i].names);
    }
    free(d->nodes);
    free((void *)d->events);
    free(d->of);
    free(d->to);
    free(d->from);
    free(d);
}

size_t disk_events(const struct disk *d)
{
    return d->n;
}

const struct trace_event *disk_event(const struct disk *d, size_t i)
{
    return d->events[i];
}

/* --- names
 * ------------------------------------------------------------------------------------------------------ */

static struct name *find(struct node *dir, const char *p, size_t n)
{
    for (size_t i = 0; i < dir->names_n; i++)
        if (dir->names[i].n == n && memcmp(dir->names[i].p, p, n) == 0)
            return &dir->names[i];
    return NULL;
}

static void name_set(struct node *dir, const char *p, size_t n, uint32_t node)
{
    struct name *old = find(dir, p, n);
    if (old) {
        old->node = node;
        return;
    }
    grow(&dir->names, dir->names_n, &dir->names_size, sizeof *dir->names);
    dir->names[dir->names_n++] = (struct name){p, n, node};
}

static void name_remove(struct node *dir, const char *p, size_t n, uint32_t node)
{
    struct name *old = find(dir, p, n);
    if (old && old->node == node)
        *old = dir->names[--dir->names_n];
}

static void apply_name(struct disk *d, size_t i)
{
    const struct trace_event *e = d->events[i];
    struct node *dir = &d->nodes[d->from[i]];
    if (e->type == TRACE_CREATE || e->type == TRACE_MKDIR)
        name_set(dir, e->rest, e->name_n, d->of[i]);
    else
        name_remove(dir, e->rest, e->name_n, d->of[i]);
    if (e->type == TRACE_RENAME)
        name_set(&d->nodes[d->to[i]], e->rest + e->name_n, e->name2_n, d->of[i]);
}

static bool of_names(const struct trace_event *e)
{
    return e->type == TRACE_CREATE || e->type == TRACE_MKDIR || e->type == TRACE_RENAME ||
           e->type == TRACE_UNLINK;
}

/* Which of the names that no sync covers are there: none, all, those up to some moment, or each by itself. */
static void build_names(struct disk *d, size_t k, unsigned style, uint64_t *r)
{
    size_t until = style == 0 ? 0 : style == 1 ? k : style == 2 ? fault_random(r) % (k + 1) : 0;
    unsigned percent = (unsigned)(fault_random(r) % 4) * 25 + 12;
    for (size_t i = 0; i < k; i++) {
        if (!of_names(d->events[i]))
            continue;
        size_t synced = d->nodes[d->events[i]->type == TRACE_RENAME ? d->to[i] : d->from[i]].synced;
        if (i < synced || i < until || (style == 3 && chance(r, percent)))
            apply_name(d, i);
    }
}

/* --- bytes
 * ------------------------------------------------------------------------------------------------------ */

enum file_style { FILE_NOTHING, FILE_ALL, FILE_PREFIX, FILE_WRITES, FILE_SECTORS, FILE_STYLES };

struct content {
    uint8_t *bytes;
    size_t size, room;
    uint32_t *newest; /* of each sector: it stands as after this event + 1; 0: as at the start */
};

static size_t event_end(const struct trace_event *e)
{
    return e->offset + (e->type == TRACE_WRITE ? e->data_n : 0);
}

static void keep_sectors(struct content *c, const struct trace_event *e, uint32_t i, unsigned percent,
                         uint64_t *r)
{
    for (size_t s = e->offset / SECTOR; s * SECTOR < event_end(e); s++)
        if (percent == 100 || chance(r, percent))
            c->newest[s] = i + 1;
}

/* The first n sectors of a write. */
static void keep_front(struct content *c, const struct trace_event *e, uint32_t i, uint64_t *r)
{
    size_t first = e->offset / SECTOR, sectors = (event_end(e) + SECTOR - 1) / SECTOR - first;
    size_t n = fault_random(r) % (sectors + 1);
    for (size_t s = first; s < first + n; s++)
        c->newest[s] = i + 1;
}

/* Chooses for each sector how new it is, and the size. Events of f up to `n` happened before the cut. */
static void choose(struct disk *d, const struct node *f, size_t n, enum file_style style, uint64_t *r,
                   struct content *c)
{
    size_t pending = 0, sure = 0, final = 0, sizes_n = 0;
    size_t *sizes = calloc(n + 1, sizeof *sizes);
    MUST(sizes);
    for (size_t j = 0; j < n; j++)
        pending += f->events[j] >= f->synced;
    size_t stop = style == FILE_PREFIX && pending ? fault_random(r) % pending : 0, at = 0;
    unsigned percent = 10 + (unsigned)(fault_random(r) % 5) * 20;
    for (size_t j = 0; j < n; j++) {
        uint32_t i = f->events[j];
        const struct trace_event *e = d->events[i];
        bool durable = i < f->synced || e->durable;
        size_t size = e->type == TRACE_SIZE || event_end(e) > final ? event_end(e) : final;
        if (durable) {
            sure = i < f->synced ? size : event_end(e) > sure ? event_end(e) : sure;
            sizes_n = 0;
        }
        sizes[sizes_n++] = final = size;
        if (e->type == TRACE_SIZE)
            continue;
        if (durable || style == FILE_ALL || (style == FILE_PREFIX && at < stop))
            keep_sectors(c, e, i, 100, r);
        else if ((style == FILE_PREFIX && at == stop) || (style == FILE_WRITES && chance(r, 30)))
            keep_front(c, e, i, r);
        else if (style == FILE_WRITES && chance(r, 60))
            keep_sectors(c, e, i, chance(r, 70) ? 100 : 50, r);
        else if (style == FILE_SECTORS)
            keep_sectors(c, e, i, percent, r);
        at += i >= f->synced;
    }
    c->size = style == FILE_NOTHING || !sizes_n ? sure
              : style == FILE_ALL               ? final
              : chance(r, 40)                   ? sure
                                                : sizes[fault_random(r) % sizes_n];
    free(sizes);
}

static void build_content(struct disk *d, const struct node *f, size_t k, enum file_style style, uint64_t *r,
                          struct content *c)
{
    size_t n = 0;
    *c = (struct content){0};
    for (; n < f->events_n && f->events[n] < k; n++)
        if (event_end(d->events[f->events[n]]) > c->room)
            c->room = event_end(d->events[f->events[n]]);
    c->bytes = calloc(1, c->room + 1);
    c->newest = calloc(c->room / SECTOR + 2, sizeof *c->newest);
    MUST(c->bytes && c->newest);
    choose(d, f, n, style, r, c);
    for (size_t j = 0; j < n; j++) {
        uint32_t i = f->events[j];
        const struct trace_event *e = d->events[i];
        const char *data = e->rest + e->name_n + e->name2_n;
        if (e->type == TRACE_SIZE && i < f->synced) {
            memset(c->bytes + e->offset, 0, c->room - e->offset);
            continue;
        }
        for (size_t at = e->offset; e->type == TRACE_WRITE && at < event_end(e);) {
            size_t end = (at / SECTOR + 1) * SECTOR;
            end = end < event_end(e) ? end : event_end(e);
            if (c->newest[at / SECTOR] > i)
                memcpy(c->bytes + at, data + (at - e->offset), end - at);
            at = end;
        }
    }
}

static void write_file(int dir, const char *name, const struct content *c)
{
    static const uint8_t zeros[4096];
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && ftruncate(fd, (off_t)c->size) == 0);
    for (size_t at = 0; at < c->size; at += sizeof zeros) {
        size_t n = c->size - at < sizeof zeros ? c->size - at : sizeof zeros;
        MUST(memcmp(c->bytes + at, zeros, n) == 0 || pwrite(fd, c->bytes + at, n, (off_t)at) == (ssize_t)n);
    }
    close(fd);
}

/* --- the state
 * -------------------------------------------------------------------------------------------------- */

struct building {
    struct disk *d;
    size_t k;
    int style; /* of all files, or -1: each its own */
    uint64_t r;
};

static void build_dir(struct building *b, const struct node *dir, int fd)
{
    for (size_t i = 0; i < dir->names_n; i++) {
        char name[256];
        const struct node *f = &b->d->nodes[dir->names[i].node];
        snprintf(name, sizeof name, "%.*s", (int)dir->names[i].n, dir->names[i].p);
        if (f->dir) {
            MUST(mkdirat(fd, name, 0700) == 0);
            int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            MUST(sub >= 0);
            build_dir(b, f, sub);
            close(sub);
            continue;
        }
        struct content c;
        enum file_style style =
            (enum file_style)(b->style >= 0 ? (uint64_t)b->style : fault_random(&b->r) % FILE_STYLES);
        build_content(b->d, f, b->k, style, &b->r, &c);
        write_file(fd, name, &c);
        free(c.bytes);
        free(c.newest);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    return ftw->level ? remove(path) : 0;
}

void disk_empty(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void disk_build(struct disk *d, size_t k, uint64_t seed, const char *out)
{
    struct building b = {.d = d, .k = k, .style = -1, .r = seed};
    for (uint32_t i = 0; i < d->nodes_n; i++)
        d->nodes[i].synced = d->nodes[i].names_n = 0;
    size_t all = 0;
    for (size_t i = 0; i < k; i++) {
        if (d->events[i]->type == TRACE_SYNC)
            d->nodes[d->of[i]].synced = i;
        if (d->events[i]->type == TRACE_SYNCFS)
            all = i;
    }
    for (uint32_t i = 0; i < d->nodes_n; i++)
        if (d->nodes[i].synced < all)
            d->nodes[i].synced = all;
    unsigned names = (unsigned)(fault_random(&b.r) % 5);
    uint64_t whole = fault_random(&b.r) % 10; /* now and then all files alike */
    if (whole < 2)
        b.style = (int)whole;
    build_names(d, k, names > 3 ? 2 : names, &b.r);
    disk_empty(out);
    mkdir(out, 0700);
    int fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0);
    build_dir(&b, &d->nodes[d->of[0]], fd);
    close(fd);
}
