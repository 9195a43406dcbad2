/* The client's side of HTTP/1.1, as far as a load generator needs it: is this answer whole, and is it good?
 */
#ifndef BENCH_ANSWERS_H
#define BENCH_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_state { ANSWER_PART, ANSWER_GOOD, ANSWER_BAD };

/* Looks at `n` bytes that came since the request went out. ANSWER_GOOD only for a whole answer of a 2xx
 * status with exactly as many bytes as its Content-Length says. If `word` is not NULL it must stand in the
 * body. *body_n is the length of the body. */
enum answer_state answer_look(const char *p, size_t n, const char *word, size_t word_n, size_t *body_n);

/* Latencies in a histogram of 64 steps an octave: at most 1.1 % off. */
enum { HISTOGRAM_STEPS = 64, HISTOGRAM_SIZE = 64 * HISTOGRAM_STEPS };
struct histogram {
    uint64_t n, max, count[HISTOGRAM_SIZE];
};
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_at(const struct histogram *h,
                      double share); /* ns; the value that this share does not exceed */

#endif
