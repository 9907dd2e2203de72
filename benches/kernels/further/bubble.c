// Bubble sort of 256 words.

#include "kernel.h"

static uint32_t data[256];

uint64_t kernel(uint64_t n) {
    uint64_t seed = 9, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 256; i++) data[i] = next_random(&seed);
        for (int end = 255; end > 0; end--)
            for (int i = 0; i < end; i++)
                if (data[i] > data[i + 1]) {
                    uint32_t t = data[i];
                    data[i] = data[i + 1];
                    data[i + 1] = t;
                }
        for (int i = 0; i < 256; i++) sum = sum * 31 + data[i];
    }
    return sum;
}
