/* Files of a cell as somebody left them who could write them: they open, or are refused, and nothing that is
 * read from them is another thing than was written. */
#include "fuzz.h"

#include "base/limits.h"
#include "crypto/crypto.h"
#include "io/io.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "merkle/merkle.h"
#include "vault/prev.h"
#include "vault/slots.h"

#include <stdio.h>

static struct io_dir *open_dir(const char *name)
{
    char path[256];
    struct io_dir *root, *dir;
    fuzz_ok(io_dir_open(fuzz_dir(), &root));
    fuzz_ok(io_dir_at(root, name, true, &dir));
    io_dir_close(root);
    (void)path;
    return dir;
}

static const char *dir_path(char out[256], const char *name)
{
    snprintf(out, 256, "%s/%s", fuzz_dir(), name);
    return out;
}

/* --- journal */

enum { SEGMENT_BYTES = 16384, SEGMENTS = 3, FRAMES = 12 };
static const struct journal_options shape = {SEGMENT_BYTES, SEGMENTS, 4, 1};

static struct slice payload(uint64_t sequence, uint8_t room[256])
{
    memset(room, (int)sequence, 256);
    return slice_of(room, (size_t)(sequence * 37 % 250 + 1));
}

struct seen {
    uint64_t next;
    bool ours; /* every frame must be one that was appended */
};

static enum bourn_err on_frame(void *ctx, uint64_t sequence, struct slice p)
{
    struct seen *s = ctx;
    uint8_t room[256];
    fuzz_check(sequence == s->next++);
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < p.n; i++)
        sum = (uint8_t)(sum + p.p[i]);
    if (s->ours)
        fuzz_check(slice_eq(p, payload(sequence, room)));
    return BOURN_OK;
}

static void open_journal(uint64_t min_mark, bool ours)
{
    struct journal *j;
    uint64_t last, sequence;
    uint8_t room[256];
    struct io_dir *dir = open_dir("journal");
    if (journal_open(dir, &shape, min_mark, &j, &last) == BOURN_OK) {
        struct seen s = {min_mark + 1, ours};
        fuzz_check(last >= min_mark);
        fuzz_ok(journal_replay(j, min_mark, on_frame, &s));
        fuzz_check(s.next == last + 1);
        struct slice p = payload(last + 1, room);
        enum bourn_err err = journal_append(j, &p, 1, true, &sequence);
        fuzz_check(err == BOURN_E_FULL || (err == BOURN_OK && sequence == last + 1));
        journal_close(j);
        /* What was appended is there the next time; a made journal may hold what contradicts it then. */
        if (err == BOURN_OK) {
            uint64_t again;
            err = journal_open(dir, &shape, min_mark, &j, &again);
            fuzz_check(err == BOURN_OK ? again == last + 1 : !ours && err == BOURN_E_CORRUPT);
            if (err == BOURN_OK)
                journal_close(j);
        }
    }
    io_dir_close(dir);
}

/* A journal that bourn wrote, damaged. */
static void run_journal(struct slice in)
{
    static struct fuzz_tree good;
    char path[256];
    struct dice d = {in};
    dir_path(path, "journal");
    if (!good.n) {
        struct journal *j;
        uint64_t last, sequence;
        uint8_t room[256];
        struct io_dir *dir = open_dir("journal");
        fuzz_ok(journal_create(dir, &shape));
        fuzz_ok(journal_open(dir, &shape, 0, &j, &last));
        for (uint64_t s = 1; s <= FRAMES; s++) {
            struct slice p = payload(s, room);
            fuzz_ok(journal_append(j, &p, 1, false, &sequence));
        }
        journal_close(j);
        io_dir_close(dir);
        fuzz_tree_load(&good, path);
    }
    fuzz_tree_store(&good, path);
    uint64_t min_mark = dice_below(&d, FRAMES + 2);
    for (int edits = 0; edits < 8 && d.left.n; edits++) {
        char name[300];
        const struct fuzz_file *f = &good.v[dice_below(&d, good.n)];
        struct buf b;
        snprintf(name, sizeof name, "%s/%s", path, f->path);
        buf_init(&b, 2 * SEGMENT_BYTES);
        fuzz_check(fuzz_read(name, &b));
        /* Where there is something to damage. */
        size_t at = dice_below(&d, 2) ? dice_below(&d, 128) : SEGMENT_BODY_OFFSET + dice_below(&d, 3000);
        if (at < b.n)
            b.p[at] = dice_u8(&d);
        if (d.left.n && d.left.p[0] == 0xee)
            b.n = dice_below(&d, SEGMENT_BYTES + 1);
        fuzz_write(name, buf_slice(&b));
        buf_release(&b);
    }
    open_journal(min_mark, true);
}

