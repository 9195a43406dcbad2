/* Typed readers and writers of messages between roles. A reader that runs off the end, or over a limit, makes
 * the whole message bad: `ok` stays false, later reads give zeros, and codec_end says it once. Bytes left
 * over are bad too. */
#ifndef BOURN_IPC_CODEC_H
#define BOURN_IPC_CODEC_H

#include "base/buf.h"

struct codec {
    struct slice left;
    bool ok;
};

static inline struct slice codec_take(struct codec *c, size_t n)
{
    if (!c->ok || n > c->left.n) {
        c->ok = false;
        return slice_of(NULL, 0);
    }
    struct slice s = slice_of(c->left.p, n);
    c->left = slice_of(c->left.p + n, c->left.n - n);
    return s;
}
static inline uint64_t codec_number(struct codec *c, unsigned bytes)
{
    struct slice s = codec_take(c, bytes);
    return c->ok ? be_get(s.p, bytes) : 0;
}
/* A length of 4 bytes, least..most, and as many bytes, borrowed. */
static inline struct slice codec_bytes(struct codec *c, size_t least, size_t most)
{
    uint64_t n = codec_number(c, 4);
    if (n < least || n > most)
        c->ok = false;
    return codec_take(c, (size_t)n);
}
static inline bool codec_end(const struct codec *c)
{
    return c->ok && c->left.n == 0;
}

static inline void codec_put_bytes(struct buf *out, struct slice s)
{
    buf_put_be(out, s.n, 4);
    buf_put_slice(out, s);
}

#endif
