// An array filled with numbers that grow by a constant, which is too large for an immediate.

#include "kernel.h"

#define LEN 1024

static uint32_t numbers[LEN];

static NOINLINE void ramp(uint32_t first) {
    for (uint32_t i = 0; i < LEN; i++) numbers[i] = (i + first) * 2654435761u;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        ramp(i);
        sum = sum * 31 + numbers[i * 3 % LEN];
    }
    return sum;
}
