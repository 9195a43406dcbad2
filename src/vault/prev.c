/* Head and generation of every subject, flat in memory, and their snapshot. docs/formats/state.md */
#include "vault/prev.h"

#include "base/buf.h"
#include "crypto/crypto.h"
#include "io/io.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SNAPSHOT_PATH "state/prev"
#define SNAPSHOT_NEW "state/prev.new"
enum {
    VERSION = 1,
    HEADER_BYTES = 32,
    HASH_BYTES = CRYPTO_HASH_BYTES,
    PERSON_BYTES = 12,
    BLOCK_PEOPLE = 65536,
    ROOM_FIRST = 65536, /* people for which memory is mapped at first */
};
static const char magic[8] = "bournprv";

struct prev {
    uint64_t *heads;
    uint32_t *generations;
    size_t heads_bytes, generations_bytes; /* mapped */
    uint64_t count, erased;
};

enum bourn_err prev_new(struct prev **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? BOURN_OK : err_set(BOURN_E_MEMORY, "out of memory for the state of subjects");
}

static void clear(struct prev *p)
{
    if (p->heads)
        munmap(p->heads, p->heads_bytes);
    if (p->generations)
        munmap(p->generations, p->generations_bytes);
    *p = (struct prev){0};
}

void prev_free(struct prev *p)
{
    if (p)
        clear(p);
    free(p);
}

/* An area of at least `bytes`, zero where it is new, or NULL, and then the old one stays. Pages move without
 * a copy, and cost nothing before they are touched. */
static void *enlarge(void *old, size_t *mapped_bytes, size_t bytes)
{
    if (bytes <= *mapped_bytes)
        return old;
    void *p = old ? mremap(old, *mapped_bytes, bytes, MREMAP_MAYMOVE)
                  : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    *mapped_bytes = bytes;
    return p;
}

static enum bourn_err make_room(struct prev *p, uint64_t people)
{
    uint64_t room = ROOM_FIRST;
    while (room < people)
        room *= 2;
    uint64_t *heads = enlarge(p->heads, &p->heads_bytes, room * sizeof *heads);
    if (heads)
        p->heads = heads;
    uint32_t *generations = enlarge(p->generations, &p->generations_bytes, room * sizeof *generations);
    if (generations)
        p->generations = generations;
    return heads && generations ? BOURN_OK
                                : err_set(BOURN_E_MEMORY, "out of memory for the state of %llu subjects",
                                          (unsigned long long)people);
}

uint64_t prev_count(const struct prev *p)
{
    return p->count;
}

uint64_t prev_living(const struct prev *p)
{
    return p->count - p->erased;
}

enum bourn_err prev_set(struct prev *p, uint64_t number, uint64_t head, uint32_t generation)
{
    bourn_assert(number <= p->count);
    if (number == p->count) {
        enum bourn_err err = make_room(p, number + 1);
        if (err)
            return err;
        p->generations[p->count++] = 0;
    }
    p->erased += generation == PREV_ERASED;
    p->erased -= p->generations[number] == PREV_ERASED;
    p->heads[number] = head;
    p->generations[number] = generation;
    return BOURN_OK;
}

uint64_t prev_head(const struct prev *p, uint64_t number)
{
    bourn_assert(number < p->count);
    return p->heads[number];
}

uint32_t prev_generation(const struct prev *p, uint64_t number)
{
    bourn_assert(number < p->count);
    return p->generations[number];
}

void prev_prefetch(const struct prev *p, uint64_t number)
{
    if (number < p->count) {
        __builtin_prefetch(&p->heads[number]);
        __builtin_prefetch(&p->generations[number]);
    }
}

static void put_header(uint8_t out[HEADER_BYTES], uint64_t mark, uint64_t count)
{
    memcpy(out, magic, 8);
    be_put(out + 8, VERSION, 4);
    be_put(out + 12, 0, 4);
    be_put(out + 16, mark, 8);
    be_put(out + 24, count, 8);
}

uint64_t prev_snapshot_bytes(const struct prev *p)
{
    return HEADER_BYTES + p->count * PERSON_BYTES + HASH_BYTES;
}

/* hash := SHA-256(hash || block): the hash runs through the file block by block. */
static void chain(uint8_t hash[HASH_BYTES], const uint8_t *block, size_t n)
{
    struct slice parts[] = {slice_of(hash, HASH_BYTES), slice_of(block, n)};
    crypto_sha256(hash, parts, 2);
}

static uint64_t block_people(uint64_t count, uint64_t from)
{
    return count - from < BLOCK_PEOPLE ? count - from : BLOCK_PEOPLE;
}

