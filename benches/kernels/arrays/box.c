// A picture of which each point becomes the mean of nine: sums that are divided by a constant.

#include "kernel.h"

#define SIZE 64
#define STRIDE (SIZE + 2)

static uint8_t picture[STRIDE * STRIDE], blurred[SIZE * SIZE];

static NOINLINE void blur(void) {
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
            int sum = 0;
            for (int dy = 0; dy < 3; dy++) {
                for (int dx = 0; dx < 3; dx++) sum += picture[(y + dy) * STRIDE + x + dx];
            }
            blurred[y * SIZE + x] = sum / 9;
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < STRIDE * STRIDE; i++) picture[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        blur();
        sum = sum * 31 + blurred[i * 5 % (SIZE * SIZE)];
        picture[i * 7 % (STRIDE * STRIDE)] ^= sum;
    }
    return sum;
}