/* Segments that somebody made who knows the format. */
static void run_journal_made(struct slice in)
{
    char path[256], name[300];
    static uint8_t bytes[SEGMENTS][SEGMENT_BYTES];
    uint8_t room[256], digest[SEGMENTS * 8 + 1][32] = {{0}};
    size_t frames = 0;
    struct dice d = {in};
    dir_path(path, "journal");
    fuzz_remove(path);
    io_dir_close(open_dir("journal"));
    uint64_t min_mark = dice_below(&d, 6), sequence = 1;
    for (unsigned i = 0; i < SEGMENTS; i++) {
        memset(bytes[i], 0, SEGMENT_BYTES);
        uint8_t what = dice_u8(&d);
        struct segment_header h = {.uses = 1 + (what & 1),
                                   .generation = what & 2 ? dice_edge(&d) : i + 1,
                                   .first = what & 4 ? dice_edge(&d) : sequence};
        memcpy(h.previous, digest[what & 8 ? dice_below(&d, frames + 1) : frames], 32);
        segment_header_put(bytes[i], &h);
        uint64_t at = SEGMENT_BODY_OFFSET;
        for (unsigned n = what >> 5; n > 0; n--) {
            uint8_t how = dice_u8(&d);
            struct slice p = payload(1 + how, room);
            struct slice parts[] = {{bytes[i] + at, FRAME_HEADER_BYTES}, p};
            const uint8_t *previous = digest[how & 1 ? dice_below(&d, frames + 1) : frames];
            uint64_t seq = how & 2 ? dice_edge(&d) : sequence, gen = how & 4 ? dice_edge(&d) : h.generation;
            if (at + frame_bytes(p.n) > SEGMENT_BYTES)
                break;
            frame_seal(bytes[i] + at, parts, 2, gen, seq, previous, digest[++frames]);
            memcpy(bytes[i] + at + FRAME_HEADER_BYTES, p.p, p.n);
            if (how & 8)
                bytes[i][at + dice_below(&d, 128)] ^= dice_u8(&d);
            at += frame_bytes(p.n);
            sequence = seq + 1;
        }
        snprintf(name, sizeof name, "%s/seg.%06u", path, i);
        fuzz_write(name, slice_of(bytes[i], SEGMENT_BYTES));
    }
    open_journal(min_mark, false);
}

static void seeds_journal(void)
{
    fuzz_seed(slice_of("\0\0\1\0\x40\7", 6));
    fuzz_seed(slice_of("\5\1\0\x10\1\2\1\x20\x10\xff", 10));
}
static void seeds_journal_made(void)
{
    fuzz_seed(slice_of("\0\x60\x10\x20\x30\x40\x10\x20\x20\x40", 10));
    fuzz_seed(slice_of("\2\x60\x10\x20\x3a\x80\x42\x81\x10\x22\x99\x40\x11\0\x12\x50", 16));
}

/* --- the signer's head */

static void run_head(struct slice in)
{
    struct dice d = {in};
    struct ledger_head h = {0}, got;
    struct io_file *f;
    uint64_t generation, written = 0;
    struct buf b;
    uint8_t room[4096 + 128] = {0};
    struct io_dir *dir = open_dir("head");
    buf_init(&b, 65536);
    unsigned slots = dice_u8(&d) & 3;
    for (unsigned s = 0; s < 2; s++)
        if (slots >> s & 1) {
            uint8_t *p = room + 4096 * s;
            memcpy(p, "bournhd1", 8);
            uint64_t g = dice_edge(&d), size = dice_edge(&d);
            be_put(p + 8, g, 8);
            be_put(p + 16, size, 8);
            crypto_sha256_1(p + 96, slice_of(p, 96));
            written = g % 2 == s && g > written ? g : written;
        }
    buf_put(&b, room, sizeof room);
    bool touched = d.left.n > 0;
    if (touched)
        dice_edit(&d, &b);
    fuzz_ok(io_write_new(dir, "head", buf_slice(&b), false));
    fuzz_ok(io_open(dir, "head", IO_CREATE, &f));
    if (ledger_head_read(f, &got, &generation) == BOURN_OK) {
        fuzz_check(touched || generation == written);
        h.size = got.size < UINT64_MAX ? got.size + 1 : got.size;
        if (generation < UINT64_MAX - 1) {
            fuzz_ok(ledger_head_write(f, &h, &generation));
            uint64_t again;
            fuzz_ok(ledger_head_read(f, &got, &again));
            fuzz_check(again == generation && got.size == h.size);
        }
    }
    io_close(f);
    io_dir_close(dir);
    buf_release(&b);
}

