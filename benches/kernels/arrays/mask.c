// Bytes combined with as many others by exclusive or, as ciphers do at last.

#include "kernel.h"

#define LEN 1024

static uint8_t text[LEN], key[LEN];

static NOINLINE void combine(uint8_t *to, const uint8_t *with, int len) {
    for (int i = 0; i < len; i++) to[i] ^= with[i];
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        text[i] = next_random(&random) >> 8;
        key[i] = next_random(&random) >> 8;
    }
    for (uint64_t i = 0; i < n; i++) {
        combine(text, key, LEN - (i & 7));
        sum = sum * 31 + text[i * 5 % LEN];
        key[i % LEN] += sum;
    }
    return sum;
}
