// The product of two vectors of 32-bit numbers.

#include "kernel.h"

#define LEN 1024

static int32_t a[LEN], b[LEN];

static NOINLINE int32_t dot(void) {
    int32_t sum = 0;
    for (int i = 0; i < LEN; i++) sum += a[i] * b[i];
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        a[i] = next_random(&random) >> 8;
        b[i] = next_random(&random) >> 8;
    }
    for (uint64_t i = 0; i < n; i++) {
        sum = sum * 31 + (uint32_t)dot();
        a[i % LEN] += sum;
    }
    return sum;
}
