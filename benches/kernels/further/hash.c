// A hash table with open addressing: random look-ups that find a key, or where it would be.

#include "kernel.h"

#define CAP 4096
static uint64_t keys[CAP], vals[CAP];

static NOINLINE uint64_t *lookup(uint64_t key) {
    uint64_t h = key * 0x9e3779b97f4a7c15ull;
    uint32_t i = h >> 52;
    while (keys[i] && keys[i] != key) i = (i + 1) & (CAP - 1);
    keys[i] = key;
    return &vals[i];
}

uint64_t kernel(uint64_t n) {
    uint64_t s = 3, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < CAP; i++) keys[i] = vals[i] = 0;
        for (int i = 0; i < 8000; i++) {
            uint64_t k = (next_random(&s) & 2047) + 1;
            *lookup(k) += i;
        }
        for (int i = 0; i < CAP; i++) sum = sum * 31 + vals[i];
    }
    return sum;
}
