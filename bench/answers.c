#include "answers.h"

#include <string.h>

static bool content_length(const char *p, const char *end, size_t *out)
{
    static const char name[] = "\r\ncontent-length:";
    for (; p + sizeof name < end; p++) {
        size_t i = 0;
        if (*p != '\r')
            continue;
        while (i < sizeof name - 1 && (p[i] | (p[i] >= 'A' && p[i] <= 'Z' ? 0x20 : 0)) == name[i])
            i++;
        if (i < sizeof name - 1)
            continue;
        *out = 0;
        for (p += i; p < end && *p == ' '; p++)
            ;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            *out = *out * 10 + (size_t)(*p - '0');
        return true;
    }
    return false;
}

enum answer_state answer_look(const char *p, size_t n, const char *word, size_t word_n, size_t *body_n)
{
    const char *blank = memmem(p, n, "\r\n\r\n", 4);
    size_t want;
    if (!blank)
        return ANSWER_PART;
    const char *body = blank + 4;
    if (n < 12 || memcmp(p, "HTTP/1.1 2", 10) != 0 || !content_length(p, blank + 2, &want))
        return ANSWER_BAD;
    *body_n = (size_t)(p + n - body);
    if (*body_n < want)
        return ANSWER_PART;
    return *body_n == want && (!word || memmem(body, want, word, word_n)) ? ANSWER_GOOD : ANSWER_BAD;
}

static size_t step_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (size_t)ns;
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns); /* at least 6 */
    return (size_t)(octave - 5) * HISTOGRAM_STEPS + (size_t)(ns >> (octave - 6)) - HISTOGRAM_STEPS;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->count[step_of(ns)]++;
    h->n++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t want = (uint64_t)((double)h->n * share), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->count[i];
        if (seen > want || (seen && seen == h->n)) {
            if (i < HISTOGRAM_STEPS)
                return i;
            size_t octave = i / HISTOGRAM_STEPS + 5;
            uint64_t value = (uint64_t)(i % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << (octave - 6);
            return value < h->max ? value : h->max;
        }
    }
    return h->max;
}
