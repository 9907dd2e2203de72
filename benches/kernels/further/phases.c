// A hash table in phases, one function each, of which all call one small function.

#include "kernel.h"

#define SIZE 1024

static uint32_t keys[SIZE], table[SIZE];

static NOINLINE uint32_t mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

static NOINLINE void make(uint32_t seed) {
    for (int i = 0; i < SIZE; i++) keys[i] = mix(i + seed);
}

static NOINLINE void scatter(void) {
    for (int i = 0; i < SIZE; i++) table[i] = 0;
    for (int i = 0; i < SIZE; i++) {
        uint32_t at = mix(keys[i]) % SIZE;
        while (table[at]) at = (at + 1) % SIZE;
        table[at] = keys[i] | 1;
    }
}

static NOINLINE uint32_t gather(void) {
    uint32_t sum = 0;
    for (int i = 0; i < SIZE; i += 3) {
        uint32_t at = mix(keys[i]) % SIZE;
        while (table[at] != (keys[i] | 1)) at = (at + 1) % SIZE;
        sum += at;
    }
    return sum;
}

static NOINLINE uint32_t fold(void) {
    uint32_t sum = 0;
    for (int i = 0; i < SIZE; i++) sum = mix(sum ^ table[i]);
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        make(r);
        scatter();
        sum = sum * 3 + gather();
        sum ^= fold();
    }
    return sum;
}
