#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_init_secret(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap, .wipe = true};
}

void buf_release(struct buf *b)
{
    if (b->wipe && b->p)
        explicit_bzero(b->p, b->size);
    free(b->p);
    *b = (struct buf){.cap = b->cap, .wipe = b->wipe};
}

void buf_clear(struct buf *b)
{
    if (b->wipe && b->p)
        explicit_bzero(b->p, b->n);
    b->n = 0;
    b->failed = false;
}

void buf_clear_keep(struct buf *b, size_t keep)
{
    buf_clear(b);
    if (b->size > keep)
        buf_release(b);
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->cap || b->n > b->cap - n) {
        b->failed = true;
        return NULL;
    }
    if (!b->p || b->size - b->n < n) {
        size_t size = b->size ? b->size : b->cap < 64 ? b->cap : 64; /* never over the cap */
        while (size - b->n < n)
            size += size < b->cap / 2 ? size : b->cap - size;
        /* one byte more than `size`: room for the NUL that buf_printf's formatter insists on */
        uint8_t *p = size == SIZE_MAX ? NULL : b->wipe ? malloc(size + 1) : realloc(b->p, size + 1);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        if (b->wipe && b->p) {
            memcpy(p, b->p, b->n);
            explicit_bzero(b->p, b->size);
            free(b->p);
        }
        b->p = p;
        b->size = size;
    }
    return b->p + b->n;
}

void buf_put_decimal(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, digits + at, sizeof digits - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    uint8_t *to = n <= 0 ? NULL : buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else if (n != 0) {
        b->failed = true;
    }
    va_end(again);
}

enum bourn_err buf_check(const struct buf *b)
{
    return b->failed ? err_set(BOURN_E_LIMIT, "a buffer would grow over its limit of %zu bytes", b->cap)
                     : BOURN_OK;
}
