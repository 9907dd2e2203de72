// How many bytes are zero, as a sieve counts its primes.

#include "kernel.h"

#define LEN 4096

static uint8_t flags[LEN];

static NOINLINE uint32_t zeros(void) {
    uint32_t count = 0;
    for (int i = 0; i < LEN; i++) count += !flags[i];
    return count;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) flags[i] = next_random(&random) & 1;
    for (uint64_t i = 0; i < n; i++) {
        sum = sum * 31 + zeros();
        flags[i * 7 % LEN] ^= 1;
    }
    return sum;
}
