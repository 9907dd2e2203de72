// The two bytes of each half word exchanged, in place.

#include "kernel.h"

#define HALVES 1024

static uint8_t bytes[2 * HALVES];

static NOINLINE void swap(void) {
    for (int i = 0; i < HALVES; i++) {
        uint8_t first = bytes[2 * i];
        bytes[2 * i] = bytes[2 * i + 1];
        bytes[2 * i + 1] = first;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < 2 * HALVES; i++) bytes[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        swap();
        sum = sum * 31 + bytes[i * 5 % (2 * HALVES)];
        bytes[i * 7 % (2 * HALVES)] ^= sum;
    }
    return sum;
}
