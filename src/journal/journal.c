#include "journal/internal.h"

#include "base/clock.h"

#include <stdlib.h>

enum { GROW_AGAIN_MS = 1000 };
_Static_assert(JOURNAL_PARTS_MAX + 2 <= IO_PARTS_MAX, "a frame is one pwritev");
_Static_assert(JOURNAL_FRAME_OVERHEAD >= FRAME_HEADER_BYTES + FRAME_ALIGN - 1, "the public figure");
_Static_assert(JOURNAL_SEGMENT_OVERHEAD == SEGMENT_BODY_OFFSET, "the public figure");

struct listing {
    unsigned count, highest;
};

static enum bourn_err count_segment(void *ctx, const char *name)
{
    struct listing *l = ctx;
    unsigned number = 0;
    if (strncmp(name, "seg.", 4) != 0 || strlen(name) != 10)
        return BOURN_OK;
    for (const char *p = name + 4; *p; p++) {
        if (*p < '0' || *p > '9')
            return BOURN_OK;
        number = number * 10 + (unsigned)(*p - '0');
    }
    l->count++;
    l->highest = number > l->highest ? number : l->highest;
    return BOURN_OK;
}

enum bourn_err journal_create(struct io_dir *dir, const struct journal_options *o)
{
    struct listing l = {0};
    enum bourn_err err = BOURN_E_INTERNAL;
    journal_check_options(o);
    TRY(io_dir_list(dir, count_segment, &l));
    if (l.count) {
        err = err_set(BOURN_E_EXISTS, "there is a journal already in this folder");
        goto out;
    }
    for (unsigned i = 0; i < o->segments_min; i++)
        TRY(journal_make_segment(dir, i, o->segment_bytes));
out:
    return err;
}

static enum bourn_err open_segments(struct journal *j)
{
    struct listing l = {0};
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_dir_list(j->dir, count_segment, &l));
    if (l.count == 0)
        return err_set(BOURN_E_NOT_FOUND,
                       "there is no journal in journal/: the folder is not that of a cell");
    if (l.count > JOURNAL_SEGMENTS_MAX)
        return err_set(BOURN_E_LIMIT, "journal/ holds %u segments; at most %d are possible", l.count,
                       JOURNAL_SEGMENTS_MAX);
    if (l.highest != l.count - 1)
        return err_set(BOURN_E_CORRUPT,
                       "journal/ holds %u segments, but the last is " SEGMENT_NAME ": restore the "
                       "missing ones from a backup",
                       l.count, l.highest);
    /* A process that died of a failed sync may have left names that only the cache has. */
    TRY(io_dir_sync(j->dir));
    for (unsigned i = 0; i < l.count; i++)
        TRY(journal_open_segment(j, i));
out:
    return err;
}

enum bourn_err journal_open(struct io_dir *dir, const struct journal_options *o, uint64_t min_mark,
                            struct journal **out, uint64_t *last)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    journal_check_options(o);
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(BOURN_E_MEMORY, "out of memory opening the journal");
    j->options = *o;
    TRY(io_dir_at(dir, ".", false, &j->dir));
    TRY(open_segments(j));
    TRY(journal_recover(j, min_mark));
    *last = j->sequence;
    *out = j;
out:
    if (err)
        journal_close(j);
    return err;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    for (unsigned i = 0; i < j->n; i++)
        io_close(j->segments[i].file);
    io_dir_close(j->dir);
    free(j);
}

void journal_release(struct journal *j, uint64_t mark)
{
    bourn_assert(mark <= j->sequence);
    if (mark > j->mark)
        j->mark = mark;
}

static unsigned count_free(const struct journal *j)
{
    unsigned n = 0;
    for (unsigned i = 0; i < j->n; i++)
        n += journal_segment_free(j, &j->segments[i]);
    return n;
}

uint64_t journal_free_bytes(const struct journal *j, bool reserved)
{
    unsigned free_now = count_free(j), keep = reserved ? 0 : j->options.segments_reserved;
    unsigned more = j->n < j->options.segments_max && !j->grow_again_ms ? j->options.segments_max - j->n : 0;
    if (free_now + more < keep)
        return 0;
    uint64_t body = j->options.segment_bytes - SEGMENT_BODY_OFFSET - FRAME_HEADER_BYTES;
    uint64_t rest = j->active ? j->options.segment_bytes - j->end : 0;
    return (free_now + more - keep) * body + (rest > FRAME_HEADER_BYTES ? rest - FRAME_HEADER_BYTES : 0);
}

static enum bourn_err grow(struct journal *j)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    if (j->n >= j->options.segments_max)
        return err_set(
            BOURN_E_FULL,
            "all %u segments of the journal wait for the files that are made from them; they are written "
            "in the background: try again",
            j->n);
    /* Filling a volume again for each request would make a full disk a slow one too. */
    if (j->grow_again_ms && clock_mono_ms() < j->grow_again_ms)
        return err_set(BOURN_E_FULL,
                       "no space left for a new segment of the journal: free space on the volume of "
                       "the cell");
    j->grow_again_ms = 0;
    TRY(journal_make_segment(j->dir, j->n, j->options.segment_bytes));
    TRY(journal_open_segment(j, j->n));
out:
    if (err == BOURN_E_FULL)
        j->grow_again_ms = clock_mono_ms() + GROW_AGAIN_MS;
    return err;
}

