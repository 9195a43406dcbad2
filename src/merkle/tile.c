#include "merkle/merkle.h"

#include "base/text.h"

enum { GROUP_BASE = 1000, GROUPS_MAX = 7, LEVEL_MAX = 63, LEVEL_BITS = 8 };

void merkle_tile_name(struct buf *out, uint64_t n)
{
    unsigned group[GROUPS_MAX], groups = 0;
    do {
        group[groups++] = (unsigned)(n % GROUP_BASE);
        n /= GROUP_BASE;
    } while (n > 0);
    while (groups-- > 0) {
        unsigned g = group[groups];
        const uint8_t digits[3] = {(uint8_t)('0' + g / 100), (uint8_t)('0' + g / 10 % 10),
                                   (uint8_t)('0' + g % 10)};
        if (groups)
            buf_put_u8(out, 'x');
        buf_put(out, digits, sizeof digits);
        if (groups)
            buf_put_u8(out, '/');
    }
}

static bool digits3(const uint8_t *p, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(p[i] - '0');
    }
    return true;
}

/* "x001/x234/067", all of s. */
static bool number_get(struct slice s, uint64_t *out)
{
    uint64_t n = 0, group;
    for (bool first = true;; first = false) {
        bool more = s.n > 0 && s.p[0] == 'x';
        if (s.n < 3u + more || !digits3(s.p + more, &group) || (first && more && group == 0))
            return false;
        if (__builtin_mul_overflow(n, GROUP_BASE, &n) || __builtin_add_overflow(n, group, &n))
            return false;
        s = slice_of(s.p + 3 + more, s.n - 3 - more);
        if (!more)
            break;
        if (s.n == 0 || s.p[0] != '/')
            return false;
        s = slice_of(s.p + 1, s.n - 1);
    }
    *out = n;
    return s.n == 0;
}

bool merkle_tile_parse(struct slice path, struct merkle_tile *out)
{
    *out = (struct merkle_tile){.width = MERKLE_TILE_WIDTH};
    const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;
    if (!slash)
        return false;
    struct slice head = slice_of(path.p, (size_t)(slash - path.p));
    struct slice rest = slice_of(slash + 1, path.n - head.n - 1);
    uint64_t level = 0, width;
    if (slice_is(head, "entries"))
        out->kind = MERKLE_TILE_ENTRIES;
    else if (slice_is(head, "rows"))
        out->kind = MERKLE_TILE_ROWS;
    else if (!decimal_get(head, &level) || level > LEVEL_MAX)
        return false;
    out->level = (unsigned)level;
    const uint8_t *partial = rest.n ? memmem(rest.p, rest.n, ".p/", 3) : NULL;
    if (partial) {
        size_t n = (size_t)(partial - rest.p);
        if (!decimal_get(slice_of(partial + 3, rest.n - n - 3), &width) || width < 1 ||
            width >= MERKLE_TILE_WIDTH)
            return false;
        out->width = (unsigned)width;
        rest.n = n;
    }
    return number_get(rest, &out->n);
}

unsigned merkle_tile_partial(uint64_t size, unsigned level)
{
    return level * LEVEL_BITS < 64 ? (unsigned)(size >> level * LEVEL_BITS & (MERKLE_TILE_WIDTH - 1)) : 0;
}

uint64_t merkle_tile_full(uint64_t size, unsigned level)
{
    return (level + 1) * LEVEL_BITS < 64 ? size >> (level + 1) * LEVEL_BITS : 0;
}
