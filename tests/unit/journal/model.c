#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

const struct journal_options model_options = {
    .segment_bytes = 16384, .segments_min = 3, .segments_max = 6, .segments_reserved = 1};

/* The first 8 bytes are the sequence, the next 4 the length, the rest follows from both. */
static void payload_fill(uint8_t *p, uint64_t sequence, size_t n)
{
    uint8_t head[12];
    be_put(head, sequence, 8);
    be_put(head + 8, n, 4);
    uint64_t x = sequence * 0x9e3779b97f4a7c15u + n;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        p[i] = i < 12 ? head[i] : (uint8_t)(x >> 56);
    }
}

enum bourn_err model_try_open(uint64_t min_mark, struct journal **out, uint64_t *last)
{
    struct io_dir *d = NULL;
    enum bourn_err err = io_dir_open("/", &d);
    if (!err)
        err = journal_open(d, &model_options, min_mark, out, last);
    io_dir_close(d); /* the journal keeps a handle of its own */
    return err;
}

struct journal *model_open(uint64_t min_mark, uint64_t *last)
{
    struct journal *j = NULL;
    enum bourn_err err = model_try_open(min_mark, &j, last);
    if (err)
        fail_msg("journal_open: %s", err_text());
    return j;
}

void model_create(void)
{
    struct io_dir *d = NULL;
    assert_int_equal(io_dir_open("/", &d), BOURN_OK);
    assert_int_equal(journal_create(d, &model_options), BOURN_OK);
    io_dir_close(d);
}

enum bourn_err model_append(struct journal *j, uint64_t sequence, size_t n, bool reserved)
{
    static uint8_t p[MODEL_PAYLOAD_BYTES_MAX];
    uint64_t got = 0;
    assert_true(n <= sizeof p);
    payload_fill(p, sequence, n);
    struct slice parts[] = {slice_of(p, n / 3), slice_of(NULL, 0), slice_of(p + n / 3, n - n / 3)};
    enum bourn_err err = journal_append(j, parts, 3, reserved, &got);
    if (!err)
        assert_int_equal(got, sequence);
    return err;
}

static enum bourn_err check_one(void *ctx, uint64_t sequence, struct slice payload)
{
    static uint8_t want[MODEL_PAYLOAD_BYTES_MAX];
    uint64_t *next = ctx;
    assert_int_equal(sequence, (*next)++);
    assert_true(payload.n <= sizeof want);
    payload_fill(want, sequence, payload.n);
    assert_true(slice_eq(payload, slice_of(want, payload.n)));
    return BOURN_OK;
}

void model_check(struct journal *j, uint64_t after, uint64_t last)
{
    uint64_t next = after + 1;
    enum bourn_err err = journal_replay(j, after, check_one, &next);
    if (err)
        fail_msg("journal_replay: %s", err_text());
    assert_int_equal(next, last + 1);
}

bool model_exists(const char *path)
{
    struct io_dir *d = NULL;
    struct io_file *f = NULL;
    assert_int_equal(io_dir_open("/", &d), BOURN_OK);
    bool there = io_open(d, path, IO_READ, &f) == BOURN_OK;
    io_close(f);
    io_dir_close(d);
    return there;
}
