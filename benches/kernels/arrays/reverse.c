// Numbers in the opposite order.

#include "kernel.h"

#define LEN 1024

static uint32_t numbers[LEN], reversed[LEN];

static NOINLINE void reverse(void) {
    for (int i = 0; i < LEN; i++) reversed[i] = numbers[LEN - 1 - i];
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) numbers[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        reverse();
        sum = sum * 31 + reversed[i * 5 % LEN];
        numbers[i * 7 % LEN] = sum;
    }
    return sum;
}
