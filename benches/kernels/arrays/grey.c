// How bright points are whose colours are three bytes of a word.

#include "kernel.h"

#define LEN 1024

static uint32_t points[LEN];
static uint8_t brightness[LEN];

static NOINLINE void grey(void) {
    for (int i = 0; i < LEN; i++) {
        uint32_t point = points[i];
        brightness[i] = ((point & 255) * 77 + (point >> 8 & 255) * 150 + (point >> 16 & 255) * 29) >> 8;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) points[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        grey();
        sum = sum * 31 + brightness[i * 5 % LEN];
        points[i * 7 % LEN] += sum;
    }
    return sum;
}
