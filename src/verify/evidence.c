/* Evidence items, one after another: from a saved file in pieces, or asked of the server as the replay gets
 * there. */
#include "verify/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ITEM_BYTES_MAX = 64 << 10, /* one item: a statement, signature, key and their heads are far below */
    READ_BYTES = 1 << 20,
    ANSWER_BYTES_MAX = 128 << 20,
};

enum bourn_err evidence_open(struct evidence_reader *r, const struct verify_options *o)
{
    *r = (struct evidence_reader){.fd = -1, .save_fd = -1};
    buf_init(&r->buf, ANSWER_BYTES_MAX);
    if (o->evidence && (r->fd = open(o->evidence, O_RDONLY | O_CLOEXEC)) < 0)
        return err_sys(BOURN_E_IO, "cannot open %s", o->evidence);
    if (o->save_evidence) {
        /* It holds what people signed: a file of its own that nobody else can read. */
        r->save_fd = open(o->save_evidence, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (r->save_fd < 0 || fchmod(r->save_fd, 0600) != 0)
            return err_sys(BOURN_E_IO, "cannot write %s", o->save_evidence);
    }
    return BOURN_OK;
}

void evidence_close(struct evidence_reader *r)
{
    buf_release(&r->buf);
    if (r->fd >= 0)
        close(r->fd);
    if (r->save_fd >= 0)
        close(r->save_fd);
    r->fd = r->save_fd = -1;
}

static enum bourn_err refill(struct evidence_reader *r)
{
    size_t left = r->buf.n - r->at;
    if (r->eof || left >= ITEM_BYTES_MAX)
        return BOURN_OK;
    if (left)
        memmove(r->buf.p, r->buf.p + r->at, left);
    r->buf.n = left;
    r->at = 0;
    uint8_t *to = buf_reserve(&r->buf, READ_BYTES);
    if (!to)
        return buf_check(&r->buf);
    while (!r->eof && r->buf.n < ITEM_BYTES_MAX) {
        ssize_t n = read(r->fd, r->buf.p + r->buf.n, r->buf.size - r->buf.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(BOURN_E_IO, "cannot read the evidence file");
        r->eof = n == 0;
        r->buf.n += (size_t)n;
    }
    return BOURN_OK;
}

static enum bourn_err save(struct evidence_reader *r)
{
    for (size_t at = 0; r->save_fd >= 0 && at < r->buf.n;) {
        ssize_t n = write(r->save_fd, r->buf.p + at, r->buf.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(BOURN_E_IO, "cannot write the evidence file");
        at += (size_t)n;
    }
    return BOURN_OK;
}

static enum bourn_err ask(struct evidence_reader *r, struct source *s, uint64_t index, uint64_t size)
{
    uint64_t to =
        size - index > EVIDENCE_ENTRIES_PER_REQUEST_MAX ? index + EVIDENCE_ENTRIES_PER_REQUEST_MAX : size;
    enum bourn_err err = source_evidence(s, index, to, &r->buf);
    r->at = 0;
    r->have = false;
    r->asked_to = to;
    /* "Not there" is how evidence_find tells the end: a server without evidence is something else. */
    return err == BOURN_OK ? save(r) : err == BOURN_E_NOT_FOUND ? BOURN_E_IO : err;
}

static int item_cmp(uint64_t index, const uint8_t label[16], const struct opened *o)
{
    return index != o->index ? (index < o->index ? -1 : 1) : memcmp(label, o->label, 16);
}

static enum bourn_err take_next(struct evidence_reader *r)
{
    enum bourn_err err = r->fd >= 0 ? refill(r) : BOURN_OK;
    if (err != BOURN_OK)
        return err;
    struct slice rest = r->buf.n ? slice_of(r->buf.p + r->at, r->buf.n - r->at) : slice_of(NULL, 0);
    err = opened_next(&rest, &r->next);
    if (err != BOURN_OK)
        return err;
    r->at = r->buf.n - rest.n;
    if (r->have_last && item_cmp(r->next.index, r->next.label, &r->last) <= 0)
        return err_set(BOURN_E_FORMAT, "the evidence of entry %llu is not in the order of entries and labels",
                       (unsigned long long)r->next.index);
    r->last = (struct opened){.index = r->next.index};
    memcpy(r->last.label, r->next.label, 16);
    r->have = r->have_last = true;
    return BOURN_OK;
}

enum bourn_err evidence_end(struct evidence_reader *r)
{
    enum bourn_err err;
    do
        err = take_next(r);
    while (err == BOURN_OK);
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}

enum bourn_err evidence_find(struct evidence_reader *r, struct source *s, uint64_t index, uint64_t size,
                             const uint8_t label[16], struct opened *out, bool *found)
{
    enum bourn_err err = BOURN_OK;
    *found = false;
    if (r->fd < 0 && index >= r->asked_to)
        err = ask(r, s, index, size);
    while (err == BOURN_OK) {
        if (!r->have)
            err = take_next(r);
        int c = err == BOURN_OK ? item_cmp(index, label, &r->next) : -1;
        if (c < 0)
            break;
        r->have = false;
        if (c == 0) {
            *out = r->next;
            *found = true;
            break;
        }
    }
    return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
}