static enum bourn_err write_snapshot(const struct prev *p, struct io_file *f, uint8_t *block, uint64_t mark)
{
    uint8_t header[HEADER_BYTES], hash[HASH_BYTES];
    uint64_t at = HEADER_BYTES;
    enum bourn_err err = BOURN_E_INTERNAL;
    put_header(header, mark, p->count);
    TRY(io_write(f, 0, header, sizeof header));
    crypto_sha256_1(hash, slice_of(header, sizeof header));
    for (uint64_t from = 0; from < p->count; from += BLOCK_PEOPLE) {
        uint64_t n = block_people(p->count, from);
        for (uint64_t i = 0; i < n; i++) {
            be_put(block + 8 * i, p->heads[from + i], 8);
            be_put(block + 8 * n + 4 * i, p->generations[from + i], 4);
        }
        TRY(io_write(f, at, block, (size_t)n * PERSON_BYTES));
        chain(hash, block, (size_t)n * PERSON_BYTES);
        at += n * PERSON_BYTES;
    }
    TRY(io_write(f, at, hash, sizeof hash));
    TRY(io_sync(f));
out:
    return err;
}

enum bourn_err prev_save(const struct prev *p, struct io_dir *cell, uint64_t mark)
{
    struct io_dir *state = NULL;
    struct io_file *f = NULL;
    enum bourn_err err = BOURN_E_INTERNAL;
    uint8_t *block = malloc((size_t)BLOCK_PEOPLE * PERSON_BYTES);
    if (!block)
        return err_set(BOURN_E_MEMORY, "out of memory for the snapshot of subjects");
    TRY(io_dir_at(cell, "state", true, &state));
    TRY(io_unlink(cell, SNAPSHOT_NEW));
    TRY(io_open(cell, SNAPSHOT_NEW, IO_CREATE_NEW, &f));
    TRY(write_snapshot(p, f, block, mark));
    TRY(io_rename(cell, SNAPSHOT_NEW, SNAPSHOT_PATH));
    TRY(io_dir_sync(state));
out:
    io_close(f);
    io_dir_close(state);
    free(block);
    return err;
}

static enum bourn_err wrong(const char *what)
{
    return err_set(BOURN_E_CORRUPT,
                   SNAPSHOT_PATH " %s: the file was altered or damaged; restore a backup of the whole cell",
                   what);
}

static enum bourn_err read_snapshot(struct prev *p, struct io_file *f, uint8_t *block, uint64_t *mark)
{
    uint8_t header[HEADER_BYTES], expected[HEADER_BYTES], hash[HASH_BYTES], stored[HASH_BYTES];
    uint64_t bytes = 0, at = HEADER_BYTES;
    enum bourn_err err = BOURN_E_INTERNAL;
    TRY(io_size(f, &bytes));
    TRY(io_read(f, 0, header, sizeof header));
    *mark = be_get(header + 16, 8);
    uint64_t count = be_get(header + 24, 8);
    put_header(expected, *mark, count);
    if (memcmp(header, expected, sizeof header) != 0)
        return wrong("does not begin as a snapshot does");
    if (count > bytes / PERSON_BYTES || bytes != HEADER_BYTES + count * PERSON_BYTES + HASH_BYTES)
        return wrong("has the wrong length");
    if (count)
        TRY(make_room(p, count));
    crypto_sha256_1(hash, slice_of(header, sizeof header));
    for (uint64_t from = 0; from < count; from += BLOCK_PEOPLE) {
        uint64_t n = block_people(count, from);
        TRY(io_read(f, at, block, (size_t)n * PERSON_BYTES));
        chain(hash, block, (size_t)n * PERSON_BYTES);
        at += n * PERSON_BYTES;
        for (uint64_t i = 0; i < n; i++) {
            p->heads[from + i] = be_get(block + 8 * i, 8);
            p->generations[from + i] = (uint32_t)be_get(block + 8 * n + 4 * i, 4);
            p->erased += p->generations[from + i] == PREV_ERASED;
        }
    }
    TRY(io_read(f, at, stored, sizeof stored));
    if (memcmp(stored, hash, sizeof hash) != 0)
        return wrong("does not have the hash that stands at its end");
    p->count = count;
out:
    return err;
}

enum bourn_err prev_load(struct prev *p, struct io_dir *cell, uint64_t *mark)
{
    struct io_file *f = NULL;
    uint8_t *block = NULL;
    clear(p);
    *mark = 0;
    enum bourn_err err = io_open(cell, SNAPSHOT_PATH, IO_READ, &f);
    if (err)
        return err == BOURN_E_NOT_FOUND ? BOURN_OK : err;
    block = malloc((size_t)BLOCK_PEOPLE * PERSON_BYTES);
    err = block ? read_snapshot(p, f, block, mark)
                : err_set(BOURN_E_MEMORY, "out of memory for the snapshot of subjects");
    if (err) {
        clear(p);
        *mark = 0;
    }
    io_close(f);
    free(block);
    return err;
}