static void seeds_head(void)
{
    fuzz_seed(slice_of("\3\1\x20\2\x21", 5));
    fuzz_seed(slice_of("\1\x80\x11\0\0\0\1", 7));
}

/* --- the ledger's own files, as the worker and HTTP open them */

enum { LOG_SIZE = 261 };

static void run_ledger(struct slice in)
{
    static struct fuzz_tree good;
    char path[256];
    struct dice d = {in};
    struct ledger *l;
    dir_path(path, "cell");
    if (!good.n) {
        struct io_dir *dir = open_dir("cell");
        fuzz_ok(ledger_open(dir, 0, &l));
        for (unsigned i = 0; i < LOG_SIZE; i++) {
            uint8_t entry[4];
            be_put(entry, i, 4);
            fuzz_ok(
                ledger_append(l, slice_of(entry, 4), i % 3 ? slice_of(NULL, 0) : slice_of("\0\0\0\1x", 5)));
        }
        fuzz_ok(ledger_flush(l));
        fuzz_ok(ledger_publish(l, slice_str("not looked at here\n")));
        ledger_close(l);
        io_dir_close(dir);
        fuzz_tree_load(&good, path);
    }
    fuzz_tree_store(&good, path);
    uint64_t size = dice_u8(&d) & 1 ? LOG_SIZE : dice_below(&d, LOG_SIZE + 3);
    for (int edits = 0; edits < 3 && d.left.n; edits++) {
        char name[4096];
        const struct fuzz_file *f = &good.v[dice_below(&d, good.n)];
        struct buf b;
        snprintf(name, sizeof name, "%s/%s", path, f->path);
        buf_init(&b, 1u << 20);
        (void)fuzz_read(name, &b); /* an earlier edit may have removed it */
        dice_edit(&d, &b);
        if (b.n == 0 && edits & 1)
            fuzz_remove(name);
        else
            fuzz_write(name, buf_slice(&b));
        buf_release(&b);
    }
    struct io_dir *dir = open_dir("cell");
    struct buf out, rows;
    buf_init(&out, 1u << 20);
    buf_init(&rows, 1u << 20);
    for (unsigned i = 0; i < 4; i++) {
        buf_clear(&out);
        buf_clear(&rows);
        (void)!ledger_read(dir, dice_below(&d, LOG_SIZE + 2), size, &out, &rows);
    }
    buf_clear(&out);
    (void)!ledger_file(dir, d.left, &out);
    buf_clear(&out);
    (void)!ledger_rows_file(dir, d.left, &out);
    if (ledger_open(dir, size, &l) == BOURN_OK) {
        struct merkle_hash root, again, proof[MERKLE_PROOF_MAX];
        size_t n;
        fuzz_check(ledger_size(l) == size);
        ledger_root(l, &root);
        if (size && ledger_root_at(l, size, &again) == BOURN_OK)
            fuzz_check(memcmp(&root, &again, sizeof root) == 0);
        for (unsigned i = 0; i < 3; i++)
            if (ledger_append(l, slice_str("new"), slice_of(NULL, 0)) != BOURN_OK)
                break;
        if (ledger_flush(l) == BOURN_OK) {
            (void)!ledger_consistency(l, size / 2, proof, &n);
            (void)!ledger_inclusion(l, size / 2, proof, &n);
        }
        ledger_close(l);
    }
    io_dir_close(dir);
    buf_release(&out);
    buf_release(&rows);
}

static void seeds_ledger(void)
{
    fuzz_seed(slice_str("\1"));
    for (char i = 1; i < 9; i++) {
        char text[24] = {1, i, 1, 0, 9, 0x41, i, 0, 0, 't', 'i', 'l', 'e', '/', '0', '/', '0', '0', '0'};
        fuzz_seed(slice_of(text, sizeof text));
    }
}

/* --- key slots, and the small state of people */

