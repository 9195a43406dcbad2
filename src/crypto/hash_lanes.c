/* SHA-256 (FIPS 180-4) of 16 messages side by side: the standard's own steps, on vectors of 16 words, one of
 * each message. Where the processor has vectors of that width (AVX-512), the many short leaves and nodes of a
 * tree take half the time so; elsewhere they go through OpenSSL one by one. The tests hold both to be the
 * same. */
#include "crypto/crypto.h"

#include <endian.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { BLOCK = 64, BLOCKS = 4, LANES = 16 };

#ifdef __x86_64__
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#if defined(__clang__) || defined(__OPTIMIZE__)
#define WIDE __attribute__((target("avx512f")))
#else
#define WIDE __attribute__((target("avx512f"), optimize("O2"))) /* in debug builds too */
#endif
#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* One block of each: words of the block are w[t], lane by lane. */
WIDE static void compress(words state[8], words w[16])
{
    words a = state[0], b = state[1], c = state[2], d = state[3];
    words e = state[4], f = state[5], g = state[6], h = state[7];
    for (unsigned from = 0; from < 64; from += 16) {
        UNROLL
        for (unsigned t = 0; t < 16; t++) {
            if (from) {
                words x = w[(t + 1) & 15], y = w[(t + 14) & 15];
                w[t] += (ROTR(x, 7) ^ ROTR(x, 18) ^ x >> 3) + w[(t + 9) & 15] +
                        (ROTR(y, 17) ^ ROTR(y, 19) ^ y >> 10);
            }
            words t1 =
                h + (ROTR(e, 6) ^ ROTR(e, 11) ^ ROTR(e, 25)) + ((e & f) ^ (~e & g)) + K[from + t] + w[t];
            words t2 = (ROTR(a, 2) ^ ROTR(a, 13) ^ ROTR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

/* Without optimization the intrinsic is a macro, whose mask is not for our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
/* The messages lie padded behind one another, each in BLOCKS blocks. */
WIDE static void lanes(const uint8_t *message, uint8_t *const out[LANES], unsigned n, size_t blocks)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    words state[8], w[16], place;
    for (unsigned lane = 0; lane < LANES; lane++)
        place[lane] = lane * BLOCKS * BLOCK;
    for (unsigned i = 0; i < 8; i++)
        state[i] = start[i] - (words){0};
    for (size_t at = 0; at < blocks * BLOCK; at += BLOCK) {
        for (unsigned t = 0; t < 16; t++) {
            words x = (words)_mm512_i32gather_epi32((__m512i)place, message + at + 4 * t, 1);
            w[t] = (ROTR(x, 8) & 0xff00ff00) | (ROTR(x, 24) & 0x00ff00ff); /* big-endian */
        }
        compress(state, w);
    }
    for (unsigned lane = 0; lane < n; lane++)
        for (unsigned i = 0; i < 8; i++) {
            uint32_t word = htobe32(state[i][lane]);
            memcpy(out[lane] + 4 * i, &word, 4);
        }
}

#pragma GCC diagnostic pop

static bool have_lanes(void)
{
    return __builtin_cpu_supports("avx512f");
}
#else
static bool have_lanes(void)
{
    return false;
}

static void lanes(const uint8_t *message, uint8_t *const out[LANES], unsigned n, size_t blocks)
{
    (void)message, (void)out, (void)n, (void)blocks;
}
#endif

/* Messages of as many blocks that wait for others like them. */
struct waiting {
    _Alignas(64) uint8_t message[LANES][BLOCKS * BLOCK];
    uint8_t *out[LANES];
    unsigned n;
};

/* Prefix, data, 0x80, zeros, the number of bits. */
static void pad(uint8_t *to, uint8_t prefix, struct slice data, size_t blocks)
{
    uint64_t bits = htobe64((data.n + 1) * 8);
    memset(to + (blocks - 1) * BLOCK, 0, BLOCK);
    if (data.n + 1 < (blocks - 1) * BLOCK)
        memset(to + data.n + 1, 0, (blocks - 1) * BLOCK - data.n - 1);
    to[0] = prefix;
    if (data.n)
        memcpy(to + 1, data.p, data.n);
    to[data.n + 1] = 0x80;
    memcpy(to + blocks * BLOCK - 8, &bits, 8);
}

void crypto_sha256_many(uint8_t prefix, const struct slice *data, uint8_t *const *out, size_t n)
{
    struct waiting all[BLOCKS];
    bool wide = have_lanes();
    for (size_t i = 0; i < BLOCKS; i++)
        all[i].n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t blocks = (data[i].n + 1 + 9 + BLOCK - 1) / BLOCK;
        if (!wide || blocks > BLOCKS) {
            crypto_sha256_prefixed(out[i], prefix, data[i]);
            continue;
        }
        struct waiting *x = &all[blocks - 1];
        pad(x->message[x->n], prefix, data[i], blocks);
        x->out[x->n++] = out[i];
        if (x->n == LANES) {
            lanes(x->message[0], x->out, LANES, blocks);
            x->n = 0;
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) /* lanes without a message hash what lies there, for nobody */
        if (all[i].n > 0) {
            for (unsigned lane = all[i].n; lane < LANES; lane++)
                memset(all[i].message[lane], 0, (i + 1) * BLOCK);
            lanes(all[i].message[0], all[i].out, all[i].n, i + 1);
        }
}
