// The sum of what is left of numbers when they are divided by a constant.

#include "kernel.h"

#define LEN 1024

static int32_t numbers[LEN];

static NOINLINE uint32_t remainders(int32_t factor) {
    uint32_t sum = 0;
    for (int i = 0; i < LEN; i++) sum += (numbers[i] * factor + 7) % 251;
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) numbers[i] = next_random(&random) & 0xfff;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t now = remainders(i & 255);
        sum = sum * 31 + now;
        numbers[i * 7 % LEN] = now & 0xfff;
    }
    return sum;
}