static void run_keys(struct slice in)
{
    static struct fuzz_tree good;
    char path[256];
    struct dice d = {in};
    uint8_t key[32] = {0}, got[32];
    struct slots *s;
    dir_path(path, "keys-cell");
    if (!good.n) {
        struct io_dir *dir = open_dir("keys-cell");
        fuzz_ok(slots_create(dir, "cn.example/ledger"));
        fuzz_ok(slots_open(dir, "cn.example/ledger", &s));
        for (uint64_t i = 0; i < 5; i++) {
            memset(key, (int)i, sizeof key);
            fuzz_ok(slots_put(s, i, key));
        }
        fuzz_ok(slots_sync(s));
        slots_close(s);
        io_dir_close(dir);
        fuzz_tree_load(&good, path);
    }
    fuzz_tree_store(&good, path);
    char name[300];
    const struct fuzz_file *f = &good.v[dice_below(&d, good.n)];
    struct buf b;
    snprintf(name, sizeof name, "%s/%s", path, f->path);
    buf_init(&b, 65536);
    buf_put_slice(&b, buf_slice(&f->bytes));
    if (d.left.n)
        dice_edit(&d, &b);
    FILE *out = fopen(name, "r+b"); /* keeps the mode */
    fuzz_check(out && (!b.n || fwrite(b.p, 1, b.n, out) == b.n) && fclose(out) == 0);
    struct io_dir *dir = open_dir("keys-cell");
    struct io_file *cut;
    fuzz_ok(io_open(dir, f->path, IO_WRITE, &cut));
    fuzz_ok(io_truncate(cut, b.n));
    io_close(cut);
    if (slots_open(dir, "cn.example/ledger", &s) == BOURN_OK) {
        for (uint64_t i = 0; i < 7; i++) {
            enum bourn_err err = slots_get(s, i, got);
            memset(key, (int)i, sizeof key);
            /* A key is the one that was put there, or none. */
            fuzz_check(err == BOURN_E_NOT_FOUND || err == BOURN_E_CORRUPT ||
                       (err == BOURN_OK && memcmp(key, got, 32) == 0));
        }
        slots_close(s);
    }
    io_dir_close(dir);
    buf_release(&b);
}

static void seeds_keys(void)
{
    for (char i = 0; i < 3; i++)
        fuzz_seed(slice_of((char[]){i, 1, 0, 5, 7}, 5));
}

/* The snapshot's bytes are the input, with or without a right hash. */
static void run_prev(struct slice in)
{
    struct dice d = {in};
    struct prev *p;
    uint64_t mark;
    struct buf b;
    bool right = dice_u8(&d) & 1;
    struct io_dir *dir = open_dir("prev-cell"), *state;
    fuzz_ok(io_dir_at(dir, "state", true, &state));
    buf_init(&b, 1u << 20);
    buf_put_slice(&b, d.left);
    if (right && b.n >= 32) {
        uint8_t hash[32];
        size_t body = (b.n - 32) / 12 * 12;
        memcpy(b.p, "bournprv\0\0\0\1\0\0\0\0", 16);
        be_put(b.p + 24, body / 12, 8);
        b.n = 32 + body;
        crypto_sha256_1(hash, slice_of(b.p, 32));
        struct slice parts[] = {slice_of(hash, 32), slice_of(b.p + 32, body)};
        if (body)
            crypto_sha256(hash, parts, 2);
        buf_put(&b, hash, 32);
    }
    fuzz_ok(io_write_new(state, "prev", buf_slice(&b), false));
    fuzz_ok(prev_new(&p));
    enum bourn_err err = prev_load(p, dir, &mark);
    fuzz_check(err == BOURN_OK || err == BOURN_E_CORRUPT);
    fuzz_check(!right || d.left.n < 32 || err == BOURN_OK);
    if (err == BOURN_OK) {
        struct prev *q;
        uint64_t again;
        fuzz_ok(prev_save(p, dir, mark));
        fuzz_ok(prev_new(&q));
        fuzz_ok(prev_load(q, dir, &again));
        fuzz_check(again == mark && prev_count(p) == prev_count(q));
        for (uint64_t i = 0; i < prev_count(p); i++)
            fuzz_check(prev_head(p, i) == prev_head(q, i) && prev_generation(p, i) == prev_generation(q, i));
        prev_free(q);
    }
    prev_free(p);
    io_dir_close(state);
    io_dir_close(dir);
    buf_release(&b);
}

static void seeds_prev(void)
{
    static uint8_t room[100] = {1};
    fuzz_seed(slice_of(room, 93));
    fuzz_seed(slice_of(room, 33));
    fuzz_seed(slice_of(room, 40));
}

const struct fuzz_target fuzz_files[] = {
    {"journal", run_journal, seeds_journal, 128, 300},
    {"journal-made", run_journal_made, seeds_journal_made, 256, 300},
    {"head", run_head, seeds_head, 128, 1000},
    {"ledger", run_ledger, seeds_ledger, 256, 300},
    {"keys", run_keys, seeds_keys, 128, 500},
    {"prev", run_prev, seeds_prev, 1024, 500},
    {0},
};
