// Two pictures laid over each other.

#include "kernel.h"

#define LEN 1024

static uint8_t front[LEN], back[LEN], both[LEN];

static NOINLINE void blend(int share) {
    for (int i = 0; i < LEN; i++) both[i] = (front[i] * share + back[i] * (256 - share)) >> 8;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        front[i] = next_random(&random) >> 8;
        back[i] = next_random(&random) >> 8;
    }
    for (uint64_t i = 0; i < n; i++) {
        blend(i & 255);
        sum = sum * 31 + both[i * 3 % LEN];
        front[i * 7 % LEN] += sum;
    }
    return sum;
}
