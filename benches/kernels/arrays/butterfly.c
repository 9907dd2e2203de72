// Sums and differences of two arrays, each in place, as fast Fourier transforms make them.

#include "kernel.h"

#define LEN 1024

static uint32_t low[LEN], high[LEN];

static NOINLINE void butterfly(void) {
    for (int i = 0; i < LEN; i++) {
        uint32_t one = low[i], other = high[i];
        low[i] = one + other;
        high[i] = one - other;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        low[i] = next_random(&random);
        high[i] = next_random(&random);
    }
    for (uint64_t i = 0; i < n; i++) {
        butterfly();
        sum = sum * 31 + high[i * 3 % LEN];
        low[i * 7 % LEN] += sum;
    }
    return sum;
}
