// How much two pictures differ: the sum of absolute differences.

#include "kernel.h"

#define LEN 1024

static uint8_t first[LEN], second[LEN];

static NOINLINE uint32_t difference(void) {
    uint32_t sum = 0;
    for (int i = 0; i < LEN; i++) {
        int one = first[i] - second[i];
        sum += one < 0 ? -one : one;
    }
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        first[i] = next_random(&random) >> 9;
        second[i] = next_random(&random) >> 9;
    }
    for (uint64_t i = 0; i < n; i++) {
        sum = sum * 31 + difference();
        second[i * 7 % LEN] += sum;
    }
    return sum;
}
