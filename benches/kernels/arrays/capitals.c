// Letters made capitals.

#include "kernel.h"

#define LEN 1024

static uint8_t text[LEN];

static NOINLINE void capitals(int more) {
    for (int i = 0; i < LEN; i++) {
        uint8_t letter = text[i];
        if (letter >= 'a' && letter <= 'z') letter -= 32;
        text[i] = letter + more;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) text[i] = next_random(&random) >> 9;
    for (uint64_t i = 0; i < n; i++) {
        capitals(i & 1);
        sum = sum * 31 + text[i * 3 % LEN];
        text[i * 7 % LEN] += sum;
    }
    return sum;
}
