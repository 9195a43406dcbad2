/* Opening a journal after whatever happened: which frames there are, and whether that is all of them. */
#include "journal/internal.h"

#include <stdlib.h>

struct recovery {
    struct journal *j;
    uint64_t min_mark;
    struct slice bytes; /* the segment read last */
    uint8_t *room;
    struct segment *by_generation[JOURNAL_SEGMENTS_MAX]; /* the known ones, newest first */
    unsigned known;
    bool scanned[JOURNAL_SEGMENTS_MAX]; /* by place in j->segments: its frames count or it was passed over as
                                           old */
    struct walk tip;                    /* of the active segment */
    uint64_t chain_first;               /* lowest sequence reached so far, going back from the end */
    const uint8_t *chain_previous;
};

static enum bourn_err load(struct recovery *r, const struct segment *s)
{
    size_t n = (size_t)r->j->options.segment_bytes;
    r->bytes = slice_of(r->room, n);
    return io_read(s->file, 0, r->room, n);
}

#define WHAT_TO_DO                                                                                           \
    "Change nothing; restore the volume, or a backup of the whole cell (docs/guide/restored-backup.md)"

/* Far below where segment_header_get stops to believe a header, so that a journal which opens can go on for
 * ever. */
#define NUMBER_MAX (1ull << 62)

static enum bourn_err lost(uint64_t from, uint64_t to)
{
    return err_set(
        BOURN_E_CORRUPT,
        "the journal lost frames %llu to %llu, though later ones are there: the disk dropped or changed "
        "what it had acknowledged. " WHAT_TO_DO,
        (unsigned long long)from, (unsigned long long)to);
}

static void sort_by_generation(struct recovery *r)
{
    for (unsigned i = 0; i < r->j->n; i++) {
        struct segment *s = &r->j->segments[i];
        if (!s->known)
            continue;
        unsigned at = r->known++;
        for (; at > 0 && r->by_generation[at - 1]->header.generation < s->header.generation; at--)
            r->by_generation[at] = r->by_generation[at - 1];
        r->by_generation[at] = s;
    }
    r->j->generation = r->known ? r->by_generation[0]->header.generation : 0;
}

/* One step back from the end of the journal. */
static enum bourn_err scan(struct recovery *r, struct segment *s)
{
    struct walk w;
    enum bourn_err err = load(r, s);
    if (err)
        return err;
    journal_walk(r->bytes, &s->header, &w);
    if (w.last < s->header.first)
        return BOURN_OK; /* taken, but its first frame did not get durable: look_for_strays makes sure */
    if (!r->j->active) {
        r->j->active = s;
        r->tip = w;
    } else if (w.last + 1 != r->chain_first) {
        return lost(w.last + 1, r->chain_first - 1);
    } else if (memcmp(w.digest, r->chain_previous, DIGEST_BYTES) != 0) {
        return err_set(BOURN_E_CORRUPT,
                       "frame %llu of the journal is not the one that the next segment follows. " WHAT_TO_DO,
                       (unsigned long long)w.last);
    }
    s->last = w.last;
    r->chain_first = s->header.first;
    r->chain_previous = s->header.previous;
    r->scanned[s - r->j->segments] = true;
    return BOURN_OK;
}

static enum bourn_err scan_chain(struct recovery *r)
{
    enum bourn_err err = BOURN_OK;
    for (unsigned i = 0; i < r->known; i++) {
        if (r->j->active && r->chain_first <= r->min_mark + 1)
            r->scanned[r->by_generation[i] - r->j->segments] = true; /* nobody needs what it holds */
        else
            TRY(scan(r, r->by_generation[i]));
    }
    uint64_t last = r->j->active ? r->tip.last : 0;
    if (last < r->min_mark)
        return err_set(
            BOURN_E_CORRUPT,
            "the journal ends at frame %llu, but frame %llu was already applied: its files are older than "
            "the rest of the cell. " WHAT_TO_DO,
            (unsigned long long)last, (unsigned long long)r->min_mark);
    if (last > r->min_mark && r->chain_first > r->min_mark + 1)
        return lost(r->min_mark + 1, r->chain_first - 1);
    for (unsigned i = 0; i < r->known; i++)
        if (r->by_generation[i]->header.first > last + 1)
            return lost(last + 1, r->by_generation[i]->header.first - 1);
out:
    return err;
}

/* A valid frame behind the end means that frames before it, which were durable, are gone. */
static enum bourn_err look_for_strays(const struct recovery *r, const struct segment *s, uint64_t from)
{
    uint64_t last = r->j->active ? r->tip.last : 0;
    struct frame f;
    for (uint64_t at = from; at + FRAME_HEADER_BYTES <= r->bytes.n; at += FRAME_ALIGN) {
        if (r->bytes.p[at] == 0 || !frame_get(r->bytes, at, &f) || f.sequence <= last)
            continue;
        if (!s->known || f.generation >= s->header.generation) /* what earlier uses left is of smaller ones */
            return err_set(
                BOURN_E_CORRUPT,
                "frame %llu of the journal is there, but not intact is what stands before it, from frame "
                "%llu on: the disk changed what it had acknowledged. " WHAT_TO_DO,
                (unsigned long long)f.sequence, (unsigned long long)last + 1);
    }
    return BOURN_OK;
}

static enum bourn_err check_rest(struct recovery *r)
{
    struct journal *j = r->j;
    enum bourn_err err = BOURN_OK;
    for (unsigned i = 0; i < j->n; i++) {
        struct segment *s = &j->segments[i];
        if (r->scanned[i])
            continue;
        TRY(load(r, s));
        TRY(look_for_strays(r, s, SEGMENT_BODY_OFFSET));
        bool newest = s->known && s->header.generation == j->generation;
        if (newest)
            TRY(journal_cut_tail(j, s, r->bytes, SEGMENT_BODY_OFFSET, s->header.first));
    }
    if (!j->active)
        return BOURN_OK;
    TRY(load(r, j->active));
    TRY(look_for_strays(r, j->active, r->tip.end));
    TRY(journal_cut_tail(j, j->active, r->bytes, r->tip.end, r->tip.last + 1));
    /* If the last process ended on a failed fdatasync, its frame may stand in the page cache alone. Written
     * again, it is on the disk before anything is built upon it. */
    TRY(io_write(j->active->file, r->tip.last_offset, r->bytes.p + r->tip.last_offset,
                 (size_t)(r->tip.end - r->tip.last_offset)));
    TRY(io_datasync(j->active->file));
    j->end = r->tip.end;
    j->sequence = r->tip.last;
    memcpy(j->digest, r->tip.digest, DIGEST_BYTES);
out:
    return err;
}

enum bourn_err journal_recover(struct journal *j, uint64_t min_mark)
{
    struct recovery r = {.j = j, .min_mark = min_mark};
    enum bourn_err err = BOURN_E_INTERNAL;
    r.room = malloc((size_t)j->options.segment_bytes);
    if (!r.room)
        return err_set(BOURN_E_MEMORY, "out of memory for a segment of the journal");
    sort_by_generation(&r);
    TRY(scan_chain(&r));
    TRY(check_rest(&r));
    if (j->generation > NUMBER_MAX || j->sequence > NUMBER_MAX) {
        err =
            err_set(BOURN_E_CORRUPT,
                    "the journal counts %llu frames in %llu uses of its segments, which no journal gets to: "
                    "its files were changed. " WHAT_TO_DO,
                    (unsigned long long)j->sequence, (unsigned long long)j->generation);
        goto out;
    }
    j->mark = min_mark;
out:
    free(r.room);
    return err;
}
