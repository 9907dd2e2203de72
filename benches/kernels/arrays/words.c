// What is in one of two sets of bits, but not in both, 64 bits at a time.

#include "kernel.h"

#define LEN 512

static uint64_t set[LEN], other[LEN];

static NOINLINE void toggle(void) {
    for (int i = 0; i < LEN; i++) set[i] ^= other[i];
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        set[i] = next_random(&random);
        other[i] = (uint64_t)next_random(&random) << 32;
    }
    for (uint64_t i = 0; i < n; i++) {
        toggle();
        sum = sum * 31 + set[i * 3 % LEN];
        other[i * 7 % LEN] += sum;
    }
    return sum;
}
