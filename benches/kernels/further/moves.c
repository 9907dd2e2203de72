// Copies and fills of some hundred bytes, by the memory functions and by a loop of bytes.

#include "kernel.h"

static uint8_t from[4096], to[4096];

uint64_t kernel(uint64_t n) {
    uint64_t s = 3, sum = 0;
    for (int i = 0; i < 4096; i++) from[i] = next_random(&s);
    for (uint64_t r = 0; r < n; r++) {
        int len = next_random(&s) % 900 + 1, at = next_random(&s) % 1000;
        __builtin_memcpy(to + at, from + (r & 1023), len);
        for (int i = 0; i < len; i++) from[i + 3] = to[at + i];
        __builtin_memset(to + 2000 + at, (int)r, len);
        sum = sum * 31 + to[at] + to[2000 + at] + from[len];
    }
    return sum;
}
