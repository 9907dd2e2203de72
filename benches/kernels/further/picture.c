// What a coder of pictures does with each block of eight times eight: a cosine transform, division by weights, and a count of
// the bits that runs of zeros and what ends them would take.

#include "kernel.h"

#define SIDE 64
#define BLOCK 8

static uint8_t image[SIDE][SIDE];
static int16_t coefficients[BLOCK][BLOCK];
static int32_t cosines[BLOCK][BLOCK];
static uint8_t weights[BLOCK][BLOCK];
static uint32_t counts[16][16];

static NOINLINE void transform(int top, int left) {
    int32_t rows[BLOCK][BLOCK];
    for (int y = 0; y < BLOCK; y++) {
        for (int u = 0; u < BLOCK; u++) {
            int32_t sum = 0;
            for (int x = 0; x < BLOCK; x++) sum += (image[top + y][left + x] - 128) * cosines[u][x];
            rows[y][u] = sum >> 6;
        }
    }
    for (int u = 0; u < BLOCK; u++) {
        for (int v = 0; v < BLOCK; v++) {
            int32_t sum = 0;
            for (int y = 0; y < BLOCK; y++) sum += rows[y][u] * cosines[v][y];
            coefficients[v][u] = (sum >> 3) / weights[v][u];
        }
    }
}

static NOINLINE uint32_t count_bits(void) {
    uint32_t bits = 0, zeros = 0;
    // From one diagonal to the next, as the greater ones come first so.
    for (int diagonal = 0; diagonal < 2 * BLOCK - 1; diagonal++) {
        for (int y = 0; y < BLOCK; y++) {
            int x = diagonal - y;
            if (x < 0 || x >= BLOCK) continue;
            int32_t value = coefficients[y][x];
            if (value == 0) {
                zeros++;
                continue;
            }
            for (; zeros > 15; zeros -= 16) bits += 11;
            uint32_t size = 0;
            for (uint32_t rest = value < 0 ? -value : value; rest; rest >>= 1) size++;
            counts[zeros][size % 16]++;
            bits += 4 + size + zeros / 2;
            zeros = 0;
        }
    }
    return bits;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) image[y][x] = 2 * x + y + (next_random(&random) >> 29);
    for (int y = 0; y < BLOCK; y++) {
        for (int x = 0; x < BLOCK; x++) {
            cosines[y][x] = (int32_t)((y * 296 + x * 37 + 11) % 127) - 63;
            weights[y][x] = 10 + 6 * (x + y);
        }
    }
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++) counts[y][x] = 0;
    for (uint64_t i = 0; i < n; i++) {
        transform(BLOCK * (i / 8 % 8), BLOCK * (i % 8));
        sum = sum * 31 + count_bits();
        image[i * 13 % SIDE][i * 7 % SIDE] += sum;
    }
    return sum + counts[1][1];
}
