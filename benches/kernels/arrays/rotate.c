// Words rotated and combined with others, as hashes do.

#include "kernel.h"

#define LEN 1024

static uint32_t words[LEN], others[LEN], mixed[LEN];

static NOINLINE void mix(void) {
    for (int i = 0; i < LEN; i++) mixed[i] = (words[i] << 7 | words[i] >> 25) ^ others[i];
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) {
        words[i] = next_random(&random);
        others[i] = next_random(&random);
    }
    for (uint64_t i = 0; i < n; i++) {
        mix();
        sum = sum * 31 + mixed[i * 3 % LEN];
        words[i * 7 % LEN] += sum;
    }
    return sum;
}
