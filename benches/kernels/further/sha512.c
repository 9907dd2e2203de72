// SHA-512 compression.

#include "kernel.h"

static uint64_t k[80], w[80], h[8];
static uint64_t rotr(uint64_t x, int c) { return x >> c | x << (64 - c); }

static NOINLINE void compress(void) {
    for (int i = 16; i < 80; i++) {
        uint64_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotr(x, 1) ^ rotr(x, 8) ^ x >> 7) + w[i - 7] + (rotr(y, 19) ^ rotr(y, 61) ^ y >> 6);
    }
    uint64_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], i = h[7];
    for (int r = 0; r < 80; r++) {
        uint64_t t = i + (rotr(e, 14) ^ rotr(e, 18) ^ rotr(e, 41)) + ((e & f) ^ (~e & g)) + k[r] + w[r];
        uint64_t u = (rotr(a, 28) ^ rotr(a, 34) ^ rotr(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
        i = g; g = f; f = e; e = d + t; d = c; c = b; b = a; a = t + u;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += i;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 15;
    for (int i = 0; i < 80; i++) k[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
    for (int i = 0; i < 8; i++) h[i] = k[i * 3];
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 16; i++) w[i] = h[i & 7] + i * r;
        compress();
    }
    return h[0] ^ h[5];
}
