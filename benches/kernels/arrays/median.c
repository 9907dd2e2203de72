// A picture of which each point becomes the median of nine: more values than there are registers.

#include "kernel.h"

#define SIZE 64

static uint8_t picture[SIZE * SIZE], filtered[SIZE * SIZE];

static inline void sort(uint8_t *a, uint8_t *b) {
    if (*a <= *b) return;
    uint8_t greater = *a;
    *a = *b;
    *b = greater;
}

static NOINLINE void filter(void) {
    for (int y = 1; y < SIZE - 1; y++) {
        for (int x = 1; x < SIZE - 1; x++) {
            uint8_t p[9];
            for (int i = 0; i < 9; i++) p[i] = picture[(y + i / 3 - 1) * SIZE + x + i % 3 - 1];
            for (int i = 0; i < 9; i += 3) {
                sort(&p[i + 1], &p[i + 2]);
                sort(&p[i], &p[i + 1]);
                sort(&p[i + 1], &p[i + 2]);
            }
            // The greatest of the least, the median of those in the middle, and the least of the greatest.
            sort(&p[0], &p[3]);
            sort(&p[3], &p[6]);
            sort(&p[1], &p[4]);
            sort(&p[4], &p[7]);
            sort(&p[1], &p[4]);
            sort(&p[5], &p[8]);
            sort(&p[2], &p[5]);
            sort(&p[2], &p[4]);
            sort(&p[4], &p[6]);
            sort(&p[2], &p[4]);
            filtered[y * SIZE + x] = p[4];
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < SIZE * SIZE; i++) picture[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        filter();
        sum = sum * 31 + filtered[i * 5 % (SIZE * SIZE)];
        picture[i * 7 % (SIZE * SIZE)] ^= sum;
    }
    return sum;
}
