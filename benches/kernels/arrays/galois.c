// Products in the field of 256 elements, bit by bit, and their sum.

#include "kernel.h"

#define LEN 256

static uint8_t one[LEN], other[LEN];

static inline uint8_t product(uint8_t a, uint8_t b) {
    uint8_t result = 0;
    for (int bit = 0; bit < 8; bit++) {
        if (b & 1) result ^= a;
        a = a << 1 ^ (a & 0x80 ? 0x1b : 0);
        b >>= 1;
    }
    return result;
}

static NOINLINE uint8_t products(void) {
    uint8_t sum = 0;
    for (int i = 0; i < LEN; i++) sum ^= product(one[i], other[i]);
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        one[i] = next_random(&random);
        other[i] = next_random(&random);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint8_t now = products();
        sum = sum * 31 + now;
        one[i % LEN] ^= now;
    }
    return sum;
}
