// SipHash-2-4 of short messages.

#include "kernel.h"

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }
#define ROUND \
    v0 += v1; v1 = rotl(v1, 13); v1 ^= v0; v0 = rotl(v0, 32); v2 += v3; v3 = rotl(v3, 16); v3 ^= v2; \
    v0 += v3; v3 = rotl(v3, 21); v3 ^= v0; v2 += v1; v1 = rotl(v1, 17); v1 ^= v2; v2 = rotl(v2, 32);

static uint64_t words[16];

static NOINLINE uint64_t siphash(uint64_t k0, uint64_t k1, const uint64_t *m, size_t count) {
    uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
    uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
    for (size_t i = 0; i < count; i++) {
        v3 ^= m[i];
        ROUND ROUND
        v0 ^= m[i];
    }
    v3 ^= (uint64_t)count << 59;
    ROUND ROUND
    v0 ^= (uint64_t)count << 59;
    v2 ^= 255;
    ROUND ROUND ROUND ROUND
    return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        words[r & 15] = sum;
        sum += siphash(r, sum, words, (r & 7) + 1);
    }
    return sum;
}
