// The greatest of many numbers.

#include "kernel.h"

#define LEN 1024

static int32_t numbers[LEN];

static NOINLINE int32_t greatest(void) {
    int32_t most = numbers[0];
    for (int i = 1; i < LEN; i++)
        if (numbers[i] > most) most = numbers[i];
    return most;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) numbers[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        sum = sum * 31 + (uint32_t)greatest();
        numbers[i * 7 % LEN] = next_random(&random);
    }
    return sum;
}