/* Begins the free segment with the smallest generation. */
static enum bourn_err take_segment(struct journal *j)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment *s = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    for (unsigned i = 0; i < j->n; i++) {
        struct segment *c = &j->segments[i];
        if (journal_segment_free(j, c) && (!s || c->header.generation < s->header.generation))
            s = c;
    }
    bourn_assert(s);
    s->known = true;
    s->last = 0;
    s->header.uses += s->header.uses < UINT32_MAX;
    s->header.generation = ++j->generation;
    s->header.first = j->sequence + 1;
    memcpy(s->header.previous, j->digest, DIGEST_BYTES);
    segment_header_put(bytes, &s->header);
    TRY(io_write(s->file, 0, bytes, sizeof bytes));
    TRY(io_datasync(s->file));
    j->active = s;
    j->end = SEGMENT_BODY_OFFSET;
out:
    return err;
}

/* Sees to it that the next frame of so many bytes has its place at j->end, and that the reserve stays. */
static enum bourn_err make_room(struct journal *j, uint64_t bytes, bool reserved)
{
    enum bourn_err err = BOURN_OK;
    bool take = !j->active || j->options.segment_bytes - j->end < bytes;
    while (count_free(j) < (reserved ? 0 : j->options.segments_reserved) + (take ? 1u : 0u))
        TRY(grow(j));
    if (take && (err = take_segment(j)) == BOURN_E_FULL)
        err = BOURN_E_IO; /* a write into what was there already: too late to say that nothing happened */
out:
    return err;
}

static enum bourn_err write_frame(struct journal *j, const struct slice *parts, size_t n, uint64_t payload)
{
    static const uint8_t padding[FRAME_ALIGN];
    struct slice all[JOURNAL_PARTS_MAX + 2];
    uint8_t header[FRAME_HEADER_BYTES], digest[DIGEST_BYTES];
    uint64_t bytes = frame_bytes(payload);
    enum bourn_err err = BOURN_E_INTERNAL;
    if (n)
        memcpy(all + 1, parts, n * sizeof *parts);
    frame_seal(header, all, n + 1, j->active->header.generation, j->sequence + 1, j->digest, digest);
    all[n + 1] = slice_of(padding, (size_t)(bytes - FRAME_HEADER_BYTES - payload));
    TRY(io_write_parts(j->active->file, j->end, all, n + 2));
    TRY(io_datasync(j->active->file));
    j->end += bytes;
    j->active->last = ++j->sequence;
    memcpy(j->digest, digest, DIGEST_BYTES);
out:
    return err == BOURN_E_FULL ? BOURN_E_IO : err;
}

enum bourn_err journal_append(struct journal *j, const struct slice *parts, size_t n, bool reserved,
                              uint64_t *sequence)
{
    uint64_t payload = 0, most = j->options.segment_bytes - SEGMENT_BODY_OFFSET - FRAME_HEADER_BYTES;
    if (j->failed)
        return err_set(BOURN_E_IO, "the journal stopped after a failed write: start again");
    for (size_t i = 0; i < n; i++)
        payload = parts[i].n > most ? most + 1 : payload + parts[i].n;
    if (payload > most || payload > UINT32_MAX || n > JOURNAL_PARTS_MAX)
        return err_set(BOURN_E_LIMIT, "a batch does not fit a frame of the journal: %llu bytes are the most",
                       (unsigned long long)most);
    enum bourn_err err = make_room(j, frame_bytes(payload), reserved);
    if (!err)
        err = write_frame(j, parts, n, payload);
    j->failed = err != BOURN_OK && err != BOURN_E_FULL;
    if (!err)
        *sequence = j->sequence;
    return err;
}

/* The segment with frames whose first sequence is the lowest that is >= from. */
static const struct segment *next_segment(const struct journal *j, uint64_t from)
{
    const struct segment *s = NULL;
    for (unsigned i = 0; i < j->n; i++) {
        const struct segment *c = &j->segments[i];
        if (c->last && c->header.first >= from && (!s || c->header.first < s->header.first))
            s = c;
    }
    return s;
}

static enum bourn_err replay_segment(const struct journal *j, const struct segment *s, uint8_t *room,
                                     uint64_t after, enum bourn_err (*fn)(void *, uint64_t, struct slice),
                                     void *ctx)
{
    struct slice bytes = slice_of(room, (size_t)j->options.segment_bytes);
    struct walk w;
    struct frame f;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_read(s->file, 0, room, bytes.n));
    journal_walk(bytes, &s->header, &w);
    if (w.last < s->last)
        return err_set(BOURN_E_CORRUPT, "frame %llu of the journal changed while it was open: check the disk",
                       (unsigned long long)w.last + 1);
    for (uint64_t at = SEGMENT_BODY_OFFSET; at < w.end; at += frame_bytes(f.payload.n)) {
        bourn_assert(frame_get(bytes, at, &f));
        if (f.sequence > after && f.sequence <= s->last)
            TRY(fn(ctx, f.sequence, f.payload));
    }
out:
    return err;
}

enum bourn_err journal_replay(struct journal *j, uint64_t after,
                              enum bourn_err (*fn)(void *ctx, uint64_t sequence, struct slice payload),
                              void *ctx)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    if (after >= j->sequence)
        return BOURN_OK;
    const struct segment *s = next_segment(j, 0);
    if (!s || s->header.first > after + 1)
        return err_set(BOURN_E_CORRUPT, "frame %llu of the journal was released and is no longer there",
                       (unsigned long long)after + 1);
    uint8_t *room = malloc((size_t)j->options.segment_bytes);
    if (!room)
        return err_set(BOURN_E_MEMORY, "out of memory for a segment of the journal");
    for (const struct segment *next; s; s = next) {
        if (s->last > after)
            TRY(replay_segment(j, s, room, after, fn, ctx));
        next = next_segment(j, s->last + 1);
        bourn_assert(!next || next->header.first == s->last + 1);
    }
    err = BOURN_OK;
out:
    free(room);
    return err;
}
