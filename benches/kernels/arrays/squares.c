// The sum of squares, in 64 bits.

#include "kernel.h"

#define LEN 1024

static int32_t numbers[LEN];

static NOINLINE uint64_t squares(void) {
    int64_t sum = 0;
    for (int i = 0; i < LEN; i++) sum += (int64_t)numbers[i] * numbers[i];
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) numbers[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        sum = sum * 31 + squares();
        numbers[i * 7 % LEN] += sum;
    }
    return sum;
}
