#include "journal/internal.h"

#include <stdio.h>

enum { ZEROS_BYTES = 64 << 10, ZEROS_AT_ONCE = 16 };
static const uint8_t zeros[ZEROS_BYTES];

void journal_check_options(const struct journal_options *o)
{
    bourn_assert(o->segments_max <= JOURNAL_SEGMENTS_MAX && o->segments_min <= o->segments_max);
    bourn_assert(o->segments_reserved < o->segments_min && o->segments_min >= 2);
    bourn_assert(o->segment_bytes >= 2 * SEGMENT_BODY_OFFSET && o->segment_bytes % FRAME_ALIGN == 0);
}

static enum bourn_err write_zeros(struct io_file *f, uint64_t at, uint64_t n)
{
    enum bourn_err err = BOURN_OK;
    while (n && err == BOURN_OK) {
        struct slice parts[ZEROS_AT_ONCE];
        size_t parts_n = 0;
        uint64_t sum = 0;
        for (; parts_n < ZEROS_AT_ONCE && sum < n; sum += parts[parts_n++].n)
            parts[parts_n] = slice_of(zeros, (size_t)(n - sum < ZEROS_BYTES ? n - sum : ZEROS_BYTES));
        err = io_write_parts(f, at, parts, parts_n);
        at += sum;
        n -= sum;
    }
    return err;
}

static enum bourn_err fill(struct io_dir *dir, const char *temporary, uint64_t bytes)
{
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_unlink(dir, temporary));
    TRY(io_open(dir, temporary, IO_CREATE_NEW, &f));
    /* Real zeros, not fallocate: an unwritten extent would make each fdatasync change the file system's own
     * data. */
    TRY(write_zeros(f, 0, bytes));
    TRY(io_sync(f));
out:
    io_close(f);
    return err;
}

enum bourn_err journal_make_segment(struct io_dir *dir, unsigned number, uint64_t bytes)
{
    static const char temporary[] = "seg.new";
    char name[SEGMENT_NAME_BYTES];
    snprintf(name, sizeof name, SEGMENT_NAME, number);
    enum bourn_err err = fill(dir, temporary, bytes);
    if (err) {
        if (err == BOURN_E_FULL && io_unlink(dir, temporary) != BOURN_OK)
            return BOURN_E_IO;
        return err == BOURN_E_FULL
                   ? err_set(err,
                             "no space left for a new segment of the journal (%llu bytes): free "
                             "space on the volume of the cell",
                             (unsigned long long)bytes)
                   : err;
    }
    TRY(io_rename(dir, temporary, name));
    TRY(io_dir_sync(dir));
out:
    return err;
}

enum bourn_err journal_open_segment(struct journal *j, unsigned number)
{
    char name[SEGMENT_NAME_BYTES];
    uint8_t header[SEGMENT_HEADER_BYTES];
    struct segment *s = &j->segments[j->n];
    uint64_t bytes = 0;
    enum bourn_err err = BOURN_E_INTERNAL;
    snprintf(name, sizeof name, SEGMENT_NAME, number);
    *s = (struct segment){.number = number};
    TRY(io_open(j->dir, name, IO_WRITE, &s->file));
    TRY(io_size(s->file, &bytes));
    if (bytes != j->options.segment_bytes) {
        err = err_set(BOURN_E_CORRUPT, "journal/%s has %llu bytes instead of %llu: restore it from a backup",
                      name, (unsigned long long)bytes, (unsigned long long)j->options.segment_bytes);
        goto out;
    }
    TRY(io_read(s->file, 0, header, sizeof header));
    s->known = segment_header_get(header, &s->header);
    if (!s->known)
        s->header =
            (struct segment_header){.uses = header[0] ? 1 : 0}; /* damaged: no longer in its first use */
    j->n++;
out:
    if (err) {
        io_close(s->file);
        s->file = NULL;
    }
    return err;
}

void journal_walk(struct slice bytes, const struct segment_header *h, struct walk *out)
{
    struct frame f;
    *out = (struct walk){.last = h->first - 1, .end = SEGMENT_BODY_OFFSET};
    memcpy(out->digest, h->previous, DIGEST_BYTES);
    while (frame_get(bytes, out->end, &f) && f.generation == h->generation && f.sequence == out->last + 1 &&
           memcmp(f.previous, out->digest, DIGEST_BYTES) == 0) {
        out->last++;
        out->last_offset = out->end;
        out->end += frame_bytes(f.payload.n);
        memcpy(out->digest, f.digest, DIGEST_BYTES);
    }
}

/* How much behind `end` was written by an append that did not finish. In a segment that was used before, old
 * frames lie there, and only a header of the present generation tells. */
static uint64_t tail_bytes(const struct segment *s, struct slice bytes, uint64_t end)
{
    uint64_t generation, claimed, tail = 0;
    if (frame_claims(bytes, end, &generation, &claimed) && generation == s->header.generation)
        tail = claimed < bytes.n - end ? claimed : bytes.n - end;
    if (s->header.uses == 1) {
        uint64_t nonzero = bytes.n;
        while (nonzero > end && bytes.p[nonzero - 1] == 0)
            nonzero--;
        if (nonzero > end && nonzero - end > tail)
            tail = nonzero - end;
    }
    return tail;
}

static enum bourn_err keep_aside(struct io_dir *dir, uint64_t sequence, struct slice tail)
{
    char name[48];
    struct io_file *f = NULL;
    snprintf(name, sizeof name, "tail.%llu", (unsigned long long)sequence);
    for (unsigned again = 2; again < 100; again++) {
        enum bourn_err err = io_open(dir, name, IO_READ, &f);
        if (err == BOURN_E_NOT_FOUND)
            break;
        if (err)
            return err;
        io_close(f);
        snprintf(name, sizeof name, "tail.%llu.%u", (unsigned long long)sequence, again);
    }
    return io_write_new(dir, name, tail, true);
}

enum bourn_err journal_cut_tail(struct journal *j, const struct segment *s, struct slice bytes, uint64_t end,
                                uint64_t sequence)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    uint64_t n = tail_bytes(s, bytes, end);
    if (n == 0)
        return BOURN_OK;
    TRY(keep_aside(j->dir, sequence, slice_of(bytes.p + end, (size_t)n)));
    /* Durably gone before the sequence is given again: no piece of it can ever count. */
    TRY(write_zeros(s->file, end, n));
    TRY(io_datasync(s->file));
out:
    return err;
}
