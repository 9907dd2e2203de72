// Edge detection: sums and differences of eight neighbours, absolute values, a limit.

#include "kernel.h"

#define SIDE 64

static uint8_t image[SIDE * SIDE], edges[SIDE * SIDE];

static int magnitude(int value) { return value < 0 ? -value : value; }

static NOINLINE uint64_t detect(void) {
    uint64_t sum = 0;
    for (int y = 1; y < SIDE - 1; y++) {
        for (int x = 1; x < SIDE - 1; x++) {
            const uint8_t *above = &image[(y - 1) * SIDE + x], *at = above + SIDE, *below = at + SIDE;
            int across = above[1] + 2 * at[1] + below[1] - above[-1] - 2 * at[-1] - below[-1];
            int down = below[-1] + 2 * below[0] + below[1] - above[-1] - 2 * above[0] - above[1];
            int edge = magnitude(across) + magnitude(down);
            edges[y * SIDE + x] = edge > 255 ? 255 : edge;
            sum += edge;
        }
    }
    return sum;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) image[i] = next_random(&random) >> 24;
    for (int i = 0; i < SIDE * SIDE; i++) edges[i] = 0;
    for (uint64_t i = 0; i < n; i++) {
        image[(i * 97) % (SIDE * SIDE)] ^= edges[(i * 31) % (SIDE * SIDE)] + i;
        sum = sum * 3 + detect();
    }
    return sum;
}
