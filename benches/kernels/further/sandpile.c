// A sandpile that topples until it rests: most cells have nothing to do.

#include "kernel.h"

#define SIDE 64

static uint8_t cells[SIDE + 2][SIDE + 2];

static NOINLINE int topple(void) {
    int moved = 0;
    for (int y = 1; y <= SIDE; y++)
        for (int x = 1; x <= SIDE; x++)
            if (cells[y][x] > 3) {
                int part = cells[y][x] >> 2;
                cells[y][x] &= 3;
                cells[y - 1][x] += part;
                cells[y + 1][x] += part;
                cells[y][x - 1] += part;
                cells[y][x + 1] += part;
                moved += part;
            }
    return moved;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 1, sum = 0;
    for (int y = 0; y < SIDE + 2; y++)
        for (int x = 0; x < SIDE + 2; x++) cells[y][x] = 0;
    for (uint64_t r = 0; r < n; r++) {
        uint32_t x = next_random(&seed);
        cells[1 + (x >> 26)][1 + (x >> 20 & 63)] += 40;
        for (int moved; (moved = topple());) sum += moved;
    }
    return sum;
}
